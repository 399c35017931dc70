"""The life of a sweep on the scripted engine, from the floor to the verdict."""

from __future__ import annotations

import itertools
import math
import shutil
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from analysis import judge_one
from analysis.verdict.sentences import named
from sweeps.budget.allocation import left_out, plan_for
from sweeps.budget.plan import Plan
from sweeps.check.checker import check_sweep
from sweeps.config.file import load_config
from sweeps.config.sweep_config import SweepConfig
from sweeps.engines.scripted.engine import Fault
from sweeps.errors import ConfigError
from sweeps.hosts.host import RunStoppedError
from sweeps.ledger.database import LedgerError
from sweeps.ledger.ledger import Ledger
from sweeps.ledger.study_record import StudyRecord
from sweeps.results.reader import load_result
from sweeps.results.result import SweepResult
from sweeps.study.exploration import EXPLORE_SEEDS, SEEDS_PER_TRIAL
from sweeps.study.measurer import Measurer
from sweeps.study.sweep import Sweep
from tests.sweeps.scripted_sweeps import Listener, engine, measured
from tests.sweeps.sweep_files import optuna_trials, run, steady, write_sweep


def test_a_strong_surface(clean: SweepResult) -> None:
    result = clean
    plan = result.plan
    assert plan.total == 60
    counts = result.observations.groupby("stage").size().to_dict()
    assert counts == {"floor": plan.floor, "explore": plan.explore, "confirm": plan.confirm}
    assert result.status == "done"
    assert result.verdict is not None
    assert result.verdict.outcome == "better"
    assert result.shown_better
    assert result.finalist is not None
    assert result.recommended == result.finalist.configuration
    assert abs(result.finalist.configuration.options["temperature"] - 0.35) < abs(1.2 - 0.35)


@pytest.mark.parametrize(
    ("spared", "told"),
    [
        (1.2, "Every trial that could be scored is the baseline, so there is nothing to confirm."),
        (math.nan, "No trial could be scored, so there is nothing to confirm."),
    ],
)
def test_without_a_finalist_it_is_told_why(tmp_path: Path, spared: float, told: str) -> None:
    path = write_sweep(tmp_path, space={"temperature": [1.2, 0.4]}, search={"sampler": "grid", "probe": False})
    refused = Fault("prompt-too-long", when=lambda r: r.options["seed"] > 10_000 and r.options["temperature"] != spared)
    listener = Listener()
    result = run(path, engine=engine(tmp_path, [refused]), progress=listener)
    assert {p.configuration.options["temperature"] for p in result.proposals} == {1.2, 0.4}
    assert result.verdict is None
    assert (told, True) in listener.notes


def test_stages_share_no_seed_and_cases_share_all(clean: SweepResult) -> None:
    table = clean.observations
    by_stage = {stage: set(rows["seed"]) for stage, rows in table.groupby("stage")}
    for one, other in itertools.combinations(by_stage.values(), 2):
        assert not one & other
    explore = table[table["stage"] == "explore"]
    trials = [set(rows["seed"]) for _, rows in explore.groupby("trial")]
    assert all(not one & other for one, other in itertools.combinations(trials, 2))
    for _, rows in table.groupby(["stage", "trial"]):
        assert len({tuple(sorted(each["seed"])) for _, each in rows.groupby("case")}) == 1
    assert not table.duplicated(["configuration", "case", "seed", "repeat"]).any()


def test_the_verdict_is_from_the_confirmation_only(clean: SweepResult) -> None:
    result = clean
    assert result.verdict is not None
    assert result.finalist is not None
    confirm = result.observations[result.observations["stage"] == "confirm"]
    again = judge_one(
        confirm, baseline=result.baseline.key, finalist=result.finalist.configuration.key, claim="these-cases", seed=7
    )
    people = {again.configuration: "the finalist", again.baseline: "the baseline"}
    assert result.verdict == named(again, people)
    by_case = confirm.groupby(["configuration", "case"])["score"].mean().unstack("case")
    effect = (by_case.loc[result.finalist.configuration.key] - by_case.loc[result.baseline.key]).mean()
    assert result.verdict.effect == pytest.approx(effect, abs=1e-12)
    assert result.verdict.n_per_arm == result.plan.confirm // 2


def test_a_null_surface_gives_no_gain(tmp_path: Path) -> None:
    outcomes = []
    for seed in range(3):
        path = write_sweep(tmp_path / str(seed), study={"seed": seed}, engine={"options": {"surface": "flat"}})
        result = run(path)
        assert result.verdict is not None
        outcomes.append(result.verdict.outcome)
    assert outcomes.count("better") <= 1
    assert "not distinguishable" in outcomes


@pytest.mark.parametrize("sampler", ["gp", "tpe", "random", "qmc", "grid"])
def test_optuna_holds_exactly_the_trials_with_the_mean_of_case_means(tmp_path: Path, sampler: str) -> None:
    space = {"temperature": [0.1, 0.35, 0.8], "top_p": {"low": 0.5, "high": 1.0, "step": 0.25}}
    result = run(write_sweep(tmp_path, search={"sampler": sampler}, space=space))
    trials = optuna_trials(tmp_path / "mlruns")
    assert [number for number, *_ in trials] == list(range(result.plan.trials))
    homes: dict[str, int] = {}
    for number, state, value, params, notes in trials:
        home = homes.setdefault(notes["configuration"], number)
        first = result.config.study.seed + EXPLORE_SEEDS + SEEDS_PER_TRIAL * number
        rows = result.observations[
            (result.observations["stage"] == "explore")
            & (result.observations["trial"] == home)  # a configuration that comes again is a repeat, not a new trial
            & result.observations["seed"].between(first, first + SEEDS_PER_TRIAL - 1)
        ]
        means = rows.groupby("case")["score"].mean()
        assert state == "COMPLETE"
        assert value == pytest.approx(means.mean(), abs=1e-12)
        assert notes["case_scores"] == pytest.approx(list(means), abs=1e-12)
        assert (notes["number"], notes["n"]) == (number, len(rows))
        proposal = result.proposals[number]
        assert notes["configuration"] == proposal.configuration.key == rows["configuration"].iloc[0]
        assert {name: proposal.configuration.options[name] for name in params} == pytest.approx(params)


def test_the_noise_floor_is_the_pooled_sd_of_the_floor(clean: SweepResult, home: Path) -> None:
    result = clean
    floor = result.observations[result.observations["stage"] == "floor"]
    groups = [rows["score"].to_numpy() for _, rows in floor.groupby("case")]
    pooled = math.sqrt(sum(((g - g.mean()) ** 2).sum() for g in groups) / sum(len(g) - 1 for g in groups))
    assert result.floor is not None
    assert result.floor.sd == pytest.approx(pooled)
    assert result.floor.mean == pytest.approx(np.mean([g.mean() for g in groups]))
    _, _, _, _, notes = optuna_trials(home / "mlruns")[0]
    assert notes["noise_sd"] == pytest.approx(pooled)


def test_the_same_sweep_twice_from_scratch_is_the_same_to_the_last_digit(tmp_path: Path) -> None:
    one = run(write_sweep(tmp_path / "a", search={"sampler": "gp"}))
    other = run(
        write_sweep(tmp_path / "b", search={"sampler": "gp"}, engine={"options": {"cases": str(tmp_path / "a/cases")}})
    )
    assert steady(one.observations) == steady(other.observations)
    assert one.verdict == other.verdict
    assert optuna_trials(tmp_path / "a/mlruns") == optuna_trials(tmp_path / "b/mlruns")


def test_another_seed_is_another_sweep(tmp_path: Path, clean: SweepResult) -> None:
    other = run(write_sweep(tmp_path, study={"seed": 8}))
    assert list(other.observations["score"]) != list(clean.observations["score"])
    assert {p.configuration.key for p in other.proposals} != {p.configuration.key for p in clean.proposals}


def test_every_request_is_warm_and_sends_all_options(tmp_path: Path) -> None:
    path = write_sweep(tmp_path, space={"num_ctx": [512, 1024], "temperature": {"low": 0.1, "high": 1.2}})
    used = engine(tmp_path)
    result = run(path, engine=used)
    assert len(measured(used.requests)) == len(result.rows) <= result.plan.total
    wanted = {
        "temperature",
        "top_k",
        "top_p",
        "min_p",
        "repeat_penalty",
        "repeat_last_n",
        "num_ctx",
        "num_predict",
        "seed",
    }
    assert all(wanted <= set(request.options) for request in measured(used.requests))
    for before, request in itertools.pairwise(used.requests):
        if measured([request]):
            assert before.prompt == request.prompt
            assert before.options["num_ctx"] == request.options["num_ctx"]
    assert set(result.observations["finish"]) == {"stop"}


def test_the_result_can_be_opened_again(clean: SweepResult, home: Path) -> None:
    result = clean
    again = load_result(home / "mlruns")
    assert steady(again.observations) == steady(result.observations)
    assert again.verdict == result.verdict
    assert again.finalist == result.finalist
    assert len(again.texts) == len(result.observations)
    assert set(again.texts["text"].str.contains("Draft")) == {True}


def test_progress_is_told_every_step(tmp_path: Path) -> None:
    listener = Listener()
    result = run(write_sweep(tmp_path), progress=listener)
    assert listener.stages == ["check", "floor", "explore", "confirm", "report"]
    assert listener.planned == (result.plan.floor, result.plan.explore, result.plan.confirm)
    assert listener.done == dict(zip(("floor", "explore", "confirm"), listener.planned, strict=True))
    assert listener.last.trials == result.plan.trials
    assert result.floor is not None
    assert listener.last.noise_sd == pytest.approx(result.floor.sd)
    values = [value for _, _, value, _, _ in optuna_trials(tmp_path / "mlruns")]
    assert listener.last.best_mean == pytest.approx(max(values))
    # the band: where 95% of the differences between a trial's mean and the floor's lie if nothing matters
    n_trial, n_floor = 3 * result.plan.seeds, result.plan.floor
    assert listener.last.band == pytest.approx(1.96 * result.floor.sd * math.sqrt(1 / n_trial + 1 / n_floor))


def test_a_finished_study_answers_from_its_rows_unless_something_is_missing(
    tmp_path: Path, home: Path, clean: SweepResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(home / "mlruns", tmp_path / "mlruns")
    path, listener, batches = write_sweep(home), Listener(), list[int]()
    plain = Measurer.run
    monkeypatch.setattr(Measurer, "run", lambda self, tasks, *_: (batches.append(len(tasks)), plain(self, tasks))[1])
    again = run(path, directory=tmp_path / "mlruns", progress=listener)
    assert not batches
    assert steady(again.observations) == steady(clean.observations)
    assert (again.verdict, again.status) == (clean.verdict, load_result(tmp_path / "mlruns").status)
    assert listener.planned == tuple(listener.done.values())
    assert sum(listener.planned) == len(clean.rows)
    trials = optuna_trials(tmp_path / "mlruns")
    for file in (tmp_path / "mlruns").glob("optuna.db*"):
        file.unlink()
    assert run(path, directory=tmp_path / "mlruns").verdict == clean.verdict
    assert sum(batches) >= clean.plan.floor + clean.plan.explore
    assert optuna_trials(tmp_path / "mlruns") == trials


def test_a_study_of_another_default_goes_on_if_the_file_leaves_it_alone(tmp_path: Path) -> None:
    before = run(write_sweep(tmp_path, budget={"generations": 120, "confirm_share": 0.25}))
    again = run(write_sweep(tmp_path, budget={"generations": 120}))
    assert again.plan == before.plan
    assert steady(again.observations) == steady(before.observations)
    with pytest.raises(ConfigError, match=r"budget.confirm_share: stored 0.25, now 0.3"):
        run(write_sweep(tmp_path, budget={"generations": 120, "confirm_share": 0.3}))


def test_a_name_in_other_letters_is_refused_before_anything_starts(tmp_path: Path) -> None:
    path, mlruns = write_sweep(tmp_path), tmp_path / "mlruns"
    mlruns.mkdir()
    with closing(Ledger(mlruns / "ledger.db")) as ledger:
        ledger.studies.add("T", identity={}, config="", record=StudyRecord())
    with pytest.raises(LedgerError, match=r"study\.name 't': .* has a study 'T'"):
        run(path, tracking=True, report=True)
    assert [file.name for file in mlruns.iterdir()] == ["ledger.db"]
    blocked = check_sweep(path, mlruns=mlruns).rows[-1]
    assert (blocked.name, blocked.state) == ("study", "blocked")


def test_a_greedy_configuration_is_generated_once_per_case_and_arm(tmp_path: Path) -> None:
    result = run(write_sweep(tmp_path, space={"temperature": 0.0}))
    explore = result.observations[result.observations["stage"] == "explore"]
    assert len(explore) == 3
    confirm = result.observations[result.observations["stage"] == "confirm"]
    assert result.finalist is not None
    arms = confirm.groupby("configuration").size().to_dict()
    seeds = result.plan.looks[result.looks[-1].look - 1]
    assert arms == {result.baseline.key: 3 * seeds, result.finalist.configuration.key: 3}
    assert result.verdict is not None


def test_a_configuration_that_comes_again_is_a_repeat(tmp_path: Path) -> None:
    space = {"temperature": [0.0, 0.35, 0.8], "top_p": [0.7, 0.9]}
    result = run(write_sweep(tmp_path, space=space, budget={"generations": 120}))
    plan, explore = result.plan, result.stage("explore")
    assert plan.trials > 6
    assert len({proposal.configuration.key for proposal in result.proposals}) <= 6
    by_configuration = explore.groupby("configuration")
    assert (by_configuration["trial"].nunique() == 1).all()
    times = dict.fromkeys(result.configurations, 0)
    for proposal in result.proposals:
        times[proposal.configuration.key] += 1
    assert max(times.values()) > 1
    for key, rows in by_configuration:
        greedy = result.configurations[key].is_greedy  # at temperature 0 the text would be the same again
        assert len(rows) == 3 * (1 if greedy else plan.seeds * times[key])
        assert rows["seed"].nunique() == len(rows) // 3
    # What a trial stands for in the posterior and as a finalist is the configuration, under its first number.
    assert result.finalist is not None
    same = [p.number for p in result.proposals if p.configuration.key == result.finalist.configuration.key]
    assert result.finalist.number == min(same)
    assert steady(run(tmp_path / "sweep.toml").observations) == steady(result.observations)


# ---- another configuration under the same name


@pytest.fixture(scope="module")
def two_studies(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two finished studies, t and t-2."""
    folder = tmp_path_factory.mktemp("two")
    run(write_sweep(folder, study={"name": "t-2"}))
    run(write_sweep(folder))
    return folder


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"baseline": {"temperature": 1.1}}, ["baseline.temperature: stored 1.2, now 1.1"]),
        ({"budget": {"generations": 90}}, ["budget.generations: stored 60, now 90"]),
        ({"space": {"temperature": {"low": 0.2, "high": 1.2}}}, ["space.temperature: stored", "now (not set)"]),
        ({"cases": 2}, ["case c3: stored", "now (not set)"]),
        ({"objective": {"weights": [1, 1, 1, 1, 1]}}, ["objective.weights", "sweeps rescore t"]),
    ],
)
def test_another_configuration_shows_the_difference_and_a_free_name(
    tmp_path: Path, two_studies: Path, change: dict[str, Any], words: list[str]
) -> None:
    shutil.copytree(two_studies / "mlruns", tmp_path / "mlruns")
    path = write_sweep(tmp_path, **change, engine={"options": {"cases": str(two_studies / "cases")}})
    with pytest.raises(ConfigError) as caught:
        run(path)
    text = str(caught.value)
    assert all(word in text for word in words), text
    assert "'t-3'" in text
    kept, first = (load_result(folder / "mlruns", "t-2") for folder in (tmp_path, two_studies))
    assert steady(kept.observations) == steady(first.observations)
    assert load_result(tmp_path / "mlruns", "t").status == "done"


def test_another_study_shares_what_is_the_same_but_confirms_afresh(tmp_path: Path) -> None:
    path = write_sweep(tmp_path)
    used = engine(tmp_path)
    first = run(path, engine=used)
    before = len(measured(used.requests))
    path = write_sweep(tmp_path, study={"name": "u"}, verdict={"alpha": 0.1})
    result = run(path, engine=used)
    assert set(result.observations["study"]) == {"u"}
    new = measured(used.requests)[before:]
    assert len(new) == result.plan.confirm == len(result.stage("confirm"))
    assert {request.options["seed"] for request in new} == set(result.stage("confirm")["seed"])
    assert first.finalist == result.finalist
    assert not set(first.stage("confirm")["seed"]) & set(result.stage("confirm")["seed"])
    assert steady(run(path, engine=used).observations) == steady(result.observations)
    assert len(measured(used.requests)) == before + len(new)


def test_a_trial_that_was_short_of_a_score_is_corrected_in_optuna_on_resume(tmp_path: Path, clean: SweepResult) -> None:
    path = write_sweep(tmp_path)
    slow = Fault("timeout", when=lambda r: r.options["seed"] == 7 + 10_000 and "case 2" in r.prompt.user)
    stop = Fault("model-missing", when=lambda r: r.options["seed"] >= 1_000_000)
    with pytest.raises(RunStoppedError):
        run(path, engine=engine(tmp_path, [slow, stop]))
    assert optuna_trials(tmp_path / "mlruns")[0][4]["n"] == 5
    result = run(path, engine=engine(tmp_path))
    assert steady(result.observations) == steady(clean.observations)
    values = [value for _, _, value, _, _ in optuna_trials(tmp_path / "mlruns")]
    explore = result.stage("explore")
    expected = explore.groupby(["trial", "case"])["score"].mean().groupby("trial").mean()
    assert values == pytest.approx(list(expected))
    assert [number for number, *_ in optuna_trials(tmp_path / "mlruns")] == list(range(result.plan.trials))


@pytest.mark.parametrize(
    ("space", "points"),
    [
        ({"top_k": [10, 20, 40, 80]}, 4),
        ({"temperature": {"low": 0.1, "high": 1.3}}, 5),
        ({"top_k": [10, 20], "top_p": [0.5, 0.7, 0.9]}, 6),
    ],
)
def test_a_grid_is_gone_over_once(tmp_path: Path, space: dict[str, Any], points: int) -> None:
    result = run(write_sweep(tmp_path, search={"sampler": "grid"}, space=space, budget={"generations": 300}))
    assert result.plan.trials == points
    assert len({proposal.configuration.key for proposal in result.proposals}) == points


def test_a_grid_that_is_larger_than_its_budget_is_said_to_be(tmp_path: Path) -> None:
    space = {"top_k": [10, 20, 40, 80], "top_p": [0.5, 0.7, 0.9], "temperature": {"low": 0.1, "high": 1.3}}

    def plan_with(generations: int, cases: int = 3, **budget: Any) -> tuple[Plan, SweepConfig]:
        changes: dict[str, Any] = {"search": {"sampler": "grid"}, "budget": {"generations": generations, **budget}}
        config = load_config(write_sweep(tmp_path, cases=cases, space=space, **changes))
        return plan_for(config, cases=cases, hosts=1), config

    small, config = plan_with(300)
    found, todo = left_out(small, config)
    assert found == f"the grid has 60 points, of which this budget tries {small.trials}, drawn at random"
    enough = int("".join(filter(str.isdigit, todo)))
    assert left_out(*plan_with(enough + 6)) == ("", "")  # one seed more for either arm of the confirmation
    assert left_out(*plan_with(enough - 24))[0]
    assert left_out(small, config, stored=True) == (found, f"{todo}, under another study.name")
    path = write_sweep(tmp_path, space=space, search={"sampler": "grid"})
    found, _ = left_out(*plan_with(60))
    told = Listener()
    run(path, progress=told)
    assert any(found in text and warning for text, warning in told.notes)
    budget = next(row for row in check_sweep(path, mlruns=tmp_path / "other").rows if row.name == "budget")
    assert (budget.state, found in budget.found, "generations" in budget.todo) == ("warning", True, True)
    _, todo = left_out(*plan_with(150, 12, cases_per_trial=3))
    enough = int("".join(filter(str.isdigit, todo)))
    assert left_out(*plan_with(enough + 24, 12, cases_per_trial=3)) == ("", "")
    assert left_out(*plan_with(enough - 48, 12, cases_per_trial=3))[0]


@pytest.mark.parametrize("given", ["sweep.toml", {"study": {"name": "t"}}])
def test_a_sweep_of_no_configuration(given: Any) -> None:
    with pytest.raises(ConfigError, match=r"is no SweepConfig; use Sweep\.from_toml\(path\)"):
        Sweep(given)


@pytest.mark.parametrize("given", ["ollama", object(), [object()]])
def test_an_engine_that_is_none(tmp_path: Path, given: Any) -> None:
    with pytest.raises(ConfigError, match="is no open engine; name it in the configuration"):
        Sweep(load_config(write_sweep(tmp_path)), engine=given)


@pytest.mark.parametrize("given", ["cases", []])
def test_cases_that_are_none(tmp_path: Path, given: Any) -> None:
    with pytest.raises(ConfigError, match="must be a list with at least one Case"):
        run(write_sweep(tmp_path), cases=given)
    assert not (tmp_path / "mlruns" / "ledger.db").exists()
