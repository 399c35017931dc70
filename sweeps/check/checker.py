"""Everything that can be known before a sweep is started, in one table, from real requests."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import cached_property
from pathlib import Path

from analysis.formatting import cases_text, count_text
from objectives import Case, Objective
from sweeps.budget.allocation import left_out, plan_for
from sweeps.budget.detectable_gain import sight_of
from sweeps.budget.pace import Pace, measured_pace
from sweeps.budget.plan import Plan, plan_text
from sweeps.check.report import BLOCKED, PARTS, READY, WARNING, CheckReport, CheckRow, OptionRow
from sweeps.config.file import load_config
from sweeps.config.narrowed_space import Narrowing
from sweeps.config.sweep_config import SweepConfig
from sweeps.engines.base import Engine, Generation
from sweeps.errors import ConfigError, SweepError
from sweeps.hosts.host import Host
from sweeps.hosts.pool import run_tasks
from sweeps.hosts.sweep_hosts import host_differences, open_hosts
from sweeps.hosts.task import Outcome, Task
from sweeps.hosts.timed_engine import Watched, watched
from sweeps.ledger.ledger import Ledger
from sweeps.ledger.records import Place
from sweeps.ledger.study_record import StudyRecord
from sweeps.options import OPTIONS
from sweeps.probes.capacity import measure_capacity
from sweeps.probes.known_facts import moved_defaults
from sweeps.probes.unsearchable import narrow, probe_space, refuse_baseline_alone, refuse_unsent
from sweeps.progress import Progress, Silent
from sweeps.results.reader import measured_floor, require_readable
from sweeps.scoring.inputs import load_inputs
from sweeps.scoring.quantities import QUANTITIES
from sweeps.scoring.rows import BASELINE_TRIAL
from sweeps.study.identity import identity_of, refuse_changes
from sweeps.study.sweep import Sweep
from sweeps.tracking.store import refuse_unusable, tracking_uri
from sweeps.workspace.study_lock import refuse_busy, standing_of

__all__ = ["BLOCKED", "READY", "WARNING", "CheckReport", "check_sweep"]


def check_sweep(
    path: str | Path,
    *,
    directory: str | Path = "mlruns",
    strict: bool = False,
    again: bool = False,
    engine: Engine | None = None,
    progress: Progress | None = None,
) -> CheckReport:
    """Check a sweep's file, its engine and its plan; one generation per case is made and kept for the floor.

    Args:
        path: The TOML file.
        directory: Folder of the ledger.
        strict: Block where a swept option does nothing, instead of dropping it.
        again: Probe options even where the ledger has the answer.
        engine: An open engine to use instead of the file's; it is not closed.
        progress: Who is told what is going on.

    Returns:
        The report. What is wrong stands in it as `blocked`; nothing is raised for it.
    """
    report = CheckReport(str(path))
    checker = _Checker(report, Path(directory), strict, again, progress or Silent())
    with checker.row("file"):
        config = load_config(path)
        refuse_baseline_alone(config)
        report.study = config.study.name
        checker.start(config)
        names = ", ".join(dimension.name for dimension in config.space) or "nothing"
        limits = ", ".join(
            f"{name} {QUANTITIES[name].text(limit)}" for name, limit in config.constraints.limits.items()
        )
        refuse_unusable(tracking_uri(Path(directory), config.tracking.uri))
        checker.say(f"study {config.study.name}; searched: {names}" + (f"; limits: {limits}" if limits else ""))
    if checker.going:
        sweep = Sweep(checker.config, directory=directory, engine=engine, progress=progress)
        with checker.row("cases"):
            checker.inputs()
        if checker.going:
            checker.on_engine(sweep)
    return report


class _Checker:
    """Goes through the parts; the first that blocks ends the way."""

    config: SweepConfig
    cases: Sequence[Case]
    objective: Objective
    ledger: Ledger
    plan: Plan

    def __init__(self, report: CheckReport, directory: Path, strict: bool, again: bool, progress: Progress) -> None:
        self.report, self.directory, self.progress = report, directory, progress
        self.strict, self.again = strict, again
        self.going = True
        self.hosts: list[Host] = []
        self.stored: StudyRecord | None = None
        self.warm: list[Generation] = []
        self.watchers: list[Watched] = []
        self._said = (READY, "", "")

    def say(self, found: str, state: str = READY, todo: str = "") -> None:
        """Set what the current row tells."""
        self._said = (state, found, todo)

    @contextmanager
    def row(self, name: str) -> Iterator[None]:
        """One row of the table; an error that is meant for people blocks it and ends the way."""
        self._said = (READY, "", "")
        try:
            yield
        except (SweepError, ValueError) as error:
            ours = type(error).__module__.partition(".")[0] in ("objectives", "analysis", "sweeps")
            if not ours:
                raise
            self.say(str(error), BLOCKED)
            self.going = False
        self.report.rows.append(CheckRow(name, *self._said))

    def start(self, config: SweepConfig) -> None:
        """Take over the file's content."""
        self.config = config
        self.strict = self.strict or config.search.strict
        for name, value in config.baseline.values.items():
            searched = config.space[name].text() if name in config.space else ""
            self.report.options.append(OptionRow(name, value, config.sources.get(name, "default"), searched))
        for dimension in config.space:
            if dimension.name not in config.baseline.values:
                self.report.options.append(OptionRow(dimension.name, None, "inactive", dimension.text()))

    def inputs(self) -> None:
        """Cases and objective."""
        self.cases, self.objective = load_inputs(self.config)
        items = sum(len(case.items) for case in self.cases)
        self.say(f"{cases_text(len(self.cases))} with {count_text(items, 'item')}, from {self.config.objective.cases}")

    def on_engine(self, sweep: Sweep) -> None:
        """Everything that needs the engine and the ledger."""
        with ExitStack() as stack:
            with self.row("engine"):
                engines = stack.enter_context(sweep._opened_engines())
                self.ledger = stack.enter_context(sweep._opened_ledger())
                self._engine(engines)
            steps = {name: getattr(self, f"_{name}") for name in PARTS[PARTS.index("engine") + 1 :]}
            for name, step in steps.items():
                if self.going:
                    with self.row(name):
                        step()

    def _engine(self, engines: Sequence[Engine]) -> None:
        pairs = [watched(engine) for engine in engines]
        self.watchers = [watcher for _, watcher in pairs]
        self.hosts = open_hosts([engine for engine, _ in pairs], self.config)
        for host in self.hosts:
            self.report.hosts.append(
                {
                    "name": host.name,
                    "summary": next((print_.summary for print_ in host.fingerprints.values()), ""),
                    "fingerprints": {model: print_.digest for model, print_ in host.fingerprints.items()},
                    "dropped": host.dropped,
                }
            )
        gone = [f"{host.name} is out: {host.dropped}" for host in self.hosts if host.dropped]
        self._note_values()
        about = [next(iter(host.fingerprints.values())).summary for host in self.hosts if not host.dropped]
        self.say(
            "; ".join([*about, *gone]),
            WARNING if gone else READY,
            "mend the host, or let the others do its work" if gone else "",
        )
        for host in self.hosts:
            refuse_unsent(host.engine, self.config)

    def _note_values(self) -> None:
        """Say of each value if the engine does not pass it on, and of each default if it moved with a version."""
        engine = self._engine_in_use
        facts = next(host.fingerprints for host in self.hosts if not host.dropped)
        version = next(iter(facts.values())).facts["engine"].get("version")
        moved = moved_defaults(self.config.baseline.options, engine=engine.name, version=version)
        for i, row in enumerate(self.report.options):
            note = moved.get(row.name, "") if row.source == "default" else ""
            if row.name in OPTIONS and row.name not in engine.honours:
                note = f"not sent: the {engine.name} engine does not pass it on"
            self.report.options[i] = replace(row, note=note)

    def _hosts(self) -> None:
        working = [host for host in self.hosts if not host.dropped]
        differences = host_differences(self.hosts)
        doubts = [w for host in working for print_ in host.fingerprints.values() for w in print_.warnings]
        digests = ", ".join(f"{host.name} {host.digest}" for host in working)
        if differences:
            todo = "bring the hosts to the same version and model, or name one"
            self.say(f"{digests}; {'; '.join(differences)}", WARNING, todo)
        elif doubts:
            self.say(f"{digests}; {'; '.join(dict.fromkeys(doubts))}", WARNING, "name a host_file in [engine]")
        else:
            self.say(f"fingerprint {digests}")

    def _study(self) -> None:
        name = self.config.study.name
        refuse_busy(self.directory, name)
        stored = self.ledger.study(name)
        if stored is None:
            self.say(f"{name!r} is new in {self.directory}")
            return
        require_readable(self.ledger, stored)
        self.stored = stored
        identity = identity_of(self.config, self.cases, self.objective)
        refuse_changes(self.stored, identity, self.hosts, self.ledger, self.config)
        status = standing_of(self.directory, name, self.stored.status)
        self.say(f"{name!r} exists ({status}) and goes on from what it has")

    def _capacity(self) -> None:
        capacity = measure_capacity(self._engine_in_use, self.config, self.cases)
        self.report.capacity = capacity
        per_model = ", ".join(f"{tokens} tokens ({model})" for model, tokens in capacity.models.items())
        found = f"longest prompt, case {capacity.case}: {per_model}; smallest num_ctx {capacity.smallest_ctx}"
        wanted = int(self.config.baseline.options["num_predict"])
        if "num_predict" in self.config.space:
            wanted = max(wanted, *(int(value) for value in self.config.space["num_predict"].extremes()))
        if capacity.removed:
            found += f"; num_ctx {', '.join(map(str, capacity.removed))} would cut it and is left out"
        if 0 <= capacity.room < wanted:
            todo = f"use num_ctx {capacity.longest + wanted} or more, or a smaller num_predict"
            self.say(f"{found} leaves {capacity.room} for num_predict {wanted}", WARNING, todo)
        else:
            todo = "take these values out of space.num_ctx" if capacity.removed else ""
            self.say(found, WARNING if capacity.removed else READY, todo)

    def _options(self) -> None:
        assert self.report.capacity is not None
        if self.config.search.probe or self.again:
            self.report.probes = probe_space(self.hosts, self.config, self.ledger, self.progress, again=self.again)
        for i, row in enumerate(self.report.options):
            verdicts = {result.verdict for result in self.report.probes.get(row.name, {}).values()}
            self.report.options[i] = replace(row, verdict=", ".join(sorted(verdicts)))
        found = self.report.probes
        narrowing = narrow(self.hosts, self.config, self.report.capacity, found, strict=self.strict)
        if self.stored is not None:  # a study keeps the space that it began with
            narrowing = Narrowing.from_record(self.stored.record.get("narrowing"))
        self.report.narrowing = narrowing
        lines = [*narrowing.lines(self.config), *narrowing.notes]
        self.config = narrowing.apply(self.config)
        if lines:
            self.say("; ".join(lines), WARNING, "take them out of [space]; the sweep goes on without them")
        elif found:
            kept = sum(r.cached for at in found.values() for r in at.values())
            self.say(f"{', '.join(found)}: alive" + (" (probed earlier)" if kept else ""))
        else:
            self.say("not probed (search.probe is false)" if not self.config.search.probe else "no option is searched")

    def _answers(self) -> None:
        """One generation per case: the floor's first seed, so that nothing is wasted."""
        baseline, seed = self.config.baseline, self.config.study.seed
        prompt = self.config.prompts[baseline.prompt]
        host = 0 if len(self.hosts) > 1 else None
        tasks = [
            Task(Place("floor", BASELINE_TRIAL, "", case.name, seed), baseline, prompt.fill(case.log), host)
            for case in self.cases
        ]
        outcomes: list[Outcome] = []
        run_tasks(self.hosts, self.ledger, tasks, study=self.config.study.name, on_outcome=outcomes.append)
        self.warm = [outcome.entry.generation for outcome in outcomes if outcome.entry is not None]
        failed = [outcome for outcome in outcomes if outcome.error]
        if failed:
            raise ConfigError([f"case {outcome.task.place.case}: {outcome.error}" for outcome in failed])
        self._tell_answers(sum(outcome.kept for outcome in outcomes), self._own_scores(outcomes))

    def _own_scores(self, outcomes: Sequence[Outcome]) -> list[float]:
        """Scores by an objective of one's own, which may fail; the others do not, or ask a model, which takes long."""
        if ":" not in self.config.objective.kind:
            return []
        cases = {case.name: case for case in self.cases}
        answers = [(cases[outcome.task.place.case], outcome.entry) for outcome in outcomes]
        return [self.objective.score(case, entry.generation.text).score for case, entry in answers if entry is not None]

    def _tell_answers(self, kept: int, scores: Sequence[float]) -> None:
        n = len(self.warm)
        words = sorted(len(answer.text.split()) for answer in self.warm)
        parts = [f"{cases_text(n)} answered, {words[0]} to {words[-1]} words"]
        parts += [f"{kept} from the ledger"] if kept else []
        parts += [f"scored {min(scores):.3f} to {max(scores):.3f} by {self.objective.name}"] if scores else []
        cut = sum(answer.finish == "length" for answer in self.warm)
        odd = {
            f"cut off at num_predict {self.config.baseline.options['num_predict']}": cut,
            "stopped for repeating itself": sum(answer.finish == "repeat" for answer in self.warm),
            "empty": sum(not answer.text.strip() for answer in self.warm),
        }
        told = [f"{count} {what}" for what, count in odd.items() if count]
        todo = "raise num_predict, or ask for a shorter answer in the prompt" if cut else ""
        if told and not cut:
            todo = "look at the prompt and the model: such answers score low"
        self.say("; ".join(parts + told), WARNING if told else READY, todo)

    def _budget(self) -> None:
        if self.stored is not None:
            self.plan = Plan.from_record(self.stored.record["plan"])
        else:
            self.plan = plan_for(
                self.config,
                cases=len(self.cases),
                hosts=len(self.hosts),
                seconds_of=lambda plan: self._pace.estimate(plan, self.config).seconds,
            )
        self.report.plan = self.plan
        partial, todo = left_out(self.plan, self.config, stored=self.stored is not None)
        if partial:
            self.say(f"{plan_text(self.plan)}; {partial}", WARNING, todo)
        else:
            self.say(plan_text(self.plan))

    def _time(self) -> None:
        estimate = self._pace.estimate(self.plan, self.config)
        self.report.time = estimate
        minutes = self.config.budget.minutes
        more = "; num_predict is searched, so generations may take longer or shorter"
        text = estimate.text + (more if "num_predict" in self.config.space else "")
        if minutes is not None and estimate.seconds > 60 * minutes:
            self.say(text, WARNING, self._longer(minutes))
        else:
            self.say(text)

    def _longer(self, minutes: float) -> str:
        """What becomes of a stored plan that takes longer than its minutes by now."""
        loading = {"model", *(name for name, spec in OPTIONS.items() if spec.reload)}
        reloads = [dimension.name for dimension in self.config.space if dimension.name in loading]
        todo = "the exploration will end early, to leave time for the confirmation"
        if reloads:
            todo += f"; fewer values of {' and '.join(reloads)}, under another study.name, would load the model less"
        return f"its plan takes longer than budget.minutes {minutes:g} by now: {todo}"

    def _sight(self) -> None:
        """The smallest gain that the confirmation can see."""
        identity = identity_of(self.config, self.cases, self.objective)
        known = measured_floor(self.ledger, identity, self.directory)
        sight = sight_of(self.config, self.plan, known, stored=self.stored is not None)
        self.report.mde = sight.gain if math.isfinite(sight.gain) else None
        self.report.noise_sd = sight.noise_sd
        state = BLOCKED if math.isinf(sight.gain) else WARNING
        self.say(sight.found, state if sight.todo else READY, sight.todo)

    # ---- pieces

    @property
    def _engine_in_use(self) -> Engine:
        return next(host.engine for host in self.hosts if not host.dropped)

    @cached_property
    def _pace(self) -> Pace:
        engines = [host.engine for host in self.hosts if not host.dropped]
        return measured_pace(self.warm, self.watchers, self.config, self.cases, engines)
