"""Inputs of an audit: a sweep's file, or shipped cases for those who have none; the hosts; options that are settled."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from objectives import Case, Objective
from sweeps.addresses import server_address, without_password
from sweeps.audits.hosts import AuditHost, HostAddress, parse_host, require_labels
from sweeps.audits.plan import Modes
from sweeps.audits.record import AuditCase, AuditItem, AuditRecord
from sweeps.config.baseline import OPEN
from sweeps.config.file import load_config
from sweeps.config.sweep_config import SweepConfig
from sweeps.engines.embedded_model import EMBEDDED_MODEL
from sweeps.engines.spec import EngineSpec
from sweeps.errors import ConfigError, name_hint
from sweeps.hosts.baseline import settled_baseline
from sweeps.hosts.host import Host
from sweeps.hosts.sweep_hosts import engine_specs

SHIPPED = ("database-upgrade", "slow-nightly-load")
"""Shipped cases of an audit without a file."""

SHIPPED_TOKENS = 200
"""`num_predict` of an audit without a file."""

MARGIN = 0.05
"""Difference of coverage that does not matter, where the file names none."""

_PROMPT = {
    "system": "You write summaries of work conversations. Keep every decision, number, name and deadline.",
    "user": "Summarise the conversation below in at most 100 words.\n\n{log}\n\nSummary:",
}


def shipped_config(model: str | None, kind: str, host: str | None) -> SweepConfig:
    """Return the configuration of an audit without a file: two shipped cases, and the variables of the environment.

    Raises:
        ConfigError: If a variable such as OLLAMA_TEMPERATURE cannot be used.
    """
    engine = {"kind": kind} | ({} if host is None else {"host": host})
    baseline: dict[str, object] = {"model": model} if model else {}
    if "OLLAMA_NUM_PREDICT" not in os.environ:
        baseline["num_predict"] = SHIPPED_TOKENS
    return SweepConfig.from_dict(
        {
            "study": {"name": "audit"},
            "engine": engine,
            "prompts": {"shipped": _PROMPT},
            "objective": {"cases": "engineering-chats", "names": list(SHIPPED)},
            "baseline": baseline,
            "space": {"temperature": [0.0, 1.0]},
            "budget": {"generations": 100},
        }
    )


def audited_config(
    sweep: str | Path | SweepConfig | None, model: str | None, engine: str | None, *, hosts: bool = False
) -> SweepConfig:
    """Return the configuration to audit.

    Args:
        sweep: A sweep's file or configuration; None for shipped cases.
        model: The model, in place of the file's.
        engine: Kind of the engine without a file; None for Ollama where a model or OLLAMA_HOST is named, otherwise the
            embedded engine.
        hosts: Whether hosts are named, which are servers.

    Raises:
        ConfigError: With all problems of the file; if both a file and an engine are given, or no model for a server.
    """
    if sweep is None:
        model = model or os.environ.get("OLLAMA_MODEL")
        kind = engine or ("ollama" if hosts or model or os.environ.get("OLLAMA_HOST") else "llamacpp")
        if kind == "ollama" and not model:
            raise ConfigError("--model: is missing; name a model that all hosts have, such as qwen2.5:14b")
        return shipped_config(model or (EMBEDDED_MODEL if kind == "llamacpp" else None), kind, None)
    if engine is not None:
        raise ConfigError(f"--engine {engine}: the sweep's file has an [engine]; leave --engine out")
    config = sweep if isinstance(sweep, SweepConfig) else load_config(sweep)
    if config.engine.kind not in ("ollama", "openai", "llamacpp"):
        raise ConfigError(
            f"{config.path or '<text>'}: engine.kind: {config.engine.kind!r} cannot be audited; use ollama or llamacpp"
        )
    return config if model is None else config.with_(baseline={"model": model})


def addresses_of(config: SweepConfig, hosts: Sequence[str], files: Sequence[str] = ()) -> list[HostAddress]:
    """Return the hosts of an audit: those that are named, else those of the configuration.

    Args:
        config: The configuration.
        hosts: `NAME=URL` for each.
        files: `NAME=FILE` for hosts whose fingerprint was taken on their own machine.

    Raises:
        ConfigError: If a text is no name and address, two hosts have one name, or a file belongs to no host.
    """
    specs = engine_specs(config)
    if hosts:
        options = specs[0].options if specs[0].kind != "llamacpp" else {}
        bare = replace(specs[0], kind="ollama", host=None, options=options)
        found = [_with_headers(parse_host(text, bare), specs) for text in hosts]
    else:
        found = [_named(spec, file) for spec, (_, file) in zip(specs, config.engine.all_hosts, strict=True)]
        found = [
            replace(each, host_file=str(config.directory / each.host_file)) if each.host_file else each
            for each in found
        ]
        found = _told_apart(found)
    labels = [each.label for each in found]
    require_labels(labels)
    by_label = dict(text.partition("=")[::2] for text in files)
    if unknown := sorted(set(by_label) - set(labels)):
        raise ConfigError(f"--host-file {unknown[0]}: no host has this name; {name_hint(unknown[0], labels)}")
    if empty := sorted(label for label, file in by_label.items() if not file):
        raise ConfigError(f"--host-file {empty[0]}: names no file; write it like {empty[0]}={empty[0]}.json")
    return [replace(each, host_file=by_label.get(each.label, each.host_file)) for each in found]


def _told_apart(hosts: Sequence[HostAddress]) -> list[HostAddress]:
    """Add the port to the names of servers on one machine."""
    labels = [each.label for each in hosts]
    return [
        replace(each, label=f"{each.label}-{server_address(without_password(each.spec.host or '')).port}")
        if labels.count(each.label) > 1 and each.spec.host
        else each
        for each in hosts
    ]


def _with_headers(address: HostAddress, specs: Sequence[EngineSpec]) -> HostAddress:
    """Give a host only the headers that the file has for that very server."""
    same = [spec for spec in specs if spec.host and spec.at(address.spec.host or "").headers]
    return replace(address, spec=replace(address.spec, headers=same[0].headers if same else {}))


def _named(spec: EngineSpec, host_file: str | None) -> HostAddress:
    """Return a host of the file: its name is that of its machine."""
    if spec.kind == "llamacpp":
        return HostAddress("embedded", spec, host_file=host_file)
    address = spec.host or os.environ.get("OLLAMA_HOST", "")
    place = server_address(without_password(address)) if address else None
    label = "this-machine" if place is None or place.host in ("127.0.0.1", "localhost", "::1") else place.host
    native = replace(spec, kind="ollama", host=None if spec.host is None else spec.host.removesuffix("/v1"))
    return HostAddress(label, native, "openai" if spec.kind == "openai" else "native", host_file)


@dataclass(frozen=True)
class AuditInputs:
    """What an audit works on.

    Attributes:
        config: The configuration with every option settled.
        cases: The cases.
        objective: The objective that scores the texts.
        modes: Options of both modes.
    """

    config: SweepConfig
    cases: Sequence[Case]
    objective: Objective
    modes: Modes

    @property
    def margin(self) -> float:
        """The difference of coverage that does not matter."""
        return self.config.verdict.margin or MARGIN

    def record_cases(self) -> tuple[AuditCase, ...]:
        """Return the cases for the record."""
        return tuple(self._case(case) for case in self.cases)

    def _case(self, case: Case) -> AuditCase:
        prompt = self.config.prompts[self.config.baseline.prompt].fill(case.log)
        whole = f"{prompt.system}\0{prompt.user}\0{case.rubric_sha256}"
        items = tuple(
            AuditItem(name=item.id, text=item.text, level=item.level) for item in case.items if not item.forbidden
        )
        return AuditCase(name=case.name, digest=hashlib.sha256(whole.encode()).hexdigest()[:32], items=items)


def settled_modes(
    config: SweepConfig, hosts: Sequence[AuditHost], earlier: Sequence[AuditRecord]
) -> tuple[SweepConfig, Modes, tuple[str, ...]]:
    """Settle the options that the configuration leaves open: from an earlier record, else from model and server.

    A host on `/v1` has other defaults; it gives values only where no host is asked on its own API.

    Returns:
        The settled configuration, the options of both modes, and findings as sentences.
    """
    named = {name for name in config.baseline.options if config.sources.get(name, OPEN) != OPEN}
    findings: tuple[str, ...] = ()
    if earlier:
        known: Mapping[str, object] = earlier[0].modes["production"]
        values = {name: known[name] for name in config.open_options if name in known}
        sources = {name: "earlier audit" if name in known else "not sent" for name in config.open_options}
        config = config.with_baseline(values, sources)  # type: ignore[arg-type]
    elif hosts:
        native = [host for host in hosts if host.path == "native"] or hosts
        asked = [Host(each.inspector.engine, {each.model: each.fingerprint}, name=each.label) for each in native]
        config, findings = settled_baseline(config, asked)
    return config, Modes(config.baseline.options, frozenset(named), config.study.seed), findings
