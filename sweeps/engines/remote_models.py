"""Models that an Ollama server lists but runs elsewhere: whoever names one sends the prompts to another company.

Ollama names the other server in `remote_host` of `/api/show` and `/api/tags`; its own cloud's models have the tag
`cloud`, or one that ends in `-cloud`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sweeps.addresses import without_password
from sweeps.engines.base import EngineError

CLOUD_HOST = "ollama.com"


class RemoteModel(EngineError):
    """The model runs on another server than the one asked; `allow_remote` was not set."""

    exit_code = 2


def is_cloud_name(model: str) -> bool:
    """Whether a name says by itself that the model runs in Ollama's cloud, such as `gpt-oss:120b-cloud`."""
    name, separator, tag = model.rpartition(":")
    return bool(separator and name) and (tag == "cloud" or tag.endswith("-cloud"))


def remote_host(model: str, *facts: Mapping[str, Any]) -> str | None:
    """Return where a model's prompts go on to; None where the server runs it itself.

    Args:
        model: The model's name.
        facts: What the server says of it, in `/api/show` or `/api/tags`.
    """
    for each in facts:
        if each.get("remote_host"):
            return without_password(str(each["remote_host"]))
    if any(each.get("remote_model") for each in facts):
        return "a server that it does not name"
    return CLOUD_HOST if is_cloud_name(model) else None


def refusal(address: str, model: str, host: str) -> RemoteModel:
    """Return the error for a model whose prompts would leave the server."""
    return RemoteModel(
        f"model {model} does not run on {without_password(address)}: that server sends every prompt on to {host}. "
        "Set allow_remote = true in [engine] (or --allow-remote) if it may, or name a model that runs on your own "
        "machine"
    )
