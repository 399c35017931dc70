"""Ollama through its official client and its native API."""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sweeps.engines import _http, remote_models, weights
from sweeps.engines._ollama_client import NativeClient, Streamed, generation
from sweeps.engines.base import (
    EngineError,
    EngineProtocolError,
    Generation,
    Prompt,
    PromptTooLong,
    messages,
)
from sweeps.engines.json_answers import parse_json_object
from sweeps.engines.spec import check_settings
from sweeps.options import LOAD_SETTINGS, OPTIONS, RELOAD_OPTIONS, OptionValue

if TYPE_CHECKING:
    from sweeps.engines.spec import EngineSpec

SETTINGS = frozenset({*LOAD_SETTINGS, "draft_num_predict", "keep_alive", "attempts", "wait"})
"""Names that `EngineSpec.options` may hold for an engine behind HTTP."""

_SHORT_SECONDS = 30.0


class OllamaEngine(_http.HttpEngine):
    """An Ollama server.

    Every request is streamed, so that a time limit and a broken connection are noticed. It says `truncate: false`, so
    that a prompt longer than num_ctx is refused, not cut. Old servers ignore that field and cut the prompt; counts of
    tokens reveal it, and `Generation.truncated` marks it.

    Args:
        host: Address by the rules of `OLLAMA_HOST`; None for that variable, else 127.0.0.1:11434.
        timeout: Seconds that one request may take, its load included.
        options: `num_gpu`, `num_thread`, `num_batch` and `draft_num_predict` for the requests that do not set them.
        keep_alive: How long the server keeps the model loaded after a request.
        attempts: Most times that a request is sent while the connection fails or the server is busy.
        wait: Seconds before the second attempt; doubled each time.
        headers: Further headers of every request, such as a gateway's key.
        allow_remote: Whether prompts may go to a model that the server runs elsewhere, as in Ollama's cloud.

    Raises:
        ConfigError: If the host, or the variable where that is used, is no address, or the proxy cannot be used.
    """

    name = "ollama"
    honours = frozenset({*OPTIONS, "num_keep", "seed"})
    reload_options: Sequence[str] = RELOAD_OPTIONS

    def __init__(
        self,
        host: str | None = None,
        *,
        timeout: float = 600.0,
        options: Mapping[str, OptionValue] | None = None,
        keep_alive: str | float = "15m",
        attempts: int = 5,
        wait: float = 0.5,
        headers: Mapping[str, str] | None = None,
        allow_remote: bool = False,
    ) -> None:
        self.client = NativeClient(host, headers)
        super().__init__(self.client.address, timeout=timeout, attempts=attempts, wait=wait)
        self._settings = dict(options or {})
        self._keep_alive = keep_alive
        self._allow_remote = allow_remote
        self._own_models: set[str] = set()
        self._prompt_tokens: dict[tuple[str, Prompt], int] = {}
        self._effective: tuple[tuple[Any, ...], dict[str, OptionValue]] | None = None
        self._capabilities: dict[str, frozenset[str] | None] = {}

    @classmethod
    def from_spec(cls, spec: EngineSpec) -> OllamaEngine:
        """See `sweeps.engines.open_engine`."""
        check_settings(spec, SETTINGS)
        extra = {name: spec.options[name] for name in ("keep_alive", "attempts", "wait") if name in spec.options}
        options = {name: value for name, value in spec.options.items() if name not in extra}
        limits: dict[str, Any] = {"timeout": spec.timeout, "allow_remote": spec.allow_remote}
        return cls(spec.host, options=options, headers=spec.sent_headers(), **limits, **extra)

    def generate(
        self, prompt: Prompt, options: Mapping[str, OptionValue], *, model: str, timeout: float | None = None
    ) -> Generation:
        """See `Engine.generate`."""
        answer = self._chat(prompt, options, model, timeout)
        return Generation(**{**vars(answer), "truncated": self._was_cut(prompt, options, model, answer)})

    def chat_json(
        self, prompt: Prompt, schema: Mapping[str, Any], *, options: Mapping[str, OptionValue], model: str
    ) -> dict[str, Any]:
        """See `Engine.chat_json`."""
        extra: dict[str, Any] = {"format": dict(schema)}
        if "think" not in options and "thinking" in (self.capabilities(model) or ()):
            extra["think"] = False  # a thought would take the tokens of the answer
        answer = self._chat(prompt, options, model, None, extra)
        return parse_json_object(answer.text, f"{self.address}, model {model}", schema)

    def count_tokens(self, prompt: Prompt, *, model: str, options: Mapping[str, OptionValue]) -> int:
        """See `Engine.count_tokens`.

        The count comes with one generated token, or with the refusal of a prompt that is too long. A server that cuts
        prompts gives no reliable count: it is asked again with room for the whole prompt, which reloads the model.
        """
        tokens = self._count(prompt, model, options)
        if _http.looks_cut(prompt, tokens):
            # A text never has more tokens than bytes.
            room = len(prompt.user.encode()) + len((prompt.system or "").encode()) + 1024
            tokens = max(tokens, self._count(prompt, model, {**options, "num_ctx": room}))
        return tokens

    def embed(self, texts: Sequence[str], *, model: str) -> list[list[float]]:
        """See `Engine.embed`; a text longer than the model's context is refused, not cut."""

        def call() -> list[list[float]]:
            body = {"model": model, "input": list(texts), "truncate": False, "keep_alive": self._keep_alive}
            with self.translated_errors(model, self._timeout):
                answer = self.client.post("/api/embed", body, self._timeout)
                return [[float(value) for value in row] for row in answer["embeddings"]]

        if not texts:
            return []
        self.require_own(model)
        return self._retrying(call)

    def models(self) -> list[str]:
        """See `Engine.models`."""
        return sorted(entry["name"] for entry in self._tags())

    def remote(self) -> dict[str, str]:
        """Return the hosts of the listed models that run elsewhere, by the models' names."""
        found = {entry["name"]: remote_models.remote_host(entry["name"], entry) for entry in self._tags()}
        return {name: host for name, host in found.items() if host}

    def identify(self, model: str) -> dict[str, Any]:
        """See `Engine.identify`. `num_ctx` and `gpu_share` are of the model as it is loaded, else None."""
        version, entry, full = self.version(), self._entry(model), _full_name(model)
        show = self._retrying(lambda: self._show(model), only_busy=True)
        elsewhere = self._refuse_remote(model, show, entry)
        loaded = self.loaded(full)
        with _http.translated(self.address, _SHORT_SECONDS):
            self._capabilities[model] = _abilities(version, show)
            thinks = {"thinks": True} if "thinking" in (self._capabilities[model] or ()) else {}
            size, in_vram = loaded.get("size"), loaded.get("size_vram")
            return {
                "engine": {
                    "name": self.name,
                    "api": "/api/chat",
                    "version": version,
                    "num_ctx": loaded.get("context_length"),
                    "gpu_share": in_vram / size if size and in_vram is not None else None,
                    "settings": dict(self._settings),
                },
                "model": _model_facts(full, entry, show) | thinks | ({"remote_host": elsewhere} if elsewhere else {}),
            }

    def revision(self, model: str) -> dict[str, Any]:
        """See `Engine.revision`: two requests, where `identify` takes four."""
        version, entry = self.version(), self._entry(model)
        return {"engine": {"version": version}, "model": {"name": _full_name(model), "digest": entry.get("digest")}}

    def require_own(self, model: str) -> None:
        """Refuse a model that the server runs elsewhere, unless that is allowed; asked once for each model.

        Raises:
            RemoteModel: With the host to which the prompts would go.
            ModelMissing: If the server does not have the model.
        """
        if self._allow_remote or model in self._own_models:
            return

        self._retrying(lambda: self._refuse_remote(model, self._show(model), self._entry(model)))

    def _show(self, model: str) -> dict[str, Any]:
        with self.translated_errors(model, _SHORT_SECONDS):
            return self.client.post("/api/show", {"model": model})

    def _refuse_remote(self, model: str, *facts: Mapping[str, Any]) -> str | None:
        """Return where the model runs, None for here; refuse another place unless it is allowed."""
        elsewhere = remote_models.remote_host(model, *facts)
        if elsewhere and not self._allow_remote:
            raise remote_models.refusal(self.address, model, elsewhere)
        self._own_models.add(model)
        return elsewhere

    def capabilities(self, model: str) -> frozenset[str] | None:
        """See `Engine.capabilities`. Versions that do not know `think` are not asked: their lists lack the ability."""
        if model not in self._capabilities:
            show = self._retrying(lambda: self._show(model), only_busy=True)
            self._capabilities[model] = _abilities(self.version(), show)
        return self._capabilities[model]

    def unset_num_ctx(self, model: str) -> int | None:
        """Load a model without `num_ctx`, and return the context window that the server then gives it.

        Returns:
            Tokens; None where the server does not report them, as before v0.10.

        Raises:
            EngineError: If the model cannot be loaded.
        """
        self.require_own(model)

        def call() -> int | None:
            body = {"model": model, "messages": [], "stream": False, "keep_alive": self._keep_alive}
            with self.translated_errors(model, self._timeout):
                self.client.post("/api/chat", {**body, "options": self._settings}, self._timeout)
            return self._loaded_num_ctx(model)

        return self._retrying(call)

    def close(self) -> None:
        """See `Engine.close`."""
        self.client.close()  # type: ignore[no-untyped-call]

    def _chat(
        self,
        prompt: Prompt,
        options: Mapping[str, OptionValue],
        model: str,
        timeout: float | None,
        extra: Mapping[str, Any] | None = None,
    ) -> Generation:
        self.require_own(model)
        limit = self._timeout if timeout is None else timeout
        body = {**self.body(prompt, options, model), **(extra or {})}
        sent = body["options"]

        def call() -> Generation:
            started = time.perf_counter()
            with self.translated_errors(model, limit, sent | {n: body[n] for n in ("think",) if n in body}):
                streamed = self._collect(body, started, limit)
                answer = generation(streamed, time.perf_counter() - started, {})
            return replace(answer, effective=self._applied(model, sent))

        return self._retrying(call)

    def body(self, prompt: Prompt, options: Mapping[str, OptionValue], model: str) -> dict[str, Any]:
        """Return the body of a chat request; options that neither the request nor the engine has are left out."""
        sent = {**self._settings, **options}
        # Ollama takes think beside the options; among them it would be ignored.
        fields = {name: sent.pop(name) for name in ("think",) if name in sent}
        if "thinking" in (self._capabilities.get(model) or ()):
            fields.setdefault("think", True)  # the server's default, sent so that no later version changes it
        return {
            "model": model,
            "messages": messages(prompt),
            "options": sent,
            **fields,
            "truncate": False,
            "keep_alive": self._keep_alive,
        }

    def _count(self, prompt: Prompt, model: str, options: Mapping[str, OptionValue]) -> int:
        try:
            answer = self._chat(prompt, {**options, "num_predict": 1}, model, None)
        except PromptTooLong as error:
            if error.prompt_tokens is None:
                raise
            return error.prompt_tokens
        if answer.prompt_tokens is None:
            raise EngineProtocolError(f"{self.address}, model {model}: the number of prompt tokens was not reported")
        return answer.prompt_tokens

    def _collect(self, body: Mapping[str, Any], started: float, limit: float) -> Streamed:
        """Collect one streamed answer."""
        streamed = Streamed()
        for record in self.client.stream("/api/chat", body, limit):
            message, streamed.last = record["message"], record
            streamed.thought += filter(None, [message.get("thinking")])
            streamed.text += filter(None, [message.get("content")])
            if record["done"]:
                if reason := streamed.no_answer:
                    raise _http.broken(self.address, f"it {reason}ed the model instead of an answer")
                return streamed
            if time.perf_counter() - started > limit:
                raise _http.timed_out(self.address, limit)
        # A stream without a last record was stopped by Ollama for a repetition, or broke.
        if not _http.repeats(pieces := streamed.thought + streamed.text):
            raise _http.broken(self.address, f"the answer ended after {len(pieces)} pieces")
        return streamed

    def _applied(self, model: str, sent: Mapping[str, OptionValue]) -> dict[str, OptionValue]:
        """Return the options as the server applied them; asked again after each reload of the model."""
        key = (model, *(sent.get(name) for name in RELOAD_OPTIONS))
        if self._effective is None or self._effective[0] != key:
            try:
                num_ctx = self._loaded_num_ctx(model)
            except EngineError:
                return {}  # the answer itself is complete; a fault here must not lose it
            self._effective = (key, {} if num_ctx is None else {"num_ctx": num_ctx})
        return dict(self._effective[1])

    def _was_cut(self, prompt: Prompt, options: Mapping[str, OptionValue], model: str, answer: Generation) -> bool:
        """Whether the server cut the prompt in spite of `truncate: false`."""
        if answer.prompt_tokens is None:
            return False
        known = self._prompt_tokens.get((model, prompt), 0)
        if known == 0 and _http.looks_cut(prompt, answer.prompt_tokens):
            try:
                known = self.count_tokens(prompt, model=model, options=options)
            except PromptTooLong:
                return True
        self._prompt_tokens[model, prompt] = max(known, answer.prompt_tokens)
        return answer.prompt_tokens < known

    def version(self) -> str:
        """Return the server's version."""
        version = self._get("/api/version").get("version")
        if not isinstance(version, str):
            raise EngineProtocolError(
                f"{self.address} gives no Ollama version; check that no other service uses that port"
            )
        return version

    def _entry(self, model: str) -> dict[str, Any]:
        """Return a model's entry in the list of models."""
        names = (model, _full_name(model))
        entry = next((entry for entry in self._tags() if entry["name"] in names), None)
        if entry is None:
            raise self._missing(model)
        return entry

    def _tags(self) -> list[dict[str, Any]]:
        entries = self._get("/api/tags").get("models")
        if not isinstance(entries, list):
            raise EngineProtocolError(f"{self.address} lists no models; check that no other service uses that port")
        return [entry for entry in entries if isinstance(entry, dict) and isinstance(entry.get("name"), str)]

    def loaded(self, model: str) -> dict[str, Any]:
        """Return a model's entry in the list of loaded models; {} while it is not loaded."""
        with _http.translated(self.address, _SHORT_SECONDS):
            entries = self._get("/api/ps").get("models") or []
            return next((entry for entry in entries if entry.get("name") in (model, f"{model}:latest")), {})

    def _loaded_num_ctx(self, model: str) -> int | None:
        length = self.loaded(model).get("context_length")
        with _http.translated(self.address, _SHORT_SECONDS):
            return None if length is None else int(length)

    def _get(self, path: str) -> dict[str, Any]:
        def call() -> dict[str, Any]:
            with _http.translated(self.address, _SHORT_SECONDS):
                return self.client.get(path)

        return self._retrying(call, only_busy=True)


def _ignores_think(version: str) -> bool:
    """Whether a version of Ollama is older than `think` (v0.9.0); one without a number is not."""
    found = re.match(r"v?(\d{1,9})\.(\d{1,9})", version)
    return found is not None and (0, 0) < (int(found[1]), int(found[2])) < (0, 9)


def _abilities(version: str, show: Mapping[str, Any]) -> frozenset[str] | None:
    """Return a model's capabilities as `/api/show` lists them; None for a version whose lists lack `thinking`."""
    listed = show.get("capabilities")
    return frozenset(map(str, listed)) if isinstance(listed, list) and not _ignores_think(version) else None


def _full_name(model: str) -> str:
    """Return a model's name with its tag."""
    return model if ":" in model.rsplit("/", 1)[-1] else f"{model}:latest"


def _model_facts(name: str, entry: Mapping[str, Any], show: Mapping[str, Any]) -> dict[str, Any]:
    """Return facts about the model; of the modelfile only hashes, since it also holds a path of the host."""
    details, info = show.get("details") or {}, show.get("model_info") or {}
    modelfile = show.get("modelfile") or ""
    tensors = weights.tensors_sha256(modelfile)
    return {
        "name": name,
        "digest": entry.get("digest"),
        "weights_sha256": weights.blob_sha256(modelfile),
        **({} if tensors is None else {"tensors_sha256": tensors}),
        "family": details.get("family"),
        "parameters": info.get("general.parameter_count"),
        "parameter_size": details.get("parameter_size"),
        "quantization": details.get("quantization_level"),
        "context_length": info.get(f"{info.get('general.architecture')}.context_length"),
        "template_sha256": _sha256(show.get("template")),
        "system_sha256": _sha256(show.get("system")),
        "parameters_text": "\n".join(sorted((show.get("parameters") or "").split("\n"))) or None,  # in any order
    }


def _sha256(text: str | None) -> str | None:
    return None if text is None else hashlib.sha256(text.encode()).hexdigest()
