"""The model behind the Ollama double: tokens, sampler settings and texts, all without weights."""

from __future__ import annotations

import hashlib
import json
import math
import random
import re
from dataclasses import dataclass, field
from typing import Any

SYSTEM = "You are a helpful AI assistant named SmolLM, trained by Hugging Face"
TRAINED_CONTEXT = 8192
DEFAULT_CONTEXT = 4096
SMALLEST_ALLOCATION = 256
NUM_KEEP = 4
REPEAT_LIMIT = 30

# Splits the recorded prompts into as many tokens as SmolLM2's own tokenizer does.
_TOKEN = re.compile(r" (?=\d)|\d|[^\W\d_]+|[^\w\s]|\n+| +$")
_INTEGERS = (
    "num_ctx",
    "num_predict",
    "num_keep",
    "num_batch",
    "num_gpu",
    "num_thread",
    "top_k",
    "seed",
    "repeat_last_n",
)
_FLOATS = ("temperature", "top_p", "min_p", "typical_p", "repeat_penalty", "presence_penalty", "frequency_penalty")
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
    """The settings of llama.cpp's sampler, as its log shows them. The defaults are those of version 0.32.15."""

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


def with_system(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    if messages and messages[0].get("role") == "system":
        return messages
    return [{"role": "system", "content": SYSTEM}, *messages]


def count_messages(messages: list[dict[str, Any]]) -> int:
    """Tokens of a chat in the model's template: those around each message, and four to open the answer."""
    around = {"assistant": 6}  # the word is two tokens
    return 4 + sum(around.get(each["role"], 5) + count(each.get("content") or "") for each in with_system(messages))


def cut_length(num_ctx: int) -> int:
    """Return the tokens left of a prompt that is longer than the context."""
    keep = min(NUM_KEEP, num_ctx - 1)
    return keep + (num_ctx - keep) // 2


def drop_messages(messages: list[dict[str, Any]], num_ctx: int) -> list[dict[str, Any]]:
    """Drop the oldest messages until the chat fits or only the last one is left; system messages stay."""
    system = [message for message in messages if message["role"] == "system"]
    rest = [message for message in messages if message["role"] != "system"]
    while len(rest) > 1 and count_messages([*system, *rest]) > num_ctx:
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


def settle(options: dict[str, Any], inert: frozenset[str]) -> Settings:
    """Turn checked options into the sampler's settings.

    Args:
        options: The request's, checked.
        inert: Options that this server accepts and ignores.

    Raises:
        Refusal: 400 with llama.cpp's JSON inside the error string.
    """
    live = {name: value for name, value in options.items() if name not in inert}
    last_n = live.get("repeat_last_n", 64)
    if last_n < 0:
        message = f"Field 'repeat_last_n': Value must be between 0 <= value <= 2147483647, but got {last_n}"
        raise Refusal(400, _inner(400, message, "invalid_request_error"))
    penalty = float(live.get("repeat_penalty", 1.0))
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
    )
    seed = live.get("seed", -1)
    load = {name: live.get(name) for name in ("num_ctx", "num_thread", "num_batch", "num_gpu", "use_mmap")}
    return Settings(
        sampler, None if seed < 0 else seed % 2**32, live.get("num_predict", -1), tuple(live.get("stop", ())), load
    )


def too_long(tokens: int, num_ctx: int) -> Refusal:
    """llama.cpp's refusal of a prompt that does not fit."""
    message = f"request ({tokens} tokens) exceeds the available context size ({num_ctx} tokens), try increasing it"
    return Refusal(400, _inner(400, message, "exceed_context_size_error", n_prompt_tokens=tokens, n_ctx=num_ctx))


def _inner(code: int, message: str, kind: str, **more: int) -> str:
    return json.dumps({"error": {"code": code, "message": message, "type": kind, **more}}, separators=(",", ":"))


def write(prompt: str, settings: Settings, *, schema: Any = None) -> list[str]:
    """Return the pieces of a text, which depends only on the prompt, the seed and the options that act."""
    sampler = settings.sampler
    greedy = sampler.temp == 0 or sampler.top_p <= 0 or sampler.top_k == 1
    key: list[Any] = [prompt, json.dumps(schema, sort_keys=True)]
    if sampler.repeat_last_n and (sampler.repeat_penalty, sampler.presence_penalty, sampler.frequency_penalty) != (
        1,
        0,
        0,
    ):
        key += ["penalties", sampler.repeat_penalty, sampler.presence_penalty, sampler.frequency_penalty,
                sampler.repeat_last_n]  # fmt: skip
    if not greedy:
        wide = sampler.top_k <= 0 or sampler.top_k >= 49152  # no fewer than all tokens
        key += [
            settings.seed if settings.seed is not None else random.random(),
            sampler.temp,
            0 if wide else sampler.top_k,
        ]
        key += [sampler.top_p, sampler.min_p, sampler.typical_p]
    rng = random.Random(hashlib.sha256(json.dumps(key).encode()).digest())
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
