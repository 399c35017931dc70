"""Side metrics by hand."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from objectives.text_metrics import copied_share, redundancy, spans_of


def test_redundancy_counts_repeated_ngrams() -> None:
    # abcd bcda cdab dabc abcd: five 4-grams, of which one repeats.
    assert redundancy(list("abcdabcd")) == pytest.approx(1 / 5)
    assert redundancy(list("abc")) == 0
    assert redundancy([]) == 0


def test_copied_share_counts_words_of_long_spans_once() -> None:
    log = spans_of([str(i) for i in range(30)])
    words = ["x", *[str(i) for i in range(5, 15)], "y"]
    assert copied_share(words, log) == 10 / 12
    assert copied_share([str(i) for i in range(7)], log) == 0
    assert copied_share([], log) == 0


def test_two_copied_spans_add_up() -> None:
    log = spans_of([str(i) for i in range(30)])
    words = [str(i) for i in range(8)] + [str(i) for i in range(20, 28)]
    assert copied_share(words, log) == 1


@given(st.lists(st.sampled_from("abc"), max_size=40), st.lists(st.sampled_from("abc"), max_size=40))
def test_shares_lie_between_0_and_1(words: list[str], log: list[str]) -> None:
    assert 0 <= redundancy(words) <= 1
    assert 0 <= copied_share(words, spans_of(log)) <= 1


def test_a_long_log_has_the_same_spans_in_little_memory():
    words = [str(i % 150_007) for i in range(200_000)]
    log = spans_of(iter(words))
    assert log.words == 200_000
    assert log._many.itemsize * len(log._many) == 8 * len({tuple(words[i : i + 8]) for i in range(199_993)})
    assert copied_share(words[1_000:1_100], log) == 1
    assert copied_share([*words[5:13], "new", *words[90_000:90_007]], log) == 8 / 16
