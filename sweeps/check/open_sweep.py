"""A sweep whose engines and ledger are open, and the checks of these."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from objectives import Case, Objective
from sweeps.check.report import ReadinessReport
from sweeps.config.narrowed_space import Narrowing
from sweeps.config.sweep_config import SweepConfig
from sweeps.engines.base import Engine
from sweeps.hosts.host import Host
from sweeps.hosts.timed_engine import TimedEngine
from sweeps.ledger.ledger import Ledger
from sweeps.ledger.study_record import StoredStudy
from sweeps.options import OPTIONS
from sweeps.probes.compared_values import inert_values, refuse_unfit
from sweeps.probes.known_facts import changed_defaults
from sweeps.probes.unsearchable import narrow, probe_space, refuse_unsent
from sweeps.progress import Progress
from sweeps.results.reader import require_readable
from sweeps.study.identity import identity_of, refuse_changes
from sweeps.workspace.study_lock import refuse_busy
from sweeps.workspace.workspace import Workspace


@dataclass(frozen=True)
class OpenSweep:
    """A sweep whose engines and ledger are open.

    Attributes:
        config: The configuration.
        workspace: Where the study is.
        cases: The cases.
        objective: The objective.
        ledger: The ledger.
        hosts: All hosts, also those that do not answer.
        watchers: Timers of the engines.
    """

    config: SweepConfig
    workspace: Workspace
    cases: Sequence[Case]
    objective: Objective
    ledger: Ledger
    hosts: Sequence[Host]
    watchers: Sequence[TimedEngine]

    @property
    def working(self) -> list[Host]:
        """The hosts that answer; at least one."""
        return [host for host in self.hosts if not host.dropped]

    @property
    def engine(self) -> Engine:
        """The engine of the first host that answers."""
        return self.working[0].engine


def list_hosts(sweep: OpenSweep, report: ReadinessReport) -> None:
    """List the hosts, also those that do not answer."""
    report.hosts = [
        {
            "name": host.name,
            "label": host.label,
            "summary": next((fingerprint.summary for fingerprint in host.fingerprints.values()), ""),
            "fingerprints": {model: fingerprint.digest for model, fingerprint in host.fingerprints.items()},
            "dropped": host.dropped,
        }
        for host in sweep.hosts
    ]


def check_options_sent(sweep: OpenSweep, report: ReadinessReport) -> None:
    """Note options that the engine does not pass on or whose default has changed.

    Raises:
        ConfigError: If the file sweeps an option that an engine does not pass on.
    """
    engine = sweep.engine
    facts = next(iter(sweep.working[0].fingerprints.values())).facts
    report.note_options(
        changed_defaults(sweep.config.baseline.options, engine=engine.name, version=facts["engine"].get("version")),
        {
            name: f"not sent: the {engine.name} engine does not pass it on"
            for name in OPTIONS
            if name not in engine.honours
        },
    )
    if not sweep.config.is_comparison:  # its candidates are checked with their options
        for host in sweep.hosts:
            refuse_unsent(host.engine, sweep.config)


def check_study(sweep: OpenSweep) -> StoredStudy | None:
    """Read the study that the sweep continues; None for a new one.

    Raises:
        LedgerError: If a study's name differs from it in upper and lower case only.
        StudyBusyError: If another process is at work on it.
        StudyUnreadableError: If its record is damaged, or of another version.
        ConfigError: If the file differs from what the study began with.
    """
    name = sweep.config.study.name
    sweep.ledger.studies.refuse_twin(name)
    refuse_busy(sweep.workspace, name)
    stored = sweep.ledger.studies.get(name)
    if stored is not None:
        require_readable(sweep.ledger, stored)
        identity = identity_of(sweep.config, sweep.cases, sweep.objective)
        refuse_changes(stored, identity, sweep.hosts, sweep.ledger, sweep.config, sweep.cases)
    return stored


def check_options(
    sweep: OpenSweep,
    report: ReadinessReport,
    stored: StoredStudy | None,
    progress: Progress,
    *,
    strict: bool,
    again: bool,
) -> OpenSweep:
    """Probe the searched options and take out those that do nothing. The capacity must have been measured.

    Returns:
        The sweep with the space that is left; an existing study keeps the space that it began with.

    Raises:
        ConfigError: If nothing is left to search, or with `strict` if any option does nothing.
    """
    assert report.capacity is not None
    config = sweep.config
    probes = {}
    if config.search.probe or again:
        probes = probe_space(sweep.hosts, config, report.capacity, sweep.ledger, progress, again=again)
    report.list_probes(probes)
    if config.is_comparison:
        refuse_unfit(sweep.hosts, config, report.capacity)
        report.narrowing = Narrowing(notes=tuple(inert_values(config, probes, strict=strict or config.search.strict)))
        return sweep
    narrowing = narrow(sweep.hosts, config, report.capacity, probes, strict=strict or config.search.strict)
    if stored is not None:
        narrowing = Narrowing.from_record(stored.record.narrowing)
    report.narrowing = narrowing
    return replace(sweep, config=narrowing.apply(config))
