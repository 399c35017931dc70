"""How much of a sweep's wall time is the engine's own: explore and confirm, embedded engine, MLflow on.

Usage: uv run python -m benchmarks.speed.overhead [--quick] [--json]

`engine_share` is the time spent inside the engine (generations and warm-ups) over the wall time of explore and confirm;
the rest is ours: proposals, scoring, ledger, MLflow. The target is 0.95.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import tempfile
from pathlib import Path

QUICKSTART = Path(__file__).parents[2] / "examples" / "quickstart.toml"


def measure(text: str, directory: Path) -> dict[str, dict[str, float]]:
    """Run a sweep from scratch; seconds by stage, `wall` and `engine`."""
    from sweeps.config.file import parse_config
    from sweeps.study.sweep import Sweep

    result = Sweep(parse_config(text, QUICKSTART), directory=directory).run()
    seconds: dict[str, dict[str, float]] = result.record.record["seconds"]
    return seconds


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a smaller sweep, under a minute")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    arguments = parser.parse_args()
    text = QUICKSTART.read_text(encoding="utf-8")
    if arguments.quick:
        text = re.sub(r"(?m)^generations = .*$", "generations = 36", text)
        text = re.sub(r"(?m)^floor_seeds = .*$", "floor_seeds = 2", text)
        text = re.sub(r"(?s)names = \[.*?\]", 'names = ["app-release-plan", "database-upgrade"]', text)
    with tempfile.TemporaryDirectory() as directory:
        seconds = measure(text, Path(directory))
    parts = {name: seconds[name] for name in ("explore", "confirm")}
    wall, engine = (sum(part[key] for part in parts.values()) for key in ("wall", "engine"))
    record = {"engine_share": engine / wall, "wall_seconds": wall, "engine_seconds": engine, "stages": seconds}
    if arguments.json:
        print(json.dumps(record))
        return 0
    print(f"{'stage':<10}{'wall s':>10}{'engine s':>10}{'share':>8}")
    for name, part in parts.items():
        print(f"{name:<10}{part['wall']:>10.2f}{part['engine']:>10.2f}{part['engine'] / part['wall']:>8.3f}")
    print(f"{'both':<10}{wall:>10.2f}{engine:>10.2f}{engine / wall:>8.3f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
