"""Embedding and judge matchers, with stand-ins for the models."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from objectives import make_objective
from objectives.case import Case, Item
from objectives.matchers.base import Matcher, ObjectiveError, UnusableAnswer
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
        yes = {ITEMS[number - 1].text for number in self.votes[len(self.prompts) - 1]}
        shown = {int(number): text for number, text in re.findall(r"^(\d+)\. (.*)$", prompt, re.MULTILINE)}
        return {"answers": [{"item": n, "quote": "full disk", "covered": shown[n] in yes} for n in (2, 1)]}


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
        ({"answers": [{"item": 1, "quote": "", "covered": "perhaps"}]}, "none of items 1 to 2"),
        ({"answers": ["x"]}, "none of items 1 to 2"),
        ({"answers": [{"item": 1, "covered": None}, {"item": 2, "covered": True}]}, "none of items 1 to 2"),
        ({"answers": [{"item": 1, "covered": 0.5}, {"item": 2, "covered": True}]}, "none of items 1 to 2"),
        ({"answers": [{"item": 0, "covered": True}, {"item": 2, "covered": True}]}, "none of items 1 to 2"),
        ({"answers": [{"item": 1, "covered": True}, {"item": 1, "covered": False}]}, "item 1 has two answers"),
        ({"answers": [True]}, "none of items 1 to 2"),
        ({"answers": []}, "items 1, 2 are not answered"),
        ({}, "no list 'answers'"),
    ],
)
def test_judge_refuses_bad_answers(reply: object, message: str) -> None:
    with pytest.raises(UnusableAnswer, match=message):
        JudgeMatcher(lambda prompt, schema, turn: reply).match(ITEMS, "text")


@pytest.mark.parametrize(
    "reply",
    [
        {"answers": [{"item": 1, "covered": "yes"}, {"item": 2, "covered": "No."}]},
        {"answers": [{"item": "1.", "covered": "true"}, {"item": "Item 2", "covered": "not covered"}]},
        {"answers": [{"item": 2, "covered": 0}, {"item": 1.0, "covered": 1}]},
        {"answers": [{"item": 0, "covered": True}, {"item": 1, "covered": False}]},
        {"answers": [{"item": "Disk full.", "covered": True}, {"item": "cat asleep", "covered": False}]},
        {"answers": [{"id": 1, "Is Covered": True}, {"id": 2, "Is Covered": False}]},
        {"answers": [{"item": n, "covered": n == 1} for n in (1, 2, 3, 4)]},
        {"answers": [{"item": 1, "covered": True}, {"item": 1, "covered": True}, {"item": 2, "covered": False}]},
        {"answers": [{"covered": True}, {"covered": False}]},
        {"answers": [True, False]},
        {"answers": {"1": True, "2": {"covered": False}}},
        {"results": [{"item": 1, "covered": True}, {"item": 2, "covered": False}]},
        {"1": "yes", "2": "no"},
        [{"item": 1, "covered": True}, {"item": 2, "covered": False}],
    ],
)
def test_judge_reads_what_models_answer_nearly_as_asked(reply: object) -> None:
    disk, cat = JudgeMatcher(lambda prompt, schema, turn: reply, votes=1).match(ITEMS, "text")
    assert (disk.probability, cat.probability) == (1, 0)


def test_judge_numbers_the_items_as_it_shows_them() -> None:
    """A model that counts the list itself, and one that copies its numbers, mean the same items in every vote."""
    items = [Item(str(place), f"fact {place}", 1) for place in range(5)]

    def ask(prompt, schema, turn):
        shown = re.findall(r"^\d+\. (.*)$", prompt, re.MULTILINE)
        return {"answers": [{"item": at, "covered": text == "fact 3"} for at, text in enumerate(shown, start=1)]}

    assert [match.probability for match in JudgeMatcher(ask, votes=5).match(items, "text")] == [0, 0, 0, 1, 0]


def test_judge_is_not_asked_about_nothing() -> None:
    assert [m.covered for m in JudgeMatcher(Model()).match(ITEMS, "")] == [False, False]


def test_judge_settings() -> None:
    for votes in (0, 26, 2.5, True):
        with pytest.raises(ObjectiveError, match="votes"):
            JudgeMatcher(Model(), votes=votes)
    with pytest.raises(ObjectiveError, match="threshold"):
        JudgeMatcher(Model(), threshold=0.2)


def test_without_access_settings_are_checked_and_texts_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "m.gguf"
    file.touch()
    case = Case("c", "log", tuple(ITEMS))
    for matcher, model in (
        ({"kind": "judge", "model": "small"}, "small"),
        ({"kind": "embedding", "model": "small"}, "small"),
        ({"kind": "embedding", "gguf": str(file)}, str(file)),
    ):
        objective = make_objective({"matcher": matcher})
        with pytest.raises(ObjectiveError, match=rf"asks model '{re.escape(model)}'.*make_objective\(models=\.\.\.\)"):
            objective.score(case, "text")


class Access:
    """Models that know one vector and one answer."""

    def __init__(self) -> None:
        self.asked: list[tuple[object, ...]] = []

    def embedder(self, model: str, host: str | None) -> Embedder:
        self.asked.append(("embedder", model, host))
        return Embedder()

    def gguf_embedder(self, path: Path) -> Embedder:
        self.asked.append(("gguf", path))
        return Embedder()

    def chat_json(self, model: str, host: str | None) -> Model:
        self.asked.append(("chat", model, host))
        return Model({1}, {1}, {1})


def test_matchers_reach_models_by_the_access_given(tmp_path: Path) -> None:
    file = tmp_path / "m.gguf"
    file.touch()
    access = Access()
    case = Case("c", "log", tuple(ITEMS))
    for matcher in (
        {"kind": "judge", "model": "small", "host": "there"},
        {"kind": "embedding", "model": "small"},
        {"kind": "embedding", "gguf": str(file)},
    ):
        assert make_objective({"matcher": matcher}, models=access).score(case, "A disk full.").covered == ("disk",)
    assert access.asked == [("chat", "small", "there"), ("embedder", "small", None), ("gguf", file)]
