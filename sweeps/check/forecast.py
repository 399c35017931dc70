"""Forecast of a sweep from one answer per case: its plan, its time, and the smallest gain that it can find."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from sweeps.budget.allocation import plan_for
from sweeps.budget.detectable_gain import DetectableGain, detectable_gain
from sweeps.budget.pace import Pace, TimeEstimate, measured_pace
from sweeps.budget.plan import Plan
from sweeps.budget.raised import is_raised, raised_plan
from sweeps.budget.tokens import mean_tokens
from sweeps.check.open_sweep import OpenSweep
from sweeps.engines.base import Generation
from sweeps.errors import ConfigError
from sweeps.hosts.pool import run_tasks
from sweeps.hosts.task import Task, TaskResult
from sweeps.ledger.records import Place
from sweeps.ledger.study_record import StoredStudy
from sweeps.results.reader import measured_floor
from sweeps.scoring.answers import answer_of
from sweeps.scoring.rows import BASELINE_TRIAL
from sweeps.study.identity import identity_of


@dataclass(frozen=True)
class Answers:
    """The baseline's answers, one per case.

    Attributes:
        generations: The answers.
        reused: How many of them the ledger had.
        scores: Their scores by a user's own objective; empty for other objectives.
    """

    generations: Sequence[Generation]
    reused: int
    scores: Sequence[float]


def ask_baseline(sweep: OpenSweep) -> Answers:
    """Generate one answer per case with the floor's first seed, so that the sweep reuses it.

    Raises:
        ConfigError: With the error of every case that has no answer.
    """
    config = sweep.config
    baseline, seed = config.baseline, config.study.seed
    prompt = config.prompts[baseline.prompt]
    host = 0 if len(sweep.hosts) > 1 else None
    tasks = [
        Task(Place("floor", BASELINE_TRIAL, "", case.name, seed), baseline, prompt.fill(case.log), host)
        for case in sweep.cases
    ]
    outcomes: list[TaskResult] = []
    run_tasks(sweep.hosts, sweep.ledger, tasks, study=config.study.name, on_result=outcomes.append)
    failed = [outcome for outcome in outcomes if outcome.error]
    if failed:
        raise ConfigError([f"case {outcome.task.place.case}: {outcome.error}" for outcome in failed])
    generations = [outcome.entry.generation for outcome in outcomes if outcome.entry is not None]
    return Answers(generations, sum(outcome.kept for outcome in outcomes), _scores(sweep, outcomes))


def _scores(sweep: OpenSweep, outcomes: Sequence[TaskResult]) -> list[float]:
    """Scores by a user's own objective, which may fail; the others do not fail, or ask a model, which takes long."""
    if ":" not in sweep.config.objective.kind:
        return []
    cases = {case.name: case for case in sweep.cases}
    answers = [(cases[outcome.task.place.case], outcome.entry) for outcome in outcomes]
    reasoning = sweep.config.objective.reasoning
    return [
        sweep.objective.score(case, answer_of(entry.generation, reasoning).text).score
        for case, entry in answers
        if entry is not None
    ]


class Forecast:
    """Plan, time and smallest gain of a sweep.

    Args:
        sweep: The sweep, with the space that is searched.
        answers: Answers of the baseline, whose times are the measure.
        stored: The study that the sweep continues, whose plan stays; None for a new one.
    """

    def __init__(self, sweep: OpenSweep, answers: Sequence[Generation], stored: StoredStudy | None) -> None:
        self._sweep = sweep
        self._answers = answers
        self._stored = stored

    @cached_property
    def _pace(self) -> Pace:
        sweep = self._sweep
        engines = [host.engine for host in sweep.working]
        return measured_pace(self._answers, sweep.watchers, sweep.config, sweep.cases, engines)

    @property
    def tokens_each(self) -> float | None:
        """Mean tokens of the baseline's answers; None where the engine counts none."""
        return mean_tokens(self._answers)

    @cached_property
    def kept(self) -> dict[str, int]:
        """Generations that the study has already, by stage."""
        return {} if self._stored is None else self._sweep.ledger.observations.count_by_stage(self._stored.name)

    def time(self, plan: Plan) -> TimeEstimate:
        """Expected time of a plan."""
        return self._pace.estimate(plan, self._sweep.config)

    def time_left(self) -> TimeEstimate:
        """Expected time of the generations that the study does not have yet."""
        return self._pace.estimate(self.plan, self._sweep.config, self.kept)

    @cached_property
    def plan(self) -> Plan:
        """The plan of the budget.

        Raises:
            ConfigError: If the budget is too small for floor, search and confirmation.
        """
        config, stored = self._sweep.config, self._stored
        before = None if stored is None else Plan.from_record(stored.record.plan)
        if before is not None and stored is not None and not is_raised(stored.identity, config.identity()):
            return before
        plan = plan_for(
            config,
            cases=len(self._sweep.cases),
            hosts=len(self._sweep.hosts),
            seconds_of=lambda plan: self.time(plan).seconds,
            tokens_each=self.tokens_each,
        )
        return plan if before is None else raised_plan(before, plan, config.confirm.looks, config.verdict.least_look)

    def sight(self) -> DetectableGain:
        """The smallest gain that the confirmation can find, with the noise of an earlier floor where there is one."""
        sweep = self._sweep
        identity = identity_of(sweep.config, sweep.cases, sweep.objective)
        floor = measured_floor(sweep.ledger, identity, sweep.workspace)
        return detectable_gain(sweep.config, self.plan, floor, stored=self._stored is not None)
