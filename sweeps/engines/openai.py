"""The OpenAI-compatible path of an Ollama server, for audits and comparisons.

This path drops options silently (`top_k`, `repeat_penalty`, `num_ctx` and more) and cuts long prompts silently. Its
defaults differ from the native path's (temperature and top_p 1.0), and the model gets the server's own num_ctx.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from analysis.export.export_set import OPENAI
from analysis.export.request import OPENAI_NAMES, openai_fields
from sweeps.engines import _http
from sweeps.engines.base import (
    EngineFailure,
    EngineProtocolError,
    Generation,
    Prompt,
    Timing,
    messages,
    thinking_share,
)
from sweeps.engines.ollama import SETTINGS, OllamaEngine
from sweeps.engines.spec import check_settings
from sweeps.options import OptionValue

if TYPE_CHECKING:
    from sweeps.engines.spec import EngineSpec

_PATH = OPENAI

_NO_ANSWER = ("content_filter", "error")
"""Values of `finish_reason` with which other servers than Ollama say that the text is not the model's."""


class OpenAIEngine(_http.HttpEngine):
    """An Ollama server (or another one) through `/v1/chat/completions`.

    Args:
        host: Address by the rules of `OLLAMA_HOST`, with or without `/v1`.
        timeout: Seconds that one request may take.
        attempts: Most times that a request is sent while the connection fails or the server is busy.
        wait: Seconds before the second attempt; doubled each time.
        headers: Further headers of every request.
        allow_remote: See `OllamaEngine`.
    """

    name = "openai"
    honours = frozenset(OPENAI_NAMES)
    reload_options: Sequence[str] = ()

    def __init__(
        self,
        host: str | None = None,
        *,
        timeout: float = 600.0,
        attempts: int = 5,
        wait: float = 0.5,
        headers: Mapping[str, str] | None = None,
        allow_remote: bool = False,
    ) -> None:
        self._native = OllamaEngine(
            host, timeout=timeout, attempts=attempts, wait=wait, headers=headers, allow_remote=allow_remote
        )
        self._client = self._native.client
        super().__init__(f"{self._native.address}/v1", timeout=timeout, attempts=attempts, wait=wait)

    @classmethod
    def from_spec(cls, spec: EngineSpec) -> OpenAIEngine:
        """See `sweeps.engines.open_engine`. Settings that only the native path has are ignored."""
        check_settings(spec, SETTINGS)
        extra = {name: spec.options[name] for name in ("attempts", "wait") if name in spec.options}
        return cls(
            spec.host, timeout=spec.timeout, headers=spec.sent_headers(), allow_remote=spec.allow_remote, **extra
        )

    def generate(
        self, prompt: Prompt, options: Mapping[str, OptionValue], *, model: str, timeout: float | None = None
    ) -> Generation:
        """See `Engine.generate`. `Generation.dropped` names the options that could not be sent."""
        with suppress(EngineProtocolError):  # another server than Ollama cannot say
            self._native.require_own(model)
        limit = self._timeout if timeout is None else timeout
        sent = {name: value for name, value in options.items() if name in OPENAI_NAMES}
        body = {"model": model, "messages": messages(prompt), "stream": False, **openai_fields(options)}

        def call() -> Generation:
            started = time.perf_counter()
            with self.translated_errors(model, limit, sent):
                answer = self._client.post(_PATH, body, limit)
                if answer.get("error") and not answer.get("choices"):  # with status 200, as some servers do
                    raise _http.refused(self.address, -1, answer, sent)
                return _generation(
                    answer, prompt, time.perf_counter() - started, tuple(sorted(set(options) - set(sent)))
                )

        return self._retrying(call)

    def models(self) -> list[str]:
        """See `Engine.models`."""

        def call() -> list[str]:
            with _http.translated(self.address, self._timeout):
                return sorted(entry["id"] for entry in self._client.get("/v1/models")["data"])

        return self._retrying(call, only_busy=True)

    def identify(self, model: str) -> dict[str, Any]:
        """See `Engine.identify`: from the same server's native API; without one, the model's name alone."""
        return self._facts(self._native.identify, model)

    def revision(self, model: str) -> dict[str, Any]:
        """See `Engine.revision`, and `identify` for the source of the facts."""
        return self._facts(self._native.revision, model)

    def capabilities(self, model: str) -> frozenset[str] | None:
        """See `Engine.capabilities`: from the same server's native API; without one, not told."""
        try:
            return self._native.capabilities(model)
        except EngineProtocolError:
            return None

    def unset_num_ctx(self, model: str) -> int | None:
        """See `OllamaEngine.unset_num_ctx`: this path always uses it."""
        return self._native.unset_num_ctx(model)

    def _facts(self, ask: Callable[[str], dict[str, Any]], model: str) -> dict[str, Any]:
        try:
            facts = ask(model)
        except EngineProtocolError:
            if model not in self.models():
                raise self._missing(model) from None
            facts = {"engine": {"version": None}, "model": {"name": model, "digest": None}}
        return {**facts, "engine": {**facts["engine"], "name": self.name, "api": _PATH}}

    def close(self) -> None:
        """See `Engine.close`."""
        self._native.close()


def _generation(answer: Mapping[str, Any], prompt: Prompt, total: float, dropped: tuple[str, ...]) -> Generation:
    choice, usage = answer["choices"][0], answer.get("usage") or {}
    message, reason = choice["message"], choice.get("finish_reason")
    if reason in _NO_ANSWER:
        raise EngineFailure(
            f"the server gave no answer of the model (finish_reason {reason!r}); ask one without a filter"
        )
    text = message.get("content") or ""
    thought = message.get("reasoning") or message.get("reasoning_content") or ""
    stopped = reason is None and _http.repeats([thought + text])
    output = None if stopped else usage.get("completion_tokens")
    tokens = None if stopped else usage.get("prompt_tokens")
    return Generation(
        text=text,
        finish="repeat" if stopped else "length" if reason == "length" else "stop",
        prompt_tokens=tokens,
        output_tokens=output,
        # The path reports no durations.
        timing=Timing(total, decode=total),
        # A guess: the path can neither be asked to refuse a long prompt nor to give it more room.
        truncated=_http.looks_cut(prompt, tokens),
        dropped=dropped,
        thought=thought,
        thinking_tokens=thinking_share(output, len(thought.encode()), len(text.encode())),
    )
