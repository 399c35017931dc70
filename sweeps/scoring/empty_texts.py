"""Texts without an answer: how many there are, where they come from, and what to do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from analysis.formatting import count_text
from sweeps.scoring.answers import CUT, EMPTY

Row = Mapping[str, Any]
"""A row of the observations table."""


def answered(rows: Sequence[Row]) -> list[Row]:
    """Return the rows of requests that did not fail."""
    return [row for row in rows if row["finish"] != "error"]


def mostly_empty(rows: Sequence[Row]) -> bool:
    """Whether more than half of the texts have no answer."""
    return 2 * _empty(rows) > len(answered(rows))


def empty_text(rows: Sequence[Row]) -> str:
    """Say how many texts have no answer, and how much of them is thought; "" where all have one."""
    empty = [row for row in answered(rows) if row["finish"] == EMPTY]
    if not empty:
        return ""
    many, total = len(empty), len(answered(rows))
    text = f"{many} of {count_text(total, 'text')} {'has' if many == 1 else 'have'} no answer (empty)"
    thought = [row for row in empty if (row.get("thinking_tokens") or 0) > 0]
    if not thought:
        return text
    tokens = sum(row["thinking_tokens"] for row in thought) / len(thought)
    return f"{text}; in {len(thought)} of them the model only thought, {tokens:.0f} tokens on average"


def remedy(rows: Sequence[Row]) -> str:
    """Return what to do about texts without an answer, as a clause."""
    thought = [row for row in rows if row["finish"] == EMPTY and (row.get("thinking_tokens") or 0) > 0]
    limits = sorted({row["num_predict"] for row in rows if row.get("num_predict") is not None})
    now = f" (now {', '.join(map(str, limits))})" if limits else ""
    if not thought:
        return f"look at the prompt, stop and num_predict{now}"
    return room_for_thought(thinks=any(_thinks(row.get("think")) for row in thought), now=now)


def room_for_thought(*, thinks: bool, now: str) -> str:
    """Return what leaves room for an answer, as a clause.

    Args:
        thinks: Whether the request asks for the thought. Otherwise the model may think whatever `think` is.
        now: The limit of today in brackets.
    """
    if thinks:
        return f"set think = false, or a larger num_predict{now}"
    return f"set a larger num_predict{now}, or think = false if the model's abilities include thinking"


def _thinks(cell: object) -> bool:
    """Whether a cell of the column `think` asks for a thought."""
    return isinstance(cell, str) and cell != "false"


def empty_notes(rows: Sequence[Row], baseline: str) -> list[str]:
    """Return a sentence on the texts without an answer, apart for the baseline; [] where all have one."""
    own = [row for row in rows if row["configuration"] == baseline]
    found = empty_text(rows)
    if not found:
        return unfinished_notes(own)
    of_baseline = f" (baseline: {_empty(own)} of {len(answered(own))})" if own else ""
    return [f"{found}{of_baseline}. They score 0; {remedy(rows)}."]


def unfinished_notes(own: Sequence[Row]) -> list[str]:
    """Return a sentence where all texts of the baseline score 0; else [].

    A thought whose beginning stands in the model's template shows only by its end, which such texts lack.

    Args:
        own: The baseline's rows.
    """
    texts = answered(own)
    if not texts or any(row["score"] != 0 for row in texts):
        return []
    if any(row["finish"] != "length" for row in texts):
        if any(row["finish"] == EMPTY for row in texts):
            return []
        return [
            f"All {count_text(len(texts), 'text')} of the baseline score 0. Read some of them beside the rubric,"
            " whose items may have other words, or another language, than the answers."
        ]
    limits = ", ".join(str(limit) for limit in sorted({row["num_predict"] for row in texts if row.get("num_predict")}))
    return [
        f"All {count_text(len(texts), 'text')} of the baseline are cut off at num_predict{f' {limits}' * bool(limits)}"
        " and score 0. If the model thinks first, they may be thought alone; set a larger num_predict."
    ]


def reasoning_notes(answers: Sequence[Row], reasoning: str, study: str) -> list[str]:
    """Return a sentence on the texts with reasoning inside them, and how it was scored; [] where there are none.

    Args:
        answers: Rows of `sweeps.scoring.rows.answer_row`.
        reasoning: The study's `objective.reasoning`.
        study: The study's name.
    """
    many = sum(bool(answer.get("reasons_inside")) for answer in answers)
    if not many:
        return []
    of_all = f"{many} of {count_text(len(answers), 'text')}"
    if reasoning == CUT:
        return [f"Reasoning inside {of_all} was cut off before scoring (objective.reasoning)."]
    cut = f"sweeps rescore {study} --reasoning cut"
    return [f"Reasoning inside {of_all} was scored as part of the answer; to cut it off: {cut}."]


def _empty(rows: Sequence[Row]) -> int:
    return sum(row["finish"] == EMPTY for row in rows)
