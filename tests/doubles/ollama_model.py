"""The model behind the Ollama double: tokens, sampler settings and texts, all without weights."""

from __future__ import annotations

import hashlib
import json
import math
import random
import re
from dataclasses import dataclass, field, replace
from typing import Any

from tests.doubles.ollama_versions import Abilities

SYSTEM = "You are a helpful AI assistant named SmolLM, trained by Hugging Face"
TRAINED_CONTEXT = 8192
DEFAULT_CONTEXT = 4096
SMALLEST_ALLOCATION = 256
NUM_KEEP = 4
REPEAT_LIMIT = 30

# Splits the recorded prompts into as many tokens as SmolLM2's own tokenizer does.
_SUMMARISE = r"Summ(?=arise)|(?<=Summ)ar(?=ise)|(?<=Summar)ise"
_TOKEN = re.compile(rf" (?=\d)|\d|{_SUMMARISE}|[^\W\d_]+|[^\w\s]|\n| +$")
_INTEGERS = (
    "num_ctx",
    "num_predict",
    "num_keep",
    "num_batch",
    "num_gpu",
    "num_thread",
    "draft_num_predict",
    "mirostat",
    "top_k",
    "seed",
    "repeat_last_n",
)
_LOADS = ("num_ctx", "num_thread", "num_batch", "num_gpu", "use_mmap", "draft_num_predict")
_FLOATS = ("temperature", "top_p", "min_p", "typical_p", "repeat_penalty", "presence_penalty", "frequency_penalty",
           "mirostat_tau", "mirostat_eta")  # fmt: skip
_WORDS = [
    "pump", "valve", "failed", "test", "rate", "loss", "step", "batch", "kernel", "driver", "reset", "patch", "build",
    "deploy", "rollback", "memory", "latency", "queue", "index", "shard", "token", "cache", "version", "release",
    "review", "decision", "owner", "Monday", "budget", "margin", "sensor", "voltage", "torque", "weld", "crack",
]  # fmt: skip


class Refusal(Exception):
    """An error that the server answers with: status and body."""

    def __init__(self, status: int, error: Any) -> None:
        super().__init__(error)
        self.status = status
        self.error = error


@dataclass(frozen=True)
class Sampler:
    """The settings of llama.cpp's sampler, as its log shows them."""

    temp: float = 0.8
    top_k: int = 40
    top_p: float = 0.9
    min_p: float = 0.0
    typical_p: float = 1.0
    repeat_last_n: int = 64
    repeat_penalty: float = 1.0
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    mirostat: int = 0
    mirostat_tau: float = 5.0
    mirostat_eta: float = 0.1


@dataclass(frozen=True)
class Settings:
    """The options of one request after the server's checks."""

    sampler: Sampler
    seed: int | None
    num_predict: int
    stop: tuple[str, ...]
    load: dict[str, Any] = field(default_factory=dict)


def count(text: str) -> int:
    """Tokens of a text. The default system prompt has 16 by the real tokenizer; the pattern cannot see why."""
    return 16 if text == SYSTEM else len(_TOKEN.findall(text))


def pieces(text: str) -> list[str]:
    """The text in the pieces in which it is streamed."""
    return re.findall(r"\s*(?:\w+|[^\w\s])|\s+$", text)


def with_system(messages: list[dict[str, Any]], system: str = SYSTEM) -> list[dict[str, Any]]:
    if not system or (messages and messages[0].get("role") == "system"):
        return messages
    return [{"role": "system", "content": system}, *messages]


def count_messages(messages: list[dict[str, Any]]) -> int:
    """Tokens of a chat in the model's template: those around each message, and four to open the answer."""
    around = {"assistant": 6}  # the word is two tokens
    return 4 + sum(around.get(each["role"], 5) + count(each.get("content") or "") for each in messages)


def cut_length(num_ctx: int) -> int:
    """Return the tokens left of a prompt that is longer than the context."""
    keep = min(NUM_KEEP, num_ctx - 1)
    return keep + (num_ctx - keep) // 2


def drop_messages(messages: list[dict[str, Any]], num_ctx: int, prompt: str) -> list[dict[str, Any]]:
    """Drop the oldest messages until the chat fits or only the last one is left; system messages stay.

    Args:
        messages: The chat.
        num_ctx: Room in tokens.
        prompt: The model's own system prompt, where the chat has none.
    """
    system = [message for message in messages if message["role"] == "system"]
    rest = [message for message in messages if message["role"] != "system"]
    while len(rest) > 1 and count_messages(with_system([*system, *rest], prompt)) > num_ctx:
        rest = rest[1:]
    return [*system, *rest]


def check_options(options: Any, model: str) -> dict[str, Any]:
    """Return the options with the types that Go's decoder requires.

    Raises:
        Refusal: 400 for another shape, 500 for a wrong type, both with the server's words.
    """
    if options is None:
        return {}
    if not isinstance(options, dict):
        kind = "array" if isinstance(options, list) else type(options).__name__
        raise Refusal(400, f"json: cannot unmarshal {kind} into Go struct field {model}.options of type "
                           "map[string]interface {}")  # fmt: skip
    checked = {}
    for name, value in options.items():
        if value is None:
            continue
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if name in _INTEGERS:
            if not number:
                raise Refusal(500, f'option "{name}" must be of type integer')
            value = int(value)
        elif name in _FLOATS and not number:
            raise Refusal(500, f'option "{name}" must be of type float32')
        elif name == "stop" and not isinstance(value, list):
            raise Refusal(500, f'option "{name}" must be of type array')
        checked[name] = value
    return checked


def settle(options: dict[str, Any], abilities: Abilities) -> Settings:
    """Turn checked options into the sampler's settings.

    Args:
        options: The request's, checked.
        abilities: What this version ignores, and its defaults.

    Raises:
        Refusal: 400 with llama.cpp's JSON inside the error string.
    """
    live = {name: value for name, value in options.items() if name not in abilities.inert}
    last_n = live.get("repeat_last_n", 64)
    if last_n < 0:
        message = f"Field 'repeat_last_n': Value must be between 0 <= value <= 2147483647, but got {last_n}"
        raise Refusal(400, _inner(400, message, "invalid_request_error"))
    penalty = float(live.get("repeat_penalty", abilities.repeat_penalty))
    if penalty <= 0 or not math.isfinite(penalty):
        message = "Failed to initialize samplers: penalty_repeat must be finite and greater than 0"
        raise Refusal(400, _inner(400, message, "invalid_request_error"))
    sampler = Sampler(
        temp=max(0.0, float(live.get("temperature", 0.8))),
        top_k=int(live.get("top_k", 40)),
        top_p=min(1.0, float(live.get("top_p", 0.9))),
        min_p=float(live.get("min_p", 0.0)),
        typical_p=float(live.get("typical_p", 1.0)),
        repeat_last_n=last_n,
        repeat_penalty=penalty,
        presence_penalty=float(live.get("presence_penalty", 0.0)),
        frequency_penalty=float(live.get("frequency_penalty", 0.0)),
        mirostat=int(live.get("mirostat", 0)),
        mirostat_tau=float(live.get("mirostat_tau", 5.0)),
        mirostat_eta=float(live.get("mirostat_eta", 0.1)),
    )
    if abilities.penalties_are_one:
        sampler = replace(sampler, presence_penalty=sampler.frequency_penalty)
    seed = live.get("seed", -1)
    load = {name: live.get(name) for name in _LOADS}
    return Settings(
        sampler, None if seed < 0 else seed % 2**32, live.get("num_predict", -1), tuple(live.get("stop", ())), load
    )


def too_long(tokens: int, num_ctx: int) -> Refusal:
    """llama.cpp's refusal of a prompt that does not fit."""
    message = f"request ({tokens} tokens) exceeds the available context size ({num_ctx} tokens), try increasing it"
    return Refusal(400, _inner(400, message, "exceed_context_size_error", n_prompt_tokens=tokens, n_ctx=num_ctx))


def _inner(code: int, message: str, kind: str, **more: int) -> str:
    return json.dumps({"error": {"code": code, "message": message, "type": kind, **more}}, separators=(",", ":"))


def write(
    prompt: str, settings: Settings, *, schema: Any = None, run: tuple[int, bool] = (0, False), numerics: str = ""
) -> list[str]:
    """Return the pieces of a text, which depends only on the prompt, the seed and the options that act.

    Args:
        prompt: The prompt.
        settings: The options after the server's checks.
        schema: JSON schema of the text.
        run: The text's number among those written at once (0 alone), and whether it is a prompt's first run. These
            change no greedy text: a difference in rounding moves a draw, and nearly never the largest probability.
        numerics: The host's own rounding, which acts likewise.
    """
    rng = chance(prompt, settings, schema=schema, run=run, numerics=numerics)
    if schema is not None:
        return pieces(json.dumps(_fill(schema, rng) if isinstance(schema, dict) else {"name": "Bob", "age": 30}))
    if re.search(r"(?:\bha\s+){19,}ha\s*$", prompt):
        return [" ha"] * 3 + ["a"] + [" ha"] * 100
    # The text repeats sentences of the prompt's last message, so that its score is meaningful.
    last = prompt.rpartition("\x1e")[2]
    sentences = [part.strip() for part in re.split(r"(?<=[.!?])\s+|\n+", last) if len(part.split()) > 2]
    rng.shuffle(sentences)
    text = " ".join([_sentence(rng), *sentences[: rng.randint(0, min(6, len(sentences)))]])
    least = 400 if "very long" in prompt else 70
    while len(pieces(text)) < least:
        text += " " + _sentence(rng)
    return pieces(text)


def alternatives(prompt: str, numerics: tuple[Any, ...]) -> tuple[tuple[str, float], ...]:
    """Return the 20 likeliest first tokens with their log probabilities, which depend on the prompt.

    Args:
        prompt: The prompt.
        numerics: Everything that rounds differently; it shifts each of them by about .02.
    """
    rng = random.Random(hashlib.sha256(prompt.encode()).digest())
    tokens = rng.sample(_WORDS, 20)
    values = [-0.7]
    while len(values) < len(tokens):
        values.append(values[-1] - rng.uniform(0.05, 0.5))
    shift = random.Random(hashlib.sha256(json.dumps([prompt, *numerics]).encode()).digest())
    moved = [value + shift.gauss(0, 0.02) for value in values] if any(numerics) else values
    return tuple(sorted(zip(tokens, moved, strict=True), key=lambda pair: -pair[1]))


def chance(
    prompt: str, settings: Settings, *, schema: Any = None, run: tuple[int, bool] = (0, False), numerics: str = ""
) -> random.Random:
    """Return the generator from which a text is drawn; see `write`."""
    sampler = settings.sampler
    key: list[Any] = [prompt, json.dumps(schema, sort_keys=True)]
    penalties = (sampler.repeat_penalty, sampler.presence_penalty, sampler.frequency_penalty)
    if sampler.repeat_last_n and penalties != (1, 0, 0):
        key += ["penalties", *penalties, sampler.repeat_last_n]
    if sampler.temp == 0 or (not sampler.mirostat and (sampler.top_p <= 0 or sampler.top_k == 1)):
        return random.Random(hashlib.sha256(json.dumps(key).encode()).digest())
    key += [settings.seed if settings.seed is not None else random.random(), sampler.temp]
    if sampler.mirostat:  # it replaces the other ways to cut the distribution
        key += ["mirostat", sampler.mirostat, sampler.mirostat_tau, sampler.mirostat_eta]
    else:
        wide = sampler.top_k <= 0 or sampler.top_k >= 49152  # no fewer than all tokens
        key += [0 if wide else sampler.top_k, sampler.top_p, sampler.min_p, sampler.typical_p]
    if run != (0, False):
        key += run
    if numerics:
        key.append(numerics)
    return random.Random(hashlib.sha256(json.dumps(key).encode()).digest())


def _sentence(rng: random.Random) -> str:
    return " ".join(rng.choice(_WORDS) for _ in range(rng.randint(4, 9))).capitalize() + "."


def _fill(schema: dict[str, Any], rng: random.Random) -> Any:
    if "enum" in schema:
        return rng.choice(schema["enum"])
    kind = schema.get("type", "object")
    if kind == "object":
        return {name: _fill(part, rng) for name, part in schema.get("properties", {}).items()}
    if kind == "array":
        return [_fill(schema.get("items", {"type": "string"}), rng)]
    return {"string": "word", "integer": rng.randint(0, 9), "number": 0.5, "boolean": rng.random() < 0.5}.get(kind)
