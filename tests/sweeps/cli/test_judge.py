"""`sweeps judge`, on studies and on tables."""

from __future__ import annotations

import csv
import json
import math
from pathlib import Path

import pytest

from sweeps.cli import run_command
from sweeps.results.reader import load_result
from sweeps.results.report_files import report_data
from tests.sweeps.cli.reading import VERDICT_KEYS, Capture, answer, text
from tests.sweeps.sweep_files import run, write_sweep


def test_judge_a_study(finished: Path, capsys: Capture) -> None:
    verdict = answer(capsys, "judge", "t", "--json", "--mlruns", finished / "mlruns")
    assert verdict.keys() >= VERDICT_KEYS
    assert verdict["verdict"] == "better"
    assert verdict["ci_low"] < verdict["effect"] < verdict["ci_high"]
    assert math.isclose(verdict["finalist_mean"] - verdict["baseline_mean"], verdict["effect"], abs_tol=1e-12)
    assert verdict["configuration"]["model"] == "scripted"
    assert verdict["n_per_arm"] == 9
    assert verdict["recommended"] == "finalist"
    assert verdict["use_now"]["settings"] == "new"
    assert verdict["use_now"]["text"].startswith("Use the new settings: temperature 1.2 → ")
    shown = text(capsys, "judge", "t", "--mlruns", finished / "mlruns")
    assert shown.splitlines()[0] == verdict["use_now"]["text"]
    assert "better:" in shown
    assert verdict["configuration_key"] not in shown  # a person reads `the finalist`
    wide = answer(capsys, "judge", "t", "--json", "--alpha", "0.001", "--mlruns", finished / "mlruns")
    assert wide["ci_low"] < verdict["ci_low"]


def test_judge_a_study_with_a_bar(finished: Path, capsys: Capture) -> None:
    found = answer(capsys, "judge", "t", "--bar", "0.6", "--k", "2", "--json", "--mlruns", finished / "mlruns")
    keys = [found["baseline_key"], found["configuration_key"]]
    reliable = found["reliability"]
    assert (reliable["bar"], reliable["k"]) == (0.6, 2)
    fresh = load_result(finished / "mlruns", "t").stage("confirm")
    for key in keys:
        own = fresh[fresh["configuration"] == key]
        share = (own["score"] >= 0.6).groupby(own["case"]).mean()
        assert reliable["means"][key]["share"] == pytest.approx(share.mean())
        assert {row["case"]: row["share"] for row in reliable["cases"][key]} == pytest.approx(share.to_dict())
    shown = text(capsys, "judge", "t", "--bar", "0.6", "--mlruns", finished / "mlruns")
    assert "reach 0.6 or more" in shown
    assert "pass^3" in shown
    assert "reliability" not in answer(capsys, "judge", "t", "--json", "--mlruns", finished / "mlruns")


def test_a_bar_for_any_table(tmp_path: Path, capsys: Capture) -> None:
    path = tmp_path / "seconds.csv"
    lines = [f"{arm},x,{seed},{seed * 10 + gain}" for arm, gain in (("a", 5), ("b", 0)) for seed in range(1, 7)]
    path.write_text("\n".join(["configuration,case,seed,score", *lines]) + "\n")
    flags = ("--baseline", "a", "--range", "0,100", "--lower-is-better", "--bar", "30")
    (found,) = answer(capsys, "judge", path, *flags, "--json")
    means = found["reliability"]["means"]
    assert [means[arm]["reached"] for arm in "ab"] == [2, 3]
    assert [means[arm]["pass_k"] for arm in "ab"] == [0.0, 1 / 20]
    assert "reach 30 or less" in text(capsys, "judge", path, *flags)
    for wrong in (("--bar", "101"), ("--bar", "nan"), ("--bar", "30", "--k", "0")):
        assert run_command(["judge", str(path), *flags[:5], *wrong]) == 2
    capsys.readouterr()
    assert run_command(["judge", str(path), "--baseline", "a", "--k", "2"]) == 2
    assert "--k belongs to --bar" in capsys.readouterr().err


def test_a_baseline_belongs_to_a_file(finished: Path, capsys: Capture) -> None:
    capsys.readouterr()
    assert run_command(["judge", "t", "--baseline", "other", "--mlruns", str(finished / "mlruns")]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "--baseline other: belongs to a file; study 't' is judged against its own baseline" in err
    own = load_result(finished / "mlruns", "t").baseline.key
    assert "better:" in text(capsys, "judge", "t", "--baseline", own, "--mlruns", finished / "mlruns")


def test_judge_names_finalists_and_baseline_in_words(tmp_path: Path, capsys: Capture) -> None:
    result = run(
        write_sweep(tmp_path, baseline={"temperature": 0.0}, confirm={"finalists": 2}, budget={"generations": 72})
    )
    shown = text(capsys, "judge", "--mlruns", tmp_path / "mlruns")
    for finalist in result.finalists:
        assert f"finalist (trial {finalist.number}): " in shown
        assert f": Trial {finalist.number} " in shown
    assert "The baseline is greedy" in shown
    assert not any(key in shown for key in result.configurations)
    assert "the finalist" not in shown


@pytest.mark.parametrize(
    ("gain", "expect", "code"),
    [(True, "better", 0), (True, "worse", 1), (False, "better", 1), (False, "not-distinguishable", 0)],
)
def test_expectations_are_exit_codes(
    finished: Path, null: Path, capsys: Capture, gain: bool, expect: str, code: int
) -> None:
    text(capsys, "judge", "--expect", expect, "--mlruns", (finished if gain else null) / "mlruns", code=code)


def test_judge_before_the_confirmation_is_complete_is_refused(copy: Path, capsys: Capture) -> None:
    import sqlite3

    with sqlite3.connect(copy / "mlruns/ledger.db") as connection:
        record = json.loads(connection.execute("SELECT record FROM studies WHERE name = 't'").fetchone()[0])
        del record["confirmed"]
        connection.execute(
            "UPDATE studies SET sha256 = NULL, record = ?, status = 'stopped' WHERE name = 't'", [json.dumps(record)]
        )
        connection.execute("DELETE FROM observations WHERE study = 't' AND stage = 'confirm' AND seed % 3 = 0")
    capsys.readouterr()
    assert run_command(["judge", "t", "--mlruns", str(copy / "mlruns")]) == 2
    assert "confirmation" in capsys.readouterr().err


def test_a_gain_after_studies_that_found_none_says_how_easily_luck_finds_one(copy: Path, capsys: Capture) -> None:
    import sqlite3

    def judged(verdict: str) -> None:
        with sqlite3.connect(copy / "mlruns/ledger.db") as connection:
            (text,) = connection.execute("SELECT record FROM studies WHERE name = 'other'").fetchone()
            record = json.loads(text)
            record["judged"]["verdict"] = verdict
            connection.execute(
                "UPDATE studies SET sha256 = NULL, record = ? WHERE name = 'other'", [json.dumps(record)]
            )

    judged("not distinguishable")
    note = "An earlier study of the same baseline and cases found no gain. In 2 such studies luck alone finds one with"
    shown = " ".join(text(capsys, "judge", "t", "--mlruns", copy / "mlruns").split())
    assert f"{note} a probability of up to 5%" in shown
    assert any(each.startswith(note) for each in report_data(load_result(copy / "mlruns", "t")).notes)
    assert note not in " ".join(text(capsys, "judge", "other", "--mlruns", copy / "mlruns").split())
    judged("better")
    assert note not in " ".join(text(capsys, "judge", "t", "--mlruns", copy / "mlruns").split())


def test_a_verdict_by_another_rubric_than_that_in_the_files_says_so(tmp_path: Path, capsys: Capture) -> None:
    run(write_sweep(tmp_path))
    where = ["--mlruns", str(tmp_path / "mlruns")]
    assert run_command(["judge", *where]) == 0
    assert "warning" not in capsys.readouterr().err
    rubric, log = tmp_path / "cases/c1.toml", tmp_path / "cases/c2.txt"
    rubric.write_text(rubric.read_text().replace("Carla owns", "Petra owns"))
    log.write_text(f"{log.read_text()} And more.")
    assert run_command(["judge", *where]) == 0
    told = " ".join(capsys.readouterr().err.split())
    assert "warning: these texts were scored by another rubric of c1 than the one in " in told
    assert "to score them by the files: sweeps rescore t --mlruns" in told
    assert "these texts were made from another log of c2 than the one in " in told
    for path in (rubric, log):
        path.unlink()
    assert run_command(["judge", *where]) == 0
    assert "warning" not in capsys.readouterr().err


def scores_file(folder: Path) -> Path:
    path = folder / "scores.csv"
    rows = [
        (c, case, seed, base + 0.01 * ((seed + j) % 5))
        for c, base in (("a", 0.3), ("b", 0.6))
        for j, case in enumerate("xy")
        for seed in range(5)
    ]
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([("configuration", "case", "seed", "score"), *rows])
    return path


def test_judge_any_table(tmp_path: Path, capsys: Capture) -> None:
    path = scores_file(tmp_path)
    (verdict,) = answer(capsys, "judge", path, "--baseline", "a", "--json")
    assert verdict["outcome"] == "better"
    assert math.isclose(verdict["effect"], 0.3, abs_tol=1e-9)
    assert verdict["n_per_arm"] == 10
    assert verdict["use_now"]["text"] == "Use b instead of a"
    assert text(capsys, "judge", path, "--baseline", "a").splitlines()[0] == "Use b instead of a"
    assert text(capsys, "judge", path, "--baseline", "b").splitlines()[0] == "Keep b: a is worse"
    text(capsys, "judge", path, "--baseline", "b", "--expect", "better", code=1)
    text(capsys, "judge", path, "--baseline", "b", "--expect", "worse")
    for either in (["worse", "equivalent"], ["equivalent", "worse"]):
        text(capsys, "judge", path, "--baseline", "b", *(f"--expect={each}" for each in either))
    text(capsys, "judge", path, "--baseline", "b", "--expect=better", "--expect=equivalent", code=1)


def test_every_configuration_of_a_table_must_be_as_expected_or_one_is_named(tmp_path: Path, capsys: Capture) -> None:
    path = scores_file(tmp_path)
    rows = path.read_text().splitlines()
    worse = [row.replace("b,", "c,", 1).replace("0.6", "0.1") for row in rows if row.startswith("b,")]
    lost = [",".join(["d", *row.split(",")[1:3], ""]) for row in rows if row.startswith("b,")]
    path.write_text("\n".join([*rows, *worse]))
    gate = ["judge", path, "--baseline", "a", "--expect", "better", "--expect", "equivalent"]
    text(capsys, *gate, code=1)
    text(capsys, *gate, "--finalist", "b")
    text(capsys, *gate, "--finalist", "c", code=1)
    assert run_command([str(each) for each in gate]) == 1
    assert "expected better or equivalent, which is not the verdict on c: worse" in capsys.readouterr().err
    path.write_text("\n".join([*rows, *lost]))
    assert run_command([str(each) for each in gate]) == 1
    assert "verdict on d: not judged" in capsys.readouterr().err
    assert run_command(["judge", "--finalist", "b", "--mlruns", str(tmp_path)]) == 2
    assert "--finalist: belongs to a file" in capsys.readouterr().err


def test_what_a_table_does_not_say_is_said_by_flags(tmp_path: Path, capsys: Capture) -> None:
    path = tmp_path / "scores.csv"
    head, *rows = scores_file(tmp_path).read_text().splitlines()
    kept = [row for row in rows if not row.startswith("a,") or row[-1] not in "12"]
    path.write_text("\n".join([head, *kept]))
    (verdict,) = answer(capsys, "judge", path, "--baseline", "b", "--margin", "0.05", "--json")
    assert verdict["missing_finalist"] > 0
    assert "too few for even numbers" in " ".join(verdict["notes"])
    assumed = text(capsys, "judge", path, "--baseline", "b", "--assume-missing-at-random")
    assert "They are taken to be missing at random, as you said." in assumed
    paired = text(capsys, "judge", path, "--baseline", "b", "--paired-seeds")
    assert "No difference within a seed varies" in paired  # scores_file adds the same to every seed


def test_a_test_is_chosen_by_name_and_brings_its_claim(finished: Path, tmp_path: Path, capsys: Capture) -> None:
    from analysis.comparison.compare import TESTS
    from sweeps.cli.judge import TESTS as OFFERED

    assert OFFERED == TESTS  # written out there, so that the command line starts without numpy
    path = scores_file(tmp_path)
    chosen = answer(capsys, "judge", path, "--baseline", "a", "--test", "pooled", "--json")
    assert (chosen[0]["test"], chosen[0]["claim"]) == ("stratified pooled t", "these-cases")
    for what in ([str(path), "--baseline", "a"], ["t", "--mlruns", str(finished / "mlruns")]):
        capsys.readouterr()
        assert run_command(["judge", *what, "--test", "paired"]) == 2  # fewer than 6 cases
        assert "a claim for new cases takes at least 6" in capsys.readouterr().err
        assert run_command(["judge", *what, "--test", "welch", "--claim", "new-cases"]) == 2
        assert "--test welch answers --claim these-cases, not --claim new-cases" in capsys.readouterr().err


def test_labels_of_a_table_are_names_whatever_they_look_like(tmp_path: Path, capsys: Capture) -> None:
    path = tmp_path / "scores.csv"
    scores = {"0.80": [0.3, 0.32, ""], "None": [0.6, 0.62, "NaN"], "0.8": [0.5, 0.54, 0.52]}
    rows = [
        (label, case, "host", seed, score)
        for label, values in scores.items()
        for case in ("NA", "007", "7")
        for seed, score in enumerate(values)
    ]
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([("configuration", "case", "host", "seed", "score"), *rows])
    verdicts = answer(capsys, "judge", path, "--baseline", "0.80", "--json")
    assert {v["configuration"]: v["effect"] for v in verdicts} == pytest.approx({"0.8": 0.21, "None": 0.3})
    assert {(v["cases"], v["n_baseline"]) for v in verdicts} == {(3, 6)}
    assert run_command(["judge", str(path)]) == 2
    assert "the labels are: 0.8, 0.80, None" in capsys.readouterr().err
    path.write_text(path.read_text().replace("None,007", ",007"))
    assert run_command(["judge", str(path), "--baseline", "0.80"]) == 2
    assert "configuration is empty in rows 13, 14, 15" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "content", "words"),
    [
        ([], None, "name the baseline with --baseline; the labels are: a, b"),
        (["--baseline", "c"], None, "no baseline 'c'"),
        (["--baseline", "a"], "", "is not a CSV table"),
        (
            ["--baseline", "a"],
            "configuration,case,seed,scroe\na,x,1,0.5\n",
            "missing column 'score' (is it 'scroe' here?)",
        ),
        (
            ["--baseline", "a"],
            "configuration,case,seed,score\na,x,1,50\nb,x,1,60\n",
            "Name the scale's ends with --range",
        ),
    ],
)
def test_judge_a_table_that_cannot_be(
    tmp_path: Path, capsys: Capture, arguments: list[str], content: str | None, words: str
) -> None:
    path = scores_file(tmp_path)
    if content is not None:
        path.write_text(content)
    capsys.readouterr()
    assert run_command(["judge", str(path), *arguments]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert words in err
    assert str(path) in err
