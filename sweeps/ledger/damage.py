"""Damage in the rows of a ledger: which values are as they were written."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from operator import methodcaller
from typing import Any

import sqlalchemy as sa

DAMAGED = "damaged"
"""First word of the error of an observation whose generation is damaged."""

_SEAL = "sha256"
"""Key of the digest in a proposal's record."""

_PROPOSAL_KEYS = frozenset({"values", "params", "name"})
_SECONDS = ("seconds", "queue_seconds", "load_seconds", "prefill_seconds", "decode_seconds")
_TOKENS = ("prompt_tokens", "output_tokens", "cached_tokens", "thinking_tokens")

DAMAGED_ERROR = f"{DAMAGED}: its row in the ledger was changed by a fault; `sweeps run` generates it again"


decoded = methodcaller("decode", "utf-8", "surrogateescape")
"""Decodes a text, with a surrogate for each byte that is not UTF-8: one damaged text must not hide all others.

No intact text has a surrogate, since `records.storable` replaces them.
"""


def is_text(*values: object) -> bool:
    """Whether all values are texts without damaged bytes (see `decoded`)."""
    try:
        for value in values:
            if not isinstance(value, str):
                return False
            if not value.isascii():
                value.encode()
    except UnicodeError:
        return False
    return True


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


def study_digest(row: Mapping[str, Any] | sa.RowMapping) -> str:
    """Return the digest of a row of studies, without the time of its last change."""
    parts = [row[name] for name in ("name", "identity", "config", "record", "status", "created")]
    return hashlib.sha256(json.dumps(parts, default=repr).encode()).hexdigest()


def sealed_record(number: int, record: object) -> str:
    """Return a proposal's record as JSON text with a digest, which shows a changed value that is still valid JSON."""
    if not isinstance(record, Mapping):  # damaged in an older ledger, and reported when it is read
        return json.dumps(record)
    return json.dumps({**record, _SEAL: _record_digest(number, record)})


def unsealed(number: int, record: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return a proposal's record without its digest, which those of older versions lack; None if it was changed."""
    own = {name: value for name, value in record.items() if name != _SEAL}
    whole = record[_SEAL] == _record_digest(number, own) if _SEAL in record else set(own) <= _PROPOSAL_KEYS
    return own if whole else None


def _record_digest(number: int, record: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps([number, record], sort_keys=True).encode()).hexdigest()


def is_whole(row: Mapping[str, Any] | sa.RowMapping) -> bool:
    """Whether a row of generations is as it was written: text and thought have their digest, the rest has its form."""
    try:
        texts = "\0".join(filter(None, [row["thought"], row["text"]]))
        if hashlib.sha256(texts.encode()).hexdigest() != row["text_sha256"]:
            return False
        if row["created"]:
            datetime.fromisoformat(row["created"])
        numbers = all(isinstance(row[name], float | int) for name in _SECONDS)
        numbers = numbers and all(row[name] is None or isinstance(row[name], int) for name in _TOKENS)
        return numbers and is_text(row["finish"], row["model"]) and _has_object(row["effective"])
    except (LookupError, TypeError, ValueError):
        return False


@lru_cache(maxsize=256)
def _has_object(text: object) -> bool:
    """Whether a text is a JSON object; those of a study's generations are mostly equal."""
    return object_in(text) is not None
