"""The speed of four hosts against one.

    python -m benchmarks.speed.hosts [--quick] [--json] [--hosts N] [--delay MS]

Scripted hosts take 50 ms for each request, warm-ups included. Measured on the same machine one after the other:

* `speedup`: the same 24 configurations x 6 cases through `sweeps.hosts.pool.run_tasks` with a ledger on disk. It is the
  wall time on one host over the wall time on four.
* `speedup_explore`: the explore stage of a whole sweep (36 trials of 6 generations in batches of 12, proposals by the
  Gaussian process, scoring, ledger and Optuna's storage included), in the same way.

One host spends about 50 ms x requests; `overhead` is the time that each run took beyond the engine's own time on its
busiest host, as a share of that.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from benchmarks import command
from benchmarks.sweep_file import toml_text

CASES = 6


def tables(count: int, trials: int, batch: int) -> dict[str, Any]:
    """A sweep on so many scripted hosts, with the smallest floor and confirmation that they allow."""
    names = [case.name for case in cases()]
    floor, confirm = 2 * count, 4 * count if count > 1 else 4
    hosts = {"hosts": [f"h{i}" for i in range(count)]} if count > 1 else {}
    return {
        "study": {"name": "hosts"},
        "engine": {"kind": "scripted", **hosts},
        "prompts": {"brief": "Summarise:\n{log}"},
        "objective": {"cases": "engineering-chats", "names": names},
        "baseline": {"model": "scripted"},
        "space": {
            "temperature": {"low": 0.1, "high": 1.2},
            "top_p": {"low": 0.5, "high": 1.0},
            "repeat_penalty": {"low": 1.0, "high": 1.3},
        },
        "search": {"batch": batch, "probe": False},
        "budget": {"generations": len(names) * (floor + trials + 2 * confirm), "floor_seeds": floor, "seeds": 1},
    }


@cache
def cases() -> Sequence[Any]:
    """Six shipped cases."""
    from objectives import load_cases

    return load_cases("engineering-chats")[:CASES]


def engines(count: int, delay: float) -> list[Any]:
    """Scripted hosts."""
    from sweeps.engines.scripted.engine import ScriptedEngine

    return [ScriptedEngine(cases(), noise=0.1, delay=delay, address=f"h{i}") for i in range(count)]


def tasks(configurations: int) -> list[Any]:
    """Each configuration on each case with one seed."""
    from sweeps.engines.base import Prompt
    from sweeps.hosts.task import Task
    from sweeps.ledger.records import Place
    from sweeps.options import Configuration

    return [
        Task(
            Place("explore", number, "", case.name, seed=1000 + number),
            Configuration("scripted", "brief", {"temperature": 0.1 + 0.01 * number}),
            Prompt(user=f"Summarise:\n{case.log}"),
        )
        for number in range(configurations)
        for case in cases()
    ]


def pool_run(count: int, delay: float, configurations: int) -> tuple[float, float]:
    """Wall seconds of the tasks on so many hosts, and the busiest host's seconds in its engine."""
    from sweeps.fingerprints.capture import take
    from sweeps.hosts.host import Host
    from sweeps.hosts.pool import run_tasks
    from sweeps.ledger.ledger import Ledger

    hosts = [Host(e, {"scripted": take(e, "scripted")}, name=e.address) for e in engines(count, delay)]
    outcomes: list[Any] = []
    with tempfile.TemporaryDirectory() as directory:
        ledger = Ledger(Path(directory) / "ledger.db")
        work = tasks(configurations)
        started = time.perf_counter()
        run_tasks(hosts, ledger, work, study="hosts", on_result=outcomes.append)
        wall = time.perf_counter() - started
        ledger.close()
    assert len(outcomes) == len(work)
    assert not any(outcome.error for outcome in outcomes)
    return wall, max(host.clock.engine for host in hosts)


def explore_run(count: int, delay: float, trials: int, batch: int) -> tuple[float, float]:
    """Wall seconds of a sweep's explore stage on so many hosts, and the busiest host's seconds in its engine."""
    from sweeps.config.file import parse_config
    from sweeps.study.sweep import Sweep

    text = toml_text(tables(count, trials, batch))
    with tempfile.TemporaryDirectory() as directory:
        sweep = Sweep(
            parse_config(text),
            directory=directory,
            engine=engines(count, delay),
            tracking=False,
            report=False,
            progress=None,
        )
        record = sweep.run().stored.record
    generations = record.plan["explore_generations"]
    seconds = record.seconds["explore"]
    return seconds["wall"] / generations, seconds["engine"] / generations


def table(figures: dict[str, Any]) -> Iterator[str]:
    """The figures as text."""
    many = str(figures["hosts"])
    yield f"{'':<24}{'1 host':>10}{f'{many} hosts':>10}{'speedup':>10}{'overhead':>18}"
    rows = (("tasks, s", "", "seconds"), ("explore, s/generation", "_explore", "seconds_per_generation_explore"))
    for name, suffix, key in rows:
        overhead = " ".join(f"{share:>8.1%}" for share in figures[f"overhead{suffix}"].values())
        speedup = figures[f"speedup{suffix}"]
        yield f"{name:<24}{figures[key]['1']:>10.3f}{figures[key][many]:>10.3f}{speedup:>10.2f}{overhead:>18}"


def main(argv: list[str] | None = None) -> int:
    """Run the benchmark; returns the exit code."""
    parser = command.parser(__doc__, quick="12 configurations, 24 trials")
    parser.add_argument("--hosts", type=int, default=4, help="how many hosts are compared with one (default 4)")
    parser.add_argument("--delay", type=float, default=50.0, help="milliseconds of a request (default 50)")
    parser.add_argument("--batch", type=int, default=12, help="trials of the sweep asked at a time (default 12)")
    parser.add_argument("--configurations", type=int, help="configurations through the pool (default 24)")
    parser.add_argument("--trials", type=int, help="trials of the sweep (default 36)")
    given = parser.parse_args(argv)
    delay, many = given.delay / 1000, given.hosts
    configurations = given.configurations or (12 if given.quick else 24)
    trials = given.trials or (24 if given.quick else 36)
    pool_run(1, 0.0, 2)  # imports
    pool = {count: pool_run(count, delay, configurations) for count in (1, many)}
    explore = {count: explore_run(count, delay, trials, given.batch) for count in (1, many)}
    figures: dict[str, Any] = {"hosts": many, "delay_ms": given.delay, "requests": configurations * CASES}
    for suffix, runs in (("", pool), ("_explore", explore)):
        figures[f"speedup{suffix}"] = runs[1][0] / runs[many][0]
        figures[f"overhead{suffix}"] = {str(count): wall / engine - 1 for count, (wall, engine) in runs.items()}
    figures["seconds"] = {str(count): wall for count, (wall, _) in pool.items()}
    figures["seconds_per_generation_explore"] = {str(count): wall for count, (wall, _) in explore.items()}
    return command.show(given, figures, table(figures))


if __name__ == "__main__":
    sys.exit(main())
