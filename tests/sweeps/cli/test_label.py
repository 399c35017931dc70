"""`sweeps label`, and what its labels add to a verdict."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from pathlib import Path
from typing import ClassVar

import pytest
from click.testing import CliRunner

from sweeps.cli import run_command, sweeps
from sweeps.results.label_questions import label_questions, population
from sweeps.results.labels import Labels
from sweeps.results.reader import load_result
from sweeps.results.report_files import report_data
from tests.sweeps.cli.reading import Capture, answer, text


def folder(path: Path) -> list[str]:
    return ["--mlruns", str(path / "mlruns")]


def label(path: Path, keys: str, *arguments: str, code: int = 0) -> tuple[str, str]:
    """What the command prints, and what it asks, where these keys are pressed."""
    done = CliRunner().invoke(sweeps, ["label", "t", *folder(path), *arguments], input="\n".join(keys) + "\n")
    assert done.exit_code == code, done.output
    return done.stdout, done.stderr


def labels_of(path: Path) -> Labels:
    result = load_result(path / "mlruns", "t")
    assert result.verdict is not None
    return Labels.of(result, result.verdict.configuration)


def honest(path: Path) -> dict[str, str]:
    """Answers of a person, by question: the scripted texts say an item in its own words, or not at all."""
    labels = labels_of(path)
    return {each: "yes" if item in said else "no" for each, (said, item) in labels.wording.items()}


def test_questions_add_up_to_the_scores(finished: Path) -> None:
    result = load_result(finished / "mlruns", "t")
    verdict = result.verdict
    assert verdict is not None
    questions = label_questions(result, verdict.configuration)
    means = (questions["weight"] * questions["credit"]).groupby(questions["configuration"]).sum()
    assert means[verdict.configuration] == pytest.approx(verdict.finalist_mean, abs=1e-3)
    assert means[verdict.baseline] == pytest.approx(verdict.baseline_mean, abs=1e-3)
    assert not questions.duplicated(["configuration", "question"]).any()


def test_labels_correct_the_verdict_wherever_it_is_shown(copy: Path, capsys: Capture) -> None:
    assert "correction" not in answer(capsys, "judge", "t", "--json", *folder(copy))
    label(copy, "q", "--items", "60")
    labels = labels_of(copy)
    said = honest(copy)
    labels.answer({each: said[each] for each in labels.drawn})
    out, _ = label(copy, "", "--items", "60")
    assert out.startswith("60 of 60 questions answered")
    record = answer(capsys, "judge", "t", "--json", *folder(copy))
    made = record["correction"]
    assert record["verdict"] == "better"  # a verdict stays as it is
    assert made["labels"] == 60
    assert made["ci_low"] < made["effect"] < made["ci_high"]
    assert made["measured"] == pytest.approx(record["effect"])
    assert made["standard_error"] > 0
    assert made["sentence"] in out
    assert made["sentence"] in " ".join(text(capsys, "judge", "t", *folder(copy)).split())
    assert made["sentence"] in report_data(load_result(copy / "mlruns", "t")).notes
    again = json.loads(label(copy, "", "--items", "60", "--json")[0])
    assert again["correction"]["effect"] == pytest.approx(made["effect"])


def test_a_person_who_finds_no_difference_is_a_warning_beside_the_verdict(copy: Path, capsys: Capture) -> None:
    out, _ = label(copy, "y" * 40, "--items", "40")
    record = answer(capsys, "judge", "t", "--json", *folder(copy))
    assert record["verdict"] == "better"
    assert record["correction"]["ci_low"] <= 0 <= record["correction"]["ci_high"]
    assert "Warning: the verdict 'better' goes by the matcher, whose error could explain the difference." in out
    assert "Warning" in text(capsys, "judge", "t", *folder(copy))


def test_questions_are_blind_and_balanced(copy: Path) -> None:
    _, err = label(copy, "y" * 30, "--items", "30")
    result = load_result(copy / "mlruns", "t")
    assert result.finalist is not None
    for arm in (result.baseline, result.finalist.configuration):
        assert arm.key not in err
        assert "temperature" not in err
    assert "finalist" not in err.lower().replace("the finalist", "")
    rows = list(csv.DictReader(io.StringIO((copy / "mlruns/sweeps/t/labels.csv").read_text())))
    arms = Counter(row["configuration"] for row in rows)
    assert abs(arms[result.baseline.key] - arms[result.finalist.configuration.key]) <= 1
    assert len({row["configuration"] for row in rows[::2]}) == 2  # neither arm is always the first


def test_every_answer_is_kept_and_the_next_call_goes_on(copy: Path) -> None:
    out, err = label(copy, "ynx", "--items", "30")  # the input ends
    assert out.startswith("2 of 30 questions answered")
    assert "'x' is no answer" in err
    before = labels_of(copy).answers
    _, err = label(copy, "yq", "--items", "30")
    assert "──── 3 of 30" in err
    after = labels_of(copy).answers
    assert list(after) == list(before)
    assert Counter(after.values())["yes"] >= Counter(before.values())["yes"]
    assert list(after.values())[:2] == ["yes", "no"]


def test_ctrl_c_keeps_the_answers(copy: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    class Hand:
        keys: ClassVar = ["y", "n"]

        def isatty(self) -> bool:
            return False

        def readline(self) -> str:
            if not self.keys:
                raise KeyboardInterrupt
            return self.keys.pop(0)

    monkeypatch.setattr("sys.stdin", Hand())
    assert run_command(["label", "t", *folder(copy)]) == 130
    assert "questions are open; run the same command to go on" in capsys.readouterr().err
    assert sum(bool(each) for each in labels_of(copy).answers.values()) >= 2


def test_back_takes_an_answer_again_and_a_skipped_question_comes_again(copy: Path) -> None:
    label(copy, "ybnsq", "--items", "30")
    first, second, *_ = labels_of(copy).answers.values()
    assert (first, second) == ("no", "skip")
    _, err = label(copy, "q", "--items", "30")
    assert "──── 2 of 30" in err


def test_more_items_keep_the_first_ones(copy: Path) -> None:
    label(copy, "y" * 20, "--items", "20")
    first = labels_of(copy).drawn
    out, _ = label(copy, "q", "--items", "35")
    assert labels_of(copy).drawn[:20] == first
    assert len(labels_of(copy).drawn) == 35
    assert "of 35 questions answered" in out


def test_a_spreadsheet_goes_out_and_comes_back(copy: Path, tmp_path: Path) -> None:
    sheet = tmp_path / "questions.csv"
    _, err = label(copy, "", "--items", "40", "--out", str(sheet))
    assert f"then: sweeps label t --from {sheet} --mlruns {copy / 'mlruns'}" in err
    assert sheet.read_bytes().startswith(b"\xef\xbb\xbf")
    rows = list(csv.DictReader(io.StringIO(sheet.read_text(encoding="utf-8-sig"))))
    assert list(rows[0]) == ["question", "text", "item", "answer"]
    assert len(rows) == 40
    assert not any(key in sheet.read_text() for key in load_result(copy / "mlruns", "t").configurations)
    known = honest(copy)
    lines = ["question;answer", *(f"{row['question']};{known[row['question']].upper()}" for row in rows)]
    sheet.write_text("\n".join(lines))  # as a spreadsheet of another country saves it
    out, _ = label(copy, "", "--from", str(sheet))
    assert out.startswith("40 of 40 questions answered")
    answers = labels_of(copy).answers
    assert [answers[row["question"]] for row in rows] == [known[row["question"]] for row in rows]


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (["question,answer", "ID,yes", "ID,maybe"], "line 3: answer 'maybe'; write yes, no, unsure or skip"),
        (["question,answer", "ID,yes", "other,yes"], "line 3: 'other' is no question of this study"),
        (["item,answer", "x,yes"], "no column 'question'"),
        ([""], "no column 'question'"),
        (['question,answer', '"ID,yes'], "--from"),
    ],
)  # fmt: skip
def test_a_wrong_file_is_refused_whole(copy: Path, tmp_path: Path, lines: list[str], said: str) -> None:
    label(copy, "q", "--items", "30")
    first = labels_of(copy).drawn[0]
    sheet = tmp_path / "answers.csv"
    sheet.write_text("\n".join(lines).replace("ID", first))
    done = CliRunner().invoke(sweeps, ["label", "t", *folder(copy), "--from", str(sheet)])
    assert done.exit_code == 2
    assert said in done.stderr
    assert not any(labels_of(copy).answers.values())


def test_bad_input_is_named(copy: Path, null: Path, capsys: Capture, tmp_path: Path) -> None:
    assert run_command(["label", "t", *folder(copy), "--items", "0"]) == 2
    assert run_command(["label", "t", *folder(copy), "--out", "a.csv", "--from", str(copy / "mlruns/ledger.db")]) == 2
    assert run_command(["label", "nothing", *folder(copy)]) == 2
    assert "no study 'nothing'" in capsys.readouterr().err
    path = copy / "mlruns/sweeps/t/labels.csv"
    path.write_text("finalist,answer\nx,y\n")
    assert run_command(["label", "t", *folder(copy)]) == 2
    assert "labels.csv cannot be read" in capsys.readouterr().err
    assert path.read_text() == "finalist,answer\nx,y\n"


def test_labels_of_other_texts_do_not_count(copy: Path, capsys: Capture) -> None:
    label(copy, "y" * 30, "--items", "30")
    path = copy / "mlruns/sweeps/t/labels.csv"
    result = load_result(copy / "mlruns", "t")
    assert result.verdict is not None
    now = population(label_questions(result, result.verdict.configuration))
    path.write_text(path.read_text().replace(now, "0" * 16))
    assert "correction" not in answer(capsys, "judge", "t", "--json", *folder(copy))
    _, err = label(copy, "q", "--items", "30")
    assert "earlier labels are about texts or items that have changed; not used" in err
    assert all(labels_of(copy).answers.values())  # the same questions are drawn, whose answers are known


def test_a_study_without_rubrics_has_nothing_to_label(copy: Path, capsys: Capture) -> None:
    import sqlite3

    label(copy, "y" * 30, "--items", "30")
    with sqlite3.connect(copy / "mlruns/ledger.db") as connection:
        for key, detail in connection.execute("SELECT rowid, detail FROM scores").fetchall():
            bare = json.dumps({**json.loads(detail), "probabilities": {}})
            connection.execute("UPDATE scores SET detail = ? WHERE rowid = ?", [bare, key])
    assert run_command(["label", "t", *folder(copy)]) == 2
    assert "labels answer the items of a rubric" in capsys.readouterr().err
    assert "correction" not in answer(capsys, "judge", "t", "--json", *folder(copy))
