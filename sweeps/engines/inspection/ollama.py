"""The inspector of an Ollama server."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from sweeps.engines import open_engine
from sweeps.engines._ollama_client import Streamed, generation
from sweeps.engines.base import Engine, Generation, Prompt, Unsupported, thinking_share
from sweeps.engines.inspection.base import PLAIN, TOP, Inspector, Request, Way, alternatives
from sweeps.engines.ollama import OllamaEngine
from sweeps.engines.openai import OpenAIEngine
from sweeps.engines.spec import EngineSpec
from sweeps.options import OptionValue

UNLOAD_SECONDS = 10.0
"""Longest wait until a server that has unloaded a model no longer lists it."""

_SHORT_SECONDS = 30.0
_DRAFT_KEYS = ("nextn_predict_layers", "draft")
"""Endings of keys in a model's information that tell of a draft head."""


class OllamaInspector(Inspector):
    """An Ollama server on both of its paths.

    Args:
        engine: The engine of the native path.
        spec: Its specification, to open further ones.
    """

    engine: OllamaEngine

    def __init__(self, engine: Engine, spec: EngineSpec) -> None:
        assert isinstance(engine, OllamaEngine)
        super().__init__(engine)
        self._spec = spec
        self._openai: OpenAIEngine | None = None
        self._others: list[Engine] = []

    def generate(
        self,
        prompt: Prompt,
        options: Mapping[str, OptionValue],
        *,
        model: str,
        way: Way = PLAIN,
        timeout: float | None = None,
    ) -> Generation:
        """See `Inspector.generate`."""
        if way.kv_type:
            raise Unsupported(
                "Ollama takes the type of the KV cache from OLLAMA_KV_CACHE_TYPE when it starts, not from a request"
            )
        if way.path == "openai":
            return self._openai_path(model).generate(prompt, options, model=model, timeout=timeout)
        if way.stream and not way.cuts:
            return self.engine.generate(prompt, options, model=model, timeout=timeout)
        started = time.perf_counter()
        body = self._post(prompt, options, model, timeout, {"truncate": way.cuts})
        message = body.get("message") or {}
        thought, text = message.get("thinking") or "", message.get("content") or ""
        whole = generation(Streamed([thought], [text], body), time.perf_counter() - started, {})
        share = thinking_share(whole.output_tokens, len(thought.encode()), len(text.encode()))
        return Generation(**{**vars(whole), "thinking_tokens": share})

    def together(
        self, requests: Sequence[Request], *, model: str, timeout: float | None = None, warm: bool = True
    ) -> list[Generation]:
        """See `Inspector.together`: the requests run at once if the server has as many slots, else one by one."""
        while len(self._others) < len(requests):
            other = open_engine(self._spec)
            self._others.append(other)
            other.capabilities(model)
        once = dict.fromkeys((prompt, tuple(options.items())) for prompt, options in requests) if warm else ()
        for prompt, options in once:
            self.engine.generate(prompt, {**dict(options), "num_predict": 1}, model=model, timeout=timeout)
        with ThreadPoolExecutor(len(requests)) as pool:
            jobs = [
                pool.submit(engine.generate, prompt, options, model=model, timeout=timeout)
                for engine, (prompt, options) in zip(self._others, requests, strict=False)
            ]
            return [job.result() for job in jobs]

    def first_token(
        self,
        prompt: Prompt,
        options: Mapping[str, OptionValue],
        *,
        model: str,
        way: Way = PLAIN,
        timeout: float | None = None,
    ) -> dict[str, float]:
        """See `Inspector.first_token`."""
        if way.path != "native" or way.kv_type:
            raise self._lacks("log probabilities on another way than its own API")
        more = {"logprobs": True, "top_logprobs": TOP}
        body = self._post(prompt, {**options, "num_predict": 1}, model, timeout, more)
        tokens = body.get("logprobs") or []
        if not tokens or not tokens[0].get("top_logprobs"):
            raise Unsupported(f"Ollama {self._version()} answers no log probabilities")
        return alternatives(tokens[0]["top_logprobs"])

    def rendered(self, prompt: Prompt, options: Mapping[str, OptionValue], *, model: str) -> str:
        """See `Inspector.rendered`."""
        body = self._post(prompt, {**options, "num_predict": 1}, model, None, {"_debug_render_only": True})
        info = body.get("_debug_info")
        text = info.get("rendered_template") if isinstance(info, dict) else None
        if not isinstance(text, str):
            raise Unsupported(f"Ollama {self._version()} does not show the rendered prompt")
        return text

    def unload(self, model: str) -> None:
        """See `Inspector.unload`; it waits until the server no longer lists the model as loaded."""
        with self.engine.translated_errors(model, _SHORT_SECONDS):
            self.engine.client.post("/api/chat", {"model": model, "messages": [], "keep_alive": 0, "stream": False})
            deadline = time.monotonic() + UNLOAD_SECONDS
            while self.engine.loaded(model) and time.monotonic() < deadline:
                time.sleep(0.05)

    def drafts(self, model: str) -> bool:
        """See `Inspector.drafts`: from the model's information."""
        with self.engine.translated_errors(model, _SHORT_SECONDS):
            info = self.engine.client.post("/api/show", {"model": model}).get("model_info") or {}
            return any(key.endswith(_DRAFT_KEYS) and bool(value) for key, value in info.items())

    def close(self) -> None:
        """See `Inspector.close`."""
        for engine in (*self._others, *filter(None, [self._openai])):
            engine.close()
        super().close()

    def _openai_path(self, model: str) -> OpenAIEngine:
        if self._openai is None:
            self._openai = OpenAIEngine.from_spec(self._spec)
            self._openai.capabilities(model)
        return self._openai

    def _version(self) -> str:
        return str(self.engine.version())

    def _post(
        self,
        prompt: Prompt,
        options: Mapping[str, OptionValue],
        model: str,
        timeout: float | None,
        more: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        """Send a request whose answer is not streamed, and return the body."""
        self.engine.require_own(model)
        body, limit = self.engine.body(prompt, options, model), self._spec.timeout if timeout is None else timeout
        with self.engine.translated_errors(model, limit, options):
            return self.engine.client.post("/api/chat", {**body, **(more or {}), "stream": False}, limit)
