"""The table of tests in `compare` and the one in the docs."""

from __future__ import annotations

from pathlib import Path

from analysis.comparison.compare import RULES, TESTS

DOCS = Path(__file__).parents[3] / "docs" / "statistics.md"


def test_the_docs_show_the_rules_in_their_order():
    lines = DOCS.read_text(encoding="utf-8").splitlines()
    start = next(row for row, line in enumerate(lines) if line.startswith("| claim | test | when | why |")) + 2
    shown = []
    for line in lines[start:]:
        if not line.startswith("|"):
            break
        claim, test, _, why = (cell.strip() for cell in line.strip("|").split("|"))
        shown.append((claim.replace(" ", "-"), test, why))
    assert shown == [(rule.claim, rule.name, rule.why) for rule in RULES]


def test_each_test_that_can_be_named_has_one_rule():
    assert sorted(rule.asked_by for rule in RULES if rule.asked_by) == sorted(set(TESTS) - {"auto"})
