"""The answers of the Ollama double: one generated text in each of the server's forms."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from tests.doubles import ollama_model
from tests.doubles.ollama_versions import Thought


def now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime()) + ".123456789Z"


@dataclass(frozen=True)
class Text:
    pieces: list[str]
    reason: str | None
    prompt_tokens: int
    seen_tokens: int
    eval_count: int
    thinking: list[str] = field(default_factory=list)
    first: tuple[tuple[str, float], ...] = ()


def finish(
    answer: list[str],
    settings: ollama_model.Settings,
    tokens: int,
    seen: int,
    room: int | None,
    thought: Thought | None = None,
) -> Text:
    """Put thought and answer together, and end them by the options; the thought's tokens count like the answer's."""
    if thought is None:
        return _ended(answer, settings, tokens, seen, room)
    if not thought.parsed:
        before = ollama_model.pieces(thought.opening + thought.text + thought.closing)
        return _ended([*before, *answer], settings, tokens, seen, room)
    before = ollama_model.pieces(thought.text)
    whole = _ended([*before, *answer], settings, tokens, seen, room)
    return replace(whole, thinking=whole.pieces[: len(before)], pieces=whole.pieces[len(before) :])


def _ended(written: list[str], settings: ollama_model.Settings, tokens: int, seen: int, room: int | None) -> Text:
    limits = [limit for limit in (settings.num_predict, room) if limit is not None and limit > 0]
    limit = min(limits) if limits else len(written) + 1
    for n, piece in enumerate(written):
        if (
            n > ollama_model.REPEAT_LIMIT
            and len({part.strip() for part in written[n - ollama_model.REPEAT_LIMIT : n + 1]}) == 1
        ):
            return Text(written[: n + 1], None, tokens, seen, n + 1)
        if any(stop and stop in "".join(written[: n + 1]) for stop in settings.stop):
            text = "".join(written[: n + 1])
            text = text[: min(text.index(stop) for stop in settings.stop if stop in text)]
            return Text(ollama_model.pieces(text), "stop", tokens, seen, n + 1)
        if n + 1 == limit:
            return Text(written[:limit], "length", tokens, seen, limit)
        del piece
    return Text(written, "stop", tokens, seen, len(written) + 1)


def ordered(done: dict[str, Any], reason_first: bool) -> dict[str, Any]:
    """The fields that end an answer, in the order of the version."""
    return dict(reversed(done.items())) if reason_first else done


@dataclass(frozen=True)
class Record:
    """One answer in each of its forms."""

    path: str
    model: str
    text: Text
    load_ns: int
    body: dict[str, Any]
    remote: Mapping[str, str] = field(default_factory=dict)
    reason_first: bool = False

    def _part(self, content: str, thinking: str = "") -> dict[str, Any]:
        more = {"thinking": thinking} if thinking else {}
        if self.path == "/api/chat":
            return {"message": {"role": "assistant", "content": content, **more}}
        return {"response": content, **more}

    def _last(self) -> dict[str, Any]:
        if self.text.reason is None:
            return {"done": False}
        prefill, decode = 3_000_000 * self.text.seen_tokens, 20_000_000 * self.text.eval_count
        last = ordered({"done": True, "done_reason": self.text.reason}, self.reason_first)
        if self.path == "/api/generate" and not self.body.get("raw"):
            # The ids mean nothing here; how many there are does.
            last["context"] = list(range(self.text.prompt_tokens + len(self.text.pieces)))
        if self.path == "/api/chat" and self.body.get("logprobs") and not self.body.get("stream", True):
            last["logprobs"] = self._logprobs()
        return last | {
            "total_duration": self.load_ns + prefill + decode,
            "load_duration": self.load_ns,
            "prompt_eval_count": self.text.seen_tokens,
            "prompt_eval_duration": prefill,
            "eval_count": self.text.eval_count,
            "eval_duration": decode,
        }

    def _head(self) -> dict[str, Any]:
        return {"model": self.model, **self.remote, "created_at": now()}

    def _logprobs(self) -> list[dict[str, Any]]:
        """The log probabilities: of the first token the text's own alternatives, of the others stand-ins."""
        asked = self.body.get("top_logprobs") or 0
        rows = [self.text.first or (("a", -1.0),) * asked, *[(("a", -1.0),) * asked] * 10_000]
        written = (*self.text.thinking, *self.text.pieces)
        found = []
        for token, row in zip(written, rows, strict=False):
            top = [{"token": name, "logprob": value, "bytes": list(name.encode())} for name, value in row[:asked]]
            own = next((each for each in top if each["token"] == token), {"token": token, "logprob": -1.0})
            found.append({**own, "bytes": list(token.encode()), "top_logprobs": top})
        return found

    def whole(self) -> dict[str, Any]:
        part = self._part("".join(self.text.pieces), "".join(self.text.thinking))
        answer = {**self._head(), **part, **self._last()}
        if self.path == "/api/generate" and self.body.get("logprobs"):
            answer["logprobs"] = self._logprobs()
        return answer

    def lines(self) -> Iterator[dict[str, Any]]:
        for piece in self.text.thinking:
            yield {**self._head(), **self._part("", piece), "done": False}
        for piece in self.text.pieces:
            yield {**self._head(), **self._part(piece), "done": False}
        if self.text.reason is not None:
            yield {**self._head(), **self._part(""), **self._last()}

    def chat(self) -> dict[str, Any]:
        message = {"role": "assistant", "content": "".join(self.text.pieces)}
        if self.text.thinking:
            message["reasoning"] = "".join(self.text.thinking)
        choice: dict[str, Any] = {"index": 0, "message": message, "finish_reason": self.text.reason}
        if self.body.get("logprobs"):
            choice["logprobs"] = {"content": self._logprobs()}
        return {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            **self._openai(),
            "choices": [choice],
            "usage": self._usage(),
        }

    def _openai(self) -> dict[str, Any]:
        return {"created": int(time.time()), "model": self.model, "system_fingerprint": "fp_ollama"}

    def _usage(self) -> dict[str, int]:
        if self.text.reason is None:
            return {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}
        seen, count = self.text.seen_tokens, self.text.eval_count
        return {"prompt_tokens": seen, "completion_tokens": count, "total_tokens": seen + count}

    def events(self) -> Iterator[str]:
        def event(**fields: Any) -> str:
            head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", **self._openai()}
            return "data: " + json.dumps({**head, **fields}, separators=(",", ":"), ensure_ascii=False)

        deltas = [*({"content": "", "reasoning": piece} for piece in self.text.thinking),
                  *({"content": piece} for piece in self.text.pieces)]  # fmt: skip
        for n, fields in enumerate(deltas):
            delta = {"role": "assistant", **fields} if n == 0 else fields
            yield event(choices=[{"index": 0, "delta": delta, "finish_reason": None}])
        yield event(choices=[{"index": 0, "delta": {}, "finish_reason": self.text.reason}])
        if (self.body.get("stream_options") or {}).get("include_usage"):
            yield event(choices=[], usage=self._usage())
        yield "data: [DONE]"
