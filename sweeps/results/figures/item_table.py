"""The items of every scored text as a table, and texts with the words that cover items marked."""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from objectives import make_objective
from objectives.compare.marks import Piece, marked_pieces

if TYPE_CHECKING:
    from sweeps.results.study_data import StudyData

_NAMES = ("configuration", "stage", "host", "case")
_PLACE = (*_NAMES, "seed")
_WORDS = ("item", "text")
_RUBRIC = ("item", "level", "text", "forbidden")
COLUMNS = (*_PLACE, "answer", *_RUBRIC, "said", "probability")
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
        for objectives that have no items. Columns of texts are categories: there are many times as many rows as texts.
    """
    rubric: list[tuple[str, int, str, bool]] = []
    items: dict[str, list[tuple[int, str]]] = {}
    for case in study.cases:
        items[case.name] = [(place, item.id) for place, item in enumerate(case.items, len(rubric))]
        rubric += [(item.id, item.level, item.text, item.forbidden) for item in case.items]
    places: dict[str, list[Any]] = {name: [] for name in (*_PLACE, "answer")}
    numbers: dict[bytes, int] = {}
    of_text, of_item, said_by, probable = array("l"), array("l"), array("b"), array("d")
    for text, answer in enumerate(study.answers if answers is None else answers):
        digest = hashlib.blake2b(answer["text"].encode(errors="surrogatepass"), digest_size=16).digest()
        for name, value in zip(
            places, (*map(answer.get, _PLACE), numbers.setdefault(digest, len(numbers))), strict=True
        ):
            places[name].append(value)
        detail = answer["detail"]
        likely, said = detail.get("probabilities", {}), {*detail["covered"], *detail["forbidden"]}
        known = said | set(detail["missed"]) | set(likely)
        for place, item in items[answer["case"]]:
            if item in known:
                of_text.append(text)
                of_item.append(place)
                said_by.append(item in said)
                probable.append(likely.get(item, float(item in said)))
    parts = (
        pd.DataFrame(places).astype(dict.fromkeys(_NAMES, "category")).take(np.array(of_text)),
        pd.DataFrame(rubric, columns=list(_RUBRIC)).astype(dict.fromkeys(_WORDS, "category")).take(np.array(of_item)),
    )
    table = pd.concat([part.reset_index(drop=True) for part in parts], axis=1)
    return table.assign(said=np.array(said_by, dtype=bool), probability=np.array(probable))


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
