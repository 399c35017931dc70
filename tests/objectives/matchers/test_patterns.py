"""Authored patterns."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from num2words import num2words

from objectives.case import Item
from objectives.matchers.base import ObjectiveError
from objectives.matchers.patterns import PatternText, match_patterns


@pytest.mark.parametrize(
    ("pattern", "text", "span"),
    [
        ("14", "14 nodes", "14"),
        ("14", "GPT-14", "14"),
        ("4182907", "4,182,907 rows", "4,182,907"),
        ("4,182,907", "4.182907e6", "4.182907e6"),
        ("3k", "3,000 requests", "3,000"),
        ("3 thousand", "3000", "3000"),
        ("3000", "about 3 thousand", "3 thousand"),
        ("$5 million", "cost $5 million in all", "$5 million"),
        ("5 million dollars", "$5 million", "$5 million"),
        ("2 nodes", "two nodes", "two nodes"),
        ("50%", "50 percent", "50 percent"),
        ("1.5 GB", "1.5GB free", "1.5GB"),
        ("90s", "90 seconds", "90 seconds"),
        ("90-second", "a 90 s wait", "90 s"),
        ("$5", "5 dollars", "5 dollars"),
        ("roll back", "Roll-back!", "Roll-back"),
        ("don't", "don’t", "don't"),
        ("サーバ", "サーバーが", "サーバ"),
        ("3台", "サーバー３台", "3台"),
        ("C++", "in c++ and", "c++"),
        ("a/b", "a / b", "a / b"),
        ("1.14.2", "v 1.14.2", "1.14.2"),
    ],
)
def test_found(pattern: str, text: str, span: str) -> None:
    assert PatternText(text).find(pattern) == span


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("14", "140"),
        ("14", "1.14"),
        ("14", "14.5"),
        ("14", "v1.14"),
        ("14", "14:30"),
        ("14", "at -14"),
        ("90s", "90 minutes"),
        ("50%", "50 people"),
        ("deploy", "deployment"),
        ("error 5", "5 errors, error"),
        ("", "anything"),
        ("x", ""),
    ],
)
def test_not_found(pattern: str, text: str) -> None:
    assert PatternText(text).find(pattern) is None


def decide(text: str, **patterns: tuple[str, ...]) -> bool:
    return match_patterns(Item("i", "text", 1, **patterns), PatternText(text)).covered


def test_any_all_and_regex_combine() -> None:
    assert decide("red fish", any=("blue", "red"))
    assert not decide("green fish", any=("blue", "red"))
    assert decide("red fish", all=("fish", "red"))
    assert not decide("red fish", all=("fish", "blue"))
    assert decide("redd fish", regex=("red+",), all=("fish",))
    assert decide("blue fish", any=("blue",), regex=("red+",))
    assert not decide("red", any=("red",), all=("fish",))


def test_match_says_why() -> None:
    match = match_patterns(Item("i", "text", 1, all=("fish", "blue")), PatternText("red fish"))
    assert (match.missing, match.span, match.score, match.probability) == (("blue",), "fish", 0.5, 0.0)
    assert "blue" in match.why
    assert match.matcher == "patterns"


def test_catastrophic_regex_is_given_up_and_named() -> None:
    item = Item("slow", "text", 1, regex=(r"(a|aa)+$",))
    with pytest.raises(ObjectiveError, match=r"item 'slow'.*took longer"):
        match_patterns(item, PatternText("a" * 500 + "!!!"))


def test_unreadable_regex() -> None:
    with pytest.raises(ObjectiveError, match="is invalid: "):
        match_patterns(Item("i", "text", 1, regex=("(",)), PatternText("a"))


@given(st.text(max_size=60), st.text(max_size=30))
def test_appending_never_hides_a_plain_word(text: str, more: str) -> None:
    # A scale or unit word right after a number may join it, which is why numbers are left out.
    if PatternText(text).find("fish") is not None:
        assert PatternText(text + "\n" + more).find("fish") is not None


@example("\xad")  # nothing that can be seen
@given(st.text(max_size=60))
def test_a_text_contains_itself(text: str) -> None:
    ready = PatternText(text)
    if ready.find(text) is None:
        assert not text.strip() or not ready._tokens


NUMBERS = Path(__file__).parents[2] / "data" / "matchers" / "numbers.tsv"


def test_numbers_in_other_forms_are_found_and_wrong_ones_are_not() -> None:
    rows = [line.split("\t") for line in NUMBERS.read_text("utf-8").splitlines() if not line.startswith("#")]
    said = {answer: [(p, text) for p, text, wanted in rows if wanted == answer] for answer in ("yes", "no")}
    assert [len(pairs) for pairs in said.values()] == [20, 20]
    missed = [pair for pair in said["yes"] if not decide(pair[1], any=(pair[0],))]
    wrong = [pair for pair in said["no"] if decide(pair[1], any=(pair[0],))]
    assert len(missed) <= 1, missed
    assert wrong == []


@given(st.integers(0, 10**6), st.sampled_from(["{} rows", "about {} of them", "lost {} files"]))
@settings(deadline=None)
def test_digits_cover_words_and_words_cover_digits(value: int, frame: str) -> None:
    words = num2words(value)
    if value != 1:  # "one of them" is no number
        assert PatternText(frame.format(words)).find(str(value)) is not None
        assert PatternText(frame.format(value)).find(words) is not None
        assert PatternText(frame.format(words)).find(str(value + 1)) is None


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("seconds", "90 seconds"),
        ("million", "3 million rows"),
        ("March", "9 March"),
        ("9", "9 March"),
        ("40", "7時40分"),
        ("1 node", "one node"),
        ("一部", "一部のサーバー"),
        ("十台", "10台"),
        ("25-minute outage", "a twenty-five minute outage"),
    ],
)
def test_parts_of_quantities_and_their_neighbours(pattern: str, text: str) -> None:
    assert PatternText(text).find(pattern) is not None
