"""A sweep on the double of an Ollama server that something befalls while it runs."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sweeps.results.reader import load_result
from sweeps.results.result import SweepResult
from tests.doubles.ollama import OllamaDouble
from tests.sweeps.sweep_files import steady, toml

MODEL = "smollm2:135m"
VERSION = "0.32.15"
COLD = 0.1
"""Seconds of a load that only a model which was not in memory takes; the double's take 0.56 s and 0.001 s."""

MIDDLES = {"floor": 2, "explore": 6, "between batches": 8, "confirm": 17}
"""Numbers of requests within the stages of the sweep below."""


@dataclass
class Server(OllamaDouble):
    """A double that calls `meanwhile` with the number and body of each request that is to be scored.

    Another version, or other weights, write other texts: one that slipped into the table would show.
    """

    meanwhile: Callable[[int, dict[str, Any]], object] | None = None
    number: int = 0

    def answer(self, path: str, body: Any) -> tuple[int, str, Any]:
        if scored(path, body):
            number, self.number = self.number, self.number + 1
            if self.meanwhile is not None:
                self.meanwhile(number, body)
            if (self.version, self.models.get(MODEL)) != (VERSION, OllamaDouble().models[MODEL]):
                body = {**body, "messages": [{"role": "user", "content": "Something else. " * 9}]}
        return super().answer(path, body)

    def at(self, number: int, action: Callable[[], object]) -> None:
        """Do something as the request of that number arrives."""
        self.meanwhile = lambda n, _: action() if n == number else None

    def restart(self) -> None:
        self.stop()
        self.start()

    def unload(self) -> None:
        """As another client's request with keep_alive 0 does it."""
        super().answer("/api/chat", {"model": MODEL, "messages": [], "keep_alive": 0})

    @property
    def sent(self) -> list[str]:
        """Requests that are to be scored, in a form that can be counted."""
        return [json.dumps(body, sort_keys=True) for path, body in self.requests if scored(path, body)]


def scored(path: str, body: Any) -> bool:
    """Whether a request is neither a warm-up nor a count of tokens."""
    return path == "/api/chat" and body.get("options", {}).get("num_predict", 1) != 1


def write(folder: Path, cases: Path, *hosts: str, timeout: float = 60.0, attempts: int = 2) -> Path:
    """A sweep of 24 requests on one host, 32 on two; a busy machine must not add a fault of its own."""
    where: dict[str, Any] = {"host": hosts[0]} if len(hosts) == 1 else {"hosts": hosts}
    tables = {
        "study": {"name": "t", "seed": 7},
        "engine": {"kind": "ollama", "timeout": timeout, "options": {"attempts": attempts, "wait": 0.01}, **where},
        "prompts": {"brief": "Summarise:\n{log}"},
        "objective": {"cases": str(cases)},
        "baseline": {"model": MODEL, "num_ctx": 1024},
        "space": {"temperature": {"low": 0.1, "high": 1.2}, "top_k": {"low": 5, "high": 80}},
        "search": {"sampler": "random", "batch": 2, "probe": False},
        "confirm": {"looks": 2},  # at this size no look before the end
        "budget": {"generations": 24 if len(hosts) == 1 else 32, "floor_seeds": 2, "seeds": 1},
    }
    path = folder / "sweep.toml"
    path.write_text("\n".join(f"{name} = {toml(table)}" for name, table in tables.items()))
    return path


def assert_same(folder: Path, result: SweepResult, whole: SweepResult) -> None:
    """The tables agree, each score's text was generated once, and by a warm model."""
    assert result.status == "done"
    assert steady(result.observations) == steady(whole.observations)
    assert result.verdict == whole.verdict
    with closing(sqlite3.connect(folder / "mlruns/ledger.db")) as ledger:
        counts = ledger.execute("SELECT COUNT(*), COUNT(DISTINCT key_sha256) FROM generations").fetchone()
    assert counts == (whole.plan.total, whole.plan.total)
    assert (result.observations["load_seconds"] < COLD).all()


def assert_part(folder: Path, whole: SweepResult) -> SweepResult:
    """What a stopped sweep leaves is a part of the undisturbed one, to be read as such."""
    kept = load_result(folder / "mlruns")
    assert kept.status == "failed"
    rows, all_rows = steady(kept.observations), steady(whole.observations)
    assert [row for row in rows if row not in all_rows] == []
    assert len({json.dumps(row) for row in rows}) == len(rows)
    return kept
