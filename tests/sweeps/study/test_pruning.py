"""Trials that lose their other cases, since they are hopeless."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from objectives import load_cases
from sweeps.budget.allocation import plan_for
from sweeps.budget.plan import Plan, plan_text
from sweeps.config.file import load_config
from sweeps.doctor.optuna_trials import difference
from sweeps.engines.scripted.engine import ScriptedEngine, demo_surface
from sweeps.errors import ConfigError
from sweeps.ledger.ledger import Ledger
from sweeps.ledger.study_record import StudyRecord
from sweeps.results.reader import load_result
from sweeps.results.result import SweepResult
from sweeps.search.trial import TrialResult
from sweeps.study.identity import StudyChangedError
from sweeps.study.pruning import LEAST_CASES, Pruning
from tests.sweeps.sweep_files import optuna_trials, run, steady, write_sweep

SETTINGS: dict[str, Any] = {
    "cases": 6,
    "space": {"temperature": [0.1, 0.5, 0.9, 1.3], "top_p": [0.3, 0.6, 0.9], "repeat_penalty": [1.0, 1.2, 1.4]},
    "budget": {"generations": 250, "seeds": "auto"},
    "search": {"sampler": "gp", "prune": True},
}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("pruning")


@pytest.fixture(scope="module")
def clean(home: Path) -> SweepResult:
    return run(write_sweep(home, **SETTINGS))


def test_a_hopeless_trial_has_the_cases_of_its_record_and_no_others(clean: SweepResult) -> None:
    pruned, rows = clean.stored.record.pruned, clean.stage("explore")
    assert pruned, "no trial was hopeless"
    assert clean.plan.prune
    assert "fewer if it is hopeless" in plan_text(clean.plan)
    names = [case.name for case in clean.cases]
    for number, own in rows.groupby("trial"):
        wanted = {names[index] for index in pruned.get(int(str(number)), range(6))}
        assert set(own["case"]) == wanted
        assert len(wanted) >= LEAST_CASES
    # the generations that they leave go to further trials
    assert clean.plan.trials < len(clean.proposals)
    assert clean.plan.explore - 6 < len(rows) <= clean.plan.explore


def test_optuna_has_it_as_pruned_with_its_score_without_the_cases_offsets(home: Path, clean: SweepResult) -> None:
    pruned = clean.stored.record.pruned
    states = {notes["number"]: (state, notes) for _, state, _, _, notes in optuna_trials(home / "mlruns")}
    assert {number for number, (state, _) in states.items() if state == "PRUNED"} == set(pruned)
    for number, cases in pruned.items():
        known = [index for index, score in enumerate(states[number][1]["case_scores"]) if score is not None]
        assert known == list(cases)
        assert states[number][1]["n"] == len(cases)
    assert difference(clean) == ""


def test_a_search_that_was_stopped_makes_the_same_decisions(tmp_path: Path, home: Path, clean: SweepResult) -> None:
    path, asked = write_sweep(tmp_path, **SETTINGS), 0
    last = max(clean.stored.record.pruned)
    before = clean.stage("explore")["trial"].lt(last).sum() + len(clean.stage("floor"))

    def interrupt(_: float) -> None:
        nonlocal asked
        asked += 1
        if asked == before:
            raise KeyboardInterrupt

    engine = ScriptedEngine(
        load_cases(tmp_path / "cases"), surface=demo_surface, noise=0.1, delay=1e-9, sleep=interrupt
    )
    with pytest.raises(KeyboardInterrupt):
        run(path, engine=engine)
    assert load_result(tmp_path / "mlruns", "t").stage("confirm").empty
    again = run(path)
    assert again.stored.record.pruned == clean.stored.record.pruned
    assert steady(again.observations) == steady(clean.observations)
    assert optuna_trials(tmp_path / "mlruns") == optuna_trials(home / "mlruns")


def test_only_a_search_that_predicts_scores_can_prune(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match='prune = true needs sampler = "gp", not "tpe"'):
        load_config(write_sweep(tmp_path, search={"sampler": "tpe", "prune": True}))


def test_only_the_search_with_a_start_design_has_a_kind_of_it(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match='start = "near" needs sampler = "gp", not "tpe"'):
        load_config(write_sweep(tmp_path, search={"sampler": "tpe", "start": "near"}))


def test_a_search_does_not_prune_unless_asked(tmp_path: Path) -> None:
    config = load_config(write_sweep(tmp_path, **SETTINGS | {"search": {"sampler": "gp"}}))
    assert not plan_for(config, cases=6, hosts=1).prune


def test_a_study_of_an_older_version_keeps_all_cases_and_its_start_design(tmp_path: Path) -> None:
    small: dict[str, Any] = SETTINGS | {"budget": {"generations": 120, "seeds": "auto"}, "search": {"sampler": "gp"}}
    before = run(write_sweep(tmp_path, **small | {"search": {"sampler": "gp", "start": "near"}}))
    path = write_sweep(tmp_path, **small)
    with closing(Ledger(tmp_path / "mlruns" / "ledger.db")) as ledger:
        stored = ledger.studies.get("t")
        assert stored is not None
        identity, plan = dict(stored.identity), dict(stored.record.plan)
        del identity["search.prune"], plan["prune"], identity["search.start"], plan["start"], plan["start_trials"]
        fresh: dict[str, Any] = {"finalists": None, "priors": {}, "confirmed": None, "looks": ()}
        ledger.studies.update("t", lambda record: replace(record, plan=plan, **fresh), identity=identity)
    with closing(sqlite3.connect(tmp_path / "mlruns" / "ledger.db")) as database, database:
        database.execute("DELETE FROM proposals WHERE number >= 4")  # as if it was killed in the start design
    again = run(path)
    assert again.proposals == before.proposals
    assert steady(again.observations) == steady(before.observations)
    assert not Plan.from_record(again.stored.record.plan).prune
    with pytest.raises(StudyChangedError, match=r'search\.start: stored "near", now "ends"'):
        run(write_sweep(tmp_path, **small | {"search": {"sampler": "gp", "start": "ends"}}))
    with pytest.raises(StudyChangedError, match=r"search\.prune: stored false, now true"):
        run(write_sweep(tmp_path, **small | {"search": {"sampler": "gp", "prune": True}}))


def test_the_first_decision_counts_for_all_coordinators() -> None:
    """A second coordinator, which would decide otherwise, takes the kept decision."""
    kept = StudyRecord(pruned={5: (0, 2)}, decided=(4, 1))

    class _Stages:
        record = StudyRecord()

        def update(self, change: Any) -> StudyRecord:
            return change(kept)  # type: ignore[no-any-return]

    class _Explorer:
        known = ()

        def chances(self, trials: Any) -> list[float]:
            return [0.0 if proposal.number == 4 else 0.9 for proposal, _ in trials]

    class _Proposal:
        def __init__(self, number: int) -> None:
            self.number = number

    stages: Any = _Stages()
    stages.measurer = type("_Measurer", (), {"cases": []})()
    pruning, batch = Pruning(stages, _Explorer()), [_Proposal(number) for number in (4, 5)]  # type: ignore[arg-type]
    pruning._decide(batch, 1, lambda _: TrialResult(0.5, 2, (0.5, 0.5), 0.1), {4: [], 5: []})  # type: ignore[arg-type]
    assert pruning.record == kept
    pruning._decide(batch, 2, lambda _: TrialResult(0.5, 3, (0.5, 0.5), 0.1), {4: [], 5: []})  # type: ignore[arg-type]
    assert pruning.record.decided == (4, 2)
    assert set(pruning.record.pruned) == {4, 5}
    assert StudyRecord.from_json(pruning.record.as_json() | {"plan": {}}) == pruning.record
