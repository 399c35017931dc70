"""Reading cases: what is read, and that all mistakes of all files are told at once."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from objectives.case import Item
from objectives.case_files import CaseError, load_cases, read_text, shipped_sets
from objectives.case_schema import regex_fault
from objectives.rubrics.rubric_files import render_rubric

GOOD = '[[items]]\ntext = "The job moves to Tuesday."\nlevel = 1\n'


def put(folder: Path, name: str, rubric: str, log: str | bytes | None = "Ann: It moves to Tuesday.\n") -> Path:
    path = folder / f"{name}.toml"
    path.write_text(rubric, encoding="utf-8")
    if isinstance(log, bytes):
        path.with_suffix(".txt").write_bytes(log)
    elif log is not None:
        path.with_suffix(".txt").write_text(log, encoding="utf-8")
    return path


def problems(path: Path | str, **settings) -> list:
    with pytest.raises(CaseError) as caught:
        load_cases(path, **settings)
    return caught.value.problems


def only_problem(folder: Path, rubric: str, log: str | bytes | None = "text\n"):
    put(folder, "a", rubric, log)
    found = problems(folder)
    assert len(found) == 1, [str(each) for each in found]
    return found[0]


def test_everything_of_a_rubric_is_read(tmp_path: Path) -> None:
    put(
        tmp_path,
        "moves",
        'title = "A move"\nlanguage = "en"\n[meta]\nteam = "ops"\n'
        '[[items]]\nid = "when"\ntext = "  It moves\\n to Tuesday. "\nlevel = 2\nany = ["Tuesday", "Tue"]\n'
        "all = \"moves\"\nregex = ['Tues?\\b']\n"
        '[[items]]\ntext = "It moves to Monday."\nlevel = 1\nforbidden = true\n',
    )
    (case,) = load_cases(tmp_path)
    assert (case.name, case.title, case.log) == ("moves", "A move", "Ann: It moves to Tuesday.\n")
    assert case.path == tmp_path / "moves.toml"
    assert dict(case.meta) == {"team": "ops", "language": "en"}
    assert case.items == (
        Item("when", "It moves to Tuesday.", 2, any=("Tuesday", "Tue"), all=("moves",), regex=(r"Tues?\b",)),
        Item("i2", "It moves to Monday.", 1, forbidden=True),
    )


def test_cases_come_sorted_and_can_be_chosen(tmp_path: Path) -> None:
    for name in ("c", "a", "b-2", "b"):
        put(tmp_path, name, GOOD)
    assert [case.name for case in load_cases(tmp_path)] == ["a", "b", "b-2", "c"]
    assert [case.name for case in load_cases(tmp_path, names=["c", "b"])] == ["b", "c"]
    assert [case.name for case in load_cases(tmp_path / "b-2.toml")] == ["b-2"]


def test_cases_not_chosen_are_not_read(tmp_path: Path) -> None:
    put(tmp_path, "good", GOOD)
    put(tmp_path, "broken", "not toml")
    assert len(load_cases(tmp_path, names=["good"])) == 1


def test_unknown_names_list_the_valid_ones(tmp_path: Path) -> None:
    put(tmp_path, "backlog", GOOD)
    put(tmp_path, "upgrade", GOOD)
    (problem,) = problems(tmp_path, names=["backlgo"])
    assert "'backlgo'" in str(problem)
    assert "Did you mean 'backlog'?" in str(problem)
    assert "backlog, upgrade" in str(problem)
    assert "empty list" in str(problems(tmp_path, names=[])[0])


def test_log_named_or_inside(tmp_path: Path) -> None:
    (tmp_path / "chat.md").write_text("Ben: hello\n", encoding="utf-8")
    put(tmp_path, "named", 'log = "chat.md"\n' + GOOD, None)
    put(tmp_path, "inside", "log_text = '''Cem: hi'''\n" + GOOD, None)
    assert {case.name: case.log for case in load_cases(tmp_path)} == {"named": "Ben: hello\n", "inside": "Cem: hi"}
    put(tmp_path, "both", "log = 'chat.md'\nlog_text = 'x'\n" + GOOD, None)
    (problem,) = problems(tmp_path)
    assert problem.key == "log_text"
    assert problem.line == 2


def test_line_ends_and_byte_order_mark_do_not_change_the_log(tmp_path: Path) -> None:
    put(tmp_path, "unix", GOOD, b"a\nb\n")
    put(tmp_path, "windows", GOOD, b"\xef\xbb\xbfa\r\nb\r\n")
    put(tmp_path, "mac", GOOD, b"a\rb\r")
    assert len({case.log_sha256 for case in load_cases(tmp_path)}) == 1


def test_shipped_sets_load_by_name_and_a_real_path_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert {"engineering-chats", "japanese-sample"} <= set(shipped_sets())
    assert len(load_cases("engineering-chats")) >= 6
    monkeypatch.chdir(tmp_path)
    (tmp_path / "engineering-chats").mkdir()
    put(tmp_path / "engineering-chats", "mine", GOOD)
    assert [case.name for case in load_cases("engineering-chats")] == ["mine"]


def test_misspelt_set_gets_the_nearest_name() -> None:
    (problem,) = problems("enginering-chats")
    assert "Did you mean 'engineering-chats'?" in str(problem)


def test_directory_without_cases_points_to_those_below(tmp_path: Path) -> None:
    assert "no .toml file" in str(problems(tmp_path)[0])
    (tmp_path / "set").mkdir()
    put(tmp_path / "set", "a", GOOD)
    assert str(tmp_path / "set") in problems(tmp_path)[0].remedy
    (tmp_path / "log.txt").write_text("x")
    assert "neither a directory of cases nor a .toml" in str(problems(tmp_path / "log.txt")[0])


def test_all_problems_of_all_files_are_told_at_once_with_key_and_line(tmp_path: Path) -> None:
    put(tmp_path, "a", '[[items]]\ntext = "x"\nlevel = 6\n\n[[items]]\nlevle = 2\nlevel = 1\n')
    put(tmp_path, "b", 'title = "b"\nitms = []\n', None)
    put(tmp_path, "c", 'title = "c\n')
    found = {(Path(each.file).name, each.key, each.line) for each in problems(tmp_path)}
    assert found == {
        ("a.toml", "items[0].level", 3),
        ("a.toml", "items[1].levle", 6),
        ("a.toml", "items[1].text", 5),
        ("b.toml", "itms", 2),
        ("b.toml", "items", None),
        ("b.toml", "", None),
        ("c.toml", "", 1),
    }


@pytest.mark.parametrize("level", ["6", "0", "-1", "true", '"1"', "1.0"])
def test_levels_that_are_none(tmp_path: Path, level: str) -> None:
    problem = only_problem(tmp_path, f'[[items]]\ntext = "x"\nlevel = {level}\n')
    assert problem.key == "items[0].level"
    assert level.strip('"') in problem.message
    assert "1 (essential) to 5 (incidental)" in problem.remedy


@pytest.mark.parametrize(
    ("rubric", "key", "says"),
    [
        ("[[items]]\nlevel = 1\n", "items[0].text", "without text"),
        ('[[items]]\ntext = "  "\nlevel = 1\n', "items[0].text", "empty"),
        ("items = []\n", "items", "no items"),
        ('items = "x"\n', "items", "a list"),
        (GOOD + "any = [1]\n", "items[0].any[0]", "a text in quotes"),
        (GOOD + 'forbidden = "no"\n', "items[0].forbidden", "true or false"),
        (GOOD + "forbidden = true\n", "items", "nothing to cover"),
        (GOOD + "regex = '('\n", "items[0].regex", "not a valid regular expression"),
        (GOOD + "regex = 'a*'\n", "items[0].regex", "matches the empty text"),
        (GOOD + "regex = '(a|aa)+$'\n", "items[0].regex", "catastrophic backtracking"),
        (GOOD + 'id = "i2"\n[[items]]\ntext = "y"\nlevel = 1\n', "items[1].id", "'i2'"),
        (GOOD + '[[items]]\ntext = "the job moves  to tuesday"\nlevel = 2\n', "items[1].text", "items[0]"),
        ('log = "other.txt"\n' + GOOD, "log", "missing"),
        ("reviewed = 1\n" + GOOD, "reviewed", "true or false"),
    ],
)
def test_bad_rubrics(tmp_path: Path, rubric: str, key: str, says: str) -> None:
    problem = only_problem(tmp_path, rubric)
    assert problem.key == key
    assert says in problem.message
    assert problem.remedy


@pytest.mark.parametrize(
    ("log", "says"),
    [(" \n", "empty"), (None, "missing"), ("ok\n夜間バッチは火曜日に移します。".encode("shift_jis"), "not UTF-8")],
)
def test_bad_logs(tmp_path: Path, log: str | bytes | None, says: str) -> None:
    problem = only_problem(tmp_path, GOOD, log)
    assert says in problem.message
    if says == "not UTF-8":
        assert (problem.line, Path(problem.file).name) == (2, "a.txt")
        name = tmp_path / "a.txt"
        assert problem.remedy == f"Convert it: iconv -f CP932 -t UTF-8 {name} > {name.with_suffix('.utf8.txt')}"


def test_rubric_and_log_may_begin_with_the_mark_of_windows_editors(tmp_path: Path) -> None:
    put(tmp_path, "plain", GOOD)
    mark = b"\xef\xbb\xbf"
    put(tmp_path, "marked", "\ufeff" + GOOD, mark + b"Ann: It moves to Tuesday.\n")
    marked, plain = load_cases(tmp_path)
    assert (marked.items, marked.log) == (plain.items, plain.log)


def test_a_text_that_looks_like_a_header_does_not_shift_lines(tmp_path: Path) -> None:
    problem = only_problem(tmp_path, "log_text = '''\n[[items]]\n'''\n[[items]]\ntext = 'x'\nlevel = 9\n", None)
    assert problem.key == "items[0].level"
    assert problem.line is None


@given(st.text(st.characters(codec="utf-8", exclude_characters="\r\ufeff"), max_size=80))
def test_any_text_survives_writing_and_reading(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    folder = tmp_path_factory.mktemp("case")
    item = Item("odd", "x " + text, 3, any=("y" + text + "z",))
    put(folder, "a", render_rubric([item], title=text), "log")
    (case,) = load_cases(folder)
    assert case.title == text
    assert case.items[0].text == " ".join(("x " + text).split())
    assert case.items[0].any == (("y" + text + "z"),)


@given(st.binary(max_size=60))
def test_any_bytes_give_cases_or_a_case_error(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    folder = tmp_path_factory.mktemp("case")
    (folder / "a.toml").write_bytes(data)
    (folder / "a.txt").write_bytes(data)
    with pytest.raises(CaseError):  # bytes of this length never hold an item with text and level
        load_cases(folder)


def test_read_text_tells_a_directory_from_a_missing_file(tmp_path: Path) -> None:
    for path, says in ((tmp_path, "is a directory"), (tmp_path / "no", "cannot be read")):
        with pytest.raises(CaseError, match=says):
            read_text(path)


def test_harmless_regular_expressions_pass() -> None:
    for pattern in (r"post-?\s?mortem", r"(re)?work\w*", r"\b(not|never)\b[^.]{0,30}\bdelete", "[0-9]+ of [0-9]+"):
        assert regex_fault(pattern, ["a log " * 500]) == ""


def test_what_ends_in_toml_and_is_no_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text('[[items]]\ntext = "A."\nlevel = 1\n')
    (tmp_path / "a.txt").write_text("A.")
    (tmp_path / "folder.toml").mkdir()
    (tmp_path / "link.toml").symlink_to("gone.toml")
    with pytest.raises(CaseError) as told:
        load_cases(tmp_path)
    assert "folder.toml: is a directory" in str(told.value)
    assert "link.toml: is a link to 'gone.toml', which does not exist" in str(told.value)
    assert len(load_cases(tmp_path, names=["a"])) == 1  # the others are not read


def test_a_place_that_does_not_exist_is_answered_with_a_name_beside_it(tmp_path: Path) -> None:
    (tmp_path / "my cases").mkdir()
    (tmp_path / "notes.txt").touch()
    with pytest.raises(CaseError, match=re.escape(f"Did you mean {str(tmp_path / 'my cases')!r}?")):
        load_cases(tmp_path / "my-cases")
    with pytest.raises(CaseError, match=r"case set\. Shipped sets"):
        load_cases(tmp_path / "notes")
    with pytest.raises(CaseError, match=re.escape(f"The directory {str(tmp_path / 'gone')!r} does not exist.")):
        load_cases(tmp_path / "gone" / "cases")
