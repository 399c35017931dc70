"""The baseline's means by stage: several samples of one configuration, with the reason why they differ."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd

from analysis.formatting import count_text, decimals
from analysis.report.data import ReportData

_Z95 = 1.959964
_REMEDY = "see whether the machine changed in between, or repeat with more seeds"
_STAGES = {"floor": "before the search", "explore": "in the search", "confirm": "in the confirmation"}


def baseline_means_text(data: ReportData) -> str:
    """Each stage's mean of the baseline with its number of generations; "" where there are not two stages.

    The stages use other seeds, so their means differ by chance. The sentence says by how much, so that nobody takes
    that for a change.
    """
    found = _by_stage(data)
    if len(found) < 2:
        return ""
    digits = decimals(*(float(part["mean"]) for _, part in found))
    text = f"The baseline scored {_means(found, digits)}: samples of the same settings by other seeds"
    usual, apart = _usual(data, found), _apart(found)
    if usual == 0:
        return f"{text}."
    beyond = f" These differ by {apart:.{digits}f}, which is rare: {_REMEDY}." if apart > usual else ""
    return f"{text}. By chance alone such means differ by up to {usual:.{digits}f} in 95 of 100 studies.{beyond}"


def apart_text(data: ReportData) -> str:
    """Say that the baseline's last two means differ by more than chance makes likely; "" where they do not."""
    found = _by_stage(data)
    if len(found) < 2 or not 0 < (usual := _usual(data, found)) < _apart(found):
        return ""
    digits = decimals(*(float(part["mean"]) for _, part in found))
    return (
        f"The baseline scored {_means(found[-2:], digits)}, and chance makes up to {usual:.{digits}f} of difference in"
        f" 95 of 100 studies: {_REMEDY}."
    )


def _by_stage(data: ReportData) -> list[tuple[str, pd.Series[Any]]]:
    """The baseline's stages in words, each with its means; in their order."""
    parts = data.baseline_by_stage
    named = _STAGES | ({"confirm": "in the comparison"} if data.is_comparison else {})
    return [(words, parts[stage]) for stage, words in named.items() if stage in parts]


def _means(found: list[tuple[str, pd.Series[Any]]], digits: int) -> str:
    texts = [f"{part['mean']:.{digits}f} {words} ({count_text(int(part['n']), 'generation')})" for words, part in found]
    return f"{', '.join(texts[:-1])} and {texts[-1]}"


def _usual(data: ReportData, found: list[tuple[str, pd.Series[Any]]]) -> float:
    """The difference of the last two means that chance exceeds in 5 of 100 studies; 0 without noise."""
    return _Z95 * data.noise_sd * math.sqrt(sum(1 / int(part["n"]) for _, part in found[-2:]))


def _apart(found: list[tuple[str, pd.Series[Any]]]) -> float:
    return abs(float(found[-1][1]["mean"]) - float(found[-2][1]["mean"]))
