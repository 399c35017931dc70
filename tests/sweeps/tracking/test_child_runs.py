"""Child runs of a sweep that runs again: the same runs, with the same numbers at the same steps."""

import json
import math
import os
import random
import sqlite3
from contextlib import closing

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweeps.config.tables import PromptTable
from sweeps.study.rescore import rescore_study
from sweeps.tracking.child_runs import ConfigurationRows
from sweeps.tracking.genai.prompt_versions import LINKED, PromptVersions
from sweeps.tracking.metric_steps import continuation, ordered
from sweeps.tracking.mlflow_tracker import Tracker
from tests.sweeps.sweep_files import run, write_sweep
from tests.sweeps.tracking.test_mlflow_tracker import BASELINE, CASES, TUNED, begin, children_of, client_of, rows

FLOOR = rows({"pump": [0.1, 0.3], "deploy": [0.5, 0.5]})
CONFIRM = rows({"pump": [0.2], "deploy": [0.4]}, stage="confirm", seed=50)
VERDICT = {"outcome": "better", "effect": 0.1, "margin": math.nan}


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    os.environ.pop("MLFLOW_TRACKING_URI", None)
    return tmp_path_factory.mktemp("store") / "mlruns"


@pytest.fixture
def study(request):
    return request.node.name


def contents(directory):
    """Everything that MLflow's database has of runs."""
    with closing(sqlite3.connect(directory / "mlflow.db")) as database:
        tables = ("runs", "metrics", "latest_metrics", "params", "tags")
        return {name: sorted(database.execute(f"SELECT * FROM {name}").fetchall(), key=repr) for name in tables}


def steps_of(tracker, run_id):
    return {point.step: point.value for point in client_of(tracker).get_metric_history(run_id, "score")}


def test_a_first_set_has_the_tag_of_its_origin_and_a_candidate_that_of_its_name():
    first = ConfigurationRows(0, TUNED, FLOOR, candidate="own parameters", origin="the model's own parameters")
    named = ConfigurationRows(0, TUNED, FLOOR, candidate="cool")
    assert (first.tags, named.tags) == ({"origin": "the model's own parameters"}, {"candidate": "cool"})


def test_trials_of_the_start_design_have_it_as_their_origin_unless_they_have_a_name(tmp_path):
    tracker = Tracker("s", tmp_path, candidates={BASELINE.key: "cool"}, start_trials=2)
    found = [tracker._rows_of(trial, TUNED, FLOOR, None, None).tags for trial in (-1, 0, 1, 2)]
    assert found == [{}, {"origin": "start design"}, {"origin": "start design"}, {}]
    assert tracker._rows_of(0, BASELINE, FLOOR, None, None).tags == {"candidate": "cool"}


@pytest.mark.usefixtures("no_report")
def test_a_setting_that_is_taken_back_leaves_no_tag(tmp_path):
    path = write_sweep(tmp_path)
    run(path, tracking=True)
    tracker = Tracker("t", tmp_path / "mlruns")

    def tags():
        client = client_of(tracker)
        experiment = client.get_experiment_by_name("t")
        (parent,) = client.search_runs([experiment.experiment_id], "tags.slm_sweeps.role = 'sweep'")
        return parent.data.tags

    before = tags()
    assert before["verdict.look_rescored"] == "false"
    rescore_study(tmp_path / "mlruns", "t", settings={"threshold": 0.3})
    assert tags()["config.objective.threshold"] == "0.3"
    rescore_study(tmp_path / "mlruns", "t", reset=True)
    after = tags()
    assert {name for name in after if name.startswith("config.")} == {n for n in before if n.startswith("config.")}
    assert after["config.budget.generations"] == "60"


def test_a_replay_of_a_finished_study_changes_nothing(directory, study):
    everything, configurations = pd.concat([FLOOR, CONFIRM]), {BASELINE.key: BASELINE}
    for again in range(3):
        tracker = Tracker(study, directory)
        begin(tracker)
        tracker.log_configuration(-1, BASELINE, FLOOR)
        tracker.log_configuration(-1, BASELINE, everything)
        assert tracker.sync(everything, configurations) == []
        tracker.finish(verdict=VERDICT, metrics={"floor_sd": 0.1}, html="<p>")
        assert tracker.warnings == []
        if not again:
            before = contents(directory)
    assert contents(directory) == before


def test_a_run_whose_process_was_killed_before_its_inputs_gets_them(directory, study):
    tracker = Tracker(study, directory)
    begin(tracker)
    child = tracker.log_configuration(-1, BASELINE, FLOOR)
    remove = "DELETE FROM inputs WHERE destination_id = ?"
    with closing(sqlite3.connect(directory / "mlflow.db")) as database, database:
        assert database.execute(remove, (child,)).rowcount == 1
        assert database.execute("DELETE FROM evaluation_dataset_tags WHERE key = 'slm_sweeps.cases'").rowcount
        assert database.execute("DELETE FROM evaluation_dataset_records").rowcount
    for _ in range(2):
        again = Tracker(study, directory)
        begin(again)
        assert again.log_configuration(-1, BASELINE, FLOOR) == child
        assert len(children_of(again)["baseline"].inputs.dataset_inputs) == 1
        with closing(sqlite3.connect(directory / "mlflow.db")) as database:
            assert database.execute("SELECT count(*) FROM evaluation_dataset_records").fetchone() == (len(CASES),)


def test_a_run_that_was_made_while_the_prompts_could_not_be_registered_is_linked_later(directory, study, monkeypatch):
    def refuse(_):
        raise OSError("the database may only be read")

    prompts = {BASELINE.prompt: PromptTable(user="Summarise:\n{log}")}
    with monkeypatch.context() as patch:
        patch.setattr(PromptVersions, "register", refuse)
        tracker = Tracker(study, directory, prompts=prompts)
        begin(tracker)
        child = tracker.log_configuration(-1, BASELINE, FLOOR)
    assert "the prompts were not registered" in tracker.warnings[0]
    assert LINKED not in children_of(tracker)["baseline"].data.tags
    again = Tracker(study, directory, prompts=prompts)
    begin(again)
    assert again.log_configuration(-1, BASELINE, FLOOR) == child
    assert json.loads(children_of(again)["baseline"].data.tags[LINKED])[0]["version"] == "1"


def test_a_new_verdict_ends_the_run_anew(directory, study):
    tracker = Tracker(study, directory)
    run_id = begin(tracker)
    tracker.finish(verdict=VERDICT)
    first = client_of(tracker).get_run(run_id).info.end_time
    again = Tracker(study, directory)
    begin(again)
    again.finish(verdict=VERDICT | {"effect": 0.2})
    after = client_of(tracker).get_run(run_id)
    assert after.info.end_time > first
    assert after.data.metrics["effect"] == 0.2


def test_a_resumed_sweep_that_stops_again_early_keeps_its_runs(directory, study):
    tracker = Tracker(study, directory)
    begin(tracker)
    child = tracker.log_configuration(-1, BASELINE, pd.concat([FLOOR, CONFIRM]))
    before = client_of(tracker).get_run(child).to_dictionary()
    again = Tracker(study, directory)
    begin(again)
    assert again.log_configuration(-1, BASELINE, FLOOR) == child
    again.kill()
    assert children_of(again)["baseline"].to_dictionary() == before


def test_a_request_that_failed_and_succeeds_later_adds_its_score(directory, study):
    tracker = Tracker(study, directory)
    begin(tracker)
    failed = rows({"deploy": [0.5, math.nan], "pump": [0.1]})
    child = tracker.log_configuration(-1, BASELINE, failed)
    assert steps_of(tracker, child) == {0: 0.5, 2: 0.1}
    mended = pd.concat([rows({"deploy": [0.5, 0.7], "pump": [0.1]}), CONFIRM])
    again = Tracker(study, directory)
    begin(again)
    assert again.log_configuration(-1, BASELINE, mended) == child
    assert steps_of(again, child) == {0: 0.5, 1: 0.7, 2: 0.1, 3: 0.4, 4: 0.2}
    assert list(children_of(again)) == ["baseline"]


def test_rows_that_sort_among_the_logged_ones_add_steps_after_them(directory, study):
    tracker = Tracker(study, directory)
    begin(tracker)
    first = rows({"deploy": [0.5], "pump": [0.1]}, configuration=TUNED, trial=4, stage="explore")
    more = rows({"deploy": [0.6], "pump": [0.2]}, configuration=TUNED, trial=4, stage="explore", seed=30)
    child = tracker.log_configuration(4, TUNED, first)
    both = pd.concat([first, more])
    assert tracker.log_configuration(4, TUNED, both) == child
    assert steps_of(tracker, child) == {0: 0.5, 1: 0.1, 2: 0.6, 3: 0.2}
    before = client_of(tracker).get_run(child).to_dictionary()
    again = Tracker(study, directory)  # a process that has to read the order from the store
    begin(again)
    again.log_configuration(4, TUNED, first)
    again.log_configuration(4, TUNED, both)
    assert again.sync(both, {TUNED.key: TUNED}) == []
    assert client_of(tracker).get_run(child).to_dictionary() == before
    assert steps_of(again, child) == {0: 0.5, 1: 0.1, 2: 0.6, 3: 0.2}


@pytest.mark.parametrize(
    "now",
    [FLOOR, pd.concat([FLOOR, CONFIRM]).assign(score=0.9), FLOOR.assign(score=math.nan)],
    ids=["gone", "scored anew", "without scores"],
)
def test_rows_that_are_gone_or_scored_anew_replace_the_run(directory, now):
    tracker = Tracker(f"contradiction {id(now)}", directory)
    begin(tracker)
    child = tracker.log_configuration(-1, BASELINE, pd.concat([FLOOR, CONFIRM]))
    assert tracker.sync(now, {BASELINE.key: BASELINE}) == []
    found = children_of(tracker)["baseline"].info.run_id
    assert found != child
    assert sorted(steps_of(tracker, found).values()) == sorted(now["score"].dropna())


def test_a_run_whose_table_is_gone_is_replaced_only_when_its_rows_differ(directory, study):
    tracker = Tracker(study, directory)
    begin(tracker)
    child = tracker.log_configuration(-1, BASELINE, FLOOR)
    again = Tracker(study, directory)
    begin(again)
    (directory / "artifacts" / child / "artifacts" / "observations.json").unlink()
    configurations = {BASELINE.key: BASELINE}
    assert again.sync(FLOOR, configurations) == []
    assert children_of(again)["baseline"].info.run_id == child
    again.sync(FLOOR.assign(score=0.2), configurations)
    assert children_of(again)["baseline"].info.run_id != child


@given(st.integers(1, 20), st.integers(0, 20), st.randoms(use_true_random=False))
def test_a_continuation_moves_no_step(count, more, chance: random.Random):
    everything = rows({"pump": [chance.random() for _ in range(count + more)]})
    logged = everything.sample(n=count, random_state=chance.randrange(1000), ignore_index=True)
    lost = [chance.random() < 0.3 for _ in range(count)]
    found = continuation(logged.assign(score=logged["score"].mask(lost)), ordered(everything))
    assert found is not None
    after, late = found
    assert list(after["seed"].head(count)) == list(logged["seed"])
    assert sorted(after["seed"]) == sorted(everything["seed"])
    assert late == [step for step in range(count) if lost[step]]
