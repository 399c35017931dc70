"""Proposals and results of trials."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from sweeps.config.space import configuration_from
from sweeps.ledger.ledger import Ledger
from sweeps.ledger.proposals import proposal_record
from sweeps.options import Configuration

LEAST_ERROR = 1e-3
"""Smallest standard error of a mean score in the sampler: a greedy baseline shows no noise at all."""


@dataclass(frozen=True)
class Penalty:
    """Score that a trial lost by breaking limits.

    Attributes:
        score: The score without it.
        noise_sd: The score's own within-case standard deviation.
        means: Mean of each limited quantity; NaN where it is not known.
        violation: Sum of the excesses over the limits; 0 where all are kept.
        weight: Score lost per unit of violation.
    """

    score: float
    noise_sd: float
    means: Mapping[str, float]
    violation: float
    weight: float

    @property
    def lost(self) -> float:
        """The difference between score and value."""
        return self.weight * self.violation

    def user_attrs(self) -> dict[str, Any]:
        """User attributes of the trial in Optuna's storage."""
        known = {name: None if math.isnan(mean) else mean for name, mean in self.means.items()}
        return {"score": self.score, "violation": self.violation, "constraints": known}


@dataclass(frozen=True)
class Proposal:
    """One configuration to try.

    Attributes:
        number: The trial's number, from 0.
        configuration: The configuration.
        params: Its values as Optuna holds them; {} in a comparison.
        name: Its name in `[candidates]`; "" for a set that the sampler proposed.
    """

    number: int
    configuration: Configuration
    params: Mapping[str, Any]
    name: str = ""

    @property
    def title(self) -> str:
        """The candidate's name, or the trial's number, for people."""
        return self.name or f"trial {self.number}"

    def as_record(self) -> dict[str, Any]:
        """The proposal as JSON types."""
        record = {"values": self.configuration.values, "params": dict(self.params)}
        return record | ({"name": self.name} if self.name else {})

    @classmethod
    def from_record(cls, number: int, record: Mapping[str, Any]) -> Proposal:
        """The inverse of `as_record`."""
        return cls(number, configuration_from(record["values"]), record["params"], record.get("name", ""))


def stored_proposals(ledger: Ledger, study: str) -> list[Proposal]:
    """Return a study's proposals by number.

    Raises:
        ValueError, LookupError, TypeError, AttributeError: If one is damaged or missing.
    """
    proposals = [_proposal(number, text) for number, text in enumerate(ledger.proposals.texts_of(study))]
    for number, observed in ledger.observations.configurations(study).items():
        if 0 <= number < len(proposals) and proposals[number].configuration.key not in observed:
            raise ValueError(f"proposal {number} has other options than its observations")
    return proposals


@lru_cache(maxsize=10_000)
def _proposal(number: int, text: str) -> Proposal:
    """A proposal from its record; a run reads those of its study several times."""
    return Proposal.from_record(number, proposal_record(number, text))


@dataclass(frozen=True)
class TrialResult:
    """Result of a trial.

    Attributes:
        value: Mean over the cases of the mean score, less the penalty; NaN where no case has a score.
        n: Number of scored generations.
        case_scores: The same per case, NaN where a case has none; cases in the sweep's order.
        noise_sd: The floor's within-case standard deviation.
        penalty: Score lost by breaking limits; None in a sweep without limits.
        pruned: Whether the trial lost its other cases since it was hopeless.
    """

    value: float
    n: int
    case_scores: Sequence[float]
    noise_sd: float
    penalty: Penalty | None = None
    pruned: bool = False

    @property
    def cases_with_score(self) -> tuple[int, ...]:
        """Indices of the cases with a score."""
        return tuple(index for index, score in enumerate(self.case_scores) if not math.isnan(score))

    @property
    def variance(self) -> float:
        """Variance of the value around the truth, as the sampler knows it."""
        return self.for_sampler().noise_sd ** 2 / max(self.n, 1)

    def for_sampler(self) -> TrialResult:
        """The result with at least `LEAST_ERROR`, for the sampler; stored and shown results are as measured.

        For the sampler a pruned trial is complete: its score counts with the noise of its few generations.
        """
        return replace(self, noise_sd=max(self.noise_sd, LEAST_ERROR * math.sqrt(max(self.n, 1))), pruned=False)

    @property
    def score(self) -> float:
        """The mean score without the penalty, as shown to people."""
        return self.value if self.penalty is None else self.penalty.score

    def user_attrs(self, configuration: Configuration) -> dict[str, Any]:
        """User attributes of the trial in Optuna's storage."""
        return {
            "configuration": configuration.key,
            "n": self.n,
            "case_scores": [None if math.isnan(score) else score for score in self.case_scores],
            "noise_sd": self.noise_sd,
            **({} if self.penalty is None else self.penalty.user_attrs()),
        }
