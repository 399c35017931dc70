"""The embedded engine: llama.cpp in process through xllamacpp, on any GGUF file."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

import psutil

from sweeps.engines import gguf
from sweeps.engines.base import (
    BaseEngine,
    Generation,
    ModelMissing,
    NotInstalled,
    OptionRefused,
    Prompt,
    Timing,
    messages,
    thinking_share,
)
from sweeps.engines.embedded_model import EMBEDDED_MODEL, INSTALL, require_embedded_model
from sweeps.engines.json_answers import parse_json_object
from sweeps.engines.llama.fields import HONOURS, sampling_fields, thinking_fields, whole
from sweeps.engines.llama.prompt_states import KeptStates
from sweeps.engines.llama.server import LlamaServer, Load, kept_states, library
from sweeps.engines.spec import check_settings
from sweeps.options import (
    LOAD_SETTINGS,
    RELOAD_OPTIONS,
    OptionValue,
    texts,
)

if TYPE_CHECKING:
    from sweeps.engines.spec import EngineSpec

_LOAD_DEFAULTS: Mapping[str, int] = dict(zip(RELOAD_OPTIONS, (4096, -1, 0, 512), strict=True))
"""num_ctx in tokens; num_gpu -1 and num_thread 0 leave the choice to llama.cpp and to `default_threads`; num_batch."""

_REPORTS = ("logprobs", "top_logprobs")
"""Fields of a request that change what is reported, not the prompt."""


def default_threads() -> int:
    """Return the number of physical cores that this process may use, at least 1."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1)
    return max(1, min(psutil.cpu_count(logical=False) or allowed, allowed))


TINY_MODEL = 300_000_000
"""Bytes of a model file below which one thread generates; all threads evaluate the prompt.

Threads wait for each other at every layer, which costs more than they gain on a tiny model. SmolLM2-135M on two cores,
100 tokens: 1.2 s with one thread, 2.4 s with two sleeping while they wait, 1.0 s with two spinning (far longer when
another program wants a core)."""


MOST_AT_ONCE = 4
"""Most requests at once: each has the model loaded for itself, and they share the memory's bandwidth."""


class LlamaCppEngine(BaseEngine):
    """llama.cpp in this process.

    A loaded model has one request at a time: more would change the batch shape, and so the text of a seed. Where cores
    are left, `companions` load the model again and generate at the same time (`at_once`), each as if it were alone. A
    request with another prompt than the previous one is prefilled from scratch; a warm-up may restore the numbers of an
    earlier prefill. So the texts of a seed depend neither on other requests nor on the process.

    Args:
        timeout: Seconds that one request may take; None for no limit.
        options: `num_gpu`, `num_thread` and `num_batch` for the requests that do not set them.
        log_dir: Directory for llama.cpp's log of a failed load; None for none. Otherwise llama.cpp is silent.

    Attributes:
        slots: See `Load`; a change loads the model again at the next request.
        kv_type: See `Load`; likewise.

    Raises:
        NotInstalled: If xllamacpp is not installed.
    """

    name = "llamacpp"
    address = "in process"
    honours = HONOURS
    reload_options: Sequence[str] = RELOAD_OPTIONS

    def __init__(
        self,
        *,
        timeout: float | None = None,
        options: Mapping[str, OptionValue] | None = None,
        log_dir: Path | None = None,
    ) -> None:
        if importlib.util.find_spec("xllamacpp") is None:
            raise NotInstalled(f"the embedded engine needs the package xllamacpp, which is not installed: {INSTALL}")
        self._timeout = timeout
        self._settings = dict(options or {})
        self._log_dir = log_dir
        self._server: LlamaServer | None = None
        self._embedder: LlamaServer | None = None
        self._last_prompt: tuple[Prompt, str, str] | None = None
        self.slots, self.kv_type = 1, ""
        self._companions: list[LlamaCppEngine] = []
        self._kept: WeakValueDictionary[Load, KeptStates] = WeakValueDictionary()

    @classmethod
    def from_spec(cls, spec: EngineSpec) -> LlamaCppEngine:
        """See `sweeps.engines.open_engine`."""
        check_settings(spec, frozenset(LOAD_SETTINGS))
        return cls(timeout=spec.timeout, options=spec.options, log_dir=spec.log_dir)

    def generate(
        self, prompt: Prompt, options: Mapping[str, OptionValue], *, model: str, timeout: float | None = None
    ) -> Generation:
        """See `Engine.generate`. A time limit ends the decoding, but cannot interrupt a prefill."""
        return self.chat(prompt, options, model, self._timeout if timeout is None else timeout, {})[0]

    def warm_up(
        self, prompt: Prompt, options: Mapping[str, OptionValue], *, model: str, timeout: float | None = None
    ) -> Generation:
        """See `Engine.warm_up`: a prompt that this load has evaluated before gets its kept state back.

        The state holds the very numbers of that evaluation, so the texts after it are the same.
        """
        limit = self._timeout if timeout is None else timeout
        one, key = {**options, "num_predict": 1}, _prompt_key(prompt, options, {})
        load_seconds = self.load(model, options)
        assert self._server is not None
        server = self._server
        with server.states.kept.turn:
            server.require_open(f"llamacpp, model {model}")
            if key != self._last_prompt:
                self._last_prompt = None
                self._last_prompt = key if server.states.restore(key, server.slot) else None
            answer, _ = self.chat(prompt, one, model, limit, {})
            if answer.cached_tokens == 0:
                server.states.keep(key, answer.prompt_tokens or 0, server.slot)
            elif not _one_token_evaluated(answer):
                self._last_prompt = None
                answer, _ = self.chat(prompt, one, model, limit, {})
        timing = replace(answer.timing, total=answer.timing.total + load_seconds, load=load_seconds)
        return replace(answer, timing=timing)

    def chat_json(
        self, prompt: Prompt, schema: Mapping[str, Any], *, options: Mapping[str, OptionValue], model: str
    ) -> dict[str, Any]:
        """See `Engine.chat_json`."""
        extra = {"response_format": {"type": "json_schema", "json_schema": {"schema": dict(schema)}}}
        answer, _ = self.chat(prompt, options, model, self._timeout, extra)
        return parse_json_object(answer.text, f"llamacpp, model {model}", schema)

    def count_tokens(self, prompt: Prompt, *, model: str, options: Mapping[str, OptionValue]) -> int:
        """See `Engine.count_tokens`; only the tokenizer runs, whatever num_ctx is."""
        if self._server is None or self._server.load.path != self._path(model):
            self.load(model, options)
        assert self._server is not None
        tokens = self._server.count(messages(prompt))
        return super().count_tokens(prompt, model=model, options=options) if tokens is None else tokens

    def embed(self, texts: Sequence[str], *, model: str) -> list[list[float]]:
        """See `Engine.embed`: vectors of length 1, pooled as the file says, otherwise the mean over the tokens.

        The model is loaded a second time for embeddings; a text may have up to 2,048 tokens.
        """
        load = Load(self._path(model), 2048, None, default_threads(), 2048, embedding=True)
        if self._embedder is None or self._embedder.load != load:
            self._embedder = LlamaServer(load, self._log_dir)
        return self._embedder.embed(texts, f"llamacpp, model {model}") if texts else []

    def models(self) -> list[str]:
        """See `Engine.models`: the model that is fetched at first use. The path of any GGUF is accepted as well."""
        return [EMBEDDED_MODEL]

    def identify(self, model: str) -> dict[str, Any]:
        """See `Engine.identify`. Nothing is loaded: the model's facts are read from its file."""
        xllamacpp = library()
        path = self._path(model)
        header, weights = gguf.read_header(path), gguf.sha256(path)
        wanted = self._server.load if self._server and self._server.load.path == path else self._wanted(model, {})
        devices = [f"{device['name']} ({device['description']})" for device in xllamacpp.get_device_info()]
        return {
            "engine": {
                "name": self.name,
                "api": "in process",
                "version": xllamacpp.__version__,
                "llama_cpp": {str(key): value for key, value in sorted(xllamacpp.BUILD_INFO.items())},
                "system": " ".join(xllamacpp.get_system_info().split()),
                "devices": devices,
                "threads": wanted.num_thread,
                "decode_threads": wanted.decode_thread or wanted.num_thread,
                "batch": wanted.num_batch,
                "num_gpu": wanted.num_gpu,
                "num_ctx": self._server.num_ctx if self._server and self._server.load.path == path else None,
            },
            "model": {
                "name": model if model == EMBEDDED_MODEL else path.name,
                "digest": weights,
                "weights_sha256": weights,
                "family": header.family,
                "parameters": header.parameters,
                "quantization": header.quantization,
                "context_length": header.context_length,
                "template_sha256": None if header.template is None else _sha256(header.template),
            },
        }

    def close(self) -> None:
        """See `Engine.close`. Requests of other threads end first."""
        self._embedder = None
        self.unload()

    def at_once(self, model: str, options: Mapping[str, OptionValue]) -> int:
        """See `WithCompanions.at_once`: one per core where a single thread generates and memory is left."""
        load = self._wanted(model, options)
        devices = (str(device["type"]) for device in library().get_device_info())
        if load.decode_thread != 1 or (load.num_gpu != 0 and any("GPU" in device for device in devices)):
            return 1
        each = load.path.stat().st_size + load.num_ctx * (gguf.state_bytes(gguf.read_header(load.path)) or 0.0)
        return max(1, min(MOST_AT_ONCE, load.num_thread, 1 + int(psutil.virtual_memory().available / (2 * each))))

    def companions(self, count: int) -> Sequence[LlamaCppEngine]:
        """See `WithCompanions.companions`: they share the kept states of prompts."""
        while len(self._companions) < count:
            self._companions.append(
                LlamaCppEngine(timeout=self._timeout, options=self._settings, log_dir=self._log_dir)
            )
            self._companions[-1]._kept = self._kept
        return self._companions[:count]

    def keeps_prompts(self, tokens: int, *, model: str) -> bool:
        """See `WithCompanions.keeps_prompts`."""
        return kept_states(self._wanted(model, {})).has_room(tokens)

    def _path(self, model: str) -> Path:
        if model != EMBEDDED_MODEL:
            path = Path(model).expanduser()
            if not (path.suffix == ".gguf" or path.exists() or os.sep in model):
                raise ModelMissing(f"the embedded engine has no model {model!r}; name {EMBEDDED_MODEL!r}, "
                                   "or the path of a GGUF file")  # fmt: skip
            return path
        return require_embedded_model()

    def _wanted(self, model: str, options: Mapping[str, OptionValue]) -> Load:
        chosen = {name: whole(name, {**_LOAD_DEFAULTS, **self._settings, **options}[name]) for name in RELOAD_OPTIONS}
        for name in ("num_ctx", "num_batch"):
            if chosen[name] < 1:
                raise OptionRefused(f"llamacpp: option {name} must be at least 1, not {chosen[name]}", name)
        path = self._path(model)
        given = chosen["num_thread"] > 0
        return Load(
            path=path,
            num_ctx=chosen["num_ctx"],
            num_gpu=None if chosen["num_gpu"] < 0 else chosen["num_gpu"],
            num_thread=chosen["num_thread"] if given else default_threads(),
            num_batch=chosen["num_batch"],
            decode_thread=1 if not given and path.is_file() and path.stat().st_size < TINY_MODEL else 0,
            slots=self.slots,
            kv_type=self.kv_type,
        )

    def load(self, model: str, options: Mapping[str, OptionValue]) -> float:
        """Load the model unless it is loaded with these settings; return the seconds taken."""
        wanted = self._wanted(model, options)
        if self._server is not None and self._server.load == wanted:
            return 0.0
        started = time.perf_counter()
        self._server = self._last_prompt = None  # frees the memory of the old one first
        kept = self._kept.setdefault(wanted, kept_states(wanted))
        self._server = LlamaServer(wanted, self._log_dir, kept)
        return time.perf_counter() - started

    def chat(
        self,
        prompt: Prompt,
        options: Mapping[str, OptionValue],
        model: str,
        timeout: float | None,
        extra: Mapping[str, Any],
    ) -> tuple[Generation, list[dict[str, Any]]]:
        """Load the model, send one request with further fields, and return the answer with its chunks."""
        started = time.perf_counter()
        request = {**self.request(prompt, options), **extra}
        load_seconds = self.load(model, options)
        key = _prompt_key(prompt, options, extra)
        request["cache_prompt"] = key == self._last_prompt
        self._last_prompt = None  # a failure may leave any state in the cache
        answered = self.ask(request, f"llamacpp, model {model}", timeout, started, load_seconds)
        self._last_prompt = key
        if request["cache_prompt"] and not _one_token_evaluated(answered[0]):
            assert self._server is not None
            self._server.states.kept.give_up()  # a model whose warm requests evaluate more than a restored state would
        return answered

    def request(self, prompt: Prompt, options: Mapping[str, OptionValue]) -> dict[str, Any]:
        """Return llama.cpp's request for a prompt, every option explicit."""
        sampling = sampling_fields({name: value for name, value in options.items() if name not in ("stop", "think")})
        return {
            **sampling,
            "stop": texts(options, "stop"),
            **thinking_fields(options),
            "messages": messages(prompt),
            "max_tokens": sampling.get("num_predict", -1),
        }

    def ask(
        self, request: dict[str, Any], where: str, timeout: float | None, started: float, load_seconds: float = 0.0
    ) -> tuple[Generation, list[dict[str, Any]]]:
        """Send a request to the loaded model, and return the answer with its chunks.

        Args:
            request: See `request`.
            where: Engine and model, for errors.
            timeout: See `Engine.generate`.
            started: When the whole request began, by `time.perf_counter`.
            load_seconds: The part that loaded the model.
        """
        assert self._server is not None
        chunks = self._server.stream(request, where, timeout)
        sampling = {name: request[name] for name in request if name in self.honours and name not in ("stop", "think")}
        effective = {**sampling, "num_ctx": self._server.num_ctx, "num_thread": self._server.load.num_thread}
        return _generation(chunks, time.perf_counter() - started, load_seconds, effective), chunks

    def rendered(self, prompt: Prompt, *, model: str, options: Mapping[str, OptionValue]) -> str:
        """Return the prompt as the model's template renders it."""
        self.load(model, options)
        assert self._server is not None
        return self._server.rendered(messages(prompt))

    def unload(self) -> None:
        """Take the model out of the memory, with those of the companions."""
        server, self._server, self._last_prompt = self._server, None, None
        for engine in (*self._companions, server):
            if isinstance(engine, LlamaCppEngine):
                engine.unload()
            elif engine is not None:
                engine.stop()


def _prompt_key(
    prompt: Prompt, options: Mapping[str, OptionValue], extra: Mapping[str, Any]
) -> tuple[Prompt, str, str]:
    """Return everything that decides the rendered prompt: further fields may change it, as a schema does."""
    fields = {name: value for name, value in extra.items() if name not in _REPORTS}
    return prompt, repr(options.get("think")), repr(fields)


def _one_token_evaluated(answer: Generation) -> bool:
    """Whether a request took all of its prompt from the cache but the last token, which is always evaluated."""
    return answer.cached_tokens == (answer.prompt_tokens or 0) - 1


def _generation(
    chunks: Sequence[Mapping[str, Any]], total: float, load: float, effective: Mapping[str, OptionValue]
) -> Generation:
    choices = [choice for chunk in chunks for choice in chunk.get("choices", ())]
    usage, timings = chunks[-1]["usage"], chunks[-1].get("timings", {})
    prefill, decode = timings.get("prompt_ms", 0.0) / 1000, timings.get("predicted_ms", 0.0) / 1000
    deltas = [choice.get("delta", {}) for choice in choices]
    thought, text = ([part for d in deltas if (part := d.get(name))] for name in ("reasoning_content", "content"))
    finishes = [choice["finish_reason"] for choice in choices if choice.get("finish_reason")]
    return Generation(
        text="".join(text),
        # llama.cpp reports `length` both for num_predict reached and for a full num_ctx; both cut the text off.
        finish="length" if finishes[-1:] == ["length"] else "stop",
        prompt_tokens=usage["prompt_tokens"],
        output_tokens=usage["completion_tokens"],
        cached_tokens=usage.get("prompt_tokens_details", {}).get("cached_tokens", timings.get("cache_n")),
        thought="".join(thought),
        thinking_tokens=thinking_share(usage["completion_tokens"], len(thought), len(text)),
        timing=Timing(total, max(0.0, total - load - prefill - decode), load, prefill, decode),
        effective=effective,
    )


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
