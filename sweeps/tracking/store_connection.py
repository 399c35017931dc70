"""A connection to MLflow's store that checks whether it answers, and writes in batches."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sweeps.addresses import without_password
from sweeps.tracking import mlflow_store
from sweeps.tracking.mlflow_store import TrackingError

if TYPE_CHECKING:
    from mlflow import MlflowClient

_BATCH = {"params": 100, "metrics": 1000, "tags": 100}
"""MLflow's limits per request, in the order of writing: tags describe what was logged, so they come last."""

_ENTITIES = 1000
"""MLflow's limit of parameters, metrics and tags together per request."""


class StoreConnection:
    """A connection to a store, for use by one thread.

    Args:
        uri: The store.

    Attributes:
        uri: The store.
        client: The client, after `connect`.
        wrote: Whether any metric was written.
    """

    def __init__(self, uri: str) -> None:
        self.uri = uri
        self.client: MlflowClient | None = None
        self.wrote = False

    def connect(self) -> MlflowClient:
        """Open the store.

        Raises:
            TrackingError: If nothing answers, or it cannot be opened.
        """
        self.client = mlflow_store.connect(self.uri)
        return self.client

    def ready(self) -> MlflowClient:
        """The client, after a check that the store answers.

        Raises:
            TrackingError: If the store was not opened.
            ConnectionError: If it no longer answers.
        """
        if self.client is None:
            raise TrackingError("the tracker was not started")
        if reason := mlflow_store.unreachable(self.uri):  # cheaper than MLflow's retries
            raise ConnectionError(f"{without_password(self.uri)} does not answer ({reason})")
        return self.client

    def log(
        self,
        run_id: str,
        *,
        metrics: Sequence[tuple[str, float, int, int]] = (),
        params: Mapping[str, str] | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        """Write metrics (key, value, milliseconds, step), parameters and tags in as few requests as MLflow allows."""
        from mlflow.entities import Metric, Param, RunTag

        client = self.ready()
        left: dict[str, list[Any]] = {
            "params": [Param(key, value) for key, value in (params or {}).items()],
            "metrics": [Metric(key, value, stamp, step) for key, value, stamp, step in metrics],
            "tags": [RunTag(key, value) for key, value in (tags or {}).items()],
        }
        while any(left.values()):
            batch: dict[str, list[Any]] = {}
            room = _ENTITIES
            for kind, entities in left.items():
                size = min(_BATCH[kind], room)
                batch[kind], left[kind] = entities[:size], entities[size:]
                room -= len(batch[kind])
            client.log_batch(run_id, **batch, synchronous=True)
        self.wrote = self.wrote or bool(metrics)

    def write_text(self, artifact_uri: str, text: str, name: str) -> None:
        """Write a text among a run's artifacts; MLflow's client would read the run first, to find their place.

        Args:
            artifact_uri: The run's `info.artifact_uri`.
            text: The text.
            name: The file's name, without folders.
        """
        from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

        self.ready()
        repository: Any = get_artifact_repository(artifact_uri, tracking_uri=self.uri)
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / name
            file.write_text(text, encoding="utf-8")
            repository.log_artifact(str(file))
