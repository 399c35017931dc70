"""Reasons to trust a verdict less than its p value says, in the order in which they matter."""

from __future__ import annotations

from analysis.formatting import count_text
from analysis.report.answer.baseline_means import apart_text
from analysis.report.answer.facts import cautions
from analysis.report.data import ReportData


def doubts(data: ReportData) -> list[str]:
    """The doubts that stand beside the verdict, in page, panel and note; [] without a verdict.

    These are its cautions, rows that do not count, texts that are cut off, much longer or copied, other ways to score
    that give another verdict, and a baseline that scored otherwise before the search.
    """
    verdict = data.verdict
    if verdict is None:
        return []
    texts = [data.in_words(note) for note in (*verdict.data_notes, *verdict.text_notes)]
    return [each for each in (*cautions(data), *texts, other_scorings(data), apart_text(data)) if each]


def other_scorings(data: ReportData) -> str:
    """Name the ways to score that give another verdict; "" where none does."""
    verdict, table = data.verdict, data.robustness
    if verdict is None or table is None or "outcome" not in table or not len(table):
        return ""
    other = table[(table["outcome"] != verdict.outcome) & ~table["outcome"].astype(str).str.startswith("cannot")]
    if other.empty:
        return ""
    names = [f"{name} ({outcome})" for name, outcome in zip(other[table.columns[0]], other["outcome"], strict=True)]
    gives = "gives" if len(other) == 1 else "give"
    ways = count_text(len(table), "way")
    return f"Of {ways} to score the same texts, {len(other)} {gives} another verdict: {', '.join(names)}."
