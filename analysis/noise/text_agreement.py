"""Agreement of texts that were generated twice from one request: by two hosts, or by one host again.

The table `texts` has one row per generation with the columns `host`, `case`, `seed`, `repeat` and `text`. A request is
a case with a seed, under fixed options. Requests are the independent units: repeats of one request on a host that
repeats itself add no information.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import special

from analysis.arrays import BoolArray, FloatArray, IntArray
from analysis.noise.ngrams import pair_similarity
from analysis.observations.table import require_columns

TEXT_COLUMNS = ("host", "case", "seed", "repeat", "text")
"""Columns of a table of texts; all rows were generated with the same options."""

PAIR_COLUMNS = ("case", "seed", "text_a", "text_b")
"""Columns of a table of pairs: two texts for the same request."""

Tokenize = Callable[[str], Sequence[str]]


@dataclass(frozen=True)
class TextAgreement:
    """The agreement of pairs of texts for the same request.

    Attributes:
        n: Number of requests, the independent units.
        pairs: Number of pairs; more than `n` where requests were repeated.
        identical: Requests for which all pairs are identical.
        share: Mean over requests of the share of identical pairs; NaN without a request.
        low: Lower end of its Wilson interval, with requests as the units.
        high: Upper end.
        level: Confidence level of the interval.
        first_difference: Median position of the first token that differs, from 1, over the pairs that differ; NaN
            where none does.
        prefix_share: Mean length of the common beginning over the length of the longer text, in tokens, in [0, 1].
        similarity: Mean cosine of character 3-grams, in [0, 1].
        unit: Unit of the positions: "words", or the name given with the tokenizer.
    """

    n: int
    pairs: int
    identical: int
    share: float
    low: float
    high: float
    level: float
    first_difference: float
    prefix_share: float
    similarity: float
    unit: str

    def as_dict(self) -> dict[str, Any]:
        """Return the fields, ready for JSON."""
        return {name: None if _is_nan(value) else value for name, value in asdict(self).items()}


def _is_nan(value: object) -> bool:
    return isinstance(value, float) and math.isnan(value)


def text_agreement(
    pairs: pd.DataFrame,
    *,
    level: float = 0.95,
    greedy: bool = False,
    tokenize: Tokenize | None = None,
    unit: str = "tokens",
) -> TextAgreement:
    """Compare pairs of texts.

    Args:
        pairs: A table with the columns PAIR_COLUMNS; see `pairs_between` and `pairs_within`.
        level: Confidence level of the interval (Wilson 1927).
        greedy: Whether the texts were generated at temperature 0. Seeds change nothing there, so cases are the units.
        tokenize: Function that splits a text into tokens; by default words with the white space before them.
        unit: Name of those tokens.

    Raises:
        TableError: A column is missing.
    """
    if not len(pairs):
        none = math.nan
        return TextAgreement(0, 0, 0, none, none, none, level, none, none, none, unit if tokenize else "words")
    require_columns(pairs, PAIR_COLUMNS)
    first, second = pairs["text_a"].tolist(), pairs["text_b"].tolist()
    same = np.array([a == b for a, b in zip(first, second, strict=True)])
    by_request = share_by_request(same, unit_codes(pairs, greedy=greedy))
    n, share = len(by_request), float(by_request.mean())
    low, high = wilson(share, n, level)
    split = tokenize or words_of
    lengths = [_common(split(a), split(b)) for a, b in zip(first, second, strict=True)]
    differing = [common + 1 for (common, _), equal in zip(lengths, same, strict=True) if not equal]
    return TextAgreement(
        n=n,
        pairs=len(pairs),
        identical=int((by_request == 1).sum()),
        share=share,
        low=low,
        high=high,
        level=level,
        first_difference=float(np.median(differing)) if differing else math.nan,
        prefix_share=float(np.mean([common / longer if longer else 1.0 for common, longer in lengths])),
        similarity=float(pair_similarity(first, second).mean()),
        unit=unit if tokenize else "words",
    )


def wilson(share: float, n: int, level: float = 0.95) -> tuple[float, float]:
    """Return Wilson's (1927) interval of a share.

    `scipy.stats.binomtest` has it for counts only. Here a unit may count in part: as the share of its identical pairs.
    Such units vary less than units that count as 0 or 1, so the interval is cautious.

    Args:
        share: The share, in [0, 1].
        n: Number of independent units behind it, at least 1.
        level: Confidence level.
    """
    z = float(special.ndtri((1 + level) / 2))
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return max(0.0, min(centre - half, share)), min(1.0, max(centre + half, share))


def share_by_request(happened: BoolArray, request: IntArray) -> FloatArray:
    """Return the share of pairs of each request for which something happened, shape (requests,).

    Args:
        happened: Whether it happened, shape (pairs,).
        request: Code of the request of each pair (`unit_codes`), without gaps.
    """
    return np.asarray(np.bincount(request, weights=happened) / np.bincount(request))


def unit_codes(rows: pd.DataFrame, *, greedy: bool = False) -> IntArray:
    """Return the code of the request of each row, shape (rows,): of case and seed, or of the case where greedy."""
    keys = list(zip(*(rows[name].tolist() for name in (["case"] if greedy else ["case", "seed"])), strict=True))
    code = {key: place for place, key in enumerate(sorted(set(keys), key=lambda key: tuple(map(str, key))))}
    return np.array([code[key] for key in keys], dtype=np.int64)


def words_of(text: str) -> list[str]:
    """Return the words of a text, each with the white space before it; joined they are the text."""
    return re.findall(r"\s*\S+|\s+$", text)


def _common(first: Sequence[str], second: Sequence[str]) -> tuple[int, int]:
    """Return the number of tokens of the common beginning, and of the longer text."""
    shorter = min(len(first), len(second))
    common = next((place for place in range(shorter) if first[place] != second[place]), shorter)
    return common, max(len(first), len(second))


def pairs_between(texts: pd.DataFrame, host_a: str, host_b: str) -> pd.DataFrame:
    """Return the pairs of two hosts: the texts for the same request and repeat.

    Args:
        texts: A table with the columns TEXT_COLUMNS.
        host_a: Label of the host of `text_a`.
        host_b: Label of the host of `text_b`.

    Returns:
        A table with the columns PAIR_COLUMNS and `repeat`; no row where the hosts share no request.
    """
    first, second = _by_request(texts, host_a), _by_request(texts, host_b)
    rows = [
        (*request, first[request][repeat], second[request][repeat], repeat)
        for request in sorted(first.keys() & second.keys())
        for repeat in sorted(first[request].keys() & second[request].keys())
    ]
    return pd.DataFrame(rows, columns=[*PAIR_COLUMNS, "repeat"])


def pairs_within(texts: pd.DataFrame, host: str) -> pd.DataFrame:
    """Return the pairs of a host with itself: all pairs of repeats of a request.

    Args:
        texts: A table with the columns TEXT_COLUMNS.
        host: Label of the host.

    Returns:
        A table with the columns PAIR_COLUMNS; no row where nothing was repeated.
    """
    rows = [
        (*request, *pair)
        for request, repeats in sorted(_by_request(texts, host).items())
        for pair in itertools.combinations([text for _, text in sorted(repeats.items())], 2)
    ]
    return pd.DataFrame(rows, columns=list(PAIR_COLUMNS))


def _by_request(texts: pd.DataFrame, host: str) -> dict[tuple[Any, Any], dict[Any, str]]:
    """Return a host's texts by (case, seed) and repeat."""
    require_columns(texts, TEXT_COLUMNS)
    found: dict[tuple[Any, Any], dict[Any, str]] = {}
    for label, case, seed, repeat, text in zip(*(texts[name].tolist() for name in TEXT_COLUMNS), strict=True):
        if label == host:
            found.setdefault((case, seed), {})[repeat] = text
    return found
