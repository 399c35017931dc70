"""One loaded model of llama.cpp in this process, through xllamacpp's server class."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import astuple, dataclass
from functools import cache
from pathlib import Path
from typing import Any

import httpx

from sweeps.engines import gguf
from sweeps.engines.base import EngineFailure, EngineProtocolError, EngineTimeout, NotInstalled
from sweeps.engines.embedded_model import INSTALL
from sweeps.engines.llama import errors
from sweeps.engines.llama.prompt_states import KeptStates, PromptStates, StateFile


class LoadFailed(EngineFailure):
    """llama.cpp did not load the model; the message gives its reason."""


def library() -> Any:
    """Import the module xllamacpp at its first use.

    Waiting threads of OpenMP sleep, unless the user set another policy. By default they spin: where other programs use
    the same cores, a generation then takes many times as long (100 tokens on 2 cores at a load of 6 to 9: 2.5 to 37 s
    spinning, 0.8 to 1.4 s sleeping). The library reads the variable when it loads.

    Raises:
        NotInstalled: If it, or the OpenMP library that it needs, is not installed.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    try:
        import xllamacpp
    except ImportError as error:
        hint = (
            "install the system's OpenMP library (Debian: `apt install libgomp1`)" if "gomp" in str(error) else INSTALL
        )
        raise NotInstalled(f"the embedded engine cannot load the package xllamacpp ({error}): {hint}") from None
    return xllamacpp


@dataclass(frozen=True)
class Load:
    """Settings of a load: a change of any of them loads the model again.

    Attributes:
        path: The GGUF file.
        num_ctx: Tokens of context asked for.
        num_gpu: Layers on the GPU; None lets llama.cpp choose by the free memory.
        num_thread: Threads, at least 1.
        num_batch: Largest number of prompt tokens in one step.
        embedding: Whether the model is loaded for embeddings instead of text.
        decode_thread: Threads that generate; 0 for as many as evaluate the prompt.
        slots: Requests that can run at once, each with `num_ctx` tokens of its own.
        kv_type: Type of the KV cache, such as `q8_0`; "" for llama.cpp's own (f16).
    """

    path: Path
    num_ctx: int
    num_gpu: int | None
    num_thread: int
    num_batch: int
    embedding: bool = False
    decode_thread: int = 0
    slots: int = 1
    kv_type: str = ""


class LlamaServer:
    """A model loaded in this process.

    Args:
        load: The settings of the load.
        log_dir: Directory for llama.cpp's log of a failed load; None for none.
        kept: States of prompts that equal loads have evaluated; None for a store of its own.

    Attributes:
        load: The settings of the load.
        num_ctx: Tokens of context that llama.cpp allocated (a multiple of 256, at most the model's training length).
        states: Saves and restores states of prompts.

    Raises:
        NoGguf: If the file is missing or no GGUF.
        LoadFailed: If llama.cpp cannot load it.
    """

    def __init__(self, load: Load, log_dir: Path | None = None, kept: KeptStates | None = None) -> None:
        gguf.check(load.path)
        self.load = load
        self._stopped = threading.Event()
        self._running: set[threading.Thread] = set()
        self._key = secrets.token_hex(16)
        self._state_file = StateFile()
        self.states = PromptStates(self._state_file, kept_states(load) if kept is None else kept)
        try:
            self._server = self._start(verbosity=0)
        except RuntimeError:
            raise LoadFailed(self._why(log_dir)) from None
        self.num_ctx = int(self._ask("GET", "/props")["default_generation_settings"]["n_ctx"])

    def stream(self, request: dict[str, Any], where: str, timeout: float | None) -> list[dict[str, Any]]:
        """Run one chat completion and collect its chunks. A time limit or Ctrl-C stops it between two tokens.

        The request runs in a thread of its own: only the main thread handles signals, and an exception raised in
        llama.cpp's callback would be lost.

        Args:
            request: The fields of the request.
            where: Engine and model, for errors.
            timeout: Seconds; None for no limit.
        """
        chunks: list[dict[str, Any]] = []
        stop = threading.Event()
        failures: list[Exception] = []

        def receive(chunk: dict[str, Any]) -> bool:
            chunks.append(chunk)
            return stop.is_set() or self._stopped.is_set()

        def run() -> None:
            streamed = request | {"stream": True, "stream_options": {"include_usage": True}}
            try:
                self._server.handle_chat_completions(streamed, receive)
            except Exception as error:  # noqa: BLE001  (raised again below, in the caller's thread)
                failures.append(error)

        worker = threading.Thread(target=run, name="llama.cpp request", daemon=True)
        self._running.add(worker)
        worker.start()
        try:
            worker.join(timeout)
            late = worker.is_alive()
        finally:
            stop.set()
            worker.join()
            self._running.discard(worker)
        self.require_open(where)
        if late:
            raise EngineTimeout(
                f"{where}: the answer took longer than {timeout:g} s; raise the time limit or lower num_predict "
                f"(now {request['max_tokens']})"
            )
        if failures:
            raise failures[0]
        if chunks and "error" in chunks[-1]:
            raise errors.error_from(chunks[-1]["error"], where)
        if not chunks or "usage" not in chunks[-1]:
            raise EngineProtocolError(f"{where}: the answer broke off after {len(chunks)} pieces")
        return chunks

    def stop(self) -> None:
        """End the requests of other threads between two tokens, for good; return when they have ended."""
        self._stopped.set()
        for worker in tuple(self._running):
            worker.join()

    def require_open(self, where: str) -> None:
        """Refuse to go on after `stop`."""
        if self._stopped.is_set():
            raise EngineFailure(f"{where}: the engine was closed in the middle of a request")

    def count(self, messages: Sequence[Mapping[str, str]]) -> int | None:
        """Count the messages' tokens in the model's template; None where this build cannot."""
        try:
            answer = self._ask("POST", "/v1/chat/completions/input_tokens", {"messages": list(messages)})
        except EngineProtocolError:
            return None
        tokens = answer.get("input_tokens")
        return tokens if isinstance(tokens, int) else None

    def rendered(self, messages: Sequence[Mapping[str, str]]) -> str:
        """Return the messages as the model's template renders them."""
        return str(self._ask("POST", "/apply-template", {"messages": list(messages)})["prompt"])

    def embed(self, texts: Sequence[str], where: str) -> list[list[float]]:
        """Return one vector of length 1 per text."""
        answer = self._server.handle_embeddings({"input": list(texts)})
        if "error" in answer:
            raise errors.error_from(answer["error"], where)
        rows = sorted(answer["data"], key=lambda row: row["index"])
        return [[float(value) for value in row["embedding"]] for row in rows]

    def _start(self, verbosity: int) -> Any:
        xllamacpp = library()
        params = xllamacpp.CommonParams()
        params.model.path = str(self.load.path)
        params.n_ctx = self.load.num_ctx * self.load.slots
        params.n_parallel = self.load.slots
        if self.load.kv_type:
            kind = getattr(xllamacpp.ggml_type, f"GGML_TYPE_{self.load.kv_type.upper()}")
            params.cache_type_k = params.cache_type_v = kind
        params.n_batch = self.load.num_batch
        params.n_ubatch = self.load.num_batch
        params.cpuparams.n_threads = self.load.decode_thread or self.load.num_thread
        params.cpuparams_batch.n_threads = self.load.num_thread
        params.fit_params = self.load.num_gpu is None
        if self.load.num_gpu is not None:
            params.n_gpu_layers = self.load.num_gpu
        # Only the prompt in the slot is reused. llama.cpp's own store of other prompts would make the numeric path of a
        # request depend on the history of the process. `states` are whole prompts, restored on demand only.
        params.cache_prompt = True
        params.cache_ram_mib = 0
        params.slot_save_path = self._state_file.folder
        params.warmup = False
        params.verbosity = verbosity
        # The server class also listens on a port of the loopback interface: the key keeps others from using it.
        params.api_keys = [self._key]
        params.ui = False
        if self.load.embedding:
            params.embedding = True
            if not gguf.read_header(self.load.path).pooled:
                params.pooling_type = xllamacpp.llama_pooling_type.LLAMA_POOLING_TYPE_MEAN
        return xllamacpp.Server(params)

    def slot(self, action: str, name: str) -> dict[str, Any]:
        """Save the state of the only slot into a file, or restore it from there."""
        return self._ask("POST", f"/slots/0?action={action}", {"filename": name})

    def _ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Send a request over the loopback interface, for what the in-process calls do not offer."""
        headers = {"Authorization": f"Bearer {self._key}"}
        with httpx.Client(base_url=self._server.listening_address, headers=headers, trust_env=False) as client:
            try:
                answer = client.request(method, path, json=body, timeout=60).raise_for_status().json()
            except (httpx.HTTPError, ValueError) as error:
                raise EngineProtocolError(f"llama.cpp in process did not answer {path}: {error}") from None
        if not isinstance(answer, dict):
            raise EngineProtocolError(f"llama.cpp in process answered {path} with {type(answer).__name__}")
        return answer

    def _why(self, log_dir: Path | None) -> str:
        # llama.cpp gives the reason in its log only: on standard error, late and from a thread of its own. So the load
        # is repeated in a process whose standard error can be read.
        text = _load_elsewhere(self.load)
        note = ""
        if log_dir is not None:
            log_dir.mkdir(parents=True, exist_ok=True)
            log = log_dir / "llama.cpp.log"
            log.write_text(text, encoding="utf-8")
            note = f"; llama.cpp's log: {log}"
        lines = [line.split(": ", 1)[-1].strip() for line in text.splitlines() if " E " in line]
        reason = "; ".join(dict.fromkeys(lines[:3])) or "llama.cpp gave no reason"
        return f"llama.cpp could not load {self.load.path} (num_ctx {self.load.num_ctx}): {reason}{note}"


def kept_states(load: Load) -> KeptStates:
    """Return an empty store for the states of a load's prompts."""
    return KeptStates(cache(lambda: gguf.state_bytes(gguf.read_header(load.path))))


def _load_elsewhere(load: Load) -> str:
    """Return llama.cpp's log of a load in another process."""
    values = (str(load.path), *astuple(load)[1:])
    command = [sys.executable, "-c", f"from {__name__} import _log_of_load; _log_of_load(*{values!r})"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    try:
        done = subprocess.run(
            command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, timeout=120, check=False, env=environment
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stderr.decode("utf-8", "replace")


def _log_of_load(path: str, *others: Any) -> None:
    server = LlamaServer.__new__(LlamaServer)
    server.load, server._key, server._state_file = Load(Path(path), *others), "none", StateFile()
    with suppress(RuntimeError):
        server._start(verbosity=3)
