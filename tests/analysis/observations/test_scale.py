"""Scales of metrics: percent, grades, seconds."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pandas as pd
import pytest

from analysis import TableError, judge, rank
from analysis.observations.scale import Scale

SAME = ("outcome", "p_value", "p_raw", "p_equivalence", "dof", "test", "n_baseline", "gaining", "losing", "withheld")
SIZED = (
    "effect", "ci_low", "ci_high", "standard_error", "noise_sd", "mde", "effect_with_missing", "effect_with_failures",
    "equality_low", "equality_high",
)  # fmt: skip


def sample(seed=1, gain=0.1, cases=6, seeds=4, lost=0):
    rng = np.random.default_rng(seed)
    arm, case, draw = np.indices((2, cases, seeds)).reshape(3, -1)
    score = rng.uniform(0.3, 0.5, cases)[case] + gain * arm + rng.normal(0, 0.04, len(arm))
    table = pd.DataFrame({"configuration": np.array(["b", "f"])[arm], "case": case, "seed": draw, "score": score})
    return table.iloc[: len(table) - lost]


@pytest.mark.parametrize("options", [{}, {"gain": 0.0}, {"seeds": 2}, {"lost": 3}, {"gain": 0.001}])
@pytest.mark.parametrize("scale", [Scale(1, 5), Scale(0, 100), Scale(0, 1, True), Scale(0, 60, True), Scale(-1, 1)])
def test_a_verdict_does_not_depend_on_the_scale(options, scale):
    table = sample(**options)
    moved = table.assign(
        score=scale.high - table["score"] * scale.width
        if scale.lower_is_better
        else scale.low + table["score"] * scale.width
    )
    (plain,) = judge(table, baseline="b", margin=0.05)
    (found,) = judge(
        moved, baseline="b", margin=0.05 * scale.width, range=(scale.low, scale.high),
        lower_is_better=scale.lower_is_better,
    )  # fmt: skip
    for name in SAME:
        expected = getattr(plain, name)
        assert getattr(found, name) == (
            pytest.approx(expected, rel=1e-6, nan_ok=True) if isinstance(expected, float) else expected
        )
    for name in SIZED:
        expected = getattr(plain, name) * scale.width
        assert getattr(found, name) == pytest.approx(expected, rel=1e-6, abs=1e-9, nan_ok=True)
    means = moved.groupby("configuration")["score"].mean()
    if not options.get("lost"):
        assert found.baseline_mean == pytest.approx(means["b"])
        assert found.finalist_mean == pytest.approx(means["f"])


def test_seconds_are_better_where_they_are_fewer():
    table = sample(gain=0.2)
    table["score"] *= 30
    (verdict,) = judge(table, baseline="b", range=(0, 60), lower_is_better=True)
    assert verdict.outcome == "worse"
    assert verdict.effect < 0
    assert "(less is better), a loss of " in verdict.sentence
    found = rank(table, range=(0, 60), lower_is_better=True)
    assert list(found["configuration"]) == ["b", "f"]
    assert found["mean"].is_monotonic_increasing


def test_failures_count_as_the_worst_end():
    table = sample(gain=0.3, seeds=6)
    table["score"] = 100 * table["score"]
    table.loc[table.index[-2:], "score"] = math.nan
    (verdict,) = judge(table, baseline="b", range=(0, 100))
    assert any("With 0 for rows without a score" in note for note in verdict.notes)
    (verdict,) = judge(table.assign(score=100 - table["score"]), baseline="b", range=(0, 100), lower_is_better=True)
    assert any("With 100 for rows without a score" in note for note in verdict.notes)


def test_large_numbers_have_few_decimals():
    table = sample(gain=0.3)
    table["score"] *= 1000
    (verdict,) = judge(table, baseline="b", range=(0, 1000))
    gain = verdict.sentence.split("a gain of ")[1].split(" ")[0]
    assert gain == f"{verdict.effect:.0f}"


def test_a_score_beyond_the_ends_is_refused():
    with pytest.raises(TableError, match=r"score outside 0 to 1 in rows .*--range LOW,HIGH"):
        judge(sample().assign(score=37.0), baseline="b")
    with pytest.raises(TableError, match="score outside 1 to 5 in rows"):
        judge(sample(), baseline="b", range=(1, 5))


@pytest.mark.parametrize("ends", [(1, 1), (5, 1), (0, math.inf), (math.nan, 1)])
def test_ends_in_the_wrong_order_are_refused(ends):
    with pytest.raises(ValueError, match="low end below its high end"):
        Scale(*ends)


def test_a_margin_beyond_the_scale_is_refused():
    with pytest.raises(ValueError, match="margin must lie above 0 and at most at 4, not 5"):
        judge(sample(), baseline="b", range=(1, 5), margin=5)


def test_the_scale_stands_in_the_record():
    (verdict,) = judge(sample(), baseline="b")
    assert verdict.as_dict()["scale"] == dataclasses.asdict(Scale())


def test_intervals_end_with_the_scale():
    below, above = Scale(0, 10).reach(np.array([1.0, 9.5, 5.0, -1.0, math.nan]), np.full(5, 2.0), np.full(5, 3.0))
    assert below[:4].tolist() == [1.0, 2.0, 2.0, 0.0]
    assert above[:4].tolist() == [3.0, 0.5, 3.0, 3.0]
    assert np.isnan([below[4], above[4]]).all()
