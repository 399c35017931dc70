"""A difference that one case decides is named with the effect without it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from analysis import judge_one


def table(gains, *, seeds=10, sd=0.04):
    """Return two arms whose cases differ by exactly these gains, with noise that adds up to nothing."""
    noise = np.random.default_rng(1).normal(0, sd, (2, len(gains), seeds))
    noise -= noise.mean(axis=2, keepdims=True)
    scores = 0.3 + noise + np.array([np.zeros(len(gains)), gains])[:, :, None]
    arm, case, seed = np.indices(scores.shape).reshape(3, -1)
    names = np.array(["b", "f"])[arm]
    return pd.DataFrame({"configuration": names, "case": case, "seed": seed, "score": scores.ravel()})


@pytest.mark.parametrize("sign", [1, -1])
def test_five_of_six_cases_against_one(sign):
    frame = table([0.6, -0.02, -0.02, -0.02, -0.02, -0.02])
    if sign < 0:
        frame["configuration"] = frame["configuration"].map({"b": "f", "f": "b"})
    verdict = judge_one(frame, baseline="b")
    assert verdict.outcome == ("better" if sign > 0 else "worse")
    assert (verdict.decided_by, verdict.gaining, verdict.losing) == ("0", *((1, 5) if sign > 0 else (5, 1)))
    assert verdict.effect_without == pytest.approx(-0.02 * sign)
    counts = "1 case gains, 5 lose" if sign > 0 else "5 cases gain, 1 loses"
    without = f"without 0 the difference would be {-0.02 * sign:+.3f} instead of {sign / 12:+.3f}"
    assert f"One case decides: {without}. {counts}." in verdict.cautions
    assert verdict.cautions[-1] in verdict.notes
    assert "the case 0 alone decides" in verdict.advice
    assert "Enough evidence for these cases." not in verdict.advice


@pytest.mark.parametrize("gains", [[0.1] * 6, [0.3, 0.05, 0.05, 0.05, 0.05, 0.05], [0.2, 0.2], [0.0, 0.1, 0.2]])
def test_cases_that_share_a_gain_are_not_singled_out(gains):
    verdict = judge_one(table(gains), baseline="b")
    assert (verdict.outcome, verdict.decided_by, verdict.cautions) == ("better", "", ())
    assert verdict.effect_without == verdict.effect


def test_two_cases_against_four_are_said():
    verdict = judge_one(table([0.4, 0.4, -0.02, -0.02, -0.02, -0.02]), baseline="b")
    assert (verdict.outcome, verdict.decided_by) == ("better", "")
    assert "Most cases go the other way: 2 cases gain, 4 lose." in verdict.cautions


def test_nothing_is_said_where_nothing_is_claimed():
    verdict = judge_one(table([0.02, -0.01, 0.0], sd=0.1), baseline="b")
    assert (verdict.outcome, verdict.cautions) == ("not distinguishable", ())
