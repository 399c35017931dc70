"""Records from JSON and JSONL files."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from analysis.files.encodings import decode_marked
from analysis.files.layout import cells

ENDINGS = (".json", ".jsonl", ".ndjson")
"""Endings of files that `records` reads."""


class RecordsError(ValueError):
    """A JSON file that holds no records; the message says where and what was expected."""


def parse_json(data: bytes, name: str) -> Any:
    """Return the value of a JSON file, or the list of values of a JSONL file.

    Args:
        data: The bytes of the file.
        name: The file's name; any ending but `.json` means JSONL.

    Raises:
        NotUtf8Error: The text is in another encoding.
        RecordsError: It is not JSON.
    """
    text = decode_marked(data, name)
    if name.lower().endswith(".json"):
        try:
            return json.loads(text)
        except (ValueError, RecursionError) as error:
            if (several := _lines(text)) is not None:  # JSONL under the name of JSON
                return several
            raise RecordsError(f"not valid JSON: {error}") from None
    values = []
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            try:
                values.append(json.loads(line))
            except (ValueError, RecursionError) as error:
                raise RecordsError(f"line {number} is not valid JSON: {error}") from None
    return values


def _lines(text: str) -> list[Any] | None:
    """Return the values of JSONL, or None if it is none."""
    try:
        return [json.loads(line) for line in text.split("\n") if line.strip()]
    except (ValueError, RecursionError):
        return None


def lists_of_records(value: Any, path: str = "") -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Yield each list of objects in a JSON value with its path (`results.rows`), the outermost first.

    Lists of the same path in several records of a list are one list, whose records have the fields of the outer ones
    as well; an inner field wins.
    """
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from lists_of_records(inner, f"{path}.{key}" if path else str(key))
    elif isinstance(value, Sequence) and not isinstance(value, str) and any(isinstance(v, Mapping) for v in value):
        rows = [dict(v) for v in value if isinstance(v, Mapping)]
        yield path, rows
        for key in dict.fromkeys(key for row in rows for key in row):
            if any(_holds_records(row.get(key)) for row in rows):
                yield (
                    f"{path}.{key}" if path else key,
                    [
                        {**{k: v for k, v in row.items() if k != key}, **inner}
                        for row in rows
                        if _holds_records(row.get(key))
                        for inner in row[key]
                        if isinstance(inner, Mapping)
                    ],
                )


def _holds_records(value: Any) -> bool:
    return isinstance(value, list) and any(isinstance(inner, Mapping) for inner in value)


def flat(record: Mapping[str, Any], above: str = "") -> dict[str, Any]:
    """Return a record without inner objects: `{"a": {"b": 1}}` has the field `a.b`."""
    out: dict[str, Any] = {}
    for key, value in record.items():
        name = f"{above}.{key}" if above else str(key)
        out.update(flat(value, name) if isinstance(value, Mapping) and value else {name: value})
    return out


def rows_of(data: bytes, name: str, required: Sequence[str] = ()) -> list[dict[str, Any]]:
    """Return the rows of a table: cells of a CSV or TSV file as texts, or the outermost list of records of a JSON file.

    Args:
        data: The bytes of the file.
        name: The file's name.
        required: Names of columns that a CSV header must have.

    Raises:
        NotUtf8Error: The text is in another encoding.
        RecordsError: It is not JSON, or holds no records.
        csv.Error: Quotes of a CSV file are not closed.
    """
    if name.lower().endswith(ENDINGS):
        value = parse_json(data, name)
        if (
            isinstance(value, Mapping)
            and isinstance(value.get("columns"), list)
            and isinstance(value.get("data"), list)
        ):
            return [dict(zip(value["columns"], row, strict=False)) for row in value["data"]]
        lists = list(lists_of_records(value))
        if not lists:
            raise RecordsError("it holds no list of records")
        return lists[0][1]
    (_, header), *rows = cells(data, name, required) or [(1, [])]
    return [dict(zip(header, row, strict=False)) for _, row in rows]
