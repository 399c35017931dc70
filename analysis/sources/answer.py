"""Scored answers as evaluation tools store them, and the table of scores that they make."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from analysis.files.columns import ColumnsError, joined, their_columns
from analysis.files.layout import MISSING
from analysis.files.score_words import score_words
from analysis.observations.table_error import TableError

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Answer:
    """One scored answer.

    Attributes:
        run: The run that it is from; two runs of one configuration are repeats.
        facts: What may tell configurations apart, such as model, prompt and temperature, the most telling first.
        case: The sample.
        repeat: The number of the answer among those of this sample in this run; None for "in their order".
        scores: All scores by name: numbers, booleans, words such as `C`, or None for a missing one.
        task: The task of the sample, where one run has several.
        failed: The answer has no score because something failed.
        stage: `search` where the configurations come from a search, otherwise "".
    """

    run: str
    facts: Mapping[str, str]
    case: str
    scores: Mapping[str, Any]
    repeat: int | str | None = None
    task: str = ""
    failed: bool = False
    stage: str = ""


def table_of(
    answers: Sequence[Answer], score: str | None = None, columns: Mapping[str, str] | None = None
) -> pd.DataFrame:
    """Make a table of scores from answers.

    A configuration's label has the facts in which the runs differ. Where several runs have the same facts, the seed
    names the run as well. Where there are several tasks, the case names its task.

    Args:
        answers: The answers of all runs, at least one.
        score: The score to judge. The beginning of a name is enough where only one begins so.
        columns: Facts that say `configuration` (`model+prompt`), `case` or `seed`, where it should not be as above.

    Raises:
        TableError: There is no answer, no such score or fact, or several scores and none is chosen.
    """
    import pandas as pd

    if not answers:
        raise TableError("it holds no scored answers")
    chosen = dict(columns or {})
    name = _chosen(_usable(answers), chosen.pop("score", score))
    answers, only = _by_facts(answers, chosen)
    tasks = dict.fromkeys(answer.task for answer in answers)
    having = {answer.task for answer in answers if name in answer.scores}
    kept = [answer for answer in answers if answer.task in having]
    labels = _labels(kept, only)
    runs: dict[str, list[str]] = {}
    for answer, label in zip(kept, labels, strict=True):
        runs.setdefault(label, [])
        if answer.run not in runs[label]:
            runs[label].append(answer.run)
    several = any(len(names) > 1 for names in runs.values())
    counted: dict[tuple[str, str, str], int] = {}
    rows = []
    for answer, label in zip(kept, labels, strict=True):
        case = f"{answer.task}: {answer.case}" if len(having) > 1 else answer.case
        at = (answer.run, label, case)
        counted[at] = counted.get(at, 0) + 1
        repeat = counted[at] if answer.repeat is None else answer.repeat
        rows.append(
            {
                "configuration": label,
                "case": case,
                "seed": f"run {runs[label].index(answer.run) + 1}, {repeat}" if several else repeat,
                "score": _number(answer.scores.get(name)),
                "finish": "error" if answer.failed else "stop",
                **({"stage": answer.stage} if answer.stage else {}),
            }
        )
    table = pd.DataFrame(rows)
    left = [task for task in tasks if task not in having]
    table.attrs = {"notes": [f"left out, because it has no score {name!r}: {', '.join(left)}"] if left else []}
    return table


def _chosen(names: Iterable[str], score: str | None) -> str:
    """Return the name of the score to judge."""
    present = list(names)
    if not present:
        raise TableError("its answers have no score")
    if score is None:
        if len(present) == 1:
            return present[0]
        raise TableError(f"it has several scores: {', '.join(present)}; choose one with --score NAME")
    if score in present:
        return score
    beginning = [name for name in present if name.startswith(score)]
    if len(beginning) == 1:
        return beginning[0]
    if beginning:
        raise TableError(f"score {score!r} may be any of {', '.join(beginning)}; write one of them in full")
    near = difflib.get_close_matches(score, present, n=1)
    hint = f"did you mean {near[0]!r}?" if near else ""
    raise TableError(f"no score {score!r}; it has {', '.join(present)}. {hint}".rstrip(" ."))


def _usable(answers: Iterable[Answer]) -> list[str]:
    """Return the names of the scores that are numbers, or words for numbers, wherever they are not missing."""
    values: dict[str, list[Any]] = {}
    for answer in answers:
        for name, value in answer.scores.items():
            values.setdefault(name, [])
            if (number := _number(value)) is not None:
                values[name].append(number)
    usable = []
    for name, found in values.items():
        words = {str(value) for value in found if isinstance(value, (bool, str))}
        others = [value for value in found if not isinstance(value, (bool, str, int, float))]
        if not others and (not words or score_words(words) is not None):
            usable.append(name)
    return usable


def _number(value: Any) -> Any:
    """Return a score as a number where it is a text for one, None where it is missing; words stay."""
    if isinstance(value, str):
        if value.strip() in MISSING:
            return None
        try:
            return float(value)
        except ValueError:
            return value
    return None if isinstance(value, float) and math.isnan(value) else value


def _by_facts(answers: Sequence[Answer], columns: Mapping[str, str]) -> tuple[list[Answer], list[str]]:
    """Return the answers with cases and seeds from facts, and the facts that make the label ([] for all)."""
    present = list(dict.fromkeys(name for answer in answers for name in answer.facts))
    try:
        found = their_columns(columns, present)
    except ColumnsError as error:
        raise TableError(str(error)) from None
    taken = {name for ours in ("case", "seed") for name in found.get(ours, [])}
    changed = []
    for answer in answers:
        named = {
            ours: joined(found[ours], [answer.facts.get(name, "") for name in found[ours]])
            for ours in ("case", "seed")
            if ours in found
        }
        changed.append(
            replace(
                answer,
                facts={name: value for name, value in answer.facts.items() if name not in taken},
                case=named.get("case", answer.case),
                repeat=named.get("seed", answer.repeat),
            )
        )
    return changed, found.get("configuration", [])


def _labels(answers: Sequence[Answer], only: Sequence[str]) -> list[str]:
    """Return each answer's configuration: the values of the facts that differ within a task, or of those of `only`."""
    if only:
        return [joined(only, [answer.facts.get(name, "") for name in only]) for answer in answers]
    values: dict[str, dict[str, set[str]]] = {}
    for name in dict.fromkeys(name for answer in answers for name in answer.facts):
        for answer in answers:
            values.setdefault(name, {}).setdefault(answer.task, set()).add(answer.facts.get(name, ""))
    telling = [name for name, tasks in values.items() if any(len(found) > 1 for found in tasks.values())]
    if not telling:
        shown = next(iter(answers[0].facts.values()), "") or "all"
        return [shown] * len(answers)
    made = []
    for answer in answers:
        parts = [_part(name, answer.facts.get(name, "")) for name in telling]
        made.append(", ".join(filter(None, parts)) or f"without {' and '.join(telling)}")
    return made


_PLAIN = ("model", "provider", "prompt", "run")
"""Facts whose values name themselves; the others are shown as `temperature=0.2`."""


def _part(name: str, value: str) -> str:
    return value if name in _PLAIN or not value else f"{name}={value}"


def facts_of(values: Mapping[str, Any], above: str = "") -> dict[str, str]:
    """Return settings as facts: texts by name, inner tables by `outer.inner`; empty ones are left out."""
    facts: dict[str, str] = {}
    for key, value in values.items():
        name = f"{above}.{key}" if above else str(key)
        if isinstance(value, Mapping):
            facts.update(facts_of(value, name))
        elif value not in (None, "", [], ()) and not (isinstance(value, float) and math.isnan(value)):
            facts[name] = value if isinstance(value, str) else f"{value:g}" if isinstance(value, float) else str(value)
    return facts
