"""Items from CSV tables and Markdown checklists."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

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
        ("a.md", "# T\n- [9] a\n- b\n- [?] c\n", [2, 3, 4], "an item without level"),
        ("a.md", "Only words.\n", [None], "contains no item"),
        ("a.docx", "x", [None], ".csv, .markdown, .md"),
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
    lambda text: " ".join(text.split()).strip("\ufeff")
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
