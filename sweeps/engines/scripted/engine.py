"""An engine without a model: a response surface with noise, a clock of its own, and faults on demand.

It serves tests and simulations. Its texts reach a given coverage, so any objective can score them. Each text depends on
(model, prompt, options, seed) alone.
"""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from objectives.case import Case, Item
from sweeps.engines.base import (
    BaseEngine,
    EngineError,
    EngineProtocolError,
    EngineTimeout,
    EngineUnreachable,
    Generation,
    ModelMissing,
    OptionRefused,
    Prompt,
    PromptTooLong,
    Timing,
)
from sweeps.engines.llama import errors as llama_errors
from sweeps.engines.scripted.faults import FAULTS, Fault, Request
from sweeps.engines.scripted.settings import (
    SURFACES,
    ExpectedCoverage,
    demo_surface,
    digest_of,
    function_name,
    read_settings,
)
from sweeps.errors import ConfigError
from sweeps.options import OPTIONS, RELOAD_OPTIONS, OptionValue, as_number, texts, whole

if TYPE_CHECKING:
    from sweeps.engines.spec import EngineSpec

__all__ = [
    "FAULTS",
    "SURFACES",
    "Counts",
    "ExpectedCoverage",
    "Fault",
    "Request",
    "ScriptedEngine",
    "Write",
    "count_words",
    "demo_surface",
]  # fmt: skip

Write = Callable[[Case, Mapping[str, OptionValue], np.random.Generator], str]
"""Function of case, options and generator that returns the text."""


@dataclass
class Counts:
    """Counts of the engine's work.

    Attributes:
        calls: Calls of `generate`, failed ones included.
        loads: Loads of a model: the first, and each change of the model or of an option that reloads.
        prefill_tokens: Prompt tokens evaluated: all but those in the prefix cache, which holds the last prompt.
        generated_tokens: Tokens generated.
        faults: Number of faults by kind.
    """

    calls: int = 0
    loads: int = 0
    prefill_tokens: int = 0
    generated_tokens: int = 0
    faults: Counter[str] = field(default_factory=Counter)


class ScriptedEngine(BaseEngine):
    """The engine without a model: see this module.

    Args:
        cases: Cases whose logs occur in the prompts. A prompt without a known log is answered with its own sentences.
        surface: Expected coverage by options. The ledger knows it by the function's name: two engines that differ in it
            need two names.
        write: Writer of a case's text, known by its name as well. By default each item's text appears with the
            surface's probability.
        noise: Standard deviation of a shift of that probability from text to text.
        delay: Seconds of real time that each request takes.
        faults: Faults to produce.
        inert: Options that change nothing, as on servers that ignore them.
        models: Names of the models on this host.
        load_seconds: Simulated seconds of a load.
        prefill_speed: Simulated prompt tokens per second.
        decode_speed: Simulated generated tokens per second.
        thought_words: Words of thought before each answer, in a field of its own. `think` acts then: false is none, low
            is half, and high is twice as many.
        address: Name of this host.
        sleep: Function that waits for the delay.

    Attributes:
        counts: The engine's work so far.
        requests: All requests in order; none of an engine that a file names, which would grow with a long study.
    """

    name = "scripted"
    honours = frozenset({*OPTIONS, "seed"})
    reload_options: Sequence[str] = RELOAD_OPTIONS

    def __init__(
        self,
        cases: Sequence[Case] = (),
        *,
        surface: ExpectedCoverage = demo_surface,
        write: Write | None = None,
        noise: float = 0.0,
        delay: float = 0.0,
        faults: Iterable[Fault] = (),
        inert: Iterable[str] = (),
        models: Sequence[str] = ("scripted",),
        load_seconds: float = 0.5,
        prefill_speed: float = 500.0,
        decode_speed: float = 70.0,
        thought_words: float = 0,
        address: str = "in process",
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.address = address
        self.counts = Counts()
        self.requests: list[Request] = []
        self._keeps_requests = True
        self.version = "1.0"
        self.digest = hashlib.sha256(b"scripted").hexdigest()
        self._cases = tuple(cases)
        self._surface, self._noise = surface, noise
        self._write = write or self._write_items
        self._delay, self._sleep = delay, sleep
        self._faults = list(faults)
        self._inert = frozenset(inert)
        self._models = list(models)
        self._load_seconds, self._prefill_speed, self._decode_speed = load_seconds, prefill_speed, decode_speed
        self._thought_words = int(thought_words)
        self._settings = self._text_settings(write)
        self._loaded: tuple[Any, ...] | None = None
        self._cached: tuple[Prompt, int] | None = None

    @classmethod
    def from_spec(cls, spec: EngineSpec) -> ScriptedEngine:
        """See `sweeps.engines.open_engine`.

        The spec's options: `surface` (a name of `SURFACES`, or `package.module:function`), `cases` (a directory),
        `noise`, `delay`, `faults` (texts for `Fault.parse`), `inert`, `models`, `load_seconds`, `thought_words`.

        Raises:
            ConfigError: If one of them cannot be used.
        """
        settings = read_settings(spec)
        faults = []
        for text in settings.pop("faults", ()):
            try:
                faults.append(Fault.parse(text))
            except ConfigError as error:
                raise ConfigError(f"{spec.called('faults')}: {error}") from None
        settings.setdefault("models", [spec.model] if spec.model else ["scripted"])
        engine = cls(settings.pop("cases", ()), faults=faults, address=spec.host or "in process", **settings)
        engine._keeps_requests = False
        return engine

    def generate(
        self, prompt: Prompt, options: Mapping[str, OptionValue], *, model: str, timeout: float | None = None
    ) -> Generation:
        """See `Engine.generate`. The times in the answer are simulated; only `delay` really passes."""
        request = Request(self.counts.calls, prompt, dict(options), model)
        self.counts.calls += 1
        if self._keeps_requests:
            self.requests.append(request)
        fault = self._fault(request)
        if self._delay:
            self._sleep(self._delay)
        self._raise(fault, request, timeout)
        if as_number(options.get("repeat_penalty", 1.0)) <= 0:
            raise OptionRefused(f"scripted, model {model} refused option repeat_penalty: not above 0", "repeat_penalty")
        tokens = count_words(prompt)
        num_ctx = whole(options, "num_ctx") if "num_ctx" in options else None
        if num_ctx is not None and tokens > num_ctx:
            raise llama_errors.prompt_too_long(f"scripted, model {model}", tokens, num_ctx)
        load = self._load(model, options)
        cached = tokens - 1 if self._cached == (prompt, tokens) else 0
        self._cached = (prompt, tokens)
        self.counts.prefill_tokens += tokens - cached
        thought, text, finish = self._text(request, fault)
        thinking, output = len(thought.split()), len(f"{thought} {text}".split())
        self.counts.generated_tokens += output
        prefill, decode = (tokens - cached) / self._prefill_speed, output / self._decode_speed
        counted = finish != "repeat"  # a repeat abort comes without counts, as Ollama's does
        return Generation(
            text=text,
            finish=finish,
            prompt_tokens=(tokens // 2 if fault == "cut-prompt" else tokens) if counted else None,
            output_tokens=output if counted else None,
            cached_tokens=cached,
            timing=Timing(load + prefill + decode + self._delay, 0.0, load, prefill, decode),
            effective={} if num_ctx is None else {"num_ctx": num_ctx},
            truncated=fault == "cut-prompt",
            thought=thought,
            thinking_tokens=thinking if counted else None,
        )

    def capabilities(self, model: str) -> frozenset[str] | None:
        """See `Engine.capabilities`: told by a model that thinks."""
        self._known(model)
        return frozenset({"completion", "thinking"}) if self._thought_words else None

    def count_tokens(self, prompt: Prompt, *, model: str, options: Mapping[str, OptionValue]) -> int:
        """See `Engine.count_tokens`: the number of words, plus 8 for the template."""
        del options
        self._known(model)
        return count_words(prompt)

    def embed(self, texts: Sequence[str], *, model: str) -> list[list[float]]:
        """See `Engine.embed`: a hashed bag of words of 64 dimensions, scaled to length 1."""
        self._known(model)
        rows = []
        for text in texts:
            row = np.zeros(64)
            for word in re.findall(r"\w+", text.lower()):
                row[hashlib.sha256(word.encode()).digest()[0] % 64] += 1.0
            rows.append([float(value) for value in row / (np.linalg.norm(row) or 1.0)])
        return rows

    def chat_json(
        self, prompt: Prompt, schema: Mapping[str, Any], *, options: Mapping[str, OptionValue], model: str
    ) -> dict[str, Any]:
        """See `Engine.chat_json`: random booleans and choices, the other values fixed."""
        self._known(model)
        rng = _generator(model, prompt.system, prompt.user, dict(options))
        return {name: _value(part, rng) for name, part in schema.get("properties", {}).items()}

    def models(self) -> list[str]:
        """See `Engine.models`."""
        return list(self._models)

    def identify(self, model: str) -> dict[str, Any]:
        """See `Engine.identify`. Only settings that change texts and are not the defaults are included."""
        self._known(model)
        return {
            "engine": {
                "name": self.name,
                "api": "in process",
                "version": self.version,
                "settings": dict(self._settings),
            },
            "model": {"name": model, "digest": self.digest, "weights_sha256": self.digest, "family": "scripted"},
        }

    def _text_settings(self, write: Write | None) -> dict[str, Any]:
        """Return the settings that texts depend on. Faults are not among them: a study survives them."""
        settings: dict[str, Any] = {
            "surface": None if self._surface is demo_surface else function_name(self._surface),
            "write": None if write is None else function_name(write),
            "noise": float(self._noise),
            "inert": sorted(self._inert),
            "cases": digest_of(self._cases),
            "thought_words": self._thought_words,
        }
        return {name: value for name, value in settings.items() if value}

    def _known(self, model: str) -> None:
        if model not in self._models:
            raise ModelMissing(f"{self.address} has no model {model!r}; it has {', '.join(self._models) or 'none'}")

    def _load(self, model: str, options: Mapping[str, OptionValue]) -> float:
        wanted = (model, *(options.get(name) for name in RELOAD_OPTIONS))
        if wanted == self._loaded:
            return 0.0
        self._loaded, self._cached = wanted, None
        self.counts.loads += 1
        return self._load_seconds

    def _fault(self, request: Request) -> str | None:
        for fault in self._faults:
            due = (fault.at is None or request.index in fault.at) and (fault.when is None or fault.when(request))
            if due and fault.times != 0:
                fault.times = None if fault.times is None else fault.times - 1
                self.counts.faults[fault.kind] += 1
                return fault.kind
        return None

    def _raise(self, fault: str | None, request: Request, timeout: float | None) -> None:
        where = f"scripted, model {request.model}"
        limit = "the time limit" if timeout is None else f"{timeout:g} s"
        errors: dict[str, Callable[[], EngineError]] = {
            "unreachable": lambda: EngineUnreachable(f"{where}: nothing answers at {self.address}"),
            "timeout": lambda: EngineTimeout(f"{where}: no answer within {limit}"),
            "protocol": lambda: EngineProtocolError(f"{where}: the answer is an HTML page"),
            "model-missing": lambda: ModelMissing(f"{self.address} has no model {request.model!r}"),
            "option-refused": lambda: OptionRefused(f"{where} refused option top_k", "top_k"),
            "prompt-too-long": lambda: PromptTooLong(f"{where}: the prompt does not fit num_ctx"),
        }
        if fault in errors:
            if fault == "unreachable":
                self._loaded = None  # as after a restart
            raise errors[fault]()
        if fault == "version-change":
            self.version += ".1"
        if fault == "digest-change":
            self.digest = hashlib.sha256(self.digest.encode()).hexdigest()
        self._known(request.model)

    def _text(self, request: Request, fault: str | None) -> tuple[str, str, str]:
        """Return thought, text and finish."""
        if fault == "empty":
            return "", "", "stop"
        if fault == "repeat":
            return "", " ".join(["ha"] * 34), "repeat"
        live = self._live(request.options)
        hashed = {name: value for name, value in live.items() if name not in ("num_predict", "stop")}
        system, user = request.prompt.system, request.prompt.user
        rng = _generator(request.model, system, user, hashed)
        case = next((case for case in self._cases if case.log.strip() in user), None)
        text = self._write(case or _case_of(user), live, rng)
        limit = whole({"num_predict": -1, **live}, "num_predict")
        thought = self._thought(live, rng)
        thinking = len(thought.split())
        if 0 < limit <= thinking:
            return " ".join(thought.split()[:limit]), "", "length"
        words = re.findall(r"\S+\s*", text)
        cut = 0 < limit < thinking + len(words)
        limited, finish = ("".join(words[: limit - thinking]).rstrip(), "length") if cut else (text, "stop")
        ends = [limited.find(stop) for stop in texts(live, "stop") if stop in limited]
        return (thought, limited[: min(ends)], "stop") if ends else (thought, limited, finish)

    def _thought(self, options: Mapping[str, OptionValue], rng: np.random.Generator) -> str:
        think = options.get("think", True)
        words = round(self._thought_words * {"low": 0.5, "high": 2.0}.get(str(think), 1.0)) if think else 0
        return " ".join(rng.choice(["so", "the", "log", "says", "wait"], size=words)) if words else ""

    def _live(self, options: Mapping[str, OptionValue]) -> dict[str, OptionValue]:
        """Return the options that can change a text, as in llama.cpp: greedy needs no seed, mirostat replaces top_k."""
        dead = {*self._inert, *RELOAD_OPTIONS, *([] if self._thought_words else ["think"])}
        if "temperature" not in dead and as_number(options.get("temperature", 0.8)) <= 0:
            dead |= {"seed", "top_k", "top_p", "min_p", "typical_p"}
        if "mirostat" not in dead and options.get("mirostat", 0) in (1, 2):
            dead |= {"top_k", "top_p", "min_p", "typical_p"}
        else:
            dead |= {"mirostat_tau", "mirostat_eta"}
        return {name: value for name, value in options.items() if name not in dead}

    def _write_items(self, case: Case, options: Mapping[str, OptionValue], rng: np.random.Generator) -> str:
        share = float(np.clip(self._surface(options) + self._noise * rng.standard_normal(), 0.0, 1.0))
        chosen = [item.text for item in case.items if not item.forbidden and rng.random() < share]
        filler = f"Draft {rng.integers(1_000_000)}."  # lets texts of different seeds differ even with the same items
        return " ".join([*(text.rstrip(".") + "." for text in chosen), filler])


def count_words(prompt: Prompt) -> int:
    """Count a prompt's tokens as the scripted engine does: words, plus 8 for the template."""
    return len(prompt.user.split()) + len((prompt.system or "").split()) + 8


def _generator(*parts: object) -> np.random.Generator:
    digest = hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).digest()
    return np.random.default_rng(int.from_bytes(digest[:16], "big"))


def _value(schema: Mapping[str, Any], rng: np.random.Generator) -> Any:
    if "enum" in schema:
        return schema["enum"][int(rng.integers(len(schema["enum"])))]
    fixed: dict[str, Any] = {"string": "word", "integer": 1, "number": 0.5, "array": [], "object": {}}
    return fixed.get(schema.get("type", "boolean"), bool(rng.random() < 0.5))


def _case_of(text: str) -> Case:
    """Make a case of the prompt's own sentences, for prompts without a known log."""
    sentences = [part.strip() for part in re.split(r"(?<=[.!?])\s+|\n+", text) if part.strip()]
    return Case("prompt", text, tuple(Item(f"s{n}", sentence, 3) for n, sentence in enumerate(sentences)))
