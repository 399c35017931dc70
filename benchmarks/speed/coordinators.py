"""The time of three coordinators on PostgreSQL against one.

    python -m benchmarks.speed.coordinators [--quick] [--json] [--coordinators N] [--delay MS]

Coordinators are processes of one machine, each with a scripted host that takes 50 ms for each request, warm-ups
included. They run one sweep together: 6 cases, floor, exploration by the Gaussian process in batches of 12 trials, and
confirmation.
The database is a PostgreSQL server on the same machine. Optuna's storage, MLflow and the report are left out.

* `seconds`: wall time from the common start, when everything is imported, until the last coordinator has the verdict.
* `share`: the time of all together over the time of one. With three it is at best 1/3.
* `share_of_stages`: the same for floor, exploration and confirmation alone.
* `processor`: processor seconds of all coordinators, without the database's.

The tables are made before the start, since a database gets them once.
"""

from __future__ import annotations

import gc
import importlib
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from benchmarks import command
from benchmarks.speed.hosts import cases, tables
from benchmarks.sweep_file import toml_text


def timed(count: int, url: str, text: str, delay: float, *, modules: Path | None = None) -> tuple[float, float, float]:
    """Seconds of so many coordinators in an empty database: wall time of all and of the stages, and processor time.

    Args:
        count: How many.
        url: The database.
        text: The sweep's TOML text.
        delay: Seconds of a request.
        modules: A file for the names of all modules that a coordinator has imported at its end.
    """
    from sweeps.config.file import parse_config
    from sweeps.engines.scripted.engine import ScriptedEngine
    from sweeps.ledger.ledger import Ledger
    from sweeps.results.reader import load_result
    from sweeps.study.sweep import Sweep
    from sweeps.workspace.workspace import Workspace

    config = parse_config(text)
    with tempfile.TemporaryDirectory() as directory:
        place = Workspace(Path(directory), storage=url)
        Ledger(url).close()
        started, children = time.perf_counter(), []
        for _ in range(count):
            if pid := os.fork():
                children.append(pid)
                continue
            status = 1
            try:
                engine = ScriptedEngine(cases(), noise=0.1, delay=delay)
                settings: dict[str, Any] = {"tracking": False, "report": False, "keep_trials": False, "progress": None}
                Sweep(config, mlruns=place, engine=engine, **settings).run()
                if modules is not None:
                    modules.write_text("\n".join(sys.modules), encoding="utf-8")
                status = 0
            finally:
                os._exit(status)
        ends = [os.wait4(pid, 0) for pid in children]
        wall = time.perf_counter() - started
        if any(status for _, status, _ in ends):
            raise RuntimeError("a coordinator has failed")
        processor = sum(used.ru_utime + used.ru_stime for _, _, used in ends)
        seconds = load_result(place).stored.record.seconds
    return wall, sum(stage["wall"] for stage in seconds.values()), processor


def prepare(server: Any) -> None:
    """Import what a coordinator imports in the course of a sweep, before the forks that share it.

    The garbage collector leaves out what is there then. A coordinator of its own does not copy the memory of another
    process when its garbage is collected.
    """
    with tempfile.TemporaryDirectory() as directory:
        names = Path(directory) / "modules"
        timed(1, server.url(server.new_database()), toml_text(tables(1, 8, 12)), 0.0, modules=names)
        for name in names.read_text(encoding="utf-8").splitlines():
            with suppress(ImportError):  # a name that is no module's own
                importlib.import_module(name)
    gc.collect()
    gc.freeze()


def table(figures: dict[str, Any]) -> Iterator[str]:
    """The figures as text."""
    yield f"{'coordinators':<14}{'seconds':>10}{'of stages':>12}{'processor':>12}"
    for count in figures["seconds"]:
        seconds = (figures[name][count] for name in ("seconds_of_stages", "processor"))
        yield f"{count:<14}{figures['seconds'][count]:>10.1f}" + "".join(f"{each:>12.1f}" for each in seconds)
    yield f"{'share':<14}{figures['share']:>10.2f}{figures['share_of_stages']:>12.2f}"


def main(argv: list[str] | None = None) -> int:
    """Run the benchmark; returns the exit code."""
    parser = command.parser(__doc__, quick="24 trials instead of 60")
    parser.add_argument("--coordinators", type=int, default=3, help="how many are compared with one (default 3)")
    parser.add_argument("--delay", type=float, default=50.0, help="milliseconds of a request (default 50)")
    parser.add_argument("--trials", type=int, help="trials of the sweep (default 60)")
    given = parser.parse_args(argv)
    from tests.postgres import Server, find_binaries

    binaries = find_binaries()
    if binaries is None or not hasattr(os, "fork"):
        return command.skip(given, "PostgreSQL's binaries are not installed, or this system has no fork")
    text = toml_text(tables(1, given.trials or (24 if given.quick else 60), 12))
    server, found = Server(binaries), {}
    try:
        prepare(server)
        for count in (1, given.coordinators):
            found[count] = timed(count, server.url(server.new_database()), text, given.delay / 1000)
    finally:
        gc.unfreeze()
        server.stop()
    figures: dict[str, Any] = {"coordinators": given.coordinators, "delay_ms": given.delay}
    for number, suffix in enumerate(("", "_of_stages")):
        figures[f"seconds{suffix}"] = {str(count): walls[number] for count, walls in found.items()}
        figures[f"share{suffix}"] = found[given.coordinators][number] / found[1][number]
    figures["processor"] = {str(count): spent for count, (_, _, spent) in found.items()}
    return command.show(given, figures, table(figures))


if __name__ == "__main__":
    sys.exit(main())
