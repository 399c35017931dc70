"""Agreement of texts: counts by hand, Wilson's interval by its equation, and invariants."""

from __future__ import annotations

import math

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from analysis.noise.ngrams import pair_similarity, similarities
from analysis.noise.text_agreement import pairs_between, pairs_within, text_agreement, wilson, words_of
from analysis.observations.table import TableError


def pairs_of(*rows: tuple[str, int, str, str]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["case", "seed", "text_a", "text_b"])


def test_numbers_worked_out_by_hand() -> None:
    """Three requests; words 1 and 2 of 4 are common in the pair that differs, and all in the others."""
    found = text_agreement(
        pairs_of(("c1", 1, "one two three four", "one two 3 four"), ("c1", 2, "same", "same"), ("c2", 1, "x y", "x y"))
    )
    assert (found.n, found.pairs, found.identical) == (3, 3, 2)
    assert found.share == pytest.approx(2 / 3)
    assert found.first_difference == 3
    assert found.prefix_share == pytest.approx((0.5 + 1 + 1) / 3)
    assert found.unit == "words"


def test_repeats_of_a_request_are_one_unit() -> None:
    """Ten copies of one request weigh as much as one; a request that agrees half the time counts half."""
    once = text_agreement(pairs_of(("c", 1, "a", "a"), ("c", 2, "a", "b")))
    often = text_agreement(pairs_of(*[("c", 1, "a", "a")] * 10, ("c", 2, "a", "b")))
    assert (often.n, often.share, often.low, often.high) == (once.n, once.share, once.low, once.high)
    half = text_agreement(pairs_of(("c", 1, "a", "a"), ("c", 1, "a", "b")))
    assert (half.n, half.identical, half.share) == (1, 0, 0.5)


def test_greedy_seeds_are_no_units() -> None:
    rows = pairs_of(*[("c", seed, "a", "a") for seed in range(8)], ("d", 1, "a", "b"))
    assert text_agreement(rows).n == 9
    greedy = text_agreement(rows, greedy=True)
    assert (greedy.n, greedy.share) == (2, 0.5)


@pytest.mark.parametrize(("identical", "n"), [(0, 5), (3, 5), (5, 5), (47, 48)])
def test_the_interval_is_wilsons(identical: int, n: int) -> None:
    """Of whole counts it is that of SciPy, and its ends solve |share - p| = z sqrt(p (1 - p) / n)."""
    low, high = wilson(identical / n, n)
    reference = stats.binomtest(identical, n).proportion_ci(0.95, method="wilson")
    assert (low, high) == pytest.approx((reference.low, reference.high))
    z = stats.norm.ppf(0.975)
    for end in {low, high} - {0.0, 1.0}:
        assert abs(identical / n - end) == pytest.approx(z * math.sqrt(end * (1 - end) / n))


def test_pairs_come_from_one_table() -> None:
    rows = [(host, "c", 1, repeat, f"{host}{repeat % 2}") for host in "ab" for repeat in range(3)]
    texts = pd.DataFrame([*rows, ("a", "c", 2, 0, "z")], columns=["host", "case", "seed", "repeat", "text"])
    between = pairs_between(texts, "a", "b")
    assert list(zip(between["text_a"], between["text_b"], strict=True)) == [("a0", "b0"), ("a1", "b1"), ("a0", "b0")]
    within = pairs_within(texts, "a")
    assert list(zip(within["text_a"], within["text_b"], strict=True)) == [("a0", "a1"), ("a0", "a0"), ("a1", "a0")]
    assert pairs_between(texts, "a", "nobody").empty
    nothing = text_agreement(pairs_within(texts, "nobody"))
    assert nothing.n == 0
    assert nothing.as_dict()["share"] is None


def test_a_tokenizer_names_its_unit() -> None:
    found = text_agreement(pairs_of(("c", 1, "abcd", "abxd")), tokenize=list, unit="characters")
    assert (found.first_difference, found.unit, found.prefix_share) == (3, "characters", 0.5)


def test_a_missing_column_is_named() -> None:
    with pytest.raises(TableError, match="text_b"):
        text_agreement(pairs_of(("c", 1, "a", "a")).drop(columns="text_b"))


TEXTS = st.lists(st.text(max_size=12), min_size=1, max_size=6)


@settings(max_examples=15, deadline=None)
@given(TEXTS, TEXTS)
def test_invariants(first: list[str], second: list[str]) -> None:
    """Neither the order of the hosts nor that of the rows matters; a text agrees fully with itself."""
    size = min(len(first), len(second))
    rows = pairs_of(*[("c", seed, first[seed], second[seed]) for seed in range(size)])
    found = text_agreement(rows)
    swapped = text_agreement(rows.rename(columns={"text_a": "text_b", "text_b": "text_a"}).iloc[::-1])
    assert found.as_dict() == pytest.approx(swapped.as_dict(), nan_ok=True)
    assert 0 <= found.low <= found.share <= found.high <= 1
    own = text_agreement(rows.assign(text_b=rows["text_a"]))
    assert (own.share, own.similarity, own.prefix_share) == (1, 1, 1)


@given(TEXTS)
def test_words_join_to_their_text(texts: list[str]) -> None:
    assert ["".join(words_of(text)) for text in texts] == texts


@settings(max_examples=20, deadline=None)
@given(TEXTS)
def test_similarity_is_a_cosine(texts: list[str]) -> None:
    """Against a count with Python's own strings."""

    def grams(text: str) -> dict[str, int]:
        marked = f"\x02\x02{text}\x03\x03"
        parts = [marked[place : place + 3] for place in range(len(marked) - 2)]
        return {part: parts.count(part) for part in parts}

    found = similarities(texts)
    for i, first in enumerate(texts):
        for j, second in enumerate(texts):
            a, b = grams(first), grams(second)
            lengths = math.sqrt(sum(n * n for n in a.values()) * sum(n * n for n in b.values()))
            cosine = sum(n * b.get(part, 0) for part, n in a.items()) / lengths
            assert found[i, j] == pytest.approx(cosine)
            assert pair_similarity([first], [second])[0] == pytest.approx(cosine)
