"""A sweep's tables as Python values, and as the TOML text that the ledger keeps."""

from __future__ import annotations

from collections.abc import Mapping
from os import PathLike, fspath
from typing import Any

import tomli_w

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
