"""How long does a verdict take, and how much memory?

    python -m benchmarks.speed.analysis_scale [--quick] [--json]

Times `judge` (every configuration against the baseline, Holm over all) and `ranking` on tables of 300 configurations x
12 cases x 10 seeds and of 1,000,000 observations, each in a process of its own; memory is that process's peak. Wall
time and processor time are both given: on a busy machine they differ.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time

SHAPES = {
    "300 x 12 x 10": (300, 12, 10),
    "1000 x 20 x 50": (1000, 20, 50),
    "10000 x 10 x 10": (10_000, 10, 10),
}
QUICK = {"300 x 12 x 10": (300, 12, 10), "100 x 12 x 3": (100, 12, 3)}


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


def measure(shape: tuple[int, int, int]) -> dict[str, float]:
    """Time one table in this process."""
    import analysis

    analysis.judge(table(3, 3, 3), baseline="0" * 12)  # imports
    observations = table(*shape)
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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="small tables only")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    options = parser.parse_args()
    shapes = QUICK if options.quick else SHAPES
    if options.one:
        print(json.dumps(measure((QUICK | SHAPES)[options.one])))
        return
    found = {}
    for name in shapes:
        command = [sys.executable, "-m", "benchmarks.speed.analysis_scale", "--one", name]
        found[name] = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        if not options.json:
            row = found[name]
            print(
                f"{name}: {row['observations']} observations, {row['verdicts']} verdicts in {row['judge_seconds']} s "
                f"(processor {row['judge_processor_seconds']} s), ranking in {row['ranking_seconds']} s, "
                f"peak memory {row['peak_megabytes']} MB",
                flush=True,
            )
    if options.json:
        print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
