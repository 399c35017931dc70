"""Everything that a study has left behind, as a flat mapping, and the differences between two of them."""

from __future__ import annotations

import json
import re
import sqlite3
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Any

from sweeps.results.reader import load_result
from tests.sweeps.sweep_files import optuna_trials, steady

State = dict[str, str]

_BY_CLOCK = ("seconds", "spent", "spent_until", "began", "pace")
"""Parts of a study's record that a clock decides."""

_TIME = re.compile(r"\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2})?(\.\d+)?( ?UTC|[+-]\d{2}:\d{2}|Z)?)?")


def differences(state: State, whole: State) -> list[str]:
    """Return a line per difference: lost, extra or wrong."""
    lines = [f"lost: {key}: {whole[key][:300]}" for key in whole if key not in state]
    lines += [f"extra: {key}: {state[key][:300]}" for key in state if key not in whole]
    for key in state.keys() & whole.keys():
        if state[key] != whole[key]:
            lines.append(f"wrong: {key}: {_first_difference(state[key], whole[key])}")
    return sorted(lines)


def _first_difference(text: str, right: str) -> str:
    start = next((i for i, (a, b) in enumerate(zip(text, right, strict=False)) if a != b), min(len(text), len(right)))
    begin = max(0, start - 60)
    return f"...{text[begin : start + 100]!r} instead of ...{right[begin : start + 100]!r}"


def state_of(mlruns: Path) -> State:
    """Return what the study in a folder has in ledger, Optuna, MLflow and files, without times, ids and its place."""
    found = _Findings(mlruns)
    _study(found, mlruns)
    _generations(found, mlruns / "ledger.db")
    if (mlruns / "mlflow.db").exists():
        _runs(found, mlruns / "mlflow.db")
    for path in _files(mlruns / "sweeps"):
        if path.name != ".lock":
            found.file(f"file {path.relative_to(mlruns)}", path)
    for path in mlruns.iterdir():
        if not path.name.endswith(("-wal", "-shm")):
            found.add(f"entry {path.name}", "")
    return found.state


class _Findings:
    """A state that is being collected."""

    def __init__(self, mlruns: Path) -> None:
        self.state: State = {}
        self._names = {str(mlruns.resolve().parent): "HERE"}

    def name(self, id_: str, name: str) -> None:
        """Write a name in place of an id from now on."""
        self._names[id_] = name

    def add(self, key: str, value: object) -> None:
        """Add a value; a key that is taken gets a number, so that nothing doubled is hidden."""
        number, free = 1, key
        while free in self.state:
            number += 1
            free = f"{key} (number {number})"
        text = value if isinstance(value, str) else json.dumps(value, sort_keys=True, default=str)
        for id_, name in self._names.items():
            text = text.replace(id_, name)
        self.state[free] = _TIME.sub("TIME", text)

    def file(self, key: str, path: Path) -> None:
        """Add a file with its text; of a picture only that it is there."""
        self.add(key, "" if path.suffix == ".png" else path.read_text(encoding="utf-8"))


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _query(path: Path, text: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(path)) as database:
        return list(database.execute(text))


def _study(found: _Findings, mlruns: Path) -> None:
    result = load_result(mlruns)
    found.add("status", result.stored.status)
    for row in steady(result.observations):
        found.add(f"observation {row['stage']} {row['trial']} {row['case']} {row['seed']}", row)
    for index, verdict in enumerate(result.verdicts):
        found.add(f"verdict {index}", verdict.as_dict())
    for name, value in asdict(result.stored.record).items():
        if name not in _BY_CLOCK:
            found.add(f"record {name}", value)
    for proposal in result.proposals:
        found.add(f"proposal {proposal.number}", repr(proposal))
    for number, *rest in optuna_trials(mlruns):
        found.add(f"optuna trial {number}", rest)


def _generations(found: _Findings, ledger: Path) -> None:
    for key, *rest in _query(ledger, "SELECT key_sha256, text_sha256, finish, options, seed FROM generations"):
        found.add(f"generation {key}", rest)
    scores = "SELECT key_sha256, score, detail FROM scores JOIN generations ON id = generation"
    for key, *rest in _query(ledger, scores):
        found.add(f"score {key}", rest)


_OF_RUNS = {
    "params": "SELECT run_uuid, key, value FROM params",
    "tags": "SELECT run_uuid, key, value FROM tags",
    "shown metrics": "SELECT run_uuid, key, value, is_nan FROM latest_metrics",
    "metrics": "SELECT run_uuid, key || ' ' || step, value, is_nan FROM metrics ORDER BY value",
    "dataset": "SELECT destination_id, '', '' FROM inputs",
}
"""Run, key and values by what they are."""

_OF_STORE = {
    "experiment": "SELECT name, lifecycle_stage FROM experiments",
    "experiment tag": "SELECT key, value FROM experiment_tags",
    "traces": "SELECT status, count(*) FROM trace_info GROUP BY status",
    "prompt version": "SELECT name || ' ' || version, '' FROM model_versions",
    "prompt tag": "SELECT name || ' ' || version || ' ' || key, value FROM model_version_tags",
    "prompt alias": "SELECT name || ' ' || alias, version FROM registered_model_aliases",
    "dataset": "SELECT name, digest FROM datasets",
    "evaluation record": "SELECT inputs, expectations FROM evaluation_dataset_records",
}
"""Keys and values by what they are."""


def _runs(found: _Findings, store: Path) -> None:
    runs = _query(store, "SELECT run_uuid, name, status FROM runs WHERE lifecycle_stage = 'active'")
    names = {run: name for run, name, _ in runs}
    for run, name in names.items():
        found.name(run, f"RUN {name}")
    for _, name, status in runs:
        found.add(f"run {name}", status)
    for path in _files(store.parent / "artifacts"):
        run = path.relative_to(store.parent / "artifacts").parts[1]
        if run in names:
            found.file(f"artifact {names[run]} {str(path).partition(run)[2]}", path)
    for what, query in _OF_RUNS.items():
        for run, key, *rest in _query(store, query):
            if run in names:
                found.add(f"{what} {names[run]} {key}", rest)
    for what, query in _OF_STORE.items():
        for key, value in _query(store, query):
            found.add(f"{what} {key}", str(value))
