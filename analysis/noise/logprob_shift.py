"""Shifts of log probabilities between two runs of the same prompts: how far apart are their numbers?

A run is a table with one row per prompt and listed token of the first answer position: `prompt`, `token`, `logprob`.
Engines list the likeliest tokens only, so tokens that one run lacks do not count.

No fixed threshold can be right. A host's own paths (prompt cached or not, another batch size) shift log probabilities
by amounts that depend on build, hardware and model. So a shift between hosts is held against the hosts' own shifts.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from scipy import stats

from analysis.arrays import FloatArray
from analysis.observations.table import TableError, require_columns

LOGPROB_COLUMNS = ("prompt", "token", "logprob")
"""Columns of a run."""

Numerics = Literal["same numbers", "within own shifts", "beyond own shifts", "not decided"]


@dataclass(frozen=True)
class LogprobShift:
    """Shifts between two runs.

    Attributes:
        prompts: Prompts that both runs have, sorted.
        tokens: Number of tokens that both list, over all prompts.
        largest: Largest absolute shift of a log probability; NaN without a shared token.
        mean: Mean absolute shift over prompts of the mean over their tokens.
        argmax_changed: Number of prompts whose likeliest token changed.
        rank_changed: Share of shared tokens whose rank among them changed.
        by_prompt: Mean absolute shift of each prompt, shape (prompts,); NaN without a shared token.
    """

    prompts: tuple[str, ...]
    tokens: int
    largest: float
    mean: float
    argmax_changed: int
    rank_changed: float
    by_prompt: tuple[float, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return the fields, ready for JSON."""
        return asdict(self)


def logprob_shift(a: pd.DataFrame, b: pd.DataFrame) -> LogprobShift:
    """Compare the log probabilities of two runs of the same prompts.

    Args:
        a: A run: a table with the columns LOGPROB_COLUMNS, natural logarithms.
        b: The other.

    Raises:
        TableError: A column is missing, a token is listed twice for a prompt, or the runs share no prompt.
    """
    first, second = _by_prompt(a), _by_prompt(b)
    shared = sorted(set(first) & set(second))
    if not shared:
        raise TableError("the runs have no prompt in common: run both on the same prompts")
    shifts, moved, argmax_changed = [], 0, 0
    for prompt in shared:
        one, other = first[prompt], second[prompt]
        both = [token for token in one if token in other]
        values = np.array([[one[token], other[token]] for token in both]).reshape(-1, 2)
        shifts.append(np.abs(values[:, 0] - values[:, 1]))
        ranks = stats.rankdata(values, axis=0) if len(both) else values
        moved += int((ranks[:, 0] != ranks[:, 1]).sum())
        argmax_changed += _likeliest(one) != _likeliest(other)
    every = np.concatenate(shifts)
    by_prompt = [float(each.mean()) if len(each) else math.nan for each in shifts]
    known = [each for each in by_prompt if not math.isnan(each)]
    return LogprobShift(
        prompts=tuple(shared),
        tokens=len(every),
        largest=float(every.max()) if len(every) else math.nan,
        mean=float(np.mean(known)) if known else math.nan,
        argmax_changed=argmax_changed,
        rank_changed=moved / len(every) if len(every) else math.nan,
        by_prompt=tuple(by_prompt),
    )


def _by_prompt(run: pd.DataFrame) -> dict[str, dict[str, float]]:
    """Return the log probability of each token by prompt."""
    require_columns(run, LOGPROB_COLUMNS)
    found: dict[str, dict[str, float]] = {}
    for prompt, token, logprob in zip(*(run[name].tolist() for name in LOGPROB_COLUMNS), strict=True):
        own = found.setdefault(str(prompt), {})
        if token in own:
            raise TableError(f"token {token!r} is listed twice for {prompt!r}: give one row per prompt and token")
        own[token] = float(logprob)
    return found


def _likeliest(tokens: dict[str, float]) -> str:
    """Return the likeliest token; of several, the first in the order of the tokens."""
    return min(tokens, key=lambda token: (-tokens[token], token))


@dataclass(frozen=True)
class ShiftVerdict:
    """A shift between hosts beside the hosts' own shifts.

    Attributes:
        numerics: "same numbers" if every shift is at most the hosts' shifts on plain repeats; "beyond own shifts" if
            p is at most alpha; "within own shifts" if p is above it; "not decided" if no p at most alpha is possible.
        p_value: One-sided p that the shift between hosts is no larger than the own ones; NaN without own shifts.
        least_p: The smallest p that these numbers of prompts and own shifts can give.
        between: Mean shift between the hosts.
        own: Mean shift of each own comparison.
        repeats: Largest mean shift of a prompt between plain repeats on one host; NaN where none was measured.
        prompts: Number of prompts behind p.
        sentence: The result in words.
    """

    numerics: Numerics
    p_value: float
    least_p: float
    between: float
    own: tuple[float, ...]
    repeats: float
    prompts: int
    sentence: str

    def as_dict(self) -> dict[str, Any]:
        """Return the fields, ready for JSON."""
        return asdict(self)


def judge_shift(
    between: LogprobShift,
    own: Sequence[LogprobShift],
    repeats: Sequence[LogprobShift] = (),
    *,
    alpha: float = 0.05,
) -> ShiftVerdict:
    """Judge a shift between two hosts by the shifts on each host itself.

    For each prompt, the mean shift between the hosts gets a rank among the own shifts on that prompt. If hosts differ
    no more than one host's own paths do, every rank is equally probable. p is the exact probability of a sum of ranks
    over prompts at least as large; equal shifts share a rank.

    Args:
        between: The shift between the hosts, both on the same path (both warm, for example).
        own: Shifts between different paths on one host, of either host: cold against warm, batch against batch.
        repeats: Shifts between plain repeats on one host, of either host.
        alpha: One-sided level.
    """
    floor = max((_largest(each) for each in repeats), default=math.nan)
    ranked = _ranks(between, own)
    p_value = _rank_sum(ranked) if len(ranked) else math.nan
    least = (1 + len(own)) ** -float(len(ranked))  # where the shift between the hosts is the largest on each prompt
    shifts = np.array(between.by_prompt)
    if not math.isnan(floor) and not np.isnan(shifts).all() and np.nanmax(shifts) <= floor:
        numerics: Numerics = "same numbers"
    elif not least <= alpha:
        numerics = "not decided"
    else:
        numerics = "beyond own shifts" if p_value <= alpha else "within own shifts"
    found = ShiftVerdict(
        numerics, p_value, least, between.mean, tuple(each.mean for each in own), floor, len(ranked), ""
    )
    return ShiftVerdict(**{**asdict(found), "own": found.own, "sentence": _sentence(found)})


def _largest(shift: LogprobShift) -> float:
    known = [each for each in shift.by_prompt if not math.isnan(each)]
    return max(known, default=math.nan)


def _ranks(between: LogprobShift, own: Sequence[LogprobShift]) -> FloatArray:
    """Return twice the ranks (so that shared ranks are whole) of all shifts by prompt; the hosts' is in column 0.

    Returns:
        Shape (prompts, 1 + own shifts); prompts that a comparison lacks are left out.
    """
    columns = [dict(zip(each.prompts, each.by_prompt, strict=True)) for each in (between, *own)]
    rows = [[column.get(prompt, math.nan) for column in columns] for prompt in between.prompts]
    table = np.array([row for row in rows if len(row) > 1 and not np.isnan(row).any()])
    return 2 * stats.rankdata(table, axis=1) if len(table) else np.zeros((0, 0))


def _rank_sum(ranked: FloatArray) -> float:
    """Return the probability of a sum of ranks at least as large as that of column 0.

    Each prompt's rank is drawn from its row; the distribution of the sum is the convolution over prompts.
    """
    chances = np.ones(1)
    for row in ranked:
        chances = np.convolve(chances, np.bincount(row.astype(int)) / len(row))
    return min(1.0, float(chances[int(ranked[:, 0].sum()) :].sum()))


def _sentence(found: ShiftVerdict) -> str:
    """Return the result in words."""
    shift = f"log probabilities differ by {found.between:.2g} on average"
    own = " and ".join(f"{each:.2g}" for each in sorted(found.own))
    if found.numerics == "same numbers":
        return f"The hosts compute the same numbers: {shift}, no more than repeats on one host."
    if found.numerics == "beyond own shifts":
        return f"The {shift}, more than on one host by itself ({own}; p = {found.p_value:.2g}): not plain rounding."
    if found.numerics == "within own shifts":
        return f"The {shift}, on one host by itself {own}: plain rounding can explain it (p = {found.p_value:.2g})."
    return f"The {shift}. Own shifts of the hosts on more prompts are needed to say whether that is plain rounding."
