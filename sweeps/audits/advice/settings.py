"""Advice for one host: settings of the most reproducible run there, versions to pin, and two modes as a policy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from analysis.export.formats import MEASURING_SEED
from sweeps.audits.findings import facts_table
from sweeps.audits.findings.effects import Effect, effects
from sweeps.audits.findings.evidence import evidence
from sweeps.audits.record import AuditRecord, HostRecord, Mode
from sweeps.options import OptionValue

ALL_LAYERS = 999
"""`num_gpu` for all layers of any model."""

POLICY = (
    "Baseline mode, for measuring: temperature 0, a fixed seed, every option sent, one request in flight, each prompt"
    " warmed up. Compare prompts, options and machines in this mode, or by many seeds in production mode.",
    "Production mode, for use: the options that were tuned, without a fixed seed. One text proves nothing here: compare"
    " means over seeds, each beside the host's own noise.",
    "In both modes: one version of the server, one blob, one API path on all hosts. After an upgrade run the audit"
    " again with --against, before any comparison goes on.",
)
"""The two modes in words."""

ORDER = (
    "Load the model; send the prompt once with num_predict = 1 and discard the answer.",
    "Then send all requests with this prompt one after another, never two at once.",
    "Do so again after each other prompt, and after each change of num_ctx, num_thread, num_batch or num_gpu.",
)
"""The order of requests that keeps texts on one numeric path."""


_OWN_NOISE: Mapping[Mode, str] = {
    "production": "as used: one text of a seed proves nothing there",
    "baseline": "at temperature 0: these settings do not make it exact",
}
"""What texts that a host does not repeat mean, by mode."""


@dataclass(frozen=True)
class Setting:
    """One option to send: name, value, and the reason."""

    name: str
    value: OptionValue
    why: str


@dataclass(frozen=True)
class Pin:
    """One thing that must stay as it is: its name and value, and where hosts differ in it the remark."""

    name: str
    value: str
    remark: str = ""


@dataclass(frozen=True)
class Advice:
    """Advice for one host.

    Attributes:
        host: The host's label.
        settings: Options to send with each request for measuring.
        server: Environment of the server.
        pins: Versions and files that must stay.
        order: The order of requests, as sentences.
        cautions: Effects that these settings do not remove.
    """

    host: str
    settings: tuple[Setting, ...]
    server: Mapping[str, str]
    pins: tuple[Pin, ...]
    order: tuple[str, ...]
    cautions: tuple[str, ...]

    @property
    def options(self) -> dict[str, OptionValue]:
        """The settings by name."""
        return {each.name: each.value for each in self.settings}


def advice(record: AuditRecord, label: str) -> Advice:
    """Return the advice for a host of an audit."""
    host = record.host(label)
    found = [each for each in effects(record) if each.host == label]
    settings = tuple(_settings(record, host, found))
    server = {"OLLAMA_NUM_PARALLEL": "1"}
    if host.path == "openai":
        server["OLLAMA_CONTEXT_LENGTH"] = str(_num_ctx(record, host))
    return Advice(label, settings, server, tuple(_pins(record, host)), _order(found), tuple(_cautions(host, found)))


def _settings(record: AuditRecord, host: HostRecord, found: list[Effect]) -> Iterator[Setting]:
    yield Setting("temperature", 0.0, "always the most probable token")
    yield Setting("seed", MEASURING_SEED, "fixed; it has no effect at temperature 0, and decides all other texts")
    effective = host.num_ctx is not None
    yield Setting(
        "num_ctx",
        _num_ctx(record, host),
        ("effective here" if effective else "sent in this audit") + "; unset, the server decides by its memory",
    )
    if (num_gpu := _num_gpu(host)) is not None:
        yield Setting("num_gpu", num_gpu, "the whole model on one kind of processor")
    if threads := _threads(record):
        alone = len(record.hosts) == 1
        yield Setting("num_thread", threads, "its cores" if alone else "cores that every host has")
    if evidence(host, experiment="num_batch").acts:
        yield Setting("num_batch", 512, "another batch changed texts here")
    if any(each.experiment == "draft" for each in found):
        yield Setting("draft_num_predict", 0, "drafts are checked in batches, which can change texts")
    if any(each.experiment == "think" for each in found):
        yield Setting("think", False, "sent, since servers turn it on where it is left out")


def _num_ctx(record: AuditRecord, host: HostRecord) -> int:
    sent = record.modes.get("baseline", {}).get("num_ctx", 4096)
    return host.num_ctx if host.num_ctx is not None else int(str(sent))


def _num_gpu(host: HostRecord) -> int | None:
    """Return the layers for the GPU; None where a part of the model is on it, or that is not known."""
    share = facts_table.gpu_share(host)
    known = (host.fingerprint.get("host") or {}).get("gpus")
    if share == 1.0:
        return ALL_LAYERS
    return 0 if share == 0.0 or (share is None and known == []) else None


def _threads(record: AuditRecord) -> int | None:
    """Return the fewest physical cores of all hosts, so that one value fits all; None where one is not known."""
    cores: list[Any] = [(host.fingerprint.get("host") or {}).get("cpu_physical") for host in record.hosts]
    return min(cores) if cores and all(isinstance(each, int) and each > 0 for each in cores) else None


def _pins(record: AuditRecord, host: HostRecord) -> Iterator[Pin]:
    for name in ("Server", "Build", "Model blob", "Quantisation", "Template", "Driver", "System"):
        fact = facts_table.fact(record, name)
        if fact is None or fact.values[host.label] == facts_table.NOT_KNOWN:
            continue
        others = {value for label, value in fact.values.items() if label != host.label}
        remark = f"others have {', '.join(sorted(others))}" if fact.state == "differs" else ""
        yield Pin(name, fact.values[host.label], remark)
    if host.path == "openai":
        yield Pin("API path", "native (/api)", "/v1 drops num_ctx and top_k, and has other defaults")


def _order(found: list[Effect]) -> tuple[str, ...]:
    cold = [each for each in found if each.experiment in ("first run", "prompt switch")]
    if not cold:
        return ORDER
    changed, n = sum(each.changed for each in cold), sum(each.n for each in cold)
    measured = f"Measured here: {changed} of {n} texts after a load or another prompt differed from warm ones."
    return (*ORDER, measured)


def _cautions(host: HostRecord, found: list[Effect]) -> Iterator[str]:
    for mode, caution in _OWN_NOISE.items():
        own = [each for each in found if (each.experiment, each.mode) == ("repeat", mode)]
        if lost := sum(each.changed for each in own):
            yield f"{host.label} did not repeat {lost} of {sum(each.n for each in own)} of its own texts {caution}."
    share = facts_table.gpu_share(host)
    if share is not None and 0 < share < 1:
        yield (
            f"The GPU of {host.label} holds {share:.0%} of the model: free memory decides the share at each load. Use a"
            " smaller model or quantisation, or num_gpu = 0 where texts must be equal."
        )
    if host.path == "openai":
        yield f"{host.label} uses /v1, which takes neither num_ctx nor top_k: use /api, or compare means over seeds."
