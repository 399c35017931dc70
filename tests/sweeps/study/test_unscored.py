"""Texts that a matcher's model gives no usable answer about: they count as missing, and the sweep goes on."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from objectives.matchers.base import ObjectiveError
from sweeps.engines.base import EngineProtocolError, EngineUnreachable, Prompt
from sweeps.engines.scripted.engine import ScriptedEngine
from sweeps.ledger.ledger import Ledger
from sweeps.results.reader import load_result
from sweeps.results.result import SweepResult
from sweeps.scoring.scorer import UNSCORED, UnscorableError
from sweeps.study.rescore import rescore_study
from sweeps.study.unscored import HOPELESS, LAST, Tally
from tests.sweeps.sweep_files import run, steady, write_sweep

Judged = Callable[[str, int], bool]
"""Of a text and a seed, whether the model's answer can be used."""


class Judge:
    """A model that judges the texts of the scripted engine."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.answers: Judged = lambda *_: True
        self.fails: Exception | None = None
        self.asked: list[tuple[str, int]] = []
        judge = self

        def chat_json(
            engine: ScriptedEngine, prompt: Prompt, schema: object, *, options: Mapping[str, Any], model: str
        ) -> dict[str, Any]:
            return judge.judge(prompt.user, options["seed"])

        monkeypatch.setattr(ScriptedEngine, "chat_json", chat_json)

    def judge(self, prompt: str, seed: int) -> dict[str, Any]:
        text = prompt.split("<<<\n")[1].split("\n>>>")[0]
        items = re.findall(r"(?m)^\d+\. (.*)$", prompt)
        self.asked.append((text, seed))
        if not self.answers(text, seed):
            if self.fails is not None:
                raise self.fails
            return {"answers": [{"item": 1}]}
        found = [{"item": i, "quote": "", "covered": item in text} for i, item in enumerate(items, start=1)]
        return {"answers": found}


@pytest.fixture
def judge(monkeypatch: pytest.MonkeyPatch) -> Judge:
    return Judge(monkeypatch)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return write_sweep(tmp_path, objective={"matcher": {"kind": "judge", "model": "scripted"}})


class Notes:
    """Progress that keeps the messages."""

    def __init__(self) -> None:
        self.warnings: list[str] = []

    def plan(self, floor: int, explore: int, confirm: int) -> None: ...
    def stage(self, name: str) -> None: ...
    def advance(self, stage: str, *, seconds: float | None) -> None: ...
    def standing(self, standing: object) -> None: ...

    def note(self, text: str, *, warning: bool = False) -> None:
        self.warnings += [text] if warning else []


def draft(text: str) -> int:
    found = re.search(r"Draft (\d+)", text)
    assert found is not None
    return int(found[1])


def hard(text: str, _: int = 0) -> bool:
    """About one text in six is beyond the model, whatever the seed."""
    return draft(text) % 6 != 0


def lost(result: SweepResult) -> Any:
    """The rows without a score; each has the reason."""
    table = result.observations
    rows = table[table["score"].isna()]
    assert rows["error"].str.startswith(f"{UNSCORED}: ").all()
    assert (table[table["score"].notna()]["error"] == "").all()
    assert (rows["finish"] == "error").all()
    return rows


@pytest.mark.parametrize("fails", [None, EngineProtocolError("the answer is no JSON object")])
def test_a_text_that_the_model_cannot_judge_is_missing_and_the_sweep_goes_on(
    path: Path, judge: Judge, fails: Exception | None
) -> None:
    judge.answers, judge.fails = hard, fails
    notes = Notes()
    result = run(path, progress=notes)
    rows = lost(result)
    assert result.status == "done"
    assert len(result.observations) == result.plan.total
    assert 2 < len(rows) < result.plan.total / 2
    assert rows["error"].str.contains("no JSON object" if fails else "the judge's answer cannot be used").all()
    told = [note for note in notes.warnings if f": {UNSCORED}: " in note]
    assert len(told) == len(rows)
    assert f"{len(rows)} of {len(result.observations)} texts have no score" in notes.warnings[-1]
    assert steady(load_result(path.parent / "mlruns").observations) == steady(result.observations)


def test_a_later_run_asks_again_in_another_way(path: Path, judge: Judge) -> None:
    judge.answers = hard
    first = lost(run(path))
    assert set(first["stage"]) >= {"explore"}
    before = set(judge.asked)
    judge.asked.clear()
    again = lost(run(path))
    assert len(again) == len(first)
    assert judge.asked  # of these texts alone, and by other seeds
    assert not any(hard(text) for text, _ in judge.asked)
    assert not before & set(judge.asked)
    judge.answers = lambda *_: True
    notes = Notes()
    mended = run(path, progress=notes)
    assert set(lost(mended)["stage"]) <= {"confirm"}  # with more data it would be judged twice
    stages = mended.observations["stage"]
    assert (stages == "confirm").sum() == (first["stage"] == "confirm").sum() + mended.stage("confirm")["score"].count()
    assert not any(UNSCORED in note for note in notes.warnings if not note.startswith("confirm"))


def test_a_resumed_sweep_has_the_scores_of_one_that_was_not_interrupted(tmp_path: Path, judge: Judge) -> None:
    def unsure(text: str, seed: int) -> bool:
        return seed % 3 != 0  # two in nine answers of two tries each are of no use, by the seed alone

    judge.answers = unsure
    matcher = {"matcher": {"kind": "judge", "model": "scripted"}}
    whole = run(write_sweep(tmp_path / "whole", objective=matcher))
    path = write_sweep(
        tmp_path / "part", objective=matcher, engine={"options": {"cases": str(tmp_path / "whole/cases")}}
    )
    count = [0]

    def stops(text: str, seed: int) -> bool:
        count[0] += 1
        if count[0] == 100:
            raise KeyboardInterrupt
        return unsure(text, seed)

    judge.answers = stops
    with pytest.raises(KeyboardInterrupt):
        run(path)
    waiting = load_result(tmp_path / "part/mlruns").observations
    assert waiting[waiting["score"].isna()]["error"].str.contains("the run ended before this text was scored").any()
    judge.answers = unsure
    result = run(path)
    scored = [row for row in steady(result.observations) if row["score"] is not None]
    other = [row for row in steady(whole.observations) if row["score"] is not None]
    assert [row for row in other if row not in scored] == []


def test_a_model_that_judges_nothing_stops_the_sweep_with_the_reason(path: Path, judge: Judge) -> None:
    judge.answers = lambda *_: False
    with pytest.raises(
        UnscorableError, match=r"none of the first 12 texts could be scored(.|\n)*cannot be used(.|\n)*kept"
    ):
        run(path)
    kept = load_result(path.parent / "mlruns")
    assert (kept.status, set(kept.observations["stage"])) == ("failed", {"floor"})
    assert lost(kept)["error"].str.contains("cannot be used").all()
    judge.answers = lambda *_: True
    assert len(lost(run(path))) == 0


def test_a_model_that_stops_judging_stops_the_sweep(path: Path, judge: Judge) -> None:
    judge.answers = lambda *_: len(judge.asked) < 40
    with pytest.raises(UnscorableError, match=f"{HOPELESS} of the last {LAST} texts could not be scored"):
        run(path)
    judge.answers = lambda *_: True
    assert len(lost(run(path))) == 0


def test_a_model_that_is_not_there_stops_the_sweep_at_once(path: Path, judge: Judge) -> None:
    judge.answers, judge.fails = (lambda *_: False), EngineUnreachable("nothing answers")
    with pytest.raises(EngineUnreachable, match="nothing answers"):
        run(path)
    assert len(judge.asked) == 1
    judge.answers = lambda *_: True
    assert len(lost(run(path))) == 0


def test_an_objective_that_fails_by_itself_stops_the_sweep(tmp_path: Path) -> None:
    from objectives import FunctionObjective

    broken = FunctionObjective(lambda case, text: 2.0, name="mine", digest="0")
    with pytest.raises(ObjectiveError, match="scores lie in"):
        run(write_sweep(tmp_path), objective=broken)


def test_the_tally_forgives_failures_that_are_few_or_known() -> None:
    tally = Tally()

    def fail(count: int, *, again: bool = False) -> None:
        for _ in range(count):
            tally.add("too long", again=again)

    fail(100, again=True)
    for _ in range(10):
        tally.add("", again=False)
        fail(4)
    tally.stop_if_none_scored()
    tally.add("", again=False)
    fail(5)
    fail(100, again=True)
    with pytest.raises(UnscorableError, match=f"{HOPELESS} of the last {LAST} texts.*The last error: too long"):
        fail(LAST)


def test_attempts_are_counted_by_generation(path: Path, judge: Judge) -> None:
    judge.answers = hard
    for times in (1, 2):
        run(path)
        ledger = Ledger(path.parent / "mlruns/ledger.db")
        failed = [row for row in ledger.observations.of_study("t") if row["error"] and row["stage"] != "confirm"]
        assert {ledger.observations.times_unscored(row["generation"], kind=UNSCORED) for row in failed} == {times}
        assert {failure["kind"] for failure in ledger.generations.failures("t")} == {UNSCORED}
        ledger.close()


@pytest.mark.slow
def test_scoring_anew_leaves_out_what_the_model_cannot_judge(path: Path, judge: Judge) -> None:
    folder, settings = path.parent / "mlruns", {"matcher": {"kind": "judge", "model": "scripted", "votes": 1}}
    before = run(path)
    judge.answers = lambda *_: False
    with pytest.raises(UnscorableError, match=r"none of the \d+ texts could be scored: the judge's answer"):
        rescore_study(folder, "t", settings=settings)
    assert steady(load_result(folder).observations) == steady(before.observations)
    judge.answers = hard
    told: list[str] = []
    done = rescore_study(folder, "t", settings=settings, warn=told.append)
    assert told == [
        f"{len(lost(done.new))} of {len(before.observations)} texts could not be scored and count as missing"
    ]
    assert 2 < len(lost(done.new)) < len(before.observations) / 2
    assert lost(done.new)["error"].str.contains("cannot be used").all()
    assert steady(load_result(folder).observations) == steady(done.new.observations)
    assert len(lost(rescore_study(folder, "t", reset=True).new)) == 0
