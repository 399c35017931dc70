"""A connection to MLflow's store that checks whether it answers, and writes in batches."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from analysis.export.files import write_together
from sweeps.addresses import without_password
from sweeps.tracking import mlflow_store
from sweeps.tracking.mlflow_store import TrackingError

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

_BATCH = {"params": 100, "metrics": 1000, "tags": 100}
"""MLflow's limits per request, in the order of writing: tags describe what was logged, so they come last."""

_ENTITIES = 1000
"""MLflow's limit of parameters, metrics and tags together per request."""


ONE, LAST, PAUSE = 15.0, 60.0, 300.0
"""Seconds that a sweep waits for a tracking server: for one configuration, at its end; and without asking it again."""


def newest_stamp(run: Run) -> int:
    """The latest stamp of a run's metrics, in milliseconds since 1970; 0 without metrics."""
    return max((int(metric.timestamp) for metric in run.data.to_proto().metrics), default=0)


class StoreConnection:
    """A connection to a store, for use by one thread.

    Args:
        uri: The store.
        patient: Whether to wait for a slow tracking server as long as it takes.

    Attributes:
        uri: The store.
        client: The client, after `connect`.
        wrote: Whether any metric was written.
    """

    def __init__(self, uri: str, *, patient: bool = False) -> None:
        self.uri = uri
        self._limited = mlflow_store.is_remote(uri) and not patient
        self._until = self._paused_until = 0.0
        self.client: MlflowClient | None = None
        self.wrote = False

    def connect(self) -> MlflowClient:
        """Open the store.

        Raises:
            TrackingError: If nothing answers, or it cannot be opened.
        """
        self.client = mlflow_store.connect(self.uri)
        return self.client

    @contextmanager
    def within(self, seconds: float) -> Iterator[None]:
        """Limit the time of everything inside, where the store is a server; after that, `ready` raises.

        A server that was too slow is not asked for some minutes, except with more time: at the end of the sweep.
        """
        began = time.monotonic()
        if self._limited:
            if began < self._paused_until and seconds <= ONE:
                raise TimeoutError(f"{without_password(self.uri)} is too slow; it is asked again later")
            self._until = began + seconds
        try:
            yield
        finally:
            self._until = 0.0
            if time.monotonic() - began > ONE / 2:
                self._paused_until = time.monotonic() + PAUSE

    def ready(self) -> MlflowClient:
        """The client, after a check that the store answers.

        Raises:
            TrackingError: If the store was not opened.
            ConnectionError: If it no longer answers.
            TimeoutError: If the time of `within` is over.
        """
        if self.client is None:
            raise TrackingError("the tracker was not started")
        if self._until and time.monotonic() > self._until:
            raise TimeoutError(f"{without_password(self.uri)} is too slow")
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
        from mlflow.store.artifact.local_artifact_repo import LocalArtifactRepository

        self.ready()
        repository: Any = get_artifact_repository(artifact_uri, tracking_uri=self.uri)
        if isinstance(repository, LocalArtifactRepository):  # MLflow would copy a file that is made elsewhere
            write_together({Path(repository.artifact_dir) / name: text})
            return
        with tempfile.TemporaryDirectory() as folder:
            repository.log_artifact(str(*write_together({Path(folder) / name: text})))
