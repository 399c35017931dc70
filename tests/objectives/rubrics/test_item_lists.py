"""Items from CSV tables and Markdown checklists."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.files.layout import MISSING
from objectives.case_files import CaseError
from objectives.rubrics import read_items


def test_csv(tmp_path: Path) -> None:
    path = tmp_path / "items.csv"
    path.write_text(
        "Level;text;any;regex;forbidden;id\n"
        '1;"It moves; to\nTuesday";Tue|Tuesday;;;when\n'
        "\n"
        "5;It stays;;sta(y|id)s?;x;\n",
        encoding="utf-8-sig",
    )
    title, items = read_items(path)
    assert title == ""
    assert [(i.level, i.text, i.any, i.regex, i.forbidden, i.id, i.line) for i in items] == [
        (1, "It moves; to Tuesday", ("Tue", "Tuesday"), (), False, "when", 2),
        (5, "It stays", (), ("sta(y|id)s?",), True, "", 5),
    ]


def test_markdown(tmp_path: Path) -> None:
    path = tmp_path / "items.md"
    path.write_text(
        "# Kiln\n\nSome words.\n\n- [2] Thermocouple B was\n  replaced\n- [!1] The plates are scrapped.\n\n"
        "## Level 1: essential\n* [x] Fire again.\n1. [ ] On Thursday.\n\n## Lv5\n- 03:12\n"
    )
    title, items = read_items(path)
    assert title == "Kiln"
    assert [(i.level, i.text, i.forbidden, i.line) for i in items] == [
        (2, "Thermocouple B was replaced", False, 5),
        (1, "The plates are scrapped.", True, 7),
        (1, "Fire again.", False, 10),
        (1, "On Thursday.", False, 11),
        (5, "03:12", False, 14),
    ]


@pytest.mark.parametrize(
    ("name", "content", "lines", "says"),
    [
        ("a.csv", "level,text\n6,a\n1,\n,b\n1,c,d\n", [2, 3, 4, 5], "must be 1, 2, 3, 4 or 5"),
        ("a.csv", "level,txt\n1,a\n", [1, 1], "Did you mean 'text'?"),
        ("a.csv", "level,text\n1,a\n2,A\n", [3], "is in line 2"),
        ("a.csv", 'level,text\n1,"a\n', [2], "not valid CSV"),
        ("a.csv", "level,text,regex,forbidden\n1,a,(,maybe\n", [2, 2], "forbidden is 'maybe'"),
        ("a.csv", "", [None], "contains no item"),
        (
            "a.md",
            "# T\n- [9] a\n- b\n- [?] c\n",
            [2, 3, 4],
            "an item without level. Write 1 (essential) to 5 (incidental), or give one for all such items (--level 3)",
        ),
        ("a.md", "Only words.\n", [None], "contains no item"),
        ("a.docx", "x", [None], ".csv, .json, .jsonl, .markdown, .md, .ndjson, .tsv"),
    ],
)
def test_bad_lists_name_their_lines(tmp_path: Path, name: str, content: str, lines: list, says: str) -> None:
    path = tmp_path / name
    path.write_text(content)
    with pytest.raises(CaseError) as caught:
        read_items(path)
    assert [problem.line for problem in caught.value.problems] == lines
    assert says in str(caught.value)


LEVELS = st.integers(1, 5)
TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Zl", "Zp", "Cs"]), min_size=1).filter(
    lambda text: " ".join(text.split()).strip("\ufeff") and text.strip() not in MISSING
)


@given(
    st.lists(
        st.tuples(LEVELS, TEXTS), min_size=1, max_size=5, unique_by=lambda pair: " ".join(pair[1].casefold().split())
    )
)
def test_csv_round_trip(tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[int, str]]) -> None:
    import csv

    path = tmp_path_factory.mktemp("csv") / "items.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["level", "text"])
        writer.writerows(rows)
    assert [(item.level, item.text) for item in read_items(path)[1]] == [
        (level, " ".join(text.split())) for level, text in rows
    ]


def test_what_pandas_and_spreadsheets_write(tmp_path: Path) -> None:
    pd = pytest.importorskip("pandas")
    table = pd.DataFrame({"text": ["It moves.", "It stays.", "It grew 3%."], "level": [1.0, 2.0, 5.0],
                          "any": ["Tue|Tuesday", None, float("nan")], "forbidden": [None, True, None]})  # fmt: skip
    wanted = [("It moves.", 1, ("Tue", "Tuesday"), False), ("It stays.", 2, (), True), ("It grew 3%.", 5, (), False)]
    forms = {
        "index.csv": lambda path: table.to_csv(path),
        "na.csv": lambda path: table.to_csv(path, index=False, na_rep="NA"),
        "nan.csv": lambda path: table.to_csv(path, index=False, na_rep="nan"),
        "semicolon.csv": lambda path: table.to_csv(path, index=False, sep=";", decimal=","),
        "told.csv": lambda path: path.write_text("sep=;\n" + table.to_csv(index=False, sep=";")),
        "wide.csv": lambda path: table.to_csv(path, index=False, encoding="utf-16", sep="\t"),
        "tabs.tsv": lambda path: table.to_csv(path, index=False, sep="\t"),
        "commas.csv": lambda path: path.write_text(table.to_csv(index=False) + ",,,\n,,,\n"),
        "records.json": lambda path: table.to_json(path, orient="records"),
        "lines.jsonl": lambda path: table.to_json(path, orient="records", lines=True),
    }
    for name, write in forms.items():
        write(tmp_path / name)
        items = read_items(tmp_path / name)[1]
        assert [(i.text, i.level, i.any, i.forbidden) for i in items] == wanted, name


NUGGETS = {
    "qid": "12", "query": "What happened?",
    "nuggets": [{"text": "The index was dropped.", "importance": "vital", "assignment": "support"},
                {"text": "It took an hour.", "importance": "okay", "assignment": "not_support"}],
}  # fmt: skip


def test_nuggets(tmp_path: Path) -> None:
    path = tmp_path / "nuggets.jsonl"
    path.write_text(json.dumps(NUGGETS) + "\n")
    items = read_items(path)[1]
    assert [(i.text, i.level) for i in items] == [("The index was dropped.", 1), ("It took an hour.", 3)]
    assert items.notes == (
        "level is read from 'importance'", "not read: qid, query, assignment",
        "levels are words: 'vital' is level 1, 'okay' is level 3",
    )  # fmt: skip
    path.write_text(json.dumps(NUGGETS) + "\n" + json.dumps({**NUGGETS, "qid": "13"}) + "\n")
    with pytest.raises(CaseError, match=r"the items of 2 queries; choose one with --where qid=... \(12, 13\)"):
        read_items(path)
    assert len(read_items(path, where={"qid": "13"})[1]) == 2
    with pytest.raises(CaseError, match="no record has qid=14"):
        read_items(path, where={"qid": "14"})


def test_specific_queries_as_in_qmsum(tmp_path: Path) -> None:
    path = tmp_path / "meeting.json"
    path.write_text(json.dumps({
        "topic_list": [{"topic": "Index", "relevant_text_span": [["0", "4"]]}],
        "general_query_list": [{"query": "Summarize the meeting.", "answer": "They spoke."}],
        "specific_query_list": [{"query": "What was decided?", "answer": "The index moves.", "relevant_text_span": []},
                                {"query": "When?", "answer": "On Tuesday."}],
        "meeting_transcripts": [{"speaker": "Ana", "content": "Hello."}],
    }))  # fmt: skip
    items = read_items(path, level=2)[1]
    assert [(i.text, i.level) for i in items] == [("The index moves.", 2), ("On Tuesday.", 2)]
    assert "text is read from 'answer'" in items.notes
    assert [i.text for i in read_items(path, level=2, rows="general_query_list")[1]] == ["They spoke."]
    assert [i.text for i in read_items(path, level=2, columns={"text": "topic"})[1]] == ["Index"]
    with pytest.raises(CaseError, match=r"column 'level' is missing.*One level for all items: --level 3"):
        read_items(path)
    with pytest.raises(CaseError, match="no list of records 'x'; it has 'topic_list'"):
        read_items(path, level=2, rows="x")


def test_columns_of_other_names(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("No;Fact;Weight;Words\n7;It moves;Lv2;a|b\n8;It stays;4,0;\n")
    items = read_items(path, columns={"text": "Fact", "level": "Weight", "any": "Words", "id": "No"})[1]
    assert [(i.text, i.level, i.any, i.id) for i in items] == [
        ("It moves", 2, ("a", "b"), "7"),
        ("It stays", 4, (), "8"),
    ]
    with pytest.raises(CaseError, match="columns text=Fakt: the table has no column 'Fakt'; did you mean 'Fact'"):
        read_items(path, columns={"text": "Fakt"})
    with pytest.raises(CaseError, match="or name yours with --columns"):
        read_items(path)


@given(st.binary(max_size=120), st.sampled_from(["x.csv", "x.tsv", "x.json", "x.jsonl", "x.md"]))
def test_no_bytes_end_in_a_traceback(tmp_path_factory: pytest.TempPathFactory, data: bytes, name: str) -> None:
    path = tmp_path_factory.mktemp("bytes") / name
    path.write_bytes(data)
    with contextlib.suppress(CaseError):
        assert read_items(path)[1]
