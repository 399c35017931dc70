"""The article's table, and counts worked out by hand."""

import pytest

from sweeps.audits.findings.levels_table import coverages, covered_items, levels_table
from tests.sweeps.audits.records import CASES, answer, host, three_machines


def test_the_tables_are_those_of_the_article():
    production = levels_table(three_machines(), "production").set_index("host")
    baseline = levels_table(three_machines(), "baseline").set_index("host")

    assert [text.split()[0] for text in production["c16"]] == ["3/5", "3/5", "2/5"]
    assert [text.split()[0] for text in production["c17"]] == ["5/6", "4/6", "4/6"]
    assert list(baseline["c16"]) == ["3/5", "3/5", "3/5"]
    assert list(baseline["c17"]) == ["5/6", "5/6", "4/6"]
    assert list(production["n"]) == [3, 3, 3]
    assert list(baseline["n"]) == [1, 1, 1]


def test_several_texts_show_the_median_and_the_ends_and_of_two_the_lower():
    record = three_machines(hosts=(host("wk-01"),))
    (cell, _) = coverages(record, "production")
    assert (cell.covered, cell.low, cell.high, cell.text) == (3, 2, 4, "3/5 (2 to 4)")
    two = [answer("production", CASES[0], covered, seed) for seed, covered in enumerate((4, 2))]
    record = three_machines(hosts=(host("wk-01", answers=tuple(two)),))
    assert levels_table(record, "production")["c16"].tolist() == ["2/5 (2 to 4)"]


def test_failed_answers_and_repeats_do_not_count_and_a_host_without_texts_has_a_dash():
    good = answer("baseline", CASES[0], 3, 42)
    rows = (good, good.model_copy(update={"repeat": 1}), answer("baseline", CASES[1], 3, 42, error="timed out"))
    table = levels_table(three_machines(hosts=(host("wk-01", answers=rows),)), "baseline")
    assert table.iloc[0].tolist() == ["wk-01", "3/5", "–", 0]


@pytest.mark.parametrize(("probability", "covered"), [(0.5, 1), (0.499, 0)])
def test_an_item_counts_from_one_half_on(probability, covered):
    assert covered_items({"c16-0": probability, "c16-5": 1.0, "other": 1.0}, CASES[0]) == covered
