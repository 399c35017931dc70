"""Embedding and judge matchers, with stand-ins for the models."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from objectives.case import Item
from objectives.matchers.base import Matcher, ObjectiveError, UnusableAnswer
from objectives.matchers.clients import chat_json, embedder
from objectives.matchers.embedding import EmbeddingMatcher, calibrate, sentence_windows
from objectives.matchers.judge import JudgeMatcher, retest_variance

ITEMS = [Item("disk", "disk full", 1), Item("cat", "cat asleep", 2)]
AXES = ("disk", "full", "cat", "asleep")


class Embedder:
    def __init__(self) -> None:
        self.seen: list[str] = []

    def __call__(self, texts: list[str]) -> list[list[float]]:
        self.seen += texts
        return [[0.01] + [float(word in text) for word in AXES] for text in texts]


def test_embedding_takes_the_nearest_window_and_caches() -> None:
    embed = Embedder()
    matcher = EmbeddingMatcher(embed)
    disk, cat = matcher.match(ITEMS, "The disk was large. It became full. Nobody slept.")
    assert disk.covered
    assert disk.span == "The disk was large. It became full."
    assert disk.probability > 0.95
    assert not cat.covered
    calls = len(embed.seen)
    matcher.match(ITEMS, "The disk was large. It became full. Nobody slept.")
    assert len(embed.seen) == calls == len(set(embed.seen))
    assert isinstance(matcher, Matcher)


def test_embedding_of_nothing() -> None:
    assert [m.covered for m in EmbeddingMatcher(Embedder()).match(ITEMS, " ")] == [False, False]
    assert EmbeddingMatcher(Embedder()).match([], "text") == []


def test_embedding_refuses_what_is_no_vector() -> None:
    with pytest.raises(ObjectiveError, match="one finite vector per text"):
        EmbeddingMatcher(lambda texts: [[1.0]]).match(ITEMS, "a. b.")
    with pytest.raises(ObjectiveError, match="one finite vector per text"):
        EmbeddingMatcher(lambda texts: [[float("nan")]] * len(texts)).match(ITEMS, "a. b.")


def test_embedding_settings() -> None:
    with pytest.raises(ObjectiveError, match="threshold"):
        EmbeddingMatcher(Embedder(), threshold=0)
    with pytest.raises(ObjectiveError, match="slope"):
        EmbeddingMatcher(Embedder(), slope=-1)
    assert EmbeddingMatcher(Embedder(), model="a").digest != EmbeddingMatcher(Embedder(), model="b").digest


def test_sentence_windows() -> None:
    assert sentence_windows("One. Two!\nThree") == ["One.", "Two!", "Three", "One. Two!", "Two! Three"]
    assert sentence_windows("一つ。二つ。") == ["一つ。", "二つ。", "一つ。 二つ。"]
    assert sentence_windows("v1.5 is out") == ["v1.5 is out"]


def test_calibration_finds_the_crossing() -> None:
    cosines = [place / 100 for place in range(100)]
    covered = [cosine > 0.7 if place % 10 else cosine <= 0.7 for place, cosine in enumerate(cosines)]
    midpoint, slope = calibrate(cosines, covered)
    assert 0.6 < midpoint < 0.8
    assert slope > 1
    with pytest.raises(ObjectiveError, match="calibration"):
        calibrate([0.1, 0.2], [True, True])


class Model:
    """Answers by vote: for each call, the numbers of the items it says yes to."""

    def __init__(self, *votes: set[int]) -> None:
        self.votes = list(votes)
        self.prompts: list[str] = []
        self.turns: list[int] = []

    def __call__(self, prompt, schema, turn):
        self.prompts.append(prompt)
        self.turns.append(turn)
        yes = self.votes[len(self.prompts) - 1]
        return {"answers": [{"item": n, "quote": "full disk", "covered": n in yes} for n in (2, 1)]}


def test_judge_takes_the_majority_and_reports_its_noise() -> None:
    model = Model({1, 2}, {1}, {1})
    disk, cat = JudgeMatcher(model, votes=3).match(ITEMS, "A full disk.")
    assert (disk.covered, disk.probability, disk.disagreement, disk.span) == (True, 1, 0, "full disk")
    assert (cat.covered, cat.probability, cat.span) == (False, pytest.approx(1 / 3), None)
    # Majority of three with p = 1/3: 3 p^2 (1-p) + p^3 = 7/27.
    assert cat.disagreement == pytest.approx(7 / 27 * 20 / 27)
    assert len(set(model.prompts)) > 1
    assert len(set(model.turns)) == 3


def test_retest_variance() -> None:
    assert retest_variance(0.5, 1) == 0.25
    assert retest_variance(1.0, 5) == 0


def test_judge_asks_again_once() -> None:
    good = {"answers": [{"item": n, "quote": "", "covered": True} for n in (1, 2)]}
    answers, turns = iter(["nonsense", good, good]), []

    def ask(prompt, schema, turn):
        turns.append(turn)
        return next(answers)

    assert all(m.covered for m in JudgeMatcher(ask, votes=2).match(ITEMS, "text"))
    assert len(set(turns)) == 3  # in the same turn a model would say the same again


@pytest.mark.parametrize(
    ("reply", "message"),
    [
        ("no json", "no list 'answers'"),
        ({"answers": [{"item": 1, "quote": "", "covered": True}]}, "items 2 are not answered"),
        ({"answers": [{"item": 9, "quote": "", "covered": True}]}, "none of items 1 to 2"),
        ({"answers": [{"item": 1, "quote": "", "covered": "yes"}]}, "none of items 1 to 2"),
        ({"answers": ["x"]}, "none of items 1 to 2"),
    ],
)
def test_judge_refuses_bad_answers(reply: object, message: str) -> None:
    with pytest.raises(UnusableAnswer, match=message):
        JudgeMatcher(lambda prompt, schema, turn: reply).match(ITEMS, "text")


def test_judge_is_not_asked_about_nothing() -> None:
    assert [m.covered for m in JudgeMatcher(Model()).match(ITEMS, "")] == [False, False]


def test_judge_settings() -> None:
    for votes in (0, 26, 2.5, True):
        with pytest.raises(ObjectiveError, match="votes"):
            JudgeMatcher(Model(), votes=votes)
    with pytest.raises(ObjectiveError, match="threshold"):
        JudgeMatcher(Model(), threshold=0.2)


class Server(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if body["model"] == "missing":
            self.answer(404, {"error": "model 'missing' not found"})
        elif self.path == "/api/embed":
            self.answer(200, {"embeddings": [[float(len(text)), 1.0] for text in body["input"]]})
        else:
            assert body["format"] == {"type": "object"}
            assert body["truncate"] is False
            self.answer(200, {"message": {"content": '{"said": 1}' if body["model"] == "good" else "not json"}})

    def answer(self, status: int, body: object) -> None:
        self.send_response(status)
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def host() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), Server)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_ollama_clients(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OLLAMA_HOST", raising=False)
    assert embedder("m", host)(["ab", "c"]) == [[2.0, 1.0], [1.0, 1.0]]
    assert chat_json("good", host)("hello", {"type": "object"}) == {"said": 1}
    assert chat_json("bad", host)("hello", {"type": "object"}) == "not json"
    with pytest.raises(ObjectiveError, match=r"HTTP 404.*not found"):
        embedder("missing", host)(["x"])
    with pytest.raises(ObjectiveError, match="ollama serve"):
        embedder("m", "127.0.0.1:9")(["x"])
    with pytest.raises(ObjectiveError, match=r"at http://127.0.0.1:11434:"):
        embedder("m", "127.0.0.1", timeout=0.2)(["x"])
    with pytest.raises(ObjectiveError, match="is no address"):
        embedder("m", "127.0.0.1:x")(["x"])
