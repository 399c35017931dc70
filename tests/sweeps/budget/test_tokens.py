"""A budget in tokens: its plan, and the end of the exploration."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from objectives import load_cases
from sweeps.budget.allocation import MAX_TRIALS, make_plan
from sweeps.budget.plan import Plan
from sweeps.budget.tokens import TokenBudget, tokens_of
from sweeps.config.tables import BudgetTable
from sweeps.engines.base import Generation, Prompt
from sweeps.engines.scripted.engine import ScriptedEngine
from sweeps.errors import ConfigError
from sweeps.options import OptionValue
from sweeps.results.result import SweepResult
from tests.sweeps.scripted_sweeps import Listener
from tests.sweeps.sweep_files import run, steady, write_sweep


def row(stage: str, trial: int, tokens: float | None, score: float = 0.5) -> dict[str, Any]:
    return {"stage": stage, "trial": trial, "output_tokens": tokens, "score": score}


def test_a_plan_of_tokens_is_that_of_the_generations_that_they_pay_for() -> None:
    by_tokens = BudgetTable(tokens=24_050)
    assert make_plan(by_tokens, cases=6, tokens_each=100.0) == make_plan(BudgetTable(generations=240), cases=6)
    both = BudgetTable(tokens=24_050, generations=120)
    assert make_plan(both, cases=6, tokens_each=100.0) == make_plan(BudgetTable(generations=120), cases=6)
    three = BudgetTable(tokens=24_050, generations=200, minutes=2.0)
    timed = make_plan(three, cases=6, tokens_each=100.0, seconds_of=lambda plan: float(plan.total))
    assert timed == make_plan(BudgetTable(generations=120), cases=6)


def test_tokens_that_are_too_few_are_refused_with_the_number_that_is_enough() -> None:
    needed = r"budget.tokens: 5000 is too small for 6 cases: .* it needs 84 generations, about 10500 tokens\. Raise it"
    with pytest.raises(ConfigError, match=needed):
        make_plan(BudgetTable(tokens=5000), cases=6, tokens_each=125.0)
    with pytest.raises(ConfigError, match=r"budget\.tokens: needs the measured tokens"):
        make_plan(BudgetTable(tokens=5000), cases=6)


def test_trials_leave_the_tokens_of_the_confirmation() -> None:
    """Worked out by hand: confirmation of 10 baseline's answers of 50 tokens and 10 of the finalist's 200."""
    budget = TokenBudget(Plan(cases=2, floor_seeds=1, seeds=1, trials=8, confirm_seeds=5), tokens=4000, each=50.0)
    rows = [row("floor", -1, 50), row("floor", -1, 50)]
    for trial, (tokens, score) in enumerate([(100, 0.3), (200, 0.9), (60, 0.2), (40, 0.1)]):
        rows += [row("explore", trial, tokens, score)] * 2
    # 4000 - 100 (floor) - 800 (trials) - 2500 leaves 600, and a trial takes 200
    assert budget.trials_left(4, rows) == 3
    long_but_poor = [{**r, "score": 0.05} if r["trial"] == 1 else r for r in rows]
    # the best trial writes 100 now, so that the finalist is expected to write as the mean of 100
    assert budget.trials_left(4, long_but_poor) == (4000 - 900 - 1500) // 200


def test_answers_without_a_count_cost_nothing_that_is_known() -> None:
    budget = TokenBudget(Plan(cases=2, floor_seeds=1, seeds=1, trials=8, confirm_seeds=5), tokens=4000, each=50.0)
    rows = [row("explore", 0, None, math.nan), row("explore", 0, math.nan, math.nan)]
    assert (tokens_of(rows), budget.trials_left(1, rows)) == (0, MAX_TRIALS)


class Wordy(ScriptedEngine):
    """The baseline's answers have 20 tokens, other ones more; stops at a request if told to."""

    more = 20
    stop_at = -1

    def generate(
        self, prompt: Prompt, options: Mapping[str, OptionValue], *, model: str, timeout: float | None = None
    ) -> Generation:
        if len(self.requests) == self.stop_at:
            raise KeyboardInterrupt
        made = super().generate(prompt, options, model=model, timeout=timeout)
        return dataclasses.replace(made, output_tokens=20 if options["temperature"] == 1.2 else self.more)


def swept(folder: Path, *, more: int = 20, stop_at: int = -1, listener: Listener | None = None) -> SweepResult:
    folder.mkdir(exist_ok=True)
    settings: dict[str, Any] = {"search": {"sampler": "random"}, "confirm": {"looks": 1}}
    path = write_sweep(folder, budget={"generations": None, "tokens": 2400}, **settings)
    engine = Wordy(load_cases(folder / "cases"))
    engine.more, engine.stop_at = more, stop_at
    return run(path, engine=engine, progress=listener)


def test_a_sweep_keeps_to_its_tokens(tmp_path: Path) -> None:
    as_planned = swept(tmp_path / "planned")
    assert as_planned.plan.as_dict() | {"look_seeds": ()} == make_plan(BudgetTable(generations=120), cases=3).as_dict()
    assert 2400 - 6 * 20 <= tokens_of(as_planned.rows) <= 2400
    listener = Listener()
    wordy = swept(tmp_path / "wordy", more=30, listener=listener)
    assert len(wordy.proposals) < wordy.plan.trials == as_planned.plan.trials
    assert len(wordy.stage("confirm")) == wordy.plan.confirm
    assert tokens_of(wordy.rows) <= 2400
    assert any(note.startswith("budget.tokens 2400: answers are longer") for note, warning in listener.notes if warning)
    with pytest.raises(KeyboardInterrupt):
        swept(tmp_path / "stopped", more=30, stop_at=60)
    again = swept(tmp_path / "stopped", more=30)
    assert again.proposals == wordy.proposals
    assert steady(again.observations) == steady(wordy.observations)
