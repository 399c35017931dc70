"""The random table, made in batches of sequences (`llama_batch.py`): one after another its texts would take hours.

A piece is one case with one seed: all 200 configurations continue the same prompt, the longest first. It is a file of
JSON Lines, written when it is whole, so the same command goes on with the missing pieces. Seeds come one after another:
a stop at any time leaves whole seeds of all configurations.

A text depends on the sequences that are decoded beside it, through rounding. So it is a draw of the model at those
options, but not the text that the embedded engine writes for the same seed, and the ledger does not get it.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.replay import table

SLOTS = 14
"""Sequences at once. More share the weights among them, but each attends to the places of all."""


def piece_file(folder: Path, seed: int, case: str) -> Path:
    """The file of a piece."""
    return folder / f"{seed}-{case}.jsonl"


def generate(
    work: table.Work,
    folder: Path,
    open_model: Callable[[], Any],
    render: Callable[[Any], str],
    *,
    minutes: float | None = None,
    report: Callable[[str], object] = print,
) -> int:
    """Make the pieces that are missing; returns the number of those that still are.

    Args:
        work: The requests.
        folder: Holds the pieces.
        open_model: Opens the model (`llama_batch.BatchedModel`); called only if a piece is missing.
        render: Renders a prompt as the model's template does.
        minutes: Stop after this time, at the end of a piece; None for no limit.
        report: Gets a line after each piece.
    """
    folder.mkdir(parents=True, exist_ok=True)
    pieces = [(piece_file(folder, tasks[0].place.seed, tasks[0].place.case), tasks) for _, tasks in work.pieces()]
    missing = [(path, tasks) for path, tasks in pieces if not path.exists()]
    if not missing:
        return 0
    started, done, model = time.perf_counter(), 0, open_model()
    try:
        for path, tasks in missing:
            if minutes is not None and time.perf_counter() - started > 60 * minutes:
                break
            spent, rows = time.process_time(), _rows(model, tasks, work.table.options, render)
            _write(path, rows)
            spent, done = time.process_time() - spent, done + 1
            tokens, left = sum(row["output_tokens"] for row in rows), len(missing) - done
            each = (time.perf_counter() - started) / done
            report(
                f"{path.stem}: {tokens} tokens, {1000 * spent / max(tokens, 1):.1f} ms of processor time each;"
                f" {left} pieces and {left * each / 60:.0f} min left"
            )
    finally:
        model.close()
    return len(missing) - done


def _rows(
    model: Any, tasks: Sequence[Any], options: Sequence[str], render: Callable[[Any], str]
) -> list[dict[str, Any]]:
    """The rows of a piece, in the order of the configurations; long answers start first."""
    tokens = model.tokens(render(tasks[0].prompt))
    order = sorted(tasks, key=lambda task: -task.configuration.options["num_predict"])
    requests = [{**task.configuration.options, "seed": task.place.seed} for task in order]
    found = {}
    for answer in model.answers(tokens, requests):
        task = order[answer.index]
        found[task.place.trial] = {
            **{name: task.configuration.options[name] for name in options},
            "case": task.place.case,
            "seed": task.place.seed,
            "text": answer.text,
            "finish": answer.finish,
            "prompt_tokens": len(tokens),
            "output_tokens": answer.tokens,
        }
    return [found[number] for number in sorted(found)]


def _write(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    part = path.with_suffix(".part")
    part.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    os.replace(part, path)


def rows_of(work: table.Work, folder: Path) -> list[dict[str, Any]]:
    """The rows of the seeds whose pieces are all there."""
    rows: list[dict[str, Any]] = []
    for seed in range(1, work.seeds + 1):
        files = [piece_file(folder, seed, case.name) for case in work.cases]
        if all(path.exists() for path in files):
            rows += [json.loads(line) for path in files for line in path.read_text(encoding="utf-8").splitlines()]
    return rows


def provenance(work: table.Work, library: Path | None) -> dict[str, str]:
    """Engine, model, options, prompt and date of the texts."""
    from sweeps.engines.embedded_model import require_embedded_model
    from sweeps.engines.gguf import sha256

    prompt = work.config.prompts[table.PROMPT]
    names = [path.name for path in sorted(library.glob("libllama.*"))] if library else ["xllamacpp"]
    made = {"name": "llama.cpp", "sequences at once": SLOTS, "library": names[0]}
    return {
        "engine": json.dumps(made),
        "model": work.model,
        "model_digest": sha256(require_embedded_model()),
        "options": json.dumps(dict(work.table.fixed) | dict.fromkeys(work.table.options, "see columns")),
        "prompt_system": prompt.system or "",
        "prompt_user": prompt.user,
        "date": datetime.now(UTC).date().isoformat(),
    }


def make(given: Any, chosen: table.Table) -> int:
    """Make a table in batches; returns 1 if pieces are still missing.

    Args:
        given: The command's arguments: `generate`, `export`, `seeds`, `minutes`, `ledger`, `file` and `library`.
        chosen: The table.
    """
    from benchmarks.replay.llama_batch import BatchedModel
    from sweeps.engines.embedded_model import require_embedded_model
    from sweeps.engines.llamacpp import LlamaCppEngine

    work, folder = table.Work(seeds=given.seeds or chosen.seeds, table=chosen), given.ledger / chosen.name
    engine, missing = LlamaCppEngine(options={"num_thread": 1}), 0

    def render(prompt: Any) -> str:
        return engine.rendered(prompt, model=work.model, options={"num_ctx": 256})

    try:
        if given.generate:
            missing = generate(
                work,
                folder,
                lambda: BatchedModel(require_embedded_model(), SLOTS, given.library),
                render,
                minutes=given.minutes,
                report=lambda line: print(line, flush=True),
            )
        if not missing or given.export:
            table.finish(rows_of(work, folder), chosen, provenance(work, given.library), given.file)
        if missing:
            print(f"{missing} pieces are missing; the same command goes on from here")
    finally:
        engine.close()
    return 1 if missing else 0
