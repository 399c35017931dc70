"""Observations as people who watch a sweep see them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sweeps.config.sweep_config import SweepConfig
from sweeps.hosts.host import Host
from sweeps.hosts.task import TaskResult
from sweeps.options import Configuration
from sweeps.progress.base import Observation
from sweeps.scoring.answers import answer_of
from sweeps.scoring.rows import BASELINE_TRIAL


class ObservationView:
    """What is shown of each observation.

    Args:
        config: The sweep's configuration.
        hosts: The hosts that generate.
        reasoning: See `sweeps.scoring.answers.answer_of`.
    """

    def __init__(self, config: SweepConfig, hosts: Sequence[Host], reasoning: str) -> None:
        self._config, self._hosts, self._reasoning = config, hosts, reasoning
        self._titles = config.candidate_names()
        self._last = "", ""  # the last configuration with its differences: rows of a trial follow each other

    def of(self, result: TaskResult, row: Mapping[str, Any], seconds: float | None) -> Observation:
        """An observation with its row; `seconds` that it took, None where it was kept."""
        task, place, entry = result.task, result.task.place, result.entry
        is_baseline = place.trial == BASELINE_TRIAL
        title = self._titles.get(task.configuration.key) or f"trial {place.trial}"
        host = next((host.label for host in reversed(self._hosts) if host.known and host.digest == row["host"]), None)
        return Observation(
            study=self._config.study.name,
            stage=place.stage,
            trial=place.trial,
            title="baseline" if is_baseline else title,
            changes="" if is_baseline else self._changes(task.configuration),
            case=place.case,
            seed=place.seed,
            host=f"host {row['host']}" if host is None else host,
            score=row["score"],
            seconds=seconds,
            text="" if entry is None else answer_of(entry.generation, self._reasoning).text,
        )

    def _changes(self, configuration: Configuration) -> str:
        if self._last[0] != configuration.key:
            self._last = configuration.key, configuration.text(self._config.baseline)
        return self._last[1]
