"""Arms that did not run at the same time, on a host that drifts."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from analysis import judge_one
from analysis.comparison.compare import compare
from analysis.comparison.pair import pair
from analysis.noise.drift import drift_between
from analysis.observations.table import summarize


def table(rng, *, drift, in_turn=False, gain=0.0, cases=6, seeds=10):
    """Return two arms whose scores rise steadily over the run; `in_turn` alternates the arms."""
    arm, case, seed = np.indices((2, cases, seeds)).reshape(3, -1)
    order = (seed * cases + case) * 2 + arm if in_turn else (arm * seeds + seed) * cases + case
    level = rng.uniform(0.35, 0.6, cases)[case] + gain * arm + 0.08 * rng.standard_normal(len(arm))
    scores = (level + drift * order / order.max()).clip(0, 1)
    names = np.array(["b", "f"])[arm]
    return pd.DataFrame({"configuration": names, "case": case, "seed": seed, "score": scores, "order": order})


def test_a_drift_is_no_gain():
    found = [judge_one(table(np.random.default_rng(k), drift=0.2), baseline="b") for k in range(40)]
    assert sum(each.p_value <= 0.05 for each in found) > 35
    assert sum(each.outcome in ("better", "worse") for each in found) <= 4
    held = next(each for each in found if each.withheld == "drift")
    assert "because they did not run at the same time and scores drift" in held.sentence
    assert f"adjusted to equal times the difference would be {held.effect_without_drift:+.3f}." in held.sentence
    assert "in turn, seed by seed" in held.advice
    assert any(note.startswith("The arms did not run at the same time, and scores drift") for note in held.notes)
    dropped = [
        judge_one(table(np.random.default_rng(k), drift=0.2).drop(columns="order"), baseline="b") for k in (0, 1)
    ]
    assert all(each.outcome == "better" for each in dropped)  # nobody can know


def test_arms_that_take_turns_are_judged_as_ever():
    made = table(np.random.default_rng(1), drift=0.2, in_turn=True, gain=0.1)
    verdict = judge_one(made, baseline="b")
    assert verdict == judge_one(made.drop(columns="order"), baseline="b")


def test_a_large_gain_stands_beside_a_drift():
    made = table(np.random.default_rng(2), drift=0.1, gain=0.25)
    verdict = judge_one(made, baseline="b")
    assert (verdict.outcome, verdict.withheld) == ("better", "")
    assert verdict.effect_without_drift == pytest.approx(0.25, abs=0.1)


def test_a_drift_against_the_gain_takes_nothing_away():
    found = [judge_one(table(np.random.default_rng(k), drift=-0.05, gain=0.15), baseline="b") for k in range(10)]
    assert all(each.outcome == "better" for each in found)
    assert any("Scores show no drift towards it" in " ".join(each.notes) for each in found)


def test_it_is_least_squares_with_a_common_slope():
    """The adjusted effect and its error are those of a regression on cells' means, time and arm."""
    made = table(np.random.default_rng(3), drift=0.2, cases=3, seeds=6).sample(frac=1, random_state=0)
    two = pair(summarize(made), 0, 1)
    drift, estimate = drift_between(made, two), compare(two).estimate
    cells = pd.get_dummies(made["configuration"] + made["case"].astype(str)).to_numpy(float)
    design = np.column_stack([cells, made["order"].rank()])
    fitted, rest, *_ = np.linalg.lstsq(design, made["score"], rcond=None)
    mean = made.assign(rank=made["order"].rank()).groupby("configuration")["rank"].mean()
    assert drift.shift == pytest.approx(fitted[-1] * (mean["f"] - mean["b"]))
    variance = float(rest[0]) / drift.dof * np.linalg.inv(design.T @ design)[-1, -1]
    assert drift.error == pytest.approx(np.sqrt(variance) * (mean["f"] - mean["b"]))
    assert drift.adjusted(estimate).effect == pytest.approx(estimate.effect - drift.shift)


def test_an_order_that_is_none_is_left_alone():
    made = table(np.random.default_rng(4), drift=0.0)
    assert drift_between(made.assign(order=None), pair(summarize(made), 0, 1)) is None
    assert judge_one(made.assign(order=1), baseline="b").outcome == judge_one(made, baseline="b").outcome
