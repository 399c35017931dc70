"""Results of lm-evaluation-harness: `samples_TASK_DATE.jsonl` beside `results_DATE.json` (`--log_samples`)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from analysis.files.records import parse_json
from analysis.sources.answer import Answer, facts_of

_SAMPLES = re.compile(r"samples_(?P<task>.+)_(?P<date>\d{4}-\d\d-\d\dT[\d.:-]+)\.jsonl")
_HOW = re.compile(
    r"(batch_size|batch_sizes|device|use_cache|limit|bootstrap_iters|\w*seed|model_(num_parameters|sha|dtype|revision))$"
)
"""Settings of a run that do not make another configuration."""


def files(path: Path) -> list[Path]:
    """Return the files of samples that a path means: itself, those of a results file, or all in a folder."""
    if path.is_dir():
        return sorted(file for file in path.rglob("samples_*.jsonl") if _SAMPLES.fullmatch(file.name))
    if path.name.startswith("results_") and path.suffix == ".json":
        date = path.stem.removeprefix("results_")
        return sorted(path.parent.glob(f"samples_*_{date}.jsonl"))
    return [path]


def answers(path: Path) -> Iterator[Answer]:
    """Yield the samples of one file: case is `doc_id`; scores are named as in the results, `exact_match,strict-match`.

    Raises:
        ValueError: The file has no samples of lm-evaluation-harness.
    """
    rows = parse_json(path.read_bytes(), str(path))
    if not isinstance(rows, list) or not all(isinstance(row, Mapping) and "doc_id" in row for row in rows):
        raise ValueError("it has no samples of lm-eval (`doc_id` is missing); run lm-eval with --log_samples")
    named = _SAMPLES.fullmatch(path.name)
    task, date = (named["task"], named["date"]) if named else (path.stem, "")
    facts, seed = _run(path, task, date)
    scores: dict[str, dict[str, Any]] = {}
    for row in rows:
        names = row.get("metrics") or [name for name, value in row.items() if isinstance(value, float)]
        suffix = row.get("filter") or "none"
        found = {name if suffix == "none" else f"{name},{suffix}": row.get(name) for name in names}
        scores.setdefault(str(row["doc_id"]), {}).update(found)
    for case, each in scores.items():
        yield Answer(f"{path.parent}/{date}", facts, case, each, seed, task)


def _run(path: Path, task: str, date: str) -> tuple[dict[str, str], int | None]:
    """Return the facts of the run of a file of samples, from the results beside it."""
    beside = path.parent / f"results_{date}.json"
    if not beside.is_file():
        return {"model": path.parent.name}, None
    results = parse_json(beside.read_bytes(), str(beside))
    config = results.get("config") or {}
    told = {key: value for key, value in config.items() if not _HOW.match(key) and key not in ("model", "model_args")}
    arguments = config.get("model_args") or {}
    model = results.get("model_name") or (config.get("model") or "")
    facts = {
        "model": str(model),
        **facts_of(arguments if isinstance(arguments, Mapping) else {"model_args": arguments}),
        **facts_of(told),
        **facts_of({"shots": (results.get("n-shot") or {}).get(task)}),
        **facts_of({"system": results.get("system_instruction"), "chat_template": results.get("chat_template_sha")}),
    }
    if facts.get("pretrained") == facts["model"]:
        del facts["pretrained"]
    return facts, None
