"""Known facts about options by engine and version. They explain a probe's result and never replace a probe."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sweeps.engines.server_defaults import parse_version

INERT = ("inert",)


@dataclass(frozen=True)
class Fact:
    """One fact about options of an engine.

    Attributes:
        options: The options concerned.
        engine: Name of the engine (`ollama`, `openai`, `llamacpp`).
        text: The fact.
        source: Its source.
        since: First version that it holds for; () for all before `until`.
        until: First version that it no longer holds for; () for none.
        verdicts: Verdicts that it can explain.
        certain: Whether these options are ignored with every model, so that an export may leave them out.
    """

    options: tuple[str, ...]
    engine: str
    text: str
    source: str
    since: tuple[int, ...] = ()
    until: tuple[int, ...] = ()
    verdicts: tuple[str, ...] = INERT
    certain: bool = False

    def holds(self, version: tuple[int, ...] | None) -> bool:
        """Whether the fact holds for a version; None, an unknown version, may be any."""
        return version is None or (version >= self.since and (not self.until or version < self.until))


FACTS = (
    Fact(
        ("mirostat", "mirostat_tau", "mirostat_eta"),
        "ollama",
        "removed from Ollama in v0.7.0; the server ignores it and logs `invalid option provided`",
        "ollama/ollama pull request 10581; measured on 0.32.15",
        since=(0, 7, 0),
        certain=True,
    ),
    Fact(
        ("repeat_penalty", "presence_penalty", "frequency_penalty", "repeat_last_n"),
        "ollama",
        "Ollama's own engine (gemma3, qwen3, gpt-oss, mistral3, llama4 and other newer models) had no penalties in its"
        " sampler from about v0.6 to v0.29; models run by llama.cpp have them",
        "ollama/ollama issue 15783, pull requests 14537 and 14778",
        since=(0, 6, 0),
        until=(0, 30, 0),
    ),
    Fact(
        ("repeat_penalty",),
        "ollama",
        "the default is 1.0 from v0.32.10 on and was 1.1 before; a sweep sends it explicitly, other clients may not",
        "ollama/ollama pull request 17679",
        since=(0, 32, 10),
        verdicts=(),
    ),
    Fact(
        ("typical_p", "presence_penalty"),
        "ollama",
        "0.6.8 ignores it, where the frequency penalty sets the presence penalty too; 0.33.0 uses it",
        "measured on 0.6.8 and 0.33.0-rc2",
        until=(0, 33, 0),
    ),
    Fact(
        ("draft_num_predict",),
        "ollama",
        "it acts only with models that bring a draft head (by default 4 tokens), where it changes the speed and, on"
        " some hardware, the texts; 0.6.8 ignores it",
        "ollama/ollama at v0.33; ggml-org/llama.cpp issue 23302; measured on 0.6.8",
    ),
    Fact(
        ("num_ctx",),
        "ollama",
        "values above the model's training length are clamped to it, values below 4 to 4; without a value it is 4k,"
        " 32k or 256k, depending on the host's VRAM",
        "measured on 0.32.15",
        verdicts=("clamped",),
    ),
    Fact(
        (
            *("top_k", "min_p", "typical_p", "repeat_penalty", "repeat_last_n", "num_ctx", "mirostat", "mirostat_tau"),
            *("mirostat_eta", "draft_num_predict"),
        ),
        "openai",
        "the OpenAI-compatible path of Ollama drops it silently; the native path (kind = \"ollama\") sends it",
        "measured on 0.32.15",
    ),
)  # fmt: skip
"""All facts, the most important first."""


def explain(option: str, verdict: str, *, engine: str, version: object) -> str:
    """Return the known fact that explains a verdict, with its source; "" without one."""
    known = parse_version(version)
    for fact in FACTS:
        if option in fact.options and engine == fact.engine and verdict in fact.verdicts and fact.holds(known):
            return f"{fact.text} ({fact.source})"
    return ""


def changed_defaults(options: Iterable[str], *, engine: str, version: object) -> dict[str, str]:
    """Return facts about changed defaults, by option."""
    known = parse_version(version)
    return {
        name: f"{fact.text} ({fact.source})"
        for name in options
        for fact in FACTS
        if name in fact.options and engine == fact.engine and not fact.verdicts and fact.holds(known)
    }


def surely_ignored(*, engine: str, version: object) -> frozenset[str]:
    """Return the options that a version of an engine ignores with every model; an unknown version may be any."""
    known = parse_version(version)
    facts = (fact for fact in FACTS if fact.certain and engine == fact.engine and fact.holds(known))
    return frozenset(name for fact in facts for name in fact.options)
