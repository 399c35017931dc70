"""Texts without their markup, and the items that they cover in every dress that models give them."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from objectives.case import Case, Item
from objectives.compare.marks import marked_pieces
from objectives.coverage import CoverageObjective
from objectives.markup import plain
from objectives.text import normalise, tokenise

EN = (
    "Ben rolled back to v1.14.1 because the retry policy exhausted the connection pool.\n"
    "The outage lasted 2 hours and the logs take 1.5 GB.\nAna Lopez writes the post-mortem by 9 March."
)
FR = "Émile a remplacé le filtre à 14 h 30.\nL'arrêt a coûté 12 000 €.\nLa réunion aura lieu le 9 mars."
JA = "佐藤さんがバージョン1.14.1に戻した。\n障害は2時間続いた。\n田中さんが3月9日までに報告書を書く。"


def case(*items: Item) -> Case:
    return Case("c", "log", items)


CASES = {
    "en": (
        case(
            Item("pool", "The retry policy exhausted the connection pool.", 1),
            Item("fix", "Rolled back.", 1, any=("v1.14.1",)),
            Item("hours", "It took 2 hours.", 1, any=("2 hours",)),
            Item("logs", "1.5 GB of logs.", 1, all=("logs", "1.5 GB")),
            Item("report", "Ana Lopez writes it.", 1, any=("Ana Lopez writes",), regex=("post-mortem by 9",)),
        ),
        EN,
    ),
    "fr": (
        case(
            Item("who", "Émile a remplacé le filtre.", 1),
            Item("when", "x", 1, any=("14 h 30",)),
            Item("cost", "x", 1, any=("12000 €", "12 000 €")),
            Item("date", "x", 1, any=("9 mars",)),
        ),
        FR,
    ),
    "ja": (
        case(
            Item("who", "佐藤さんがバージョン1.14.1に戻した。", 1),
            Item("time", "x", 1, any=("2時間",)),
            Item("date", "x", 1, any=("3月9日",)),
        ),
        JA,
    ),
}


def _around(left: str, right: str = "", pattern: str = r"\d[\d.]*\d|\d") -> Callable[[str], str]:
    return lambda text: re.sub(pattern, lambda found: f"{left}{found[0]}{right or left}", text)


LONG = r"(?<![\w.])[A-Za-z]{6,}(?![\w.-])"


def _hidden(sign: str) -> Callable[[str], str]:
    return lambda text: re.sub(r"(?<=\w\w)(?=\w\w)", sign, text)


DRESSES: dict[str, Callable[[str], str]] = {
    "bold numbers": _around("**"),
    "bold words": _around("***", pattern=LONG),
    "italic words": _around("_", pattern=LONG),
    "code": _around("`"),
    "struck": _around("~~", pattern=LONG),
    "html bold": _around("<b>", "</b>"),
    "html with attributes": _around('<span class="x">', "</span>", LONG),
    "html lines": lambda text: "<p>" + text.replace("\n", "</p><p>") + "</p>",
    "breaks": lambda text: text.replace("\n", "<br/>"),
    "table": lambda text: "| Fact |\n|---|\n" + "".join(f"| {line} |\n" for line in text.split("\n")),
    "links": _around("[", "](https://example.org/a)", LONG),
    "mathematics": _around("$", pattern=r"(?<![A-Za-z])(?:\d[\d.]*\d|\d)"),
    "brackets of mathematics": _around("\\(", "\\)"),
    "latex": _around("\\textbf{", "}", LONG),
    "escaped marks": lambda text: re.sub(r"([.\-])", r"\\\1", text),
    "no-break entities": lambda text: html.escape(text).replace(" ", "&nbsp;"),
    "entities": lambda text: "".join(char if ord(char) < 128 else f"&#{ord(char)};" for char in text),
    "json": lambda text: json.dumps({"summary": text}),
    "json in a fence": lambda text: (
        f"Here it is:\n```json\n{json.dumps({'facts': text.split(chr(10))}, indent=1)}\n```"
    ),
    "json cut off": lambda text: json.dumps({"summary": text, "more": "x"})[:-9],
    "json within json": lambda text: json.dumps({"answer": json.dumps({"summary": text})}),
    "json, letters as they are": lambda text: json.dumps({"summary": text}, ensure_ascii=False),
    "escaped lines": lambda text: text.replace("\n", "\\n"),
    "soft hyphens": _hidden("\u00ad"),
    "zero width": _hidden("\u200b"),
    "joiners": _hidden("\u2060"),
    "marks of direction": lambda text: text.replace(" ", "\u200e \u200e"),
    "keycaps": _around("", "\ufe0f\u20e3", r"\b2\b"),
    "byte order mark": lambda text: "\ufeff" + text,
    "pieces": lambda text: text.replace(" ", "\u2581"),
    "bytes": lambda text: text.replace(" ", "\u0120"),
    "special tokens": lambda text: f"<|im_start|>{text}<|im_end|>",
}


@pytest.mark.parametrize("language", CASES)
@pytest.mark.parametrize("dress", DRESSES)
def test_markup_changes_no_item(language: str, dress: str) -> None:
    objective, (rubric, text) = CoverageObjective(), CASES[language]
    bare, dressed = objective.score(rubric, text), objective.score(rubric, DRESSES[dress](text))
    assert dressed.missed == bare.missed == ()
    assert dressed.score == pytest.approx(bare.score, abs=0.1)


@pytest.mark.parametrize(
    "text",
    [
        "It costs $5 and the other $10.",
        "2*3 = 6, 2 * 3 = 6, 2**3 = 8, and max_pool_size is snake_case",
        "if a < b and b > c then List<String>",
        "C:\\new\\table and \\\\server\\share".replace("\\\\", "\\"),
        "don't, O'Brien, 'quoted'",
        "AT&T & R&D; x&y",
        "a_b_c, f(x)[0](y)",
    ],
)
def test_what_is_no_markup_stays(text: str) -> None:
    assert plain(text) == text


def test_lines_are_joined_within_a_sentence_only() -> None:
    assert plain("half of\n  the  range.\n- Ben\n- the pump\nAna") == "half of the range.\n- Ben\n- the pump\nAna"
    assert plain("on\n12 March, in short\n1. Ben\n2) Ana") == "on 12 March, in short\n1. Ben\n2) Ana"
    item = Item("range", "x", 1, regex=("half of the range", "Ana.*report"))
    assert CoverageObjective().score(case(item), "Power at half of\nthe range.").score == 1
    assert CoverageObjective().score(case(item), "- Ana: alert\n- Ben: report").score == 0


@pytest.mark.parametrize("text", ["| 12 | The tank A is drained. |", "- [x] The tank A is drained."])
def test_numbers_of_rows_and_boxes_are_no_labels(text: str) -> None:
    assert "12" not in plain(text)
    assert CoverageObjective().score(case(Item("tank", "The tank A is drained.", 1)), text).missed == ()


def test_half_of_a_pair_of_escapes_stays_as_it_is() -> None:
    assert plain("\\ud83d\\ude00 \\ud83d.") == "😀 \\ud83d."


@given(
    st.text(st.sampled_from("aB1 2*_`~<>b/&;$\\.-\n"), max_size=30), st.text(st.sampled_from("ab1 *_`\n"), max_size=9)
)
def test_appending_changes_nothing_before(text: str, more: str) -> None:
    before = [token.key for token in tokenise(normalise(plain(text)))]
    assert [token.key for token in tokenise(normalise(plain(f"{text}\n{more}")))][: len(before)] == before


def test_stretches_are_marked_where_markup_parts_their_words() -> None:
    item = Item("hours", "It took 2 hours.", 1, any=("2 hours",))
    text = "It took **2** hours."
    score = CoverageObjective().score(case(item), text)
    assert [piece.text for piece in marked_pieces(case(item), text, score.matches) if piece.items] == ["2 hours"]


def test_a_regular_expression_may_ask_for_markup() -> None:
    item = Item("bold", "x", 1, regex=(r"\*\*2\*\*",))
    assert CoverageObjective().score(case(item), "It took **2** hours.").score == 1


@pytest.mark.parametrize("part", [" ", "\n", " \n", "[", "`", "*a", "_", "$a ", "<a x=", "\\", "|1\n", "ab-\n"])
def test_a_loop_of_signs_ends(part: str) -> None:
    """Such a text took minutes where the work grew with the square of its length."""
    assert len(plain(part * 60_000)) <= len(part) * 60_000
