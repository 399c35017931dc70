"""Cases: one input (a log) with its rubric, the list of facts that a summary should cover."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

LEVELS = (1, 2, 3, 4, 5)
"""Importance levels, 1 (essential) to 5 (incidental)."""


@dataclass(frozen=True)
class Item:
    """One fact that a summary should state (or, when `forbidden`, must not state).

    Attributes:
        id: Name of the item, unique within its case.
        text: The fact, as one short sentence. The default matcher compares it with the summary.
        level: Importance, 1 (essential) to 5 (incidental).
        any: Patterns; at least one must occur. Numbers in patterns are compared as numbers.
        all: Patterns that must all occur.
        regex: Regular expressions; at least one must match.
        forbidden: The item must not appear; if it appears, its weight is deducted.
    """

    id: str
    text: str
    level: int
    any: tuple[str, ...] = ()
    all: tuple[str, ...] = ()
    regex: tuple[str, ...] = ()
    forbidden: bool = False

    @property
    def has_patterns(self) -> bool:
        """Whether authored patterns decide this item, instead of the matcher."""
        return bool(self.any or self.all or self.regex)


@dataclass(frozen=True)
class Case:
    """A log and its rubric.

    Attributes:
        name: Name of the case, unique within its set (the file's stem).
        log: The text that the model is asked to summarise.
        items: The rubric.
        title: A short human title, or "".
        path: The rubric's file; None for a case made in Python.
        meta: Free extra fields of the rubric file (language, source, ...).
    """

    name: str
    log: str
    items: tuple[Item, ...]
    title: str = ""
    path: Path | None = None
    meta: Mapping[str, object] = field(default_factory=dict)

    @property
    def log_sha256(self) -> str:
        """SHA-256 of the log's UTF-8 text, in hex."""
        return hashlib.sha256(self.log.encode()).hexdigest()

    @property
    def rubric_sha256(self) -> str:
        """SHA-256 of the items' canonical JSON, in hex; it changes with everything that could change a score."""
        return hashlib.sha256(
            json.dumps([asdict(item) for item in self.items], sort_keys=True, ensure_ascii=False).encode()
        ).hexdigest()
