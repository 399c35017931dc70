"""Several coordinators on one study in PostgreSQL."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from sweeps.config.file import load_config
from sweeps.engines.scripted.engine import ScriptedEngine
from sweeps.hosts.sweep_hosts import engine_specs
from sweeps.ledger.coordinators import Coordinator
from sweeps.results.reader import load_result
from sweeps.results.result import SweepResult
from sweeps.study.sweep import Sweep
from sweeps.workspace.workspace import Workspace
from tests.sweeps.sweep_files import run, write_sweep

pytestmark = pytest.mark.postgres


class Counted(ScriptedEngine):
    """Counts the sweep's own requests, without warm-ups and probes; the first waits for that of the others."""

    made: Counter[tuple[object, ...]]
    first: threading.Barrier

    def generate(self, prompt: Any, options: Any, **more: Any) -> Any:
        if options["num_predict"] != 1 and prompt.user.startswith("Summarise"):
            if not self.made:
                self.first.wait(timeout=60)  # else a quick coordinator ends before a slow one begins
            self.made[prompt, tuple(sorted(options.items()))] += 1
        return super().generate(prompt, options, **more)


def meet(count: int, patch: pytest.MonkeyPatch) -> None:
    """Let no coordinator claim a task before all have said that they are there.

    One that claims alone takes all tasks of the first batch, so that nothing is left for the others to begin with.
    """
    there, offer, met = threading.Barrier(count), Coordinator.offer, set[str]()

    def offer_together(self: Coordinator, hosts: Sequence[str]) -> None:
        offer(self, hosts)
        if self.id not in met:
            met.add(self.id)
            there.wait(timeout=60)

    patch.setattr(Coordinator, "offer", offer_together)


def together(path: Path, place: Workspace, count: int, **options: Any) -> tuple[list[object], list[Counter[Any]]]:
    """Run a sweep by several coordinators at the same time; their results or errors, and their requests."""
    config = load_config(path)
    ends: list[object] = [None] * count
    made: list[Counter[Any]] = []
    first = threading.Barrier(count)

    def work(number: int) -> None:
        engine = Counted.from_spec(engine_specs(config)[0])
        assert isinstance(engine, Counted)
        engine.made, engine.first = Counter(), first
        made.append(engine.made)
        settings = {"tracking": False, "report": False, "progress": None, "engine": engine, **options}
        try:
            ends[number] = Sweep(config, mlruns=place, **settings).run()
        except Exception as error:  # noqa: BLE001 - for the test to look at
            ends[number] = error

    threads = [threading.Thread(target=work, args=(number,)) for number in range(count)]
    with pytest.MonkeyPatch.context() as patch:
        meet(count, patch)
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    return ends, made


def plan_of(result: SweepResult) -> set[tuple[object, ...]]:
    """What was generated: stage, trial, configuration, case and seed."""
    columns = ["stage", "trial", "configuration", "case", "seed"]
    return set(result.observations[columns].itertuples(index=False, name=None))


def test_two_share_a_study_and_come_to_one_end(tmp_path: Path, postgres_url: str) -> None:
    path, place = write_sweep(tmp_path), Workspace(tmp_path / "mlruns", storage=postgres_url)
    ends, made = together(path, place, 2)
    results = [end for end in ends if isinstance(end, SweepResult)]
    assert len(results) == 2, ends
    alone = run(path, directory=tmp_path / "alone")
    assert plan_of(results[0]) == plan_of(results[1]) == plan_of(alone)
    assert results[0].verdict == results[1].verdict == load_result(place).verdict == alone.verdict
    assert set(sum(made, Counter()).values()) == {1}  # no request twice
    assert all(made)  # both had a part
    assert load_result(place).status == "done"


def test_two_end_a_run_off_alike(tmp_path: Path, postgres_url: str) -> None:
    """The finalist that leaves, its look and all verdicts are those of one coordinator alone."""
    confirm = {"looks": "auto", "runoff": 2, "futility": 0.0}
    settings: dict[str, Any] = {
        "budget": {"generations": 120},
        "confirm": confirm,
        "engine": {"options": {"noise": 0.2}},
    }
    path = write_sweep(tmp_path, **settings)
    place = Workspace(tmp_path / "mlruns", storage=postgres_url)
    ends, made = together(path, place, 2)
    results = [end for end in ends if isinstance(end, SweepResult)]
    assert len(results) == 2, ends
    alone = run(path, directory=tmp_path / "alone")
    assert any(verdict.overtaken for verdict in alone.verdicts)
    for each in (*results, load_result(place)):
        assert (each.looks, each.verdicts) == (alone.looks, alone.verdicts)
        assert plan_of(each) == plan_of(alone)
    assert set(sum(made, Counter()).values()) == {1}
