"""Words of the report that a first reader may not know, with their meaning."""

from __future__ import annotations

import re

from markupsafe import Markup, escape

from analysis.report.data import ReportData

WORDS = {
    "baseline": "your current settings",
    "finalist": "the best settings that the search found; the confirmation compares them with the baseline",
    "trial": "one set of options that the search tried",
    "seed": "the start of the model's random numbers; another seed gives another text",
    "generation": "one request to the model and its text",
    "fresh generation": "a text made to compare the settings, with a seed that no search used",
    "confirmation": "the last stage: baseline and finalist on equally many fresh generations; only it decides",
    "floor": "the first stage: the baseline again and again, to measure how much scores vary by chance",
    "arm": "one side of a comparison: the texts of one of its two settings",
    "look": "a planned check while the fresh generations arrive, which may end the comparison early",
    "item": "one fact of a case's rubric, with its importance from level 1 (essential) to 5 (incidental)",
    "noise band": "the baseline's mean, and how far a trial's mean may lie from it by chance in 95 of 100 cases",
    "95% interval": "a range that holds the true value in 95 of 100 such studies",
}
"""Words in their singular, with their meaning."""

_OF_A_SEARCH = ("finalist", "trial", "confirmation", "noise band")
_EXPLAINED = ("arm", "look", "floor")
_FOUND = re.compile(rf"\b({'|'.join(_EXPLAINED)})(s?)\b")


def words_for(data: ReportData) -> dict[str, str]:
    """The words that a study's page can have, with their meaning."""
    unused = _OF_A_SEARCH if data.is_comparison else ()
    return {word: meaning for word, meaning in WORDS.items() if word not in unused}


def explained(text: str) -> Markup:
    """A sentence whose least common words have their meaning on pointing at them; everything else is escaped."""
    parts, at = Markup(""), 0
    for found in _FOUND.finditer(text):
        parts += escape(text[at : found.start()])
        parts += Markup('<abbr title="{}">{}</abbr>').format(WORDS[found[1]], found[0])
        at = found.end()
    return parts + escape(text[at:])
