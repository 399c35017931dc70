"""Summary files by case and run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from objectives.case_files import CaseError, Problem, read_text
from objectives.hints import did_you_mean
from objectives.reasoning import split

SUFFIXES = (".txt", ".md")
"""Endings of summary files."""


@dataclass(frozen=True)
class Summary:
    """A summary file: its text, its path, and its run ("" for ``NAME.txt``, "2" for ``NAME.2.txt``).

    `thought` is the reasoning that was cut off the text; "" for none.
    """

    case: str
    run: str
    path: Path
    text: str
    thought: str = ""


def read_summaries(folder: Path, names: Sequence[str], *, reasoning: str = "cut") -> tuple[list[Summary], list[str]]:
    """Read a folder of summaries.

    Args:
        folder: The folder, with ``NAME.txt`` or ``NAME.md`` per case, or ``NAME.<run>.txt`` for repeats.
        names: The cases' names.
        reasoning: "cut" takes a model's reasoning out of each text, "keep" leaves it in.

    Returns:
        The summaries by case and run, and the names of text files that belong to no case.

    Raises:
        CaseError: The folder is missing or has no summary of any case, two files are the same run, or a file is not
            UTF-8.
    """
    if not folder.is_dir():
        message = "is a file, not a folder of summaries." if folder.exists() else "no such folder of summaries."
        raise CaseError(Problem(str(folder), message, "Give a folder with one NAME.txt or NAME.md per case."))
    found: dict[tuple[str, str], Summary] = {}
    unknown: list[str] = []
    problems: list[Problem] = []
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() not in SUFFIXES or not path.is_file() or path.name.startswith("."):
            continue
        key = _case_and_run(path, names)
        if key is None:
            unknown.append(path.name)
        elif key in found:
            message = f"is the same run as {found[key].path.name}."
            problems.append(Problem(str(path), message, "Keep one, or number the runs: NAME.1.txt, NAME.2.txt."))
        else:
            try:
                text = read_text(path)
                thought, answer = split(text) if reasoning == "cut" else ("", text)
                found[key] = Summary(*key, path, answer, thought)
            except CaseError as error:
                problems += error.problems
    if not found and not problems:
        seen = f" It contains {', '.join(unknown[:5])}." if unknown else ""
        near = did_you_mean(Path(unknown[0]).stem, names) if unknown else ""
        remedy = f"{near}Name summaries after the cases: {', '.join(f'{name}.txt' for name in list(names)[:4])}, ..."
        problems.append(Problem(str(folder), f"has no summary of any case.{seen}", remedy))
    if problems:
        raise CaseError(problems)
    return sorted(found.values(), key=lambda summary: (summary.case, _run_order(summary.run))), unknown


def _case_and_run(path: Path, names: Sequence[str]) -> tuple[str, str] | None:
    """Return case and run of a file name; the longest matching case name wins, since names may contain dots."""
    stem = path.name[: -len(path.suffix)]
    if stem in names:
        return stem, ""
    fitting = [name for name in names if stem.startswith(name + ".")]
    if not fitting:
        return None
    name = max(fitting, key=len)
    return name, stem[len(name) + 1 :]


def _run_order(run: str) -> tuple[int, int, str]:
    return (0, int(run), run) if run.isdecimal() else (-1 if not run else 1, 0, run)
