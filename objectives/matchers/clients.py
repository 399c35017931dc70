"""Models behind the embedding and judge matchers: an Ollama server over HTTP, or a GGUF file in process."""

from __future__ import annotations

import json
import os
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from objectives.matchers.base import ObjectiveError

DEFAULT_PORT: Final = 11434
DEFAULT_HOST: Final = f"http://127.0.0.1:{DEFAULT_PORT}"


def embedder(model: str, host: str | None = None, timeout: float = 120.0) -> Callable[[list[str]], list[list[float]]]:
    """`embed` through `/api/embed` of an Ollama server (`host` or OLLAMA_HOST or the local default)."""

    def embed(texts: list[str]) -> list[list[float]]:
        answer = _post(_base(host), "/api/embed", {"model": model, "input": texts, "truncate": True}, timeout)
        return list(answer.get("embeddings", []))

    return embed


def chat_json(
    model: str, host: str | None = None, timeout: float = 600.0, options: Mapping[str, Any] | None = None
) -> Callable[[str, Mapping[str, Any], int], Any]:
    """`chat_json` through `/api/chat` with the schema as `format`; temperature 0.3 unless `options` say otherwise.

    No seed is sent, so every answer is drawn anew.
    """
    sent = {"temperature": 0.3, "num_ctx": 8192, **(options or {})}

    def ask(prompt: str, schema: Mapping[str, Any], turn: int = 0) -> Any:  # noqa: ARG001
        request = {
            "model": model,
            "messages": [{"role": "user", "content": prompt}],
            "format": dict(schema),
            "stream": False,
            "truncate": False,
            "options": sent,
        }
        content = _post(_base(host), "/api/chat", request, timeout).get("message", {}).get("content", "")
        try:
            return json.loads(content)
        except json.JSONDecodeError:
            return content

    return ask


def gguf_embedder(path: Path | str) -> Callable[[list[str]], list[list[float]]]:
    """`embed` with a GGUF embedding model in this process (needs xllamacpp).

    Raises:
        ObjectiveError: xllamacpp is not installed, or there is no such file.
    """
    try:
        import xllamacpp
    except ImportError:
        raise ObjectiveError(
            "a GGUF embedding model needs the package xllamacpp: install it, or use an Ollama server."
        ) from None
    if not Path(path).is_file():
        raise ObjectiveError(f"embedding model {str(path)!r}: no such file.")
    parameters = xllamacpp.CommonParams()
    parameters.model.path = str(path)
    parameters.embedding = True
    parameters.verbosity = -1
    servers = [xllamacpp.Server(parameters)]

    def ask(texts: list[str]) -> dict[str, Any]:
        answer = servers[0].handle_embeddings({"input": texts})
        return dict(json.loads(answer) if isinstance(answer, str) else answer)

    def embed(texts: list[str]) -> list[list[float]]:
        answer = ask(texts)
        if "ooling type 'none'" in str(answer.get("error")):
            # The file does not say how its token vectors become one, as that of a chat model: take their mean.
            parameters.pooling_type = xllamacpp.llama_pooling_type.LLAMA_POOLING_TYPE_MEAN
            servers[0] = xllamacpp.Server(parameters)
            answer = ask(texts)
        if "error" in answer:
            raise ObjectiveError(f"embedding model {str(path)!r}: {answer['error'].get('message', answer['error'])}")
        return [entry["embedding"] for entry in answer["data"]]

    return embed


def _base(host: str | None) -> str:
    chosen = (host or os.environ.get("OLLAMA_HOST") or DEFAULT_HOST).strip().rstrip("/")
    if "://" in chosen:
        return chosen
    try:
        parts = urllib.parse.urlsplit(f"//{chosen}")
        # By Ollama's rules: where no scheme is named, the default port is its own.
        return f"http://{chosen}" if parts.port else f"http://{parts.netloc}:{DEFAULT_PORT}{parts.path}"
    except ValueError as error:
        raise ObjectiveError(f"host {chosen!r} is no address ({error}); write it like 127.0.0.1:11434") from None


def _post(base: str, path: str, body: Mapping[str, Any], timeout: float) -> dict[str, Any]:
    request = urllib.request.Request(
        base + path, data=json.dumps(body).encode(), headers={"Content-Type": "application/json"}, method="POST"
    )
    try:
        with urllib.request.urlopen(request, timeout=timeout) as answer:
            read: dict[str, Any] = json.load(answer)
            return read
    except urllib.error.HTTPError as error:
        said = error.read().decode("utf-8", "replace")[:300]
        raise ObjectiveError(f"the matcher's model {body['model']!r} at {base}: HTTP {error.code}: {said}") from None
    except (urllib.error.URLError, TimeoutError, ConnectionError, json.JSONDecodeError) as error:
        reason = getattr(error, "reason", error)
        raise ObjectiveError(
            f"the matcher's model {body['model']!r} cannot be asked at {base}: {reason}. "
            "Start the server with `ollama serve`, or set host."
        ) from None
