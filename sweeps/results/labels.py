"""Labels of a study: what was drawn and answered, and the effect that they correct."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from analysis import Verdict
from analysis.export.files import write_together
from analysis.labels.correction import Correction, corrected_effect
from analysis.labels.draws import draw
from analysis.labels.sentences import correction_text
from sweeps.errors import SweepError
from sweeps.results.label_questions import NoItemsError, label_questions, population
from sweeps.results.study_data import StudyData

ANSWERS = {"yes": 1.0, "no": 0.0, "unsure": 0.5}
"""Answers that count, with their values."""
SKIPPED = "skip"
"""The answer to a question that is left out."""

_COLUMNS = ("finalist", "population", "configuration", "question", "share", "answer")
_STREAM = 1905  # apart from the study's other random numbers
_MOST_ROUNDS = 100


@dataclass
class Labels:
    """The labels of a study for one finalist, in a file of the study's folder that every answer is written to.

    Attributes:
        path: The file.
        finalist: The finalist's key.
        questions: See `label_questions`.
        seed: Of the draws.
    """

    path: Path
    finalist: str
    questions: pd.DataFrame
    seed: int
    _others: list[dict[str, str]] = field(default_factory=list)
    _rows: list[dict[str, str]] = field(default_factory=list)

    @classmethod
    def of(cls, study: StudyData, finalist: str) -> Labels:
        """Read the labels of a study.

        Raises:
            NoItemsError: If its objective has no items.
            SweepError: If the file cannot be read.
        """
        path = labels_file(study)
        found = cls(path, finalist, label_questions(study, finalist), study.config.study.seed)
        digest = population(found.questions)
        known: dict[str, str] = {}
        for row in _read(path):
            known |= {row["question"]: row["answer"]} if row["answer"] else {}
            mine = row["finalist"] == finalist and row["population"] == digest
            (found._rows if mine else found._others).append(row)
        found._answer_all(known)
        return found

    @property
    def outdated(self) -> int:
        """Number of answers whose texts or items have changed since, which do not count."""
        return sum(row["finalist"] == self.finalist and row["answer"] in ANSWERS for row in self._others)

    @property
    def drawn(self) -> list[str]:
        """Ids of the drawn questions in their order, each once."""
        return list(dict.fromkeys(row["question"] for row in self._rows))

    @property
    def answers(self) -> dict[str, str]:
        """Answers by question; "" where there is none yet."""
        return {row["question"]: row["answer"] for row in self._rows}

    @property
    def wording(self) -> dict[str, tuple[str, str]]:
        """Text and item by question."""
        columns = (self.questions[name] for name in ("question", "text", "item"))
        return {question: (text, item) for question, text, item in zip(*columns, strict=True)}

    def open(self, *, skipped: bool = False) -> list[str]:
        """Return drawn questions without an answer, in order.

        Args:
            skipped: Whether those that were skipped are among them.
        """
        wanted = ("", SKIPPED) if skipped else ("",)
        return [question for question, answer in self.answers.items() if answer in wanted]

    def draw(self, count: int) -> None:
        """Draw further questions until `count` are drawn, or nearly all that there are."""
        for _ in range(_MOST_ROUNDS):
            known = self.drawn
            if (missing := count - len(known)) <= 0:
                break
            rng = np.random.default_rng([self.seed, _STREAM, len(self._rows)])
            for row in draw(self.questions, 2 * missing, rng).itertuples():
                if len(known) >= count and row.question not in known:
                    break
                known += [] if row.question in known else [str(row.question)]
                self._rows.append(self._row(str(row.configuration), str(row.question), float(row.share)))  # type: ignore[arg-type]
        self._answer_all(self.answers | {row["question"]: row["answer"] for row in self._others if row["answer"]})

    def _row(self, configuration: str, question: str, share: float) -> dict[str, str]:
        values = (self.finalist, population(self.questions), configuration, question, repr(share), "")
        return dict(zip(_COLUMNS, values, strict=True))

    def _answer_all(self, answers: dict[str, str]) -> None:
        """Fill in known answers: one question may be drawn several times, or be in the other arm as well."""
        for row in self._rows:
            row["answer"] = row["answer"] or answers.get(row["question"], "")

    def answer(self, answers: dict[str, str]) -> None:
        """Keep answers, by question: of `ANSWERS`, `SKIPPED` or "" to take one back.

        Raises:
            OSError: If the file cannot be written.
        """
        for row in self._rows:
            row["answer"] = answers.get(row["question"], row["answer"])
        text = io.StringIO()
        writer = csv.DictWriter(text, _COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows([*self._others, *self._rows])
        write_together({self.path: text.getvalue()}, private=True)

    def correction(self, verdict: Verdict) -> Correction:
        """Return the effect of a verdict on this finalist, corrected by the labels."""
        made = [row for row in self._rows if row["answer"] in ANSWERS]
        table = pd.DataFrame({
            "configuration": [row["configuration"] for row in made],
            "question": [row["question"] for row in made],
            "share": [float(row["share"]) for row in made],
            "answer": [ANSWERS[row["answer"]] for row in made],
        })  # fmt: skip
        return corrected_effect(
            self.questions, table, baseline=verdict.baseline, finalist=self.finalist, effect=verdict.effect,
            standard_error=verdict.standard_error, dof=verdict.dof, level=verdict.level, claim=verdict.claim,
            shown=verdict.outcome in ("better", "worse"),
        )  # fmt: skip


def labels_file(study: StudyData) -> Path:
    """Return the file of a study's labels."""
    return study.folder / "labels.csv"


def _read(path: Path) -> list[dict[str, str]]:
    """The rows of a file of labels; [] without one."""
    if not path.exists():
        return []
    try:
        with path.open(encoding="utf-8", newline="") as stream:
            rows = list(csv.DictReader(stream, strict=True))
        for row in rows:
            if set(row) != set(_COLUMNS) or None in row.values() or row["answer"] not in {*ANSWERS, SKIPPED, ""}:
                raise ValueError(f"a row is not as it was written: {row}")
            float(row["share"])
    except (OSError, ValueError, csv.Error) as error:
        raise SweepError(f"{path} cannot be read: {error}; restore it, or move it away to label again") from None
    return rows


def verdict_correction(study: StudyData, verdict: Verdict) -> Correction | None:
    """Return a verdict's effect corrected by the study's labels; None where nobody has labelled what is scored now.

    Raises:
        SweepError: If the labels cannot be read.
    """
    if not labels_file(study).exists():
        return None
    try:
        labels = Labels.of(study, verdict.configuration)
    except NoItemsError:  # labels of an earlier objective
        return None
    return labels.correction(verdict) if any(answer in ANSWERS for answer in labels.answers.values()) else None


def verdict_correction_text(study: StudyData, verdict: Verdict, correction: Correction | None) -> str:
    """The corrected effect in words; "" where nobody has labelled."""
    if correction is None:
        return ""
    names = study.called
    name, baseline = names[verdict.configuration], names[verdict.baseline]
    return correction_text(correction, outcome=verdict.outcome, name=name, baseline=baseline)
