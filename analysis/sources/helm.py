"""Results of HELM (`helm-run`): `per_instance_stats.json` beside `run_spec.json`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from analysis.files.records import parse_json
from analysis.sources.answer import Answer, facts_of

FILE = "per_instance_stats.json"
_HOW = ("max_eval_instances", "num_train_trials", "num_trials", "model_deployment", "random")
"""Settings that say how much was run, not with what."""


def files(path: Path) -> list[Path]:
    """Return the files of statistics that a path means: itself, or all in a folder."""
    return sorted(path.rglob(FILE)) if path.is_dir() else [path]


def answers(path: Path) -> Iterator[Answer]:
    """Yield the instances: repeat is the trial of other examples in the prompt (`train_trial_index`).

    Raises:
        ValueError: The file has no statistics per instance.
    """
    rows = parse_json(path.read_bytes(), str(path))
    if not isinstance(rows, list) or not all(isinstance(row, Mapping) and "instance_id" in row for row in rows):
        raise ValueError(f"it has no statistics per instance of HELM; give {FILE} or the folder of the runs")
    beside = path.with_name("run_spec.json")
    spec: Any = parse_json(beside.read_bytes(), str(beside)) if beside.is_file() else {"name": path.parent.name}
    adapter = {key: value for key, value in (spec.get("adapter_spec") or {}).items() if key not in _HOW}
    model = str(adapter.pop("model", spec["name"]))
    facts = {"model": model, **facts_of(adapter)}
    scenario = spec.get("scenario_spec") or {}
    task = ", ".join([str(spec["name"]).partition(":")[0], *facts_of(scenario.get("args") or {}).values()])
    for row in rows:
        perturbation = (row.get("perturbation") or {}).get("name", "")
        scores = {
            each["name"]["name"]: each.get("mean")
            for each in row["stats"]
            if not each["name"].get("perturbation") or perturbation
        }
        case = str(row["instance_id"]) + (f" ({perturbation})" if perturbation else "")
        yield Answer(str(path.parent), facts, case, scores, int(row.get("train_trial_index", 0)), task)
