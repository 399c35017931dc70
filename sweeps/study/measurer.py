"""From configurations and seeds to scored observations: requests run, answers kept, scored and counted."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from operator import itemgetter
from typing import Any

from objectives import Case, Objective
from sweeps.config.sweep_config import SweepConfig
from sweeps.engines.base import EngineError
from sweeps.fingerprints.changes import fingerprint_changes, fingerprints_from
from sweeps.hosts.host import Host, HostChangedError, host_record
from sweeps.hosts.memory import ValuesTooLargeError, values_too_large
from sweeps.hosts.pool import observed, run_tasks
from sweeps.hosts.shared_tasks import SharedTasks
from sweeps.hosts.sweep_hosts import fingerprints_of, host_differences
from sweeps.hosts.task import Task, TaskResult
from sweeps.ledger.ledger import Ledger
from sweeps.ledger.records import Key, Place
from sweeps.ledger.unwritten import WRITE_SECONDS, Unwritten
from sweeps.options import Configuration
from sweeps.progress import Progress
from sweeps.scoring.engine_models import EngineModels
from sweeps.scoring.growing_table import ByTrial, RunningOffsets
from sweeps.scoring.rows import STAGES, answer_row, item_texts, observation_row
from sweeps.scoring.scorer import Scorer
from sweeps.search.trial import TrialResult
from sweeps.search.trial_scores import penalised, trial_result
from sweeps.study.answer_scorer import AnswerScorer
from sweeps.study.observation_view import ObservationView

Spot = tuple[str, int, str, int]
"""Stage, trial, case and seed of an observation."""


def _spot(row: Mapping[str, Any]) -> Spot:
    return row["stage"], row["trial"], row["case"], row["seed"]


class Measurer:
    """The requests of a study, and the table of their scored observations.

    Args:
        config: The sweep's configuration.
        cases: The cases.
        objective: Scores the answers.
        ledger: Where generations, scores and observations are kept.
        hosts: The hosts that generate.
        models: The matcher's access to models.
        progress: Gets the messages.
        shown: Observations that the progress has counted already, as `spots` returns them.
        keep_answers: Whether to keep texts in memory, for MLflow.
        shared: Shares tasks with other coordinators; None to run all of them here.
        narrowing: The narrowing of the space as the study's record has it; None not to look for changes by others.

    Attributes:
        rows: Rows of the observations table, so far.
        answers: Texts with their scores, one dict per scored observation; [] without `keep_answers`.
        is_finished: Whether the study had nothing left to do when its run began.
    """

    def __init__(
        self,
        config: SweepConfig,
        cases: Sequence[Case],
        objective: Objective,
        ledger: Ledger,
        hosts: Sequence[Host],
        models: EngineModels,
        progress: Progress,
        shown: Collection[Spot] = (),
        *,
        keep_answers: bool = True,
        shared: SharedTasks | None = None,
        narrowing: Mapping[str, Any] | None = None,
    ) -> None:
        self.config, self.cases, self.ledger, self.hosts = config, cases, ledger, hosts
        self.models, self.progress, self.shared = models, progress, shared
        self.narrowing = None if narrowing is None else json.loads(json.dumps(narrowing))
        self.name = config.study.name
        self.rows: list[Mapping[str, Any]] = []
        self.answers: list[dict[str, Any]] = []
        self._by_trial, self._answers_by_trial = ByTrial(self.rows), ByTrial(self.answers)
        self._offsets, self._reasoning = RunningOffsets(self.rows), config.objective.reasoning
        self._scorer = AnswerScorer(
            self.name, Scorer(objective, cases, ledger, config.objective.reasoning), ledger, models
        )
        self._items = {case.name: item_texts(case) for case in cases}
        matcher = config.objective.matcher
        self._scores_by_model = isinstance(matcher, dict) and matcher.get("kind", "lexical") != "lexical"
        self._waiting: list[TaskResult] = []
        self._unwritten = Unwritten(self.name, ledger, wait=0.0 if self._scores_by_model else WRITE_SECONDS)
        self._no_memory: list[TaskResult] = []
        self._shown, self.keep_answers = frozenset(shown), keep_answers
        self._view = ObservationView(config, hosts, self._reasoning)
        self._hosts_known = self.is_finished = False

    @property
    def first(self) -> Host:
        """The first host that works."""
        return next(host for host in self.hosts if not host.dropped)

    def engine_seconds(self) -> float:
        """Seconds of the busiest engine; engines of several hosts work at the same time."""
        return max(host.clock.engine for host in self.hosts)

    def tasks(
        self,
        stage: str,
        trial: int,
        configuration: Configuration,
        seeds: Sequence[int],
        *,
        every_host: bool = False,
        cases: Sequence[Case] | None = None,
    ) -> list[Task]:
        """Requests of one configuration on all cases, or on some.

        With `every_host` the seeds are dealt to the hosts in turn.
        """
        prompt = self.config.prompts[configuration.prompt]
        hosts = [index % len(self.hosts) if every_host and len(self.hosts) > 1 else None for index in range(len(seeds))]
        return [
            Task(Place(stage, trial, "", case.name, seed), configuration, prompt.fill(case.log), host)
            for case in (self.cases if cases is None else cases)
            for seed, host in zip(seeds, hosts, strict=True)
        ]

    def has_any(self, configurations: Sequence[Configuration], seeds: range) -> bool:
        """Whether the ledger has a generation of one of the configurations with one of the seeds.

        The engine's version and the model's name do not matter: another version mostly writes the same text, and so
        does the same model under another name.
        """
        self._know_hosts()
        known = self.ledger.generations.asked_with(seeds)
        for each in configurations:
            digests = {host.known[each.model].model_digest for host in self.hosts if each.model in host.known}
            keys = [Key("", "", task.prompt, each.options, seeds[0]) for task in self.tasks("confirm", 0, each, [0])]
            asked = {(key.prompt_sha256, key.options_json) for key in keys}
            if any(
                (prompt, options) in asked and (model == each.model or digest in digests)
                for prompt, options, model, digest in known
            ):
                return True
        return False

    def _know_hosts(self) -> None:
        """Take the fingerprints of silent hosts from the study, and add new hosts to it."""
        stored = None if self._hosts_known else self.ledger.studies.get(self.name)
        if stored is None:  # with a budget in minutes the first generations come before the study
            return
        self._hosts_known = True
        records = stored.record.hosts
        for host in self.hosts:
            if not host.fingerprints and host.name in records:
                host.remembered = fingerprints_from(records[host.name])
        new = {host.name: host_record(host) for host in self.hosts if host.fingerprints and host.name not in records}
        if new and len(self.hosts) > 1:  # a single host may have another address now
            self.ledger.studies.update(self.name, lambda record: replace(record, hosts={**record.hosts, **new}))

    def run(self, tasks: Sequence[Task], on_result: Callable[[TaskResult], None] | None = None) -> None:
        """Run tasks; each result is kept as an observation when it arrives, and scored.

        Args:
            tasks: The tasks.
            on_result: Called with each result, which is then neither kept nor scored here.
        """
        self._know_hosts()
        first, seen = len(self.rows), len(self.answers)
        try:
            if self.shared is None or on_result is not None:
                self._run_here(tasks, on_result)
            else:
                left, keep = self._unknown(tasks), self._unwritten.write
                self.shared.run(tasks, left, self._run_here, keep, self._take, self._require_space)
            if self.shared is not None or max(host.at_once for host in self.hosts) > 1:
                # The order of arrival is by chance. So every run computes the same means, to the last bit.
                self.rows[first:] = sorted(self.rows[first:], key=_spot)
                self.answers[seen:] = sorted(self.answers[seen:], key=_spot)
        finally:
            self._unwritten.write()
        self._scorer.stop_if_none_scored()
        if self._no_memory:
            self._leave_out()

    def _unknown(self, tasks: Sequence[Task]) -> list[Task]:
        """Take tasks whose scores the ledger has; return the others."""
        seen = observed(self.hosts, self.ledger, tasks, self.name)
        scored = self._scorer.scored(each.entry.id for each in seen.values())
        known = {task: each for task, each in seen.items() if each.entry.id in scored}
        self._take([TaskResult(replace(task, place=each.place), each.entry, kept=True) for task, each in known.items()])
        return [task for task in tasks if task not in known]

    def _take(self, results: Sequence[TaskResult]) -> None:
        """Take results whose observations and scores the ledger has."""
        self._scorer.expect(results)
        for result in results:
            self._score(result)

    def _require_space(self) -> None:
        """Stop where another coordinator has taken a value out of the space.

        Raises:
            ValuesTooLargeError: Without values; the study's record has them.
        """
        stored = self.ledger.studies.get(self.name)
        if stored is not None and self.narrowing is not None and stored.record.narrowing != self.narrowing:
            raise ValuesTooLargeError(())

    def _run_here(
        self, tasks: Sequence[Task], on_result: Callable[[TaskResult], None] | None = None, *, new: bool = False
    ) -> None:
        run_tasks(
            self.hosts,
            self.ledger,
            tasks,
            study=self.name,
            on_result=on_result or self._keep,
            on_drop=self._note_drop,
            on_back=self._take_back,
            on_kept=self._scorer.expect,
            new=new,
        )
        waiting, self._waiting = self._waiting, []
        try:
            for result in waiting:
                self._score(result)
        finally:
            if waiting and self.models.used:
                for host in self.hosts:
                    host.cool()

    def _note_drop(self, host: Host, why: str) -> None:
        """Report a host that is set aside; where no other one works, the error says why the sweep stops."""
        if any(other is not host and not other.dropped for other in self.hosts):
            self.progress.note(f"host {host.label} is set aside, and the other hosts do its work: {why}", warning=True)

    def _take_back(self, host: Host) -> None:
        """Report a host that works again; one that never answered before becomes a part of the study."""
        stored = self.ledger.studies.get(self.name)
        if stored is not None and host.name not in stored.record.hosts:
            self.progress.note(f"host {host.label} answers now, and takes part")
            self._hosts_known = False
            self._know_hosts()
        else:
            self.progress.note(f"host {host.label} answers again with the same fingerprint, and takes part again")
        for line in host_differences(self.hosts):
            self.progress.note(line, warning=True)

    def _leave_out(self) -> None:
        """Keep the failure of a candidate without enough memory; values of the space are left out.

        Raises:
            ValuesTooLargeError: If there are any.
            RunStoppedError: If a configuration does not fit that needs as much as the baseline.
        """
        failed, self._no_memory = self._no_memory, []
        found, candidates = values_too_large(failed, self.hosts, self.config, self.rows)
        for result in candidates:
            self._keep(replace(result, no_memory=False))
        if found:
            raise ValuesTooLargeError(found)

    def take_finished(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Take the rows of a finished study; the progress counts them as kept."""
        made = [sum(row["stage"] == stage for row in rows) for stage in STAGES]
        self.progress.plan(*made)
        for stage in (stage for stage, count in zip(STAGES, made, strict=True) for _ in range(count)):
            self.progress.advance(stage, seconds=None)
        self.rows += rows
        self.is_finished = True

    def spots(self) -> set[Spot]:
        """The observations so far, by stage, trial, case and seed."""
        return {_spot(row) for row in self.rows}

    def rows_of_study(self) -> list[Mapping[str, Any]] | None:
        """The study's rows in the order of their places, if they are all here with a score; None otherwise.

        Reading them again would give the same rows.
        """
        if len(self.rows) != self.ledger.observations.size(self.name) or any(row["error"] for row in self.rows):
            return None
        return sorted(self.rows, key=itemgetter(*Place.__dataclass_fields__))

    def _keep(self, result: TaskResult) -> None:
        """Keep the observation at once, and score it; where a model scores, at the end of the batch.

        Scoring by a model between two requests would push the swept model out of the server's memory each time.
        """
        task, entry = result.task, result.entry
        place = task.place
        if result.no_memory:  # its value leaves the space, so it is no observation
            self._no_memory.append(result)
            return
        if not result.observed:
            number = None if entry is None else entry.id
            self._unwritten.observed.append((place, task.configuration.key, number, result.error))
        if self._scores_by_model:
            self._waiting.append(result)
            self._unwritten.write_if_due()
        else:
            self._score(result)

    def _score(self, result: TaskResult) -> None:
        task, entry, place = result.task, result.entry, result.task.place
        scored, error = self._scorer.score(result, self._unwritten)
        self._unwritten.write_if_due()
        if self.keep_answers and entry is not None and scored is not None:
            items = self._items[place.case]
            self.answers.append(answer_row(place, task.configuration, entry, scored, items, reasoning=self._reasoning))
        self.rows.append(
            observation_row(self.name, place, task.configuration, entry, scored, error, reasoning=self._reasoning)
        )
        if _spot(self.rows[-1]) in self._shown:
            return
        if error:
            self.progress.note(f"{place.stage}, case {place.case}, seed {place.seed}: {error}", warning=True)
        seconds = None if result.kept or entry is None else entry.generation.timing.total
        at_once = max(host.at_once for host in self.hosts)
        self.progress.advance(place.stage, seconds=None if seconds is None else seconds / at_once)
        self.progress.observe(self._view.of(result, self.rows[-1], seconds))

    def rows_of(self, trial: int) -> Sequence[Mapping[str, Any]]:
        """The rows of a trial."""
        return self._by_trial.of(trial)

    def answers_of(self, trial: int) -> Sequence[Mapping[str, Any]]:
        """The texts of a trial with their scores."""
        return self._answers_by_trial.of(trial)

    def result_of(
        self,
        trial: int,
        stage: str,
        noise_sd: float | None = None,
        *,
        seeds: Sequence[int] | None = None,
        offsets: Mapping[str, float] | None = None,
    ) -> TrialResult:
        """Return the result of a trial in a stage; see `trial_scores.trial_result` and `trial_scores.penalised`.

        Args:
            trial: Number of the trial.
            stage: The stage.
            noise_sd: The floor's within-case standard deviation.
            seeds: Only observations of these seeds; all by default.
            offsets: See `trial_scores.trial_result`.
        """
        mine = [row for row in self.rows_of(trial) if row["stage"] == stage and (seeds is None or row["seed"] in seeds)]
        result = trial_result(mine, [case.name for case in self.cases], noise_sd, offsets=offsets)
        return penalised(result, mine, self.config.constraints)

    def offsets(self) -> dict[str, float]:
        """The effect of each case on scores, against the mean case, from the observations so far."""
        return self._offsets.by_case()

    def verify(self) -> None:
        """Refuse to go on if a host, its engine or a model has changed since the run began.

        Raises:
            HostChangedError: If one has.
        """
        changed: list[str] = []
        for index, host in enumerate(self.hosts):
            if host.dropped:
                continue
            try:
                now_there = fingerprints_of(host.engine, self.config, index, known=host.fingerprints)
            except EngineError:
                continue  # the next request meets the same fault, and handles it
            changed += fingerprint_changes(host.fingerprints, now_there, host.label if len(self.hosts) > 1 else "")
        if changed:
            raise HostChangedError(changed)
