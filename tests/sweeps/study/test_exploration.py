"""The exploration as a stage: its trials, and the results that the search gets."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from objectives import load_cases
from sweeps.engines.scripted.engine import ScriptedEngine, demo_surface
from sweeps.results.reader import load_result
from sweeps.results.result import SweepResult
from tests.sweeps.sweep_files import optuna_trials, run, steady, write_sweep

HALF_GREEDY: dict[str, Any] = {
    "baseline": {"temperature": 0.0, "top_p": 0.9},
    "space": {"temperature": [0.0, 0.3], "top_p": [0.5, 0.9]},
    "budget": {"generations": 156},
}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("half-greedy")


@pytest.fixture(scope="module")
def clean(home: Path) -> SweepResult:
    return run(write_sweep(home, search={"sampler": "gp"}, **HALF_GREEDY))


def interrupted(cases: Path, *, at: int) -> ScriptedEngine:
    """An engine at which somebody presses Ctrl-C at a request."""
    asked = 0

    def sleep(_: float) -> None:
        nonlocal asked
        asked += 1
        if asked == at:
            raise KeyboardInterrupt

    return ScriptedEngine(load_cases(cases), surface=demo_surface, noise=0.1, delay=1e-9, sleep=sleep)


def test_a_greedy_configuration_that_comes_again_is_told_with_the_scores_it_has(home: Path, clean: SweepResult) -> None:
    first: dict[str, float] = {}
    again = 0
    for number, state, value, _, notes in optuna_trials(home / "mlruns"):
        assert state == "COMPLETE"
        if clean.proposals[number].configuration.is_greedy:
            again += notes["configuration"] in first
            assert value == first.setdefault(notes["configuration"], value)
            assert notes["n"] == 3
    assert again > 1


def test_what_greedy_trials_leave_goes_to_further_trials(home: Path, clean: SweepResult) -> None:
    plan, explored = clean.plan, clean.stage("explore")
    assert len(explored) == plan.explore == 96
    assert plan.trials < len(clean.proposals) <= 2 * plan.trials
    assert not explored.duplicated(["configuration", "case", "seed"]).any()
    greedy = {p.configuration.key for p in clean.proposals if p.configuration.is_greedy}
    assert (explored[explored["configuration"].isin(greedy)].groupby("configuration").size() == 3).all()


@pytest.mark.parametrize("sampler", ["tpe", "random", "qmc"])
def test_any_sampler_uses_its_budget(tmp_path: Path, sampler: str) -> None:
    result = run(write_sweep(tmp_path, search={"sampler": sampler}, **HALF_GREEDY))
    assert {state for _, state, *_ in optuna_trials(tmp_path / "mlruns")} == {"COMPLETE"}
    assert 90 < len(result.stage("explore")) <= 96


def test_a_grid_is_gone_over_once_all_the_same(tmp_path: Path) -> None:
    result = run(write_sweep(tmp_path, search={"sampler": "grid"}, **HALF_GREEDY))
    assert len(result.proposals) == result.plan.trials == 4


def test_a_search_that_has_nothing_new_to_propose_ends(tmp_path: Path) -> None:
    result = run(write_sweep(tmp_path, space={"temperature": 0.0}))
    assert len(result.stage("explore")) == 3
    assert len(result.proposals) <= 2 * result.plan.trials


def test_further_trials_are_the_same_after_a_stop(tmp_path: Path, home: Path, clean: SweepResult) -> None:
    path = write_sweep(tmp_path, search={"sampler": "gp"}, **HALF_GREEDY)
    with pytest.raises(KeyboardInterrupt):
        run(path, engine=interrupted(tmp_path / "cases", at=133))
    stopped = load_result(tmp_path / "mlruns", "t")
    assert clean.plan.trials < len(stopped.proposals)
    assert stopped.stage("confirm").empty
    again = run(path)
    assert again.proposals == clean.proposals
    assert steady(again.observations) == steady(clean.observations)
    assert optuna_trials(tmp_path / "mlruns") == optuna_trials(home / "mlruns")


def test_a_study_whose_finalists_are_chosen_gets_no_further_trials(
    tmp_path: Path, home: Path, clean: SweepResult
) -> None:
    """As an older version left it."""
    shutil.copytree(home / "mlruns", tmp_path / "mlruns")
    with sqlite3.connect(tmp_path / "mlruns" / "ledger.db") as ledger:
        ledger.execute("DELETE FROM proposals WHERE number >= ?", (clean.plan.trials,))
    again = run(home / "sweep.toml", directory=tmp_path / "mlruns")
    assert again.finalists == clean.finalists
    assert again.proposals == clean.proposals[: clean.plan.trials]


def test_what_the_models_vendor_recommends_is_tried_first_and_after_a_stop_again(tmp_path: Path) -> None:
    path = write_sweep(tmp_path, baseline={"model": "smollm2:135m"}, budget={"generations": 90})
    cases, wanted = load_cases(tmp_path / "cases"), {"temperature": 0.2, "top_p": 0.9}

    def engine(asked: list[int]) -> ScriptedEngine:
        def sleep(_: float) -> None:
            asked.append(1)
            if len(asked) == 20:
                raise KeyboardInterrupt

        return ScriptedEngine(cases, models=("smollm2:135m",), delay=1e-9, sleep=sleep)

    with pytest.raises(KeyboardInterrupt):
        run(path, engine=engine([]))
    stored = load_result(tmp_path / "mlruns")
    assert [each.origin for each in stored.config.first_sets] == [
        "the vendor's recommendation (model card of SmolLM2-Instruct)"
    ]
    result = run(path, engine=engine([0] * 100))
    assert [proposal.name for proposal in result.proposals] == ["recommended set"] + [""] * (result.plan.trials - 1)
    assert result.proposals[0].params == wanted == optuna_trials(tmp_path / "mlruns")[0][3]
    assert result.proposals[: len(stored.proposals)] == stored.proposals
