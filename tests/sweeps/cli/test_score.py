"""`sweeps score` from the command line."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest

from sweeps.cli import run_command
from tests.sweeps.sweep_files import write_cases

RUBRIC = """\
title = "The kiln"
[[items]]
id = "cause"
text = "A thermocouple was faulty."
level = 1
any = ["thermocouple"]
[[items]]
id = "date"
text = "Delivery moves to 4 June."
level = 2
any = ["4 June"]
[[items]]
id = "aside"
text = "The plates are blue, which takes a rather long sentence to say so that it has to be broken into lines."
level = 5
any = ["blue"]
[[items]]
id = "lie"
text = "The plates are scrapped."
level = 3
any = ["scrapped"]
forbidden = true
"""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    cases = tmp_path / "cases"
    cases.mkdir()
    for name in ("kiln", "oven"):
        (cases / f"{name}.toml").write_text(RUBRIC)
        (cases / f"{name}.txt").write_text("The thermocouple failed. Delivery moves to 4 June. Blue plates.")
    texts = {
        "mbp/kiln.txt": "The thermocouple failed.",
        "mbp/oven.txt": "Plates were scrapped.",
        "wk/kiln.1.md": "Thermocouple; delivery on 4 June.",
        "wk/kiln.2.md": "Thermocouple.",
    }
    for name, text in texts.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


@pytest.mark.parametrize(
    ("option", "file"), [(["--json"], "x.csv"), (["--format", "csv"], "x.json"), (["--format", "table"], "X.HTML")]
)
def test_a_form_and_an_ending_that_contradict_each_other_are_refused(
    place: Path, capsys: pytest.CaptureFixture[str], option: list[str], file: str
) -> None:
    where = [str(place / "cases"), str(place / "mbp")]
    assert run_command(["score", *where, *option, "-o", str(place / file)]) == 2
    assert f"{option[0]}" in (err := capsys.readouterr().err)
    assert "contradict each other" in err
    assert not (place / file).exists()
    assert run_command(["score", *where, *option, "-o", str(place / "x.dat")]) == 0  # an ending that says nothing


def test_table_fits_80_columns_and_notes_go_to_stderr(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["score", str(place / "cases"), str(place / "mbp"), str(place / "wk"), "--missed", "5"]) == 0
    out, err = capsys.readouterr()
    assert max(map(len, out.splitlines())) <= 80
    rows = [line.split() for line in out.splitlines()]
    assert ["mbp", "0.500", "–", "–", "1/2", "1/1", "0/1", "0/0", "0/0", "0/1"] in rows
    assert ["oven", "mbp", "0.000", "0/2", "0/1", "0/1", "0/0", "0/0", "0/1"] in rows
    assert ["wk", "none"] in rows
    assert ["Lv2", "Delivery", "moves", "to", "4", "June.", "(mbp,", "wk", "1", "of", "2", "runs)"] in rows
    assert "says what it must not: The plates are scrapped. (mbp)" in out
    assert "wk: no summary of oven" in err
    assert "over the 1 of 2 cases that every folder has" in err
    assert "Noise unknown: mbp: no case with more than one run" in err
    assert "Noise unknown" not in out


def test_missed_items_can_be_left_out(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run_command(["score", str(place / "cases"), str(place / "wk"), "--missed", "0"])
    assert "Missed" not in capsys.readouterr().out


def test_csv_on_stdout_and_json_alone(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    base = ["score", str(place / "cases"), str(place / "mbp"), str(place / "wk")]
    assert run_command([*base, "--format", "csv"]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [(row["configuration"], row["case"], row["run"]) for row in rows] == [
        ("mbp", "kiln", ""),
        ("mbp", "oven", ""),
        ("wk", "kiln", "1"),
        ("wk", "kiln", "2"),
    ]
    assert run_command([*base, "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert [folder["folder"] for folder in record["folders"]] == ["mbp", "wk"]
    assert record["folders"][1]["noise_dof"] == 1


def test_the_csv_can_be_judged(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("a", "b"):
        (place / name).mkdir()
        for run in range(4):
            text = "Thermocouple. 4 June." if name == "b" and run else "Thermocouple."
            (place / name / f"kiln.{run}.txt").write_text(text)
    table = place / "scores.csv"
    assert run_command(["score", str(place / "cases"), str(place / "a"), str(place / "b"), "-o", str(table)]) == 0
    capsys.readouterr()
    assert run_command(["judge", str(table), "--baseline", "a", "--json"]) == 0
    (verdict,) = json.loads(capsys.readouterr().out)
    assert verdict["effect"] == pytest.approx(0.4 * 0.75)


def test_items_that_tell_nothing_are_named_from_30_different_texts_on(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (place / "many").mkdir()
    for run in range(30):
        (place / "many" / f"kiln.{run}.txt").write_text(f"Thermocouple {run}. {'4 June. Blue.' if run % 2 else ''}")
    base = ["score", str(place / "cases"), str(place / "many")]
    assert run_command([*base, "--json"]) == 0
    out, err = capsys.readouterr()
    notes = json.loads(out)["notes"]
    assert [note.split(":")[0] for note in notes] == [
        "Every text says these items, so they tell no texts apart",
        "These items are always said together, so they count twice",
    ]
    assert "kiln: cause. " in notes[0]
    assert "kiln: date and aside. " in notes[1]
    assert all(note in " ".join(err.split()) for note in notes)
    assert run_command([*base, "-o", str(place / "page.html")]) == 0
    page = (place / "page.html").read_text()
    assert all(f'<p class="note">{note}</p>' in page for note in notes)
    capsys.readouterr()

    (place / "many" / "kiln.29.txt").write_bytes((place / "many" / "kiln.1.txt").read_bytes())
    assert run_command([*base, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["notes"] == []


@pytest.mark.parametrize(
    ("name", "start"), [("s.html", "<!doctype"), ("s.json", "{"), ("s.csv", "configuration,"), ("s.txt", "All")]
)
def test_the_ending_of_out_names_the_form(
    place: Path, name: str, start: str, capsys: pytest.CaptureFixture[str]
) -> None:
    out = place / "new" / name
    assert run_command(["score", str(place / "cases"), str(place / "mbp"), "-o", str(out)]) == 0
    assert out.read_text(encoding="utf-8").startswith(start)
    assert capsys.readouterr().out == ""


def test_weights_budget_and_choice_of_cases(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    base = ["score", str(place / "cases"), str(place / "mbp"), "--json", "--case", "kiln"]
    run_command([*base, "--weights", "1,1,1,1,1"])
    out, err = capsys.readouterr()
    record = json.loads(out)
    assert record["cases"] == ["kiln"]
    assert record["folders"][0]["score"] == pytest.approx(1 / 3)
    assert "oven" not in err
    run_command([*base, "--budget-words", "1"])
    assert json.loads(capsys.readouterr().out)["folders"][0]["score"] == 0


@pytest.mark.parametrize(
    ("extra", "says"),
    [
        (["--weights", "5,4,x"], "'5,4,x' is no list of numbers"),
        (["--weights", "5,4"], "five numbers"),
        (["--json", "--format", "csv"], "contradict"),
        (["-o", "x.pdf"], "name the form with --format"),
        (["--case", "klin"], "Did you mean 'kiln'?"),
    ],
)
def test_bad_input_is_told_without_a_traceback(
    place: Path, extra: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command(["score", str(place / "cases"), str(place / "mbp"), *extra]) == 2
    out, err = capsys.readouterr()
    assert says in err
    assert "Traceback" not in err
    assert out == ""


def test_missing_places(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["score", str(place / "cases"), str(place / "nowhere")]) == 2
    assert "no such folder of summaries" in capsys.readouterr().err
    assert run_command(["score", "nothing-here", str(place / "mbp")]) == 2
    assert "Shipped sets: engineering-chats" in capsys.readouterr().err


def test_reasoning_in_a_summary_is_cut_off_and_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cases = write_cases(tmp_path / "cases", 1)
    log = (cases / "c1.txt").read_text()
    (tmp_path / "pi").mkdir()
    (tmp_path / "pi/c1.txt").write_text(f"<think>\n{log}\n</think>\n\nThe deadline is Monday morning.")
    scores = []
    for more in ([], ["--reasoning", "keep"]):
        assert run_command(["score", str(cases), str(tmp_path / "pi"), "--json", *more]) == 0
        shown = capsys.readouterr()
        scores.append(json.loads(shown.out)["folders"][0]["score"])
        assert ("pi: reasoning was cut off before scoring: c1.txt" in shown.err) is (more == [])
    assert scores[0] < 0.5 < 0.85 < scores[1]  # a copy is found with a probability below 1
