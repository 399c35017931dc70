"""Time and memory of a verdict.

    python -m benchmarks.speed.analysis_scale [--quick] [--json] [--shape "300 x 12 x 10" ...]

Times `judge` (every configuration against the baseline, Holm over all) and `ranking` on tables of configurations x
cases x seeds, up to 1,000,000 observations. Each table has a process of its own; memory is that process's peak. Wall
time and processor time are both given: on a busy machine they differ.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from typing import Any

from benchmarks import command

SHAPES = ("300 x 12 x 10", "1000 x 20 x 50", "10000 x 10 x 10")
QUICK = ("300 x 12 x 10", "100 x 12 x 3")


def table(configurations: int, cases: int, seeds: int):
    """Return observations without any difference between configurations, in random order."""
    import numpy as np
    import pandas as pd

    rng = np.random.default_rng(0)
    configuration, case, seed = np.indices((configurations, cases, seeds)).reshape(3, -1)
    frame = pd.DataFrame(
        {
            "configuration": np.array([f"{i:012x}" for i in range(configurations)], dtype=object)[configuration],
            "case": np.array([f"case-{i}" for i in range(cases)], dtype=object)[case],
            "seed": seed,
            "score": rng.beta(3, 5, len(seed)),
        }
    )
    return frame.sample(frac=1, random_state=1, ignore_index=True)


def measure(shape: str) -> dict[str, float]:
    """Time one table in this process."""
    import analysis

    analysis.judge(table(3, 3, 3), baseline="0" * 12)  # imports
    configurations, cases, seeds = map(int, shape.split("x"))
    observations = table(configurations, cases, seeds)
    start, worked = time.perf_counter(), time.process_time()
    verdicts = analysis.judge(observations, baseline="0" * 12)
    judged, worked = time.perf_counter() - start, time.process_time() - worked
    start = time.perf_counter()
    ranked = analysis.ranking(observations, "0" * 12)
    return {
        "observations": len(observations),
        "verdicts": len(verdicts),
        "judge_seconds": round(judged, 3),
        "judge_processor_seconds": round(worked, 3),
        "ranking_seconds": round(time.perf_counter() - start, 3),
        "ranked": len(ranked),
        "peak_megabytes": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
    }


def measure_alone(shape: str) -> dict[str, float]:
    """Time one table in a process of its own."""
    alone = [sys.executable, "-m", "benchmarks.speed.analysis_scale", "--here", "--json", "--shape", shape]
    found: dict[str, Any] = json.loads(subprocess.run(alone, check=True, stdout=subprocess.PIPE, text=True).stdout)
    return dict(found[shape])


def line(shape: str, row: dict[str, float]) -> str:
    """The figures of one table as text."""
    return (
        f"{shape}: {row['observations']} observations, {row['verdicts']} verdicts in {row['judge_seconds']} s "
        f"(processor {row['judge_processor_seconds']} s), ranking in {row['ranking_seconds']} s, "
        f"peak memory {row['peak_megabytes']} MB"
    )


def main(argv: list[str] | None = None) -> int:
    """Run the benchmark; returns the exit code."""
    parser = command.parser(__doc__, quick="small tables only")
    parser.add_argument("--shape", nargs="+", help=f"configurations x cases x seeds (default {', '.join(SHAPES)})")
    parser.add_argument("--here", action="store_true", help="in this process, whose peak memory is then reported")
    given = parser.parse_args(argv)
    shapes = given.shape or (QUICK if given.quick else SHAPES)
    found = {shape: measure(shape) if given.here else measure_alone(shape) for shape in shapes}
    return command.show(given, found, (line(shape, row) for shape, row in found.items()))


if __name__ == "__main__":
    sys.exit(main())
