"""The kernel test: its statistic by a naive double loop, exact p by hand, invariants, and its rate of false alarms."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.noise.kernel_test import detectable_share, kernel_test, matrix_test
from analysis.noise.ngrams import similarities
from analysis.observations.table_error import TableError

X, Y = ["abcd", "abce", "xbcd", "abcd"], ["qrst", "qrsu", "abzz", "qrst"]
CASES = ["c", "c", "d", "d"]


def naive(x: list[str], y: list[str], scale: float) -> float:
    """Squared maximum mean discrepancy of one case."""

    def kernel(a: str, b: str) -> float:
        return math.exp(-(1 - similarities([a, b])[0, 1]) / scale)

    def mean(a: list[str], b: list[str]) -> float:
        return sum(kernel(one, other) for one in a for other in b) / (len(a) * len(b))

    return mean(x, x) + mean(y, y) - 2 * mean(x, y)


def scale_of(cases: list[list[str]]) -> float:
    apart = [1 - similarities(own)[i, j] for own in cases for i, j in itertools.combinations(range(len(own)), 2)]
    return float(np.median([each for each in apart if each > 0]))


def test_the_statistic_is_that_of_a_double_loop() -> None:
    scale = scale_of([X[:2] + Y[:2], X[2:] + Y[2:]])
    found = kernel_test(X, Y, CASES, CASES)
    assert found.statistic == pytest.approx((naive(X[:2], Y[:2], scale) + naive(X[2:], Y[2:], scale)) / 2)


def test_exact_p_by_hand() -> None:
    """Two cases of 2 + 2 texts have 6 * 6 arrangements; hosts exchanged in either case are as extreme: 4 of 36."""
    x, y = ["aaaa", "aaaa"] * 2, ["zzzz", "zzzz"] * 2
    found = kernel_test(x, y, CASES, CASES)
    assert (found.arrangements, found.exact) == (36, True)
    assert found.p_value == pytest.approx(4 / 36)
    assert found.least_p == pytest.approx(4 / 36)


def test_a_kernel_of_your_own() -> None:
    """With the test's own kernel, as a matrix, the result is the same; values across cases do not count."""
    texts, case = X + Y, np.array([0, 0, 1, 1] * 2)
    scale = scale_of([X[:2] + Y[:2], X[2:] + Y[2:]])
    kernel = np.exp(-(1 - similarities(texts)) / scale)
    own = matrix_test(kernel, np.arange(8) < 4, case)
    found = kernel_test(X, Y, CASES, CASES)
    assert (own.statistic, own.p_value) == pytest.approx((found.statistic, found.p_value))


def test_drawn_p_counts_the_given_arrangement() -> None:
    x, y = [f"aaaa{i}" for i in range(12)], [f"zzzz{i}" for i in range(12)]
    found = kernel_test(x, y)
    assert (found.exact, found.arrangements, found.p_value) == (False, 1000, 1 / 1000)


def test_cases_of_one_host_do_not_count() -> None:
    found = kernel_test([*X, "more"], Y, [*CASES, "e"], CASES)
    assert found == kernel_test(X, Y, CASES, CASES)
    with pytest.raises(TableError, match="no case in common"):
        kernel_test(["a"], ["b"], ["c"], ["d"])
    with pytest.raises(TableError, match="2 texts and 1 cases"):
        kernel_test(["a", "b"], ["b"], ["c"], ["c"])


@settings(max_examples=30, deadline=None)
@given(st.lists(st.sampled_from(["ab", "abc", "bcd", "x", ""]), min_size=4, max_size=4), st.permutations(range(4)))
def test_invariants(texts: list[str], order: list[int]) -> None:
    """Hosts may be exchanged, rows reordered; identical samples have the statistic 0 and p 1."""
    found = kernel_test(texts, Y, CASES, CASES)
    swapped = kernel_test(Y, texts, CASES, CASES)
    moved = kernel_test([texts[i] for i in order], Y, [CASES[i] for i in order], CASES)
    for other in (swapped, moved):
        assert (other.statistic, other.p_value) == pytest.approx((found.statistic, found.p_value))
    same = kernel_test(texts, texts, CASES, CASES)
    assert (same.statistic, same.p_value) == pytest.approx((0, 1), abs=1e-12)


def random_texts(rng: np.random.Generator, count: int, letters: str = "abcdefgh") -> list[str]:
    return ["".join(rng.choice(list(letters), size=20)) for _ in range(count)]


def test_false_alarms_and_power_by_simulation() -> None:
    """Of 150 tables without a difference at most 5% + 3 standard errors alarm; texts of other letters are found."""
    rng = np.random.default_rng(1)
    alarms = [
        kernel_test(random_texts(rng, 8), random_texts(rng, 8), seed=seed, permutations=199).p_value
        for seed in range(150)
    ]
    assert np.mean(np.array(alarms) <= 0.05) <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / 150)
    assert kernel_test(random_texts(rng, 8), random_texts(rng, 8, "abcdxyzw")).p_value <= 0.01


def test_more_texts_find_a_smaller_share() -> None:
    rng = np.random.default_rng(2)
    few, many = (detectable_share(random_texts(rng, n), random_texts(rng, n), seed=3) for n in (5, 20))
    assert many < few
    assert detectable_share(["a", "b"], ["c", "d"]) == math.inf  # two texts each have no p below 1 / 3


def test_the_discrepancy_has_no_bias_of_few_texts():
    """Over all ways to deal texts to two hosts its mean is 0, whatever their numbers; the statistic's is not."""
    texts = ["the load takes ten hours", "the load took ten hours", "a new index", "an index was added", "nothing"]
    found = []
    for chosen in itertools.combinations(range(5), 2):
        x = [texts[place] for place in chosen]
        y = [text for place, text in enumerate(texts) if place not in chosen]
        found.append(kernel_test(x, y))
    assert np.mean([each.discrepancy for each in found]) == pytest.approx(0, abs=1e-12)
    assert np.mean([each.statistic for each in found]) > 0.1
    assert np.isnan(kernel_test(texts[:1], texts[1:]).discrepancy)
