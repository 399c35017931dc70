"""Three levels of sameness of two hosts: identical texts, equivalent texts, same quality."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

import numpy as np
import pandas as pd

from analysis.arrays import FloatArray
from analysis.noise.ngrams import pair_similarity
from analysis.noise.text_agreement import TextAgreement, share_by_request, unit_codes, wilson
from analysis.observations.table import require_columns
from analysis.sameness.host_quality import HostQuality

Level = Literal["identical", "equivalent", "same-quality"]
LEVELS: tuple[Level, ...] = get_args(Level)
"""The levels, the strictest first; each includes the next."""

Met = Literal["met", "not met", "not shown"]

SIMILARITY = 0.8
"""Default similarity from which two texts are equivalent, if they cover the same items."""

SHARE = 0.8
"""Default share of requests that must be alike, by the lower end of its interval."""

Embed = Callable[[Sequence[str]], FloatArray]
"""Function from texts to vectors, shape (texts, dimensions)."""


@dataclass(frozen=True)
class LevelResult:
    """One level of sameness of two hosts.

    Attributes:
        level: The level.
        met: "met", "not met", or "not shown" where the data do not suffice.
        share: Share of requests that are alike, or the difference of mean scores for "same-quality".
        low: Lower end of its interval.
        high: Upper end.
        bound: The share that `low` must reach, or the margin.
        n: Number of requests, or of scores.
        sentence: The result in words.
    """

    level: Level
    met: Met
    share: float
    low: float
    high: float
    bound: float
    n: int
    sentence: str

    def as_dict(self) -> dict[str, Any]:
        """Return the fields, ready for JSON."""
        return asdict(self)


def sameness(
    pairs: pd.DataFrame,
    agreement: TextAgreement,
    quality: HostQuality | None = None,
    *,
    embed: Embed | None = None,
    similarity: float = SIMILARITY,
    share: float = SHARE,
    greedy: bool = False,
) -> tuple[LevelResult, LevelResult, LevelResult]:
    """Judge the three levels of sameness of two hosts.

    - Identical: no pair of texts differs, and the interval of the share of identical requests begins at `share` or
      above. A single differing pair is enough for "not met".
    - Equivalent: a pair is equivalent if the texts are identical, or cover the same items with a similarity of at least
      `similarity`. The level is met if the interval of the share of such requests begins at `share` or above, and not
      met if it ends below.
    - Same quality: the outcome of `host_quality`.

    Args:
        pairs: Pairs of both hosts' texts (`text_agreement.pairs_between`). Columns `covered_a` and `covered_b` hold the
            names of the covered items, as anything that can be compared; without them items are not known.
        agreement: Agreement of these pairs.
        quality: Quality of the two hosts; None where there are no scores.
        embed: Function for the similarity of texts; without one it is the cosine of character 3-grams.
        similarity: Bound for two texts, in [0, 1].
        share: Bound for the share of requests, in [0, 1].
        greedy: Whether the temperature is 0, so that cases are the units.

    Returns:
        A result per level, in the order of LEVELS.
    """
    equivalent = _equivalent(pairs, embed, similarity, share, greedy=greedy)
    return _identical(agreement, share), equivalent, _same_quality(quality)


def _identical(agreement: TextAgreement, bound: float) -> LevelResult:
    met: Met = "not met" if agreement.share < 1 else "met" if agreement.low >= bound else "not shown"
    found = f"Identical texts for {agreement.identical} of {agreement.n} requests"
    said = f"{found}{_interval(agreement.low, agreement.high)}."
    return LevelResult("identical", met, agreement.share, agreement.low, agreement.high, bound, agreement.n, said)


def _interval(low: float, high: float) -> str:
    return "" if math.isnan(low) else f" (share between {low:.0%} and {high:.0%})"


def _equivalent(
    pairs: pd.DataFrame, embed: Embed | None, similarity: float, share: float, *, greedy: bool
) -> LevelResult:
    if not len(pairs):
        none = math.nan
        return LevelResult("equivalent", "not shown", none, none, none, share, 0, "No pair of texts to compare.")
    require_columns(pairs, ("case", "seed", "text_a", "text_b"))
    first, second = pairs["text_a"].tolist(), pairs["text_b"].tolist()
    alike = _similarity(first, second, embed) >= similarity
    said = f"a similarity of at least {similarity:g}"
    if {"covered_a", "covered_b"} <= set(pairs.columns):
        alike &= np.array([_items(a) == _items(b) for a, b in zip(pairs["covered_a"], pairs["covered_b"], strict=True)])
        said = f"the same items and {said}"
    alike |= np.array([a == b for a, b in zip(first, second, strict=True)])
    by_request = share_by_request(alike, unit_codes(pairs, greedy=greedy))
    n, mean = len(by_request), float(by_request.mean())
    low, high = wilson(mean, n)
    met: Met = "met" if low >= share else "not met" if high < share else "not shown"
    sentence = f"Equivalent texts ({said}) for {mean:.0%} of {n} requests{_interval(low, high)}."
    return LevelResult("equivalent", met, mean, low, high, share, n, sentence)


def _items(covered: Any) -> Any:
    """Return covered items in a form that can be compared, whatever their order."""
    return covered if isinstance(covered, str) or not hasattr(covered, "__iter__") else frozenset(covered)


def _similarity(first: Sequence[str], second: Sequence[str], embed: Embed | None) -> FloatArray:
    if embed is None:
        return pair_similarity(first, second)
    vectors = np.asarray(embed([*first, *second]), dtype=np.float64)
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit = vectors / np.where(lengths > 0, lengths, 1.0)
    return np.asarray((unit[: len(first)] * unit[len(first) :]).sum(axis=1))


def _same_quality(quality: HostQuality | None) -> LevelResult:
    if quality is None:
        none = math.nan
        return LevelResult("same-quality", "not shown", none, none, none, none, 0, "No scores to compare.")
    outcomes: dict[str, Met] = {"same": "met", "differs": "not met", "not shown": "not shown"}
    return LevelResult(
        "same-quality", outcomes[quality.outcome], quality.effect, quality.low, quality.high, quality.margin, quality.n,
        quality.sentence,
    )  # fmt: skip


def is_met(results: Sequence[LevelResult], required: Level) -> bool:
    """Say whether hosts meet a level: they do if this level or a stricter one is met.

    Args:
        results: The results of `sameness`.
        required: The level.

    Raises:
        ValueError: There is no such level.
    """
    if required not in LEVELS:
        raise ValueError(f"no level {required!r}; there are {', '.join(LEVELS)}")
    enough = LEVELS[: LEVELS.index(required) + 1]
    return any(each.met == "met" for each in results if each.level in enough)
