"""The items of every scored text as a table, and texts with the words that cover items marked."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from objectives import make_objective
from objectives.compare.marks import Piece, marked_pieces

if TYPE_CHECKING:
    from sweeps.results.study_data import StudyData

_PLACE = ("configuration", "stage", "host", "case", "seed")
COLUMNS = (*_PLACE, "answer", "item", "level", "text", "forbidden", "said", "probability")
"""Columns of `item_table`."""

Shown = tuple[str, str, Hashable]
"""Configuration, case and seed of a text."""


def item_table(study: StudyData, answers: Iterable[Mapping[str, Any]] | None = None) -> pd.DataFrame:
    """Return a row per item of every scored text.

    Args:
        study: The study.
        answers: Its texts that matter; by default all.

    Returns:
        `COLUMNS`: `answer` numbers the different texts from 0, `level` is 1 to 5, and `text` is the item's wording.
        `said` is whether the text says it, and `probability` how likely a person would agree, in [0, 1]. Without rows
        for objectives that have no items.
    """
    cases = {case.name: case for case in study.cases}
    columns: dict[str, list[Any]] = {name: [] for name in COLUMNS}  # rows would need several times the memory
    numbers: dict[str, int] = {}
    for answer in study.answers if answers is None else answers:
        detail, place = answer["detail"], [answer[name] for name in _PLACE]
        number = numbers.setdefault(answer["text"], len(numbers))
        likely, said = detail.get("probabilities", {}), {*detail["covered"], *detail["forbidden"]}
        known = said | set(detail["missed"]) | set(likely)
        for item in cases[answer["case"]].items:
            if item.id in known:
                about = (item.id, item.level, item.text, item.forbidden, item.id in said)
                row = (*place, number, *about, likely.get(item.id, float(item.id in said)))
                for values, value in zip(columns.values(), row, strict=True):
                    values.append(value)
    return pd.DataFrame(columns)


def marked_texts(
    study: StudyData, shown: Iterable[Shown], answers: Iterable[Mapping[str, Any]] | None = None
) -> dict[Shown, Sequence[Piece]]:
    """Return texts in pieces, with the words marked by which they cover items.

    Only items that the stored score covers are marked. Texts have no marks where a model decided about the items, as
    the words are then unknown.

    Args:
        study: The study.
        shown: The texts.
        answers: Texts of the study that have these among them; by default all.
    """
    wanted, table = set(shown), study.config.objective
    matcher = table.matcher if isinstance(table.matcher, str) else table.matcher.get("kind", "lexical")
    objective = make_objective() if table.kind == "coverage" and matcher == "lexical" else None
    cases = {case.name: case for case in study.cases}
    found: dict[Shown, Sequence[Piece]] = {}
    given = study.answers if answers is None else answers
    own = [answer for answer in given if _text_of(answer) in wanted]
    # Fresh texts come last, and replace those of other stages with the same seed.
    for answer in sorted(own, key=lambda answer: answer["stage"] == "confirm"):
        case, said = cases[answer["case"]], {*answer["detail"]["covered"], *answer["detail"]["forbidden"]}
        matches = objective.score(case, answer["text"]).matches if objective is not None else ()
        found[_text_of(answer)] = marked_pieces(case, answer["text"], matches, only=said)
    return found


def _text_of(answer: Mapping[str, Any]) -> Shown:
    return answer["configuration"], answer["case"], answer["seed"]
