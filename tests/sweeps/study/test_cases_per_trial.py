"""Trials that have some of the cases each, in turn."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from analysis.observations import views
from sweeps.budget.allocation import plan_for
from sweeps.budget.plan import plan_text
from sweeps.config.file import load_config
from sweeps.doctor import optuna_trials as doctor
from sweeps.engines.scripted.engine import ScriptedEngine, demo_surface
from sweeps.errors import ConfigError
from sweeps.ledger.ledger import Ledger
from sweeps.results.explored_trials import write_trials
from sweeps.results.reader import load_result
from sweeps.results.result import SweepResult
from sweeps.study.exploration import EXPLORE_SEEDS, SEEDS_PER_TRIAL
from sweeps.study.identity import StudyChangedError
from sweeps.tracking.configuration_metrics import summarise
from tests.sweeps.sweep_files import optuna_trials, run, steady, write_sweep

BUDGET = {"generations": 300, "seeds": "auto", "floor_seeds": 4}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("partial")


@pytest.fixture(scope="module")
def clean(home: Path) -> SweepResult:
    return run(write_sweep(home, cases=12, budget=BUDGET))


def explored(result: SweepResult) -> pd.DataFrame:
    return result.observations[result.observations["stage"] == "explore"]


def test_the_doctor_finds_a_changed_value_and_mends_it(clean: SweepResult, home: Path, tmp_path: Path) -> None:
    assert doctor.difference(clean) == ""
    before = optuna_trials(home / "mlruns")
    folder = Path(shutil.copytree(home / "mlruns", tmp_path / "mlruns"))
    with closing(sqlite3.connect(folder / "optuna.db")) as database, database:
        database.execute("UPDATE trial_values SET value = value + 0.001 WHERE trial_value_id = 5")
    changed = load_result(folder)
    assert doctor.difference(changed) == f"1 of {len(before)} trials have other options or scores"
    write_trials(changed)
    assert optuna_trials(folder) == before


def test_every_round_of_trials_has_each_case_once(clean: SweepResult) -> None:
    plan = clean.plan
    assert (plan.parts, plan.trial_cases, plan.seeds) == (2, 6, 1)
    assert "trials of 6 cases x 1 seed (the 12 cases in turn)" in plan_text(plan)
    rows = explored(clean)
    assert len(rows) == plan.explore
    own = rows.groupby("trial")["case"].agg(list)
    assert len(own) == plan.trials  # a continuous space: none is proposed twice
    assert (own.map(len) == 6).all()
    batch = clean.config.search.batch
    assert plan.together == batch == 4
    batches = [set(own[first]) for first in range(0, plan.trials, batch)]
    assert all(set(own[trial]) == batches[trial // batch] for trial in range(plan.trials))
    for one, other in zip(batches[::2], batches[1::2], strict=False):
        assert len(one | other) == 12
    assert len({frozenset(cases) for cases in batches}) > 4  # dealt again each time
    confirm = clean.observations[clean.observations["stage"] == "confirm"]
    assert (confirm.groupby("configuration")["case"].nunique() == 12).all()


def offsets_by_least_squares(rows: pd.DataFrame) -> pd.Series:
    dummies = pd.get_dummies(rows[["configuration", "case"]], dtype=float)
    found, *_ = np.linalg.lstsq(dummies.to_numpy(), rows["score"].to_numpy(), rcond=None)
    cases = pd.Series(found, index=dummies.columns).filter(like="case_").rename(lambda c: c.removeprefix("case_"))
    return cases - cases.mean()


def test_optuna_is_told_means_that_allow_for_the_cases(home: Path, clean: SweepResult) -> None:
    trials = optuna_trials(home / "mlruns")
    assert len(trials) == clean.plan.trials
    rows, batch = clean.observations, clean.config.search.batch
    # A configuration that comes again has its rows under its first trial; the seed tells the proposal.
    explored = rows["stage"] == "explore"
    proposed = ((rows["seed"] - clean.config.study.seed - EXPLORE_SEEDS) // SEEDS_PER_TRIAL).where(explored)
    for number, state, value, _, notes in trials:
        assert (state, notes["n"]) == ("COMPLETE", 6)
        last = (number // batch + 1) * batch - 1  # a batch is reported as a whole
        before = rows[(rows["stage"] == "floor") | (proposed <= last)]
        own = rows[proposed == number]
        expected = (own["score"] - own["case"].map(offsets_by_least_squares(before))).mean()
        assert value == pytest.approx(expected, abs=1e-9)
        assert sum(score is None for score in notes["case_scores"]) == 6


def test_the_report_and_mlflow_allow_for_the_cases_too(clean: SweepResult) -> None:
    rows = clean.observations[clean.observations["stage"] != "confirm"]
    offsets = offsets_by_least_squares(rows)
    ranked = views.summary(rows)["mean"]
    for key, own in rows.groupby("configuration"):
        expected = (own.groupby("case")["score"].mean() - offsets.reindex(own["case"].unique())).mean()
        assert ranked[key] == pytest.approx(expected, abs=1e-9)
        assert summarise(own, offsets.to_dict())["mean"] == pytest.approx(expected, abs=1e-9)


@pytest.mark.slow
def test_mlflow_ends_with_the_means_of_the_report_and_the_baselines_sources(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sweeps.tracking.store_connection import StoreConnection

    log, calls = StoreConnection.log, 0

    def away_for_a_while(*given: Any, **more: Any) -> None:
        nonlocal calls
        calls += 1
        if 10 < calls <= 14:
            raise ConnectionError("does not answer")
        log(*given, **more)

    monkeypatch.setattr(StoreConnection, "log", away_for_a_while)
    budget = BUDGET | {"generations": 200}
    result = run(write_sweep(tmp_path, cases=12, budget=budget), report=True, tracking=True)
    assert result.plan.parts == 2
    with closing(sqlite3.connect(tmp_path / "mlruns" / "mlflow.db")) as database:
        logged = dict(
            database.execute(
                "select t.value, m.value from latest_metrics m join tags t on t.run_uuid = m.run_uuid"
                " where m.key = 'mean' and t.key = 'slm_sweeps.configuration'"
            ).fetchall()
        )
        tags = dict(database.execute("select key, value from tags where key like 'config.%'").fetchall())
    assert (tags["config.budget.generations"], tags["config.study.seed"]) == ("200", "7")
    sources = [tags[f"config.baseline_source.{option}"] for option in ("temperature", "top_k")]
    assert sources == ["file", "ours"]
    assert set(logged) == set(result.configurations)  # also those that the store missed while it was away
    page = (tmp_path / "mlruns" / "sweeps" / "t" / "report.html").read_text()
    shown = views.summary(views.without_luck(result.observations, result.configurations))["mean"]
    assert logged == pytest.approx(shown.to_dict(), abs=1e-9)
    assert f"{logged[result.baseline.key]:.3f}" == f"{result.verdict.baseline_mean:.3f}"
    assert all(f"{mean:.3f}" in page for mean in logged.values())


def test_a_sweep_that_was_stopped_goes_on_as_if_nothing_had_happened(tmp_path: Path, clean: SweepResult) -> None:
    path = write_sweep(tmp_path, cases=12, budget=BUDGET)
    asked = 0

    def interrupt(_: float) -> None:
        nonlocal asked
        asked += 1
        if asked == 120:
            raise KeyboardInterrupt

    from objectives import load_cases

    cases = load_cases(tmp_path / "cases")
    with pytest.raises(KeyboardInterrupt):
        run(path, engine=ScriptedEngine(cases, surface=demo_surface, noise=0.1, delay=1e-9, sleep=interrupt))
    stopped = load_result(tmp_path / "mlruns", "t")
    assert 0 < len(explored(stopped)) < clean.plan.explore
    assert steady(run(path).observations) == steady(clean.observations)


def test_a_greedy_configuration_has_each_case_once_over_its_rounds(tmp_path: Path) -> None:
    changes = {"baseline": {"temperature": 0.0}, "space": {"repeat_penalty": [1.0, 1.1, 1.2, 1.3]}}
    result = run(write_sweep(tmp_path, cases=12, budget=BUDGET, **changes))
    rows = explored(result)
    assert result.plan.parts == 2
    assert len(rows) <= result.plan.explore
    assert not rows.duplicated(["configuration", "case"]).any()
    assert (rows.groupby("configuration")["case"].nunique() == 12).all()


def test_a_study_of_before_goes_on_with_the_plan_that_it_has(tmp_path: Path) -> None:
    budget = BUDGET | {"generations": 200}
    path = write_sweep(tmp_path, cases=12, budget=budget | {"cases_per_trial": 12})
    before = run(path)
    with closing(Ledger(tmp_path / "mlruns" / "ledger.db")) as ledger:
        stored = ledger.studies.get("t")
        assert stored is not None
        identity, plan = dict(stored.identity), dict(stored.record.plan)
        # as they were when there was no such setting
        del identity["budget.cases_per_trial"], plan["parts"], plan["together"]
        ledger.studies.update("t", lambda record: replace(record, plan=plan), identity=identity)
    path = write_sweep(tmp_path, cases=12, budget=budget)
    assert plan_for(load_config(path), cases=12, hosts=1).parts == 2  # a new study's plan
    assert steady(run(path).observations) == steady(before.observations)
    path = write_sweep(tmp_path, cases=12, budget=budget | {"cases_per_trial": 6})
    with pytest.raises(StudyChangedError, match=r'budget.cases_per_trial: stored "auto", now 6'):
        run(path)


@pytest.mark.parametrize(
    ("changes", "parts"),
    [
        ({"budget": BUDGET | {"cases_per_trial": 12}}, 1),
        ({"budget": BUDGET | {"seeds": 1}}, 1),
        ({"constraints": {"words": 150}}, 1),
        ({"constraints": {"words": 150}, "budget": BUDGET | {"cases_per_trial": 6}}, 2),
        ({"search": {"sampler": "grid"}}, 1),
    ],
)
def test_when_trials_have_all_cases(tmp_path: Path, changes: dict[str, Any], parts: int) -> None:
    config = load_config(write_sweep(tmp_path, cases=12, **({"budget": BUDGET} | changes)))
    assert plan_for(config, cases=12, hosts=1).parts == parts


@pytest.mark.parametrize("number", [4, 12])
def test_trials_have_the_number_of_cases_that_is_asked_for(tmp_path: Path, number: int) -> None:
    budget = BUDGET | {"generations": 200, "cases_per_trial": number}
    result = run(write_sweep(tmp_path, cases=12, budget=budget))
    assert result.plan.parts == 12 // number
    assert result.verdict is not None
    assert explored(result).groupby(["trial", "seed"])["case"].size().max() == number


@pytest.mark.parametrize("wrong", ["half", 0, 2.5, True])
def test_what_is_no_number_of_cases_is_told(tmp_path: Path, wrong: Any) -> None:
    with pytest.raises(ConfigError, match=r'budget.cases_per_trial.*must be "auto" or a whole number from 1'):
        load_config(write_sweep(tmp_path, budget={"cases_per_trial": wrong}))
