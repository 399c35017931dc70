"""A double of an Ollama server, which answers as recordings of real servers do.

`with OllamaDouble() as server:` serves on a free port of the loopback interface; `server.url` is its address. It is
version 0.32.15 unless told otherwise: `OllamaDouble(version="0.6.8")`. Models with capabilities, parameters or ways of
thinking of their own are `Model`s: `server.models["deep:1b"] = Model(capabilities=("completion", "thinking"))`. Models,
version, abilities and faults can be changed while it runs; `version` alone changes only what `/api/version` says.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from tests.doubles import ollama_model, ollama_versions
from tests.doubles.ollama_model import Refusal
from tests.doubles.ollama_records import Record, Text, finish, now, ordered
from tests.doubles.ollama_versions import DEFAULT, NAME, RECORDINGS, Abilities, Model, Thought
from tests.doubles.ollama_wire import JSON, Fault, Handler, QuietServer

__all__ = ["RECORDINGS", "Abilities", "Fault", "Model", "OllamaDouble", "Thought"]

_NO_SHIFT = (
    "the prompt is longer than the context length currently available to the model; shorten the prompt, adjust the "
    "context length in settings, or use a model with a longer context length"
)
_NO_STRING = "json: cannot unmarshal string into Go struct field ChatCompletionRequest.temperature of type float64"


@dataclass
class OllamaDouble:
    """A running double of an Ollama server.

    Attributes:
        version: The version in `/api/version`.
        models: Models by name; a digest stands for the recorded model with that digest. None given: that model alone.
        embeddings: Whether the models give embeddings.
        abilities: What this version does; None for those of `version`.
        seconds_per_token: Seconds for each piece of a streamed answer.
        faults: Faults to produce, in order.
        requests: (path, body) of every request.
        numerics: The host's own rounding: another one moves log probabilities, and texts above temperature 0.
        context: The context window where a request leaves `num_ctx` out.
        size_vram: Bytes of a loaded model on the GPU.
        moment: Seconds in which others may join a text, where several are written at once.
        loads: Number of loads of a model.
        sampler: The sampler's latest settings.
    """

    version: str = DEFAULT
    models: dict[str, str | Model] = None  # type: ignore[assignment]
    embeddings: bool = False
    abilities: Abilities = None  # type: ignore[assignment]
    seconds_per_token: float = 0.0
    numerics: str = ""
    context: int = ollama_model.DEFAULT_CONTEXT
    size_vram: int = 0
    moment: float = 0.02
    faults: list[Fault] = field(default_factory=list)
    requests: list[tuple[str, Any]] = field(default_factory=list)
    loads: int = 0
    sampler: ollama_model.Sampler | None = None
    _loaded: dict[str, Any] | None = None
    _port: int = 0
    _server: QuietServer | None = None
    _slot: threading.Lock = field(default_factory=threading.Lock)
    _cached: list[str] = field(default_factory=list)
    _unloading: dict[str, Any] | None = None
    _together: int = 0
    _at_once: int = 0

    def __post_init__(self) -> None:
        self.abilities = self.abilities or ollama_versions.abilities(self.version)
        if self.models is None:
            self.models = {NAME: ollama_versions.recorded_model(self.abilities.folder).digest}

    def model(self, name: str) -> Model | None:
        """Return the model of that name, with or without its tag; None if there is none."""
        found = self.models.get(name, self.models.get(f"{name}:latest"))
        if isinstance(found, str):
            return replace(ollama_versions.recorded_model(self.abilities.folder), digest=found)
        return found

    def start(self) -> OllamaDouble:
        """Start serving; after `stop`, on the same port, with no model loaded."""
        double = self

        class Bound(Handler):
            server_double = double

        self._loaded = None
        self._server = QuietServer(("127.0.0.1", self._port), Bound)
        self._port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def stop(self) -> None:
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def __enter__(self) -> OllamaDouble:
        return self.start()

    def __exit__(self, *exc_info: object) -> None:
        self.stop()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def bodies(self, path: str = "/api/chat") -> list[dict[str, Any]]:
        """Bodies of the requests to one path."""
        return [body for where, body in self.requests if where == path]

    def next_fault(self, path: str) -> Fault | None:
        for fault in self.faults:
            if fault.times > 0 and path.startswith(fault.path):
                if fault.after > 0:
                    fault.after -= 1
                    return None
                fault.times -= 1
                return fault
        return None

    # Answers of the paths -------------------------------------------------------------------------------------------

    def answer(self, path: str, body: Any) -> tuple[int, str, Any]:
        """Status, content type and body (or an iterator of records) for a request that is not about to fail."""
        if path == "/api/version":
            return 200, JSON, {"version": self.version}
        if path == "/api/tags":
            entry = ollama_versions.recorded(self.abilities.folder, "02_tags")["models"][0]
            return 200, JSON, {"models": [self._entry(entry, name, tags=True) for name in self.models]}
        if path == "/api/ps":
            shown, self._unloading = self._loaded or self._unloading, None
            return 200, JSON, {"models": [self._process(shown)] if shown else []}
        if path == "/v1/models":
            data = [
                {"id": name, "object": "model", "created": 1795308558, "owned_by": "library"} for name in self.models
            ]
            return 200, "application/json", {"object": "list", "data": data}
        if not isinstance(body, dict):
            raise Refusal(
                400, f"json: cannot unmarshal {type(body).__name__} into Go value of type api.GenerateRequest"
            )
        if path == "/api/create":
            return 200, "application/json", self._create(body)
        name = body.get("model", "")
        model = self.model(name)
        if model is None:
            raise Refusal(404, self._unknown(path, name))
        if path == "/api/show":
            full = name if name in self.models else f"{name}:latest"
            return (
                200,
                JSON,
                ollama_versions.show(self.abilities.folder, full, model, verbose=bool(body.get("verbose"))),
            )
        if path == "/api/embed":
            return 200, JSON, self._embed(name, body)
        return self._generate(path, name, model, body)

    def _unknown(self, path: str, name: str) -> str:
        if self.abilities.pull_it and path in ("/api/chat", "/v1/chat/completions", "/api/embed"):
            return f'model "{name}" not found, try pulling it first'
        return f"model '{name}' not found"

    def _create(self, body: dict[str, Any]) -> dict[str, Any]:
        """Make a model from another one, with parameters of its own that replace those of the same name."""
        source = self.model(body.get("from", ""))
        if source is None:
            raise Refusal(404, self._unknown("/api/create", body.get("from", "")))
        name = body["model"] if ":" in body["model"] else f"{body['model']}:latest"
        parameters = {**source.parameters, **body.get("parameters", {})}
        self.models[name] = replace(source, digest="", parameters=parameters, system=body.get("system", source.system))
        return {"status": "success"}

    def _entry(self, entry: dict[str, Any], name: str, *, tags: bool = False) -> dict[str, Any]:
        """A recorded entry of `/api/tags` or `/api/ps` with the facts of one of the models."""
        model = self.model(name) or Model()
        facts = {"name": name, "model": name, **model.remote(), "digest": model.name_of_content}
        if tags and self.abilities.capabilities:
            facts["capabilities"] = list(model.capabilities)
        return {key: facts.get(key, entry.get(key)) for key in (*facts, *entry)} if model.remote() else entry | facts

    def _process(self, loaded: dict[str, Any]) -> dict[str, Any]:
        folder = self.abilities.folder
        body = ollama_versions.recorded(folder, "08_ps" if folder else "08_ps_loaded")
        entry = self._entry(body["models"][0], loaded["model"])
        size = 98362813 + 30 * 1024 * loaded["num_ctx"] * self.abilities.slots
        length = {"context_length": loaded["num_ctx"]} if self.abilities.capabilities else {}
        return entry | {"size": size, "size_vram": min(size, self.size_vram)} | length

    def _embed(self, model: str, body: dict[str, Any]) -> dict[str, Any]:
        if not self.embeddings:
            raise Refusal(501, "This server does not support embeddings. Start it with `--embeddings`")
        texts = [body["input"]] if isinstance(body["input"], str) else body["input"]
        rows = [[float(len(text)), float(ollama_model.count(text)), 1.0] for text in texts]
        return {"model": model, "embeddings": rows, "total_duration": 1, "load_duration": 1, "prompt_eval_count": 1}

    def _generate(self, path: str, name: str, model: Model, body: dict[str, Any]) -> tuple[int, str, Any]:
        openai = path.startswith("/v1")
        options = _openai_options(body) if openai else ollama_model.check_options(body.get("options"), _go_type(path))
        self._check(name, model, body)
        options = {**ollama_model.check_options(dict(model.parameters), ""), **options}
        if not openai and not (body.get("messages") or body.get("prompt")):
            return 200, JSON, self._no_prompt(path, name, body)
        if body.get("_debug_render_only") and self.abilities.render and not openai:
            return 200, JSON, self._rendered(path, name, model, body)
        settings = ollama_model.settle(options, self.abilities)
        with self._turn() as at_once, self._slot:
            load_ns = self._load(name, settings, body)
            text = self._run(model, body, settings, at_once())
        if not self.abilities.logprobs:
            body = {key: value for key, value in body.items() if key != "logprobs"}
        record = Record(path, name, text, load_ns, body, model.remote(), self.abilities.reason_first)
        if openai:
            return (
                (200, "text/event-stream", record.events())
                if body.get("stream")
                else (200, "application/json", record.chat())
            )
        if body.get("stream", True):
            return 200, "application/x-ndjson", record.lines()
        return 200, JSON, record.whole()

    def _check(self, name: str, model: Model, body: dict[str, Any]) -> None:
        """Refuse the fields beside the options that this version knows and does not accept."""
        if self.abilities.think and body.get("think") is not None:
            if body["think"] not in (True, False, "high", "medium", "low"):
                given = json.dumps(body["think"])
                raise Refusal(400, f'invalid think value: {given} (must be "high", "medium", "low", true, or false)')
            if body["think"] and "thinking" not in model.capabilities:
                raise Refusal(400, f'"{name}" does not support thinking')
        if self.abilities.logprobs and not 0 <= (body.get("top_logprobs") or 0) <= 20:
            raise Refusal(400, "top_logprobs must be between 0 and 20")
        form = body.get("format")
        if form not in (None, "", "json") and not isinstance(form, dict):
            quoted = json.dumps(json.dumps(form))
            raise Refusal(500, f'invalid format: {quoted}; expected "json" or a valid JSON Schema object')

    @contextmanager
    def _turn(self) -> Iterator[Any]:
        """Wait a moment for others where texts are written at once; give a function for this text's number among them.

        The number is 0 for a text that is alone.
        """
        if self.abilities.slots == 1:
            yield lambda: 0
            return
        with self._slot:
            self._at_once += 1
            self._together += 1
            number = self._together
        time.sleep(self.moment)
        try:
            yield lambda: number if self._together > 1 else 0
        finally:
            with self._slot:
                self._at_once -= 1
                self._together = self._together if self._at_once else 0

    def _rendered(self, path: str, name: str, model: Model, body: dict[str, Any]) -> dict[str, Any]:
        messages = body.get("messages") or [{"role": "user", "content": body["prompt"]}]
        text = "".join(f"<|im_start|>{each['role']}\n{each['content']}<|im_end|>\n"
                       for each in ollama_model.with_system(messages, body.get("system") or model.system))  # fmt: skip
        empty = {"message": {"role": "", "content": ""}} if path == "/api/chat" else {"response": ""}
        debug = {"rendered_template": text + "<|im_start|>assistant\n"}
        return {"model": name, "created_at": now(), **empty, "done": False, "_debug_info": debug}

    def _no_prompt(self, path: str, model: str, body: dict[str, Any]) -> dict[str, Any]:
        text = {"message": {"role": "assistant", "content": ""}} if path == "/api/chat" else {"response": ""}
        unload = body.get("keep_alive") == 0
        if unload:
            if self.abilities.slow_unload:
                self._unloading = self._loaded
            self._loaded = None
        else:
            self._load(model, ollama_model.settle({}, self.abilities), body)
        done = {"done": True, "done_reason": "unload" if unload else "load"}
        return {"model": model, "created_at": now(), **text, **ordered(done, self.abilities.reason_first)}

    def _load(self, model: str, settings: ollama_model.Settings, body: dict[str, Any]) -> int:
        """Load the model unless it is loaded with these options; return the nanoseconds."""
        shift = not self.abilities.truncate or body.get("shift", True) is not False
        full = model if model in self.models else f"{model}:latest"
        wanted = {**settings.load, "model": full, "shift": shift}
        asked = settings.load["num_ctx"]
        wanted["num_ctx"] = min(max(self.context if asked is None else asked, 4), ollama_model.TRAINED_CONTEXT)
        wanted["num_batch"] = wanted["num_batch"] or 512
        if self._loaded is not None and (wanted["num_gpu"] is None or wanted["num_gpu"] < 0):
            wanted["num_gpu"] = self._loaded["num_gpu"]  # leaving it open takes whatever is loaded
        if wanted == self._loaded:
            return 1_000_000
        self._loaded = wanted
        self._cached = []
        self.loads += 1
        return 560_000_000

    def _is_first_run(self, prompt: str, tokens: int) -> bool:
        """Whether the prompt is not cached, where that changes texts; it is cached from now on."""
        first = prompt not in self._cached
        self._cached = [*(each for each in self._cached if each != prompt), prompt][-self.abilities.prompts :]
        return first and self.abilities.first_run is not None and tokens >= self.abilities.first_run

    def _run(self, model: Model, body: dict[str, Any], settings: ollama_model.Settings, at_once: int) -> Text:
        """Cut or refuse the prompt, and write the text."""
        assert self._loaded is not None
        self.sampler = settings.sampler
        num_ctx = self._loaded["num_ctx"]
        allocated = max(num_ctx, ollama_model.SMALLEST_ALLOCATION)
        prompt, tokens = _prompt(body, model)
        seen = tokens
        knows = self.abilities.truncate
        if tokens > num_ctx:
            if knows and body.get("truncate") is False:
                if tokens > allocated:
                    raise ollama_model.too_long(tokens, allocated)
            elif knows and body.get("shift") is False:
                raise Refusal(400, _NO_SHIFT)
            else:
                prompt, seen = self._cut(body, model, prompt, num_ctx)
        run = (at_once, self._is_first_run(prompt, tokens))
        schema = body.get("format") or None
        answer = ollama_model.write(prompt, settings, schema=schema, run=run, numerics=self.numerics)
        thought = self._thought(model, body, prompt, settings)
        room = None if not knows or body.get("shift", True) is not False else allocated - seen
        first = ollama_model.alternatives(prompt, (self.numerics, *run))
        return replace(finish(answer, settings, tokens, seen, room, thought), first=first)

    def _thought(
        self, model: Model, body: dict[str, Any], prompt: str, settings: ollama_model.Settings
    ) -> Thought | None:
        """Return what the model thinks first; it stays in the content where the server cannot tell the two apart."""
        capable = self.abilities.think and "thinking" in model.capabilities
        wanted = body.get("think", body.get("reasoning_effort"))
        wanted = {"none": False}.get(wanted, wanted) if capable else None
        thought = model.thought(prompt, True if wanted is None else wanted, ollama_model.chance(prompt, settings))
        return thought if thought is None or capable else replace(thought, parsed=False)

    def _cut(self, body: dict[str, Any], model: Model, prompt: str, num_ctx: int) -> tuple[str, int]:
        """Cut a prompt: chats lose whole old messages first, then a prompt loses its middle."""
        if len(body.get("messages") or ()) > 1:
            messages = ollama_model.drop_messages(body["messages"], num_ctx, model.system)
            prompt, tokens = _prompt({"messages": messages}, model)
            if tokens <= num_ctx:
                return prompt, tokens
        left = ollama_model.cut_length(num_ctx) if self.abilities.cut_to_half else num_ctx
        return prompt[-4 * left :], left


def _prompt(body: dict[str, Any], model: Model) -> tuple[str, int]:
    """Return the prompt's text, which decides the answer, and its tokens."""
    if body.get("raw"):
        return body["prompt"], ollama_model.count(body["prompt"])
    messages = body["messages"] if "messages" in body else [{"role": "user", "content": body["prompt"]}]
    messages = ollama_model.with_system(messages, body.get("system") or model.system)
    tokens = ollama_model.count_messages(messages)
    return "\x1e".join(message.get("content") or "" for message in messages), tokens


def _openai_options(body: dict[str, Any]) -> dict[str, Any]:
    """Return the fields that the /v1 path uses; its defaults differ from the native path's."""
    if isinstance(body.get("temperature"), str):
        raise Refusal(400, {"message": _NO_STRING, "type": "invalid_request_error"})
    options = {"temperature": 1.0, "top_p": 1.0}
    names = {"temperature": "temperature", "top_p": "top_p", "seed": "seed", "max_tokens": "num_predict",
             "presence_penalty": "presence_penalty", "frequency_penalty": "frequency_penalty"}  # fmt: skip
    return options | {ours: body[theirs] for theirs, ours in names.items() if body.get(theirs) is not None}


def _go_type(path: str) -> str:
    return {"/api/chat": "ChatRequest", "/api/generate": "GenerateRequest"}.get(path, "Request")
