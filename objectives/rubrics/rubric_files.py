"""Rubric files as TOML that people edit further; written whole or not at all, never over another file."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from objectives.case_files import CaseError, Problem


class ItemLike(Protocol):
    """An item to write; `any`, `all`, `regex`, `id`, `forbidden` and `note` may be absent."""

    @property
    def text(self) -> str:
        """The fact."""
        ...

    @property
    def level(self) -> int:
        """1 to 5."""
        ...


_UNREVIEWED = """\
# Candidates, not a rubric yet. Rewrite each text as one fact in one sentence that a good summary would cover without
# copying it, set its level (1 essential .. 5 incidental), remove the rest. Then set reviewed = true.
"""


def quote(text: str) -> str:
    """Write a TOML basic string: the escapes are JSON's, and DEL is escaped too."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def render_rubric(
    items: Sequence[ItemLike], *, title: str = "", language: str = "", log: str = "", reviewed: bool = True
) -> str:
    """Return the text of a rubric file.

    Args:
        items: The items, in the order of the file; their `note` becomes a comment.
        title: A title for people, or "".
        language: Language tag such as "en", or "".
        log: Name of the log's file, if it is not the rubric's name with ``.txt``.
        reviewed: False marks the items as candidates; `sweeps cases check` then warns.
    """
    head = [] if reviewed else [_UNREVIEWED + "reviewed = false"]
    head += [
        f"{key} = {quote(value)}" for key, value in (("title", title), ("language", language), ("log", log)) if value
    ]
    blocks = ["\n".join(head)] if head else []
    return "\n\n".join([*blocks, *map(_block, items)]) + "\n"


def _block(item: ItemLike) -> str:
    note = " ".join(str(getattr(item, "note", "")).split())
    lines = ["[[items]]" + (f"  # {note}" if note else "")]
    if identifier := getattr(item, "id", ""):
        lines.append(f"id = {quote(identifier)}")
    lines += [f"text = {quote(item.text)}", f"level = {item.level}"]
    for key in ("any", "all", "regex"):
        if patterns := getattr(item, key, ()):
            lines.append(f"{key} = [{', '.join(map(quote, patterns))}]")
    if getattr(item, "forbidden", False):
        lines.append("forbidden = true")
    return "\n".join(lines)


def write_case(
    rubric: str,
    log_path: Path,
    log: str,
    directory: Path | None = None,
    *,
    force: bool = False,
    rewritten: bool = False,
) -> list[Path]:
    """Write a rubric beside its log, and copy the log if they go to another directory.

    Args:
        rubric: The rubric's text. It needs no `log` key: the log is (or becomes) ``NAME.txt`` in `directory`.
        log_path: The log's file; its stem is the case's name.
        log: The log's text.
        directory: Directory of the case; by default that of the log. It is created if necessary.
        force: Write over existing files.
        rewritten: `log` is no longer the text of `log_path`, so that it is written in any case.

    Returns:
        The files written, the rubric first.

    Raises:
        CaseError: A file exists already (and `force` is off), or cannot be written.
    """
    directory = directory or log_path.parent
    files = {directory / f"{log_path.stem}.toml": rubric}
    copy = directory / f"{log_path.stem}.txt"
    if rewritten or directory.resolve() != log_path.parent.resolve():
        files[copy] = log
    write_files(files, force=force)
    return list(files)


def write_files(files: Mapping[Path, str], *, force: bool = False) -> None:
    """Write text files as UTF-8, each whole or not at all, and none if one of them exists already.

    Raises:
        CaseError: With every file that exists already (and `force` is off), or the first that cannot be written.
    """
    in_the_way = [path for path in files if path.exists() and not force]
    if in_the_way:
        remedy = "Remove it, choose another directory, or overwrite it with --force."
        raise CaseError([Problem(str(path), "exists already, and nothing was written.", remedy) for path in in_the_way])
    for path, text in files.items():
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            _replace(path, text)
        except OSError as error:
            remedy = "Choose another directory, or correct its permissions."
            raise CaseError(Problem(str(path), f"cannot be written: {error.strerror or error}.", remedy)) from None


def _replace(path: Path, text: str) -> None:
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
        mask = os.umask(0)
        os.umask(mask)
        os.chmod(name, 0o666 & ~mask)  # mkstemp's 0600 would hide the file from a shared folder
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
