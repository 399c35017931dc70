"""Answers in another language than their rubric, whose items they can hardly cover."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from analysis.formatting import count_text
from objectives.languages import language_of, language_of_rubric

_LEAST_SHARE = 0.05
"""Share of the texts in another language from which there is a note."""


def language_notes(answers: Sequence[Mapping[str, Any]]) -> list[str]:
    """A note on texts in another language than the items of their case; [] for a few, or none.

    Args:
        answers: Rows of `sweeps.scoring.rows.answer_row`.
    """
    wanted: dict[str, str] = {}
    pairs: Counter[tuple[str, str]] = Counter()
    scores: list[float] = []
    for answer in answers:
        case = str(answer["case"])
        if case not in wanted:
            wanted[case] = language_of_rubric(map(str, [*answer["covered"], *answer["missed"]]))
        given = language_of(str(answer["text"]))
        if given and wanted[case] and given != wanted[case]:
            pairs[given, wanted[case]] += 1
            scores.append(float(answer["score"]))
    if not scores or len(scores) < _LEAST_SHARE * len(answers):
        return []
    named = ", ".join(f"{given} for {expected}" for (given, expected), _ in pairs.most_common(3))
    many = f"{len(scores)} of {count_text(len(answers), 'text')} {'is' if len(scores) == 1 else 'are'}"
    return [
        f"{many} in another language than the rubric ({named}), with"
        f" a mean score of {sum(scores) / len(scores):.3f}. Items are compared word by word: name the language in the"
        " prompt."
    ]
