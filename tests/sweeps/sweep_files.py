"""Small sweeps on the scripted engine, as files and as objects."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from sweeps.config.file import load_config
from sweeps.results.result import SweepResult
from sweeps.study.sweep import Sweep

ITEMS = [
    ("plan", "Plan gamma number {i} was chosen.", 1),
    ("deadline", "The deadline is Monday morning.", 2),
    ("owner", "Carla owns the migration script.", 2),
    ("alpha", "Alpha shipped before beta.", 3),
    ("budget", "The budget rose to 4000 euro.", 4),
    ("weather", "Somebody mentioned rain outside.", 5),
]

TIMINGS = ("seconds", "queue_seconds", "load_seconds", "prefill_seconds", "decode_seconds")

# The demo surface is best at temperature 0.35, so this baseline leaves much to gain.
BASE: dict[str, Any] = {
    "study": {"name": "t", "seed": 7},
    "engine": {"kind": "scripted", "options": {"noise": 0.1}},
    "prompts": {"brief": "Summarise:\n{log}"},
    "objective": {"cases": "cases"},
    "baseline": {"model": "scripted", "prompt": "brief", "temperature": 1.2},
    "space": {"temperature": {"low": 0.1, "high": 1.2}, "top_p": {"low": 0.5, "high": 1.0}},
    "search": {"sampler": "tpe"},
    "budget": {"generations": 60},
    "confirm": {"looks": 2},
}


def write_cases(folder: Path, count: int = 3, *, words: int = 0) -> Path:
    """Cases named c1, c2 and so on; `words` lengthens their logs."""
    folder.mkdir(parents=True, exist_ok=True)
    for i in range(1, count + 1):
        texts = [(id_, text.format(i=i), level) for id_, text, level in ITEMS]
        log = f"Log of case {i}.\n" + "\n".join(text for _, text, _ in texts) + " more" * words
        (folder / f"c{i}.txt").write_text(log)
        items = "\n".join(
            f"[[items]]\nid = {json.dumps(id_)}\ntext = {json.dumps(text)}\nlevel = {level}"
            for id_, text, level in texts
        )
        (folder / f"c{i}.toml").write_text(f'title = "Case {i}"\n{items}\n')
    return folder


def toml(value: Any) -> str:
    """A value as TOML."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{json.dumps(key)} = {toml(each)}" for key, each in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(toml, value)) + "]"
    return repr(value) if isinstance(value, float) else json.dumps(value)


def write_sweep(folder: Path, *, cases: int = 3, file: str = "sweep.toml", **changes: Any) -> Path:
    """Write cases and a sweep's file.

    Args:
        folder: Where to.
        cases: How many cases.
        file: Name of the file.
        changes: Tables whose keys are merged over `BASE`; None takes a key or table away, `space` is replaced.
    """
    where = write_cases(folder / "cases", cases)
    tables: dict[str, Any] = json.loads(json.dumps(BASE))
    tables["engine"]["options"]["cases"] = str(where)
    for name, change in changes.items():
        if name == "space" or not isinstance(change, Mapping):
            tables[name] = change
        else:
            merged = {**tables.get(name, {}), **change}
            if name == "engine" and isinstance(change.get("options"), Mapping):
                merged["options"] = {**tables["engine"]["options"], **change["options"]}
            tables[name] = {key: value for key, value in merged.items() if value is not None}
    path = folder / file
    path.write_text("\n".join(f"{name} = {toml(table)}" for name, table in tables.items() if table is not None))
    return path


def run(path: Path, **options: Any) -> SweepResult:
    """Run a sweep beside its file, without MLflow and report unless asked."""
    settings = {"directory": path.parent / "mlruns", "tracking": False, "report": False, **options}
    return Sweep(load_config(path), **settings).run()


def steady(observations: pd.DataFrame) -> list[dict[str, Any]]:
    """The observations without what a clock decides, comparable to the last bit."""
    table = observations.drop(columns=[*TIMINGS])
    return list(json.loads(table.to_json(orient="records", double_precision=15)))


def optuna_trials(directory: Path, study: str = "t") -> list[tuple[Any, ...]]:
    """Number, state, value, params and notes of the trials in Optuna's storage."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    loaded = optuna.load_study(study_name=study, storage=f"sqlite:///{directory / 'optuna.db'}")
    return [(t.number, t.state.name, t.value, t.params, t.user_attrs) for t in loaded.get_trials()]
