"""Facts of each host that can change texts, side by side, with a mark where hosts differ."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from sweeps.audits.experiments import SEEDS
from sweeps.audits.record import AuditRecord, HostRecord
from sweeps.fingerprints.changes import equal_weights
from sweeps.fingerprints.fingerprint import Fingerprint, known, readable

if TYPE_CHECKING:
    import pandas as pd

NOT_KNOWN = "not known"

EQUAL_WEIGHTS = "the files differ, the weights in them are equal"
"""Note on unequal files that are no difference of the model."""

State = Literal["equal", "differs", "partly known", "not known"]


@dataclass(frozen=True)
class Fact:
    """One fact of all hosts.

    Attributes:
        name: Its name for people.
        values: Its value by the hosts' labels; `NOT_KNOWN` where a host does not tell.
        note: What unequal values mean; "" for no remark.
    """

    name: str
    values: Mapping[str, str]
    note: str = ""

    @property
    def state(self) -> State:
        """Whether hosts differ: of hosts that do not tell nothing is said."""
        told = {value for value in self.values.values() if value != NOT_KNOWN}
        if len(told) > 1:
            return "differs"
        if not told:
            return "not known"
        return "equal" if NOT_KNOWN not in self.values.values() else "partly known"


def facts(record: AuditRecord) -> list[Fact]:
    """Return the facts of an audit's hosts, in the order of the table; those that no host tells are left out."""
    found = [
        Fact(name, {host.label: read(host) or NOT_KNOWN for host in record.hosts}) for name, read in _FACTS.items()
    ]
    if note := weights_remark(record):
        found = [Fact(each.name, each.values, note) if each.name == "Model blob" else each for each in found]
    return [each for each in found if each.state != "not known"]


def facts_table(record: AuditRecord) -> pd.DataFrame:
    """Return a row per fact: its name, its value by host, and `state` (`equal`, `differs`, `partly known`)."""
    import pandas as pd

    rows = [{"fact": each.name, **each.values, "state": each.state, "note": each.note} for each in facts(record)]
    return pd.DataFrame(rows, columns=["fact", *record.labels, "state", "note"])


def fact(record: AuditRecord, name: str) -> Fact | None:
    """Return one fact by its name; None where no host tells it."""
    return next((each for each in facts(record) if each.name == name), None)


def weights_remark(record: AuditRecord) -> str:
    """Return what is known where the model's files differ between hosts: the weights in them may be equal."""
    first, *others = (Fingerprint(host.fingerprint) for host in record.hosts)
    files = {_blob(host) for host in record.hosts} - {""}
    if len(files) < 2:
        return ""
    same = [equal_weights(first, other) for other in others]
    if all(each is True for each in same):
        return EQUAL_WEIGHTS
    if any(each is False for each in same):
        return "the weights differ"
    return "the files differ; the weights in them may be equal, since versions of Ollama write one model differently"


def _part(host: HostRecord, part: str) -> Mapping[str, Any]:
    found = host.fingerprint.get(part)
    return found if isinstance(found, Mapping) else {}


def _read(part: str, *names: str) -> Callable[[HostRecord], str]:
    """Return a reader of the first known fact among some names."""

    def read(host: HostRecord) -> str:
        return next((readable(value) for name in names if known(value := _part(host, part).get(name))), "")

    return read


def _hash(part: str, *names: str) -> Callable[[HostRecord], str]:
    read = _read(part, *names)
    return lambda host: read(host).removeprefix("sha256:")[:12]


_blob = _hash("model", "weights_sha256", "digest")


def engine_version(host: HostRecord) -> str:
    """Return the version of a host's server; "" where it does not tell."""
    return _read("engine", "version")(host)


def _engine(host: HostRecord) -> str:
    name = {"ollama": "Ollama", "openai": "Ollama", "llamacpp": "llama.cpp in process"}
    own = _read("engine", "name")(host)
    return " ".join(filter(None, [name.get(own, own), engine_version(host)]))


def _path(host: HostRecord) -> str:
    return "OpenAI-compatible (/v1)" if host.path == "openai" else "native (/api)"


def _cores(host: HostRecord) -> str:
    physical, logical = (_read("host", name)(host) for name in ("cpu_physical", "cpu_logical"))
    return f"{physical}, {logical} threads" if physical and logical and physical != logical else physical or logical


def _memory(host: HostRecord) -> str:
    memory = _read("host", "memory_gib")(host)
    return f"{memory} GB" if memory else ""


def gpus(host: HostRecord) -> list[Mapping[str, Any]]:
    """Return the GPUs of a host, as its fingerprint has them."""
    found = _part(host, "host").get("gpus")
    return [gpu for gpu in found if isinstance(gpu, Mapping)] if isinstance(found, Sequence) else []


def _gpu_names(host: HostRecord) -> str:
    texts = []
    for gpu in gpus(host):
        size, cores = gpu.get("memory_mib"), gpu.get("cores")
        facts = [f"{cores} cores" if cores else "", f"{size / 1024:.0f} GB" if isinstance(size, (int, float)) else ""]
        named = "in the chip" if gpu.get("name") == _part(host, "host").get("cpu") else str(gpu.get("name"))
        texts.append(", ".join(filter(None, [named, *facts])))
    if not texts and isinstance(_part(host, "host").get("gpus"), Sequence) and known(_part(host, "host").get("cpu")):
        return "none"
    return "; ".join(texts)


def _driver(host: HostRecord) -> str:
    return ", ".join(dict.fromkeys(str(gpu["driver"]) for gpu in gpus(host) if known(gpu.get("driver"))))


def gpu_share(host: HostRecord) -> float | None:
    """Return the share of the model that a GPU holds, in [0, 1]; None where the host does not tell."""
    share = _part(host, "engine").get("gpu_share")
    return float(share) if isinstance(share, (int, float)) else None


def _share(host: HostRecord) -> str:
    share = gpu_share(host)
    return "" if share is None else f"{share:.0%}"


def _system(host: HostRecord) -> str:
    name, version = (_read("host", each)(host) for each in ("os", "os_version"))
    return version if name == "Linux" and version else " ".join(filter(None, [name, version]))


def _num_ctx(host: HostRecord) -> str:
    return str(host.num_ctx) if host.num_ctx is not None else _read("engine", "num_ctx")(host)


def _threads(host: HostRecord) -> str:
    # the arms of experiments have other threads
    sent = (each.options.get("num_thread") for each in host.answers if each.experiment == SEEDS)
    set_here = next((value for value in sent if value is not None), None)
    return _read("engine", "threads")(host) or ("" if set_here is None else str(set_here))


def _server(host: HostRecord) -> str:
    found = _part(host, "host").get("environment")
    if not isinstance(found, Mapping):
        return ""
    if not found:
        return "" if _part(host, "host").get("environment_source") in (None, "unknown") else "none set"
    return ", ".join(f"{name}={value}" for name, value in sorted(found.items()))


def _sent(host: HostRecord) -> str:
    found = _part(host, "engine").get("settings")
    return readable(found) if known(found) else ""


_FACTS: Mapping[str, Callable[[HostRecord], str]] = {
    "Server": _engine,
    "Build": _read("engine", "llama_cpp"),
    "API path": _path,
    "Model blob": _blob,
    "Quantisation": _read("model", "quantization"),
    "Template": _hash("model", "template_sha256"),
    "System prompt of the model": _hash("model", "system_sha256"),
    "Model's own parameters": lambda host: _read("model", "parameters_text")(host).replace("\n", ", "),
    "Chip": _read("host", "cpu"),
    "Cores": _cores,
    "Instruction sets": _read("host", "cpu_features"),
    "Memory": _memory,
    "GPU": _gpu_names,
    "Driver": _driver,
    "GPU share": _share,
    "Effective num_ctx": _num_ctx,
    "Threads": _threads,
    "Batch": _read("engine", "batch"),
    "Settings of the server": _server,
    "Sent with each request": _sent,
    "System": _system,
    "Math library": _read("host", "math_library"),
    "Container": _read("host", "container"),
}
