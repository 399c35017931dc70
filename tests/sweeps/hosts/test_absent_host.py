"""A host that is absent when a sweep goes on: its earlier generations count and are not made again."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from objectives import load_cases
from sweeps.engines.base import EngineUnreachable, Generation, Prompt
from sweeps.engines.scripted.engine import Fault, ScriptedEngine
from sweeps.results.reader import load_result
from sweeps.results.result import SweepResult
from tests.marks import long
from tests.sweeps.sweep_files import run, steady, write_sweep

HOSTS = ("http://a", "http://b")
SPOT = ["stage", "trial", "case", "seed", "repeat"]


class Host(ScriptedEngine):
    """A host that can be away, and that can end the process at a request."""

    away = False
    ends_at: Callable[[str, Mapping[str, Any]], bool] = staticmethod(lambda *_: False)

    def identify(self, model: str) -> dict[str, Any]:
        if self.away:
            raise EngineUnreachable(f"nothing answers at {self.address}")
        return super().identify(model)

    def generate(self, prompt: Prompt, options: Mapping[str, Any], **given: Any) -> Generation:
        if self.away:
            raise EngineUnreachable(f"nothing answers at {self.address}")
        if options["num_predict"] != 1 and self.ends_at(self.address, options):
            raise RuntimeError("killed")
        return super().generate(prompt, options, **given)


def write(folder: Path, generations: int = 120) -> Path:
    return write_sweep(folder, engine={"hosts": list(HOSTS)}, budget={"generations": generations}, confirm={"looks": 1})


def hosts(folder: Path, *away: str, ends_at: Callable[[str, Mapping[str, Any]], bool] | None = None) -> list[Host]:
    found = []
    for address in HOSTS:
        engine = Host(load_cases(folder / "cases"), noise=0.1, address=address)
        engine.away = address in away
        if ends_at is not None:
            engine.ends_at = ends_at
        found.append(engine)
    return found


def generations(folder: Path) -> int:
    with closing(sqlite3.connect(folder / "mlruns/ledger.db")) as ledger:
        return int(ledger.execute("SELECT COUNT(*) FROM generations").fetchone()[0])


def stopped_in_confirmation(folder: Path, path: Path, after: int) -> SweepResult:
    """The sweep, ended by a fault of the program after so many requests of the confirmation, two or more of each host.

    A busy machine may start the second host's thread late.
    """
    seen: Counter[str] = Counter()

    def ends(address: str, options: Mapping[str, Any]) -> bool:
        if options["seed"] >= 1_000_000:
            seen[address] += 1
        return seen.total() > after and all(seen[address] > 1 for address in HOSTS)

    with pytest.raises(RuntimeError, match="killed"):
        run(path, engine=hosts(folder, ends_at=ends))
    return load_result(folder / "mlruns")


@pytest.mark.parametrize("away", [HOSTS[0], long(HOSTS[1])])
def test_a_finished_study_run_again_without_a_host_generates_nothing(tmp_path: Path, away: str) -> None:
    path = write(tmp_path)
    whole = run(path, engine=hosts(tmp_path))
    assert whole.observations["host"].nunique() == 2
    made = generations(tmp_path)
    again = run(path, engine=hosts(tmp_path, away))
    assert generations(tmp_path) == made == whole.plan.total
    assert steady(again.observations) == steady(whole.observations)
    assert (again.verdict, again.floor) == (whole.verdict, whole.floor)


def test_a_host_that_leaves_in_the_confirmation_for_good(tmp_path: Path) -> None:
    path = write(tmp_path)
    before = stopped_in_confirmation(tmp_path, path, after=11)
    assert before.stage("confirm")["host"].nunique() == 2
    result = run(path, engine=hosts(tmp_path, HOSTS[0]))
    table = result.observations
    assert len(table) == result.plan.total == generations(tmp_path)
    assert not table.duplicated(SPOT).any()
    rows = steady(table)
    assert all(row in rows for row in steady(before.observations))
    assert result.verdict is not None
    assert result.verdict.effect == pytest.approx(within_hosts(result))
    again = run(path, engine=hosts(tmp_path))  # and when it is back after all, nothing is made for it either
    assert steady(again.observations) == rows
    assert again.verdict == result.verdict


def within_hosts(result: SweepResult) -> float:
    """The effect by hand: per case the mean over the hosts that ran both arms, then the mean over the cases."""
    confirm, finalist = result.stage("confirm"), result.finalist
    assert finalist is not None
    means = confirm.groupby(["case", "host", "configuration"])["score"].mean()
    arms = [means.xs(key, level=2) for key in (finalist.configuration.key, result.config.baseline.key)]
    difference = (arms[0] - arms[1]).dropna()
    return float(difference.groupby("case").mean().mean())


def find_what_was_not_noted(folder: Path, path: Path, whole: SweepResult) -> None:
    """Lose the search's observations, and not its texts: with one host away nothing is generated again."""
    with closing(sqlite3.connect(folder / "mlruns/ledger.db")) as ledger:
        ledger.execute("DELETE FROM observations WHERE stage = 'explore'")
        ledger.commit()
    again = run(path, engine=hosts(folder, HOSTS[0]))
    assert generations(folder) == whole.plan.total
    assert steady(again.observations) == steady(whole.observations)


def test_what_a_killed_run_did_not_note_is_found_by_the_fingerprint_that_the_study_has(tmp_path: Path) -> None:
    path = write(tmp_path)
    whole = run(path, engine=hosts(tmp_path))
    find_what_was_not_noted(tmp_path, path, whole)


def test_a_host_that_comes_later_is_remembered_too(tmp_path: Path) -> None:
    path = write(tmp_path)
    with pytest.raises(RuntimeError, match="killed"):
        run(path, engine=hosts(tmp_path, HOSTS[0], ends_at=lambda _, options: options["seed"] >= 10_400))
    assert set(load_result(tmp_path / "mlruns").hosts) == {HOSTS[1]}
    whole = run(path, engine=hosts(tmp_path))
    assert set(whole.hosts) == set(HOSTS)
    find_what_was_not_noted(tmp_path, path, whole)


def test_what_another_host_makes_good_is_no_error_any_more(tmp_path: Path) -> None:
    path = write(tmp_path)
    fleet = hosts(tmp_path)
    refused = Fault("option-refused", when=lambda r: r.options["seed"] > 10_000 and r.options["num_predict"] != 1)
    fleet[0] = Host(load_cases(tmp_path / "cases"), noise=0.1, address=HOSTS[0], faults=[replace(refused, times=2)])
    first = run(path, engine=fleet).observations
    failed = first[first["finish"] == "error"]
    assert len(failed) > 0
    assert set(failed["stage"]) == {"explore"}
    table = run(path, engine=hosts(tmp_path, HOSTS[0])).observations
    assert len(table) == len(first)
    assert not table.duplicated(SPOT).any()
    assert table["score"].notna().all()
