"""Answers of a study with their scores, as the ledger has them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from objectives.reasoning import split
from sweeps.ledger.ledger import Ledger
from sweeps.ledger.records import Entry, Place, generation_of
from sweeps.ledger.study_record import StoredStudy, StudyRecord
from sweeps.scoring.answers import KEEP
from sweeps.scoring.scorer import Scored, scored_digest


def stored_answers(
    ledger: Ledger,
    study: StoredStudy,
    reasoning: str,
    stages: Iterable[str] | None,
    scores: Mapping[tuple[str, int], Scored] | None,
    *,
    trials: Collection[int] | None = None,
) -> Iterator[tuple[Place, Entry | None, Scored | None, str]]:
    """Yield place, generation, score and error of each observation.

    Args:
        ledger: The ledger.
        study: The study.
        reasoning: Its `objective.reasoning`.
        stages: Only observations of these stages; all if None.
        scores: Scores of its texts by case and number of the generation; the ledger's if None.
        trials: Only observations of these trials; all by default.
    """
    for part in ledger.observations.parts_of_study(study.name, stages, trials):
        found = _kept_scores(ledger, study.record, part, reasoning) if scores is None else scores
        for row in part:
            place = Place(**{name: row[name] for name in Place.__dataclass_fields__})
            entry = None
            if row["generation"] is not None:
                entry = Entry(row["generation"], generation_of(row), row["text_sha256"], row["created"])
            yield place, entry, found.get((place.case, row["generation"])), row["error"]


def _kept_scores(
    ledger: Ledger, record: StudyRecord, found: Sequence[Mapping[str, Any]], reasoning: str
) -> dict[tuple[str, int], Scored]:
    """Return the ledger's scores of observations, by case and number of the generation."""
    digests, objective = record.case_digests or {}, record.objective_digest or ""
    texts = {(row["case"], row["generation"]): row["text"] for row in found if row["generation"] is not None}
    kept = ledger.observations.scores({generation for _, generation in texts}, objective)
    scores = {}
    for (case, generation), text in texts.items():
        is_whole = reasoning == KEEP or split(text).answer == text
        score = kept.get((generation, scored_digest(digests.get(case, ""), is_whole=is_whole)))
        if score is not None:
            scores[case, generation] = Scored(*score)
    return scores
