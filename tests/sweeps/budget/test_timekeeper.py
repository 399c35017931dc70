"""A budget in minutes: its plan, and the end of the exploration."""

from __future__ import annotations

import dataclasses
import os
import signal
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from objectives import Case, load_cases
from sweeps.budget.allocation import MAX_TRIALS
from sweeps.budget.pace import Pace
from sweeps.budget.plan import Plan
from sweeps.budget.timekeeper import Timekeeper, seconds_before
from sweeps.config.file import load_config
from sweeps.engines.base import Generation, Prompt, Timing
from sweeps.engines.scripted.engine import ScriptedEngine
from sweeps.hosts.timed_engine import timed
from sweeps.ledger.ledger import Ledger
from sweeps.ledger.records import Key, Place
from sweeps.ledger.study_record import StudyRecord
from sweeps.options import OptionValue
from sweeps.results.reader import load_result
from sweeps.search.explorer import Explorer
from sweeps.study.exploration import Exploration
from tests.marks import long
from tests.sweeps.scripted_sweeps import Listener
from tests.sweeps.sweep_files import run, steady, write_cases, write_sweep


class Clocked(ScriptedEngine):
    """Adds up what its answers say they took, and stops at a request if told to."""

    total = 0.0
    stop_at = -1
    slower = 1.0

    def generate(
        self, prompt: Prompt, options: Mapping[str, OptionValue], *, model: str, timeout: float | None = None
    ) -> Generation:
        if len(self.requests) == self.stop_at:
            raise KeyboardInterrupt
        made = super().generate(prompt, options, model=model, timeout=timeout)
        if options["seed"] not in range(7, 11):  # the floor's seeds
            slow = dataclasses.replace(made.timing, total=made.timing.total * self.slower)
            made = dataclasses.replace(made, timing=slow)
        self.total += made.timing.total
        return made


def long_prompts(folder: Path, cases: int, minutes: float, **changes: Any) -> tuple[Path, list[Case]]:
    """A sweep whose prompts take longer to read than its answers to write."""
    settings: dict[str, Any] = {"search": {"sampler": "random"}, "confirm": {"looks": 1}} | changes
    path = write_sweep(folder, cases=cases, budget={"generations": None, "minutes": minutes}, **settings)
    return path, load_cases(write_cases(folder / "cases", cases, words=700))


@pytest.mark.slow
@pytest.mark.parametrize("cases", [long(3), 24])
def test_minutes_hold_loads_and_prompts_too(tmp_path: Path, cases: int) -> None:
    path, loaded = long_prompts(tmp_path, cases, 8.0)
    engine = Clocked(loaded, noise=0.1)
    result = run(path, engine=engine)
    assert result.verdict is not None
    assert 0.8 * 8 < engine.total / 60 < 1.1 * 8
    assert len(result.stage("confirm")) == result.plan.confirm


def test_an_exploration_that_is_slower_than_planned_ends_in_time_for_the_confirmation(tmp_path: Path) -> None:
    path, loaded = long_prompts(tmp_path, 3, 4.0)
    listener, engine = Listener(), Clocked(loaded, noise=0.1)
    engine.slower = 2.0
    result = run(path, engine=engine, progress=listener)
    made = len(result.proposals)
    assert 4 <= made < 0.7 * result.plan.trials
    assert len(result.stage("confirm")) == result.plan.confirm
    assert engine.total / 60 < 1.1 * 4
    told = [text for text, warning in listener.notes if warning and "budget.minutes" in text]
    assert len(told) == 1
    assert f"the exploration ends after {made} of {result.plan.trials} trials" in told[0]
    assert listener.planned == tuple(len(result.stage(stage)) for stage in ("floor", "explore", "confirm"))
    again = run(path, engine=Clocked(loaded, noise=0.1))
    assert again.plan == result.plan  # another pace does not change a stored plan, nor what was explored with it
    assert steady(again.observations) == steady(result.observations)


def test_the_fewest_trials_and_the_whole_confirmation_are_made_however_slow_it_is(tmp_path: Path) -> None:
    path, loaded = long_prompts(tmp_path, 3, 4.0, search={"sampler": "random", "batch": 1})
    engine = Clocked(loaded, noise=0.1)
    engine.slower = 100.0
    result = run(path, engine=engine)
    assert len(result.proposals) == 4
    assert len(result.stage("confirm")) == result.plan.confirm


def test_the_time_of_a_run_that_was_stopped_counts(tmp_path: Path) -> None:
    path, loaded = long_prompts(tmp_path, 3, 4.0)
    engine = Clocked(loaded, noise=0.1)
    engine.slower, engine.stop_at = 2.0, 70
    with pytest.raises(KeyboardInterrupt):
        run(path, engine=engine)
    stopped = load_result(tmp_path / "mlruns", "t")
    assert 0.7 * engine.total < stopped.stored.record.spent < engine.total  # which has the check too
    later = Clocked(loaded, noise=0.1)
    later.slower = 2.0
    result = run(path, engine=later)
    assert len(stopped.proposals) < len(result.proposals) < 0.7 * result.plan.trials
    assert (engine.total + later.total) / 60 < 1.15 * 4


def killed(path: Path, prepare: Callable[[], object]) -> None:
    """Run a sweep in a process that kills itself where `prepare` makes it do so."""
    child = os.fork()
    if not child:
        try:
            prepare()
            run(path)
        finally:
            os._exit(1)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status)


def die(*_: object, **__: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork, to spare each killed process the imports")
def test_the_time_of_runs_that_were_killed_is_reckoned_from_the_ledger(tmp_path: Path) -> None:
    path = write_sweep(tmp_path, search={"sampler": "random"}, budget={"generations": None, "minutes": 1.0})
    killed(path, lambda: setattr(Explorer, "tell_baseline", die))  # the floor is made, nothing is proposed
    killed(path, lambda: setattr(Exploration, "_report", die))  # the requests of the first batch are made
    with closing(Ledger(tmp_path / "mlruns" / "ledger.db")) as ledger:
        stored = ledger.studies.get("t")
        assert stored is not None
        rows = ledger.observations.of_study("t")
        made = sum(row["seconds"] for row in rows)
        assert {row["stage"] for row in rows} == {"floor", "explore"}
        assert made <= seconds_before(stored.record, ledger, "t") < 1.5 * made  # which has the warm-ups of the floor
    result = run(path)
    assert result.status == "done"
    assert result.stored.record.spent > result.observations["seconds"].sum()
    assert len(result.stage("confirm")) > 0


def test_the_time_of_earlier_runs_by_hand(tmp_path: Path) -> None:
    with closing(Ledger(tmp_path / "ledger.db")) as ledger:
        assert ledger.generations.newest() == 0
        for seed, (host, seconds) in enumerate([("a", 1.0), ("a", 2.0), ("b", 2.5), ("a", 4.0), ("b", 8.0)]):
            key = Key("f", "m", Prompt("p"), {}, seed)
            entry = ledger.generations.add(key, Generation("text", "stop", None, None, Timing(seconds)), model="m")
            assert entry.id == ledger.generations.newest() == seed + 1
            study = "other" if seed == 4 else "t"
            ledger.observations.add(study, Place("floor", -1, host, "c", seed), configuration="k", generation=entry.id)
        ledger.observations.add("t", Place("floor", -1, "b", "c", 9), configuration="k", generation=None, error="lost")
        assert ledger.generations.seconds_after("t", 1) == {"a": 6.0, "b": 2.5}
        # Hosts work at the same time: the busiest one's count. What came from the ledger cost nothing.
        assert seconds_before(StudyRecord.from_json({"began": 0}), ledger, "t") == 7.0
        assert seconds_before(StudyRecord.from_json({"began": 1}), ledger, "t") == 6.0
        assert seconds_before(StudyRecord.from_json({"began": 1, "spent": 5.0, "spent_until": 3}), ledger, "t") == 9.0
        assert seconds_before(StudyRecord.from_json({"began": 1, "spent": 5.0, "spent_until": 5}), ledger, "t") == 5.0
        # Studies of earlier versions.
        assert seconds_before(StudyRecord.from_json({"spent": 5.0}), ledger, "t") == 5.0
        assert seconds_before(StudyRecord.from_json({}), ledger, "t") == 7.0


def test_generations_from_the_ledger_took_no_time(tmp_path: Path) -> None:
    config = load_config(write_sweep(tmp_path, search={"batch": 4}, budget={"minutes": 10.0}))
    plan = Plan(cases=3, floor_seeds=4, seeds=2, trials=40, confirm_seeds=5)
    _, watcher = timed(ScriptedEngine())
    keeper = Timekeeper(config, plan, Pace(1.0, 2.0, 4.0), 10.0, [watcher], began=100)
    floor = [{"stage": "floor", "seconds": 1.0, "generation": number} for number in range(1, 13)]
    explored = [{"stage": "explore", "seconds": 1.5, "generation": number} for number in (98, 99, 100, 101)]
    # As below, floor and trials were expected to take 28 and 84. The study has made nothing of the floor and a quarter
    # of the trials itself: 21 seconds, which took 42, twice as long. The confirmation: 51 seconds, so 102, and a trial
    # 84 / 8 x 2 = 21. So 600 - 42 - 102 = 456 are left for trials of 21.
    watcher.busy.add(42.0 - watcher.seconds)
    assert keeper.trials_left(8, [*floor, *explored]) == 21
    # Requests without an answer took time as well; a third of the trials' were paid for: 28, which took as long.
    failed = [explored[0], {"stage": "explore", "seconds": float("nan"), "generation": None}, explored[1]]
    watcher.busy.add(28.0 - watcher.seconds)
    assert keeper.trials_left(8, [*floor, *failed]) == (600 - 28 - 51) * 8 // 84
    # Where all came from the ledger, things are expected to take what they took.
    watcher.busy.add(0.0 - watcher.seconds)
    assert keeper.trials_left(8, [*floor, *explored[:3]]) == (600 - 51) * 8 // 84
    # An engine that tells no times is not held to any.
    timeless = dataclasses.replace(keeper, pace=Pace(0.0, 0.0, 0.0))
    assert timeless.trials_left(8, []) == MAX_TRIALS


def test_how_many_trials_are_left_by_hand(tmp_path: Path) -> None:
    config = load_config(write_sweep(tmp_path, search={"batch": 4}, budget={"minutes": 10.0}))
    plan = Plan(cases=3, floor_seeds=4, seeds=2, trials=40, confirm_seeds=5)
    _, watcher = timed(ScriptedEngine())
    keeper = Timekeeper(config, plan, Pace(1.0, 2.0, 4.0), 10.0, [watcher])
    rows = [{"stage": "floor", "seconds": 1.0}, {"stage": "explore", "seconds": 1.5}]
    # Floor: a load of 4, twice three prompts of 2, 12 generations of 1: 28. Eight trials in two batches: 6 prompts of 2
    # and 48 generations of 1.5: 84. They have taken half as much again as these 112: 168. The confirmation: 3 prompts
    # of 2 and 30 generations of 1.5, 51, and with that half 76.5. So 600 - 168 - 76.5 = 355.5 are left, and a trial
    # takes 84 / 8 x 1.5 = 15.75.
    watcher.busy.add(168.0 - watcher.seconds)
    assert keeper.trials_left(8, rows) == 22
    watcher.busy.add(600.0 - watcher.seconds)
    assert keeper.trials_left(8, rows) == 0
    # A slower baseline than trials: (1.5 + 1) / 2 seconds for each generation of the confirmation.
    slow = [{"stage": "floor", "seconds": 1.5}, {"stage": "explore", "seconds": 1.0}]
    watcher.busy.add(34.0 + 60.0 - watcher.seconds)  # as expected, so that 600 - 94 - (6 + 37.5) = 462.5 are left
    assert keeper.trials_left(8, slow) == 61
