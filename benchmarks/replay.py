"""Replay."""
from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import replay_table as table


def make_table(given: argparse.Namespace) -> int:
    """Generate what is missing, then write the table; 1 if something is missing still."""
    from sweeps.engines.llamacpp import LlamaCppEngine
    from sweeps.ledger import Ledger

    work = table.Work(seeds=given.seeds)
    given.ledger.mkdir(parents=True, exist_ok=True)
    engine, ledger = LlamaCppEngine(), Ledger(given.ledger / "ledger.db")
    try:
        host = table.open_host(engine)
        missing = 0
        if given.generate:
            missing = table.generate(
                host, ledger, work, minutes=given.minutes, tell=lambda line: print(line, flush=True)
            )
        if not missing or given.export:
            print(f"{table.export(host, ledger, work)} rows in {table.PARQUET.relative_to(table.ROOT)}")
        if missing:
            print(f"{missing} generations are missing; the same command goes on from here")
    finally:
        ledger.close()
        engine.close()
    return 1 if missing else 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--generate", action="store_true", help="make the table, going on from what the ledger has")
    parser.add_argument("--export", action="store_true", help="write the table of the seeds that are whole")
    parser.add_argument("--seeds", type=int, default=table.SEEDS, help=f"seeds of the table (default {table.SEEDS})")
    parser.add_argument("--minutes", type=float, help="stop generating after so many minutes")
    parser.add_argument("--ledger", type=Path, default=table.ROOT / "mlruns" / "replay", help="folder of the ledger")
    given = parser.parse_args()
    if given.generate or given.export:
        return make_table(given)
    return 0


if __name__ == "__main__":
    sys.exit(main())
