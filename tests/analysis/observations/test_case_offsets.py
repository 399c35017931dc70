"""Offsets of cases, so that means over different cases can be compared."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.observations import views
from analysis.observations.case_offsets import case_offsets, cells_of, fit_offsets, have_all_cases, means_over_cases


def table(cells: dict[tuple[str, str], list[float]]) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {"configuration": configuration, "case": case, "seed": seed, "score": score}
            for (configuration, case), scores in cells.items()
            for seed, score in enumerate(scores)
        ]
    )


def partial(seed: int, noise: float = 0.0) -> tuple[pd.DataFrame, dict[str, float], dict[str, float]]:
    """An additive table in which a baseline has every case and each of 8 others half of them; levels and offsets."""
    rng = np.random.default_rng(seed)
    cases = [f"case {i}" for i in range(6)]
    shifts = rng.normal(0, 0.1, 6)
    offsets = dict(zip(cases, shifts - shifts.mean(), strict=True))
    levels = {"base": 0.5} | {f"trial {i}": float(rng.uniform(0.3, 0.7)) for i in range(8)}
    cells = {}
    for place, (key, level) in enumerate(levels.items()):
        own = cases if key == "base" else rng.permutation(cases)[:3]
        for case in own:
            repeats = 1 + (place + len(case) + int(rng.integers(3))) % 3
            cells[key, str(case)] = [level + offsets[case] + noise * float(rng.normal()) for _ in range(repeats)]
    return table(cells), levels, offsets


def test_by_hand() -> None:
    # b is .2 harder than a in x, which has both; y has b alone, at .5: as easy a case as a is would have given .7,
    # and a case between the two, which is the mean, .6.
    cells = table({("x", "a"): [0.6], ("x", "b"): [0.4], ("y", "b"): [0.5]})
    assert case_offsets(cells_of(cells)).to_dict() == pytest.approx({"a": 0.1, "b": -0.1})
    assert views.summary(cells)["mean"].to_dict() == pytest.approx({"x": 0.5, "y": 0.6})
    assert not have_all_cases(cells_of(cells))


@settings(deadline=None)
@given(st.integers(0, 1000))
def test_an_additive_table_is_recovered_through_its_holes(seed: int) -> None:
    observations, levels, offsets = partial(seed)
    assert case_offsets(cells_of(observations)).to_dict() == pytest.approx(offsets, abs=1e-9)
    assert views.summary(observations)["mean"].to_dict() == pytest.approx(levels, abs=1e-9)


@settings(deadline=None)
@given(st.integers(0, 1000))
def test_the_fit_is_that_of_least_squares(seed: int) -> None:
    observations, _, _ = partial(seed, noise=0.1)
    dummies = pd.get_dummies(observations[["configuration", "case"]], dtype=float)
    found, *_ = np.linalg.lstsq(dummies.to_numpy(), observations["score"].to_numpy(), rcond=None)
    slopes = pd.Series(found, index=dummies.columns)
    cases = slopes[[name for name in slopes.index if name.startswith("case_")]]
    expected = (cases - cases.mean()).rename(lambda name: name.removeprefix("case_"))
    assert case_offsets(cells_of(observations)).to_dict() == pytest.approx(expected.to_dict(), abs=1e-9)


@settings(deadline=None)
@given(st.integers(0, 1000), st.integers(1, 5), st.integers(1, 5))
def test_a_full_table_has_plain_means(seed: int, configurations: int, cases: int) -> None:
    scores = np.random.default_rng(seed).random((configurations, cases))
    observations = table({(f"k{i}", f"c{j}"): [scores[i, j]] for i in range(configurations) for j in range(cases)})
    assert have_all_cases(cells_of(observations))
    assert case_offsets(cells_of(observations)).to_numpy() == pytest.approx(scores.mean(axis=0) - scores.mean())
    assert means_over_cases(cells_of(observations)).to_numpy() == pytest.approx(scores.mean(axis=1))
    assert views.summary(observations)["mean"].sort_index().to_numpy() == pytest.approx(scores.mean(axis=1))


def test_failed_generations_count_for_nothing() -> None:
    cells = table({("x", "a"): [0.6, 0.9], ("x", "b"): [0.4], ("y", "b"): [0.5]}).assign(finish="stop")
    cells.loc[1, ["score", "finish"]] = [np.nan, "error"]
    assert case_offsets(cells_of(cells)).to_dict() == pytest.approx({"a": 0.1, "b": -0.1})


def test_nothing_to_fit() -> None:
    assert fit_offsets(np.zeros((0, 0)), np.zeros((0, 0))).size == 0
    assert case_offsets(cells_of(table({("x", "a"): [0.3]}))).to_dict() == {"a": 0.0}
    # Nothing joins a to b: x could be better or a easier. The smallest offsets that fit are none at all.
    apart = table({("x", "a"): [0.3], ("y", "b"): [0.9]})
    assert case_offsets(cells_of(apart)).to_dict() == pytest.approx({"a": 0.0, "b": 0.0})
