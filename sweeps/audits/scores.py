"""Scores of an audit's texts."""

from __future__ import annotations

from collections.abc import Sequence

from objectives import Case, Objective, ObjectiveError, Score
from sweeps.audits.record import Answer, AuditRecord
from sweeps.scoring.scorer import OF_ONE_TEXT, ScoringError


def scored(record: AuditRecord, cases: Sequence[Case], objective: Objective) -> AuditRecord:
    """Return a record whose texts have their scores and items; equal texts of a case are scored once.

    A text that the matcher's model cannot judge has none.

    Raises:
        ScoringError: If the objective fails.
    """
    by_name = {case.name: case for case in cases}
    known: dict[tuple[str, str], Score | None] = {}

    def with_score(answer: Answer) -> Answer:
        case = by_name.get(answer.case)
        if answer.error or case is None:
            return answer
        key = (answer.case, answer.text)
        if key not in known:
            try:
                known[key] = objective.score(case, answer.text)
            except OF_ONE_TEXT:
                known[key] = None
            except ObjectiveError as error:
                raise ScoringError(str(error)) from error
        found = known[key]
        if found is None:
            return answer
        forbidden = {item.id for item in case.items if item.forbidden}
        items = {match.item: round(match.probability, 4) for match in found.matches if match.item not in forbidden}
        return answer.model_copy(update={"score": found.score, "items": items})

    hosts = tuple(host.model_copy(update={"answers": tuple(map(with_score, host.answers))}) for host in record.hosts)
    return record.model_copy(update={"hosts": hosts})
