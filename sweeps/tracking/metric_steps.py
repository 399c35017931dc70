"""Observations as metric steps."""

from __future__ import annotations

import hashlib
import json
from datetime import datetime

import numpy as np
import pandas as pd

from sweeps.scoring.rows import STAGES

KEYS = ("stage", "host", "case", "seed", "repeat")
"""Columns that identify an observation of a configuration."""


_SAME_SCORE = 1e-9
"""Tolerance for scores read from a table, which has ten digits."""


def ordered(observations: pd.DataFrame) -> pd.DataFrame:
    """Sort a configuration's observations by stage, then host, case, seed and repeat: the order of metric steps.

    Stages come in the order in which they run, so that rows of a later stage never move rows of an earlier one.
    """
    present = [key for key in KEYS if key in observations.columns]
    places = {stage: place for place, stage in enumerate(STAGES)}
    columns = [observations[key].tolist() for key in present]
    if "stage" in present:
        columns[0] = [places.get(stage, len(STAGES)) for stage in columns[0]]
    keys = list(zip(*columns, strict=True))
    order = sorted(range(len(keys)), key=keys.__getitem__)
    if order == list(range(len(observations))):  # pandas would copy every column
        return observations.reset_index(drop=True)
    return observations.iloc[order].reset_index(drop=True)


def run_times(texts: pd.DataFrame | None) -> tuple[int, int] | None:
    """When the first generation of a configuration began and the last one ended; None if that is not known.

    Args:
        texts: Its texts with `created` (ISO time of the arrival) and `seconds`; both may be absent.

    Returns:
        Milliseconds since 1970.
    """
    if texts is None or "created" not in texts.columns or "seconds" not in texts.columns:
        return None
    ends = [datetime.fromisoformat(text).timestamp() if text else None for text in texts["created"].tolist()]
    pairs = [(end - took, end) for end, took in zip(ends, texts["seconds"].tolist(), strict=True) if end is not None]
    if not pairs:
        return None
    return int(1000 * min(begin for begin, _ in pairs)), int(1000 * max(end for _, end in pairs))


def points_digest(rows: pd.DataFrame) -> str:
    """Digest of ordered observations as `count:digest`, to recognise rows that were logged already."""
    present = [key for key in (*KEYS, "score") if key in rows.columns]
    columns = [map(str, rows[key].tolist()) for key in present]
    text = json.dumps(list(zip(*columns, strict=True)))
    return f"{len(rows)}:{hashlib.sha256(text.encode()).hexdigest()[:16]}"


def same_rows(logged: pd.DataFrame, rows: pd.DataFrame) -> list[int | None]:
    """Find the logged rows among others.

    Returns:
        Per logged row its place among the rows; None where it is missing.
    """
    present = [key for key in KEYS if key in logged.columns and key in rows.columns]
    places = {key: place for place, key in enumerate(_keys_of(rows, present))}
    return [places.get(key) for key in _keys_of(logged, present)]


def continuation(logged: pd.DataFrame, rows: pd.DataFrame) -> tuple[pd.DataFrame, list[int]] | None:
    """Put rows into the order of the logged ones, with the others after them, so that no step moves.

    Args:
        logged: The logged rows in the order of their steps: `KEYS` and `score`.
        rows: All rows of a configuration, ordered.

    Returns:
        The rows, and the steps that were logged without a score (a failed request) and have one now; None where a
        logged row is missing or has another score.
    """
    places = [place for place in same_rows(logged, rows) if place is not None]
    if len(places) < len(logged):
        return None
    before = pd.to_numeric(logged["score"], errors="coerce").to_numpy(dtype=float)
    now = rows["score"].iloc[places].to_numpy(dtype=float)
    had = np.isfinite(before)
    if not np.allclose(before[had], now[had], rtol=0, atol=_SAME_SCORE):  # NaN is close to nothing
        return None
    known = set(places)
    order = [*places, *(place for place in range(len(rows)) if place not in known)]
    return rows.iloc[order].reset_index(drop=True), [int(step) for step in np.flatnonzero(~had & np.isfinite(now))]


def _keys_of(frame: pd.DataFrame, columns: list[str]) -> list[tuple[str, ...]]:
    return list(zip(*(map(str, frame[column].tolist()) for column in columns), strict=True))
