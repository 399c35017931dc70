"""Tools for rubrics: what a check finds, a draft picks and an import reads, and that nothing is overwritten."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from objectives.case import Item
from objectives.case_files import CaseError, load_cases, shipped_sets
from objectives.coverage import CoverageObjective
from objectives.rubrics import (
    Candidate,
    RubricFinding,
    candidates_from_model,
    check_cases,
    estimate_tokens,
    find_candidates,
    read_items,
    render_rubric,
    write_case,
    write_files,
)
from objectives.rubrics.words import content_keys, similarity

SAMPLE = Path(__file__).parents[3] / "sweeps" / "template" / "cases"
"""What `sweeps init` writes."""

LOG = """\
Petra: The kiln on line 2 tripped at 03:12, and 460 plates were cooling inside.
Jonas: Thermocouple B read 1,390 degrees while A and C read 1,210. I replaced B, the reading is fine now.
Petra: So we scrap the 460 plates?
Jonas: No. We fire them again on Thursday with the slow program.
Petra: Fine, I tell the customer in Graz that delivery moves to 4 June.
"""
ITEMS = [
    ("A faulty thermocouple tripped the kiln on line 2.", 1, {}),
    ("The plates are fired again on Thursday.", 1, {}),
    ("Jonas replaced thermocouple B.", 2, {}),
    ("Delivery moves to 4 June.", 2, {"all": ["4 June"]}),
    ("460 plates were cooling inside.", 3, {"any": ["460"]}),
    ("Petra tells the customer in Graz.", 4, {"any": ["Graz"]}),
    ("The kiln tripped at 03:12.", 5, {"any": ["03:12"]}),
]


def write(folder: Path, items: list[tuple[str, int, Mapping]] | None = None, log: str = LOG, **head: object) -> Path:
    lines = [f"{key} = {str(value).lower()}" for key, value in head.items()]
    for text, level, rest in ITEMS if items is None else items:
        lines += ["[[items]]", f"text = {text!r}" if "'" not in text else f'text = "{text}"', f"level = {level}"]
        lines += [f"{key} = {str(value).lower() if isinstance(value, bool) else value}" for key, value in rest.items()]
    (folder / "kiln.toml").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (folder / "kiln.txt").write_text(log, encoding="utf-8")
    return folder


def findings(folder: Path, check: str, **settings) -> list[RubricFinding]:
    return [finding for finding in check_cases(folder, **settings).findings if finding.check == check]


def test_a_sound_case_is_ok(tmp_path: Path) -> None:
    report = check_cases(write(tmp_path), num_ctx=[2048])
    assert [(finding.state, finding.case) for finding in report.findings] == [("ok", "kiln")]
    assert "7 items (2/2/1/1/1 on levels 1-5)" in report.findings[0].message
    assert report.as_dict() | {"findings": []} == {"cases": 1, "errors": 0, "warnings": 0, "findings": []}


def test_a_broken_file_is_an_error_and_the_others_are_checked(tmp_path: Path) -> None:
    write(tmp_path, reviewed=False)
    (tmp_path / "bad.toml").write_text("[[items]]\nlevel = 7\n")
    report = check_cases(tmp_path)
    assert {(f.state, f.check, f.case) for f in report.findings} == {
        ("error", "schema", "bad"),
        ("warning", "reviewed", "kiln"),
    }
    assert len([f for f in report.findings if f.case == "bad"]) == 3  # level, text, log
    assert len(report.cases) == 1


def test_twins_are_found_but_not_false_claims_or_other_numbers(tmp_path: Path) -> None:
    more = [
        ("Thermocouple B was replaced by Jonas.", 3, {}),
        ("Delivery moves to 5 June.", 3, {"forbidden": True}),
        ("Delivery moves to 9 June.", 3, {}),
        ("Graz hears of it.", 3, {"any": ["Graz"]}),
    ]
    found = findings(write(tmp_path, ITEMS + more), "duplicates")
    assert {(finding.item, finding.state) for finding in found} == {("i8", "warning"), ("i11", "warning")}
    assert len(found) == 2
    by_item = {finding.item: finding.message for finding in found}
    assert "'i3'" in by_item["i8"]
    assert "same patterns as 'i6'" in by_item["i11"]


def test_weighty_items_that_one_common_word_covers(tmp_path: Path) -> None:
    fact = "The kiln on line 2 tripped at 03:12."
    harmless = [
        *((fact, 3, {"any": ["kiln"]}), (fact + " a", 1, {"all": ["03:12"], "any": ["kiln"]})),
        *((fact + " b", 1, {"any": ["03:12", "kiln tripped", "Petra", "kiln_2"]}), ("The kiln.", 1, {"any": ["kiln"]})),
        (fact + " c", 1, {"any": ["kiln"], "forbidden": True}),
    ]
    weighty = (fact + " d", 2, {"any": ["03:12", "kiln", "line"]})
    found = [f for f in findings(write(tmp_path, [*harmless, weighty]), "patterns") if "alone" in f.message]
    assert [(finding.state, finding.item) for finding in found] == [("warning", "i6")]
    assert "the word 'kiln' alone covers it" in found[0].message


@pytest.mark.parametrize("place", [*shipped_sets().values(), SAMPLE])
def test_what_is_shipped_asks_for_more_than_a_word(place: Path) -> None:
    report = check_cases(place)
    assert not [finding for finding in report.findings if finding.check not in ("all", "levels")]


def test_the_sample_asks_what_was_said_of_things() -> None:
    pump, release = load_cases(SAMPLE)
    score = CoverageObjective().score
    beside = score(pump, "They opened the strainer, which was clean. The gauge read 2.1 bar.")
    assert not {"cause", "fix"} & set(beside.covered)
    said = score(pump, "The suction strainer was blocked with scale; cleaned, it gave 2.1 bar again.")
    assert {"cause", "fix"} <= set(said.covered)
    assert "moved" not in score(release, "Leo calls the customer on Thursday.").covered
    assert score(release, "The release was cancelled.").forbidden == ("rumour",)
    told = score(release, "The release is not cancelled but moves to Thursday, with a nightly test of 3 GB.")
    assert (told.forbidden, {"moved", "test"} <= set(told.covered)) == ((), True)


def test_items_that_the_log_does_not_cover(tmp_path: Path) -> None:
    more = [
        ("The insurance company pays for the damaged conveyor motor.", 3, {}),
        ("It happened in hall 9.", 3, {"any": ["hall 9", "hall nine"]}),
    ]
    folder = write(tmp_path, ITEMS + more)
    assert [finding.item for finding in findings(folder, "log")] == ["i8"]
    (pattern,) = findings(folder, "patterns")
    assert pattern.item == "i9"
    assert "never match the log" in pattern.message
    assert "hall 9" in pattern.message


def test_forbidden_items_that_the_log_itself_has(tmp_path: Path) -> None:
    more = [("The plates are scrapped.", 1, {"forbidden": True, "any": ["scrap"]})]
    (finding,) = findings(write(tmp_path, ITEMS + more), "log")
    assert finding.item == "i8"
    assert "a quotation costs points" in finding.message


def test_items_that_any_text_covers(tmp_path: Path) -> None:
    more = [
        ("The team agreed on something.", 3, {"regex": ["[a-z]+ed ", "は"]}),
        ("They made a decision.", 3, {"any": ["decision"]}),
    ]
    found = {finding.item: finding.state for finding in findings(write(tmp_path, ITEMS + more), "any-text")}
    assert found == {"i8": "error", "i9": "warning"}


def test_levels(tmp_path: Path) -> None:
    crowded = [(f"{text} {n}", 1, {}) for n, (text, _, _) in enumerate(ITEMS)]
    messages = " / ".join(finding.message for finding in findings(write(tmp_path, crowded), "levels"))
    assert "no item on level 2, 3, 4, 5" in messages
    assert "7 of 7 items are on level 1" in messages
    (few,) = [f for f in findings(write(tmp_path, ITEMS[:4]), "levels") if "only" in f.message]
    assert "4 items: one item more or less is 25%" in few.message


@pytest.mark.parametrize(
    ("num_ctx", "state"),
    [([], None), ([4096], None), ([300, 4096], "warning"), ([300], "error"), ([300, 300], "error")],
)
def test_length(tmp_path: Path, num_ctx: list[int], state: str | None) -> None:
    found = findings(write(tmp_path), "length", num_ctx=num_ctx)
    assert [finding.state for finding in found] == ([state] if state else [])


def test_length_by_a_counter_is_exact_at_the_edge(tmp_path: Path) -> None:
    folder = write(tmp_path)
    assert findings(folder, "length", num_ctx=[500], reserve=100, count_tokens=lambda text: 400) == []
    (finding,) = findings(folder, "length", num_ctx=[500], reserve=100, count_tokens=lambda text: 401)
    assert "401 tokens" in finding.message
    assert "about" not in finding.message


def test_estimates_by_hand() -> None:
    assert estimate_tokens("") == 0
    assert estimate_tokens("a" * 30) == 10
    assert estimate_tokens("請求書が遅れた") == 15  # 7 x 2.1 = 14.7, rounded up


def test_logs_without_a_rubric(tmp_path: Path) -> None:
    write(tmp_path)
    (tmp_path / "orphan.txt").write_text("x")
    (tmp_path / "kiln.toml").write_text('log = "other.txt"\n' + (tmp_path / "kiln.toml").read_text())
    (tmp_path / "kiln.txt").rename(tmp_path / "other.txt")
    assert [finding.case for finding in findings(tmp_path, "schema")] == ["orphan"]


def test_content_keys_stem_and_compare_numbers() -> None:
    assert content_keys("The 4,182,907 plates were fired") == content_keys("4182907 plate firing")
    assert content_keys("請求書") == ["請求", "求書"]
    assert similarity(frozenset("ab"), frozenset("bc")) == pytest.approx(1 / 3)
    assert similarity(frozenset(), frozenset()) == 0


def test_candidates_are_facts_of_the_log_in_its_order() -> None:
    found = find_candidates(LOG, 4)
    texts = [candidate.text for candidate in found]
    assert len(texts) == 4
    assert [LOG.index(text) for text in texts] == sorted(LOG.index(text) for text in texts)
    assert not any(text.endswith("?") for text in texts)
    assert "Fine, I tell the customer in Graz that delivery moves to 4 June." in texts
    assert sorted(candidate.level for candidate in found) == [1, 2, 3, 4]
    assert {candidate.note for candidate in found} <= {"said by Petra", "said by Jonas"}


def test_candidates_skip_what_was_said_before() -> None:
    twice = LOG + "Jonas: We fire them again on Thursday with the slow program.\n"
    texts = [candidate.text for candidate in find_candidates(twice, 20)]
    assert len([text for text in texts if "slow program" in text]) == 1


@given(st.text(max_size=300), st.integers(1, 20))
def test_candidates_of_any_text_are_repeatable_and_bounded(log: str, count: int) -> None:
    found = find_candidates(log, count)
    assert found == find_candidates(log, count)
    assert len(found) <= count
    assert all(1 <= candidate.level <= 5 and candidate.text for candidate in found)


def test_model_proposals_are_cleaned() -> None:
    asked = []

    def chat_json(prompt: str, schema: Mapping) -> dict:
        asked.append((prompt, schema))
        return {
            "items": [
                {"text": " The kiln  tripped at night. ", "level": 1},
                {"text": "The kiln tripped at night", "level": 2},
                {"text": "Plates are fired again.", "level": "9"},
                {"text": "", "level": 1},
                "nonsense",
                {"text": "Graz is told.", "level": None},
                {"text": "One too many here.", "level": 5},
            ]
        }

    found = candidates_from_model(LOG, chat_json, 3)
    assert [(c.text, c.level) for c in found] == [
        ("The kiln tripped at night.", 1),
        ("Plates are fired again.", 5),
        ("Graz is told.", 3),
    ]
    ((prompt, schema),) = asked
    assert LOG in prompt
    assert schema["properties"]["items"]["maxItems"] == 3
    assert candidates_from_model(LOG, lambda prompt, schema: {"items": "none"}) == []
    assert candidates_from_model("braces {here} {0}", lambda prompt, schema: {}) == []


def test_drafts_warn_until_they_are_reviewed(tmp_path: Path) -> None:
    (tmp_path / "kiln.txt").write_text(LOG)
    rubric = render_rubric(find_candidates(LOG), reviewed=False, title="Kiln")
    assert tomllib.loads(rubric)["reviewed"] is False
    written = write_case(rubric, tmp_path / "kiln.txt", LOG)
    assert written == [tmp_path / "kiln.toml"]
    assert [finding.case for finding in findings(tmp_path, "reviewed")] == ["kiln"]
    written[0].write_text(rubric.replace("reviewed = false", "reviewed = true"))
    assert findings(tmp_path, "reviewed") == []


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


def test_nothing_is_overwritten_and_nothing_half_written(tmp_path: Path) -> None:
    there = tmp_path / "b.toml"
    there.write_text("mine")
    with pytest.raises(CaseError, match=r"b\.toml: exists already"):
        write_files({tmp_path / "a.txt": "new", there: "new"})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["b.toml"]
    assert there.read_text() == "mine"
    write_files({tmp_path / "deep" / "a.txt": "näw\n", there: "new"}, force=True)
    assert there.read_text() == "new"
    assert (tmp_path / "deep" / "a.txt").read_bytes() == "näw\n".encode()
    assert not list(tmp_path.rglob(".*"))


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(CaseError, match="cannot be written"):
        write_files({tmp_path / "file" / "a.toml": "x"})


def test_a_case_written_elsewhere_takes_its_log_along(tmp_path: Path) -> None:
    items = [
        Item("when", 'Say "no" \\ yes', 2, any=("a",), all=("b",), regex=(r"\d",)),
        Item("x", "Not so", 1, forbidden=True),
    ]
    written = write_case(render_rubric(items, title="T"), tmp_path / "chat.md", "log\n", tmp_path / "set")
    assert [path.name for path in written] == ["chat.toml", "chat.txt"]
    (case,) = load_cases(tmp_path / "set")
    assert case.items == tuple(items)
    assert case.log == "log\n"


def test_notes_become_comments() -> None:
    text = render_rubric([Candidate("A fact", 2, "said by\nAnn")])
    assert "[[items]]  # said by Ann\n" in text
    assert tomllib.loads(text)["items"] == [{"text": "A fact", "level": 2}]
