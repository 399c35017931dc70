"""The double as Ollama 0.33.0-rc2 and 0.6.8, against the exchanges recorded with both from one GGUF.

Each version's exchanges are played in the order in which they were recorded, on one double. Compared is what
`test_recordings` compares, and which texts are equal to which.
"""

from __future__ import annotations

import json
import re
import threading
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.doubles.comparison import SHARED, compare_lines, path_of, play, same_shape, same_values
from tests.doubles.ollama import RECORDINGS, Model, OllamaDouble, Thought
from tests.doubles.ollama_versions import DEFAULT, NEWEST, OLDEST

VERSIONS = (NEWEST, OLDEST)
NAME = "smollm2:135m"


def folder(version: str) -> Path:
    """The full set where it is, else the committed one."""
    return SHARED / version if (SHARED / version).is_dir() else RECORDINGS / version


def in_order(version: str) -> list[str]:
    """Names of recordings in the order in which they were made: by number, then by the server's own clock."""

    def key(path: Path) -> tuple[str, str]:
        body = json.loads(path.read_text())["response"]["body"]
        first = body[0] if isinstance(body, list) else body
        return re.match(r"\d+", path.stem)[0], first.get("created_at", "")  # type: ignore[index]

    return [path.stem for path in sorted(folder(version).glob("*.json"), key=key)]


ALL = [(version, name) for version in VERSIONS for name in in_order(version)]


def load(version: str, name: str) -> dict[str, Any]:
    return json.loads((folder(version) / f"{name}.json").read_text())


@pytest.fixture(scope="module")
def played() -> dict[tuple[str, str], httpx.Response]:
    answers = {}
    for version in VERSIONS:
        with OllamaDouble(version=version) as server:
            for name in in_order(version):
                answers[version, name] = play(server, load(version, name)["request"])
    return answers


def unordered(text: str) -> list[str]:
    return sorted(text.splitlines())


@pytest.mark.parametrize(("version", "name"), ALL)
def test_exchange(version: str, name: str, played: dict[tuple[str, str], httpx.Response]) -> None:
    recording, answer = load(version, name), played[version, name]
    request, recorded = recording["request"], recording["response"]
    assert answer.status_code == recorded["status"]
    assert answer.headers["Content-Type"] == recorded["headers"]["Content-Type"]
    if isinstance(recorded["body"], list):
        compare_lines(recorded["body"], [json.loads(line) for line in answer.text.splitlines()], request)
        return
    body, seen = recorded["body"], answer.json()
    for each in (body, seen):
        if "tensors" in each:  # the committed recording holds the first two
            each["tensors"] = each["tensors"][:2]
        for field in ("parameters", "modelfile"):  # the server gives the parameters in any order
            if field in each:
                each[field] = unordered(each[field])
    same_shape(body, seen)
    same_values(body, seen, request)
    if path_of(request) in ("/api/show", "/api/tags"):
        assert shown(seen) == shown(body)
    if path_of(request) == "/api/ps":
        lengths = [[(each["name"], each.get("context_length")) for each in a["models"]] for a in (body, seen)]
        assert lengths[0] == lengths[1]


def shown(body: dict[str, Any]) -> dict[str, Any]:
    """What a server shows of its models, but for the time of their making."""
    if "modelfile" not in body:
        return body
    rest = {name: value for name, value in body.items() if name not in ("modified_at", "details")}
    return rest | {"details": {**body["details"], "parent_model": ""}}


def texts(version: str, answers: dict[str, Any]) -> dict[str, str]:
    """The text for the short prompt that each request of at least 16 tokens got."""
    found = {}
    for name, body in answers.items():
        asked = load(version, name)["request"].get("json") or {}
        least = asked.get("options", {}).get("num_predict", asked.get("max_tokens", 0))
        if least >= 16 and len(asked["messages"][0]["content"]) < 100:
            message = body["choices"][0]["message"] if "choices" in body else body.get("message", {})
            if message.get("content"):
                found[name] = message["content"]
    return found


def same(one: str, other: str) -> bool:
    """Whether one of two texts is the other's beginning: they were cut at 16 and 24 tokens."""
    return one.startswith(other) or other.startswith(one)


@pytest.mark.parametrize("version", VERSIONS)
def test_texts_are_equal_where_the_recorded_ones_are(
    version: str, played: dict[tuple[str, str], httpx.Response]
) -> None:
    names = in_order(version)
    recorded = texts(version, {name: load(version, name)["response"]["body"] for name in names})
    ours = texts(version, {name: played[version, name].json() for name in names if name in recorded})
    assert len(recorded) >= 15
    for one in recorded:
        for other in recorded:
            assert same(ours[one], ours[other]) == same(recorded[one], recorded[other]), (one, other)


@pytest.mark.skipif(not SHARED.is_dir(), reason="the full set of recordings is not here (../shared/ollama-wire)")
@pytest.mark.parametrize("version", VERSIONS)
def test_committed_recordings_are_the_original_ones(version: str) -> None:
    committed = sorted((RECORDINGS / version).glob("*.json"))
    assert len(committed) >= 35
    for path in committed:
        original = json.loads((SHARED / version / path.name).read_text())
        if "tensors" in original["response"]["body"]:
            original["response"]["body"]["tensors"] = original["response"]["body"]["tensors"][:2]
        assert json.loads(path.read_text()) == original, path.name


def ask(server: OllamaDouble, **body: Any) -> dict[str, Any]:
    prompt = [{"role": "user", "content": "Tell me about cats."}]
    options = {"seed": 7, "num_predict": 40, **body.pop("options", {})}
    request = {"model": NAME, "messages": prompt, "stream": False, **body, "options": options}
    return play(server, {"method": "POST", "url": body.pop("path", "/api/chat"), "json": request}).json()


def at_once(server: OllamaDouble, count: int) -> set[str]:
    """The texts of requests that are sent at once; one before them makes the prompt no first run."""
    ask(server)
    server.moment = 0.5
    said: list[str] = []
    threads = [threading.Thread(target=lambda: said.append(ask(server)["message"]["content"])) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(said) == count
    server.moment = 0.0
    return set(said)


@pytest.mark.parametrize(("version", "different"), [(OLDEST, 4), (DEFAULT, 1), (NEWEST, 1)])
def test_four_at_once_get_four_texts_where_requests_share_a_batch(version: str, different: int) -> None:
    with OllamaDouble(version=version) as server:
        assert len(at_once(server, 4)) == different
        assert len({ask(server)["message"]["content"] for _ in range(3)}) == 1


@pytest.mark.parametrize("version", [OLDEST, DEFAULT, NEWEST])
def test_the_first_run_effect(version: str) -> None:
    """Measured with a prompt of 150 tokens: at temperature 0.8 only, after each load, on 0.6.8 after another prompt."""
    long = [{"role": "user", "content": "The pump of hall 2 failed again at noon. " * 15}]
    with OllamaDouble(version=version) as server:

        def said(count: int, **more: Any) -> list[str]:
            return [ask(server, messages=long, **more)["message"]["content"] for _ in range(count)]

        first, *later = said(4)
        assert len(set(later)) == 1
        assert (first != later[0]) == (version != DEFAULT)
        ask(server)
        assert (said(1)[0] == first) == (version != NEWEST)
        assert len({said(1)[0], *said(3)}) == 1
        said(1, options={"num_ctx": 1024})
        assert said(2) == [first, later[0]]
        assert len(set(said(3, options={"temperature": 0, "num_ctx": 1024}))) == 1


def test_mirostat_replaces_top_k_where_it_acts() -> None:
    for version, acts in ((OLDEST, True), (NEWEST, False)):
        with OllamaDouble(version=version) as server:

            def text(server: OllamaDouble = server, **options: Any) -> str:
                return ask(server, options=options)["message"]["content"]

            text()
            assert (text(mirostat=2) != text()) == acts
            assert (text(mirostat=2, mirostat_tau=2) != text(mirostat=2)) == acts
            assert (text(mirostat=2, top_k=5) == text(mirostat=2)) == acts


class TestThinking:
    THINKER = Model(capabilities=("completion", "thinking"))

    def test_it_thinks_unless_told_not_to_and_the_thought_counts(self):
        with OllamaDouble(models={NAME: self.THINKER}) as server:
            unset, off, high = ask(server), ask(server, think=False), ask(server, think="high")
            assert unset["message"]["thinking"]
            assert "thinking" not in off["message"]
            assert off["eval_count"] == unset["eval_count"] == 40
            assert high["message"]["content"] == ""  # all of num_predict was thought
            assert high["done_reason"] == "length"
            assert ask(server, options={"num_predict": 400})["message"]["content"].startswith(
                ask(server)["message"]["content"]
            )

    def test_a_stream_gives_the_thought_first(self):
        with OllamaDouble(models={NAME: self.THINKER}) as server:
            body = {"model": NAME, "messages": [{"role": "user", "content": "Cats?"}], "options": {"seed": 1}}
            answer = play(server, {"method": "POST", "url": "/api/chat", "json": body})
            messages = [json.loads(line)["message"] for line in answer.text.splitlines()]
            kinds = ["thinking" in message for message in messages]
            assert kinds == sorted(kinds, reverse=True)
            assert any(kinds)
            assert all(message["content"] == "" for message, kind in zip(messages, kinds, strict=True) if kind)

    def test_a_server_or_model_without_a_parser_leaves_the_tags_in_the_content(self):
        for version, model in ((OLDEST, self.THINKER), (NEWEST, Model(thinks=lambda *_: Thought("So.")))):
            with OllamaDouble(version=version, models={NAME: model}) as server:
                message = ask(server)["message"]
                assert list(message) == ["role", "content"]
                assert message["content"].startswith("<think>\n")
                assert "\n</think>\n\n" in message["content"]

    def test_an_unknown_effort_is_refused(self):
        with OllamaDouble(models={NAME: self.THINKER}) as server:
            assert ask(server, think="much")["error"].startswith('invalid think value: "much"')
            assert "reasoning" in ask(server, path="/v1/chat/completions", max_tokens=30)["choices"][0]["message"]


class TestModels:
    def test_a_models_parameters_count_where_the_request_sends_nothing(self):
        tuned = Model(parameters={"temperature": 0, "num_ctx": 1024, "stop": ["."]})
        with OllamaDouble(models={NAME: tuned}) as server:
            assert ask(server)["message"]["content"] == ask(server, options={"seed": 8})["message"]["content"]
            assert "." not in ask(server)["message"]["content"]
            assert play(server, {"method": "GET", "url": "/api/ps"}).json()["models"][0]["context_length"] == 1024
            assert "." in ask(server, options={"stop": [], "num_predict": 70})["message"]["content"]

    def test_a_remote_host_is_named_everywhere(self):
        remote = Model(remote_host="https://ollama.com:443", remote_model="big")
        with OllamaDouble(models={"big:cloud": remote, NAME: "1" * 64}) as server:
            tags = play(server, {"method": "GET", "url": "/api/tags"}).json()["models"]
            show = play(server, {"method": "POST", "url": "/api/show", "json": {"model": "big:cloud"}}).json()
            for seen in (tags[0], show, ask(server, model="big:cloud")):
                assert (seen["remote_host"], seen["remote_model"]) == ("https://ollama.com:443", "big")
            assert "remote_host" not in tags[1]

    def test_capabilities_and_blob_are_shown(self):
        model = Model(capabilities=("completion", "thinking"), blob="/srv/blobs/sha256-" + "a" * 64)
        for version in (OLDEST, DEFAULT, NEWEST):
            with OllamaDouble(version=version, models={"deep:1b": model}) as server:
                show = play(server, {"method": "POST", "url": "/api/show", "json": {"model": "deep:1b"}}).json()
                assert show["capabilities"] == ["completion", "thinking"]
                assert f"\nFROM {model.blob}\n" in show["modelfile"]
                assert "# FROM deep:1b\n" in show["modelfile"]
