"""The t tests against scipy's and against least squares."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from analysis.comparison.t_tests import paired_t, stratified_t
from tests.analysis.comparison.cells import drawn, frame, two_of


def test_one_case_pooled_is_the_textbook_t_test():
    cells = drawn(1, 1, 7, 9)
    expected = stats.ttest_ind(cells["b", "k0"], cells["a", "k0"])
    found = stratified_t(two_of(cells), pooled=True)
    assert found.p_value == pytest.approx(expected.pvalue)
    assert found.effect / found.standard_error == pytest.approx(expected.statistic)
    assert found.interval(0.95) == pytest.approx(tuple(expected.confidence_interval(0.95)))


def test_one_case_welch_has_the_textbook_statistic():
    cells = drawn(2, 1, 7, 12)
    expected = stats.ttest_ind(cells["b", "k0"], cells["a", "k0"], equal_var=False)
    found = stratified_t(two_of(cells))
    assert found.effect / found.standard_error == pytest.approx(expected.statistic)
    # Welch's own degrees of freedom are a little above Satterthwaite's, and never above the pooled test's.
    assert expected.df <= found.dof <= 17


def test_stratified_t_is_least_squares_with_a_term_per_case():
    cells = drawn(3, 4, 5, 5)
    two = two_of(cells)
    table = frame(cells)
    design = np.column_stack(
        [(table.case == f"k{j}").to_numpy(float) for j in range(4)]
        + [((table.case == f"k{j}") & (table.configuration == "b")).to_numpy(float) for j in range(4)]
    )
    solved, (square,), *_ = np.linalg.lstsq(design, table.score.to_numpy(), rcond=None)
    contrast = np.array([0] * 4 + [0.25] * 4)
    error = np.sqrt(square / (40 - 8) * contrast @ np.linalg.inv(design.T @ design) @ contrast)
    found = stratified_t(two, pooled=True)
    assert found.effect == pytest.approx(contrast @ solved)
    assert found.standard_error == pytest.approx(error)
    assert found.dof == 32


def test_welch_and_pooled_agree_on_error_where_balanced():
    two = two_of(drawn(4, 6, 5, 5))
    assert stratified_t(two).standard_error == pytest.approx(stratified_t(two, pooled=True).standard_error)


def test_paired_t_is_scipys():
    cells = drawn(5, 8, 3, 4)
    means = {key: np.mean(scores) for key, scores in cells.items()}
    expected = stats.ttest_rel([means["b", f"k{j}"] for j in range(8)], [means["a", f"k{j}"] for j in range(8)])
    found = paired_t(two_of(cells))
    assert found.p_value == pytest.approx(expected.pvalue)
    assert found.interval(0.9) == pytest.approx(tuple(expected.confidence_interval(0.9)))
