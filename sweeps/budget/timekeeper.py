"""Holds a sweep to `budget.minutes`: how many trials still leave time for the confirmation that was planned."""

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
        pace: What requests were expected to take when it was made.
        minutes: The budget.
        watchers: What watches the engines.
        before: Seconds that earlier runs took, less what the watchers had seen before the floor.
        began: The ledger's newest generation when the study began: what it has up to there cost this study nothing.
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
        """Seconds until now."""
        return self.before + seconds_seen(self.watchers)

    def trials_left(self, made: int, rows: Sequence[Mapping[str, Any]]) -> int:
        """How many trials more leave time for the confirmation, if requests go on taking what they have taken.

        Trials may write more than the baseline, or less. In the confirmation a finalist is reckoned with the mean
        trial, and the baseline with that or its own, whichever takes longer: what scores well is often longer than
        the mean.

        Args:
            made: Trials made; 1 or more.
            rows: Rows of the observations table so far.
        """
        stages = stage_requests(replace(self.plan, trials=made), self.config)
        trial = self._mean_seconds(rows, "explore")
        baseline = self._mean_seconds(rows, "floor")
        floor = replace(self.pace, decode=baseline).seconds(stages["floor"])
        explored = replace(self.pace, decode=trial).seconds(stages["explore"])
        arms = self.plan.finalists
        confirmed = replace(self.pace, decode=(max(baseline, trial) + arms * trial) / (1 + arms))
        expected = floor * self._paid(rows, "floor") + explored * self._paid(rows, "explore")
        # How much slower than loads and prompts were expected to be; as expected where all came from the ledger.
        slower = self.spent / expected if expected and self.spent else 1.0
        left = 60 * self.minutes - self.spent - slower * confirmed.seconds(stages["confirm"])
        each = slower * explored / made
        return max(0, int(left / each)) if each else MAX_TRIALS

    def _paid(self, rows: Sequence[Mapping[str, Any]], stage: str) -> float:
        """Share of a stage's requests that this study has made itself; 1 where there are none."""
        kept = [0 < (row.get("generation") or 0) <= self.began for row in rows if row["stage"] == stage]
        return 1.0 - sum(kept) / len(kept) if kept else 1.0

    def _mean_seconds(self, rows: Sequence[Mapping[str, Any]], stage: str) -> float:
        """Mean seconds of a stage's generations, or what was expected where there is none."""
        seconds = [row["seconds"] for row in rows if row["stage"] == stage and not math.isnan(row["seconds"])]
        return sum(seconds) / len(seconds) if seconds else self.pace.decode

    def as_record(self, ledger: Ledger) -> dict[str, Any]:
        """What a study's record keeps of the time: the seconds until now, and the newest generation among them."""
        return {"spent": self.spent, "spent_until": ledger.generations.newest()}


def seconds_before(record: StudyRecord, ledger: Ledger, study: str) -> float:
    """Seconds that the earlier runs of a study took.

    What was kept after the record was last written, by a run that was killed, is added from the ledger: of such
    requests only the warm-ups are not known.

    Args:
        record: The study's record.
        ledger: What is kept.
        study: The study's name.
    """
    if record.spent is not None and record.spent_until is None:  # an older version kept no more
        return record.spent
    until = record.began if record.spent_until is None else record.spent_until
    later = ledger.generations.seconds_after(study, until)
    return (record.spent or 0.0) + max(later.values(), default=0.0)


def seconds_seen(watchers: Sequence[TimedEngine]) -> float:
    """Seconds of the engines so far; hosts work at the same time, so the busiest one's count."""
    return max((watcher.seconds for watcher in watchers), default=0.0)
