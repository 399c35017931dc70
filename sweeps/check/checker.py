"""Check of a sweep before it is started: file, cases, engine and budget, with real requests."""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

from objectives import Case, Objective
from sweeps.check import findings
from sweeps.check.forecast import Forecast, ask_baseline
from sweeps.check.open_sweep import OpenSweep, check_options, check_options_sent, check_study, list_hosts
from sweeps.check.report import BLOCKED, READY, WARNING, Finding, PartBlockedError, ReadinessReport
from sweeps.config.file import load_config
from sweeps.config.sweep_config import SweepConfig
from sweeps.engines.base import Engine
from sweeps.hosts.baseline import settled_baseline, with_first_sets
from sweeps.hosts.sweep_hosts import open_timed_hosts, opened_engines
from sweeps.ledger.ledger import opened_ledger
from sweeps.ledger.study_record import StoredStudy
from sweeps.probes.capacity import measure_capacity
from sweeps.probes.unsearchable import require_search
from sweeps.progress import Progress, Silent
from sweeps.scoring.inputs import load_inputs, with_stored_score
from sweeps.search.earlier_studies import earlier_names, earlier_sets
from sweeps.study.identity import identity_of
from sweeps.study.sweep import Sweep
from sweeps.tracking.mlflow_store import ServerAwayError, refuse_unusable, tracking_uri
from sweeps.workspace.study_lock import standing_of
from sweeps.workspace.workspace import Workspace

__all__ = ["BLOCKED", "READY", "WARNING", "ReadinessReport", "check_sweep"]


def check_sweep(
    path: str | Path,
    *,
    mlruns: str | Path | Workspace = "mlruns",
    strict: bool = False,
    again: bool = False,
    engine: Engine | None = None,
    progress: Progress | None = None,
) -> ReadinessReport:
    """Check a sweep's file, its engine and its plan. One generation per case is made, which the floor reuses.

    Args:
        path: The TOML file.
        mlruns: Folder of the ledger, its URL, or a workspace.
        strict: Block where a searched option does nothing, instead of dropping it.
        again: Probe options even where the ledger has the answer.
        engine: An open engine to use instead of the file's; it is not closed.
        progress: Receiver of progress messages.

    Returns:
        The report. The first part that is `blocked` ends it; no exception is raised for that part.
    """
    report = ReadinessReport(str(path))
    with suppress(PartBlockedError):
        config = _check_file(report, path, Workspace.at(mlruns))
        sweep = Sweep(config, mlruns=mlruns, engine=engine, progress=progress)
        with report.row("cases") as row:
            cases, objective = load_inputs(config)
            row.finding = findings.cases_finding(cases, config)
        with ExitStack() as stack:
            opened = _settled(report, _open(report, sweep, cases, objective, stack))
            stored = _check_setup(report, opened)
            with report.row("options") as row:
                narrowed = check_options(opened, report, stored, progress or Silent(), strict=strict, again=again)
                row.finding = findings.options_finding(report, report.narrowing, config)
            _estimate(report, narrowed, stored)
    return report


def _check_file(report: ReadinessReport, path: str | Path, workspace: Workspace) -> SweepConfig:
    """The file's content, and whether MLflow's store can be used."""
    with report.row("file") as row:
        config = load_config(path)
        if config.space.dimensions:
            require_search(config)
        else:
            config = config.as_comparison()
        report.study = config.study.name
        report.list_options(config)
        row.finding = findings.file_finding(config)
        try:
            place = workspace.stored_at(config.storage.url, source=f"{path}: storage.url")
            refuse_unusable(tracking_uri(place, config.tracking.uri))
        except ServerAwayError as away:
            later = "start it; without it the sweep runs, and `sweeps track` writes its runs later"
            row.finding = Finding(f"{row.finding.found}; {away}", WARNING, later)
    return config


def _open(
    report: ReadinessReport, sweep: Sweep, cases: Sequence[Case], objective: Objective, stack: ExitStack
) -> OpenSweep:
    """Open engines and ledger until `stack` ends."""
    with report.row("engine") as row:
        engines = stack.enter_context(opened_engines(sweep.config, sweep.workspace.logs, given=sweep.engines))
        ledger = stack.enter_context(opened_ledger(sweep.workspace))
        hosts, watchers = open_timed_hosts(engines, sweep.config)
        stored = ledger.studies.get(sweep.config.study.name)
        config = with_stored_score(sweep.config, None if stored is None else stored.identity)
        if config is not sweep.config:
            cases, objective = load_inputs(config)
        opened = OpenSweep(config, sweep.workspace, cases, objective, ledger, hosts, watchers)
        list_hosts(opened, report)
        row.finding = findings.engine_finding(hosts)
    return opened


def _settled(report: ReadinessReport, sweep: OpenSweep) -> OpenSweep:
    """Compare the hosts, and ask them for what the file leaves out of the baseline."""
    with report.row("hosts") as row:
        row.finding = findings.hosts_finding(sweep.hosts)
    with report.row("baseline") as row:
        name = sweep.config.study.name
        stored = sweep.ledger.studies.get(name)
        config, lines = settled_baseline(sweep.config, sweep.hosts, stored)
        report.list_options(config)
        require_search(config)
        known = identity_of(config, sweep.cases, sweep.objective)
        config, sets = with_first_sets(config, sweep.hosts, stored, partial(earlier_sets, config, known, sweep.ledger))
        settled = replace(sweep, config=config)
        check_options_sent(settled, report)
        row.finding = findings.baseline_finding(config, lines, sets)
    return settled


def _check_setup(report: ReadinessReport, sweep: OpenSweep) -> StoredStudy | None:
    """Check study and room for the prompts; returns the study that the sweep continues."""
    config = sweep.config
    with report.row("study") as row:
        stored = check_study(sweep)
        status = None if stored is None else standing_of(sweep.workspace, stored.name, stored.status)
        earlier = _earlier_scores_of(sweep, stored)
        row.finding = findings.study_finding(config.study.name, sweep.workspace.folder, status, earlier)
    with report.row("capacity") as row:
        report.capacity = measure_capacity(sweep.engine, config, sweep.cases)
        row.finding = findings.capacity_finding(report.capacity, config)
    return stored


def _earlier_scores_of(sweep: OpenSweep, stored: StoredStudy | None) -> tuple[str, ...] | None:
    """Names of the earlier studies whose scores the search knows; None unless the file asks for them."""
    config = sweep.config
    if not config.search.earlier_scores:
        return None
    if stored is not None:
        return stored.record.earlier
    return earlier_names(config, identity_of(config, sweep.cases, sweep.objective), sweep.ledger, sweep.hosts)


def _estimate(report: ReadinessReport, sweep: OpenSweep, stored: StoredStudy | None) -> None:
    """Generate the baseline's answers, and forecast plan, time and smallest gain from them."""
    config = sweep.config
    with report.row("answers") as row:
        answers = ask_baseline(sweep)
        row.finding = findings.answers_finding(
            answers.generations,
            answers.reused,
            answers.scores,
            sweep.objective.name,
            config.baseline.options["num_predict"],
            config.objective.reasoning,
            config.baseline.options.get("think"),
        )
    forecast = Forecast(sweep, answers.generations, stored)
    with report.row("budget") as row:
        report.plan, report.kept = forecast.plan, sum(forecast.kept.values())
        row.finding = findings.budget_finding(
            forecast.plan, config, stored=stored is not None, kept=report.kept, tokens_each=forecast.tokens_each
        )
    if stored is not None and stored.status == "done":
        report.done = True
        with report.row("time") as row:
            row.finding = findings.done_finding(stored.name, report.kept)
        return
    with report.row("time") as row:
        report.time = forecast.time_left()
        row.finding = findings.time_finding(report.time, forecast.time(forecast.plan).seconds, config)
    with report.row("precision") as row:
        sight = forecast.sight()
        report.mde = sight.gain if math.isfinite(sight.gain) else None
        report.noise_sd = sight.noise_sd
        row.finding = findings.sight_finding(sight)
