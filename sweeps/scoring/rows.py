"""Rows of the observations table, from entries of the ledger and their scores."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from sys import intern
from typing import TYPE_CHECKING, Any

from analysis.observations.columns import COLUMNS
from objectives import Case
from sweeps.ledger.records import Entry, Place
from sweeps.options import OPTIONS, Configuration
from sweeps.scoring.answers import CUT, Answer, answer_of
from sweeps.scoring.observation import ObservationRow, columns_of
from sweeps.scoring.scorer import UNSCORED, Scored

if TYPE_CHECKING:
    import pandas as pd

STAGES = ("floor", "explore", "confirm")
"""Stages of a sweep in their order."""

BASELINE_TRIAL = -1
"""Trial number of the baseline."""

_TOKENS = ("prompt_tokens", "output_tokens", "answer_tokens", "thinking_tokens")

_COUNTS = (*_TOKENS, "covered", "items", "forbidden", "words")

_SIDE = {"redundancy": math.nan, "copied_share": math.nan, "compression": math.nan, "matcher_sd": 0.0}
"""Side metrics that are columns of the table, with their values where an objective has none."""

_NUMBERS = ("score", *_SIDE, "seconds", "queue_seconds", "load_seconds", "prefill_seconds", "decode_seconds")


def observation_row(
    study: str,
    place: Place,
    configuration: Configuration,
    entry: Entry | None,
    scored: Scored | None,
    error: str = "",
    *,
    reasoning: str = CUT,
) -> ObservationRow:
    """One row of the observations table, followed by the columns of the options.

    A text with a score has no error, even if scoring failed before; a text without a score has the reason as its error.
    `generation`, the ledger's number, is known while a sweep runs, and is no column of the table.
    """
    if scored is not None:
        error = ""
    elif entry is not None and not error:
        error = f"{UNSCORED}: the run ended before this text was scored, or it was scored by another objective"
    row: dict[str, Any] = {
        "study": study,
        "trial": place.trial,
        "stage": intern(place.stage),  # few different texts, which the rows of a study share
        "host": intern(place.host),
        "case": intern(place.case),
        "seed": place.seed,
        "repeat": place.repeat,
        "score": math.nan,
        "finish": "error",
        "truncated": error.startswith("PromptTooLong"),
        "error": error,
        "text_sha256": "",
        "generation": None if entry is None else entry.id,
    }
    if entry is not None and scored is not None:
        row |= _answer_columns(entry, answer_of(entry.generation, reasoning)) | _score_columns(scored)
    return ObservationRow(row, configuration.columns)


def _answer_columns(entry: Entry, answer: Answer) -> dict[str, Any]:
    generation, timing = entry.generation, entry.generation.timing
    return {
        "prompt_tokens": generation.prompt_tokens,
        "output_tokens": generation.output_tokens,
        "answer_tokens": answer.answer_tokens,
        "thinking_tokens": answer.thinking_tokens,
        "seconds": timing.total,
        **{f"{part}_seconds": getattr(timing, part) for part in ("queue", "load", "prefill", "decode")},
        "finish": intern(answer.finish),
        "truncated": generation.truncated,
        "text_sha256": entry.text_sha256,
    }


def _score_columns(scored: Scored) -> dict[str, Any]:
    levels: Mapping[str, Sequence[int]] = scored.detail["levels"]
    pairs = {level: levels.get(str(level), (0, 0)) for level in range(1, 6)}
    covered, items = (sum(pair[i] for pair in pairs.values()) for i in (0, 1))
    together = [pairs[1][i] + pairs[2][i] for i in (0, 1)]
    return {
        "score": scored.score,
        "covered": covered,
        "items": items,
        "forbidden": len(scored.detail["forbidden"]),
        **{f"lv{level}": intern(f"{pair[0]}/{pair[1]}") for level, pair in pairs.items()},
        "lv12": intern(f"{together[0]}/{together[1]}"),
        "words": scored.detail["words"],
        **{name: scored.detail["side"].get(name, default) for name, default in _SIDE.items()},
    }


def item_texts(case: Case) -> dict[str, str]:
    """A case's items by id, as `[level] text`."""
    return {item.id: f"[{item.level}] {item.text}" for item in case.items}


def answer_row(
    place: Place,
    configuration: Configuration,
    entry: Entry,
    scored: Scored,
    items: Mapping[str, str],
    *,
    reasoning: str = CUT,
) -> dict[str, Any]:
    """An answer with its score, with the thought before it, and with the wording of covered and missed items.

    `created` is when it arrived (ISO time, UTC), `seconds` how long it took.
    """
    answer, named = answer_of(entry.generation, reasoning), with_wording(scored.detail, items)
    row = {"configuration": configuration.key, "score": scored.score, "text": answer.text, "detail": scored.detail}
    arrived = {"created": entry.created, "seconds": entry.generation.timing.total}
    return asdict(place) | row | {"thought": answer.thought, "reasons_inside": answer.reasons_inside} | named | arrived


def with_wording(detail: Mapping[str, Any], items: Mapping[str, str]) -> dict[str, list[str]]:
    """The wording of the covered and of the missed items, from a score's detail with their ids."""
    return {key: [items.get(item, item) for item in detail[key]] for key in ("covered", "missed")}


def table_of(rows: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """The observations table, sorted by stage, trial, host, case, seed and repeat.

    The same rows give the same table in any order. Columns of options that no row uses are left out.
    """
    import pandas as pd

    listed = list(rows)
    known = [row for row in listed if isinstance(row, ObservationRow)]
    if known and len(known) == len(listed):
        known.sort(key=_place)
        columns = {name: _column(values, name) for name, values in columns_of(known)}
        return pd.DataFrame(columns, copy=False)
    table = pd.DataFrame(listed, columns=[*COLUMNS, *OPTIONS])
    unused = [name for name in OPTIONS if table[name].isna().all()]
    table = table.drop(columns=unused)
    for name in COLUMNS:
        table[name] = _typed(table[name], name)
    ranks = table["stage"].map({stage: rank for rank, stage in enumerate(STAGES)})
    ordered = table.assign(_rank=ranks).sort_values(["_rank", "trial", "host", "case", "seed", "repeat"], kind="stable")
    return ordered.drop(columns="_rank").reset_index(drop=True)


def _place(row: Mapping[str, Any]) -> tuple[Any, ...]:
    stage = row["stage"]
    rank = STAGES.index(stage) if stage in STAGES else len(STAGES)
    return rank, row["trial"], row["host"], row["case"], row["seed"], row["repeat"]


def _column(values: list[Any], name: str) -> Any:
    """As `_typed`, from a list, without a look for the type where it is known."""
    import numpy as np
    import pandas as pd

    if name in _COUNTS:
        return pd.array(values, dtype="Int64")
    if name in _NUMBERS or name == "truncated":
        return np.array(values, dtype=float if name in _NUMBERS else bool)
    return pd.Series(values)


def _typed(values: pd.Series, name: str) -> pd.Series:
    """A column of the table in its own type; those of options and texts have what pandas finds."""
    if name in _COUNTS:
        return values.astype("Int64")
    if name in _NUMBERS:
        return values.astype(float)
    return values.astype(bool) if name == "truncated" else values
