"""The answers of a judge's model, in the forms that small models give them.

The judge asks for `{"answers": [{"item": 1, "quote": "...", "covered": true}]}`. Many models keep to it only nearly:
numbers from 0, numbers as texts, yes and no in words, a bare list, a table by number. What can be read in one way alone
is read. Anything else is a problem, never a "no": the text is then asked about again, or has no score.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import regex

from objectives.text import normalise

_YES: Final = frozenset(
    ("true", "yes", "y", "1", "present", "included", "mentioned", "covered", "is covered", "fully covered",
     "yes covered")
)  # fmt: skip
_NO: Final = frozenset(
    ("false", "no", "n", "0", "not present", "not included", "not mentioned", "not covered", "is not covered",
     "uncovered")
)  # fmt: skip
_NUMBERS: Final = ("item", "id", "number", "index", "item_number", "item_id", "no")
_ANSWERS: Final = ("covered", "is_covered", "answer", "present", "included", "result", "value", "decision", "verdict")
_QUOTES: Final = ("quote", "evidence", "span", "text")
_NUMBER: Final = regex.compile(r"[^\p{L}\d]*(?:\p{L}{1,10}[^\p{L}\d]*)?(\d{1,4})[^\p{L}\d]*")
_NO_WORD: Final = regex.compile(r"[^\p{L}\d]+")


class _Entry(dict[str, Any]):
    """An entry with its keys in small letters."""

    def first(self, names: Sequence[str]) -> Any:
        """Return the value of the first of several names that the entry has."""
        return next((self[name] for name in names if name in self), None)


def read_answers(answer: Any, items: Sequence[str]) -> tuple[dict[int, tuple[bool, str]], str]:
    """Read the answers about a list of items.

    Args:
        answer: The parsed answer.
        items: The items in the order in which they were shown, numbered from 1.

    Returns:
        Whether each item is covered, with the quote, by its place from 0; and the problem, "" if there is none.
    """
    entries = _entries(answer)
    if entries is None:
        return {}, f"no list 'answers' in {str(answer)[:200]!r}"
    count, found = len(items), dict[int, tuple[bool, str]]()
    numbers = _numbers(entries, items)
    beyond = ""
    for entry, number in zip(entries, numbers, strict=True):
        covered = _yes_or_no(entry.first(_ANSWERS))
        problem = f"entry {str(dict(entry))[:200]!r} is none of items 1 to {count} with true or false"
        if number is None or covered is None or number < 1:
            return {}, problem
        if number > count:
            beyond = beyond or problem
        elif number - 1 not in found:
            found[number - 1] = covered, str(entry.first(_QUOTES) or "")
        elif found[number - 1][0] != covered:
            return {}, f"item {number} has two answers, yes and no"
    lacking = [str(place + 1) for place in range(count) if place not in found]
    if lacking:
        return {}, beyond or f"items {', '.join(lacking)} are not answered"
    return found, ""


def _entries(answer: Any) -> list[_Entry] | None:
    """Return the entries, each with its number and its answer under names; None where there is no list of them."""
    if isinstance(answer, Mapping):
        given = answer.get("answers")
        lists = [value for value in answer.values() if isinstance(value, list)]
        if isinstance(given, Mapping):
            return _by_number(given)
        if not isinstance(given, list):
            return _entries(lists[0]) if len(lists) == 1 else _by_number(answer)
        answer = given
    if not isinstance(answer, list):
        return None
    return [_entry(value) for value in answer]


def _by_number(table: Mapping[Any, Any]) -> list[_Entry] | None:
    """Return the entries of `{"1": true, "2": {"covered": false}}`."""
    if not table or not all(_NUMBER.fullmatch(str(key)) for key in table):
        return None
    return [_Entry({**_entry(value), "item": key}) for key, value in table.items()]


def _entry(value: Any) -> _Entry:
    if isinstance(value, Mapping):
        return _Entry((str(key).casefold().replace(" ", "_"), part) for key, part in value.items())
    return _Entry(covered=value)


def _numbers(entries: Sequence[_Entry], items: Sequence[str]) -> list[int | None]:
    """Return each entry's number from 1; a list of the right length without any number is in the items' order."""
    given = [entry.first(_NUMBERS) for entry in entries]
    if all(number is None for number in given) and len(entries) == len(items):
        return list(range(1, len(items) + 1))
    by_text = {_words(text): place for place, text in enumerate(items, start=1)}
    numbers = [_number(number, by_text) for number in given]
    if len(numbers) == len(items) and set(numbers) == set(range(len(items))):  # counted from 0
        return [number + 1 for number in numbers if number is not None]
    return numbers


def _number(value: Any, by_text: Mapping[str, int]) -> int | None:
    if isinstance(value, str):
        found = _NUMBER.fullmatch(value.strip())
        return int(found[1]) if found else by_text.get(_words(value))
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value or abs(value) > 1e6:
        return None
    return int(value) if value == int(value) else None


def _words(text: str) -> str:
    return _NO_WORD.sub(" ", normalise(text).casefold()).strip()


def _yes_or_no(value: Any) -> bool | None:
    if isinstance(value, bool):
        return value
    if isinstance(value, int | float):
        return bool(value) if value in (0, 1) else None
    word = _words(value) if isinstance(value, str) else ""
    return True if word in _YES else False if word in _NO else None
