"""Equality of several configurations: they share alpha evenly, whatever is shown of the others."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from analysis import judge, judge_one

MARGIN = 0.05


def table(*gains, seed=0, noise=0.1):
    """6 cases x 20 seeds of a baseline and of configurations with these true gains."""
    rng = np.random.default_rng(seed)
    shape = (1 + len(gains), 6, 20)
    scores = rng.normal(0.5, noise, shape) + np.array([0.0, *gains])[:, None, None]
    index = np.indices(shape).reshape(3, -1)
    labels = np.array(["base", *(f"c{n}" for n in range(len(gains)))])
    columns = {"configuration": labels[index[0]], "case": index[1], "seed": index[2] + 100 * index[0]}
    return pd.DataFrame(columns | {"score": np.clip(scores.ravel(), 0, 1)})


def test_a_loss_shown_of_another_configuration_makes_equality_no_easier():
    """With p of .035 a configuration is equal alone, not beside a second: each of two has .025, Holm's would be .05."""
    both = table(0.0, -0.3)
    kept = both[both["configuration"] != "c1"]
    alone = judge_one(kept, baseline="base", margin=MARGIN)
    # a one-sided p of .035: the margin is so many standard errors beyond the effect
    margin = abs(alone.effect) + stats.t.ppf(1 - 0.035, alone.dof) * alone.standard_error
    one, (first, second) = (
        judge_one(kept, baseline="base", margin=margin),
        judge(both, baseline="base", margin=margin),
    )

    assert one.p_equivalence == pytest.approx(0.035)
    assert (one.outcome, one.equality_level) == ("equivalent", pytest.approx(0.9))
    assert (first.outcome, second.outcome) == ("not distinguishable", "worse")
    assert first.equality_level == pytest.approx(0.95)
    assert first.level == pytest.approx(0.95)  # of a difference: Holm's method, after the other was shown worse


@pytest.mark.slow
@pytest.mark.parametrize("gain", [MARGIN, -MARGIN])
def test_of_several_as_far_as_the_margin_hardly_any_is_called_equal(gain):
    """With Holm's levels some of five was equal in .08 to .11 of such tables."""
    equal = [
        any(each.outcome == "equivalent" for each in judge(table(*[gain] * 5, seed=n, noise=0.12), baseline="base",
                                                           margin=MARGIN))
        for n in range(200)
    ]  # fmt: skip
    assert np.mean(equal) <= 0.05 + 2 * math.sqrt(0.05 * 0.95 / 200)
