"""`sweeps judge` on tables of scores: what is a label, what is refused, and what is printed."""

from __future__ import annotations

import csv
import json
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.files.spreadsheet_cells import as_written
from analysis.observations.read_scores import read_scores
from sweeps.cli import run_command

Capture = pytest.CaptureFixture[str]
HEADER = ("configuration", "case", "seed", "score")
LOOKS_LIKE_A_NUMBER = st.one_of(
    st.from_regex(r"[+-]?0{0,2}[0-9]{1,3}(\.[0-9]{0,3})?(e[0-9])?", fullmatch=True),
    st.sampled_from(["True", "nan", "inf", "NA", "1_000", " 1", "1 ", "0x1F", "2024-01-01", "1e400"]),
)
LABEL = st.one_of(
    LOOKS_LIKE_A_NUMBER,
    st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1),
    st.text("a,\"'\n\t ", min_size=1),
)


def write(path: Path, rows: Iterable[Sequence[object]], header: Sequence[str] = HEADER, end: str = "") -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerow(header)
        csv.writer(file).writerows([*row, *("" for _ in end)] for row in rows)
    return path


def scores(
    labels: Sequence[str], cases: Sequence[str] = ("x", "y", "z"), unit: float = 0.1
) -> list[tuple[object, ...]]:
    """Rows in which each label scores one unit more than the one before it."""
    return [
        (label, case, seed, round((i + 1 + 0.1 * ((seed + j) % 4)) * unit, 9))
        for i, label in enumerate(labels)
        for j, case in enumerate(cases)
        for seed in range(4)
    ]


def judged(capsys: Capture, *arguments: object) -> Any:
    capsys.readouterr()
    assert run_command(["judge", *map(str, arguments), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def refused(capsys: Capture, *arguments: object) -> str:
    capsys.readouterr()
    assert run_command([*map(str, arguments)]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "Traceback" not in err
    return err


@settings(deadline=None)
@given(labels=st.lists(LABEL, min_size=1, max_size=8, unique=True))
def test_labels_are_read_as_they_are_written(labels: list[str]) -> None:
    rows = [(label, label, label, seed, 0.5) for seed, label in enumerate(labels)]
    with tempfile.TemporaryDirectory() as folder:
        table = read_scores(write(Path(folder) / "t.csv", rows, ("configuration", "case", "host", "seed", "score")))
    read = [as_written(label) for label in labels]  # without an apostrophe that an export of ours would have added
    assert table["configuration"].tolist() == read
    assert table["case"].tolist() == read
    assert table["host"].tolist() == read
    assert table["seed"].tolist() == list(range(len(labels)))


@settings(deadline=None)
@given(labels=st.lists(LOOKS_LIKE_A_NUMBER, min_size=2, max_size=8, unique=True))
def test_labels_that_all_look_like_numbers_stay_apart(labels: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        table = read_scores(write(Path(folder) / "t.csv", [(label, "1", 1, 0.5) for label in labels]))
    assert table["configuration"].tolist() == labels
    assert table["configuration"].dtype == "category"
    assert sorted(table["configuration"].cat.categories) == sorted(labels)


@pytest.mark.parametrize(
    "labels", [("0.8", "0.80", "0.9"), ("1", "1.0", "01"), ("007", "7", "8"), ("1e3", "1000", "2")]
)
def test_numbers_that_are_equal_are_three_configurations(
    labels: tuple[str, ...], tmp_path: Path, capsys: Capture
) -> None:
    path = write(tmp_path / "t.csv", scores(labels, cases=("1", "1.0", "01")))
    verdicts = judged(capsys, path, "--baseline", labels[0])
    assert {v["configuration"]: v["effect"] for v in verdicts} == pytest.approx({labels[1]: 0.1, labels[2]: 0.2})
    assert {v["cases"] for v in verdicts} == {3}


@pytest.mark.parametrize("end", ["", ",", ",,"])
@pytest.mark.parametrize("order", [HEADER, ("case", "seed", "score", "configuration")])
def test_rows_may_end_in_commas(order: Sequence[str], end: str, tmp_path: Path, capsys: Capture) -> None:
    at = [HEADER.index(name) for name in order]
    rows = [[row[i] for i in at] for row in scores(("a", "b"))]
    (verdict,) = judged(capsys, write(tmp_path / "t.csv", rows, order, end), "--baseline", "a")
    assert (verdict["configuration"], verdict["cases"], verdict["n_per_arm"]) == ("b", 3, 12)
    assert verdict["effect"] == pytest.approx(0.1)


def test_cells_beyond_the_header_are_refused(tmp_path: Path, capsys: Capture) -> None:
    rows = [(*row, "") for row in scores(("a", "b"))]
    rows[6] = (*rows[6][:-1], "late")
    told = refused(capsys, "judge", write(tmp_path / "t.csv", rows), "--baseline", "a")
    assert "t.csv: is not a CSV table: row 7 (the first row after the header is 1) has more cells than" in told
    numbered = [(i, *row) for i, row in enumerate(scores(("a", "b")))]  # row labels without a name in the header
    assert "row 1" in refused(capsys, "judge", write(tmp_path / "t.csv", numbered), "--baseline", "a")


DIALECTS: dict[str, tuple[str, str, str, str]] = {  # encoding, separator, decimal mark, first line
    "excel": ("utf-8-sig", ";", ",", ""),
    "excel, told": ("utf-8-sig", ";", ",", "sep=;\r\n"),
    "told": ("utf-8", "|", ".", '"sep=|"\n'),
    "points": ("utf-8", ";", ".", ""),
    "unicode text": ("utf-16", "\t", ".", ""),
    "unicode text, commas": ("utf-16", "\t", ",", ""),
    "big-endian": ("utf-16-be", ",", ".", "\ufeff"),
}


def write_as(dialect: str, path: Path, rows: Iterable[Sequence[object]], header: Sequence[str] = HEADER) -> Path:
    encoding, separator, mark, first = DIALECTS[dialect]
    with path.open("w", newline="", encoding=encoding) as file:
        file.write(first)
        writer = csv.writer(file, delimiter=separator)
        writer.writerow(header)
        writer.writerows([[str(c).replace(".", mark) if isinstance(c, float) else c for c in row] for row in rows])
    return path


@settings(deadline=None)
@given(
    rows=st.lists(st.tuples(LABEL, LABEL, st.integers(0, 10**9), st.floats(0, 1)), min_size=1, max_size=8),
    extra=st.sampled_from(["", "time, s", "time; s"]),
    dialect=st.sampled_from(sorted(DIALECTS)),
)
def test_a_table_says_the_same_in_every_dialect(
    rows: list[tuple[str, str, int, float]], extra: str, dialect: str
) -> None:
    header = (*HEADER, extra) if extra else HEADER
    filled = [(*row, 0.25)[: len(header)] for row in rows]
    with tempfile.TemporaryDirectory() as folder:
        plain = read_scores(write(Path(folder) / "plain.csv", filled, header))
        pd.testing.assert_frame_equal(
            read_scores(write_as(dialect, Path(folder) / "t.csv", filled, header)), plain, check_exact=True
        )


@pytest.mark.parametrize("dialect", sorted(DIALECTS))
def test_a_table_of_a_spreadsheet_is_judged_as_the_plain_one(dialect: str, tmp_path: Path, capsys: Capture) -> None:
    rows = [(*row, t) for t in (0.0, 0.7) for row in scores((f"größer {t}", f"0,8 {t}"))]
    header = (*HEADER, "temperature")
    wanted = judged(capsys, write(tmp_path / "plain.csv", rows, header), "--baseline", "größer 0.7")
    assert wanted
    assert judged(capsys, write_as(dialect, tmp_path / "t.csv", rows, header), "--baseline", "größer 0.7") == wanted


def test_decimal_marks_that_differ_are_refused(tmp_path: Path, capsys: Capture) -> None:
    path = tmp_path / "t.csv"
    for score, temperature in (("0.51", "0,7"), ("0.5", "1"), ("0,5", "1"), ("1", "0,7"), ("0,51", "0.7")):
        path.write_text(f"configuration;case;seed;score;temperature\na;x;1;1;1\nb;x;1;{score};{temperature}\n")
        if "1" in (score, temperature):
            assert float(read_scores(path)["score"][1]) == float(score.replace(",", "."))
            continue
        told = refused(capsys, "judge", path, "--baseline", "a")
        assert f"{score!r} in row 2 has a " in told
        assert f"temperature {temperature!r} in row 2 has a " in told
    path.write_text("configuration;case;seed;score\na;x;1;1\nb;x;1;1.510,5\n")
    assert "none for thousands" in refused(capsys, "judge", path, "--baseline", "a")


@pytest.mark.parametrize(
    ("cell", "told"),
    [("51%", "write 0.51"), ('"51,5 %"', "write 0.515; decimal commas"), ('"0,51"', "write 0.51; dec")],
)
def test_numbers_that_are_not_read_are_told_with_what_to_write(
    cell: str, told: str, tmp_path: Path, capsys: Capture
) -> None:
    (tmp_path / "t.csv").write_text(f"configuration,case,seed,score\na,x,1,0.5\nb,x,1,{cell}\n")
    assert told in refused(capsys, "judge", tmp_path / "t.csv", "--baseline", "a")


@pytest.mark.parametrize(("encoding", "iconv"), [("cp1252", "CP1252"), ("utf-16-le", "UTF-16LE"), ("utf-32", "UTF-32")])
def test_other_encodings_are_refused(encoding: str, iconv: str, tmp_path: Path, capsys: Capture) -> None:
    text = "configuration;case;seed;score\r\n" + "kleiner;x;1;0,5\r\n" * 9000  # beyond what is looked at first
    text += "größer;x;1;0,5\r\nmäßig;x;1;0,5\r\nfrüh;x;1;0,5\r\n" * 9
    (tmp_path / "t.csv").write_bytes(text.encode(encoding))
    said = refused(capsys, "judge", tmp_path / "t.csv", "--baseline", "a")
    assert "t.csv: is not a CSV table: not UTF-8: byte 0x" in said
    assert f"Convert it: iconv -f {iconv} -t UTF-8 {tmp_path / 't.csv'} > {tmp_path / 't.utf8.csv'}" in said


def test_columns_by_name(tmp_path: Path, capsys: Capture) -> None:
    wanted = judged(capsys, write(tmp_path / "plain.csv", scores(("0.8", "0.80"))), "--baseline", "0.8")
    path = write(tmp_path / "t.csv", scores(("0.8", "0.80")), ("model", "sample_id", "epoch", "score_match"))
    columns = "configuration=model,case=sample_id,seed=epoch,score=score_match"
    assert judged(capsys, path, "--baseline", "0.8", "--columns", columns) == wanted
    clash = write(
        tmp_path / "c.csv", [(*row, 0) for row in scores(("0.8", "0.80"))], ("model", "id", "seed", "own", "score")
    )
    columns = "configuration=model,case=id,score=own"  # instead of the file's own column of that name
    assert judged(capsys, clash, "--baseline", "0.8", "--columns", columns) == wanted
    said = refused(capsys, "judge", clash, "--baseline", "0.8", "--columns", "case=idd,configuration=model")
    assert "c.csv: columns case=idd: the table has no column 'idd'; did you mean 'id'?" in said
    assert "did you mean 'case'?" in refused(capsys, "judge", clash, "--columns", "cas=id")
    both = read_scores(clash, {"configuration": "model+seed", "case": "id", "score": "own"})
    assert set(both["configuration"]) > {"model=0.80, seed=0", "model=0.8, seed=1"}


WORDS = {
    "C/I": ("C", "I"), "pass": ("pass", "fail"), "PASSED": ("PASSED", "FAILED"), "yes": ("Yes", "No"),
    "true": ("true", "false"), "True": ("True", "False"), "correct": ("correct", "incorrect"), "y": ("y", "n"),
}  # fmt: skip


@pytest.mark.parametrize("words", sorted(WORDS))
@pytest.mark.parametrize("missing", [False, True])
def test_words_count_as_one_and_zero(words: str, missing: bool, tmp_path: Path, capsys: Capture) -> None:
    rows = [
        (name, case, seed, int((seed + at) % 4 < most))
        for name, most in (("a", 1), ("b", 3)) for at, case in enumerate("uvwxyz") for seed in range(4)
    ]  # fmt: skip
    if missing:
        rows[3] = (*rows[3][:-1], "")
    wanted = judged(capsys, write(tmp_path / "plain.csv", rows), "--baseline", "a")
    named = [(*row[:-1], {1: WORDS[words][0], 0: WORDS[words][1]}.get(row[-1], "")) for row in rows]
    assert judged(capsys, write(tmp_path / "t.csv", named), "--baseline", "a") == wanted
    assert run_command(["judge", str(tmp_path / "t.csv"), "--baseline", "a"]) == 0
    told = capsys.readouterr().err.casefold()  # pandas reads true as True
    assert f"scores are words: '{WORDS[words][0]}' counts as 1, '{WORDS[words][1]}' counts as 0.".casefold() in told


def test_words_of_two_kinds_are_refused(tmp_path: Path, capsys: Capture) -> None:
    path = write(tmp_path / "t.csv", [("a", "x", 1, "pass"), ("b", "x", 1, "no")])
    assert "score is not a number in rows 1, 2" in refused(capsys, "judge", path, "--baseline", "a")


@pytest.mark.parametrize("separator", [",", ";"])
def test_empty_rows_at_the_end_are_no_rows(separator: str, tmp_path: Path, capsys: Capture) -> None:
    rows = scores(("a", "b"))
    wanted = judged(capsys, write(tmp_path / "plain.csv", rows), "--baseline", "a")
    text = "\n".join(separator.join(map(str, row)) for row in [HEADER, *rows, *[("",) * 4] * 3]) + "\n"
    (tmp_path / "t.csv").write_text(text)
    assert judged(capsys, tmp_path / "t.csv", "--baseline", "a") == wanted
    (tmp_path / "m.csv").write_text(text.replace(separator.join(map(str, rows[3])), separator * 3))
    assert "row 4 (the first row after the header is 1)" in refused(
        capsys, "judge", tmp_path / "m.csv", "--baseline", "a"
    )


@pytest.mark.parametrize("form", ["json", "jsonl", "inner", "tsv"])
def test_records_and_tabs_say_the_same_as_commas(form: str, tmp_path: Path, capsys: Capture) -> None:
    rows = scores(("0.80", "1"))
    wanted = judged(capsys, write(tmp_path / "plain.csv", rows), "--baseline", "1")
    records = [dict(zip(HEADER, row, strict=True)) for row in rows]
    path = tmp_path / f"t.{'json' if form == 'inner' else form}"
    arguments: tuple[str, ...] = ()
    if form == "json":
        path.write_text(json.dumps(records))
    elif form == "jsonl":
        path.write_text("".join(json.dumps(record) + "\n" for record in records))
    elif form == "tsv":
        path.write_text("".join("\t".join(map(str, row)) + "\n" for row in [HEADER, *rows]))
    else:
        inner = [
            {"of": {"model": r["configuration"]}, "case": r["case"], "seed": r["seed"], "s": {"f1": r["score"]}}
            for r in records
        ]
        path.write_text(json.dumps({"made": "today", "log": [{"x": 1}], "rows": inner}))
        arguments = ("--columns", "configuration=of.model,score=s.f1")
    assert judged(capsys, path, "--baseline", "1", *arguments) == wanted


def test_the_usual_table_of_an_evaluation(tmp_path: Path, capsys: Capture) -> None:
    questions = [f"q{i}" for i in range(300)]
    for name, most in (("small", 3), ("large", 5)):
        rows = [(question, "pass" if (7 * i) % 10 < most else "fail") for i, question in enumerate(questions)]
        write(tmp_path / f"{name}.csv", rows, ("id", "result"))
    files = (tmp_path / "small.csv", tmp_path / "large.csv")
    (verdict,) = judged(
        capsys, *files, "--columns", "case=id,score=result", "--baseline", "small", "--claim", "new-cases"
    )
    assert (verdict["configuration"], verdict["cases"]) == ("large", 300)
    assert verdict["effect"] == pytest.approx(0.2)
    assert (
        judged(capsys, *files, "--columns", "case=id,score=result", "--baseline", "small")[0]["effect"]
        == verdict["effect"]
    )
    one = [(name, *row) for name, path in (("small", files[0]), ("large", files[1])) for row in csv.reader(path.open())]
    path = write(tmp_path / "one.csv", [row for row in one if row[1] != "id"], ("model", "id", "result"))
    columns = "configuration=model,case=id,score=result"
    assert judged(capsys, path, "--columns", columns, "--baseline", "small", "--claim", "new-cases") == [verdict]
    assert run_command(["judge", str(path), "--columns", columns, "--baseline", "small", "--claim", "new-cases"]) == 0
    assert "The table has no column of seeds: each row counts as a draw of its own." in capsys.readouterr().err


@pytest.mark.parametrize("name", ["epoch", "Seed", "seeds", "repeat"])
def test_a_column_that_may_hold_the_seeds_is_asked_for(name: str, tmp_path: Path, capsys: Capture) -> None:
    path = write(tmp_path / "t.csv", scores(("a", "b")), ("configuration", "case", name, "score"))
    said = refused(capsys, "judge", path, "--baseline", "a")
    assert "missing column 'seed'" in said
    assert "--columns configuration=model,case=log,seed=run" in said
    assert judged(capsys, path, "--baseline", "a", "--columns", f"seed={name}")


def test_results_of_other_tools(capsys: Capture) -> None:
    tables = Path(__file__).parents[2] / "data" / "tables"
    verdicts = judged(
        capsys, tables / "mlflow" / "runs.csv", "--from", "mlflow", "--score", "accuracy", "--baseline", "small"
    )
    assert [(v["configuration"], v["outcome"]) for v in verdicts] == [("large", "better")]
    said = refused(capsys, "judge", tables / "promptfoo" / "results.json", "--from", "promptfoo", "--score", "score")
    assert "name the baseline with --baseline; the labels are: plain, polite" in said
    said = refused(capsys, "judge", tables / "promptfoo" / "results.json", "--baseline", "a")
    assert "results.json: missing column 'configuration'" in said
    assert "It looks like results of promptfoo: add --from promptfoo." in said
    assert "add --from inspect" in refused(capsys, "judge", tables / "inspect" / "capitals-1.eval", "--baseline", "a")
    assert "add --from mlflow" in refused(capsys, "judge", tables / "mlflow" / "runs.csv", "--baseline", "a")
    assert "belongs to source mlflow" in refused(capsys, "judge", "x.csv", "--experiment", "a")
    assert "name the file" in refused(capsys, "judge", "--from", "optuna")
    assert "--score: belongs to a file" in refused(capsys, "judge", "--score", "x")


@pytest.mark.parametrize("twice", ["score", "configuration"])
@pytest.mark.parametrize("baseline", [("--baseline", "a"), ()])
def test_a_column_that_is_there_twice_is_refused(
    twice: str, baseline: tuple[str, ...], tmp_path: Path, capsys: Capture
) -> None:
    rows = [(*row, row[HEADER.index(twice)]) for row in scores(("a", "b"))]
    told = refused(capsys, "judge", write(tmp_path / "t.csv", rows, (*HEADER, twice)), *baseline)
    assert f"t.csv: 2 columns of the table are named {twice!r}" in told


@pytest.mark.parametrize("value", ["nan", "-nan", "inf", "-1", "1e-300"])
@pytest.mark.parametrize(
    ("option", "limits"), [("alpha", "1e-06<=x<0.5"), ("margin", "1e-09<=x"), ("min-gain", "1e-09<=x")]
)
def test_numbers_out_of_range_are_refused(
    option: str, limits: str, value: str, tmp_path: Path, capsys: Capture
) -> None:
    path = write(tmp_path / "t.csv", scores(("a", "b")))
    told = refused(capsys, "judge", path, "--baseline", "a", f"--{option}={value}")
    assert f"--{option}" in told
    assert value in told
    assert limits in told


@pytest.mark.parametrize("option", ["margin", "min-gain"])
def test_differences_beyond_the_scale_are_refused(option: str, tmp_path: Path, capsys: Capture) -> None:
    path = write(tmp_path / "t.csv", scores(("a", "b")))
    assert "must lie above 0 and at most at 1, not 2.0" in refused(
        capsys, "judge", path, "--baseline", "a", f"--{option}=2"
    )
    assert "0.5" in refused(capsys, "judge", path, "--baseline", "a", "--alpha=2")


def test_an_argument_that_the_judge_refuses_is_no_traceback(
    tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def judge(*_: object, **__: object) -> None:
        raise ValueError("alpha must lie between 0 and 0.5, not 7")

    monkeypatch.setattr("analysis.verdict.judge.judge", judge)
    path = write(tmp_path / "t.csv", scores(("a", "b")))
    assert "t.csv: alpha must lie between 0 and 0.5, not 7" in refused(capsys, "judge", path, "--baseline", "a")


def test_names_are_printed_as_they_are(tmp_path: Path, capsys: Capture) -> None:
    path = write(tmp_path / "t.csv", scores(("m:base:x", "m:100:x", "[bold]b[/bold]")))
    assert run_command(["judge", str(path), "--baseline", "m:base:x"]) == 0
    cells = [line.split("  ")[0] for line in capsys.readouterr().out.splitlines()]
    assert {"m:100:x", "m:base:x", "[bold]b[/bold]"} <= set(cells)


def test_a_small_scale_has_its_digits(tmp_path: Path, capsys: Capture) -> None:
    path = write(tmp_path / "t.csv", scores(("a", "b"), unit=0.0002))
    assert run_command(["judge", str(path), "--baseline", "a"]) == 0
    out = capsys.readouterr().out
    assert "it scores 0.00043 against 0.00023, a gain of 0.00020 (95% interval +0.00018 to +0.00022" in out


def test_levels_of_many_configurations_are_told(tmp_path: Path, capsys: Capture) -> None:
    rows = [("base", case, seed, 0.4 + 0.1 * seed) for case in "xyz" for seed in range(3)]
    rows += [(f"c{i}", case, seed, 0.4 + 0.1 * seed) for i in range(199) for case in "xyz" for seed in range(3)]
    assert run_command(["judge", str(write(tmp_path / "t.csv", rows)), "--baseline", "base"]) == 0
    out = capsys.readouterr().out
    assert "99.975%" in out.replace("\n", "")
    assert "(100%)" not in out
