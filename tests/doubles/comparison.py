"""Recorded answers against played ones: fields, their order, types, and values that no generated text decides."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import httpx

from tests.doubles.ollama import OllamaDouble

SHARED = Path(__file__).parents[3] / "shared" / "ollama-wire"
"""The full set of recordings, beside the checkout."""


def path_of(request: dict[str, Any]) -> str:
    return re.sub(r"^https?://[^/]+", "", request["url"])


def play(server: OllamaDouble, request: dict[str, Any]) -> httpx.Response:
    path = path_of(request)
    with httpx.Client(trust_env=False, timeout=20) as client:
        if "raw_body" in request:
            return client.request(request["method"], server.url + path, content=request["raw_body"].encode())
        return client.request(request["method"], server.url + path, json=request.get("json"))


def kind(value: Any) -> str:
    if isinstance(value, bool) or value is None:
        return str(type(value))
    return "number" if isinstance(value, int | float) else type(value).__name__


def same_shape(recorded: Any, played: Any, where: str = "") -> None:
    """Compare fields, their order and their types at every depth."""
    assert kind(recorded) == kind(played), where
    if isinstance(recorded, dict):
        assert list(recorded) == list(played), where
        for name in recorded:
            same_shape(recorded[name], played[name], f"{where}/{name}")
    elif isinstance(recorded, list) and recorded:
        assert played, where
        assert {kind(each) for each in played} <= {kind(each) for each in recorded}, where
        for each in played:
            if isinstance(each, dict):
                same_shape(recorded[0], each, f"{where}[]")


def same_values(recorded: dict[str, Any], played: dict[str, Any], request: dict[str, Any]) -> None:
    """Return the values that do not depend on the generated text."""
    for name in ("error", "version", "model", "object", "done", "prompt_eval_count", "digest", "name", "embeddings"):
        assert recorded.get(name) == played.get(name), name
    if "created_at" in recorded:
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{1,9}Z", played["created_at"])
    if recorded.get("done_reason") in ("length", "load", "unload"):
        assert played["done_reason"] == recorded["done_reason"]
        assert played.get("eval_count") == recorded.get("eval_count")
        assert len(played.get("context", ())) == len(recorded.get("context", ()))
    if recorded.get("done_reason") == played.get("done_reason") == "stop" and "context" in recorded:
        for each in (recorded, played):
            assert len(each["context"]) == each["prompt_eval_count"] + each["eval_count"] - 1
    if "usage" in recorded:
        assert played["usage"]["prompt_tokens"] == recorded["usage"]["prompt_tokens"]
        if (recorded["choices"] or [{}])[0].get("finish_reason") == "length":
            assert played["usage"] == recorded["usage"]
            assert played["choices"][0]["finish_reason"] == "length"
    if "logprobs" in recorded:
        assert len(played["logprobs"]) == len(recorded["logprobs"])
        assert {len(each["top_logprobs"]) for each in played["logprobs"]} == {request["json"]["top_logprobs"]}


def records(lines: list[Any]) -> list[Any]:
    """NDJSON and SSE lines as objects; `[DONE]` stays a string."""
    parsed = []
    for line in lines:
        if isinstance(line, str) and line.startswith("data: "):
            line = line.removeprefix("data: ")
        parsed.append(json.loads(line) if isinstance(line, str) and line.startswith("{") else line)
    return [each for each in parsed if each != ""]


def compare_lines(recorded: list[Any], played: list[Any], request: dict[str, Any]) -> None:
    if isinstance(recorded[-1], str):
        assert recorded.pop() == played.pop() == "[DONE]"
    if "usage" in recorded[-1]:
        pair = recorded.pop(), played.pop()
        same_shape(*pair)
        assert pair[0]["usage"]["prompt_tokens"] == pair[1]["usage"]["prompt_tokens"]
    same_shape(recorded[0], played[0], "first")
    if len(recorded) > 1:
        same_shape(recorded[1], played[1], "second")
        for each in played[1:-1]:
            same_shape(recorded[1], each, "middle")
    same_shape(recorded[-1], played[-1], "last")
    same_values(recorded[-1], played[-1], request)
    assert {each.get("done") for each in recorded[:-1]} == {each.get("done") for each in played[:-1]}
