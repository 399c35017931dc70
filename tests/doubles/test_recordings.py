"""The Ollama double against recorded exchanges of a real server, field by field.

Not compared, because a double without weights cannot know them: generated texts, durations, the ids in `context`, log
probabilities, and whether a text ends by itself (`stop`) before num_predict. Everything else that an answer holds is.
"""

from __future__ import annotations

import json
import re
import socket
import threading
from typing import Any

import ollama
import pytest

from tests.doubles import ollama_model
from tests.doubles.comparison import SHARED, compare_lines, path_of, play, records, same_shape, same_values
from tests.doubles.ollama import RECORDINGS, Fault, OllamaDouble

FULL = SHARED if SHARED.is_dir() else None
NAMES = sorted({path.stem for folder in (RECORDINGS, FULL) if folder for path in folder.glob("*.json")})

# Whole sequences, which have a test of their own below.
SEQUENCES = {
    "40_reload_on_option_change", "41_reload_statistics", "53_client_disconnect", "60_determinism", "70_python_client",
}  # fmt: skip
# Earlier requests to the recorded server, where the answer depends on them.
BEFORE = {
    "08_ps_loaded": "06_generate_warm",
    "30f_ps_after_100000": "30e_num_ctx_100000",
    "39b_ps_after_unload": "39_keep_alive_0_unload",
}
EXCHANGES = [name for name in NAMES if name not in SEQUENCES]


def load(name: str) -> dict[str, Any]:
    folder = FULL if FULL and (FULL / f"{name}.json").exists() else RECORDINGS
    return json.loads((folder / f"{name}.json").read_text())


def exchanges(recording: dict[str, Any]) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    if "request" in recording:
        return [(recording["request"], recording["response"])]
    return [
        ({"method": "POST", "url": "/api/generate", "json": each["request"]}, each["response"])
        for each in recording["requests"]
    ]


@pytest.fixture
def server():
    with OllamaDouble() as double:
        yield double


@pytest.mark.parametrize("name", EXCHANGES)
def test_exchange(name: str, server: OllamaDouble) -> None:
    recording = load(name)
    if name in BEFORE:
        play(server, load(BEFORE[name])["request"])
    for request, recorded in exchanges(recording):
        played = play(server, request)
        assert played.status_code == recorded["status"]
        assert played.headers["Content-Type"] == recorded["headers"]["Content-Type"]
        assert played.headers.get("Allow") == recorded["headers"].get("Allow")
        if "body_text" in recorded:
            assert played.text == recorded["body_text"]
        elif "lines" in recorded:
            compare_lines(
                records([line["data"] for line in recorded["lines"]]), records(played.text.split("\n")), request
            )
        else:
            body, answer = recorded["body"], played.json()
            for each in (body, answer):
                if "tensors" in each:  # the committed recording holds the first two
                    each["tensors"] = each["tensors"][:2]
            same_shape(body, answer)
            same_values(body, answer, request)
            if path_of(request) in ("/api/version", "/api/tags", "/api/show"):
                assert answer == body
            if path_of(request) == "/api/ps":
                lengths = [[entry["context_length"] for entry in each["models"]] for each in (body, answer)]
                assert lengths[0] == lengths[1]
    check_sampler(recording.get("server_log", []), server)


def check_sampler(log: list[str], server: OllamaDouble) -> None:
    """Return the sampler's latest settings, from the recorded server's own log."""
    settings = dict(re.findall(r"(\w+) = (-?[\d.]+)", " ".join(line for line in log if line.startswith("\t"))))
    if not settings:
        return
    assert server.sampler is not None
    for theirs, ours in (
        ("temp", "temp"), ("top_k", "top_k"), ("top_p", "top_p"), ("min_p", "min_p"), ("typical_p", "typical_p"),
        ("repeat_last_n", "repeat_last_n"), ("repeat_penalty", "repeat_penalty"), ("mirostat", "mirostat"),
        ("presence_penalty", "presence_penalty"), ("frequency_penalty", "frequency_penalty"),
    ):  # fmt: skip
        recorded = float(settings[theirs])
        # llama.cpp takes every top_k below 1 for 0, and clamps to the vocabulary while it samples.
        played = max(0, getattr(server.sampler, ours)) if ours == "top_k" else getattr(server.sampler, ours)
        assert (max(0.0, recorded) if ours == "top_k" else recorded) == pytest.approx(played, abs=1e-3), theirs


def text_of(server: OllamaDouble, name: str) -> str:
    return play(server, load(name)["request"]).json()["response"]


@pytest.mark.parametrize(
    "names",
    [
        ("23_mirostat_only", "23b_same_without_mirostat"),
        ("22_neg_top_k", "22j_top_k_0", "22k_top_k_huge"),
        ("22m_seed_huge", "22n_seed_0"),
        ("21g_option_null", "21j_seed_fraction", "22b_neg_temperature", "22d_top_p_0", "25i_unknown_top_level_field",
         "25j_toplevel_temperature_ignored"),
    ],
    ids=lambda names: names[0],
)  # fmt: skip
def test_what_gave_the_same_text_does_so_here(names: tuple[str, ...], server: OllamaDouble) -> None:
    assert len({load(name)["response"]["body"]["response"] for name in names}) == 1
    assert len({text_of(server, name) for name in names}) == 1


def test_what_gave_different_texts_does_so_here(server: OllamaDouble) -> None:
    names = ("23_mirostat_only", "22_neg_top_k", "22c_top_p_2", "22g_temperature_100", "22n_seed_0", "21g_option_null")
    assert len({load(name)["response"]["body"]["response"] for name in names}) == len(names)
    assert len({text_of(server, name) for name in names}) == len(names)


def test_reloads(server: OllamaDouble) -> None:
    for row in load("40_reload_on_option_change")["rows"]:
        options = {"num_predict": 8, **row["options"]}
        shift = options.pop("shift", True)
        before = server.loads
        body = {"model": "smollm2:135m", "prompt": "hi", "stream": False, "options": options}
        play(server, {"method": "POST", "url": "/api/generate", "json": body | ({} if shift else {"shift": False})})
        assert (server.loads > before) == row["llama_server_restarted"], row["step"]


@pytest.mark.skipif(FULL is None, reason="the full set of recordings is not here (../shared/ollama-wire)")
def test_reload_statistics(server: OllamaDouble) -> None:
    recording = load("41_reload_statistics")

    def loads(num_ctx: int) -> float:
        body = {
            "model": "smollm2:135m",
            "prompt": "hi",
            "stream": False,
            "options": {"num_ctx": num_ctx, "num_predict": 1},
        }
        return play(server, {"method": "POST", "url": "/api/generate", "json": body}).json()["load_duration"] / 1e6

    assert all((loads(4096 - 2048 * (n % 2)) > 100) == (ms > 100) for n, ms in enumerate(recording["alternating_ms"]))
    assert [loads(2048) > 100 for _ in recording["constant_ms"]] == [ms > 100 for ms in recording["constant_ms"]]


@pytest.mark.skipif(FULL is None, reason="the full set of recordings is not here (../shared/ollama-wire)")
def test_determinism(server: OllamaDouble) -> None:
    recording = load("60_determinism")

    def texts(runs: list[dict[str, Any]], ours: bool) -> list[str]:
        if not ours:
            return [run["response"] for run in runs]
        body = {"model": "smollm2:135m", "prompt": recording["prompt"], "stream": False}
        said = []
        for run in runs:
            body["options"] = {"num_ctx": 2048, "num_predict": 40, **run["options"]}
            said.append(play(server, {"method": "POST", "url": "/api/generate", "json": body}).json()["response"])
        return said

    seen = [{name: texts(runs, ours) for name, runs in recording["runs"].items()} for ours in (False, True)]
    for each in seen:
        # Which runs agree with which: the same partition of all runs in the recording and here.
        order = [text for name in recording["runs"] for text in each[name]]
        each["partition"] = [order.index(text) for text in order]
    assert seen[0]["partition"] == seen[1]["partition"]


def test_client_disconnect(server: OllamaDouble) -> None:
    """A client that gives up leaves the server free for the next one."""
    recording = load("53_client_disconnect")
    server.seconds_per_token = 0.05
    body = json.dumps(
        {"model": "smollm2:135m", "prompt": "Tell me about cats.", "options": {"num_predict": 60}}
    ).encode()
    with socket.create_connection(("127.0.0.1", int(server.url.rsplit(":", 1)[1]))) as client:
        client.sendall(b"POST /api/generate HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
        assert client.recv(64)
    server.seconds_per_token = 0.0
    request = {"model": "smollm2:135m", "prompt": "Say hi.", "stream": False, "options": {"num_predict": 2}}
    played = play(server, {"method": "POST", "url": "/api/generate", "json": request})
    assert played.status_code == recording["follow_up"]["status"]
    same_shape(recording["follow_up"]["body"], played.json())


def test_python_client(server: OllamaDouble) -> None:
    recording = load("70_python_client")
    client = ollama.Client(server.url, trust_env=False)
    recorded = recording["list"]["models"][0]
    listed = json.loads(client.list().models[0].model_dump_json())
    assert {name: listed[name] for name in ("model", "digest", "size", "details")} == {
        name: recorded[name] for name in ("model", "digest", "size", "details")
    }
    assert client.show("smollm2:135m").details.model_dump() == recording["show.details"]
    said = client.generate("smollm2:135m", "Say hello.", options={"num_predict": 24, "seed": 1})
    same_shape({k: v for k, v in recording["generate"].items() if k != "context"},
               {k: v for k, v in json.loads(said.model_dump_json()).items() if k != "context"})  # fmt: skip
    assert client.ps().models[0].digest == recording["ps"]["models"][0]["digest"]
    wrong = {
        "unknown model": ("nosuch:1b", {}),
        "top_k='abc'": ("smollm2:135m", {"top_k": "abc"}),
        "repeat_penalty=0": ("smollm2:135m", {"repeat_penalty": 0}),
        "stop string": ("smollm2:135m", {"stop": "x"}),
    }
    for name, (model, options) in wrong.items():
        with pytest.raises(ollama.ResponseError) as caught:
            client.generate(model, "hi", options=options)
        assert str(caught.value) == recording["errors"][name]["text"]
        assert caught.value.status_code == recording["errors"][name]["status_code"]
    for options in ({"nonsense": 1}, {"mirostat": 2}):
        assert client.generate("smollm2:135m", "hi", options={"num_predict": 1, **options}).done is True
    aborted = client.generate("smollm2:135m", "ha " * 24, raw=True, options={"num_predict": 200, "temperature": 0})
    same_shape(recording["token_repeat_abort"], json.loads(aborted.model_dump_json()))
    assert aborted.response == recording["token_repeat_abort"]["response"]


def test_unlike_the_recorded_ones_requests_wait_for_each_other(server: OllamaDouble) -> None:
    """Recordings 50 to 54 ran at once. Here as there, they all get the text that they get alone."""
    body = {
        "model": "smollm2:135m",
        "prompt": "Tell me about cats.",
        "stream": False,
        "options": {"seed": 7, "num_predict": 40},
    }
    texts: list[str] = []

    def ask() -> None:
        texts.append(play(server, {"method": "POST", "url": "/api/generate", "json": body}).json()["response"])

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(texts) == 4
    assert len(set(texts)) == 1


@pytest.mark.skipif(FULL is None, reason="the full set of recordings is not here (../shared/ollama-wire)")
def test_committed_recordings_are_the_original_ones() -> None:
    for path in RECORDINGS.glob("*.json"):
        committed, original = json.loads(path.read_text()), json.loads((SHARED / path.name).read_text())
        log = committed.pop("server_log", [])
        assert set(log) <= set(original.pop("server_log", []))
        if path.stem == "03_show":
            original["response"]["body"]["tensors"] = original["response"]["body"]["tensors"][:2]
        assert committed == original, path.name


def test_nearly_all_recordings_are_played() -> None:
    assert set(EXCHANGES) | SEQUENCES >= set(NAMES)
    assert len(NAMES) >= (85 if FULL is None else 100)


def test_token_counts_are_those_of_the_real_tokenizer() -> None:
    chat = ollama_model.with_system([{"role": "user", "content": "Name three fruits."}])
    assert ollama_model.count_messages(chat) == 34
    assert ollama_model.cut_length(512) == 258


def test_a_fault_waits_for_its_turn(server: OllamaDouble) -> None:
    server.faults.append(Fault("crash", "/api/version", after=1))
    statuses = [play(server, {"method": "GET", "url": "/api/version"}).status_code for _ in range(3)]
    assert statuses == [200, 500, 200]
