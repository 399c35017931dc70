"""Cases as JSON types, for a study's record."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from objectives import Case, Item


def case_record(case: Case) -> dict[str, Any]:
    """A case as JSON types."""
    return {"name": case.name, "title": case.title, "log": case.log, "items": [asdict(item) for item in case.items]}


def case_from_record(record: Mapping[str, Any]) -> Case:
    """The inverse of `case_record`."""
    fields: list[dict[str, Any]] = [
        {key: tuple(value) if isinstance(value, list) else value for key, value in item.items()}
        for item in record["items"]
    ]
    items = tuple(Item(**item) for item in fields)
    return Case(record["name"], record["log"], items, title=record["title"])
