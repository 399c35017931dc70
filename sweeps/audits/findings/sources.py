"""Sources of differences between texts: could each act here, was it tested, with which effect, and the remedy."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sweeps.audits.findings import facts_table
from sweeps.audits.record import AuditRecord, HostRecord

if TYPE_CHECKING:
    import pandas as pd

Possible = tuple[bool | None, str]
"""Whether a source could act (None: the fingerprints do not tell) and why."""


@dataclass(frozen=True)
class Source:
    """A source of differences.

    Attributes:
        name: Its name in the record, as `HostExperiment.source` has it.
        title: Its name for people.
        mechanism: Its way of changing texts.
        remedy: The way to prevent it.
        possible: Tells from the fingerprints whether it could make these hosts differ.
        factors: Names that a bisection has for it.
        of_report: Whether it is one of the nine of the report and draft decoding; the others are settings of requests.
    """

    name: str
    title: str
    mechanism: str
    remedy: str
    possible: Callable[[AuditRecord], Possible]
    factors: tuple[str, ...] = ()
    of_report: bool = True


def sources_table(record: AuditRecord) -> pd.DataFrame:
    """Return a row per source: name, title, mechanism, whether and why it is possible, and the remedy."""
    import pandas as pd

    rows = [
        {"source": each.name, "title": each.title, "possible": could, "why": why, "remedy": each.remedy}
        for each in SOURCES
        for could, why in [each.possible(record)]
    ]
    return pd.DataFrame(rows)


def _differs(*names: str) -> Callable[[AuditRecord], Possible]:
    """Return a rule: possible where the hosts differ in one of some facts; facts that no host tells do not count."""

    def rule(record: AuditRecord) -> Possible:
        found = [each for each in facts_table.facts(record) if each.name in names]
        differing = [each for each in found if each.state == "differs"]
        if differing:
            return True, "; ".join(f"{each.name} differs: {_values(each)}" for each in differing)
        asked = _listed([each.name for each in found] or names)
        if not found or any(each.state != "equal" for each in found):
            return None, f"not known on all hosts: {asked}"
        if len(record.hosts) < 2:
            return False, "one host only"
        return False, f"equal on all hosts: {asked}"

    return rule


def _values(fact: facts_table.Fact) -> str:
    return ", ".join(f"{host} {value}" for host, value in fact.values.items())


def _listed(names: Sequence[str]) -> str:
    return ", ".join(name if name.isupper() or name == "GPU" else name[0].lower() + name[1:] for name in names)


def _kernels(record: AuditRecord) -> Possible:
    shares = {host.label: facts_table.gpu_share(host) for host in record.hosts}
    on_gpu = [label for label, share in shares.items() if share]
    if on_gpu:
        return True, f"a GPU computes on {', '.join(on_gpu)}"
    if any(share is None and facts_table.gpus(record.host(label)) for label, share in shares.items()):
        return None, "the GPU's share is not known"
    if any(share is None and not _knows_gpus(record.host(label)) for label, share in shares.items()):
        return None, "the hosts' GPUs are not known"
    return False, "no GPU computes"


def _knows_gpus(host: HostRecord) -> bool:
    return isinstance((host.fingerprint.get("host") or {}).get("gpus"), list)


def _batching(record: AuditRecord) -> Possible:
    slots = {host.label: _setting(host, "OLLAMA_NUM_PARALLEL") for host in record.hosts}
    several = [f"{label} serves {n} requests at once" for label, n in slots.items() if n not in (None, "1")]
    if several:
        return True, "; ".join(several)
    if all(n == "1" for n in slots.values()):
        return False, "each host serves one request at a time"
    return None, "the server's OLLAMA_NUM_PARALLEL is not known"


def _setting(host: HostRecord, name: str) -> str | None:
    found = (host.fingerprint.get("host") or {}).get("environment")
    return str(found[name]) if isinstance(found, Mapping) and name in found else None


def _num_ctx(record: AuditRecord) -> Possible:
    dropped = [host.label for host in record.hosts if host.path == "openai"]
    if dropped:
        return True, f"/v1 drops num_ctx: {', '.join(dropped)}"
    unset = [mode for mode, options in record.modes.items() if "num_ctx" not in options]
    if unset:
        return True, f"num_ctx is not sent in {' and '.join(unset)} mode, so each host decides"
    return _differs("Effective num_ctx")(record)


def _offload(record: AuditRecord) -> Possible:
    shares = {host.label: facts_table.gpu_share(host) for host in record.hosts}
    told = {share for share in shares.values() if share is not None}
    partial = [f"{label} {share:.0%}" for label, share in shares.items() if share is not None and 0 < share < 1]
    if partial:
        return True, f"part of the model is on the CPU: {', '.join(partial)}"
    if len(told) > 1:
        return True, "some hosts compute on the GPU, others on the CPU"
    if None in shares.values():
        return None, "the GPU's share is not known on all hosts"
    return False, f"the whole model is on the {'GPU' if told == {1.0} else 'CPU'} everywhere"


def _first_run(record: AuditRecord) -> Possible:  # noqa: ARG001
    return True, "after each load of the model, and after another prompt on older servers"


def _draft(record: AuditRecord) -> Possible:
    reasons = [each.reason for host in record.hosts for each in host.not_done if each.experiment == "draft"]
    if len(reasons) >= len(record.hosts):
        return None, "; ".join(dict.fromkeys(reasons))
    return True, "the model can decode with drafts"


def _path(record: AuditRecord) -> Possible:
    if len({host.path for host in record.hosts}) > 1:
        by = [f"{host.label} {'/v1' if host.path == 'openai' else '/api'}" for host in record.hosts]
        return True, f"API path differs: {', '.join(by)}"
    return False, "one API path for all hosts"


def _defaults(record: AuditRecord) -> Possible:
    openai = [host.label for host in record.hosts if host.path == "openai"]
    if openai:
        return True, f"/v1 has other defaults (temperature 1.0, top_p 1.0) and drops options: {', '.join(openai)}"
    return False, "every host gets the same options, all of them sent"


def _think(record: AuditRecord) -> Possible:
    reasons = [each.reason for host in record.hosts for each in host.not_done if each.experiment == "think"]
    if len(reasons) >= len(record.hosts):
        return False, "; ".join(dict.fromkeys(reasons))
    return True, "the model can think, and does so where a request says nothing"


_SAMPLING = ("temperature", "top_k", "top_p", "min_p", "typical_p", "repeat_penalty", "repeat_last_n")

SOURCES = (
    Source(
        "rounding",
        "Order of rounding",
        "sums of floating-point numbers depend on their order: chip, instruction sets, cores, threads",
        "pin num_thread; between unlike chips ask for equal quality, not for equal texts",
        _differs("Chip", "Cores", "Instruction sets"),
        ("num_thread", "threads", "machine"),
    ),
    Source(
        "kernels",
        "GPU kernels",
        "kernels are chosen by architecture, driver and load, and add in other orders",
        "the same GPU and driver on all hosts, or num_gpu = 0 where texts must be equal",
        _kernels,
        ("flash attention", "KV cache type", "kv_cache_type"),
    ),
    Source(
        "batching",
        "Batches",
        "requests that are computed together, and the batch of a prompt, change the shape of sums",
        "one request in flight, OLLAMA_NUM_PARALLEL=1, num_batch pinned",
        _batching,
        ("num_batch", "batch size", "requests at once", "in flight", "concurrency"),
    ),
    Source(
        "num_ctx",
        "Context window",
        "num_ctx changes the layout of the cache, and cuts prompts that are longer",
        "send num_ctx with every request; /v1 cannot, so set OLLAMA_CONTEXT_LENGTH there",
        _num_ctx,
        ("num_ctx", "context window"),
    ),
    Source(
        "quantisation",
        "Weights and quantisation",
        "another quantisation is another model",
        "the same blob everywhere: pull one digest, or copy the file",
        _differs("Model blob", "Quantisation", "Template"),
        ("weights", "template"),
    ),
    Source(
        "offload",
        "CPU and GPU share",
        "layers that do not fit on the GPU are computed on the CPU, in other orders",
        "num_gpu = 999 where the model fits everywhere, else num_gpu = 0 everywhere",
        _offload,
        ("num_gpu", "GPU share"),
    ),
    Source(
        "versions",
        "Software versions",
        "kernels, defaults and templates change between releases",
        "one version of Ollama on all hosts; no unattended upgrades",
        _differs("Server", "Build"),
        ("version",),
    ),
    Source(
        "first run",
        "First run",
        "a prompt that is not in the cache is computed in one batch, a cached one is not",
        "after each load or other prompt send the prompt once with num_predict = 1, and discard the answer",
        _first_run,
        ("prompt order", "warm"),
    ),
    Source(
        "draft",
        "Draft decoding",
        "drafted tokens are checked in batches, which can change even greedy texts",
        "draft_num_predict = 0",
        _draft,
        ("draft_num_predict", "draft"),
    ),
    Source(
        "api path",
        "API path",
        "/v1 and /api send other fields, and drop others",
        "one path for all hosts: /api",
        _path,
        ("API path", "api path", "path"),
        of_report=False,
    ),
    Source(
        "defaults",
        "Options and defaults",
        "an option that is not sent has the default of the path and the version",
        "send every option with each request",
        _defaults,
        _SAMPLING,
        of_report=False,
    ),
    Source(
        "think",
        "Thinking",
        "a thought changes the answer and takes its tokens",
        "send think = false, or true, with each request",
        _think,
        ("think",),
        of_report=False,
    ),
)
"""The report's eight, draft decoding, and three settings of requests that are not among them."""
