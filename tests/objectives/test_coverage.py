"""Weighted coverage, worked out by hand."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from objectives import Case, CoverageObjective, FunctionObjective, Item, Match, ObjectiveError, Score, make_objective
from objectives.coverage import cut_to_words, weighted_score
from objectives.testing import SAMPLE, check_objective
from objectives.weightings import WEIGHTINGS, rescore_matches
from objectives.weightings import settings as robustness_settings

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


def answer(item: str, probability: float, disagreement: float = 0.0) -> Match:
    return Match(item, probability >= 0.5, probability, probability, 0.5, "", None, (), "fixed", disagreement)


PLAIN = Case("p", "log", (Item("x", "x", 1), Item("y", "y", 3), Item("z", "z", 5)))


def test_noise_of_the_matcher_is_carried() -> None:
    matcher = Fixed(answer("x", 1), answer("y", 0.6, 0.25), answer("z", 0.4, 0.16))
    score = CoverageObjective(matcher=matcher).score(PLAIN, "text")
    assert score.score == 8 / 9
    assert score.side["matcher_sd"] == pytest.approx((9 * 0.25 + 1 * 0.16) ** 0.5 / 9)


def test_a_matcher_that_leaves_items_out_is_told_so() -> None:
    with pytest.raises(ObjectiveError, match="'fixed' did not return one answer per item"):
        CoverageObjective(matcher=Fixed(answer("x", 1))).score(PLAIN, "text")


@settings(deadline=None, max_examples=60)
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


def test_rescoring_by_hand() -> None:
    matches = [answer("x", 0.9), answer("y", 0.55), answer("z", 0.4)]
    assert rescore_matches(PLAIN, matches, WEIGHTINGS["linear 5..1"]) == 8 / 9
    assert rescore_matches(PLAIN, matches, WEIGHTINGS["halving 16..1"]) == 20 / 21
    assert rescore_matches(PLAIN, matches, WEIGHTINGS["levels 1-2 only"]) == 1
    assert rescore_matches(PLAIN, matches, (5, 4, 3, 2, 1), 0.6) == 5 / 9
    assert rescore_matches(PLAIN, {"x": 0.9, "y": 0.5, "z": 0.4}, (5, 4, 3, 2, 1), 0.35) == 1


def test_rescoring_under_the_same_setting_gives_the_score_again() -> None:
    score = CoverageObjective().score(CASE, "alpha gamma wrong")
    assert rescore_matches(CASE, score.matches, (5, 4, 3, 2, 1)) == score.score


def test_robustness_settings_are_distinct() -> None:
    names = [setting.name for setting in robustness_settings((1, 2, 3, 4, 5))]
    assert names[0] == "as configured"
    assert len(set(names)) == len(names)


def test_digest_follows_settings_not_rubric() -> None:
    one = CoverageObjective()
    assert one.digest == CoverageObjective(weights={1: 5, 2: 4, 3: 3, 4: 2, 5: 1}).digest
    others = {CoverageObjective(weights=(1, 1, 1, 1, 1)).digest, CoverageObjective(budget_words=10).digest}
    assert len({one.digest, *others}) == 3


@pytest.mark.parametrize("weights", [(1, 2), (0, 0, 0, 0, 0), (1, -1, 1, 1, 1), (1, 1, 1, 1, float("nan")), {1: 1}])
def test_bad_weights(weights: object) -> None:
    with pytest.raises(ObjectiveError, match="weights"):
        CoverageObjective(weights=weights)


def test_factory_builds_what_it_is_told() -> None:
    objective = make_objective(
        {"weights": {"1": 9, "2": 1, "3": 1, "4": 1, "5": 1}, "threshold": 0.7, "budget_words": 50}
    )
    assert isinstance(objective, CoverageObjective)
    assert (objective.weights[1], objective.budget_words, objective.matcher.threshold) == (9, 50, 0.7)
    assert make_objective().digest == make_objective({"name": "coverage", "matcher": {"kind": "lexical"}}).digest
    judge = make_objective({"matcher": {"kind": "judge", "model": "m", "votes": 5}})
    assert judge.matcher.votes == 5
    assert make_objective({"matcher": {"kind": "embedding", "model": "m"}}).matcher.name == "embedding"


def test_factory_lists_every_problem() -> None:
    with pytest.raises(ObjectiveError) as caught:
        make_objective(
            {"weigths": 1, "weights": [1], "budget_words": 0, "threshold": 2, "matcher": "lexicle", "kind": "x"}
        )
    text = str(caught.value)
    for part in ("'weights'?", "weights = [1]", "budget_words = 0", "threshold = 2", "'lexical'?", "kind = 'x'"):
        assert part in text
    assert len(text.splitlines()) == 6


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"matcher": {"kind": "judge"}}, "needs model"),
        ({"matcher": {"kind": "judge", "model": "m", "votes": 0}}, "votes = 0"),
        ({"matcher": {"kind": "embedding", "gguf": "no/such.gguf"}}, "no such file|xllamacpp"),
        ({"matcher": {"kind": "embedding", "model": "m", "slop": 3}}, "'slope'?"),
        ({"matcher": 3}, "matcher = 3"),
        ({"kind": "no_such_module:f"}, "was not found"),
        ({"kind": "math:no_such"}, "has no 'no_such'"),
        ({"kind": "math:pi"}, "must be a callable"),
    ],
)
def test_factory_refuses(spec: dict, message: str) -> None:
    with pytest.raises(ObjectiveError, match=message):
        make_objective(spec)


def length_objective(case: Case, text: str) -> float:
    return min(1.0, len(text) / 1000)


def test_functions_are_objectives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    check_objective(FunctionObjective(length_objective))
    (tmp_path / "own_objective.py").write_text("def half(case, text):\n    return 0.5\n")
    monkeypatch.syspath_prepend(tmp_path)
    objective = make_objective({"kind": "own_objective:half"})
    assert (objective.name, objective.score(SAMPLE, "x").score) == ("half", 0.5)
    check_objective(objective)


def weighed(share: float, case: Case, text: str) -> float:
    return share * length_objective(case, text)


def made(share: float, note: object = None) -> Callable[[Case, str], float]:
    def inner(case: Case, text: str) -> float:
        return weighed(share, case, str(note) + text)

    return inner


def test_the_digest_of_a_function_tells_its_settings_apart() -> None:
    def digest(function: Callable[[Case, str], float]) -> str:
        return FunctionObjective(function).digest

    assert digest(made(0.5)) == digest(made(0.5)) != digest(made(0.6))
    assert digest(made(0.5, object())) == digest(made(0.5, object()))  # no address
    assert digest(partial(weighed, 0.5)) == digest(partial(weighed, 0.5)) != digest(partial(weighed, 0.6))
    assert digest(partial(weighed, 0.5)) != digest(partial(made, 0.5))
    # Of a plain function the digest is that of name and source, as in studies of every earlier version.
    source = inspect.getsource(length_objective)
    name = f"{__name__}.length_objective"
    assert digest(length_objective) == hashlib.sha256(f"{name}\n{source}".encode()).hexdigest()[:12]


@pytest.mark.parametrize("value", [1.5, -0.1, float("nan"), "much", None, Score(2.0)])
def test_functions_that_return_nonsense(value: object) -> None:
    with pytest.raises(ObjectiveError, match="returned"):
        FunctionObjective(lambda case, text: value).score(SAMPLE, "text")


def test_coverage_passes_the_conformance_check() -> None:
    check_objective(CoverageObjective(), (SAMPLE, CASE))


class Broken:
    name = "broken"
    digest = "1"

    def __init__(self) -> None:
        self.calls = 0

    def score(self, case: Case, text: str) -> Score:
        self.calls += 1
        return Score(1 / self.calls)


def test_conformance_check_finds_faults() -> None:
    with pytest.raises(AssertionError, match="scored"):
        check_objective(Broken())
    check_objective(Broken(), deterministic=False)
    with pytest.raises(AssertionError, match="lacks"):
        check_objective(object())


def test_rouge_example() -> None:
    pytest.importorskip("rouge_score")
    objective = make_objective({"kind": "examples.rouge_objective:rouge_recall"})
    assert objective.score(PLAIN, "x and y").score == pytest.approx(2 / 3)
