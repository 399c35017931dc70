"""The inspector of the embedded engine."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from sweeps.engines.base import Engine, Generation, Prompt, Unsupported
from sweeps.engines.inspection.base import PLAIN, TOP, Inspector, Request, Way, alternatives
from sweeps.engines.llamacpp import LlamaCppEngine
from sweeps.options import OptionValue


class LlamaCppInspector(Inspector):
    """llama.cpp in this process.

    Args:
        engine: The engine.
    """

    engine: LlamaCppEngine

    def __init__(self, engine: Engine) -> None:
        assert isinstance(engine, LlamaCppEngine)
        super().__init__(engine)

    def generate(
        self,
        prompt: Prompt,
        options: Mapping[str, OptionValue],
        *,
        model: str,
        way: Way = PLAIN,
        timeout: float | None = None,
    ) -> Generation:
        """See `Inspector.generate`. A change of the KV cache's type loads the model."""
        self._require(way)
        with self._loaded_with(kv_type=way.kv_type):
            return self.engine.generate(prompt, options, model=model, timeout=timeout)

    def together(
        self, requests: Sequence[Request], *, model: str, timeout: float | None = None, warm: bool = True
    ) -> list[Generation]:
        """See `Inspector.together`: one slot per request; the next single request loads the model again."""
        where = f"llamacpp, model {model}"
        with self._loaded_with(slots=len(requests)):
            self.engine.load(model, requests[0][1])
            asked = [
                {**self.engine.request(prompt, options), "id_slot": slot, "cache_prompt": True}
                for slot, (prompt, options) in enumerate(requests)
            ]
            for request in asked if warm else ():
                self.engine.ask({**request, "max_tokens": 1}, where, timeout, time.perf_counter())
            started = time.perf_counter()
            with ThreadPoolExecutor(len(asked)) as pool:
                jobs = [pool.submit(self.engine.ask, request, where, timeout, started) for request in asked]
                return [job.result()[0] for job in jobs]

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
        self._require(way)
        more = {"logprobs": True, "top_logprobs": TOP}
        with self._loaded_with(kv_type=way.kv_type):
            _, chunks = self.engine.chat(prompt, {**options, "num_predict": 1}, model, timeout, more)
        choices = [choice for chunk in chunks for choice in chunk.get("choices", ()) if choice.get("logprobs")]
        if not choices:
            raise Unsupported(f"llama.cpp gave no log probabilities for the first token, model {model}")
        return alternatives(choices[0]["logprobs"]["content"][0]["top_logprobs"])

    def rendered(self, prompt: Prompt, options: Mapping[str, OptionValue], *, model: str) -> str:
        """See `Inspector.rendered`."""
        return self.engine.rendered(prompt, model=model, options=options)

    def unload(self, model: str) -> None:
        """See `Inspector.unload`."""
        del model
        self.engine.unload()

    def _require(self, way: Way) -> None:
        if way.path != "native" or not way.stream:
            raise Unsupported("the embedded engine runs in this process: it has no API path and no stream to switch")

    @contextmanager
    def _loaded_with(self, *, slots: int = 1, kv_type: str = "") -> Iterator[None]:
        self.engine.slots, self.engine.kv_type = slots, kv_type
        try:
            yield
        finally:
            self.engine.slots, self.engine.kv_type = 1, ""
