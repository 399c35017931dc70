"""`sweeps diff`: what two studies have in common, what differs, and studies that cannot be compared."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from objectives.case import Case
from sweeps import SweepResult, diff_studies, load_result
from sweeps.cli import run_command
from sweeps.fingerprints.fingerprint import Fingerprint
from sweeps.results.study_diff import StudiesDifferError
from tests.sweeps.sweep_files import run, write_sweep


@pytest.fixture(scope="module")
def two(finished: Path) -> tuple[SweepResult, SweepResult]:
    """Two studies of one sweep that differ in the study's seed alone."""
    return load_result(finished / "mlruns", "other"), load_result(finished / "mlruns", "t")


def with_baseline_scores(result: SweepResult, change: float) -> SweepResult:
    """The study with other scores of its baseline."""
    rows = [
        {**row, "score": row["score"] + change} if row["configuration"] == result.baseline.key else row
        for row in result.rows
    ]
    return replace(result, rows=rows)


def with_record(result: SweepResult, **changes: object) -> SweepResult:
    return replace(result, stored=replace(result.stored, record=replace(result.stored.record, **changes)))


def test_equal_sweeps_have_baselines_without_a_difference_and_one_answer_each(two) -> None:
    found = diff_studies(*two)
    verdict = found.baselines.verdict
    assert verdict is not None
    assert verdict.outcome == "not distinguishable"
    assert verdict.ci_low < 0 < verdict.ci_high
    assert found.baselines.options == found.hosts == found.settings == ()
    assert found.baselines.sentence.startswith("The baseline of t")
    assert found.answers == (two[0].use_now.text, two[1].use_now.text)
    means = [each.observations.query("trial == -1").groupby("case")["score"].mean().mean() for each in two]
    assert verdict.effect == pytest.approx(means[1] - means[0])
    assert diff_studies(*two, margin=0.9).baselines.verdict.outcome == "equivalent"


def test_a_baseline_that_moved_is_found_with_its_size(two) -> None:
    lower = with_baseline_scores(two[0], -0.05)
    lower = replace(lower, rows=[{**row, "score": max(0.0, row["score"] / 8)} for row in lower.rows])
    found = diff_studies(lower, two[1])
    assert found.baselines.verdict.outcome == "better"
    assert found.baselines.verdict.effect > 0.1
    assert found.finalists.sentence.endswith(
        " The baselines differ as well, with the same options: so something else changed between the studies, and this"
        " difference has it in it."
    )
    assert "baselines" not in diff_studies(*two).finalists.sentence


def test_the_same_texts_are_counted_and_prove_nothing(two) -> None:
    found = diff_studies(two[1], two[1])
    assert found.baselines.verdict.effect == 0
    assert found.baselines.verdict.outcome == "not distinguishable"
    texts = two[1].observations.query("trial == -1")[["case", "seed", "text_sha256"]].drop_duplicates()
    assert found.baselines.shared == len(texts)


def test_options_of_the_finalists_and_fields_of_the_fingerprints_are_listed(two) -> None:
    (name, models), *_ = two[1].hosts.items()
    facts = {part: dict(fields) for part, fields in models["scripted"].facts.items()}
    facts["engine"]["version"], facts["host"]["label"] = "9.9", "wk-01"
    record = {name: {"scripted": json.loads(Fingerprint(facts).to_json())}}
    found = diff_studies(two[0], with_record(two[1], hosts=record))
    (version,) = [
        change for change in found.hosts if change.what == "wk-01: engine.version" or "version" in change.what
    ]
    assert (version.what.rpartition(": ")[2], version.b, version.numeric) == ("engine.version", "9.9", True)
    assert found.hosts[0] == version  # what can change the numbers comes first
    one, other = (each.finalist.configuration.values for each in two)
    assert {each.what for each in found.finalists.options} == {key for key in one if one[key] != other.get(key)}


def test_the_command_takes_names_and_folders(finished: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = str(finished / "mlruns")
    assert run_command(["diff", "other", "t", "--mlruns", folder]) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "A other: " in out
    assert "baselines: no difference found. The baseline of t" in out
    assert "options of the baselines: the same" in out
    assert run_command(["diff", f"{folder}:other", f"{folder}:t", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["a"]["study"], found["b"]["study"]) == ("other", "t")
    assert found["baselines"]["verdict"]["outcome"] == "not distinguishable"
    assert run_command(["diff", "other", "nothing", "--mlruns", folder]) == 2
    assert "no study 'nothing'" in capsys.readouterr().err


def test_studies_of_other_cases_or_scores_are_refused(two) -> None:
    first = two[1].cases[0]
    fewer = replace(two[1], cases=two[1].cases[1:])
    with pytest.raises(StudiesDifferError, match=rf"have other cases: only one of them has {first.name}"):
        diff_studies(two[0], fewer)
    other: Case = replace(first, log=first.log + " more")
    with pytest.raises(StudiesDifferError, match=f"other rubrics or logs of {first.name}"):
        diff_studies(two[0], replace(two[1], cases=[other, *two[1].cases[1:]]))
    with pytest.raises(StudiesDifferError, match="score with other objectives"):
        diff_studies(two[0], with_record(two[1], objective_digest="0" * 64))


def test_without_finalists_the_baselines_are_compared(two) -> None:
    assert diff_studies(two[0], with_record(two[1], finalists=None)).finalists is None


def test_a_confirmation_that_a_look_ended_early_is_named(tmp_path: Path, two) -> None:
    """Where looks end half of the confirmations early, equal finalists differ in .06 to .07 of simulated pairs."""
    early = run(write_sweep(tmp_path, budget={"generations": 300}, engine={"options": {"noise": 0.03}}))
    assert early.verdict is not None
    assert early.verdict.ended_early
    found = diff_studies(early, early)
    assert found.finalists is not None
    assert found.finalists.sentence.endswith(
        " A look ended the confirmation of A and that of B early, as happens to gains that came out large: part of a"
        " difference may be that luck."
    )
    assert "A look ended" not in diff_studies(*two).finalists.sentence
