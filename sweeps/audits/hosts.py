"""Hosts of an audit: a name for people, an address, the path that is used there, and the engine to ask."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Protocol

from sweeps.addresses import is_local, port_of, server_address, without_password
from sweeps.config.tables import NAME_PATTERN
from sweeps.engines.base import EngineError, Generation, Prompt
from sweeps.engines.inspection import Inspector, Way
from sweeps.engines.spec import EngineSpec
from sweeps.errors import ConfigError
from sweeps.fingerprints.capture import take
from sweeps.fingerprints.fingerprint import Fingerprint
from sweeps.fingerprints.machine import UNKNOWN
from sweeps.hosts.host import is_reload
from sweeps.options import OptionValue

Path = Literal["native", "openai"]


class Parts(Protocol):
    """Where answers of a host are kept, so that an interrupted audit goes on (`sweeps.ledger.audits.Audits`)."""

    def get(self, part: str) -> Mapping[str, Any] | None:
        """Return a part that was kept, or None."""
        ...

    def add(self, part: str, record: Mapping[str, Any]) -> None:
        """Keep a part."""
        ...


class Memory:
    """Parts in memory: nothing is reused by another audit."""

    def __init__(self) -> None:
        self._parts: dict[str, Mapping[str, Any]] = {}

    def get(self, part: str) -> Mapping[str, Any] | None:
        """See `Parts.get`."""
        return self._parts.get(part)

    def add(self, part: str, record: Mapping[str, Any]) -> None:
        """See `Parts.add`."""
        self._parts[part] = record


@dataclass(frozen=True)
class HostAddress:
    """A host as it is named: `wk-01=http://wk-01:11434`, or with `/v1` for the path that is used there.

    Attributes:
        label: Its name for people.
        spec: Its engine.
        path: The API path that is used there in production.
        host_file: A fingerprint that was taken on its machine, or None.
    """

    label: str
    spec: EngineSpec
    path: Path = "native"
    host_file: str | None = None

    @property
    def shown(self) -> str:
        """The address without a password; `llamacpp` for the embedded engine."""
        return self.spec.kind if self.spec.host is None else without_password(self.spec.host)


def parse_host(text: str, spec: EngineSpec) -> HostAddress:
    """Read `NAME=URL`; the URL may end in `/v1`.

    Args:
        text: The text.
        spec: What else is known of the engine (model, timeout, settings).

    Raises:
        ConfigError: If it is no name and address.
    """
    label, mark, url = (part.strip() for part in text.partition("="))
    if not mark or not re.match(NAME_PATTERN, label) or not url:
        shown = without_password(text)
        raise ConfigError(f"--host {shown}: is no NAME=URL; write it like wk-01=http://wk-01:11434")
    bare, openai = (url.rstrip("/")[: -len("/v1")], True) if url.rstrip("/").endswith("/v1") else (url, False)
    try:
        server_address(bare)
    except ValueError as error:
        raise ConfigError(f"--host {label}={without_password(url)}: is no address ({error})") from None
    return HostAddress(label, replace(spec, kind="ollama", host=bare), "openai" if openai else "native")


def require_labels(labels: list[str]) -> None:
    """Refuse hosts that share a name.

    Raises:
        ConfigError: With the names.
    """
    if twice := sorted({label for label in labels if labels.count(label) > 1}):
        raise ConfigError(f"two hosts are called {', '.join(twice)}; give each one a name of its own: --host NAME=URL")


State = tuple[object, ...]


@dataclass(eq=False)
class AuditHost:
    """An open host.

    Attributes:
        address: How it is named.
        inspector: Its engine.
        model: The model's name.
        fingerprint: Facts about host, engine and model, taken before the first request.
        prompts: The prompts by the name of their case.
        parts: Where its answers are kept.
        timeout: Seconds for one request.
        order: Number of its requests so far.
        fresh: Number of requests that were really sent, warm-ups apart.
        stopped: Asked before each request; true ends the audit.
        sent: Called after each answer with its seconds, None for one that was kept.
    """

    address: HostAddress
    inspector: Inspector
    model: str
    fingerprint: Fingerprint
    prompts: Mapping[str, Prompt]
    parts: Parts = field(default_factory=Memory)
    timeout: float | None = None
    order: int = 0
    fresh: int = 0
    stopped: Callable[[], bool] = lambda: False
    sent: Callable[[float | None], None] = lambda _: None
    _state: State | None = None
    _shortest_load: float = float("inf")

    @property
    def label(self) -> str:
        """Its name for people."""
        return self.address.label

    @property
    def path(self) -> Path:
        """The API path that is used there in production."""
        return self.address.path

    @property
    def place(self) -> str:
        """Where it really runs: hosts at one place are asked one after another."""
        address = self.inspector.engine.address
        return f"this machine, port {port_of(address)}" if is_local(address) else address

    def warm(self, case: str, options: Mapping[str, OptionValue], way: Way) -> Generation:
        """Send a request warm: after a load or a change, the prompt goes first with one token, uncounted."""
        self.warm_up(case, options, way)
        need = self._need(case, options, way)
        answer = self._send(case, options, way)
        load, usual = answer.timing.load, self._shortest_load
        self._shortest_load = min(load, usual)
        if is_reload(load, usual):  # the server had unloaded the model meanwhile
            answer = self._send(case, options, way)
        self._state = need
        return answer

    def warm_up(self, case: str, options: Mapping[str, OptionValue], way: Way) -> None:
        """Send a prompt with one token, unless the previous request had the same prompt and settings."""
        need = self._need(case, options, way)
        if need != self._state:
            self._send(case, {**options, "num_predict": 1}, way)
            self._state = need

    def first_token(self, case: str, options: Mapping[str, OptionValue], way: Way) -> dict[str, float]:
        """Return the log probabilities of the first token, in whatever state the server is."""
        self._state = None
        prompt = self.prompts[case]
        found = self.inspector.first_token(prompt, options, model=self.model, way=way, timeout=self.timeout)
        self._state = self._need(case, options, way)
        return found

    def as_it_is(self, case: str, options: Mapping[str, OptionValue], way: Way) -> Generation:
        """Send a request in whatever state the server is."""
        answer = self._send(case, options, way)
        self._state = self._need(case, options, way)
        return answer

    def cool(self) -> None:
        """Note that the server's state is not known: the next warm request is preceded by a warm-up."""
        self._state = None

    def unload(self) -> None:
        """Unload the model."""
        self.cool()
        self.inspector.unload(self.model)

    def _send(self, case: str, options: Mapping[str, OptionValue], way: Way) -> Generation:
        self._state = None
        return self.inspector.generate(self.prompts[case], options, model=self.model, way=way, timeout=self.timeout)

    def _need(self, case: str, options: Mapping[str, OptionValue], way: Way) -> State:
        reload = tuple(options.get(name) for name in self.inspector.engine.reload_options)
        return (case, way.path, way.kv_type, () if way.path == "openai" else reload)


def on_one_machine(a: AuditHost, b: AuditHost) -> bool:
    """Whether two servers are known to run on one machine: here, at one network name, or with one fingerprint file.

    Ports of this machine that belong to tunnels do not count: their hosts are unknown.
    """
    if a.address.host_file or b.address.host_file:
        if a.address.host_file == b.address.host_file:
            return True
    elif all(host.fingerprint.facts["host"].get("source") == "this machine" for host in (a, b)):
        return True
    names = {_network_name(host.inspector.engine.address) for host in (a, b)}
    return len(names) == 1 and names != {""}


def _network_name(address: str) -> str:
    return "" if is_local(address) else server_address(address).host


def fingerprint_of(address: HostAddress, inspector: Inspector, model: str) -> Fingerprint:
    """Take a host's fingerprint, with its label.

    Raises:
        EngineError: If it does not answer, or lacks the model.
    """
    found = take(inspector.engine, model, host_file=address.host_file, label=address.label)
    if address.path == "openai":
        facts = {**found.facts, "engine": {**found.facts["engine"], "name": "openai", "api": "/v1/chat/completions"}}
        return Fingerprint(facts, found.warnings)
    return found


@dataclass(frozen=True)
class HostAbilities:
    """What decides the plan of a host.

    Attributes:
        path: The API path that is used there in production.
        server: Whether it is an Ollama server; the embedded engine otherwise.
        gpu: Whether there is a GPU; None where that is not known.
        thinks: Whether the model thinks.
        drafts: Whether the model has a draft head.
        threads: Physical cores; None where not known.
        context_length: The longest context of the model, in tokens; None where not known.
    """

    path: Path = "native"
    server: bool = True
    gpu: bool | None = None
    thinks: bool = False
    drafts: bool = False
    threads: int | None = None
    context_length: int | None = None


def abilities_of(host: AuditHost, options: Mapping[str, OptionValue], prompt: str) -> HostAbilities:
    """Ask a host for what decides its plan.

    Where nothing else tells of a GPU, the model is loaded to see its share of the GPU.

    Args:
        host: The host.
        options: Options of a request to load the model with.
        prompt: Name of a prompt to load it with.

    Raises:
        EngineError: If it does not answer.
    """
    facts, engine = host.fingerprint.facts, host.inspector.engine
    cores, length = facts["host"].get("cpu_physical"), facts["model"].get("context_length")
    try:
        thinks = "thinking" in (engine.capabilities(host.model) or ())
    except EngineError:
        thinks = False
    gpu = _has_gpu(facts)
    if gpu is None:
        host.as_it_is(prompt, {**options, "num_predict": 1}, Way())
        gpu = _has_gpu({**facts, "engine": engine.identify(host.model)["engine"]})
    return HostAbilities(
        path=host.path,
        server=engine.name == "ollama",
        gpu=gpu,
        thinks=thinks,
        drafts=host.inspector.drafts(host.model),
        threads=cores if isinstance(cores, int) else None,
        context_length=length if isinstance(length, int) else None,
    )


def _has_gpu(facts: Mapping[str, Mapping[str, Any]]) -> bool | None:
    share, gpus = facts["engine"].get("gpu_share"), facts["host"].get("gpus")
    if share:
        return True
    if gpus in (None, UNKNOWN):
        return None if share is None else False
    return bool(gpus)
