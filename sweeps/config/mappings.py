"""A sweep's tables as Python values, and as the TOML text that the ledger keeps."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from os import PathLike, fspath
from typing import Any

import tomli_w

from sweeps.addresses import without_password
from sweeps.errors import ConfigError


def toml_text(tables: Mapping[str, Any]) -> str:
    """Tables as TOML.

    Keys whose value is None are left out. Paths become text; numbers and arrays of numpy become plain ones.

    Raises:
        ConfigError: With every value that TOML cannot hold.
    """
    if not isinstance(tables, Mapping):
        raise ConfigError(f'{tables!r}: is no mapping; give the tables, such as {{"study": {{"name": "first"}}, ...}}')
    problems: list[str] = []
    plain = _plain(tables, "", problems)
    if problems:
        raise ConfigError(problems)
    return tomli_w.dumps(plain)


def merged(tables: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Tables with some keys changed.

    Args:
        tables: The tables.
        changes: Keys to set, by table. A key that is None is removed, and so is a table that is None.
    """
    result = dict(tables)
    for name, change in changes.items():
        before = result.get(name)
        both = isinstance(change, Mapping) and isinstance(before, Mapping)
        result[name] = {**before, **change} if both else change  # type: ignore[dict-item]
    return result


def text_without_passwords(text: str) -> str:
    """Return a sweep's TOML text without the passwords in the addresses of its servers and databases.

    A password that is only the name of a variable, such as `$OLLAMA_PASSWORD`, stays.
    """
    tables = tomllib.loads(text)
    clean = dict(tables)
    clean |= {name: without_passwords(tables[name]) for name in ("engine", "objective", "storage") if name in tables}
    if clean == tables:
        return text
    for with_it, without_it in _changed(tables, clean):
        text = text.replace(with_it, without_it)
    return text if tomllib.loads(text) == clean else toml_text(clean)  # the second, where the text has escapes


def without_passwords(value: Any) -> Any:
    """Return tables or lists with all texts as `sweeps.addresses.without_password` returns them."""
    if isinstance(value, Mapping):
        return {name: without_passwords(each) for name, each in value.items()}
    if isinstance(value, list):
        return [without_passwords(each) for each in value]
    return without_password(value, variables=True) if isinstance(value, str) else value


def _changed(before: Any, after: Any) -> Iterator[tuple[str, str]]:
    """Yield the pairs of texts that differ, from two tables of one shape."""
    if isinstance(before, Mapping):
        for name, each in before.items():
            yield from _changed(each, after[name])
    elif isinstance(before, list):
        for one, other in zip(before, after, strict=True):
            yield from _changed(one, other)
    elif before != after:
        yield before, after


def _plain(value: Any, key: str, problems: list[str]) -> Any:
    if isinstance(value, Mapping):
        return {
            str(name): _plain(each, f"{key}.{name}".lstrip("."), problems)
            for name, each in value.items()
            if each is not None
        }
    if isinstance(value, (list, tuple)):
        return [_plain(each, f"{key}[{i}]", problems) for i, each in enumerate(value)]
    if isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, PathLike):
        return fspath(value)
    if hasattr(value, "tolist"):
        return _plain(value.tolist(), key, problems)
    problems.append(
        f"{key}: {value!r} cannot be written as TOML; give a text, a number, true or false, a list or a table"
    )
    return None
