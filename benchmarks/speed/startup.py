"""Seconds from a command to its first answer: the first text of a sweep, status, judge, help.

    python -m benchmarks.speed.startup [--quick] [--json] [--rounds 5]

Each command runs in a process of its own; wall and processor seconds are medians over the rounds. `run` is
`examples/quickstart.toml` on the scripted engine in a new folder, with MLflow, until the engine is asked for the first
text. `status` and `judge` read a finished study of the same folder.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks import command
from benchmarks.speed.overhead import QUICKSTART, tables
from benchmarks.sweep_file import toml_text

FIRST_TEXT = """
import os
from sweeps.engines.scripted import engine
engine.ScriptedEngine.generate = lambda *_, **__: os._exit(0)
"""
"""Ends the process where the engine is asked for a text; the rest of the command is as a user has it."""

TARGETS = {"run, first text": 6.0, "status": 1.5, "help": 0.4}


def sweep_file(folder: Path) -> Path:
    """Write the smallest quickstart on the scripted engine."""
    made = tables(quick=True, engine="scripted")
    prompts = made.get("prompts", {})
    for prompt in prompts.values():
        if isinstance(prompt, dict) and "file" in prompt:
            prompt["file"] = str((QUICKSTART.parent / prompt["file"]).resolve())
    path = folder / "sweep.toml"
    path.write_text(toml_text(made), encoding="utf-8")
    return path


def seconds_of(words: Sequence[str], before: str = "") -> tuple[float, float]:
    """Run a command in a process of its own; wall and processor seconds.

    Raises:
        RuntimeError: If it fails.
    """
    code = f"{before}\nimport sys\nfrom sweeps.cli import main\nmain(sys.argv[1:])"
    spent, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, check=False)
    wall, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        raise RuntimeError(f"sweeps {' '.join(words)}: {done.stderr[-500:]}")
    return wall, after.ru_utime + after.ru_stime - spent.ru_utime - spent.ru_stime


def measure(rounds: int, commands: Sequence[str] = ()) -> dict[str, dict[str, float]]:
    """Median wall and processor seconds by command; all of them without `commands`."""
    figures = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        file, kept = str(sweep_file(folder)), ["--mlruns", str(folder / "kept")]
        ways: dict[str, tuple[list[str], str]] = {
            "run, first text": (["run", file, "--mlruns", str(folder / "new-{}")], FIRST_TEXT),
            "status": (["status", *kept], ""),
            "judge": (["judge", *kept], ""),
            "help": (["--help"], ""),
        }
        if not commands or {"status", "judge"} & set(commands):
            seconds_of(["run", file, *kept, "--no-tracking", "--quiet"])
        for way in commands or ways:
            words, before = ways[way]
            runs = [seconds_of([word.format(i) for word in words], before) for i in range(rounds)]
            figures[way] = {"wall": median(wall for wall, _ in runs), "processor": median(spent for _, spent in runs)}
    return figures


def table(figures: Mapping[str, Any]) -> Iterator[str]:
    """The figures as text."""
    yield f"{'command':<20}{'wall s':>8}{'processor s':>13}{'target s':>10}"
    for name, found in figures.items():
        target = f"{TARGETS[name]:.1f}" if name in TARGETS else "-"
        yield f"{name:<20}{found['wall']:>8.2f}{found['processor']:>13.2f}{target:>10}"


def arguments(argv: list[str] | None) -> argparse.Namespace:
    """The command's arguments."""
    parser = command.parser(__doc__, quick="one round")
    parser.add_argument("--rounds", type=int, default=5, help="runs of each command (default 5)")
    parser.add_argument("--only", nargs="+", default=[], help="some of the commands, by the names in the table")
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    """Run the benchmark; returns the exit code."""
    given = arguments(argv)
    figures = measure(1 if given.quick else given.rounds, given.only)
    return command.show(given, json.loads(json.dumps(figures)), table(figures))


if __name__ == "__main__":
    sys.exit(main())
