"""The engines that a sweep names, and the hosts made of them; the models and prompts that a sweep can use."""

from __future__ import annotations

import platform
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from sweeps.addresses import is_local, without_password
from sweeps.config.sweep_config import SweepConfig
from sweeps.engines import open_engine
from sweeps.engines.base import Engine, EngineError, EngineUnreachable, UsageLimit
from sweeps.engines.spec import EngineSpec
from sweeps.errors import ConfigError
from sweeps.fingerprints.capture import take
from sweeps.fingerprints.changes import FILE_FIELDS, equal_models, fingerprints_from, weights_note
from sweeps.fingerprints.fingerprint import Fingerprint, diff, in_digest, readable
from sweeps.hosts.host import Host
from sweeps.hosts.thinking import refuse_thought
from sweeps.hosts.timed_engine import TimedEngine, timed


def engine_specs(config: SweepConfig, log_dir: Path | None = None) -> list[EngineSpec]:
    """Return the specifications of the engines that a sweep names, one per host."""
    table = config.engine
    return [
        EngineSpec(
            kind=table.kind,
            host=address,
            model=config.baseline.model,
            timeout=table.timeout,
            options=table.options,
            headers=table.headers_of(index),
            log_dir=log_dir,
            allow_remote=table.allow_remote,
            source=f"{config.path or '<text>'}: engine.options",
        )
        for index, (address, _) in enumerate(table.all_hosts)
    ]


@contextmanager
def opened_engines(
    config: SweepConfig, log_dir: Path | None = None, *, given: Sequence[Engine] = ()
) -> Iterator[Sequence[Engine]]:
    """Open the engines that a sweep names, one per host, and close them at the end.

    Args:
        config: The sweep.
        log_dir: Directory for the logs of the engines; None for no logs.
        given: Open engines to use instead. They belong to the caller and stay open.

    Raises:
        ConfigError: If an engine's settings are wrong. Engines opened before are closed again.
        NotInstalled: If an engine's library is not installed.
    """
    if given:
        yield given
        return
    with ExitStack() as stack:
        engines = []
        for spec in engine_specs(config, log_dir):
            engines.append(open_engine(spec))
            stack.callback(engines[-1].close)
        yield engines


def models_of(config: SweepConfig) -> list[str]:
    """Return every model that the sweep can use, the baseline's first."""
    swept = list(config.space["model"].choices) if "model" in config.space else []
    return list(dict.fromkeys([config.baseline.model, *map(str, swept)]))


def prompts_of(config: SweepConfig) -> list[str]:
    """Return every prompt that the sweep can use, the baseline's first."""
    swept = list(config.space["prompt"].choices) if "prompt" in config.space else []
    return list(dict.fromkeys([config.baseline.prompt, *map(str, swept)]))


def fingerprints_of(
    engine: Engine, config: SweepConfig, host: int = 0, *, known: Mapping[str, Fingerprint] | None = None
) -> dict[str, Fingerprint]:
    """Take the fingerprints of a host by model; facts of this process are reused from `known` ones.

    Raises:
        ModelMissing: If the host lacks a model; the message lists the models that it has.
        EngineUnreachable: If nothing answers.
    """
    name = config.engine.all_hosts[host][1]
    path = None if name is None else config.directory / name
    client = next((fingerprint.facts["client"] for fingerprint in (known or {}).values()), None)
    return {model: take(engine, model, host_file=path, client=client) for model in models_of(config)}


def open_hosts(engines: Sequence[Engine], config: SweepConfig) -> list[Host]:
    """Open the hosts of a sweep with their fingerprints.

    One of several hosts may be silent: it is dropped, and `Host.dropped` says why. A single host must answer.

    Raises:
        ConfigError: If there are more engines than hosts; if a model that cannot think is asked to.
        EngineUnreachable: If no host answers.
        UsageLimit: If no host takes requests.
        ModelMissing: If a host does not have a model of the sweep.
    """
    if len(engines) > (named := len(config.engine.all_hosts)):  # a study's hosts must be named in its file
        one = 'kind = "llamacpp" takes one engine, inside this process'
        many = f"name all {len(engines)} of them, in the order of the engines: engine.hosts = ["
        many += ", ".join(f'"ADDRESS-{number}"' for number in range(1, len(engines) + 1)) + "]"
        raise ConfigError(
            f"{config.path or '<text>'}: engine.hosts: {len(engines)} engines were given, for {named}"
            f" {'host' if named == 1 else 'hosts'}; {one if config.engine.kind == 'llamacpp' else many}"
        )
    hosts: list[Host] = []
    unreachable: list[EngineError] = []
    for index, engine in enumerate(engines):
        host = Host(engine, {}, timeout=config.engine.timeout, name=_name_of(config, index) or engine.address)
        if "seconds" in config.constraints.limits:
            host.most_at_once = 1  # requests at the same time slow each other
        host.capture = partial(fingerprints_of, engine, config, index)
        try:
            host.fingerprints = host.capture()
        except (EngineUnreachable, UsageLimit) as error:
            host.drop(str(error), wait=getattr(error, "retry_after", None))
            unreachable.append(error)
        hosts.append(host)
    if len(unreachable) == len(hosts):
        raise unreachable[0]
    refuse_thought(hosts, config, models_of(config))
    return hosts


def open_timed_hosts(engines: Sequence[Engine], config: SweepConfig) -> tuple[list[Host], list[TimedEngine]]:
    """Open the hosts of some engines; the engines are timed from here on.

    Raises:
        SweepError: As `open_hosts` raises.
    """
    pairs = [timed(engine) for engine in engines]
    return open_hosts([engine for engine, _ in pairs], config), [watcher for _, watcher in pairs]


def _name_of(config: SweepConfig, index: int) -> str:
    """Return a host's name in the file, or "". Names are shown and stored, so they have no passwords."""
    return without_password(config.engine.all_hosts[index][0] or "")


def name_by_machine(hosts: Sequence[Host]) -> None:
    """Name hosts on this machine with it: an address such as 127.0.0.1 is another host on each machine."""
    for host in hosts:
        if is_local(host.engine.address):
            host.name = f"{host.name} on {platform.node()}"


def host_differences(hosts: Sequence[Host]) -> list[str]:
    """Describe how hosts differ from the first one in engine and model; their texts are not the same population.

    Facts known only of a loaded model do not count: on one host the model may have been loaded before. Nor do a model's
    digests, where its tensors and all else about it are known to be equal.
    """
    working = [host for host in hosts if host.fingerprints]
    lines = []
    for host in working[1:]:
        for model, fingerprint in host.fingerprints.items():
            first = working[0].fingerprints[model]
            same, note = equal_models(first, fingerprint), weights_note(first, fingerprint)
            lines += [
                f"{host.label} differs from {working[0].label} in {change.field}: {readable(change.b)} instead of"
                f" {readable(change.a)}" + (f" ({note})" if change.field == "model.digest" else "")
                for change in diff(first, fingerprint)
                if in_digest(change.field)
                and change.field.startswith(("engine.", "model."))
                and not (same and change.field in FILE_FIELDS)
            ]
    return list(dict.fromkeys(lines))


def differences_from_first(hosts: Sequence[Host], known: Mapping[str, Any]) -> list[str]:
    """Describe how hosts differ from the first one of their study, where that is another coordinator's.

    Args:
        hosts: The hosts of this coordinator.
        known: The study's record of its hosts, by name.
    """
    first = next((name for name in known if name not in {host.name for host in hosts}), None)
    if first is None:
        return []
    return host_differences([replace(hosts[0], fingerprints=fingerprints_from(known[first]), name=first), *hosts])
