"""Options that sweeps and usual ways to tune find at equal generations, and what they claim of them.

    python -m benchmarks.search.selection [--quick] [--json] [--replications N] [--workers N] [--budgets 300,600,1200]
                                   [--first N] [--kinds smooth,rough] [--rivals tpe-3,random] [--set TABLE.KEY=VALUE]
                                   [--out FILE.jsonl]
    python -m benchmarks.search.selection --summary FILE.jsonl [--json]

Simulated surfaces (`sweeps.engines.scripted.surfaces`): `smooth` and `rough` ones with a gain to find (.02, .05 or
.08), `flat` ones on which nothing matters, and `default-best` ones on which every change is worse; 4, 8 or 12 cases.
Each is tuned by whole sweeps of the product, one per budget (`arena.py`), and by its rivals, one run each whose state
is read at every budget (`peers/peers.py`). To save time most rivals run on a third of the surfaces; TPE with 3 seeds,
which sweeps are compared with, runs on all of them, its older form and random search wherever there is a gain.

A replication is one surface with everything on it. Each is written to `--out` as one line when it is finished; the same
command goes on with the missing ones, and `--summary` prints the finished ones. `selection_summary.py` defines the
figures.
"""

from __future__ import annotations

import argparse
import math
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks import command
from benchmarks.search import replications
from benchmarks.search.replications import Record

KINDS = ("smooth", "rough", "flat", "default-best")
CASES = (4, 8, 12)
GAINS = (0.02, 0.05, 0.08)
BUDGETS = (300, 420, 600, 800, 1200)
QUICK = (180, 360)
REPLICATIONS = 207
"""Per kind: 23 of each number of cases with each gain."""

FIRST_SEED = 30_000
"""Surfaces on which nothing was tuned."""


def cell(number: int) -> tuple[str, int, int, float]:
    """Kind, index within the kind, cases and gain of a replication: kinds take turns, then gains, then cases."""
    index = number // len(KINDS)
    return KINDS[number % len(KINDS)], index, CASES[index // 3 % 3], GAINS[index % 3]


def peers_of(kind: str, index: int) -> Sequence[str]:
    """The usual rivals: all on every third surface, the reference on all, two more wherever there is a gain."""
    from benchmarks.search.peers.peers import PEERS

    if index // 9 % 3 == 0:  # nine surfaces are one of each number of cases with each gain
        return list(PEERS)
    return ["tpe-3", "random", "tpe-3-independent"] if kind in ("smooth", "rough") else ["tpe-3"]


def replication(
    number: int,
    budgets: Sequence[int],
    rivals: Sequence[str] | None = None,
    tables: Mapping[str, Mapping[str, Any]] | None = None,
) -> Record:
    """Sweeps and rivals (by default the usual ones) on one surface; the record that `selection_summary` reads.

    Args:
        number: Number of the replication.
        budgets: Generations.
        rivals: The rivals, if not the usual ones.
        tables: More keys of the sweeps' file by table.
    """
    from benchmarks.search.arena import SurfaceProblem, run_sweep, spread_seed
    from benchmarks.search.peers.peers import PEERS, run_peer
    from sweeps.engines.scripted.surfaces import make_surface

    kind, index, cases, gain = cell(number)
    seed = FIRST_SEED + index
    problem = SurfaceProblem(make_surface(kind, seed=seed, gain=gain, cases=cases))  # type: ignore[arg-type]
    record: Record = {
        "number": number,
        "kind": kind,
        "seed": seed,
        "cases": cases,
        "gain": problem.surface.gain,
        "best": problem.best,
        "baseline": problem.truth(problem.baseline),
        "budgets": list(budgets),
        "sweep": {},
        "peers": {},
    }
    key = (KINDS.index(kind), seed)
    for budget in budgets:
        swept = asdict(run_sweep(problem, budget, spread_seed(*key, budget), tables=tables))
        record["sweep"][str(budget)] = {name: _plain(value) for name, value in swept.items()}
    chosen = peers_of(kind, index) if rivals is None else rivals
    for position, name in enumerate(PEERS):
        if name not in chosen:
            continue
        started = time.process_time()
        found = run_peer(name, problem, budgets, spread_seed(*key, position))
        kept = ("used", "trials", "truth", "reported", "claims")
        record["peers"][name] = {str(state.budget): {k: getattr(state, k) for k in kept} for state in found}
        record["peers"][name]["cpu"] = time.process_time() - started
    return record


def _plain(value: Any) -> Any:
    """JSON has no NaN."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _prepare() -> None:
    """No remarks of the libraries about their fits."""
    warnings.simplefilter("ignore")


def run(
    numbers: Sequence[int],
    budgets: Sequence[int],
    workers: int,
    out: Path,
    rivals: Sequence[str] | None = None,
    **settings: Any,
) -> Iterator[Record]:
    """Run the replications that a file lacks, and append each to it when it is finished.

    Args:
        numbers: Numbers of the replications.
        budgets: See `replication`, as for `rivals` and `settings`.
        workers: Number of processes.
        out: The file.
        rivals: The rivals, if not the usual ones.
        **settings: More arguments of `replication`.

    Raises:
        SystemExit: If the file has replications with other rivals.
    """
    for record in read(out, budgets):
        kind, index, *_ = cell(record["number"])
        wanted = set(peers_of(kind, index) if rivals is None else rivals)
        if lacking := sorted(wanted - set(record["peers"])):
            raise SystemExit(
                f"{out}: replication {record['number']} has the rivals {', '.join(record['peers'])}, and not"
                f" {', '.join(lacking)}; use another file, or --rivals {','.join(record['peers'])}"
            )
    make = partial(replication, budgets=tuple(budgets), rivals=rivals, **settings)
    return replications.resume(out, numbers, budgets, lambda missing: _finished(missing, make, workers))


def _finished(numbers: Sequence[int], make: Callable[[int], Record], workers: int) -> Iterator[Record]:
    if workers == 1:
        _prepare()
        yield from map(make, numbers)
        return
    with ProcessPoolExecutor(workers, initializer=_prepare) as pool:
        for future in as_completed([pool.submit(make, number) for number in numbers]):
            yield future.result()


def read(path: Path, budgets: Sequence[int] | None = None) -> list[Record]:
    """The replications of a file, which must be of these budgets, if any are given; see `replications.read`."""
    return replications.read(path, budgets)


def main(argv: list[str] | None = None) -> int:
    """Run the benchmark; returns the exit code."""
    given = _arguments(argv)
    from benchmarks.search.selection_summary import figures
    from benchmarks.search.selection_table import table

    if given.summary is not None:
        records = read(given.summary)
        if not records:
            raise SystemExit(f"{given.summary} holds no finished replication")
    else:
        records = _run_all(given)
    found = figures(records)
    return command.show(given, found, [table(found)])


def _run_all(given: argparse.Namespace) -> list[Record]:
    budgets = given.budgets or (QUICK if given.quick else BUDGETS)
    count = given.replications or (2 if given.quick else REPLICATIONS)
    numbers = [
        number
        for number in range(len(KINDS) * given.first, len(KINDS) * (given.first + count))
        if cell(number)[0] in given.kinds
    ]
    with tempfile.TemporaryDirectory() as folder:
        out = given.out or Path(folder) / "records.jsonl"
        started, quiet = time.perf_counter(), given.json or not sys.stderr.isatty()
        more = {"tables": command.tables_of(given.set)} if given.set else {}
        for finished, record in enumerate(run(numbers, budgets, given.workers, out, given.rivals, **more), start=1):
            if not quiet:
                seconds = time.perf_counter() - started
                print(f"{finished} done in {seconds:.0f} s, last {record['number']}", end="\r", file=sys.stderr)
        wanted = set(numbers)
        return [record for record in read(out, budgets) if record["number"] in wanted]


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    from benchmarks.search.peers.peers import PEERS
    from benchmarks.search.selection_summary import REFERENCE

    parser = command.parser(__doc__, quick="2 replications per kind, budgets 180 and 360")
    parser.add_argument("--replications", type=int, help=f"surfaces per kind (default {REPLICATIONS})")
    parser.add_argument("--first", type=int, default=0, help="index of each kind's first surface (default 0)")
    parser.add_argument("--workers", type=int, default=1, help="processes (default 1)")
    parser.add_argument("--budgets", type=_budgets, help=f"generations (default {','.join(map(str, BUDGETS))})")
    parser.add_argument(
        "--kinds",
        type=command.some_of(KINDS, "kind"),
        default=KINDS,
        help=f"kinds of surfaces (default {','.join(KINDS)})",
    )
    parser.add_argument(
        "--rivals",
        type=command.some_of(sorted(PEERS), "rival"),
        help=f"only these rivals, on every surface; {REFERENCE} is needed for a ratio",
    )
    parser.add_argument(
        "--set", type=command.setting, action="append", help="another value in the sweeps' file: TABLE.KEY=VALUE"
    )
    parser.add_argument("--out", type=Path, help="JSON Lines file of the replications, to go on with")
    parser.add_argument("--summary", type=Path, help="print the figures of such a file, and run nothing")
    return parser.parse_args(argv)


def _budgets(text: str) -> tuple[int, ...]:
    return tuple(sorted({int(part) for part in text.split(",")}))


if __name__ == "__main__":
    sys.exit(main())
