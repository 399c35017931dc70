"""Time limit of a sweep (`budget.minutes`): number of trials that still leave time for the planned confirmation."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sweeps.budget.allocation import MAX_TRIALS
from sweeps.budget.pace import Pace, stage_requests
from sweeps.budget.plan import Plan
from sweeps.config.sweep_config import SweepConfig
from sweeps.hosts.timed_engine import TimedEngine
from sweeps.ledger.ledger import Ledger
from sweeps.ledger.study_record import StudyRecord


@dataclass(frozen=True)
class Timekeeper:
    """The time of a sweep from its floor on.

    Attributes:
        config: The sweep's configuration.
        plan: The plan.
        pace: Expected times of requests when the plan was made.
        minutes: The budget.
        watchers: Timers of the engines.
        before: Seconds of earlier runs, less the watchers' seconds before the floor.
        began: The ledger's newest generation when the study began. Generations up to it cost this study no time.
    """

    config: SweepConfig
    plan: Plan
    pace: Pace
    minutes: float
    watchers: Sequence[TimedEngine]
    before: float = 0.0
    began: int = 0

    @property
    def spent(self) -> float:
        """Seconds so far."""
        return self.before + seconds_seen(self.watchers)

    def trials_left(self, made: int, rows: Sequence[Mapping[str, Any]]) -> int:
        """Number of further trials that leave time for the confirmation, if requests keep their pace.

        Answers of trials may be longer or shorter than the baseline's. In the confirmation a finalist is expected to
        take the mean trial's time. The baseline is expected to take its own or the mean trial's, whichever is longer,
        as an allowance: texts that score well are often longer than the mean.

        Args:
            made: Number of trials so far; 1 or more.
            rows: Rows of the observations table so far.
        """
        stages = stage_requests(replace(self.plan, trials=made), self.config, keeps_prompts=self.pace.keeps_prompts)
        trial = self._mean_seconds(rows, "explore")
        baseline = self._mean_seconds(rows, "floor")
        floor = replace(self.pace, decode=baseline).seconds(stages["floor"])
        explored = replace(self.pace, decode=trial).seconds(stages["explore"])
        share = self.plan.of_finalists / self.plan.confirm
        confirmed = replace(self.pace, decode=(1 - share) * max(baseline, trial) + share * trial)
        expected = floor * self._paid(rows, "floor") + explored * self._paid(rows, "explore")
        # Ratio of actual to expected time; 1 where everything came from the ledger.
        slower = self.spent / expected if expected and self.spent else 1.0
        left = 60 * self.minutes - self.spent - slower * confirmed.seconds(stages["confirm"])
        each = slower * explored / made
        return max(0, int(left / each)) if each else MAX_TRIALS

    def ended(self, made: int) -> str:
        """The message where the exploration ends before its planned trials."""
        return (
            f"budget.minutes {self.minutes:g}: requests take longer than when the plan was made, so the exploration"
            f" ends after {made} of {self.plan.trials} trials; the confirmation is made as planned"
        )

    def _paid(self, rows: Sequence[Mapping[str, Any]], stage: str) -> float:
        """Share of a stage's requests that this study has made itself; 1 without requests."""
        kept = [0 < (row.get("generation") or 0) <= self.began for row in rows if row["stage"] == stage]
        return 1.0 - sum(kept) / len(kept) if kept else 1.0

    def _mean_seconds(self, rows: Sequence[Mapping[str, Any]], stage: str) -> float:
        """Mean seconds of a stage's generations; the expected seconds where there is none."""
        seconds = [row["seconds"] for row in rows if row["stage"] == stage and not math.isnan(row["seconds"])]
        return sum(seconds) / len(seconds) if seconds else self.pace.decode

    def as_record(self, ledger: Ledger) -> dict[str, Any]:
        """Values for the study's record: the seconds so far, and the newest generation that they include."""
        return {"spent": self.spent, "spent_until": ledger.generations.newest()}


def seconds_before(record: StudyRecord, ledger: Ledger, study: str) -> float:
    """Seconds of the earlier runs of a study.

    A killed run may have made generations after the last change of the record. Their seconds come from the ledger,
    which does not have those of the warm-ups.

    Args:
        record: The study's record.
        ledger: The ledger.
        study: The study's name.
    """
    if record.spent is not None and record.spent_until is None:  # an older version kept no more
        return record.spent
    until = record.began if record.spent_until is None else record.spent_until
    later = ledger.generations.seconds_after(study, until)
    return (record.spent or 0.0) + max(later.values(), default=0.0)


def seconds_seen(watchers: Sequence[TimedEngine]) -> float:
    """Seconds of the busiest engine so far, since hosts work at the same time."""
    return max((watcher.seconds for watcher in watchers), default=0.0)
