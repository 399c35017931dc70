"""Limits in whole sweeps: what the finalist keeps or breaks, and what people, files and MLflow get of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from analysis.export.formats import ExportError
from sweeps.engines.scripted.engine import ScriptedEngine, demo_surface
from sweeps.errors import ConfigError
from sweeps.results.reader import load_result
from sweeps.results.report_files import report_data
from sweeps.results.result import SweepResult
from tests.sweeps.sweep_files import optuna_trials, run, steady, write_sweep

# Each text says a share of a case's items, so that words and score rise together; the best set writes about 26 words.
WORDS = 17


def sweep(folder: Path, **constraints: Any) -> SweepResult:
    changes = {"search": {"sampler": "gp"}, "budget": {"generations": 160}, "engine": {"options": {"noise": 0.05}}}
    changes["objective"] = {"score": "counted"}  # the engine's texts are made for whole items
    return run(write_sweep(folder, constraints=constraints, **changes), report=True)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("limits")


@pytest.fixture(scope="module")
def careful(home: Path) -> SweepResult:
    return sweep(home / "careful", words=WORDS, cut_off=0.5)


@pytest.fixture(scope="module")
def careless(home: Path) -> SweepResult:
    """A search that heeds the limit next to not at all, so that its finalist breaks it."""
    return sweep(home / "careless", words=WORDS, weight=1e-6)


@pytest.mark.slow
def test_a_finalist_within_the_limits_is_found_and_recommended(careful: SweepResult, careless: SweepResult) -> None:
    assert careful.finalist is not None
    table = careful.constraints.set_index("constraint")
    assert table.loc["words", "finalist_mean"] <= WORDS < careless.constraints["finalist_mean"].iloc[0]
    assert table.loc["cut_off", "finalist_mean"] == 0.0
    assert careful.broken == []
    assert careful.verdict is not None
    assert careful.verdict.outcome == "better"
    assert careful.recommended == careful.finalist.configuration
    assert careful.exportable
    assert sorted(path.name for path in careful.folder.glob("production.*")) != []


def test_the_mean_is_that_of_the_confirmation_by_hand(careful: SweepResult) -> None:
    assert careful.finalist is not None
    fresh = careful.observations[careful.observations["stage"] == "confirm"]
    own = fresh[fresh["configuration"] == careful.finalist.configuration.key]
    by_case = own.groupby("case")["words"].mean()
    assert careful.constraints["finalist_mean"].iloc[0] == pytest.approx(by_case.mean())


def test_optuna_is_told_the_penalised_score_and_keeps_the_score(careful: SweepResult, home: Path) -> None:
    penalties = 0
    for number, _, value, _, notes in optuna_trials(home / "careful/mlruns"):
        rows = careful.observations[
            (careful.observations["stage"] == "explore") & (careful.observations["trial"] == number)
        ]
        seeds = rows["seed"].unique()[: careful.plan.seeds]
        rows = rows[rows["seed"].isin(seeds)]
        words = rows.groupby("case")["words"].mean().mean()
        assert notes["score"] == pytest.approx(rows.groupby("case")["score"].mean().mean())
        assert notes["constraints"]["words"] == pytest.approx(words)
        assert value == pytest.approx(notes["score"] - max(0.0, words / WORDS - 1))
        penalties += value < notes["score"]
    assert penalties > 0


def test_a_finalist_that_breaks_a_limit_is_not_recommended_and_exported_by_force_only(
    careless: SweepResult, tmp_path: Path
) -> None:
    assert careless.verdict is not None
    assert careless.verdict.outcome == "better"  # the verdict is about the score
    assert careless.shown_better
    assert not careless.exportable
    assert careless.recommended == careless.baseline
    (sentence,) = careless.broken
    assert sentence.startswith("breaks words: ")
    assert sentence.endswith(" on average, limit 17")
    assert list(careless.folder.glob("*.env")) == []
    with pytest.raises(ExportError, match=r"breaks words: .* limit 17; export it anyway with --force"):
        careless.export(out=tmp_path)
    env, _, _ = (path.read_text() for path in careless.export(["env", "toml"], out=tmp_path, force=True))
    assert env.startswith("# BEYOND A LIMIT, exported by force: breaks words: ")
    body = json.loads(careless.export(["json"], out=tmp_path, force=True)[0].read_text())
    assert body["warning"].startswith("BEYOND A LIMIT")
    assert body["provenance"]["broken"] == [sentence]
    assert body["provenance"]["forced"] is True


def test_report_and_note_say_so(careless: SweepResult, careful: SweepResult) -> None:
    page, note = ((careless.folder / name).read_text() for name in ("report.html", "note.md"))
    assert f"The finalist {careless.broken[0]}; so it is not recommended" in page
    assert "Keep your current settings" in page
    assert 'id="limits"' in page
    assert 'id="pareto"' in page
    assert f"**Keep your current settings: the finalist scores better, but {careless.broken[0]}**" in note
    assert "| limits | words " in note
    within = (careful.folder / "report.html").read_text()
    assert "Use the new settings" in within
    assert "not recommended;" not in within


def test_a_check_names_the_limits(tmp_path: Path) -> None:
    from sweeps.check.checker import check_sweep

    report = check_sweep(write_sweep(tmp_path, constraints={"words": WORDS, "cut_off": 0.1}), mlruns=tmp_path)
    assert report.rows[0].found.endswith("; limits: words 17, cut_off 10%")


def test_mlflow_is_told_what_became_of_the_limits(careless: SweepResult) -> None:
    from sweeps.tracking.logbook import _limits_of
    from sweeps.tracking.run_tags import split_verdict

    assert careless.verdict is not None
    _, words = split_verdict(careless.verdict.as_dict() | _limits_of(careless, careless.verdict.configuration))
    assert words["verdict"] == "better"
    assert json.loads(words["verdict.limits"]) == {"words": careless.broken[0]}


def test_the_command_line_tells_of_limits(careless: SweepResult, capsys: pytest.CaptureFixture[str]) -> None:
    from sweeps.cli import run_command

    where = ["--mlruns", str(careless.directory)]
    assert run_command(["judge", *where]) == 0
    printed = capsys.readouterr().out
    assert "the finalist is" in printed
    assert f"the finalist {careless.broken[0]}; so it is not recommended" in printed
    assert run_command(["judge", *where, "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert (record["verdict"], record["recommended"]) == ("better", "baseline")
    assert record["use_now"]["settings"] == "current"
    assert record["broken"] == careless.broken
    assert [(check["constraint"], check["status"]) for check in record["constraints"]] == [("words", "broken")]
    assert record["baseline_constraints"][0]["status"] == "kept"
    assert run_command(["export", *where]) == 2
    assert "--force" in capsys.readouterr().err


def test_the_status_of_a_finalist_beyond_a_limit_says_so(
    careless: SweepResult, careful: SweepResult, capsys: pytest.CaptureFixture[str]
) -> None:
    from sweeps.cli import run_command

    assert run_command(["status", careless.name, "--mlruns", str(careless.directory)]) == 0
    printed = capsys.readouterr().out
    assert "better, beyond a limit" in printed
    assert f"the finalist {careless.broken[0]}; so it is not recommended" in printed
    assert run_command(["status", careful.name, "--json", "--mlruns", str(careful.directory)]) == 0
    assert json.loads(capsys.readouterr().out)["beyond_limits"] == []


def test_no_gate_passes_a_finalist_that_breaks_a_limit(
    careless: SweepResult, careful: SweepResult, gate: Callable[..., Any], capsys: pytest.CaptureFixture[str]
) -> None:
    from sweeps.cli import run_command

    where = ["--mlruns", str(careless.directory)]
    assert run_command(["judge", "--expect", "better", "--expect", "equivalent", *where]) == 1
    told = capsys.readouterr().err
    assert "expected better or equivalent, which is not the verdict on the finalist: better, but breaks words:" in told
    assert run_command(["judge", "--expect", "better", "--mlruns", str(careful.directory)]) == 0
    with pytest.raises(pytest.fail.Exception, match=r"It is better, but breaks words: .*; so it is not recommended"):
        gate(mlruns=careless.directory)
    assert gate(mlruns=careful.directory).outcome == "better"


def test_a_baseline_that_breaks_a_limit_is_told_of_at_once_and_in_the_end(tmp_path: Path) -> None:
    from tests.sweeps.scripted_sweeps import Listener

    listener = Listener()
    result = run(write_sweep(tmp_path, constraints={"words": 3}), progress=listener)
    told = [text for text, warning in listener.notes if warning and text.startswith("the baseline breaks words: ")]
    assert len(told) == 1
    assert any(note.startswith("the baseline breaks words: ") for note in report_data(result).notes)


def test_limits_hold_on_resume_and_other_limits_are_another_study(tmp_path: Path) -> None:
    from objectives import load_cases

    path = write_sweep(tmp_path, constraints={"words": WORDS})

    def interrupt(_: float) -> None:
        if stopping.counts.calls == 45:
            raise KeyboardInterrupt

    stopping = ScriptedEngine(
        load_cases(tmp_path / "cases"), surface=demo_surface, noise=0.1, delay=1e-9, sleep=interrupt
    )
    with pytest.raises(KeyboardInterrupt):
        run(path, engine=stopping)
    resumed = run(path)
    (tmp_path / "whole").mkdir()
    whole = run(path, directory=tmp_path / "whole")
    assert steady(resumed.observations) == steady(whole.observations)
    assert resumed.constraints.equals(whole.constraints)
    with pytest.raises(ConfigError, match=r"constraints\.words: stored 17\.0, now 20\.0"):
        run(write_sweep(tmp_path, constraints={"words": 20}))


def test_words_are_those_of_the_whole_text_where_only_the_first_are_scored(tmp_path: Path) -> None:
    result = run(write_sweep(tmp_path, objective={"budget_words": 2}))
    texts = result.texts["text"].str.replace(".", "", regex=False).str.split().str.len()
    assert result.observations["words"].sum() == texts.sum() > 2 * len(texts)


def test_the_pareto_set_of_a_sweep(careful: SweepResult) -> None:
    table = careful.pareto
    assert set(table["configuration"]) <= set(careful.configurations)
    assert table["score"].is_monotonic_increasing
    assert careful.finalist is not None
    confirmed_keys = {careful.baseline.key, careful.finalist.configuration.key}
    assert set(table.loc[table["confirmed"].astype(bool), "configuration"]) <= confirmed_keys
    again = load_result(careful.directory)
    assert again.pareto.equals(table)
    assert report_data(careful).expected is careful.expected  # the report's plot and table are of the same rows
