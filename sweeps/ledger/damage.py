"""Damage in the rows of a ledger: which values are as they were written."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa

DAMAGED = "damaged"
"""First word of the error of an observation whose generation is damaged."""

DAMAGED_ERROR = f"{DAMAGED}: its row in the ledger was changed by a fault; `sweeps run` generates it again"


def decoded(value: bytes) -> str:
    """Decode a text, with a surrogate for each byte that is not UTF-8: one damaged text must not hide all others.

    No intact text has a surrogate, since `records.storable` replaces them.
    """
    return value.decode("utf-8", "surrogateescape")


def is_text(*values: object) -> bool:
    """Whether all values are texts without damaged bytes (see `decoded`)."""
    try:
        return all(isinstance(value, str) and value.encode() is not None for value in values)
    except UnicodeError:
        return False


def shown_text(value: object) -> str:
    """Return a value as a text that can be printed, with U+FFFD for damaged bytes."""
    return str(value).encode(errors="surrogateescape").decode(errors="replace")


def object_in(text: object) -> dict[str, Any] | None:
    """Return the JSON object in a text; None where it is damaged."""
    try:
        value = json.loads(text) if isinstance(text, str) and is_text(text) else None
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def is_whole(row: Mapping[str, Any] | sa.RowMapping) -> bool:
    """Whether a row of generations is as it was written: text and thought have their digest, the rest has its form."""
    try:
        texts = "\0".join(filter(None, [row["thought"], row["text"]]))
        if hashlib.sha256(texts.encode()).hexdigest() != row["text_sha256"]:
            return False
        if row["created"]:
            datetime.fromisoformat(row["created"])
        seconds = [row[f"{part}seconds"] for part in ("", "queue_", "load_", "prefill_", "decode_")]
        counts = [row[f"{part}_tokens"] for part in ("prompt", "output", "cached", "thinking")]
    except (LookupError, TypeError, ValueError):
        return False
    numbers = all(isinstance(each, float | int) for each in seconds)
    numbers = numbers and all(each is None or isinstance(each, int) for each in counts)
    return numbers and is_text(row["finish"], row["model"]) and object_in(row["effective"]) is not None
