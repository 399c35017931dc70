"""What the sampler remembers of trials and of results."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from optuna.distributions import FloatDistribution
from optuna.trial import FrozenTrial, TrialState, create_trial

from sweeps.samplers.remembered import Remembered
from sweeps.samplers.trial_memory import OfTrials


def trial(number: int, state: TrialState = TrialState.COMPLETE) -> FrozenTrial:
    value = 0.0 if state == TrialState.COMPLETE else None
    made = create_trial(
        state=state, value=value, params={"x": number / 10}, distributions={"x": FloatDistribution(0, 1)}
    )
    made._trial_id = number
    return made


def test_a_finished_trial_is_worked_out_once_and_a_running_one_each_time() -> None:
    asked: list[list[int]] = []

    def make(trials: Sequence[FrozenTrial]) -> list[float]:
        asked.append([each._trial_id for each in trials])
        return [float(each.params["x"]) for each in trials]

    values = OfTrials(make)
    trials = [trial(3), trial(1, TrialState.RUNNING), trial(2)]
    assert values(trials) == values(trials) == [0.3, 0.1, 0.2]
    assert values([trial(2), trials[0]]) == [0.2, 0.3]
    assert asked == [[3, 1, 2], [1], [2]]  # another object of the same number is another trial


def test_the_last_results_are_remembered_by_their_arguments() -> None:
    made: list[str] = []

    def made_as(name: str) -> str:
        made.append(name)
        return name

    known: Remembered[str] = Remembered(2)
    flat, square = np.arange(4.0), np.arange(4.0).reshape(2, 2)
    assert [known.get([each], lambda: made_as("a")) for each in (flat, flat.copy())] == ["a", "a"]
    assert known.get([square], lambda: made_as("b")) == "b"
    assert known.get([flat], lambda: made_as("again")) == "a"
    known.get([flat + 1], lambda: made_as("c"))  # makes room: the square was used longest ago
    known.get([square], lambda: made_as("b"))
    assert made == ["a", "b", "c", "b"]
