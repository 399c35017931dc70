"""Holds a sweep to `budget.minutes`: how many trials still leave time for the confirmation that was planned."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sweeps.config import SweepConfig
from sweeps.estimate import Pace, Watched, stage_requests
from sweeps.plan import Plan


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
    """

    config: SweepConfig
    plan: Plan
    pace: Pace
    minutes: float
    watchers: Sequence[Watched]
    before: float = 0.0

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
        slower = self.spent / (floor + explored)  # than loads and prompts were expected to be
        left = 60 * self.minutes - self.spent - slower * confirmed.seconds(stages["confirm"])
        return max(0, int(left / (slower * explored / made)))

    def _mean_seconds(self, rows: Sequence[Mapping[str, Any]], stage: str) -> float:
        """Mean seconds of a stage's generations, or what was expected where there is none."""
        seconds = [row["seconds"] for row in rows if row["stage"] == stage and not math.isnan(row["seconds"])]
        return sum(seconds) / len(seconds) if seconds else self.pace.decode


def seconds_seen(watchers: Sequence[Watched]) -> float:
    """Seconds of the engines so far; hosts work at the same time, so the busiest one's count."""
    return max((watcher.seconds for watcher in watchers), default=0.0)
