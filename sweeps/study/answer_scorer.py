"""Scores of a running study's answers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sweeps.hosts.task import TaskResult
from sweeps.ledger.ledger import Ledger
from sweeps.ledger.unwritten import Unwritten
from sweeps.scoring.engine_models import EngineModels
from sweeps.scoring.scorer import UNSCORED, Scored, Scorer
from sweeps.study.unscored import Tally


class AnswerScorer:
    """The scorer of a running study: one answer at a time, with the reasons of texts without a score.

    Args:
        study: The study's name.
        scorer: Scores texts, and keeps the scores.
        ledger: The ledger of the study.
        models: The matcher's access to models.
    """

    def __init__(self, study: str, scorer: Scorer, ledger: Ledger, models: EngineModels) -> None:
        self._study, self._scorer, self._ledger, self._models = study, scorer, ledger, models
        self._tally = Tally()

    def expect(self, results: Sequence[TaskResult]) -> None:
        """Fetch the scores of answers that the ledger had, before each of them is scored."""
        self._scorer.fetch([result.entry.id for result in results if result.entry is not None])

    def score(self, result: TaskResult, unwritten: Unwritten) -> tuple[Scored | None, str]:
        """Return the score of an answer, or None and the reason. A text that cannot be judged does not stop the others.

        Args:
            result: The answer.
            unwritten: Receives the score for the ledger.

        Raises:
            UnscorableError: If too many of the last texts have no score.
        """
        entry, failed = result.entry, dict[int, str]()
        if entry is None:
            return None, result.error
        observations, again = self._ledger.observations, bool(result.unscored)
        self._models.attempt = observations.times_unscored(entry.id, kind=UNSCORED) if again else 0
        text = (result.task.place.case, entry.id, entry.generation)
        scored = self._scorer.score([text], fresh=not result.kept, later=unwritten.scores, failed=failed).get(entry.id)
        why = failed.get(entry.id, "")
        if scored is None:
            unwritten.write()  # the reason is noted with the observation
            observations.add_unscored(self._study, entry.id, kind=UNSCORED, message=why)
        self._tally.add(why, again=again)
        return scored, "" if scored is not None else f"{UNSCORED}: {why}"

    def scored(self, generations: Iterable[int]) -> set[int]:
        """Return those of some generations that have a score in the ledger."""
        return {number for number, _ in self._ledger.observations.scores(generations, self._scorer.objective.digest)}

    def stop_if_none_scored(self) -> None:
        """Raise `UnscorableError` if texts were tried and none has a score."""
        self._tally.stop_if_none_scored()
