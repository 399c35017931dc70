"""A budget in minutes: what is planned with it, and when the exploration ends for it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from objectives import Case, load_cases
from sweeps.config import load_config
from sweeps.engines.base import Generation, OptionValue, Prompt
from sweeps.engines.scripted import ScriptedEngine
from sweeps.estimate import Pace, watched
from sweeps.plan import Plan
from sweeps.reading import load_result
from sweeps.timekeeping import Timekeeper
from tests.sweeps.sweep_files import run, steady, write_cases, write_sweep
from tests.sweeps.test_study import Listener


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


@pytest.mark.parametrize("cases", [3, 24])
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
    assert 0.7 * engine.total < stopped.record.record["spent"] < engine.total  # which has the check too
    later = Clocked(loaded, noise=0.1)
    later.slower = 2.0
    result = run(path, engine=later)
    assert len(stopped.proposals) < len(result.proposals) < 0.7 * result.plan.trials
    assert (engine.total + later.total) / 60 < 1.15 * 4


def test_how_many_trials_are_left_by_hand(tmp_path: Path) -> None:
    config = load_config(write_sweep(tmp_path, search={"batch": 4}, budget={"minutes": 10.0}))
    plan = Plan(cases=3, floor_seeds=4, seeds=2, trials=40, confirm_seeds=5)
    _, watcher = watched(ScriptedEngine())
    keeper = Timekeeper(config, plan, Pace(1.0, 2.0, 4.0), 10.0, [watcher])
    rows = [{"stage": "floor", "seconds": 1.0}, {"stage": "explore", "seconds": 1.5}]
    # Floor: a load of 4, twice three prompts of 2, 12 generations of 1: 28. Eight trials in two batches: 6 prompts of 2
    # and 48 generations of 1.5: 84. They have taken half as much again as these 112: 168. The confirmation: 3 prompts
    # of 2 and 30 generations of 1.5, 51, and with that half 76.5. So 600 - 168 - 76.5 = 355.5 are left, and a trial
    # takes 84 / 8 x 1.5 = 15.75.
    watcher.seconds = 168.0
    assert keeper.trials_left(8, rows) == 22
    watcher.seconds = 600.0
    assert keeper.trials_left(8, rows) == 0
    # A slower baseline than trials: (1.5 + 1) / 2 seconds for each generation of the confirmation.
    slow = [{"stage": "floor", "seconds": 1.5}, {"stage": "explore", "seconds": 1.0}]
    watcher.seconds = 34.0 + 60.0  # as expected, so that 600 - 94 - (6 + 37.5) = 462.5 are left for trials of 7.5
    assert keeper.trials_left(8, slow) == 61
