"""Questions to a person about the texts of a confirmation: does this text say this item?"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping
from typing import Any

import pandas as pd

from analysis.labels.draws import QUESTIONS
from objectives import Case, Item
from objectives.coverage import cut_to_words
from sweeps.errors import SweepError
from sweeps.results.robustness import used_weights
from sweeps.results.study_data import StudyData
from sweeps.scoring.inputs import stored_score

COLUMNS = (*QUESTIONS, "item", "text")
"""Columns of the table; `item` is the item's wording and `text` what was scored of the text."""


class NoItemsError(SweepError):
    """The objective has no items to ask about."""


def label_questions(study: StudyData, finalist: str) -> pd.DataFrame:
    """Return the questions about the confirmation's texts of the baseline and of a finalist.

    Args:
        study: A study with a confirmation.
        finalist: The finalist's key.

    Returns:
        A row per arm, text and item, columns `COLUMNS`. Equal texts of an arm are one question with the weight of all.
        Its id depends on case, item and text alone, so that it tells nothing of the configuration.

    Raises:
        NoItemsError: If the objective has no items.
    """
    arms = (study.baseline.key, finalist)
    answers = [each for each in study.answers if each["stage"] == "confirm" and each["configuration"] in arms]
    if not all(answer["detail"].get("probabilities") for answer in answers):
        raise NoItemsError(
            f"study {study.name!r}: labels answer the items of a rubric, and its objective has none; nothing to label"
        )
    cases = {case.name: case for case in study.cases}
    weights = dict(enumerate(used_weights(study), 1))
    expected = stored_score(study.stored.identity) == "expected"
    parts = _text_weights(answers, arms)
    budget = study.stored.identity.get("objective.budget_words")
    rows: dict[tuple[str, str], dict[str, Any]] = {}
    for answer in answers:
        place = answer["configuration"], answer["case"], answer["host"]
        case = cases[answer["case"]]
        total = sum(weights[item.level] for item in case.items if not item.forbidden)
        if place not in parts or total <= 0:
            continue
        text, appeared = (
            cut_to_words(answer["text"], budget),
            {*answer["detail"]["covered"], *answer["detail"]["forbidden"]},
        )
        for item in case.items:
            probability = float(answer["detail"]["probabilities"][item.id])
            row = rows.setdefault((answer["configuration"], _id(case, item, text)), {
                "configuration": answer["configuration"], "case": case.name, "question": _id(case, item, text),
                "weight": 0.0, "credit": probability if expected else float(item.id in appeared),
                "probability": probability, "item": item.text, "text": text,
            })  # fmt: skip
            row["weight"] += parts[place] * weights[item.level] * (-1 if item.forbidden else 1) / total
    return pd.DataFrame(list(rows.values()), columns=list(COLUMNS))


def _text_weights(answers: list[Mapping[str, Any]], arms: tuple[str, str]) -> dict[tuple[str, str, str], float]:
    """The part of one text in its arm's mean, by configuration, case and host: cases count the same, as in `pair`."""
    texts = Counter((answer["configuration"], answer["case"], answer["host"]) for answer in answers)
    shared = {(case, host) for _, case, host in texts if all((arm, case, host) in texts for arm in arms)}
    hosts = Counter(case for case, _ in shared)
    return {
        (arm, case, host): 1 / (len(hosts) * hosts[case] * number)
        for (arm, case, host), number in texts.items()
        if (case, host) in shared
    }


def _id(case: Case, item: Item, text: str) -> str:
    return hashlib.sha256("\0".join((case.name, item.id, item.text, text)).encode(errors="replace")).hexdigest()[:16]


def population(questions: pd.DataFrame) -> str:
    """Digest of the questions that labels are drawn from; it changes with the texts and with the rubrics."""
    names = sorted(zip(questions["configuration"], questions["question"], strict=True))
    return hashlib.sha256(repr(names).encode()).hexdigest()[:16]
