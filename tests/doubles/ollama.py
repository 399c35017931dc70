"""A double of an Ollama server, which answers as recordings of a real server of version 0.32.15 do.

`with OllamaDouble() as server:` serves on a free port of the loopback interface; `server.url` is its address. Its
models, version and faults can be changed while it runs.
"""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.doubles import ollama_model
from tests.doubles.ollama_model import Refusal
from tests.doubles.ollama_records import Record, Text, finish, now
from tests.doubles.ollama_wire import JSON, Fault, Handler, QuietServer

__all__ = ["Fault", "OllamaDouble"]

RECORDINGS = Path(__file__).parent.parent / "data" / "ollama-wire"
GONE = frozenset({"mirostat", "mirostat_tau", "mirostat_eta", "tfs_z", "penalize_newline"})
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
        models: Digests by model name.
        embeddings: Whether the models give embeddings.
        inert: Options accepted and ignored.
        knows_truncate: Whether `truncate` and `shift` are known; older servers always cut.
        seconds_per_token: Seconds for each piece of a streamed answer.
        faults: Faults to produce, in order.
        requests: (path, body) of every request.
        loads: Number of loads of a model.
        sampler: The sampler's latest settings.
    """

    version: str = "0.32.15"
    models: dict[str, str] = field(
        default_factory=lambda: {"smollm2:135m": _recorded("02_tags")["models"][0]["digest"]}
    )
    embeddings: bool = False
    inert: frozenset[str] = GONE
    knows_truncate: bool = True
    seconds_per_token: float = 0.0
    faults: list[Fault] = field(default_factory=list)
    requests: list[tuple[str, Any]] = field(default_factory=list)
    loads: int = 0
    sampler: ollama_model.Sampler | None = None
    _loaded: dict[str, Any] | None = None
    _port: int = 0
    _server: QuietServer | None = None
    _slot: threading.Lock = field(default_factory=threading.Lock)

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
            entry = _recorded("02_tags")["models"][0]
            return 200, JSON, {"models": [entry | _named(name, digest) for name, digest in self.models.items()]}
        if path == "/api/ps":
            return 200, JSON, {"models": [self._process()] if self._loaded else []}
        if path == "/v1/models":
            data = [
                {"id": name, "object": "model", "created": 1795308558, "owned_by": "library"} for name in self.models
            ]
            return 200, "application/json", {"object": "list", "data": data}
        if not isinstance(body, dict):
            raise Refusal(
                400, f"json: cannot unmarshal {type(body).__name__} into Go value of type api.GenerateRequest"
            )
        model = body.get("model", "")
        if model not in self.models:
            raise Refusal(404, f"model '{model}' not found")
        if path == "/api/show":
            return 200, JSON, _show(verbose=bool(body.get("verbose")))
        if path == "/api/embed":
            return 200, JSON, self._embed(model, body)
        return self._generate(path, model, body)

    def _process(self) -> dict[str, Any]:
        assert self._loaded is not None
        entry = _recorded("08_ps_loaded")["models"][0] | _named(
            self._loaded["model"], self.models.get(self._loaded["model"])
        )
        size = 98362813 + 30 * 1024 * self._loaded["num_ctx"]
        return entry | {"context_length": self._loaded["num_ctx"], "size": size, "size_vram": 0}

    def _embed(self, model: str, body: dict[str, Any]) -> dict[str, Any]:
        if not self.embeddings:
            raise Refusal(501, "This server does not support embeddings. Start it with `--embeddings`")
        texts = [body["input"]] if isinstance(body["input"], str) else body["input"]
        rows = [[float(len(text)), float(ollama_model.count(text)), 1.0] for text in texts]
        return {"model": model, "embeddings": rows, "total_duration": 1, "load_duration": 1, "prompt_eval_count": 1}

    def _generate(self, path: str, model: str, body: dict[str, Any]) -> tuple[int, str, Any]:
        openai = path.startswith("/v1")
        options = _openai_options(body) if openai else ollama_model.check_options(body.get("options"), _go_type(path))
        if body.get("think"):
            raise Refusal(400, f'"{model}" does not support thinking')
        form = body.get("format")
        if form not in (None, "", "json") and not isinstance(form, dict):
            quoted = json.dumps(json.dumps(form))
            raise Refusal(500, f'invalid format: {quoted}; expected "json" or a valid JSON Schema object')
        if not openai and not (body.get("messages") or body.get("prompt")):
            return 200, JSON, self._no_prompt(path, model, body)
        settings = ollama_model.settle(options, self.inert)
        with self._slot:
            load_ns = self._load(model, settings, body)
            record = Record(path, model, self._run(path, body, settings), load_ns, body)
        if openai:
            return (
                (200, "text/event-stream", record.events())
                if body.get("stream")
                else (200, "application/json", record.chat())
            )
        if body.get("stream", True):
            return 200, "application/x-ndjson", record.lines()
        return 200, JSON, record.whole()

    def _no_prompt(self, path: str, model: str, body: dict[str, Any]) -> dict[str, Any]:
        text = {"message": {"role": "assistant", "content": ""}} if path == "/api/chat" else {"response": ""}
        unload = body.get("keep_alive") == 0
        if unload:
            self._loaded = None
        else:
            self._load(model, ollama_model.settle({}, self.inert), body)
        return {
            "model": model,
            "created_at": now(),
            **text,
            "done": True,
            "done_reason": "unload" if unload else "load",
        }

    def _load(self, model: str, settings: ollama_model.Settings, body: dict[str, Any]) -> int:
        """Load the model unless it is loaded with these options; return the nanoseconds."""
        wanted = {**settings.load, "model": model, "shift": body.get("shift", True) is not False}
        asked = settings.load["num_ctx"]
        wanted["num_ctx"] = min(
            max(ollama_model.DEFAULT_CONTEXT if asked is None else asked, 4), ollama_model.TRAINED_CONTEXT
        )
        wanted["num_batch"] = wanted["num_batch"] or 512
        if self._loaded is not None and (wanted["num_gpu"] is None or wanted["num_gpu"] < 0):
            wanted["num_gpu"] = self._loaded["num_gpu"]  # leaving it open takes whatever is loaded
        if wanted == self._loaded:
            return 1_000_000
        self._loaded = wanted
        self.loads += 1
        return 560_000_000

    def _run(self, path: str, body: dict[str, Any], settings: ollama_model.Settings) -> Text:
        """Cut or refuse the prompt, and write the text."""
        assert self._loaded is not None
        self.sampler = settings.sampler
        num_ctx = self._loaded["num_ctx"]
        allocated = max(num_ctx, ollama_model.SMALLEST_ALLOCATION)
        prompt, tokens = _prompt(body)
        seen = tokens
        if tokens > num_ctx:
            if self.knows_truncate and body.get("shift") is False:
                raise Refusal(400, _NO_SHIFT)
            if self.knows_truncate and body.get("truncate") is False:
                if tokens > allocated:
                    raise ollama_model.too_long(tokens, allocated)
            else:
                prompt, seen = _cut(body, prompt, num_ctx)
        schema = body.get("format") or None
        written = ollama_model.write(prompt, settings, schema=schema)
        room = None if body.get("shift", True) is not False else allocated - seen
        return finish(written, settings, tokens, seen, room)


def _prompt(body: dict[str, Any]) -> tuple[str, int]:
    """Return the prompt's text, which decides the answer, and its tokens."""
    if "messages" in body:
        messages = ollama_model.with_system(body["messages"])
    elif body.get("raw"):
        return body["prompt"], ollama_model.count(body["prompt"])
    else:
        system = body.get("system") or ollama_model.SYSTEM
        messages = [{"role": "system", "content": system}, {"role": "user", "content": body["prompt"]}]
    return "\x1e".join(message.get("content") or "" for message in messages), ollama_model.count_messages(messages)


def _cut(body: dict[str, Any], prompt: str, num_ctx: int) -> tuple[str, int]:
    """Cut a prompt: chats lose whole old messages first, then a prompt loses its middle."""
    if len(body.get("messages") or ()) > 1:
        prompt, tokens = _prompt({"messages": ollama_model.drop_messages(body["messages"], num_ctx)})
        if tokens <= num_ctx:
            return prompt, tokens
    left = ollama_model.cut_length(num_ctx)
    return prompt[-4 * left :], left


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


def _recorded(name: str) -> Any:
    return json.loads((RECORDINGS / f"{name}.json").read_text())["response"]["body"]


def _show(*, verbose: bool) -> dict[str, Any]:
    return _recorded("03b_show_verbose" if verbose else "03_show")


def _named(name: str, digest: str | None) -> dict[str, Any]:
    return {"name": name, "model": name, "digest": digest}
