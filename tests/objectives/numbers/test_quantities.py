"""Quantities in texts: by hand, and by the word forms that `num2words` writes."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from num2words import num2words

from objectives.numbers import quantities
from objectives.text import normalise, number_key, tokenise


def says(text: str) -> list[set[str]]:
    normal = normalise(text)
    found = [set(quantity.says) for quantity in quantities(normal, tokenise(normal))]
    return [{key for key in keys if "~" not in key} for keys in found]  # without what `test_conversions.py` looks at


def shown(text: str) -> list[str]:
    normal = normalise(text)
    tokens = tokenise(normal)
    return [normal[tokens[q.first].start : tokens[q.last].end] for q in quantities(normal, tokens)]


def number(value: float) -> str:
    return f"{number_key(float(value))}|"


# All of them to a million were run once; here every number to 1,200 and a stride that meets every order of magnitude.
SOME = [*range(1201), *range(1201, 1_000_001, 1999), 999_999, 1_000_000]


def test_every_word_form_is_its_number() -> None:
    assert [value for value in SOME if says(f"about {num2words(value)} rows") != [{number(value)}]] == []


def test_every_ordinal_is_its_number() -> None:
    forms = {value: f"the {num2words(value, to='ordinal')} row" for value in SOME[1:]}
    wrong = [form for value, form in forms.items() if says(form) != [{f"ordinal:#{value}"}]]
    assert wrong == []


def test_every_japanese_form_is_its_number() -> None:
    found = [value for value in SOME if says(f"約{num2words(value, lang='ja')}件です") != [{number(value)}]]
    assert found == []


@settings(deadline=None)
@given(st.integers(0, 1_000_000), st.booleans(), st.booleans(), st.sampled_from(["{} rows", "It lost {}.", "({})"]))
def test_hyphens_commas_and_case_make_no_difference(value: int, hyphens: bool, comma: bool, frame: str) -> None:
    words = num2words(value)
    words = words if hyphens else words.replace("-", " ")
    words = words if comma else words.replace(",", "")
    if value != 1:  # "It lost one." may be a pronoun
        assert says(frame.format(words.upper())) == [{number(value)}]


@given(st.integers(0, 10**12), st.sampled_from(["{:,}", "{}", "{:_}"]))
def test_digits_are_their_number(value: int, form: str) -> None:
    assert says(form.format(value) + " rows") == [{number(value)}]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("half a million users", 5e5),
        ("two and a half hours", 2.5),
        ("one and a half million", 1.5e6),
        ("three point five", 3.5),
        ("a hundred and one", 101),
        ("a dozen", 12),
        ("two dozen", 24),
        ("1.5k", 1500),
        ("2 trillion", 2e12),
        ("nineteen ninety-nine", 1999),
        ("twenty twenty-six", 2026),
        ("two thousand, three hundred", 2300),
        ("3万5千", 35_000),
        ("1.5億", 1.5e8),
        ("五千万", 5e7),
        ("二〇二六", 2026),
        ("１５", 15),
    ],
)
def test_values(text: str, value: float) -> None:
    assert number(value) in says(text)[0]
    assert len(says(text)) == 1


@pytest.mark.parametrize(
    ("text", "unit"),
    [
        *((text, "%") for text in ("15%", "15 per cent", "fifteen percent", "15パーセント", "15％")),
        *((text, "ms") for text in ("15 ms", "15ms", "15ミリ秒")),
        *((text, "min") for text in ("15-minute", "15分", "十五分間")),
        *((text, "gb") for text in ("15 GB", "15ギガバイト")),
        ("15か月", "month"),
        ("$15", "$"),
        ("fifteen dollars", "$"),
        ("15円", "¥"),
    ],
)
def test_units(text: str, unit: str) -> None:
    assert says(text) == [{number(15), number(15) + unit}]


def test_tenths_are_percent() -> None:
    assert says("3割") == [{number(3), number(30) + "%"}]


@pytest.mark.parametrize(
    "text", ["9 March", "March 9", "9th March", "March 9th", "the ninth of March", "Mar. 9", "3月9日", "三月九日"]
)
def test_dates_without_year(text: str) -> None:
    assert says(text) == [{"date:03-09 without year", "date:03-09 of any year"}]


@pytest.mark.parametrize(
    "text", ["2026-03-09", "2026/3/9", "9 March 2026", "March 9th, 2026", "2026年3月9日", "二〇二六年三月九日"]
)
def test_dates_with_year(text: str) -> None:
    assert says(text) == [{"date:03-09 of 2026", "date:03-09 of any year"}]


@pytest.mark.parametrize(
    "text", ["14:05", "2:05 pm", "2:05pm", "2:05 p.m.", "14時5分", "午後2時5分", "十四時五分", "14:05:00"]
)
def test_times(text: str) -> None:
    assert says(text) == [{"time:14:05"}]


def test_a_time_with_seconds_says_the_minute() -> None:
    assert says("14:05:30") == [{"time:14:05:30", "time:14:05"}]
    assert says("2026-03-09T14:05Z")[1] == {"time:14:05"}


@pytest.mark.parametrize(
    "text",
    [
        "the one that failed",
        "one of the best",
        "no one knew",
        "one should stop",
        "the new one.",
        "a second later",
        "every second",
        "at first",
        "a third of",
        "hundreds of users",
        "v1.15 on 10.0.0.15",
        "一部の千葉では十分な一番",
        "数千",
        "万一",
    ],
)
def test_no_number(text: str) -> None:
    assert says(text) == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("They march 9 miles", ["9 miles"]),
        ("May 15 fail?", ["May 15"]),
        ("it may 15 times fail", ["15"]),
        ("31 February", ["31"]),
        ("March 2026", ["2026"]),
        ("a twenty second delay", ["twenty second"]),
        ("the twenty-second floor", ["twenty-second"]),
        ("the second node, 15 seconds", ["second", "15 seconds"]),
        ("two thousand, three failed", ["two thousand", "three"]),
        ("50 and $5", ["50", "$5"]),
        ("9時間", ["9時間"]),
        ("3分の1", ["3", "1"]),
        ("十分間", ["十分間"]),
    ],
)
def test_extent(text: str, found: list[str]) -> None:
    assert shown(text) == found


@given(st.text(max_size=80))
def test_any_text_is_read_and_quantities_do_not_overlap(text: str) -> None:
    normal = normalise(text)
    tokens = tokenise(normal)
    end = -1
    for quantity in quantities(normal, tokens):
        assert end < quantity.first <= quantity.number[0] < quantity.number[1] <= quantity.last + 1 <= len(tokens)
        assert quantity.wants
        assert quantity.says
        end = quantity.last


PIECES = (
    "one two twenty hundred thousand million and a half second third - , . : 15 9 14:05 2026-03-09 March May pm p m "
)
PIECES += "$ % 十 五 万 千 分 時 間 年 3 月 日 の 午後 第 数 円 the of"


@given(st.lists(st.sampled_from(PIECES.split()), max_size=12), st.sampled_from([" ", ""]))
def test_any_sequence_of_number_words_is_read(pieces: list[str], joint: str) -> None:
    normal = normalise(joint.join(pieces))
    tokens = tokenise(normal)
    assert all(quantity.last < len(tokens) for quantity in quantities(normal, tokens))
