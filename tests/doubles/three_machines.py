"""Doubles of the article's three machines: one model, three versions, one of them behind `/v1` with its defaults."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace

from tests.doubles import ollama_versions
from tests.doubles.ollama import Model, OllamaDouble

MODEL = "qwen2.5:14b"
BLOB = "2049f5674b1e92b4464e5729975c9689fcfbf0b0e4443ccf10b5339f370f9a54"
VERSIONS = {"wk-01": "0.13.5", "mbp": "0.15.6", "wk-02": "0.17.4"}
BEHIND_V1 = "mbp"


@dataclass(frozen=True)
class ThreeMachines:
    """Running servers by label."""

    servers: Mapping[str, OllamaDouble]

    @property
    def hosts(self) -> dict[str, str]:
        """Address by label, as for `sweeps audit --host`."""
        return {label: server.url + ("/v1" if label == BEHIND_V1 else "") for label, server in self.servers.items()}

    @property
    def options(self) -> list[str]:
        """Words of the command line."""
        return [word for label, url in self.hosts.items() for word in ("--host", f"{label}={url}")]


@contextmanager
def three_machines(*, versions: Mapping[str, str] = VERSIONS, context: int = 4096) -> Iterator[ThreeMachines]:
    """Serve the three machines.

    Their versions render prompts and give log probabilities or not as the real ones do. Each version rounds in its own
    way: that moves draws, but no greedy text. The first text after a load differs from the later ones.

    Args:
        versions: Version by label.
        context: Context window of the machine behind `/v1`, which drops `num_ctx`: a small one cuts prompts.
    """
    model = Model(digest=BLOB, blob=f"/models/blobs/sha256-{BLOB}")
    with ExitStack() as stack:
        servers = {}
        for label, version in versions.items():
            abilities = replace(ollama_versions.abilities("0.33.0-rc2"), **_of(version))
            server = OllamaDouble(version=version, models={MODEL: model}, abilities=abilities, numerics=version)
            server.context = context if label == BEHIND_V1 else 4096
            servers[label] = stack.enter_context(server)
        yield ThreeMachines(servers)


def _of(version: str) -> dict[str, object]:
    numbers = tuple(map(int, version.split(".")))
    return {"repeat_penalty": 1.1, "first_run": 0, "logprobs": numbers >= (0, 12, 11), "render": numbers >= (0, 12, 0)}
