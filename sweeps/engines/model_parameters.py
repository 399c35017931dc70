"""The parameters of a model, as `/api/show` prints them."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping

Parameter = int | float | bool | str | tuple[str, ...]

_LISTS = frozenset({"stop"})
_LINE = re.compile(r"(\S+)[ \t]+(.*\S)")
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"')
_ESCAPES = re.compile(
    r'(?:[^\\]|\\(?:[abfnrtv\\\'"]|[0-3][0-7]{2}|x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}))*', re.S
)
"""Text with Go's escapes alone: others are no errors in Python, but warnings on the terminal."""


def parse_parameters(text: object) -> Mapping[str, Parameter]:
    r"""Read the `parameters` of `/api/show`: one `name value` per line, in no fixed order.

    Texts are quoted as Go quotes them (`stop "\n<|im_end|>"`); a name that may have several values has a line for each.

    Args:
        text: The text; anything else, such as None, has no parameters.

    Returns:
        Numbers, `true` and `false`, and texts by name; `stop` as a sorted tuple. Lines of another form are left out.
    """
    if not isinstance(text, str):
        return {}
    values: dict[str, Parameter] = {}
    listed: dict[str, set[str]] = {}
    for line in text.split("\n"):
        found = _LINE.fullmatch(line.strip())
        if found is None:
            continue
        name, value = found[1], _value(found[2])
        if name in _LISTS:
            listed.setdefault(name, set()).add(value if isinstance(value, str) else found[2])
        else:
            values[name] = value
    return values | {name: tuple(sorted(texts)) for name, texts in listed.items()}


def _value(text: str) -> int | float | bool | str:
    if _QUOTED.fullmatch(text):
        if not _ESCAPES.fullmatch(text):
            return text[1:-1]
        try:
            return str(ast.literal_eval(text))  # Go's escapes are Python's
        except (SyntaxError, ValueError):
            return text[1:-1]
    if text in ("true", "false"):
        return text == "true"
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
