"""An audit from its hosts to its record: hosts are opened, measured side by side, and their texts scored."""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from sweeps.audits.bisection.hosts import bisected, read_changes
from sweeps.audits.hosts import AuditHost, HostAddress, abilities_of, fingerprint_of
from sweeps.audits.inputs import AuditInputs, addresses_of, audited_config, settled_modes
from sweeps.audits.measure import measure_host
from sweeps.audits.plan import HostPlan, plan_for
from sweeps.audits.progress import AuditProgress
from sweeps.audits.prompts import PROMPTS
from sweeps.audits.record import AuditRecord, HostRecord, joined, read_record
from sweeps.audits.requests import OTHER_PROMPT, AuditStoppedError
from sweeps.audits.result import Audit
from sweeps.audits.scores import scored
from sweeps.config.sweep_config import SweepConfig
from sweeps.engines.base import EngineError
from sweeps.engines.inspection import inspector
from sweeps.errors import ConfigError
from sweeps.hosts.sweep_hosts import engine_specs
from sweeps.ledger.ledger import Ledger, opened_ledger
from sweeps.scoring.engine_models import EngineModels
from sweeps.scoring.inputs import load_inputs
from sweeps.workspace.workspace import Workspace

__all__ = ["audit"]


def audit(
    sweep: str | Path | SweepConfig | None = None,
    *,
    model: str | None = None,
    hosts: Sequence[str] | Mapping[str, str] = (),
    host_files: Sequence[str] | Mapping[str, str | Path] = (),
    from_: Sequence[str | Path | AuditRecord] = (),
    quick: bool = False,
    again: bool = False,
    bisect: bool = False,
    changes: Sequence[str] = (),
    engine: str | None = None,
    mlruns: str | Path | Workspace = "mlruns",
    progress: AuditProgress | None = None,
) -> Audit:
    """Audit hosts: does each one repeat its texts, what changes them, and are the hosts the same?

    Args:
        sweep: A sweep's file or configuration, for its model, prompt, cases and options; None for two shipped cases.
        model: The model; needed for a server without a file.
        hosts: `NAME=URL` for each host, or addresses by name; a URL that ends in `/v1` says that the OpenAI-compatible
            path is used there. None given: the file's hosts, else OLLAMA_HOST, else the embedded engine.
        host_files: `NAME=FILE` for hosts on other machines, or files by name: the fingerprint that `sweeps fingerprint
            --out` wrote there. Without it the hardware of such a host is not known.
        from_: Records of hosts that were audited before or elsewhere.
        quick: Fewer than 60 generations for three hosts; what loads the model again is left out.
        again: Begin anew, also if an interrupted audit of the last hours could go on.
        bisect: Also look for the settings that make texts differ: one setting after another is made alike, between the
            two paths of a host that uses `/v1`, and between hosts. It takes some 100 to 250 generations a pair.
        changes: `NAME=VALUE` for bisecting each host against itself with these settings: an option, or `path`,
            `kv_type`, `in_flight`, `prompt_order`, `defaults`.
        engine: `ollama` or `llamacpp`, without a file.
        mlruns: Folder of the ledger, which keeps every answer; the URL of a ledger, or a `Workspace`.
        progress: Whom to inform.

    Returns:
        The audit. Hosts that did not answer are in `record.absent`, as long as one other did.

    Raises:
        ConfigError: If file, hosts or records do not fit.
        EngineError: If no host can be used.
        KeyboardInterrupt: If the user stopped it; the same call goes on within 12 hours.
    """
    given, files = _pairs(hosts), _pairs(host_files)
    earlier = [each if isinstance(each, AuditRecord) else read_record(Path(each)) for each in from_]
    if earlier and not given and sweep is None and engine is None:
        if model not in (None, earlier[0].model):
            raise ConfigError(f"--model {model}: the records of --from are of {earlier[0].model}; leave --model out")
        return Audit(joined(earlier))
    model = model or (earlier[0].model if earlier and sweep is None else None)
    config = audited_config(sweep, model, engine, hosts=bool(given))
    addresses = addresses_of(config, given, files)
    run = _Run(config, addresses, earlier, Workspace.at(mlruns), progress or AuditProgress(), quick=quick, again=again)
    run.bisect, run.changes = bisect or bool(changes), read_changes(changes)
    return run.go()


def _pairs(given: Sequence[str] | Mapping[str, Any]) -> list[str]:
    return [f"{name}={value}" for name, value in given.items()] if isinstance(given, Mapping) else list(given)


@dataclass
class _Run:
    config: SweepConfig
    addresses: Sequence[HostAddress]
    earlier: Sequence[AuditRecord]
    workspace: Workspace
    progress: AuditProgress
    quick: bool
    again: bool
    bisect: bool = False
    changes: Mapping[str, object] = field(default_factory=dict)
    absent: dict[str, str] = field(default_factory=dict)
    _stop: threading.Event = field(default_factory=threading.Event)

    def go(self) -> Audit:
        """Open, plan, measure, score."""
        with EngineModels(engine_specs(self.config)[0]) as models, ExitStack() as stack:
            cases, objective = load_inputs(self.config, models)
            hosts = self._opened(stack)
            config, modes, findings = settled_modes(self.config, hosts, self.earlier)
            for line in findings:
                self.progress.note(line, warning=True)
            inputs = AuditInputs(config, cases, objective, modes)
            filled = {case.name: config.prompts[config.baseline.prompt].fill(case.log) for case in cases}
            for host in hosts:
                host.prompts = {**PROMPTS, **filled}
            plans = self._plans(hosts, inputs)
            self._announce(plans)
            ledger = stack.enter_context(opened_ledger(self.workspace))
            number = ledger.audits.begin(self._identity(inputs), again=self.again)
            measured = self._measured(hosts, plans, ledger, number)
            record = self._record(inputs, measured)
            if self.bisect:
                live = [host for host in hosts if host.label in record.labels]
                record = bisected(record, live, modes, self.changes, self.progress.note)
            record = scored(record, cases, objective)
            if len(measured) == len(self.addresses):
                ledger.audits.finish(number, record.to_json())
        return Audit(joined([record, *self.earlier]))

    def _opened(self, stack: ExitStack) -> list[AuditHost]:
        """Open the hosts; one of several may be silent, or lack the model."""
        found: list[AuditHost] = []
        errors: list[EngineError] = []
        for address in self.addresses:
            opened = stack.enter_context(inspector(address.spec))
            model = self.config.baseline.model
            try:
                fingerprint = fingerprint_of(address, opened, model)
            except EngineError as error:
                errors.append(error)
                self._lose(address.label, error)
                continue
            timeout = self.config.engine.timeout
            host = AuditHost(address, opened, model, fingerprint, PROMPTS, timeout=timeout, stopped=self._stop.is_set)
            host.sent = _to(self.progress, address.label)
            found.append(host)
        if not found and errors:
            raise errors[0]
        return found

    def _lose(self, label: str, error: EngineError) -> None:
        self.absent[label] = str(error)
        if len(self.addresses) + len(self.earlier) > 1:
            self.progress.note(f"{label} is left out: {error}", warning=True)

    def _plans(self, hosts: Sequence[AuditHost], inputs: AuditInputs) -> dict[str, HostPlan]:
        """Plan each host; one that stops answering is left out."""
        found: dict[str, HostPlan] = {}
        for host in hosts:
            try:
                abilities = abilities_of(host, inputs.modes.options("production"), OTHER_PROMPT)
            except EngineError as error:
                if len(hosts) == 1:
                    raise
                self._lose(host.label, error)
                continue
            names = [case.name for case in inputs.cases]
            found[host.label] = plan_for(abilities, names, inputs.modes, quick=self.quick)
        return found

    def _announce(self, plans: Mapping[str, HostPlan]) -> None:
        counts = {label: plan.generations for label, plan in plans.items()}
        tokens = sum(len(plan.tokens) for plan in plans.values())
        self.progress.plan(counts, tokens)

    def _identity(self, inputs: AuditInputs) -> str:
        """Return the digest of all that the requests depend on, apart from the hosts' state."""
        parts: list[Any] = [
            inputs.config.baseline.model,
            {mode: sorted(options.items()) for mode, options in inputs.modes.as_record().items()},
            sorted(inputs.modes.named),
            inputs.modes.seed,
            [case.digest for case in inputs.record_cases()],
            inputs.objective.digest,
            [(address.label, address.shown, address.path) for address in self.addresses],
            self.quick,
        ]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()

    def _measured(
        self, hosts: Sequence[AuditHost], plans: Mapping[str, HostPlan], ledger: Ledger, number: int
    ) -> list[HostRecord]:
        """Measure the hosts: machines side by side, hosts on one machine one after another."""
        found: dict[str, HostRecord] = {}
        failures: list[EngineError] = []
        groups: dict[str, list[AuditHost]] = {}
        for host in (host for host in hosts if host.label in plans):
            host.parts = _Kept(ledger, number, f"{host.label} {host.fingerprint.digest}")
            groups.setdefault(host.place, []).append(host)

        def measure(group: Sequence[AuditHost]) -> None:
            for host in group:
                try:
                    found[host.label] = measure_host(host, plans[host.label])
                except EngineError as error:
                    failures.append(error)
                    self._lose(host.label, error)

        side_by_side([partial(measure, group) for group in groups.values()], self._stop)
        if not found and failures:
            raise failures[0]
        return [found[host.label] for host in hosts if host.label in found]

    def _record(self, inputs: AuditInputs, measured: Sequence[HostRecord]) -> AuditRecord:
        return AuditRecord(
            model=inputs.config.baseline.model,
            modes=inputs.modes.as_record(),
            cases=inputs.record_cases(),
            objective=inputs.objective.digest,
            margin=inputs.margin,
            hosts=tuple(measured),
            absent=self.absent,
        )


def side_by_side(jobs: Sequence[Callable[[], None]], stop: threading.Event) -> None:
    """Run jobs in threads of their own; a single one in this thread.

    Ctrl-C or a failure of one job lets the others end after their current request.

    Raises:
        BaseException: The first failure.
    """
    if len(jobs) == 1:
        jobs[0]()
        return
    defects: list[BaseException] = []
    threads = [threading.Thread(target=_guarded, args=(job, stop, defects), name="audit", daemon=True) for job in jobs]
    for thread in threads:
        thread.start()
    try:
        while any(thread.is_alive() for thread in threads):
            time.sleep(0.02)  # a join would keep Ctrl-C waiting
    except KeyboardInterrupt:
        stop.set()
        for thread in threads:
            thread.join()
        raise
    if defects:
        raise defects[0]


def _guarded(job: Callable[[], None], stop: threading.Event, defects: list[BaseException]) -> None:
    try:
        job()
    except AuditStoppedError:
        return
    except BaseException as error:  # noqa: BLE001 (raised again in the caller's thread)
        defects.append(error)
        stop.set()


def _to(progress: AuditProgress, label: str) -> Callable[[float | None], None]:
    return lambda seconds: progress.advance(label, seconds)


class _Kept:
    """The parts of one host in the ledger."""

    def __init__(self, ledger: Ledger, audit: int, host: str) -> None:
        self._ledger, self._audit, self._host = ledger, audit, host
        self._parts: dict[str, Mapping[str, Any]] = dict(ledger.audits.parts(audit, host))

    def get(self, part: str) -> Mapping[str, Any] | None:
        """See `Parts.get`."""
        return self._parts.get(part)

    def add(self, part: str, record: Mapping[str, Any]) -> None:
        """See `Parts.add`."""
        self._parts[part] = record
        self._ledger.audits.add(self._audit, self._host, part, record)
