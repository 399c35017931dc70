"""Texts of the embedded model that the audit's benchmark resamples: how they are made and read.

Six settings on two cases and the prompt of `benchmarks/replay/recorded.toml`, 12 seeds each, 24 tokens. Each setting is
generated twice, in two loads of the model, so that the model's own agreement is real. What is there is not made again.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks.replay.table import MODEL, PROMPT, ROOT, recorded_sweep

PARQUET = ROOT / "benchmarks" / "data" / "audit.parquet"
BASE: dict[str, float] = {"temperature": 0.8, "top_p": 0.7, "top_k": 40, "repeat_penalty": 1.1, "num_ctx": 2048}
CASES = ("app-release-plan", "webhook-backlog")
TOKENS, SEEDS, REPEATS = 24, 12, 2

SETTINGS: dict[str, Mapping[str, float]] = {
    "base": BASE,
    "top_p - .2": BASE | {"top_p": 0.5},
    "top_p + .2": BASE | {"top_p": 0.9},
    "temperature - .3": BASE | {"temperature": 0.5},
    "temperature + .3": BASE | {"temperature": 1.1},
    "/v1 defaults": {"temperature": 1.0, "top_p": 1.0, "top_k": 40, "repeat_penalty": 1.0, "num_ctx": 4096},
}
"""The base, each change of one option, and what /v1 makes of it: its own defaults, top_k and num_ctx dropped."""


@dataclass(frozen=True)
class Request:
    """One request of the table."""

    setting: str
    case: str
    seed: int
    repeat: int
    options: Mapping[str, float]

    @property
    def key(self) -> str:
        """Digest of the request, by which its text is kept."""
        return hashlib.sha256(json.dumps([*vars(self).values()], default=dict).encode()).hexdigest()


def requests(seeds: int = SEEDS, repeats: int = REPEATS) -> Iterator[Request]:
    """All requests: a load per repeat and num_ctx, case by case so that the prompt stays cached."""
    from objectives import load_cases

    cases = load_cases(recorded_sweep()["objective"]["cases"], names=CASES)
    for repeat in range(repeats):
        for window in sorted({options["num_ctx"] for options in SETTINGS.values()}):
            for case in cases:
                for name, options in SETTINGS.items():
                    if options["num_ctx"] == window:
                        for seed in range(1, seeds + 1):
                            yield Request(name, case.name, seed, repeat, options)


def record(store: Path, *, minutes: float | None, report: Callable[[str], object] = print) -> int:
    """Generate the texts that the store lacks, and write the table once none is missing.

    Args:
        store: File of JSON lines that keeps texts between calls.
        minutes: Stop after this time; None for no limit.
        report: Gets a line of progress per case.

    Returns:
        The number of missing texts.
    """
    from objectives import load_cases
    from sweeps.config.tables import PromptTable
    from sweeps.engines.llamacpp import LlamaCppEngine

    start = recorded_sweep()
    logs = {case.name: case.log for case in load_cases(start["objective"]["cases"], names=CASES)}
    given = start["prompts"][PROMPT]
    prompt = PromptTable(user=given["user"], system=given["system"])
    kept = kept_texts(store)
    wanted = list(requests())
    started, load, engine = time.perf_counter(), None, None
    last: tuple[Any, ...] = ()
    store.parent.mkdir(parents=True, exist_ok=True)
    with store.open("a", encoding="utf-8") as lines:
        for request in wanted:
            if request.key in kept:
                continue
            if minutes is not None and time.perf_counter() - started > 60 * minutes:
                break
            if load != (request.repeat, request.options["num_ctx"]):
                if engine is not None:
                    engine.close()
                engine, load = LlamaCppEngine(), (request.repeat, request.options["num_ctx"])
            assert engine is not None
            filled = prompt.fill(logs[request.case])
            options = {**request.options, "num_predict": TOKENS, "seed": request.seed}
            if last != (load, request.case):  # a warm-up, as a sweep sends it
                engine.generate(filled, {**options, "num_predict": 1}, model=MODEL)
                last = (load, request.case)
                report(f"{request.case}, repeat {request.repeat}: {len(kept)} of {len(wanted)}")
            text = engine.generate(filled, options, model=MODEL).text
            kept[request.key] = text
            lines.write(json.dumps([request.key, text]) + "\n")
            lines.flush()
    if engine is not None:
        engine.close()
    missing = sum(request.key not in kept for request in wanted)
    if not missing:
        write(pd.DataFrame([_row(request, kept[request.key]) for request in wanted]))
    return missing


def _row(request: Request, text: str) -> dict[str, Any]:
    names = ("setting", "case", "seed", "repeat")
    return {name: getattr(request, name) for name in names} | {"text": text}


def kept_texts(store: Path) -> dict[str, str]:
    """Texts of a store by the key of their request; none where there is no store."""
    if not store.exists():
        return {}
    return dict(json.loads(line) for line in store.read_text(encoding="utf-8").splitlines())


def write(table: pd.DataFrame, path: Path = PARQUET) -> None:
    """Write the table."""
    path.parent.mkdir(parents=True, exist_ok=True)
    table.to_parquet(path, compression="zstd", index=False)


def load(path: Path = PARQUET) -> pd.DataFrame | None:
    """The table with the columns `setting`, `case`, `seed`, `repeat` and `text`; None where it is absent."""
    return pd.read_parquet(path) if path.exists() else None
