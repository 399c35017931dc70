"""Cases as files: a rubric in TOML beside its log.

A case is two files in one directory, ``NAME.toml`` and ``NAME.txt``::

    title = "Which index to build"

    [[items]]
    text = "The nightly job will be moved to Tuesday."
    level = 1
    any = ["Tuesday"]

The rubric may name another log (``log = "other.txt"``) or hold it (``log_text = '''...'''``).
"""

from __future__ import annotations

import re
import tomllib
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from analysis.files.encodings import NotUtf8Error, decode
from analysis.files.pipes import ENDLESS, is_endless
from objectives.case import Case, Item
from objectives.case_schema import CaseError, ItemSchema, Problem, RubricSchema, problems_of, regex_fault
from objectives.hints import did_you_mean, nearest_name

__all__ = [
    "OUTSIDE_LOGS",
    "CaseError",
    "Problem",
    "decode_text",
    "load_cases",
    "read_bytes",
    "read_case",
    "read_text",
    "rubric_files",
    "shipped_sets",
]


OUTSIDE_LOGS = "objective.allow_outside_logs = true"
"""The key by which logs outside the folder of their rubric are read."""


def shipped_sets() -> dict[str, Path]:
    """Return the case sets shipped with the package: name to directory, sorted by name."""
    root = Path(str(resources.files("objectives"))) / "cases"
    return {path.name: path for path in sorted(root.glob("*")) if path.is_dir() and any(path.glob("*.toml"))}


def load_cases(path: str | Path, *, names: Sequence[str] | None = None, allow_outside_logs: bool = False) -> list[Case]:
    """Read cases; all files are checked before any error is raised.

    Args:
        path: A directory of rubrics, one rubric file (``.toml``), or the name of a shipped set such as
            ``"engineering-chats"``. A path that exists wins over a shipped set of that name.
        names: Only these cases, by name; all by default. Files of other cases are not read.
        allow_outside_logs: Read logs outside the folder of their rubric too. A log is sent to the model, so that a
            rubric of somebody else could name any of your files.

    Returns:
        The cases, sorted by name; at least one.

    Raises:
        CaseError: With all problems of all files at once: a missing path, invalid TOML, an invalid level, an item
            without text, duplicate ids or texts, unusable patterns, a missing or empty log, text that is not UTF-8, ...
    """
    files = rubric_files(Path(path))
    if names is not None:
        files = _chosen(files, names, str(path))
    cases: list[Case] = []
    problems: list[Problem] = []
    for file in files:
        case, found = read_case(file, allow_outside_logs=allow_outside_logs)
        problems += found
        if case is not None:
            cases.append(case)
    if problems:
        raise CaseError(problems)
    return cases


def read_text(path: Path) -> str:
    """Read a UTF-8 text file, with Unix line ends and without a byte order mark.

    Raises:
        CaseError: The file cannot be read or is not UTF-8.
    """
    return decode_text(read_bytes(path), path)


def decode_text(data: bytes, path: Path) -> str:
    """Decode a text file as `read_text` does.

    Raises:
        CaseError: It is not UTF-8; the remedy is the command that converts it.
    """
    try:
        return decode(data, str(path)).replace("\r\n", "\n").replace("\r", "\n")
    except NotUtf8Error as error:
        raise CaseError(Problem(str(path), error.message, error.remedy, line=error.line)) from None


def read_bytes(path: Path) -> bytes:
    """Read a file.

    Raises:
        CaseError: It cannot be read.
    """
    if is_endless(path):
        raise CaseError(Problem(str(path), f"{ENDLESS}.", "Give a file."))
    try:
        return path.read_bytes()
    except IsADirectoryError:
        raise CaseError(Problem(str(path), "is a directory, not a file.", "Give the file.")) from None
    except OSError as error:
        if path.is_symlink() and not path.exists():
            message = f"is a link to {str(path.readlink())!r}, which does not exist."
            raise CaseError(Problem(str(path), message, "Correct or remove the link.")) from None
        raise CaseError(Problem(str(path), f"cannot be read: {error.strerror}.", "Check the name.")) from None


def _read_file(path: Path) -> str:
    """Read a text file of a case; a pipe or a device, which may never end, is refused."""
    if path.exists() and not path.is_file() and not path.is_dir():
        raise CaseError(Problem(str(path), "is a pipe or a device, not a file.", "Put a file there, or remove it."))
    return read_text(path)


def rubric_files(path: Path) -> list[Path]:
    """Return the rubric files of a path or of a shipped set, sorted by case name.

    Raises:
        CaseError: There is no such place, or no rubric in it.
    """
    if path.is_dir():
        files = sorted(
            path.glob("*.toml"), key=lambda file: file.stem
        )  # reading a directory of this name is an error later
        if files:
            return files
        below = sorted({str(file.parent) for file in path.glob("*/*.toml")})
        remedy = (
            f"Its subdirectories contain some: {', '.join(below[:5])}. Give one of them."
            if below
            else "A case is NAME.toml beside NAME.txt; `sweeps cases new LOG` drafts a rubric for a log."
        )
        raise CaseError(Problem(str(path), "has no case: it contains no .toml file.", remedy))
    if path.is_file():
        if path.suffix == ".toml":
            return [path]
        remedy = "Give its directory, or the .toml rubric."
        raise CaseError(Problem(str(path), "is neither a directory of cases nor a .toml rubric.", remedy))
    shipped = shipped_sets()
    if str(path) in shipped:
        return rubric_files(shipped[str(path)])
    remedy = f"{_neighbour(path) or did_you_mean(str(path), shipped)}Shipped sets: {', '.join(shipped) or 'none'}."
    raise CaseError(Problem(str(path), "no such directory, rubric file or shipped case set.", remedy))


def _neighbour(path: Path) -> str:
    """Return ``Did you mean 'x'? `` for a folder or rubric beside a place that does not exist, else ""."""
    try:
        beside = [each for each in path.parent.iterdir() if each.is_dir() or each.suffix == ".toml"]
    except OSError:
        return f"The directory {str(path.parent)!r} does not exist. "
    near = nearest_name(path.name, [each.name for each in beside])
    return "" if near is None else f"Did you mean {str(path.parent / near)!r}? "


def _chosen(files: list[Path], names: Sequence[str], place: str) -> list[Path]:
    """Return the files of the named cases, in the order of the files."""
    valid = {file.stem: file for file in files}
    unknown = [
        Problem(place, f"no case named {name!r}.", f"{did_you_mean(name, valid)}Cases: {', '.join(valid)}.", value=name)
        for name in names
        if name not in valid
    ]
    if not names:
        unknown = [Problem(place, "names is an empty list.", f"Leave it out, or choose from: {', '.join(valid)}.")]
    if unknown:
        raise CaseError(unknown)
    return [file for name, file in valid.items() if name in names]


@dataclass
class _Draft:
    """A rubric while it is read, with the problems found so far."""

    file: Path
    lines: dict[str, int]
    problems: list[Problem]
    allow_outside_logs: bool = False

    def add(self, message: str, remedy: str, key: str = "", value: object = None) -> None:
        line = self.lines.get(key) or self.lines.get(key.partition(".")[0])
        self.problems.append(Problem(str(self.file), message, remedy, key, line, value))


def read_case(file: Path, *, allow_outside_logs: bool = False) -> tuple[Case | None, list[Problem]]:
    """Read one rubric and its log; return the case (None if it cannot be used) and all problems."""
    try:
        source = _read_file(file)
        data = tomllib.loads(source)
    except CaseError as error:
        return None, error.problems
    except (ValueError, RecursionError) as error:  # tomllib's own error is a ValueError; long numbers raise another
        place = re.search(r"at line (\d+)", str(error))
        remedy = "Check quotes and brackets there; write a text that contains quotes in '''...'''."
        return None, [Problem(str(file), f"not valid TOML: {error}.", remedy, line=int(place[1]) if place else None)]
    draft = _Draft(file, _line_numbers(source, data), [], allow_outside_logs)
    rubric = None
    try:
        rubric = RubricSchema.model_validate(data)
    except ValidationError as error:
        draft.problems += problems_of(error, str(file), draft.lines)
    log = _read_log(draft, data)
    if rubric is None:
        return None, draft.problems
    items = _items(draft, rubric.items)
    _check_regexes(draft, items, log)
    if draft.problems:
        return None, draft.problems
    meta: dict[str, object] = dict(rubric.meta)
    meta.update({key: data[key] for key in ("language", "source", "reviewed", "log") if key in data})
    case = Case(file.stem, log, items, title=rubric.title, path=file, meta=meta)
    return case, []


def _read_log(draft: _Draft, data: dict[str, Any]) -> str:
    """Return the log's text, or "" after adding a problem."""
    named, inline = data.get("log"), data.get("log_text")
    if isinstance(inline, str) and named is not None:
        draft.add("both log and log_text are given.", "Keep one of them.", "log_text")
        return ""
    if isinstance(inline, str):
        if not inline.strip():
            draft.add("log_text is empty.", "Put the conversation there, or into a .txt file.", "log_text")
        return inline
    if inline is not None or not isinstance(named, str | None):
        return ""  # of the wrong type: the schema reports it
    path = draft.file.parent / named if named else draft.file.with_suffix(".txt")
    key = "log" if named else ""
    try:
        found = path.exists()
    except OSError as error:  # such as a name that is too long for the system
        draft.add(f"its log {str(path)!r} cannot be read: {error.strerror}.", "Check the name.", key, named)
        return ""
    if not found:
        remedy = f'Put the conversation into {path.name}, or name its file with log = "...".'
        draft.add(f"its log {str(path)!r} is missing.", remedy, key, named)
        return ""
    if not draft.allow_outside_logs and not path.resolve().is_relative_to(draft.file.parent.resolve()):
        remedy = (
            f"Put the log there. If the cases are yours, {OUTSIDE_LOGS} reads it (the flag --allow-outside-logs of "
            "`sweeps cases check` and `sweeps score`)."
        )
        draft.add(f"its log {str(path)!r} lies outside the folder of the rubric.", remedy, key, named)
        return ""
    try:
        text = _read_file(path)
    except CaseError as error:
        draft.problems += error.problems
        return ""
    if not text.strip():
        draft.problems.append(Problem(str(path), "the log is empty.", "Put the conversation there."))
    return text


def _items(draft: _Draft, schemas: list[ItemSchema]) -> tuple[Item, ...]:
    """Return the items with ids, checked against each other."""
    items = []
    ids: dict[str, int] = {}
    texts: dict[str, int] = {}
    for position, schema in enumerate(schemas):
        identifier = schema.id or f"i{position + 1}"
        text = " ".join(schema.text.split())
        same = unicodedata.normalize("NFKC", text).casefold().rstrip(".!。")
        if identifier in ids:
            message = f"the id {identifier!r} is also that of items[{ids[identifier]}]."
            remedy = "Give each item its own id, or leave the ids out (they become i1, i2, ... by position)."
            draft.add(message, remedy, f"items[{position}].id", identifier)
        if same in texts:
            message = f"the text {text!r} is also that of items[{texts[same]}]."
            draft.add(message, "Keep one of the two: a fact counts once.", f"items[{position}].text", text)
        ids.setdefault(identifier, position)
        texts.setdefault(same, position)
        items.append(
            Item(
                identifier, text, schema.level, tuple(schema.any), tuple(schema.all), tuple(schema.regex),
                schema.forbidden,
            )
        )  # fmt: skip
    if all(item.forbidden for item in items):
        draft.add(
            "all items are forbidden, so there is nothing to cover.", "Add a fact that a summary should state.", "items"
        )
    return tuple(items)


def _check_regexes(draft: _Draft, items: Sequence[Item], log: str) -> None:
    """Refuse regular expressions that take too long on the case's own log."""
    for position, item in enumerate(items):
        for pattern in item.regex:
            fault = regex_fault(pattern, [log])
            if fault:
                draft.add(fault, "Correct or remove the pattern.", f"items[{position}].regex", pattern)


_HEADER = re.compile(r"^\s*\[\[\s*items\s*\]\]")
_KEY = re.compile(r"^\s*([A-Za-z_][\w-]*)\s*=")


def _line_numbers(source: str, data: dict[str, Any]) -> dict[str, int]:
    """Line numbers by key; those of items only if their count agrees, since a multi-line text may imitate a header."""
    lines: dict[str, int] = {}
    item = -1
    for number, line in enumerate(source.splitlines(), start=1):
        if _HEADER.match(line):
            item += 1
            lines[f"items[{item}]"] = number
        elif key := _KEY.match(line):
            lines.setdefault(f"items[{item}].{key[1]}" if item >= 0 else key[1], number)
    items = data.get("items")
    if isinstance(items, list) and len(items) == item + 1:
        return lines
    return {key: number for key, number in lines.items() if not key.startswith("items[")}
