"""Weighted coverage, worked out by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from objectives import Case, CoverageObjective, Item, Match, ObjectiveError
from objectives.coverage import cut_to_words, weighted_score

CASE = Case(
    "c",
    "alpha beta gamma delta epsilon zeta eta theta iota",
    (
        Item("a", "alpha", 1, any=("alpha",)),
        Item("b", "beta", 2, any=("beta",)),
        Item("c", "gamma", 2, all=("gamma",)),
        Item("d", "delta", 5, regex=("delta",)),
        Item("f", "wrong", 3, any=("wrong",), forbidden=True),
    ),
)


def test_score_by_hand() -> None:
    score = CoverageObjective().score(CASE, "alpha and gamma")
    assert score.score == (5 + 4) / (5 + 4 + 4 + 1)
    assert score.covered == ("a", "c")
    assert score.missed == ("b", "d")
    assert score.levels == {1: (1, 1), 2: (1, 2), 5: (0, 1)}
    assert score.lv12 == (2, 3)
    assert (score.level_text(2), score.level_text(3)) == ("1/2", "0/0")
    assert score.words == 3


def test_forbidden_costs_its_weight_and_never_sinks_below_zero() -> None:
    score = CoverageObjective().score(CASE, "alpha wrong")
    assert score.score == pytest.approx((5 - 3) / 14)
    assert score.forbidden == ("f",)
    assert score.side["forbidden"] == 1
    assert "f" not in score.covered + score.missed
    assert CoverageObjective().score(CASE, "delta wrong").score == 0


def test_budget_scores_the_first_words_only() -> None:
    text = "One two, alpha beta gamma"
    assert CoverageObjective(budget_words=3).score(CASE, text).covered == ("a",)
    assert CoverageObjective(budget_words=4).score(CASE, text).covered == ("a", "b")
    assert cut_to_words("日本語 ok then", 4) == "日本語 ok"
    assert cut_to_words("a b", 5) == "a b"


def test_side_metrics() -> None:
    log = " ".join(f"w{number}" for number in range(40))
    case = replace(CASE, log=log)
    side = CoverageObjective().score(case, " ".join(log.split()[:10])).side
    assert side == {"words": 10, "redundancy": 0, "copied_share": 1, "compression": 0.25, "forbidden": 0}


def test_patterns_decide_where_there_are_any_and_the_matcher_elsewhere() -> None:
    case = Case("c", "log", (Item("p", "The disk was full.", 1, any=("unheard",)), Item("m", "The disk was full.", 1)))
    matches = CoverageObjective().score(case, "The disk was full.").matches
    assert [(match.matcher, match.covered) for match in matches] == [("patterns", False), ("lexical", True)]


class Fixed:
    """A matcher that answers what it is told."""

    name = "fixed"
    digest = "0"

    def __init__(self, *answers: Match) -> None:
        self.answers = answers

    def match(self, items, text, *, context=None):
        return list(self.answers)


def answer(item: str, probability: float, disagreement: float = 0.0, spread: float = 0.0) -> Match:
    return Match(item, probability >= 0.5, probability, probability, 0.5, "", None, (), "fixed", disagreement, spread)


PLAIN = Case("p", "log", (Item("x", "x", 1), Item("y", "y", 3), Item("z", "z", 5)))


def test_noise_of_the_matcher_is_carried() -> None:
    matcher = Fixed(answer("x", 1), answer("y", 0.6, 0.25, 0.08), answer("z", 0.4, 0.16, 0.07))
    score = CoverageObjective(matcher=matcher, score="counted").score(PLAIN, "text")
    assert score.score == 8 / 9
    assert score.side["matcher_sd"] == pytest.approx((9 * 0.25 + 1 * 0.16) ** 0.5 / 9)
    score = CoverageObjective(matcher=matcher).score(PLAIN, "text")
    assert score.score == pytest.approx((5 * 1 + 3 * 0.6 + 1 * 0.4) / 9)
    assert score.side["matcher_sd"] == pytest.approx((9 * 0.08 + 1 * 0.07) ** 0.5 / 9)
    assert (score.covered, score.level_text(3), score.level_text(5)) == (("x", "y"), "1/1", "0/1")


def test_a_matcher_that_leaves_items_out_is_told_so() -> None:
    with pytest.raises(ObjectiveError, match="'fixed' did not return one answer per item"):
        CoverageObjective(matcher=Fixed(answer("x", 1))).score(PLAIN, "text")


@settings(deadline=None)
@given(
    st.text(max_size=200), st.permutations(range(5)), st.lists(st.floats(0, 100), min_size=5, max_size=5).filter(any)
)
def test_any_text_scores_within_bounds_whatever_the_order(text: str, order: list[int], weights: list[float]) -> None:
    objective = CoverageObjective(weights=weights)
    score = objective.score(CASE, text)
    assert 0 <= score.score <= 1
    other = objective.score(replace(CASE, items=tuple(CASE.items[place] for place in order)), text)
    assert other.score == pytest.approx(score.score)
    assert set(other.covered) == set(score.covered)


def test_weights_that_leave_nothing_score_zero() -> None:
    assert weighted_score(CASE.items, {item.id: True for item in CASE.items}, {1: 0, 2: 0, 3: 1, 4: 1, 5: 0}) == 0


def test_digest_follows_settings_not_rubric() -> None:
    one = CoverageObjective()
    assert one.digest == CoverageObjective(weights={1: 5, 2: 4, 3: 3, 4: 2, 5: 1}).digest
    others = {CoverageObjective(weights=(1, 1, 1, 1, 1)).digest, CoverageObjective(budget_words=10).digest}
    assert len({one.digest, *others, CoverageObjective(score="counted").digest}) == 4


def test_a_forbidden_item_costs_its_expected_weight() -> None:
    case = replace(PLAIN, items=(PLAIN.items[0], replace(PLAIN.items[1], forbidden=True)))
    matcher = Fixed(answer("x", 0.8), answer("y", 0.2))
    assert CoverageObjective(matcher=matcher).score(case, "text").score == pytest.approx((5 * 0.8 - 3 * 0.2) / 5)


def test_an_unknown_score_is_refused() -> None:
    with pytest.raises(ObjectiveError, match="score = 'mean': must be one of expected, counted"):
        CoverageObjective(score="mean")


@pytest.mark.parametrize("weights", [(1, 2), (0, 0, 0, 0, 0), (1, -1, 1, 1, 1), (1, 1, 1, 1, float("nan")), {1: 1}])
def test_bad_weights(weights: object) -> None:
    with pytest.raises(ObjectiveError, match="weights"):
        CoverageObjective(weights=weights)
