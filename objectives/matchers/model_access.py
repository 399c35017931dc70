"""Access to models for matchers that ask one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol


class ModelAccess(Protocol):
    """Where the embedding and judge matchers reach their models; `host` is the matcher's own setting, often None."""

    def embedder(self, model: str, host: str | None) -> Callable[[list[str]], list[list[float]]]:
        """A function from texts to one vector each."""
        ...

    def chat_json(self, model: str, host: str | None) -> Callable[[str, Mapping[str, Any], int], Any]:
        """A function from a prompt, a JSON schema and a turn to the parsed answer; see `matchers.judge.ChatJson`."""
        ...
