"""The experiments of an audit: on each host, at both modes, one thing is changed and the text of a seed compared."""

from __future__ import annotations

from dataclasses import dataclass

WARM = "warm"
"""The reference arm: the prompt was sent before, one request in flight, every option sent, streamed, native path."""

COLD = "cold"
"""The arm whose prompt was not cached: the model had been unloaded."""

SEEDS = "seeds"
"""The experiment that gives each host several seeds per case: hosts are compared by these texts."""


@dataclass(frozen=True)
class HostExperiment:
    """An experiment on one host.

    Attributes:
        name: Its name.
        question: Its question, in words.
        arms: The arms that are compared with `reference`; `{value}` stands for a value that the host decides.
        source: The source of differences that it tests (see `sweeps.audits.findings.sources`).
        reference: The arm that they are compared with.
    """

    name: str
    question: str
    arms: tuple[str, ...]
    source: str
    reference: str = WARM


HOST_EXPERIMENTS = (
    HostExperiment("repeat", "Does the host repeat the text of a seed?", ("again",), "kernels"),
    HostExperiment("first run", "Does the first text after a load differ?", (COLD,), "first run"),
    HostExperiment("prompt switch", "Do texts differ after another prompt?", ("alternating",), "first run"),
    HostExperiment(
        "num_ctx", "Does the context window change texts?", ("changed and back", "other", "unset"), "num_ctx"
    ),
    HostExperiment("num_thread", "Do threads change texts?", ("num_thread {value}",), "rounding"),
    HostExperiment("num_batch", "Does the batch size of the prompt change texts?", ("num_batch {value}",), "batching"),
    HostExperiment("num_gpu", "Does the GPU share change texts?", ("none", "all"), "offload"),
    HostExperiment("in flight", "Do requests at once change texts?", ("2", "4"), "batching"),
    HostExperiment(
        "at once, cold", "Do requests at once change texts whose prompts are not cached?", ("2", "4"), "batching", COLD
    ),
    HostExperiment("api path", "Does /v1 give the same texts?", ("/v1, its defaults", "/v1, all it takes"), "api path"),
    HostExperiment("streaming", "Does streaming change texts?", ("not streamed",), "api path"),
    HostExperiment("draft", "Does draft decoding change texts?", ("off", "on"), "draft"),
    HostExperiment("think", "Does thinking change texts?", ("on", "off"), "think"),
)
