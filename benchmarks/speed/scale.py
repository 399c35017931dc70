"""How the cost of a sweep grows with its generations: processor time, memory, and a finished study opened again.

    python -m benchmarks.speed.scale [--quick | --large] [--json] [--generations 17000] [--folder DIR]

One sweep on the scripted engine, 12 cases, random sampler, without MLflow and report. Times are processor time, so
that other work on the machine counts less. The engine's time and that of the objective are shown apart. Each part has
a process of its own; memory is that process's peak. `before` are the figures of commit a127b6a with 17,000 generations,
measured in the same way on a shared machine; `docs/how-cost-grows.md` has both.

`--large` is the largest search, 100,000 generations and 9,000 trials, which takes four to seven minutes. It writes the
report as well: at the end of the run, whose memory is then that of both, and again by `sweeps report`.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import itertools
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from benchmarks import command
from sweeps.progress import Silent

CASES, GENERATIONS, QUICK, LARGE = 12, 17_000, 1_000, 100_000
STUDY = "scale"
PARTS = ("run", "again", "status", "judge")
REPORT = "report"
ITEMS = (
    ("plan", "Plan gamma number {i} was chosen by the committee.", 1),
    ("deadline", "The deadline of project {i} is Monday morning.", 2),
    ("owner", "Carla owns the migration script of team {i}.", 2),
    ("release", "Alpha {i} shipped before beta {i}.", 3),
    ("budget", "The budget rose to 40{i} euro.", 4),
    ("weather", "Somebody mentioned rain outside of office {i}.", 5),
)

ROWS: dict[str, tuple[str, str, float, str]] = {
    "own_first": ("our time per generation, first tenth", "ms", 12.9, "2"),
    "own_last": ("our time per generation, last tenth", "ms", 8.2, "2"),
    "objective": ("scoring of a text (the objective)", "ms", 2.9, ""),
    "proposals_first": ("keeping a batch's proposals, first", "ms", 9.5, "flat"),
    "proposals_last": ("keeping a batch's proposals, last", "ms", 64.1, "flat"),
    "optuna_per_trial": ("Optuna's storage per trial", "ms", 50.0, "batched"),
    "picks": ("final pick", "s", 17.2, "5"),
    "megabytes": ("memory of the run", "MB", 942.0, ""),
    "again_seconds": ("finished study run again", "s", 100.0, "5"),
    "again_megabytes": ("its memory", "MB", 1700.0, "300"),
    "status_seconds": ("`status` beyond imports", "s", 1.2, "1"),
    "judge_seconds": ("`judge` beyond imports", "s", 3.5, "1"),
}
"""Figures by name: words, unit, before, and the target. Before, of the run again, is as issue 17 reports it."""

LARGE_ROWS: dict[str, tuple[str, str, float | None, str]] = {
    "run_and_report_megabytes": ("memory of the run and its report", "MB", None, "600"),
    "report_seconds": ("`report` beyond imports", "s", 32.0, ""),
    "report_megabytes": ("its memory", "MB", 767.0, "600"),
    "report_page": ("its page", "MB", 3.1, ""),
}
"""Further rows with `--large`. Before is commit 3cef7dc with 77,016 generations, as far as that was measured."""


def write_cases(folder: Path) -> Path:
    """Write the cases: short logs with six items each."""
    folder.mkdir(parents=True, exist_ok=True)
    for i in range(1, CASES + 1):
        items = [(name, text.format(i=i), level) for name, text, level in ITEMS]
        log = f"Log of case {i}.\n" + "\n".join(text for _, text, _ in items)
        (folder / f"c{i:02}.txt").write_text(log, encoding="utf-8")
        rubric = "".join(
            f'[[items]]\nid = "{name}"\ntext = {json.dumps(text)}\nlevel = {level}\n' for name, text, level in items
        )
        (folder / f"c{i:02}.toml").write_text(f'title = "Case {i}"\n{rubric}', encoding="utf-8")
    return folder


def tables(folder: Path, generations: int) -> dict[str, Any]:
    """The sweep's tables."""
    cases = str(write_cases(folder / "cases"))
    return {
        "study": {"name": STUDY, "seed": 7},
        "engine": {"kind": "scripted", "options": {"noise": 0.1, "cases": cases}},
        "prompts": {"brief": "Summarise:\n{log}"},
        "objective": {"cases": cases},
        "baseline": {"model": "scripted", "prompt": "brief", "temperature": 1.2},
        "space": {"temperature": {"low": 0.1, "high": 1.2}, "top_p": {"low": 0.5, "high": 1.0}},
        "search": {"sampler": "random"},
        "budget": {"generations": generations},
    }


class Clock(Silent):
    """Progress that notes the processor time at each explored generation, and the time of some functions."""

    def __init__(self) -> None:
        self.megabytes_before_report = 0.0
        self.calls: dict[str, list[float]] = defaultdict(list)
        self._sums: dict[str, float] = defaultdict(float)
        self._ticks: list[tuple[float, float, float]] = []

    def timed(self, name: str, plain: Callable[..., Any]) -> Callable[..., Any]:
        """Return the function, timed."""

        def measured(*args: Any, **options: Any) -> Any:
            began = time.process_time()
            try:
                return plain(*args, **options)
            finally:
                took = time.process_time() - began
                self.calls[name].append(took)
                self._sums[name] += took

        return measured

    def stage(self, name: str) -> None:
        """See `Progress.stage`."""
        if name == REPORT:
            self.megabytes_before_report = peak()

    def advance(self, stage: str, *, seconds: float | None) -> None:
        """See `Progress.advance`."""
        del seconds
        if stage == "explore":
            self._ticks.append((time.process_time(), self._sums["engine"], self._sums["objective"]))

    def tenths(self) -> list[dict[str, float]]:
        """Milliseconds per explored generation in each tenth of them: our own, the engine's, the objective's."""
        last = len(self._ticks) - 1
        at = [last * k // 10 for k in range(11)]
        found = []
        for a, b in itertools.pairwise(at):
            total, engine, objective = (
                1000 * (y - x) / max(b - a, 1) for x, y in zip(self._ticks[a], self._ticks[b], strict=True)
            )
            found.append({"own": total - engine - objective, "engine": engine, "objective": objective})
        return found


@contextlib.contextmanager
def watched(clock: Clock) -> Iterator[None]:
    """Time the functions that the table names."""
    from objectives import CoverageObjective
    from sweeps.engines.scripted.engine import ScriptedEngine
    from sweeps.search.explorer import Explorer
    from sweeps.study.exploration import Exploration

    names: list[tuple[Any, str, str]] = [
        (ScriptedEngine, "generate", "engine"),
        (CoverageObjective, "score", "objective"),
        (Exploration, "_settled", "proposals"),
        (Explorer, "flush", "optuna"),
        (Explorer, "picks", "picks"),
    ]
    before = [(owner, name, getattr(owner, name)) for owner, name, _ in names]
    for owner, name, part in names:
        setattr(owner, name, clock.timed(part, getattr(owner, name)))
    try:
        yield
    finally:
        for owner, name, plain in before:
            setattr(owner, name, plain)


def peak() -> float:
    """The process's peak memory in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def run(folder: Path, generations: int, *, report: bool = False) -> dict[str, Any]:
    """Run the sweep in a folder; the second time nothing is generated.

    Args:
        folder: The folder.
        generations: The budget.
        report: Whether to write its report. The seconds are then those of both.
    """
    import sweeps.results.result  # the imports of a sweep's end, which are not its own time
    from sweeps.config.sweep_config import SweepConfig
    from sweeps.study.sweep import Sweep

    del sweeps
    config, clock = SweepConfig.from_dict(tables(folder, generations), base=folder), Clock()
    began = time.process_time()
    with watched(clock):
        result = Sweep(config, mlruns=folder / "mlruns", tracking=False, report=report, progress=clock).run()
    seconds, tenths, calls = time.process_time() - began, clock.tenths(), clock.calls
    kept = calls["proposals"]
    return {
        "generations": len(result.rows),
        "trials": len(result.proposals),
        "outcome": None if result.verdict is None else result.verdict.outcome,
        "seconds": seconds,
        **(
            {"megabytes": clock.megabytes_before_report, "run_and_report_megabytes": peak()}
            if report
            else {"megabytes": peak()}
        ),
        "tenths": tenths,
        "own_first": tenths[0]["own"],
        "own_last": tenths[-1]["own"],
        "objective": sum(tenth["objective"] for tenth in tenths) / len(tenths),
        "proposals_first": 1000 * sum(kept[:20]) / max(len(kept[:20]), 1),  # none where it runs again
        "proposals_last": 1000 * sum(kept[-20:]) / max(len(kept[-20:]), 1),
        "optuna_per_trial": 1000 * sum(calls["optuna"]) / max(len(result.proposals), 1),
        "picks": sum(calls["picks"]),
    }


def again(folder: Path, generations: int) -> dict[str, Any]:
    """Run the finished sweep again."""
    found = run(folder, generations)
    return {"again_seconds": found["seconds"], "again_megabytes": found["megabytes"], "again": found["generations"]}


def answered(folder: Path, name: str) -> dict[str, Any]:
    """Time a command about the finished study, after the imports that a small study needs as well."""
    from sweeps.cli import run_command

    small = folder / "small"
    if not (small / "mlruns").exists():
        run(small, 200)
    took = 0.0
    for place in (small, folder):
        began = time.process_time()
        with contextlib.redirect_stdout(io.StringIO()):
            code = run_command([name, STUDY, "--json", "--mlruns", str(place / "mlruns")])
        if code:
            raise RuntimeError(f"sweeps {name} ended with {code}")
        took = time.process_time() - began
    return {f"{name}_seconds": took, f"{name}_megabytes": peak()}


def reported(folder: Path) -> dict[str, Any]:
    """Time `sweeps report`, and measure its page."""
    page = folder / "mlruns" / "sweeps" / STUDY / "report.html"
    return answered(folder, REPORT) | {"report_page": page.stat().st_size / 1e6}


def measure(part: str, folder: Path, generations: int, *, large: bool) -> dict[str, Any]:
    """Measure one part in this process."""
    if part == "run":
        return run(folder, generations, report=large)
    if part == "again":
        return again(folder, generations)
    return reported(folder) if part == REPORT else answered(folder, part)


def measure_alone(part: str, folder: Path, generations: int, *, large: bool) -> dict[str, Any]:
    """Measure one part in a process of its own."""
    size = ["--generations", str(generations), "--folder", str(folder), *(["--large"] if large else [])]
    alone = [sys.executable, "-m", "benchmarks.speed.scale", "--json", "--part", part, *size]
    found: dict[str, Any] = json.loads(subprocess.run(alone, check=True, stdout=subprocess.PIPE, text=True).stdout)
    return found


def table(figures: Mapping[str, Any]) -> Iterator[str]:
    """The figures as text, beside those before."""
    yield f"{figures['generations']} generations, {figures['trials']} trials, verdict {figures['outcome']}"
    yield f"{'':<40}{'before':>10}{'now':>10}  {'target':<8}"
    for name, (words, unit, before, target) in {**ROWS, **LARGE_ROWS}.items():
        if name in figures:
            was = "–" if before is None else f"{before:.1f}"
            yield f"{words:<40}{was:>10}{figures[name]:>10.2f}  {unit} {target and f'({target})'}"
    yield "our ms per generation by tenth: " + " ".join(f"{tenth['own']:.2f}" for tenth in figures["tenths"])


def arguments(argv: list[str] | None) -> argparse.Namespace:
    """The command's arguments."""
    parser = command.parser(__doc__, quick=f"{QUICK} generations instead of {GENERATIONS}")
    parser.add_argument("--generations", type=int, help=f"the sweep's budget; default {GENERATIONS}")
    parser.add_argument("--folder", type=Path, help="where the study is kept; default a temporary folder")
    parser.add_argument("--large", action="store_true", help=f"{LARGE} generations, and the report of them")
    parser.add_argument("--part", choices=(*PARTS, REPORT), help="measure one part in this process, in --folder")
    parser.add_argument("--here", action="store_true", help="all parts in this process; memory says nothing then")
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    """Run the benchmark; returns the exit code."""
    given = arguments(argv)
    generations = given.generations or (QUICK if given.quick else LARGE if given.large else GENERATIONS)
    with contextlib.ExitStack() as stack:
        folder = given.folder or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        if given.part:
            return command.show(given, measure(given.part, folder, generations, large=given.large), ())
        figures: dict[str, Any] = {}
        for part in (*PARTS, REPORT) if given.large else PARTS:
            figures |= (measure if given.here else measure_alone)(part, folder, generations, large=given.large)
    before = {name: row[2] for name, row in {**ROWS, **(LARGE_ROWS if given.large else {})}.items()}
    return command.show(given, figures | {"before": before}, table(figures))


if __name__ == "__main__":
    sys.exit(main())
