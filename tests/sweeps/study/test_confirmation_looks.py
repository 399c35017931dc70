"""Looks at the confirmation of whole sweeps: early ends, several finalists, stops and failed requests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sweeps.budget.plan import plan_text
from sweeps.engines.scripted.engine import Fault, ScriptedEngine, demo_surface
from sweeps.progress import Silent
from sweeps.results.look_history import stored_priors
from sweeps.results.reader import load_result
from sweeps.results.result import SweepResult
from sweeps.results.study_status import status_of
from sweeps.study.rescore import rescore_study
from tests.sweeps.sweep_files import run, steady, write_sweep


class Listening(Silent):
    """Keeps notes and plans."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.plans: list[tuple[int, int, int]] = []

    def note(self, text: str, *, warning: bool = False) -> None:
        self.notes.append(text)

    def plan(self, floor: int, explore: int, confirm: int) -> None:
        self.plans.append((floor, explore, confirm))


class StopAtFirstLook(Silent):
    """The user stops the sweep when the confirmation's first look is reported."""

    def note(self, text: str, *, warning: bool = False) -> None:
        if text.startswith("Look 1 of "):
            raise KeyboardInterrupt


def counted(result: SweepResult) -> int:
    return int((result.observations["stage"] == "confirm").sum())


def test_a_clear_gain_ends_the_confirmation_early(tmp_path: Path) -> None:
    settings: dict[str, Any] = {"engine": {"options": {"noise": 0.03}}, "confirm": {"looks": "auto"}}
    progress = Listening()
    result = run(write_sweep(tmp_path, budget={"generations": 120}, **settings), progress=progress)
    first, second = result.plan.look_seeds[:2]  # no p of two seeds on three cases is small enough
    assert first == 2
    assert counted(result) == 2 * 3 * second < result.plan.confirm
    assert result.verdict is not None
    assert (result.verdict.outcome, result.verdict.look) == ("better", 2)
    assert result.verdict.n_per_arm == 3 * second
    assert progress.plans[-1] == (result.plan.floor, result.plan.explore, counted(result))
    assert any(note.startswith("Look 1 of 3") for note in progress.notes)
    record = status_of(result)
    assert record["done"] == record["planned"]
    # Another alpha is another plan of looks, and still allows for them.
    assert result.judge(alpha=0.01).p_value == result.verdict.p_value


def test_what_the_search_believed_is_kept_with_the_study(tmp_path: Path) -> None:
    path = write_sweep(tmp_path, budget={"generations": 180})
    result = run(path)
    (finalist,) = result.finalists
    (believed,) = stored_priors(result.stored.record).values()
    assert list(result.stored.record.priors) == [finalist.number]
    assert believed.mean > 0
    assert believed.sd > 0
    # A study whose search would be another today goes on with what was believed when it was picked.
    again = run(path)
    assert again.stored.record.priors == result.stored.record.priors


@pytest.mark.usefixtures("no_report")
def test_a_study_that_is_scored_anew_between_looks_asks_the_search_again(tmp_path: Path) -> None:
    settings: dict[str, Any] = {"budget": {"generations": 180}, "engine": {"options": {"noise": 0.1}}}
    path = write_sweep(tmp_path, **settings)

    with pytest.raises(KeyboardInterrupt):
        run(path, progress=StopAtFirstLook())
    mlruns = path.parent / "mlruns"
    (before,) = load_result(mlruns, "t").stored.record.priors.values()
    rescore_study(mlruns, "t", settings={"weights": [9, 1, 1, 1, 1]})
    assert load_result(mlruns, "t").stored.record.priors == {}
    path = write_sweep(tmp_path, **settings, objective={"weights": [9, 1, 1, 1, 1]})
    (after,) = run(path).stored.record.priors.values()
    assert after != before
    # With its verdict made, what was believed is history.
    rescore_study(mlruns, "t", settings={"weights": [5, 4, 3, 2, 1]})
    assert list(load_result(mlruns, "t").stored.record.priors.values()) == [after]


def test_one_look_takes_all_seeds(tmp_path: Path) -> None:
    path = write_sweep(tmp_path, budget={"generations": 120}, engine={"options": {"noise": 0.03}}, confirm={"looks": 1})
    result = run(path)
    assert counted(result) == result.plan.confirm
    assert result.verdict is not None
    assert result.verdict.look is None


def test_several_finalists(tmp_path: Path) -> None:
    path = write_sweep(tmp_path, budget={"generations": 160}, confirm={"finalists": 3})
    result = run(path)
    plan = result.plan
    assert plan.finalists == 3
    assert plan.total <= 160
    assert plan.confirm == 4 * 3 * plan.confirm_seeds
    keys = [finalist.configuration.key for finalist in result.finalists]
    assert len(set(keys)) == 3
    assert result.baseline.key not in keys
    verdicts = result.verdicts
    assert sorted(verdict.configuration for verdict in verdicts) == sorted(keys)
    assert all(verdict.comparisons == 3 for verdict in verdicts)
    ranks = [(verdict.outcome != "better", -verdict.effect) for verdict in verdicts]
    assert ranks == sorted(ranks)
    assert result.finalist is not None
    assert result.finalist.configuration.key == verdicts[0].configuration
    confirm = result.stage("confirm")
    for verdict in verdicts:
        seeds = set(confirm["seed"][confirm["configuration"] == verdict.configuration])
        assert len(seeds) == plan.looks[(verdict.look or 1) - 1]
    again = load_result(path.parent / "mlruns", "t")
    assert [verdict.as_dict() for verdict in again.verdicts] == [verdict.as_dict() for verdict in verdicts]


class StopAtTheRunOff(Silent):
    """The user stops the sweep when a finalist leaves."""

    def note(self, text: str, *, warning: bool = False) -> None:
        if "it leaves" in text:
            raise KeyboardInterrupt


def test_of_two_finalists_the_one_ahead_goes_on(tmp_path: Path) -> None:
    settings: dict[str, Any] = {"budget": {"generations": 120}, "confirm": {"looks": "auto", "runoff": 2}}
    settings["confirm"]["futility"] = 0.0
    settings["engine"] = {"options": {"noise": 0.2}}
    whole = run(write_sweep(tmp_path / "whole", **settings))
    plan = whole.plan
    assert (plan.finalists, plan.runoff_left, plan.runoff_seeds) == (2, 1, 2)
    assert plan.total == 12 + plan.explore + 3 * (2 * plan.confirm_seeds + 2) <= 120
    first, second = whole.verdicts
    assert (first.overtaken, second.overtaken, second.look) == (False, True, 1)
    assert whole.finalist.configuration.key == first.configuration
    seeds = whole.stage("confirm").groupby("configuration")["seed"].nunique()
    assert (seeds[second.configuration], seeds[first.configuration]) == (2, plan.looks[first.look - 1])
    assert len(whole.stage("confirm")) == 3 * (2 * seeds[first.configuration] + 2)
    assert plan_text(plan).endswith("2 or 3 seeds; a run-off with 1 more finalist ends after 2 seeds")

    path = write_sweep(tmp_path / "parts", **settings)
    with pytest.raises(KeyboardInterrupt):
        run(path, progress=StopAtTheRunOff())
    assert load_result(path.parent / "mlruns", "t").verdict is None
    parts = run(path)
    assert steady(parts.observations) == steady(whole.observations)
    assert (parts.looks, parts.verdicts) == (whole.looks, whole.verdicts)


def test_two_greedy_arms_are_judged_as_at_the_end(tmp_path: Path) -> None:
    space = {"top_k": [5, 60], "top_p": {"low": 0.5, "high": 1.0}}
    settings: dict[str, Any] = {"baseline": {"temperature": 0.0}, "space": space, "budget": {"generations": 200}}
    looked, plain = (
        run(write_sweep(tmp_path / str(looks), cases=6, confirm={"looks": looks}, search={"probe": False}, **settings))
        for looks in (2, 1)
    )
    assert looked.looks[0].settled == (looked.finalist.number,)
    assert len(looked.stage("confirm")) == 12
    assert looked.verdict.p_raw == plain.verdict.p_raw
    assert looked.verdict.look is None
    assert looked.verdict == plain.verdict
    assert not any("Look" in note for note in looked.verdict.notes)


def test_what_was_judged_gets_no_more_data(tmp_path: Path) -> None:
    from objectives import load_cases

    path = write_sweep(tmp_path, budget={"generations": 120}, engine={"options": {"noise": 0.03}})
    cases = load_cases(tmp_path / "cases")
    broken = Fault("prompt-too-long", when=lambda r: r.options["seed"] == 1_000_007, times=1)
    engine = ScriptedEngine(cases, surface=demo_surface, noise=0.03, faults=[broken])
    first = run(path, engine=engine)
    assert int(first.stage("confirm")["score"].isna().sum()) == 1
    asked, told = len(engine.requests), Listening()
    second = run(path, engine=engine, progress=told)
    assert steady(second.stage("confirm")) == steady(first.stage("confirm"))
    assert (second.looks, second.verdicts) == (first.looks, first.verdicts)
    assert not [r for r in engine.requests[asked:] if r.options["seed"] >= 1_000_000]
    assert any(note.startswith("1 request of the confirmation failed and stays as it is") for note in told.notes)


def test_a_confirmation_without_a_verdict_is_made_good(tmp_path: Path) -> None:
    from objectives import load_cases

    path = write_sweep(tmp_path)
    broken = Fault("prompt-too-long", when=lambda r: r.options["seed"] >= 1_000_000, times=18)
    engine = ScriptedEngine(load_cases(tmp_path / "cases"), surface=demo_surface, noise=0.1, faults=[broken])
    first = run(path, engine=engine)
    assert first.verdicts == []
    second = run(path, engine=engine)
    assert len(second.verdicts) == 1
    assert second.stage("confirm")["score"].notna().all()


def test_a_sweep_stopped_between_looks_goes_on_as_if_it_had_not(tmp_path: Path) -> None:
    settings: dict[str, Any] = {
        "budget": {"generations": 150},
        "baseline": {"temperature": 0.35},
        "confirm": {"looks": 3, "futility": 0.0},
    }
    whole = run(write_sweep(tmp_path / "whole", **settings))
    assert len(whole.looks) == 3
    path = write_sweep(tmp_path / "parts", **settings)

    with pytest.raises(KeyboardInterrupt):
        run(path, progress=StopAtFirstLook())
    assert load_result(path.parent / "mlruns", "t").verdict is None
    parts = run(path)
    assert steady(parts.observations) == steady(whole.observations)
    assert parts.looks == whole.looks


class StopInConfirmation(Silent):
    """The user stops the sweep after some generations of the confirmation."""

    def __init__(self) -> None:
        self.made = 0

    def advance(self, stage: str, **_: Any) -> None:
        self.made += stage == "confirm"
        if self.made == 2 * 3 * 3 + 4:  # between the first look and the second
            raise KeyboardInterrupt


def test_looks_after_every_seed_are_kept_resumed_and_end_early(tmp_path: Path) -> None:
    settings: dict[str, Any] = {"budget": {"generations": 150}, "confirm": {"looks": "anytime"}}
    path = write_sweep(tmp_path, **settings)
    with pytest.raises(KeyboardInterrupt):
        run(path, progress=StopInConfirmation())
    stopped = load_result(tmp_path / "mlruns")
    assert [each.seeds for each in stopped.looks] == [3]
    progress = Listening()
    result = run(path, progress=progress)
    plan = result.plan
    assert list(plan.look_seeds) == list(range(3, plan.confirm_seeds))
    assert result.looks[0] == stopped.looks[0]
    last = result.looks[-1]
    assert counted(result) == 2 * 3 * last.seeds < plan.confirm
    assert result.verdict is not None
    assert (result.verdict.outcome, result.verdict.look) == ("better", last.look)
    assert any("valid at any look" in note for note in result.verdict.notes)
    assert result.looks_told == [last.sentences[0]]
    assert [note for note in progress.notes if note.startswith("Look ")] == [last.sentences[0]]
    assert any("may stop after any of 3, 4, 5, ... seeds" in note for note in progress.notes)
