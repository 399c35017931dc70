"""Permutations against scipy's and against every arrangement, gone through by hand."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy import stats

from analysis.comparison import permutation as kinds
from analysis.comparison.permutation import permutation
from tests.analysis.comparison.cells import drawn, two_of


def test_permutation_enumerates_all_arrangements():
    cells = {("a", "x"): [0.1, 0.2], ("b", "x"): [0.3, 0.4], ("a", "y"): [0.2, 0.5], ("b", "y"): [0.3, 0.6]}
    effects = []
    for picks in itertools.product(itertools.combinations(range(4), 2), repeat=2):
        total = 0.0
        for case, pick in zip("xy", picks, strict=True):
            scores = np.array(cells["a", case] + cells["b", case])
            chosen = np.isin(range(4), pick)
            total += (scores[chosen].mean() - scores[~chosen].mean()) / 2
        effects.append(total)
    observed = 0.15
    above = np.mean(np.array(effects) >= observed - 1e-9)
    found = permutation(two_of(cells))
    assert found.effect == pytest.approx(observed)
    assert found.p_value == pytest.approx(2 * above)


def test_permutation_of_one_case_is_scipys():
    cells = drawn(7, 1, 6, 6)
    expected = stats.permutation_test(
        (cells["b", "k0"], cells["a", "k0"]), lambda x, y: x.mean() - y.mean(), n_resamples=np.inf
    )
    assert permutation(two_of(cells)).p_value == pytest.approx(expected.pvalue)


def test_drawn_permutations_come_near_the_enumerated(monkeypatch):
    cells = drawn(8, 3, 3, 3)
    full = permutation(two_of(cells))
    monkeypatch.setattr("analysis.comparison.permutation.ENUMERATE", 0)
    sampled = permutation(two_of(cells), seed=1)
    assert sampled.p_value == pytest.approx(full.p_value, abs=0.02)
    assert sampled.interval(0.95) == pytest.approx(full.interval(0.95), abs=0.02)
    assert sampled.p_value == permutation(two_of(cells), seed=1).p_value


@pytest.mark.parametrize("seed", range(6))
def test_permutation_interval_holds_exactly_the_shifts_that_are_not_rejected(seed):
    cells = drawn(20 + seed, 2, 4, 4)
    low, high = permutation(two_of(cells)).interval(0.95)
    for shift, inside in ((low - 1e-6, False), (low + 1e-6, True), (high - 1e-6, True), (high + 1e-6, False)):
        moved = {key: [s - shift * (key[0] == "b") for s in scores] for key, scores in cells.items()}
        lowest = min(min(scores) for scores in moved.values())
        highest = max(max(scores) for scores in moved.values())
        scaled = {key: [(s - lowest) / (highest - lowest) for s in scores] for key, scores in moved.items()}
        assert (permutation(two_of(scaled)).p_value > 0.05) is inside


def test_arrangements_that_are_kept_give_what_drawn_ones_gave(monkeypatch):
    """Other sizes, seeds and numbers in between change nothing."""
    kept = kinds._KEPT
    monkeypatch.setattr(kinds, "_KEPT", 0)
    many = {
        "few": two_of(drawn(30, 3, 5, 4)),
        "more": two_of(drawn(31, 4, 6, 6)),
        "lopsided": two_of(drawn(32, 2, 20, 3)),
    }
    first = {
        (name, seed): permutation(two, seed=seed, permutations=999) for name, two in many.items() for seed in range(2)
    }
    monkeypatch.setattr(kinds, "_KEPT", kept)
    for (name, seed), known in [*first.items(), *first.items()]:
        found = permutation(many[name], seed=seed, permutations=999)
        assert np.array_equal(found.thresholds, known.thresholds)
        assert permutation(many[name], seed=seed, permutations=1000).p_value != known.p_value
