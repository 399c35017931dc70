"""Run a sweep's file in a process of its own: `python -m tests.sweeps.run_sweep FILE`."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.sweeps.sweep_files import run

if __name__ == "__main__":
    run(Path(sys.argv[1]))
