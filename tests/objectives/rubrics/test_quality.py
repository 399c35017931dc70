"""The quality of a set of cases: each fault is found, and a sound case has none."""

from __future__ import annotations

from pathlib import Path

import pytest

from objectives.case_files import load_cases, shipped_sets
from objectives.coverage import CoverageObjective
from objectives.rubrics import RubricFinding, check_cases, estimate_tokens
from tests.objectives.rubrics.kiln import ITEMS, write

SAMPLE = Path(__file__).parents[3] / "sweeps" / "template" / "cases"
"""What `sweeps init` writes."""


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
