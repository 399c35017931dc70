"""Score texts with an objective."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from objectives import Case, Objective, ObjectiveError, Score
from objectives.matchers.base import UnusableAnswer
from objectives.text_metrics import words_in
from sweeps.engines.base import EngineFailure, EngineProtocolError, EngineTimeout, Generation, PromptTooLong
from sweeps.errors import SweepError
from sweeps.ledger.ledger import Ledger
from sweeps.ledger.observations import Score as NewScore
from sweeps.scoring.answers import CUT, answer_of
from sweeps.scoring.answers import UNSCORED as UNSCORED
from sweeps.scoring.answers import scored_digest as scored_digest

Detail = dict[str, Any]
"""A score as JSON types: covered, missed and forbidden ids, levels, words, side metrics, probability per item."""


def case_digest(case: Case) -> str:
    """Digest of a case's rubric and log, on which a stored score depends."""
    return hashlib.sha256(f"{case.rubric_sha256} {case.log_sha256}".encode()).hexdigest()[:32]


def detail_of(score: Score) -> Detail:
    """A score as JSON types."""
    return {
        "covered": list(score.covered),
        "missed": list(score.missed),
        "forbidden": list(score.forbidden),
        "levels": {str(level): list(pair) for level, pair in score.levels.items()},
        "words": score.words,
        "side": dict(score.side),
        "probabilities": {match.item: round(match.probability, 4) for match in score.matches},
        "patterns": [match.item for match in score.matches if match.matcher == "patterns"],
    }


@dataclass(frozen=True)
class Scored:
    """A generation's score with its detail."""

    score: float
    detail: Detail


OF_ONE_TEXT = (UnusableAnswer, EngineProtocolError, EngineTimeout, EngineFailure, PromptTooLong)
"""Errors of a matcher's model that concern one text only, unlike a missing model or a server that does not answer."""


class UnscorableError(SweepError):
    """No text can be scored, or nearly none; the generated texts are kept."""


class ScoringError(SweepError, ObjectiveError):
    """The objective failed, or returned no score; the generated texts are kept."""


class Scorer:
    """Scores generations for their cases and keeps the scores in the ledger.

    Args:
        objective: The objective.
        cases: The cases.
        ledger: The store of scores, so that a resumed or reopened study scores no text twice.
        reasoning: See `sweeps.scoring.answers.answer_of`.
    """

    def __init__(self, objective: Objective, cases: Sequence[Case], ledger: Ledger, reasoning: str = CUT) -> None:
        self.reasoning = reasoning
        self.objective = objective
        self.ledger = ledger
        self._cases = {case.name: case for case in cases}
        self._digests = {case.name: case_digest(case) for case in cases}
        # An objective that scores only the first words does not know the length of the text.
        self._fetched: dict[int, tuple[tuple[str, float, Detail], ...]] = {}
        self._cuts = getattr(objective, "budget_words", None) is not None

    def fetch(self, numbers: Iterable[int]) -> None:
        """Read the ledger's scores of generations at once, for the calls of `score` that follow."""
        wanted = list(numbers)
        self._fetched = dict.fromkeys(wanted, ())
        for (number, digest), (score, detail) in self.ledger.observations.scores(wanted, self.objective.digest).items():
            self._fetched[number] = (*self._fetched[number], (digest, score, detail))

    def _kept(self, numbers: Iterable[int]) -> dict[tuple[int, str], tuple[float, Detail]]:
        """Return the ledger's scores of generations, by number and digest."""
        wanted = list(numbers)
        if not all(number in self._fetched for number in wanted):
            return self.ledger.observations.scores(wanted, self.objective.digest)
        return {
            (number, digest): (score, detail)
            for number in wanted
            for digest, score, detail in self._fetched.pop(number)
        }

    def score(
        self,
        items: Iterable[tuple[str, int, Generation]],
        *,
        fresh: bool = False,
        keep: bool = True,
        later: list[NewScore] | None = None,
        failed: dict[int, str] | None = None,
    ) -> dict[int, Scored]:
        """Scores of generations given as (case, number, generation), by number.

        Args:
            items: The generations.
            fresh: Whether they are new, so that the ledger cannot have scores of them.
            keep: Whether to write new scores to the ledger, also those before a failure.
            later: Receives the new scores in place of the ledger, for a caller that writes many at once.
            failed: Receives the generations that a model could not judge (`OF_ONE_TEXT`), with the reason; they get no
                score. Without it the first error is raised.
        """
        wanted = {number: (case, answer_of(given, self.reasoning).text, given.text) for case, number, given in items}
        kept = {} if fresh else self._kept(wanted)
        scored: dict[int, Scored] = {}
        new = []
        try:
            for generation, (case, text, whole) in wanted.items():
                digest = scored_digest(self._digests[case], is_whole=text == whole)
                if (found := kept.get((generation, digest))) is not None:
                    scored[generation] = Scored(*found)
                    continue
                try:
                    scored[generation] = each = self._scored(case, text)
                except OF_ONE_TEXT as error:
                    if failed is None:
                        raise
                    failed[generation] = str(error)
                else:
                    new.append((generation, self.objective.digest, digest, each.score, each.detail))
        finally:
            if later is not None:
                later += new
            elif new and keep:
                self.ledger.observations.add_scores(new)
        return scored

    def _scored(self, case: str, text: str) -> Scored:
        try:
            score = self.objective.score(self._cases[case], text)
        except OF_ONE_TEXT:
            raise
        except ObjectiveError as error:
            raise ScoringError(str(error)) from error
        detail = detail_of(score)
        if self._cuts:
            detail["words"] = len(words_in(text))
        return Scored(score.score, detail)
