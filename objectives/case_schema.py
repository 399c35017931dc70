"""The schema of a rubric file, and its problems in plain words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, ValidationError, field_validator
from pydantic_core import ErrorDetails

from objectives.hints import did_you_mean
from objectives.regexes import compile_pattern

PATTERN_SECONDS = 0.25
"""Seconds that a regular expression may take on one probe text; a slower one is refused."""


@dataclass(frozen=True)
class Problem:
    """One problem in the files of a case.

    Attributes:
        file: The file, as the caller named it.
        message: The problem, with the value.
        remedy: The way to correct it.
        key: The place inside the file, such as ``items[3].level`` (counted from 0), or "".
        line: The line in the file, from 1, if it is known.
        value: The wrong value, if there is one.
    """

    file: str
    message: str
    remedy: str = ""
    key: str = ""
    line: int | None = None
    value: object = None

    def __str__(self) -> str:
        place = self.file + (f":{self.line}" if self.line else "") + (f": {self.key}" if self.key else "")
        return f"{place}: {self.message}" + (f" {self.remedy}" if self.remedy else "")


class CaseError(ValueError):
    """Unusable cases, with all problems of all files at once.

    Attributes:
        problems: The problems, in the order of the files and of the keys inside them.
    """

    def __init__(self, problems: Problem | Sequence[Problem]) -> None:
        self.problems: list[Problem] = [problems] if isinstance(problems, Problem) else list(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


def _as_list(value: object) -> object:
    """Accept ``any = "x"`` for ``any = ["x"]``."""
    return [value] if isinstance(value, str) else value


Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
Patterns = Annotated[list[Text], BeforeValidator(_as_list)]


class ItemSchema(BaseModel):
    """One ``[[items]]`` table of a rubric file."""

    model_config = ConfigDict(extra="forbid", strict=True)

    id: Text | None = None
    text: Text
    level: int = Field(ge=1, le=5)
    any: Patterns = Field(default_factory=list)
    all: Patterns = Field(default_factory=list)
    regex: Patterns = Field(default_factory=list)
    forbidden: bool = False

    @field_validator("regex")
    @classmethod
    def _usable(cls, patterns: list[str]) -> list[str]:
        for pattern in patterns:
            fault = regex_fault(pattern)
            if fault:
                raise ValueError(fault)
        return patterns


class RubricSchema(BaseModel):
    """A rubric file."""

    model_config = ConfigDict(extra="forbid", strict=True)

    title: str = ""
    language: str = ""
    source: str = ""
    reviewed: bool = True
    log: Text | None = None
    log_text: str | None = None
    meta: dict[str, Any] = Field(default_factory=dict)
    items: list[ItemSchema] = Field(min_length=1)


def regex_fault(pattern: str, texts: Iterable[str] = ()) -> str:
    """Return why a regular expression cannot be used, or "" if it can.

    Args:
        pattern: The expression, in the syntax of the `regex` package.
        texts: Further texts to try it on, such as the case's log.

    Returns:
        "" for a usable pattern, otherwise a sentence. A pattern is refused if it does not compile, matches the empty
        text (and so every text), or needs more than `PATTERN_SECONDS` on a short repetitive text.
    """
    try:
        compiled = compile_pattern(pattern)
    except ValueError as error:
        return f"{pattern!r} is not a valid regular expression: {error}."
    try:
        if compiled.search("", timeout=PATTERN_SECONDS):
            return f"{pattern!r} matches the empty text, so every summary would cover the item."
        for text in [*_probes(pattern), *texts]:
            compiled.search(text, timeout=PATTERN_SECONDS)
    except TimeoutError:
        return (
            f"{pattern!r} took more than {PATTERN_SECONDS} s on a short text (catastrophic backtracking: "
            "repetitions inside repetitions)."
        )
    return ""


def _probes(pattern: str) -> list[str]:
    """Texts on which nested repetitions backtrack: runs of the pattern's own characters with a wrong end."""
    letters = list(dict.fromkeys([*(c for c in pattern if c.isalnum()), "a", "0", " "]))[:12]
    runs = [letter * 60 for letter in letters]
    return [run + "\x00" for run in [*runs, "a " * 40, "".join(letters) * 8, "word 1,234.5 " * 20]]


def problems_of(error: ValidationError, file: str, lines: Mapping[str, int]) -> list[Problem]:
    """Turn pydantic's errors on a rubric file into problems in plain words.

    Args:
        error: The error raised for `RubricSchema`.
        file: The file's name for the messages.
        lines: Known line numbers by key, such as ``{"items[0]": 3, "items[0].level": 5}``.
    """
    found = []
    for detail in error.errors(include_url=False):
        key = _key(detail["loc"])
        message, remedy = _plain(detail)
        line = lines.get(key) or lines.get(_key(detail["loc"][:2]))
        found.append(Problem(file, message, remedy, key, line, detail["input"]))
    return found


def _key(location: tuple[int | str, ...]) -> str:
    key = ""
    for part in location:
        key += f"[{part}]" if isinstance(part, int) else f".{part}" if key else part
    return key


_REMEDIES = {
    "level": "Write level = 1 (essential) to 5 (incidental), as a whole number without quotes.",
    "text": 'Write text = "one fact, one sentence".',
    "id": 'Write id = "a-short-name", or leave it out.',
    "any": 'Write any = ["pattern", ...]; numbers in quotes too.',
    "all": 'Write all = ["pattern", ...]; numbers in quotes too.',
    "regex": "Write regex = ['pattern', ...] in single quotes, so that backslashes stay as they are.",
    "forbidden": "Write forbidden = true, or leave it out.",
    "items": "Write one [[items]] table per fact, each with text and level.",
    "reviewed": "Write reviewed = true or reviewed = false.",
    "log": 'Write log = "file.txt", beside the rubric.',
    "meta": "Write a [meta] table.",
}


def _shown(value: object) -> str:
    """Write a value as in TOML, at most 80 characters."""
    if isinstance(value, bool):
        return "true" if value else "false"
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."


def _plain(detail: ErrorDetails) -> tuple[str, str]:
    """Return message and remedy for one of pydantic's errors."""
    names = [part for part in detail["loc"] if isinstance(part, str)]
    field = names[-1] if names else ""
    value, kind = detail["input"], detail["type"]
    remedy = _REMEDIES.get(field, "")
    if kind == "extra_forbidden":
        valid = ItemSchema.model_fields if len(detail["loc"]) > 2 else RubricSchema.model_fields
        return f"unknown key {field!r}.", f"{did_you_mean(field, valid)}Valid keys: {', '.join(valid)}."
    if kind == "missing":
        return ("the case has no items." if field == "items" else f"an item without {field}."), remedy
    if kind == "too_short":
        return "the case has no items.", remedy
    if kind == "string_too_short":
        return f"{field} is empty.", remedy
    if field == "level":
        return f"level is {_shown(value)}, but must be 1, 2, 3, 4 or 5.", remedy
    if kind == "value_error":
        return str(detail["ctx"]["error"]), "Correct or remove the pattern."
    expected = {
        "string_type": "a text in quotes",
        "bool_type": "true or false",
        "list_type": "a list",
        "model_type": "a table",
        "dict_type": "a table",
    }.get(kind, detail["msg"].lower())
    return f"{field} is {_shown(value)}, but must be {expected}.", remedy
