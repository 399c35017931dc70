"""Shifts of log probabilities: numbers by hand, the exact distribution of rank sums, and its rate of false alarms."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pandas as pd
import pytest

from analysis.noise.logprob_shift import LogprobShift, judge_shift, logprob_shift
from analysis.observations.table import TableError


def run_of(**prompts: dict[str, float]) -> pd.DataFrame:
    rows = [(prompt, token, value) for prompt, tokens in prompts.items() for token, value in tokens.items()]
    return pd.DataFrame(rows, columns=["prompt", "token", "logprob"])


def shifts(*by_prompt: float) -> LogprobShift:
    """A shift with these means per prompt."""
    prompts = tuple(f"p{i}" for i in range(len(by_prompt)))
    return LogprobShift(prompts, len(prompts), max(by_prompt), float(np.mean(by_prompt)), 0, 0.0, by_prompt)


def test_numbers_worked_out_by_hand() -> None:
    """p: shared a and b, shifts .2 and .4, and b overtakes a; q: shared c, shift .1."""
    a = run_of(p={"a": -0.7, "b": -0.8, "gone": -3.0}, q={"c": -1.0}, only={"a": -1.0})
    b = run_of(p={"a": -0.9, "b": -0.4, "new": -3.0}, q={"c": -1.1})
    found = logprob_shift(a, b)
    assert found.prompts == ("p", "q")
    assert found.tokens == 3
    assert found.largest == pytest.approx(0.4)
    assert found.by_prompt == pytest.approx((0.3, 0.1))
    assert found.mean == pytest.approx(0.2)
    assert found.argmax_changed == 1
    assert found.rank_changed == pytest.approx(2 / 3)
    same = logprob_shift(a, a)
    assert (same.largest, same.argmax_changed, same.rank_changed) == (0, 0, 0)
    back = logprob_shift(b, a)
    assert (back.mean, back.largest, back.argmax_changed) == (found.mean, found.largest, found.argmax_changed)


def test_runs_that_cannot_be_compared() -> None:
    with pytest.raises(TableError, match="no prompt in common"):
        logprob_shift(run_of(p={"a": -1.0}), run_of(q={"a": -1.0}))
    twice = pd.concat([run_of(p={"a": -1.0})] * 2)
    with pytest.raises(TableError, match="'a' is listed twice for 'p'"):
        logprob_shift(twice, twice)
    apart = logprob_shift(run_of(p={"a": -1.0}), run_of(p={"b": -1.0}))
    assert math.isnan(apart.mean)
    assert apart.argmax_changed == 1


def test_p_is_that_of_all_arrangements() -> None:
    """Against an enumeration of the column that is the hosts', prompt by prompt."""
    between, own = shifts(0.5, 0.2, 0.4), [shifts(0.1, 0.3, 0.2), shifts(0.3, 0.2, 0.1)]
    ranks = [(3, 1, 2), (1.5, 3, 1.5), (3, 2, 1)]
    sums = [sum(each) for each in itertools.product(*ranks)]
    found = judge_shift(between, own)
    assert found.p_value == pytest.approx(np.mean(np.array(sums) >= 3 + 1.5 + 3))
    assert found.least_p == pytest.approx(1 / 27)
    assert found.numerics == "within own shifts"


def test_the_four_verdicts() -> None:
    own = [shifts(*[0.1] * 6), shifts(*[0.2] * 6)]
    assert judge_shift(shifts(*[0.0] * 6), own, [shifts(*[0.0] * 6)]).numerics == "same numbers"
    assert judge_shift(shifts(*[0.1] * 6), own, [shifts(*[0.0] * 6)]).numerics == "within own shifts"
    beyond = judge_shift(shifts(*[0.3] * 6), own)
    assert (beyond.numerics, beyond.p_value) == ("beyond own shifts", pytest.approx(3**-6))
    few = judge_shift(shifts(9.0, 9.0), own)
    assert (few.numerics, few.least_p) == ("not decided", pytest.approx(1 / 9))
    none = judge_shift(shifts(*[9.0] * 6), [])
    assert none.numerics == "not decided"
    assert math.isnan(none.p_value)
    assert all(each.sentence.endswith((".",)) for each in (beyond, few, none))


def test_false_alarms_by_simulation() -> None:
    """Shifts of hosts that differ by nothing but rounding, on prompts of very unequal sensitivity."""
    rng = np.random.default_rng(5)
    alarms = 0
    for _ in range(200):
        size = rng.lognormal(0, 1, size=6)
        between, *own = (shifts(*np.abs(size * rng.normal(size=6))) for _ in range(4))
        alarms += judge_shift(between, own).numerics == "beyond own shifts"
    assert alarms / 200 <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / 200)
