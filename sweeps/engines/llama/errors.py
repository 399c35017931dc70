"""Typed errors for those of llama.cpp's server. Ollama passes them on as JSON inside a JSON string."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from sweeps.engines.base import (
    EngineError,
    EngineFailure,
    OptionRefused,
    OutOfMemory,
    PromptTooLong,
    Unsupported,
    excerpt,
)

# Fields that llama.cpp names in a message, with the names that Ollama's users know.
_FIELDS = {"penalty_repeat": "repeat_penalty", "max_tokens": "num_predict", "n_predict": "num_predict"}
_FIELD = re.compile(r"Field '(\w+)'|struct field \w+\.(\w+)|\b(penalty_repeat|top_k|top_p|min_p|temperature)\b")
_TOO_LONG = re.compile(r"request \((\d+) tokens\) exceeds the available context size \((\d+) tokens\)")


def error_from(payload: Mapping[str, Any], where: str) -> EngineError:
    """Return the typed error for llama.cpp's `{"code": ..., "message": ..., "type": ...}`.

    Args:
        payload: The object under `error`.
        where: Engine and model, for the message.
    """
    message = str(payload.get("message", payload))
    if payload.get("type") == "exceed_context_size_error" or _TOO_LONG.search(message):
        found = _TOO_LONG.search(message)
        tokens = payload.get("n_prompt_tokens") or (int(found[1]) if found else None)
        num_ctx = payload.get("n_ctx") or (int(found[2]) if found else None)
        return prompt_too_long(where, tokens, num_ctx)
    if payload.get("code") == 501 or payload.get("type") == "not_supported_error":
        return Unsupported(f"{where}: {message}")
    if payload.get("type") == "invalid_request_error" or payload.get("code") == 400:
        match = _FIELD.search(message)
        name = match[match.lastindex or 0] if match else ""
        option = _FIELDS.get(name, name) or None
        return OptionRefused(f"{where} refused {f'option {option}' if option else 'the request'}: {message}", option)
    return failure(f"{where} failed", message)


_NO_MEMORY = re.compile(
    r"out of (?:\w+ )?memory|more (?:system |gpu |video )?memory|(?:insufficient|not enough) (?:\w+ )?memory"
    r"|(?:unable|failed) to allocate|memory layout cannot be allocated|signal: killed|OutOfDeviceMemory",
    re.IGNORECASE,
)
"""Messages of llama.cpp, GPU libraries and Ollama for a model that does not fit; `signal: killed` is the kernel's."""


def failure(what: str, message: str) -> EngineFailure:
    """Return the error for a failure that the server reports: `OutOfMemory` where the message says so."""
    kind = OutOfMemory if _NO_MEMORY.search(message) else EngineFailure
    return kind(f"{what}: {excerpt(message, 300)}")


def prompt_too_long(where: str, tokens: int | None, num_ctx: int | None) -> PromptTooLong:
    """Return the error for a prompt that does not fit, with the numbers where they are known."""
    size = f"{tokens} tokens" if tokens else "more tokens than num_ctx"
    limit = f"num_ctx {num_ctx}" if num_ctx else "num_ctx"
    remedy = f"raise num_ctx above {tokens} plus num_predict" if tokens else "raise num_ctx"
    return PromptTooLong(f"{where}: the prompt has {size} and does not fit {limit}; {remedy}, or shorten the prompt",
                         tokens, num_ctx)  # fmt: skip
