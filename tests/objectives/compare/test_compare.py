"""Folders of summaries: what is read as which run, figures worked out by hand, and what may be claimed."""

from __future__ import annotations

import html.parser
import json
import math
from pathlib import Path

import pytest

from objectives import CoverageObjective
from objectives.case import Case, Item
from objectives.case_files import CaseError
from objectives.compare.comparison import as_dict, compare_folders, fraction, records
from objectives.compare.page import render_html
from objectives.compare.summaries import read_summaries

# Weights 5 + 4 + 1 = 10 for the first case, 5 for the second.
ALPHA = Case(
    "alpha",
    "Alpha log",
    (
        Item("one", "One", 1, any=("red",)),
        Item("two", "Two", 2, any=("green",)),
        Item("five", "Five", 5, any=("blue",)),
        Item("lie", "A lie", 5, any=("black",), forbidden=True),
    ),
)
BETA = Case("beta.v2", "Beta log", (Item("only", "Only <b>one</b>", 1, any=("white",)),))
CASES = [ALPHA, BETA]


def folder(root: Path, name: str, **files: str) -> Path:
    path = root / name
    path.mkdir(parents=True)
    for file, text in files.items():
        (path / file.replace("__", ".")).write_text(text, encoding="utf-8")
    return path


def test_runs_are_told_from_names(tmp_path: Path) -> None:
    files = ("alpha.txt", "alpha.10.txt", "alpha.9.md", "alpha.cold.txt", "beta.v2.txt", "beta.v2.1.txt", "notes.txt")
    path = folder(tmp_path, "out", **dict.fromkeys((*files, "alpha.json", ".alpha.txt"), "x"))
    (path / "alpha.dir.txt").mkdir()
    summaries, unknown = read_summaries(path, ["alpha", "beta.v2", "beta"])
    assert [(s.case, s.run) for s in summaries] == [
        ("alpha", ""),
        ("alpha", "9"),
        ("alpha", "10"),
        ("alpha", "cold"),
        ("beta.v2", ""),
        ("beta.v2", "1"),
    ]
    assert unknown == ["notes.txt"]


@pytest.mark.parametrize(
    ("files", "says"),
    [
        ({}, "has no summary of any case. Name summaries after the cases: alpha.txt, beta.v2.txt"),
        ({"alhpa.txt": "x"}, "It contains alhpa.txt. Did you mean 'alpha'?"),
        ({"alpha.txt": "x", "alpha.md": "y"}, "same run as alpha.md"),
    ],
)
def test_bad_folders(tmp_path: Path, files: dict[str, str], says: str) -> None:
    with pytest.raises(CaseError) as caught:
        compare_folders(CASES, [folder(tmp_path, "out", **files)])
    assert says in str(caught.value)


def test_all_bad_folders_are_told_at_once(tmp_path: Path) -> None:
    latin = folder(tmp_path, "latin")
    (latin / "alpha.txt").write_bytes(b"caf\xe9")
    (tmp_path / "file").write_text("x")
    with pytest.raises(CaseError) as caught:
        compare_folders(CASES, [tmp_path / "none", latin, tmp_path / "file"])
    told = [problem.message for problem in caught.value.problems]
    assert told[0] == "no such folder of summaries."
    assert told[1].startswith("not UTF-8")
    assert told[2] == "is a file, not a folder of summaries."


def test_one_run_by_hand(tmp_path: Path) -> None:
    out = folder(tmp_path, "out", **{"alpha.txt": "red blue", "beta.v2.txt": "white"})
    comparison = compare_folders(CASES, [out])
    (machine,) = comparison.machines
    assert machine.results["alpha"].mean == pytest.approx(0.6)  # (5 + 1) / 10
    assert machine.results["beta.v2"].mean == 1
    assert machine.mean(comparison.shared) == pytest.approx(0.8)
    assert machine.text(comparison.shared, 1, 2) == "2/3"
    assert [machine.results["alpha"].text(level) for level in (1, 2, 3, 5)] == ["1/1", "0/1", "0/0", "1/1"]
    assert machine.results["alpha"].missed_by("two") == 1
    assert machine.noise is None
    assert machine.standard_error(comparison.shared) is None
    assert machine.results["alpha"].sd is None


def test_repeats_by_hand(tmp_path: Path) -> None:
    files = {"alpha.1.txt": "red", "alpha.2.txt": "red green", "alpha.3.txt": "red green blue", "beta.v2.txt": "white"}
    comparison = compare_folders(CASES, [folder(tmp_path, "out", **files)])
    (machine,) = comparison.machines
    alpha = machine.results["alpha"]
    # Scores .5, .9, 1.0: mean .8, squared deviations .09 + .01 + .04 = .14, two degrees of freedom.
    assert alpha.mean == pytest.approx(0.8)
    assert alpha.sd == pytest.approx(math.sqrt(0.07))
    assert machine.noise == (pytest.approx(math.sqrt(0.07)), 2)
    # Standard error of the mean over both cases: sd * sqrt(1/3 + 1/1) / 2.
    assert machine.standard_error(comparison.shared) == pytest.approx(math.sqrt(0.07) * math.sqrt(4 / 3) / 2)
    assert alpha.text(1, 2) == "1.7/2"
    assert alpha.missed_by("two") == 1
    assert alpha.missed_by("lie") == 0


def test_forbidden_items_cost_and_are_named(tmp_path: Path) -> None:
    comparison = compare_folders([ALPHA], [folder(tmp_path, "out", **{"alpha.txt": "red green blue black"})])
    result = comparison.machines[0].results["alpha"]
    assert result.mean == pytest.approx(0.9)
    assert result.missed_by("lie") == 1


def test_means_are_over_shared_cases_only(tmp_path: Path) -> None:
    both = folder(tmp_path, "both", **{"alpha.txt": "red", "beta.v2.txt": "white"})
    less = folder(tmp_path, "less", **{"alpha.txt": "green", "other.txt": "x", "known.1.txt": "x"})
    comparison = compare_folders(CASES, [both, less], ignore=["known"])
    assert comparison.shared == ("alpha",)
    assert [machine.mean(comparison.shared) for machine in comparison.machines] == [
        pytest.approx(0.5),
        pytest.approx(0.4),
    ]
    assert comparison.machines[1].missing == ("beta.v2",)
    assert comparison.machines[1].unknown == ("other.txt",)


def test_an_empty_summary_counts_as_nothing_and_is_named(tmp_path: Path) -> None:
    comparison = compare_folders(CASES, [folder(tmp_path, "out", **{"alpha.txt": " \n", "beta.v2.txt": "white"})])
    assert comparison.machines[0].results["alpha"].mean == 0
    assert comparison.machines[0].empty == ("alpha.txt",)


def test_settings_of_the_objective_are_used_and_kept(tmp_path: Path) -> None:
    out = folder(tmp_path, "out", **{"alpha.txt": "red and then green"})
    objective = CoverageObjective(weights=(1, 1, 1, 1, 1), budget_words=2)
    comparison = compare_folders([ALPHA], [out], objective)
    assert comparison.machines[0].results["alpha"].mean == pytest.approx(1 / 3)
    kept = as_dict(comparison)
    assert (kept["budget_words"], kept["weights"]["5"], kept["objective"]) == (2, 1.0, objective.digest)


def test_labels_are_the_shortest_that_differ(tmp_path: Path) -> None:
    paths = [folder(tmp_path, name, **{"alpha.txt": "red"}) for name in ("mbp/out", "wk/out", "solo")]
    names = [machine.name for machine in compare_folders([ALPHA], [*paths, paths[2]]).machines]
    assert names == ["mbp/out", "wk/out", "solo (1)", "solo (2)"]


def test_caution_depends_on_what_is_known_of_noise(tmp_path: Path) -> None:
    once = folder(tmp_path, "once", **{"alpha.txt": "red"})
    more = folder(tmp_path, "more", **{"alpha.1.txt": "red", "alpha.2.txt": "red green"})
    also = folder(tmp_path, "also", **{"alpha.1.txt": "red", "alpha.2.txt": "blue"})
    same = folder(tmp_path, "same", **{"alpha.1.txt": "red", "alpha.2.txt": "red"})
    assert "no folder has a case with more than one run" in compare_folders([ALPHA], [once]).caution()
    assert "once: no case" in compare_folders([ALPHA], [once, more]).caution()
    assert "same all score the same" in compare_folders([ALPHA], [more, same]).caution()
    assert "standard error" in compare_folders([ALPHA], [more, also]).caution()
    assert compare_folders([ALPHA], [more]).caution() == ""


@pytest.mark.parametrize(
    ("pair", "text"), [((3.0, 5), "3/5"), ((8 / 3, 5), "2.7/5"), ((2.9999999999, 3), "3/3"), ((0, 0), "0/0")]
)
def test_fractions(pair: tuple[float, int], text: str) -> None:
    assert fraction(pair) == text


def test_records_suit_spreadsheets_and_the_judge(tmp_path: Path) -> None:
    files = {"alpha.1.txt": "red", "alpha.2.txt": "green black"}
    rows = records(compare_folders([ALPHA], [folder(tmp_path, "out", **files)]))
    assert [(r["configuration"], r["case"], r["seed"], r["run"], r["score"]) for r in rows] == [
        ("out", "alpha", 0, "1", 0.5),
        ("out", "alpha", 1, "2", 0.3),
    ]
    assert (rows[1]["lv1_2_covered"], rows[1]["lv1_2_total"], rows[1]["missed"], rows[1]["forbidden"]) == (
        1,
        2,
        "one five",
        "lie",
    )
    assert not any("/" in str(value) for key, value in rows[0].items() if key != "file")


def test_dict_is_json_and_complete(tmp_path: Path) -> None:
    out = folder(tmp_path, "out", **{"alpha.txt": "red", "beta.v2.txt": "white"})
    again = json.loads(json.dumps(as_dict(compare_folders(CASES, [out])), allow_nan=False))
    (machine,) = again["folders"]
    assert machine["lv1_2"] == "2/3"
    run = machine["cases"][0]["runs"][0]
    assert run["missed"] == ["two", "five"]
    assert [item["item"] for item in run["items"]] == ["one", "two", "five", "lie"]
    assert run["items"][0]["span"] == "red"


class _Tags(html.parser.HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, dict]] = []
        self.text = ""

    def handle_starttag(self, tag, attrs):
        self.seen.append((tag, dict(attrs)))
        if tag not in ("meta", "br", "link", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if not self.open or self.open[-1] != "style":
            self.text += data


def test_html_is_whole_safe_and_needs_nothing_else(tmp_path: Path) -> None:
    nasty = "red <script>alert(1)</script> & black"
    one = folder(tmp_path, "one", **{"alpha.txt": nasty, "beta.v2.txt": "nothing"})
    two = folder(tmp_path, "two", **{"alpha.1.txt": "red green", "alpha.2.txt": "blue"})
    page = render_html(compare_folders(CASES, [one, two]))
    tags = _Tags()
    tags.feed(page)
    assert tags.open == []
    names = [tag for tag, _ in tags.seen]
    assert "script" not in names
    assert not any(key in attrs for _, attrs in tags.seen for key in ("src", "href"))
    assert "url(" not in page
    assert nasty in " ".join(tags.text.split()) or "<script>alert(1)</script>" in tags.text
    assert "Only <b>one</b>" in tags.text
    marks = [(attrs["class"], attrs["title"]) for tag, attrs in tags.seen if tag == "mark"]
    assert ("hit", "one") in marks
    assert ("bad", "lie") in marks
    assert "two has no summary of beta.v2" in tags.text
    assert "no summary" in tags.text


def test_html_merges_spans_that_overlap(tmp_path: Path) -> None:
    case = Case("a", "log", (Item("x", "X", 1, any=("red green",)), Item("y", "Y", 1, any=("green blue",))))
    page = render_html(compare_folders([case], [folder(tmp_path, "out", **{"a.txt": "a red green blue b"})]))
    assert '<mark class="hit" title="x, y">red green blue</mark>' in page


def test_a_notebook_shows_the_folders(tmp_path: Path) -> None:
    one = folder(tmp_path, "<one>", alpha__1__txt="red green", alpha__2__txt="red blue", beta__v2__txt="white")
    two = folder(tmp_path, "two", alpha__txt="black")
    shown = compare_folders(CASES, [one, two])._repr_html_()
    parser = _Tags()
    parser.feed(shown)
    assert not parser.open
    assert "<one>" not in shown
    # Shared is alpha alone: (9 + 6) / 2 / 10 of the weights for one; two has only what is forbidden.
    assert "&lt;one&gt;" in shown
    assert "0.750 ± " in shown
    assert "0.000" in shown
    assert "Noise unknown: two: no case with more than one run" in shown
