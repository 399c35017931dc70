"""Verdicts as a notebook shows them."""

from __future__ import annotations

import math
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest

from analysis import judge_one
from analysis.html_table import html_table


class Cells(HTMLParser):
    """Texts of the cells, and the tags that are still open."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.cells: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.open.append(tag)
        if tag in ("th", "td"):
            self.cells.append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open[-1] in ("th", "td"):
            self.cells[-1] += data


def observations(finalist: list[float]) -> pd.DataFrame:
    rows = [("base", "c", seed, score) for seed, score in enumerate([0.4, 0.5, 0.6])]
    rows += [("<b>new</b>", "c", seed, score) for seed, score in enumerate(finalist)]
    return pd.DataFrame(rows, columns=["configuration", "case", "seed", "score"])


def test_everything_is_escaped_and_empty_values_are_left_out() -> None:
    html = html_table("<t>", {"<n>": "a & b", "none": ""}, "<p>", "")
    assert html.count("<p>") == 2
    cells = Cells(html)
    assert cells.cells == ["<n>", "a & b"]
    assert not cells.open


def test_a_verdict_shows_its_numbers() -> None:
    # Means 0.5 and 0.8, sd 0.1 each: standard error 0.1 * sqrt(2 / 3) = 0.0816 on 4 degrees of freedom.
    verdict = judge_one(observations([0.7, 0.8, 0.9]), baseline="base", test="pooled")
    half = 2.776445 * 0.1 * math.sqrt(2 / 3)
    shown = Cells(verdict._repr_html_())
    assert not shown.open
    assert dict(zip(shown.cells[::2], shown.cells[1::2], strict=True)) == {
        "effect": f"+0.300, 95% interval {0.3 - half:+.3f} to {0.3 + half:+.3f}",
        "p value": "0.021",
        "mean score": "0.800, baseline 0.500",
        "based on": "3 generations each, 1 case",
    }
    assert "<b>new</b>" not in verdict._repr_html_()
    assert "&lt;b&gt;new&lt;/b&gt;: better" in verdict._repr_html_()


def test_a_verdict_without_noise_shows_no_p_value() -> None:
    table = observations([0.7, 0.8, 0.9]).assign(temperature=0.0)
    verdict = judge_one(table[table["seed"] == 0], baseline="base")
    assert np.isnan(verdict.p_value)
    shown = Cells(verdict._repr_html_()).cells
    assert shown[:2] == ["effect", "+0.300"]
    assert "p value" not in shown


@pytest.mark.parametrize("name", ["effect", "p value", "mean score", "based on"])
def test_facts_are_words(name: str) -> None:
    verdict = judge_one(observations([0.7, 0.8, 0.9]), baseline="base")
    assert "nan" not in verdict.facts[name]


def test_a_printed_verdict_is_its_sentence_with_what_to_do_and_every_doubt() -> None:
    plain = judge_one(observations([0.5, 0.6, 0.8]), baseline="base")
    doubtful = replace(plain, cautions=("one doubt",), text_notes=("the texts are long",))
    shown = str(doubtful).splitlines()
    assert shown[0] == f"{plain.outcome}: {plain.sentence}"
    assert shown[-2:] == ["! one doubt", "! the texts are long"]
    assert plain.advice in shown
    assert str(replace(plain, advice="", cautions=(), text_notes=())) == shown[0]
