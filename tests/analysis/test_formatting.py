"""Numbers as they are written: digits enough, and no more than needed."""

from __future__ import annotations

import math
import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis import SequentialDesign, judge_one
from analysis.formatting import arms_text, cases_text, count_text, decimals, gain_text, level_text, p_text, source_text
from analysis.power.planning import plan


@pytest.mark.parametrize(
    ("level", "text"),
    [
        (0.95, "95%"),
        (0.975, "97.5%"),
        (1 - 0.05 / 3, "98.3%"),
        (1 - 0.05 / 8, "99.4%"),
        (0.999, "99.9%"),
        (1 - 0.05 / 199, "99.975%"),
        (0.9993, "99.93%"),
        (1 - 1e-6, "99.9999%"),
        (0.8, "80%"),
        (0.005, "0.5%"),
        (1.0, "100%"),
    ],
)
def test_levels(level, text):
    assert level_text(level) == text


@given(st.floats(1e-9, 0.9))
def test_no_level_below_one_is_called_a_hundred_percent(rest):
    told = float(level_text(1 - rest).rstrip("%"))
    assert told < 100
    assert 100 - told == pytest.approx(100 * rest, rel=0.34)  # three digits of 99.85% leave one of the rest


@pytest.mark.parametrize(
    ("values", "count"),
    [
        ((0.115, 0.046, 0.183), 3),
        ((0.001, -0.02, 0.022), 3),
        ((0.01,), 3),
        ((0.0, 0.0, 0.0), 3),
        ((-0.0041, -0.0061, -0.0021), 4),
        ((0.00022, 0.00018, 0.00027), 5),
        ((math.nan, math.inf, 0.5), 3),
        ((), 3),
        ((1e-300,), 12),
    ],
)
def test_decimals(values, count):
    assert decimals(*values) == count


def test_numbers_alone():
    assert [gain_text(each) for each in (0.05, 0.12, 0.0001, 1.0)] == ["0.050", "0.120", "0.00010", "1.000"]
    assert [gain_text(each) for each in (0.05, 0.0001, math.nan)] == ["0.050", "0.00010", "–"]
    assert [cases_text(each) for each in (1, 2)] == ["1 case", "2 cases"]


@pytest.mark.parametrize(
    ("p_value", "alpha", "text"),
    [
        (0.0501, 0.05, "p = 0.0501"),
        (0.0499, 0.05, "p = 0.050"),
        (0.01018, 0.01, "p = 0.0102"),
        (0.00998, 0.01, "p = 0.010"),
        (0.01018, 0.05, "p = 0.010"),
        (0.10055, 0.1, "p = 0.101"),
        (0.10055, 0.05, "p = 0.10"),
        (0.2004, 0.2, "p = 0.2004"),
        (0.0124, 0.0123, "p = 0.0124"),
        (0.0003, 0.05, "p < 0.001"),
        (0.0003, 0.0001, "p = 0.0003"),
    ],
)
def test_a_p_value_is_told_on_its_side_of_alpha(p_value, alpha, text):
    assert p_text(p_value, alpha) == text


def table(unit, gain, noise=1.0):
    rng = np.random.default_rng(1)
    rows = [
        (arm, case, seed, unit * (3 + gain * (arm == "new") + noise * rng.uniform(-1, 1)))
        for arm in ("base", "new")
        for case in range(3)
        for seed in range(8)
    ]
    return pd.DataFrame(rows, columns=["configuration", "case", "seed", "score"])


@pytest.mark.parametrize(("gain", "digits"), [(-1.5, 5), (0.05, 6), (1.5, 5)])
def test_the_sentence_of_a_small_metric_has_its_digits(gain, digits):
    small, large = (judge_one(table(unit, gain), baseline="base") for unit in (0.0001, 0.1))
    assert small.outcome == large.outcome
    assert f"it scores {small.finalist_mean:.{digits}f} against {small.baseline_mean:.{digits}f}, a" in small.sentence
    assert f" interval {small.ci_low:+.{digits}f} to {small.ci_high:+.{digits}f}, p" in small.sentence
    assert all(float(each) for each in re.findall(r"0\.0\d+", small.sentence))
    assert f" interval {large.ci_low:+.3f} to {large.ci_high:+.3f}, p" in large.sentence


def test_a_look_at_a_small_metric_has_digits():
    decision = SequentialDesign(2).decide(1, table(0.0001, 1.0), "base", "new")
    assert f"difference {decision.effect:+.5f}; p" in decision.sentence
    assert decision.effect > 0.00005


def test_plans_count_one_case_as_one():
    assert "on this one case" in plan(0.1, 0.05, cases=1).sentence


@pytest.mark.parametrize("noise_sd", [math.nan, -0.1, math.inf])
def test_a_noise_that_is_none_is_refused(noise_sd):
    with pytest.raises(ValueError, match="noise_sd must be 0 or more"):
        plan(noise_sd, 0.05, cases=6)


def test_one_of_anything_is_not_many() -> None:
    assert (count_text(1, "seed"), count_text(2, "seed"), count_text(2.5, "seed"), count_text(1.0, "seed")) == (
        "1 seed", "2 seeds", "2.5 seeds", "1 seed",
    )  # fmt: skip
    assert arms_text(1, 1, 1, kind="fresh generations") == "1 fresh generation each"
    assert arms_text(3, 3, 3) == "3 generations each"


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        ("file", "file"),
        ("ours", "set by sweeps"),
        ("ours (the server's is no limit)", "set by sweeps (the server's is no limit)"),
        ("server default (0.33.0)", "server default (0.33.0)"),
        ("", ""),
    ],
)
def test_sources_of_values_are_named_for_people(source: str, shown: str) -> None:
    assert source_text(source) == shown
