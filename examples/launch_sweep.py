"""Run a sweep from a script, print its scores as a table, and export the best set.

Run it with: uv run python examples/launch_sweep.py [SWEEP.toml]
"""

from __future__ import annotations

import sys
from pathlib import Path

from sweeps import Sweep, SweepError


def main() -> int:
    """Run the sweep, print scores and verdict, and export the best set if it is shown better."""
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).with_name("quickstart.toml")
    try:
        result = Sweep.from_toml(path).run()
    except SweepError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code

    table = result.observations
    print(table.groupby(["stage", "trial"])["score"].agg(["count", "mean", "std"]).round(3).to_string())

    verdict = result.verdict
    if verdict is None:
        print("no verdict: no trial could be scored")
        return 1
    print(result.use_now.text)
    print(f"{verdict.outcome}: {verdict.sentence}")
    if result.exportable:
        for file in result.export(formats=("env", "json")):
            print(f"exported {file}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
