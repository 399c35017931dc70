"""The answers of the Ollama double: one generated text in each of the server's forms."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tests.doubles import ollama_model


def now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime()) + ".123456789Z"


@dataclass(frozen=True)
class Text:
    pieces: list[str]
    reason: str | None
    prompt_tokens: int
    seen_tokens: int
    eval_count: int


def finish(written: list[str], settings: ollama_model.Settings, tokens: int, seen: int, room: int | None) -> Text:
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


@dataclass(frozen=True)
class Record:
    """One answer in each of its forms."""

    path: str
    model: str
    text: Text
    load_ns: int
    body: dict[str, Any]

    def _part(self, content: str) -> dict[str, Any]:
        if self.path == "/api/chat":
            return {"message": {"role": "assistant", "content": content}}
        return {"response": content}

    def _last(self) -> dict[str, Any]:
        if self.text.reason is None:
            return {"done": False}
        prefill, decode = 3_000_000 * self.text.seen_tokens, 20_000_000 * self.text.eval_count
        last: dict[str, Any] = {"done": True, "done_reason": self.text.reason}
        if self.path == "/api/generate" and not self.body.get("raw"):
            # The ids mean nothing here; how many there are does.
            last["context"] = list(range(self.text.prompt_tokens + len(self.text.pieces)))
        return last | {
            "total_duration": self.load_ns + prefill + decode,
            "load_duration": self.load_ns,
            "prompt_eval_count": self.text.seen_tokens,
            "prompt_eval_duration": prefill,
            "eval_count": self.text.eval_count,
            "eval_duration": decode,
        }

    def _head(self) -> dict[str, Any]:
        return {"model": self.model, "created_at": now()}

    def whole(self) -> dict[str, Any]:
        answer = {**self._head(), **self._part("".join(self.text.pieces)), **self._last()}
        if self.body.get("logprobs"):
            one = {"token": "a", "logprob": -1.0, "bytes": [97]}
            top = {"top_logprobs": [one] * self.body.get("top_logprobs", 0)}
            answer["logprobs"] = [{**one, **top} for _ in self.text.pieces]
        return answer

    def lines(self) -> Iterator[dict[str, Any]]:
        for piece in self.text.pieces:
            yield {**self._head(), **self._part(piece), "done": False}
        if self.text.reason is not None:
            yield {**self._head(), **self._part(""), **self._last()}

    def chat(self) -> dict[str, Any]:
        message = {"role": "assistant", "content": "".join(self.text.pieces)}
        choice = {"index": 0, "message": message, "finish_reason": self.text.reason}
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

        for n, piece in enumerate(self.text.pieces):
            delta = {"role": "assistant", "content": piece} if n == 0 else {"content": piece}
            yield event(choices=[{"index": 0, "delta": delta, "finish_reason": None}])
        yield event(choices=[{"index": 0, "delta": {}, "finish_reason": self.text.reason}])
        if (self.body.get("stream_options") or {}).get("include_usage"):
            yield event(choices=[], usage=self._usage())
        yield "data: [DONE]"
