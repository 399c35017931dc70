"""What a text costs: words, tokens and seconds, of each arm, of each host and of the whole study."""

from __future__ import annotations

import math
from dataclasses import dataclass

import pandas as pd

from analysis.observations import views


@dataclass(frozen=True)
class Cost:
    """Means per generation; NaN where the table does not say.

    Attributes:
        n: Generations with a score.
        words: Words of the answer.
        answer_tokens: Tokens of the answer; those of answer and thought where the table has no others.
        output_tokens: Tokens of the answer and of the thought before it.
        seconds: Seconds of the request, without the wait for the server and the load of the model.
        tokens_per_second: Output tokens per second of decoding, over all generations that report both.
    """

    n: int
    words: float
    answer_tokens: float
    output_tokens: float
    seconds: float
    tokens_per_second: float


def cost_of(observations: pd.DataFrame) -> Cost:
    """Return the mean cost of the generations with a score."""
    rows = views.usable(observations)
    tokens, output = _mean(rows, "answer_tokens"), _mean(rows, "output_tokens")
    return Cost(
        n=len(rows),
        words=_mean(rows, "words"),
        answer_tokens=output if math.isnan(tokens) else tokens,
        output_tokens=output,
        seconds=float(views.request_seconds(rows).mean()) if "seconds" in rows else math.nan,
        tokens_per_second=_speed(rows),
    )


def generating_seconds(observations: pd.DataFrame) -> float:
    """Return the seconds that the requests took, on the host that took longest; NaN where the table does not say."""
    if "seconds" not in observations:
        return math.nan
    seconds = observations["seconds"].astype(float)
    if "host" not in observations:
        return float(seconds.sum())
    return float(seconds.groupby(observations["host"], observed=True).sum().max())


def duration_text(seconds: float) -> str:
    """A duration for people: `42 s`, `3 min 20 s`, `2 h 5 min`; a dash where it is unknown."""
    if not math.isfinite(seconds):
        return "–"
    whole = round(seconds)
    if whole < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"


def _mean(rows: pd.DataFrame, column: str) -> float:
    if column not in rows or not rows[column].notna().any():
        return math.nan
    return float(rows[column].astype("Float64").mean())


def _speed(rows: pd.DataFrame) -> float:
    """Output tokens per second; of the whole request where nothing is known of decoding."""
    column = "decode_seconds" if "decode_seconds" in rows and rows["decode_seconds"].gt(0).any() else "seconds"
    if column not in rows or "output_tokens" not in rows:
        return math.nan
    tokens, seconds = rows["output_tokens"].astype("Float64"), rows[column].astype("Float64")
    both = (tokens.notna() & seconds.gt(0)).fillna(value=False)
    total = float(seconds[both].sum())
    return float(tokens[both].sum()) / total if total > 0 else math.nan
