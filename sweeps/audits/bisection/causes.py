"""Facts of two hosts by the cause of other texts that they can be."""

from __future__ import annotations

from collections.abc import Mapping

from sweeps.audits.bisection.bisect import HOST, Bisection, words
from sweeps.audits.record import HostRecord
from sweeps.fingerprints.changes import FILE_FIELDS, equal_weights
from sweeps.fingerprints.fingerprint import Fingerprint, diff, is_numeric

GROUPS: Mapping[str, tuple[str, ...]] = {
    "version": ("engine.version", "engine.llama_cpp", "engine.name"),
    "weights": ("model.digest", "model.weights_sha256", "model.tensors_sha256", "model.quantization"),
    "template": ("model.template_sha256", "model.system_sha256"),
    "KV cache type": ("host.environment.OLLAMA_KV_CACHE_TYPE",),
    "flash attention": ("host.environment.OLLAMA_FLASH_ATTENTION",),
    "requests at once": ("host.environment.OLLAMA_NUM_PARALLEL",),
    "GPU share": ("engine.gpu_share", "engine.num_gpu"),
    "threads": ("engine.threads", "engine.decode_threads"),
    "batch size": ("engine.batch",),
    "context window": ("engine.num_ctx", "host.environment.OLLAMA_CONTEXT_LENGTH"),
    "API path": ("engine.api",),
}
"""Facts by cause. All other facts of the host are `HARDWARE`, all others of the engine `SETTINGS`."""

HARDWARE = "machine"
SETTINGS = "server settings"

ASKED = ("API path", "context window")
"""Groups that a request decides, so that they are factors of their own."""


def differing_groups(a: HostRecord, b: HostRecord) -> dict[str, list[str]]:
    """Return the fields in which two hosts differ and which can change texts, by group."""
    one, other = (Fingerprint(host.fingerprint) for host in (a, b))
    same = equal_weights(one, other) is True
    found: dict[str, list[str]] = {}
    for change in diff(one, other):
        if is_numeric(change.field) and not (same and change.field in FILE_FIELDS):
            found.setdefault(_group(change.field), []).append(change.field)
    return {name: found[name] for name in (*GROUPS, SETTINGS, HARDWARE) if name in found and name not in ASKED}


def host_factor(a: HostRecord, b: HostRecord) -> str:
    """Return the name of the factor that another host is.

    Two servers on machines whose recorded facts are equal and that differ in one group are that group: to exchange
    them changes nothing else that is known. Otherwise it is `HOST`.
    """
    groups = differing_groups(a, b)
    return next(iter(groups)) if len(groups) == 1 and HARDWARE not in groups else HOST


def suspects(found: Bisection, a: HostRecord, b: HostRecord) -> str:
    """Say what a difference that stays with the host is consistent with, without a full stop."""
    for host, repeated in zip((a, b), found.repeated, strict=True):
        if repeated <= found.n / 10:
            own = f"{host.label} repeats {repeated} of its own {found.n} texts"
            return f"{own}: it ignores the seed, or serves others as well"
    groups = list(differing_groups(a, b))
    if not groups:
        return "no recorded fact of the two differs; take full fingerprints on both machines"
    if len(groups) == 1:
        return f"consistent with {groups[0]}, which is all that is known to differ"
    return f"consistent with any of {words(groups)}; audit two servers on one machine that differ in one of them"


def _group(field: str) -> str:
    for name, fields in GROUPS.items():
        if any(field == known or field.startswith(f"{known}.") for known in fields):
            return name
    return HARDWARE if field.startswith("host.") else SETTINGS
