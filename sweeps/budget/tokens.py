"""Limit on the tokens of a sweep (`budget.tokens`): number of trials that still leave enough for the confirmation.

Counted are the tokens that the model writes, thought included, as the engine counts them (Ollama's `eval_count`). On a
machine of one's own they take the time: a prompt is evaluated once for all repeats. Answers that the ledger had count
as well, so that a study and its verdict do not depend on what other studies left there.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sweeps.budget.allocation import MAX_TRIALS
from sweeps.budget.plan import Plan
from sweeps.config.tables import BudgetTable
from sweeps.engines.base import Generation

Rows = Sequence[Mapping[str, Any]]

BEST = 0.25
"""Share of the trials, those with the best means, whose answers a finalist is expected to resemble in length."""


def mean_tokens(answers: Sequence[Generation]) -> float | None:
    """Mean tokens of answers; None where the engine counts none."""
    counts = [answer.output_tokens for answer in answers if answer.output_tokens is not None]
    return sum(counts) / len(counts) if counts else None


def tokens_of(rows: Rows) -> int:
    """Tokens of the answers in rows of the observations table; an answer without a count has none."""
    return int(sum(row["output_tokens"] for row in rows if _is_count(row.get("output_tokens"))))


@dataclass(frozen=True)
class TokenBudget:
    """The tokens of a sweep.

    Attributes:
        plan: The plan.
        tokens: The budget.
        each: Expected tokens of an answer when the plan was made.
    """

    plan: Plan
    tokens: int
    each: float

    @classmethod
    def of(cls, budget: BudgetTable, plan: Plan, each: float | None) -> TokenBudget | None:
        """Return what holds a sweep to `budget.tokens`; None without, and where `each` is not known."""
        return None if budget.tokens is None or each is None else cls(plan, budget.tokens, each)

    def trials_left(self, made: int, rows: Rows) -> int:
        """Number of further trials that leave enough for the confirmation, if answers stay as long as they are.

        In the confirmation the baseline is expected to write as much as in the floor. A finalist is expected to write
        as much as the best quarter of the trials, or the mean trial if that is more. Texts that score well are often
        longer than the mean.

        Args:
            made: Number of trials so far; 1 or more.
            rows: Rows of the observations table so far.
        """
        explored = [row for row in rows if row["stage"] == "explore"]
        baseline = self._mean([row for row in rows if row["stage"] == "floor"])
        finalist = max(self._mean(explored), self._mean(_best(explored)))
        whole, theirs = self.plan.confirm, self.plan.of_finalists
        confirm = (whole - theirs) * baseline + theirs * finalist
        left = self.tokens - tokens_of(rows) - confirm
        each = tokens_of(explored) / made
        return max(0, int(left / each)) if each else MAX_TRIALS

    def ended(self, made: int) -> str:
        """The message where the exploration ends before its planned trials."""
        return (
            f"budget.tokens {self.tokens}: answers are longer than when the plan was made, so the exploration ends"
            f" after {made} of {self.plan.trials} trials; the confirmation is made as planned"
        )

    def _mean(self, rows: Rows) -> float:
        counts = [row["output_tokens"] for row in rows if _is_count(row.get("output_tokens"))]
        return sum(counts) / len(counts) if counts else self.each


def _is_count(value: object) -> bool:
    return isinstance(value, (int, float)) and not math.isnan(value)


def _best(rows: Rows) -> Rows:
    """The rows of the best trials by their mean scores."""
    scores: dict[int, list[float]] = {}
    for row in rows:
        if not math.isnan(row["score"]):
            scores.setdefault(row["trial"], []).append(row["score"])
    ranked = sorted(scores, key=lambda trial: (-sum(scores[trial]) / len(scores[trial]), trial))
    best = set(ranked[: math.ceil(BEST * len(ranked))])
    return [row for row in rows if row["trial"] in best]
