"""The bisection of live hosts: how each one is asked, factor by factor, and what made their texts alike."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from analysis.formatting import option_text
from sweeps.audits.bisection.bisect import ASKS, HOST, Bisection, Pair, Value, Values, bisect
from sweeps.audits.bisection.causes import host_factor, suspects
from sweeps.audits.findings.facts_table import engine_version
from sweeps.audits.hosts import AuditHost, on_one_machine
from sweeps.audits.plan import Modes
from sweeps.audits.prompts import PROMPTS
from sweeps.audits.record import MODES, AuditRecord, Bisected, HostRecord, Mode
from sweeps.audits.requests import Setting, Warmth, send
from sweeps.engines.base import Unsupported
from sweeps.engines.inspection import Way
from sweeps.engines.openai import OpenAIEngine
from sweeps.engines.server_defaults import OPENAI_DEFAULTS
from sweeps.errors import ConfigError, name_hint
from sweeps.options import OPTIONS, OptionValue

BISECT = "bisect"
"""Experiment and arm of the requests, so that no other experiment takes their texts."""

PATH, KV_TYPE, IN_FLIGHT, ORDER = "api path", "KV cache type", "in flight", "prompt order"
DEFAULTS: Values = {PATH: "native", KV_TYPE: "", IN_FLIGHT: 1, ORDER: "back to back"}
"""Factors beside the host and the options, with their usual values."""

CHANGES: Mapping[str, tuple[str, tuple[Value, ...]]] = {
    "path": (PATH, ("native", "/v1")),
    "kv_type": (KV_TYPE, ("f16", "q8_0", "q4_0")),
    "in_flight": (IN_FLIGHT, (1, 2, 4, 8)),
    "prompt_order": (ORDER, ("back to back", "alternating")),
    "defaults": ("defaults", ("sent", "left out")),
}
"""Changes that are no options, by their names: the factor, and its values."""

SEEDS, FRESH = 24, 6
"""Pairs of case and seed for the search and for its confirmation."""

FIRST_SEED = 1000
"""Distance of these seeds from those by which hosts are compared."""


def bisected(
    record: AuditRecord,
    hosts: Sequence[AuditHost],
    modes: Modes,
    changes: Values,
    note: Callable[[str], None] = lambda _: None,
) -> AuditRecord:
    """Return the record with bisections: of the two paths of a host that uses `/v1`, and of hosts whose texts differ.

    Args:
        record: The record of these hosts and of others; hosts that are not open are left out.
        hosts: The open hosts.
        modes: The options of both modes.
        changes: Compare each host with itself at these values instead (see `read_changes`); {} for none.
        note: Called with a line before each bisection.

    Raises:
        EngineError: If a host cannot be used any more.
        AuditStoppedError: If the user stopped the audit.
    """
    found = [
        _bisected(record, one, other, mode, modes, note)
        for one, other in ([_changed(host, modes, changes) for host in hosts] if changes else _pairs(hosts))
        for mode in _worth_asking(record, one, other)
    ]
    return record.model_copy(update={"bisections": (*record.bisections, *found)})


@dataclass(frozen=True)
class Side:
    """One of the two ways to ask.

    Attributes:
        host: The host.
        path: The path on which it is asked.
        changes: Values of other factors and of options; None for an option that is left out.
    """

    host: AuditHost
    path: str
    changes: Values = field(default_factory=dict)

    def values(self, modes: Modes, mode: Mode, factor: str) -> dict[str, Value]:
        """Return the value of each factor: what is sent, and on `/v1` what stands for options that are left out."""
        options: Mapping[str, Value] = modes.options(mode)
        if self.path == "openai":
            options = dict.fromkeys(options) | dict(OPENAI_DEFAULTS) | modes.by_default(mode)
        return {factor: self.host.label, **DEFAULTS, **options, **self.changes, PATH: self.path}


def read_changes(texts: Sequence[str]) -> dict[str, Value]:
    """Read `NAME=VALUE` texts: an option (`num_thread=2`), or one of `CHANGES`.

    Raises:
        ConfigError: If a name is not known, or a value is not valid for it.
    """
    found: dict[str, Value] = {}
    for text in texts:
        name, _, value = text.partition("=")
        if name in CHANGES:
            factor, values = CHANGES[name]
            known = {str(each): each for each in values}
            if value not in known:
                raise ConfigError(f"--change {text}: must be one of {', '.join(known)}")
            found[factor] = known[value]
        elif name in OPTIONS:
            read = OPTIONS[name].read(value)
            if wrong := OPTIONS[name].problem(read):
                raise ConfigError(f"--change {text}: {name} {wrong}")
            found[name] = OPTIONS[name].cast(read)  # type: ignore[arg-type]
        else:
            raise ConfigError(
                f"--change {text}: no option or setting {name!r}; {name_hint(name, [*CHANGES, *OPTIONS])}"
            )
    return found


def _changed(host: AuditHost, modes: Modes, changes: Values) -> tuple[Side, Side]:
    """Return a host as it is asked, and with the changes."""
    rest = dict(changes)
    path = {"/v1": "openai", "native": "native"}.get(str(rest.pop(PATH, "")), host.path)
    if rest.pop("defaults", "sent") == "left out":
        rest = dict.fromkeys(modes.production.keys() - modes.named - {"num_predict"}) | rest
    return Side(host, host.path), Side(host, path, rest)


def _pairs(hosts: Sequence[AuditHost]) -> Iterator[tuple[Side, Side]]:
    """Return what is compared: the two paths of a host that is asked on `/v1`, or is the only one; then hosts.

    Hosts on unequal paths are compared on the native one, since the path has a bisection of its own.
    """
    first, *others = hosts
    for host in hosts:
        if host.inspector.engine.name == "ollama" and (host.path == "openai" or not others):
            yield Side(host, "native"), Side(host, "openai")
    for other in others:
        path = first.path if first.path == other.path else "native"
        yield Side(first, path), Side(other, path)


def _worth_asking(record: AuditRecord, one: Side, other: Side) -> list[Mode]:
    """Return the first mode in which texts of two hosts differ, production before baseline; [] if none does."""
    if one.host is other.host:
        return ["production"]
    a, b = record.host(one.host.label), record.host(other.host.label)
    for mode in MODES:
        texts, theirs = _texts(a, mode), _texts(b, mode)
        if any(texts[pair] != theirs[pair] for pair in texts.keys() & theirs.keys()):
            return [mode]
    return []


def _texts(host: HostRecord, mode: Mode) -> dict[Pair, str]:
    kept = [each for each in host.answers if each.mode == mode and each.experiment == "seeds" and not each.error]
    return {(each.case, each.seed): each.text for each in kept}


def _bisected(
    record: AuditRecord, one: Side, other: Side, mode: Mode, modes: Modes, note: Callable[[str], None]
) -> Bisected:
    labels = dict.fromkeys([one.host.label, other.host.label])
    note(f"bisecting {' and '.join(labels)}, {mode} mode")
    a, b = (record.host(side.host.label) for side in (one, other))
    factor = host_factor(a, b) if on_one_machine(one.host, other.host) else HOST
    asker = _Asker({side.host.label: side.host for side in (one, other)}, factor, mode)
    values = [side.values(modes, mode, factor) for side in (one, other)]
    pairs, fresh = pairs_for([case.name for case in record.cases], modes.seed, mode)
    found = as_record(bisect(values[0], values[1], asker.ask, pairs, fresh), a, b, mode)
    as_used = one.host is other.host or (one.path, other.path) == (a.path, b.path)
    return found if as_used else found.model_copy(update={"path": one.path})


def pairs_for(cases: Sequence[str], seed: int, mode: Mode) -> tuple[list[Pair], list[Pair]]:
    """Return the pairs of the search and fresh ones.

    At temperature 0 a seed does nothing, so the fixed texts are taken as further cases there.
    """
    if mode == "baseline":
        texts = [*cases, *PROMPTS]
        fresh = texts[-2:]
        return [(name, seed) for name in texts[:-2]], [(name, seed) for name in fresh]
    first = seed + FIRST_SEED
    every = [(cases[n % len(cases)], first + n // len(cases)) for n in range(SEEDS + FRESH)]
    return every[:SEEDS], every[SEEDS:]


@dataclass
class _Asker:
    """Sends the requests of a bisection to its two hosts."""

    hosts: Mapping[str, AuditHost]
    factor: str
    mode: Mode

    def ask(self, values: Values, pairs: Sequence[Pair], repeat: int) -> list[str] | None:
        """Return the texts; None if these values cannot be sent, or an answer is an error."""
        host, path = self.hosts[str(values[self.factor])], str(values[PATH])
        apart = {self.factor, *DEFAULTS}
        given = {name: value for name, value in values.items() if name not in apart and value is not None}
        if path == "openai":
            if given.keys() - OpenAIEngine.honours:
                return None
            # a default that is named would be another request
            given = {name: value for name, value in given.items() if value != OPENAI_DEFAULTS.get(name)}
        setting = self._setting(values, path, _options(given))
        if pairs and repeat % ASKS:  # a host that rounds in another way after each load must be seen not to repeat
            host.unload()
        texts = []
        for case, seed in pairs:
            try:
                answer = send(host, setting, case, seed, repeat, experiment=BISECT, arm=BISECT)
            except Unsupported:
                return None
            if answer.error:
                return None
            texts.append(answer.whole_text)
        return texts

    def _setting(self, values: Values, path: str, options: Mapping[str, OptionValue]) -> Setting:
        # The native path refuses what /v1 cuts without a word; with its own num_ctx it may cut too.
        way = Way("openai") if path == "openai" else Way(cuts=values.get("num_ctx") is None)
        way = replace(way, kv_type=str(values[KV_TYPE]))
        warmth: Warmth = "warm" if values[ORDER] == DEFAULTS[ORDER] else "after another prompt"
        return Setting(self.mode, options, way, in_flight=int(str(values[IN_FLIGHT])), warmth=warmth)


def _options(values: Values) -> dict[str, OptionValue]:
    return {name: value for name, value in values.items() if isinstance(value, (bool, int, float, str, tuple))}


def as_record(found: Bisection, a: HostRecord, b: HostRecord, mode: Mode) -> Bisected:
    """Return what was found as a part of the record."""
    why = found.why
    if HOST in found.factors:
        why = f"{why}, {suspects(found, a, b)}"
    return Bisected(
        hosts=(a.label, b.label),
        mode=mode,
        status=found.status,
        factors=found.factors,
        values={name: (_shown(one), _shown(two)) for name, (one, two) in found.values.items()} | _versions(found, a, b),
        differing=found.differing,
        n=found.n,
        fresh=found.fresh,
        why=why,
    )


def _versions(found: Bisection, a: HostRecord, b: HostRecord) -> dict[str, tuple[str, str]]:
    """Return the versions of two servers that were exchanged for theirs."""
    versions = (engine_version(a), engine_version(b))
    return {"version": versions} if "version" in found.values and all(versions) else {}


def _shown(value: Value) -> str:
    return "left out" if value is None else option_text(value)
