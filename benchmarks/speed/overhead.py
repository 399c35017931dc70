"""The share of a sweep's wall time that the engine takes: explore and confirm, embedded engine, MLflow on.

    python -m benchmarks.speed.overhead [--quick] [--json] [--engine scripted]

The sweep is `examples/quickstart.toml`. `engine_share` is the time inside the engine (generations and warm-ups) over
the wall time of explore and confirm; the target is 0.95. The rest is the sweep's own: proposals, scoring, ledger,
MLflow. `own_seconds_per_generation` is that rest over the generations of both stages. `--engine scripted` generates in
no time, so that nearly all of the wall time is the sweep's own.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from benchmarks import command
from benchmarks.sweep_file import toml_text

QUICKSTART = Path(__file__).parents[2] / "examples" / "quickstart.toml"
QUICK_CASES, QUICK_FLOOR_SEEDS, QUICK_TOKENS = 2, 2, 48


def tables(*, quick: bool, engine: str = "llamacpp") -> dict[str, Any]:
    """The quick start's tables; `quick` is the smallest sweep of two cases with short answers."""
    from sweeps.budget.allocation import smallest_budget
    from sweeps.config.tables import BudgetTable

    made: dict[str, Any] = tomllib.loads(QUICKSTART.read_text(encoding="utf-8"))
    made["engine"]["kind"] = engine
    if engine == "scripted":
        made["baseline"]["model"] = "scripted"
        made["engine"]["options"] = {"cases": made["objective"]["cases"], "noise": 0.1}
    if quick:
        made["objective"]["names"] = made["objective"]["names"][:QUICK_CASES]
        made["baseline"]["num_predict"] = QUICK_TOKENS
        made["budget"]["floor_seeds"] = QUICK_FLOOR_SEEDS
        made["budget"]["generations"] = smallest_budget(BudgetTable(**made["budget"]), QUICK_CASES)
    return made


def measure(text: str, *, tracking: bool = True) -> dict[str, Any]:
    """Run a sweep from scratch: the figures of explore and confirm, by stage and together."""
    from sweeps.config.file import parse_config
    from sweeps.study.sweep import Sweep

    with tempfile.TemporaryDirectory() as directory:
        sweep = Sweep(
            parse_config(text, QUICKSTART), directory=Path(directory), tracking=tracking, report=tracking, progress=None
        )
        result = sweep.run()
        stages = {name: result.stored.record.seconds[name] for name in ("explore", "confirm")}
        generations = sum(row["stage"] in stages for row in result.rows)
    wall, engine = (sum(stage[key] for stage in stages.values()) for key in ("wall", "engine"))
    return {
        "engine_share": engine / wall,
        "own_seconds_per_generation": (wall - engine) / generations,
        "wall_seconds": wall,
        "engine_seconds": engine,
        "generations": generations,
        "stages": stages,
    }


def table(figures: Mapping[str, Any]) -> Iterator[str]:
    """The figures as text."""
    both = {"both": {"wall": figures["wall_seconds"], "engine": figures["engine_seconds"]}}
    yield f"{'stage':<10}{'wall s':>10}{'engine s':>10}{'share':>8}"
    for name, stage in (figures["stages"] | both).items():
        yield f"{name:<10}{stage['wall']:>10.2f}{stage['engine']:>10.2f}{stage['engine'] / stage['wall']:>8.3f}"
    own = 1000 * figures["own_seconds_per_generation"]
    yield f"{figures['generations']} generations; the sweep's own time per generation: {own:.1f} ms"


def arguments(argv: list[str] | None) -> argparse.Namespace:
    """The command's arguments."""
    parser = command.parser(__doc__, quick="the smallest sweep of two cases with short answers")
    parser.add_argument("--engine", choices=("llamacpp", "scripted"), default="llamacpp", help="default llamacpp")
    parser.add_argument("--no-tracking", action="store_true", help="without MLflow and report")
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    """Run the benchmark; returns the exit code."""
    given = arguments(argv)
    if given.engine == "llamacpp" and (reason := command.missing_model()):
        return command.skip(given, reason)
    text = toml_text(tables(quick=given.quick, engine=given.engine))
    figures = measure(text, tracking=not given.no_tracking)
    return command.show(given, figures, table(figures))


if __name__ == "__main__":
    sys.exit(main())
