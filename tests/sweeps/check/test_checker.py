"""The check of a sweep, part by part."""

import json
import shutil
import sqlite3

import pytest

from analysis import PRIOR_NOISE_SD, mde
from sweeps.check.checker import check_sweep
from sweeps.cli.check import show
from sweeps.config.file import load_config
from sweeps.engines.scripted.engine import Fault, ScriptedEngine
from sweeps.ledger.ledger import Ledger
from sweeps.scoring.inputs import load_inputs
from sweeps.workspace.workspace import Workspace
from tests.doubles.ollama import OllamaDouble
from tests.sweeps.sweep_files import run, write_sweep


def check(path, **options):
    return check_sweep(path, mlruns=path.parent / "mlruns", **options)


def beside_a_copy(folder, finished, **changes):
    """A sweep's file beside a copy of a finished study, on the study's engine."""
    shutil.copytree(finished.directory, folder / "mlruns")
    return write_sweep(folder, engine={"options": {"cases": str(finished.directory.parent / "cases")}}, **changes)


def row(report, name):
    (found,) = [row for row in report.rows if row.name == name]
    return found


def scripted(path, **settings):
    return ScriptedEngine(load_inputs(load_config(path))[0], noise=0.1, **settings)


def stop(path, lose=""):
    """Turn a finished study into one that was stopped, without the observations of a stage."""
    ledger = Ledger(Workspace.at(path.parent / "mlruns").ledger)
    ledger.studies.update("t", status="stopped")
    ledger.close()
    with sqlite3.connect(path.parent / "mlruns" / "ledger.db") as database:
        database.execute("DELETE FROM observations WHERE stage = ?", [lose])
    database.close()


class TestReady:
    def test_two_values_that_may_be_meant_as_a_range_are_named(self, tmp_path):
        space = {"temperature": [0.1, 1.2], "top_p": [0.5, 0.7, 0.9], "top_k": [20, 40]}
        found = row(check(write_sweep(tmp_path, space=space)), "file")
        assert found.state == "ready"
        assert found.todo == (
            "only two values of temperature are tried; to search between them: temperature = { low = 0.1, high = 1.2 }"
        )

    @pytest.mark.parametrize(("fault", "columns"), [({}, 3), ({"space": {"temperature": [0.1, 1.2]}}, 4)])
    def test_a_column_without_content_is_left_out(self, tmp_path, capsys, fault, columns):
        show(check(write_sweep(tmp_path, **fault)), tmp_path)
        assert ("what to do" in capsys.readouterr().out) == (columns == 4)

    def test_all_parts_are_ready_and_told(self, tmp_path):
        report = check(write_sweep(tmp_path))
        assert report.state == "ready", report.rows
        assert [row.name for row in report.rows] == [
            "file", "cases", "engine", "hosts", "baseline", "study",
            "capacity", "options", "answers", "budget", "time", "precision",
        ]  # fmt: skip
        assert row(report, "file").todo == ""
        assert json.loads(json.dumps(report.as_dict()))["state"] == "ready"
        assert report.probes["top_p"]["scripted"].verdict == "alive"

    def test_every_value_has_its_source(self, tmp_path):
        report = check(write_sweep(tmp_path))
        options = {option.name: option for option in report.options}
        assert (options["temperature"].value, options["temperature"].source) == (1.2, "file")
        assert (options["num_ctx"].value, options["num_ctx"].source) == (4096, "ours")
        assert (options["temperature"].searched, options["temperature"].verdict) == ("0.1 .. 1.2", "alive")
        assert options["top_k"].searched == ""

    def test_the_answers_are_the_floors_first_and_are_not_made_again(self, tmp_path):
        path = write_sweep(tmp_path)
        engine = scripted(path)
        check(path, engine=engine)
        seed = load_config(path).study.seed
        made = [r for r in engine.requests if "Log of case" in r.prompt.user and r.options["num_predict"] != 1]
        assert [r.options["seed"] for r in made] == [seed] * 3
        before = engine.counts.calls
        run(path, engine=engine)
        again = [r for r in engine.requests[before:] if r.options["num_predict"] != 1 and r.options["seed"] == seed]
        assert again == []

    def test_a_second_check_generates_no_answer(self, tmp_path):
        path = write_sweep(tmp_path)
        check(path)
        report = check(path)
        assert "3 from the ledger" in row(report, "answers").found
        assert "probed earlier" in row(report, "options").found
        assert report.time.seconds > 0

    def test_the_smallest_gain_is_the_analysis_own(self, tmp_path):
        report = check(write_sweep(tmp_path))
        assert report.noise_sd == PRIOR_NOISE_SD
        assert report.mde == pytest.approx(mde(PRIOR_NOISE_SD, cases=3, seeds=report.plan.confirm_seeds))

    def test_a_measured_floor_takes_the_place_of_the_assumption(self, tmp_path, plain_study):
        report = check(beside_a_copy(tmp_path, plain_study, study={"name": "next"}))
        assert report.noise_sd == pytest.approx(plain_study.floor.sd)
        assert "floor of study 't'" in row(report, "precision").found

    def test_a_study_that_is_done_costs_nothing_and_one_that_stopped_its_rest(self, tmp_path, plain_study, capsys):
        path = beside_a_copy(tmp_path, plain_study)
        generations = len(plain_study.observations)
        report = check(path)
        assert report.state == "ready"
        assert "is done; to run it again generates nothing" in row(report, "study").found
        assert row(report, "time").found.startswith(f"none: the study is done, and its {generations} generations")
        assert "precision" not in [each.name for each in report.rows]
        assert (report.done, report.kept, report.time, report.as_dict()["kept"]) == (
            True,
            generations,
            None,
            generations,
        )
        show(report, path.parent / "mlruns")
        assert "the study is done; see its verdict with: sweeps judge t --mlruns" in capsys.readouterr().out
        stop(path, lose="confirm")
        report = check(path)
        floor, explore = report.plan.floor, report.plan.explore
        assert report.kept == floor + explore
        assert f"{floor + explore} of them are kept already" in row(report, "budget").found
        assert report.time.generations == report.plan.confirm
        assert f"{report.plan.confirm} generations" in row(report, "time").found

    def test_a_default_that_moved_is_noted(self, tmp_path):
        with OllamaDouble() as server:
            path = write_sweep(
                tmp_path,
                engine={"kind": "ollama", "host": server.url, "options": None},
                baseline={"model": "smollm2:135m", "temperature": 0.8},
            )
            notes = {option.name: option.note for option in check(path).options}
        assert "1.1 before" in notes["repeat_penalty"]
        assert notes["temperature"] == notes["min_p"] == ""

    def test_values_that_a_path_does_not_pass_on_are_noted(self, tmp_path):
        with OllamaDouble() as server:
            path = write_sweep(
                tmp_path,
                engine={"kind": "openai", "host": server.url, "options": None},
                baseline={"model": "smollm2:135m", "top_k": 20},
            )
            notes = {option.name: option.note for option in check(path).options}
        assert "not sent" in notes["top_k"]
        assert notes["temperature"] == ""


class TestWarnings:
    def test_inert_options_are_a_warning_and_strict_blocks(self, tmp_path):
        path = write_sweep(tmp_path, engine={"options": {"inert": ["top_p"]}})
        report = check(path)
        assert report.state == "warning"
        assert "space.top_p is dropped" in row(report, "options").found
        assert {option.name: option.verdict for option in report.options}["top_p"] == "inert"
        strict = check(path, strict=True)
        assert strict.state == "blocked"
        assert strict.rows[-1].name == "options"

    def test_room_for_the_prompt_but_not_for_the_answer(self, tmp_path):
        path = write_sweep(tmp_path, baseline={"num_ctx": 256, "num_predict": 250})
        assert row(check(path), "capacity").state == "warning"

    def test_cut_off_answers(self, tmp_path):
        found = row(check(write_sweep(tmp_path, baseline={"num_predict": 3})), "answers")
        assert found.state == "warning"
        assert "cut off at num_predict 3" in found.found
        assert "raise num_predict" in found.todo

    def test_empty_answers_block_since_the_sweep_would_stop_after_the_floor(self, tmp_path):
        path = write_sweep(tmp_path, search={"probe": False})
        found = row(check(path, engine=scripted(path, faults=[Fault("empty")])), "answers")
        assert (found.state, "3 empty" in found.found) == ("blocked", True)

    @pytest.mark.parametrize(
        ("space", "advice"),
        [
            ({"top_k": [5, 60]}, "to leave time for the confirmation"),
            ({"num_ctx": [1024, 2048], "top_k": [5, 60]}, "fewer values of num_ctx, under another study.name"),
        ],
    )
    def test_minutes_that_do_not_suffice_any_more(self, tmp_path, space, advice, monkeypatch):
        path = write_sweep(tmp_path, space=space, search={"probe": False}, budget={"generations": 60, "minutes": 2})
        run(path)
        stop(path)
        assert row(check(path), "time").state == "ready"
        monkeypatch.setattr("sweeps.budget.pace.prefill_rate", lambda warmups: 10.0)  # seconds per token of a prompt
        found = row(check(path), "time")
        assert found.state == "warning"
        assert "its plan takes longer than budget.minutes 2 by now: the exploration will end early" in found.todo
        assert advice in found.todo

    def test_minutes_are_planned_with_loads_and_prompts(self, tmp_path, monkeypatch):
        path = write_sweep(tmp_path, search={"probe": False}, budget={"generations": None, "minutes": 2})
        fast = check(path)
        assert fast.time.seconds <= 120
        monkeypatch.setattr("sweeps.budget.pace.prefill_rate", lambda warmups: 0.02)
        slow = check(path)
        assert 110 < slow.time.seconds <= 120
        assert slow.plan.total < fast.plan.total
        monkeypatch.setattr("sweeps.budget.pace.prefill_rate", lambda warmups: 10.0)
        found = row(check(path), "budget")
        assert found.state == "blocked"
        assert "budget.minutes: 2 is too small for 3 cases" in found.found

    def test_one_case_is_one(self, tmp_path):
        report = check(write_sweep(tmp_path, cases=1, budget={"generations": 100}))
        assert row(report, "cases").found.startswith("1 case with 6 items")
        assert row(report, "answers").found.startswith("1 case answered")
        assert "floor 1 case x 4 seeds" in row(report, "budget").found

    def test_a_gain_that_the_budget_cannot_see(self, tmp_path):
        path = write_sweep(tmp_path, verdict={"min_gain": 0.01})
        found = row(check(path), "precision")
        assert found.state == "warning"
        assert "budget.generations = " in found.todo
        assert "study.name" not in found.todo
        assert row(check(path, strict=True), "precision").state == "warning"  # strict is about options that do nothing


class TestBlocked:
    def test_a_file_that_is_wrong(self, tmp_path):
        path = write_sweep(tmp_path, baseline={"temprature": 1})
        report = check(path)
        assert report.state == "blocked"
        assert [row.name for row in report.rows] == ["file"]
        assert "temprature" in report.rows[0].found

    def test_no_server(self, tmp_path):
        path = write_sweep(tmp_path, engine={"kind": "ollama", "host": "127.0.0.1:9", "options": None})
        path.write_text(path.read_text().replace('"kind" = "ollama"', '"kind" = "ollama", "options" = {attempts = 1}'))
        report = check(path)
        assert (report.state, report.rows[-1].name) == ("blocked", "engine")
        assert "127.0.0.1:9" in report.rows[-1].found

    def test_a_model_that_is_not_there(self, tmp_path):
        with OllamaDouble() as server:
            path = write_sweep(
                tmp_path, engine={"kind": "ollama", "host": server.url, "options": None}, baseline={"model": "qwen:1b"}
            )
            report = check(path)
        assert report.state == "blocked"
        assert "smollm2:135m" in report.rows[-1].found

    def test_a_prompt_that_does_not_fit(self, tmp_path):
        path = write_sweep(tmp_path)
        engine = scripted(path)
        engine.count_tokens = lambda prompt, *, model, options: 5000
        assert row(check(path, engine=engine), "capacity").state == "blocked"

    def test_a_budget_that_holds_nothing(self, tmp_path):
        report = check(write_sweep(tmp_path, budget={"generations": 10}))
        assert (report.state, report.rows[-1].name) == ("blocked", "budget")

    def test_a_changed_study(self, tmp_path, plain_study):
        path = beside_a_copy(tmp_path, plain_study, baseline={"temperature": 0.9})
        assert "baseline.temperature" in row(check(path), "study").found
        assert row(check(path), "study").state == "blocked"

    def test_answers_that_fail(self, tmp_path):
        path = write_sweep(tmp_path, search={"probe": False})
        found = row(check(path, engine=scripted(path, faults=[Fault("option-refused")])), "answers")
        assert (found.state, "case c1" in found.found) == ("blocked", True)
        ledger = Ledger(tmp_path / "mlruns" / "ledger.db")
        assert len(ledger.generations.failures("t")) == 3
        ledger.close()
