"""The cases of a sweep as an evaluation dataset of MLflow."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from objectives.case import Case

if TYPE_CHECKING:
    from mlflow import MlflowClient


def records_of(cases: Sequence[Case]) -> list[dict[str, Any]]:
    """The cases as records: name and log to send, and the items that an answer should cover."""
    return [
        {
            "inputs": {"case": case.name, "log": case.log},
            "expectations": {"items": [f"[{item.level}] {item.text}" for item in case.items]},
        }
        for case in cases
    ]


def write_dataset(client: MlflowClient, experiment_id: str, study: str, cases: Sequence[Case]) -> None:
    """Make the study's evaluation dataset, or bring its records up to date.

    Args:
        client: The store's client.
        experiment_id: The experiment.
        study: The name of the study and of the dataset.
        cases: The cases.

    Raises:
        Exception: As the store raises.
    """
    found = client.search_datasets(experiment_ids=[experiment_id], filter_string=f"name = '{study}'", max_results=1)
    known = {str(case.log_sha256) + str(case.rubric_sha256) for case in cases}
    digest = " ".join(sorted(each[:8] for each in known))[:4000]
    if found and (found[0].tags or {}).get("slm_sweeps.cases") == digest:
        return
    store: Any = client._tracking_client.store  # `merge_records` writes to the store of the fluent interface
    dataset = found[0] if found else client.create_dataset(study, experiment_id=experiment_id)
    store.upsert_dataset_records(dataset.dataset_id, records_of(cases))
    # the tag says that the records are there: a kill before it lets the next start write them
    client.set_dataset_tags(dataset.dataset_id, {"slm_sweeps.cases": digest})
