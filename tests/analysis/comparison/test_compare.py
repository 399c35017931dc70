"""Which test is chosen, and where nothing is claimed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from analysis import judge_one
from analysis.comparison.compare import RULES, TESTS, compare
from analysis.comparison.pair import pair
from analysis.observations.table import TableError, summarize
from tests.analysis import simulate
from tests.analysis.comparison.cells import drawn, on_hosts, two_of
from tests.marks import long


def test_new_cases_take_six():
    with pytest.raises(TableError, match="at least 6 cases"):
        compare(two_of(drawn(6, 5, 3, 3)), claim="new-cases")


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("test", ["welch", "pooled", "permutation"])
def test_p_and_interval_agree(seed, test):
    cells = drawn(40 + seed, 3, 3, 3)
    found = compare(two_of(cells), test=test).estimate
    for level in (0.8, 0.95):
        low, high = found.interval(level)
        assert (low > 0 or high < 0) is (found.p_value <= 1 - level)


def test_the_test_is_chosen_by_the_number_of_seeds():
    assert compare(two_of(drawn(9, 4, 2, 2))).estimate.test == "permutation within cases"
    assert compare(two_of(drawn(9, 4, 3, 3))).estimate.test == "stratified Welch t"
    one_short = drawn(9, 4, 10, 10)
    one_short["a", "k0"] = one_short["a", "k0"][:8]
    assert compare(two_of(one_short)).estimate.test == "stratified Welch t"
    one_short["a", "k0"] = one_short["a", "k0"][:7]
    assert compare(two_of(one_short)).estimate.test == "t and permutation within cases"
    assert compare(two_of(drawn(9, 6, 2, 2)), claim="new-cases").estimate.test == "paired t on case means"


def test_a_test_must_answer_the_claim():
    two = two_of(drawn(9, 6, 3, 3))
    with pytest.raises(ValueError, match="does not answer"):
        compare(two, claim="new-cases", test="welch")
    with pytest.raises(ValueError, match="does not answer"):
        compare(two, test="paired")
    with pytest.raises(ValueError, match="no test 'wilcoxon'"):
        compare(two, test="wilcoxon")


def test_no_repeat_anywhere_is_refused():
    with pytest.raises(TableError, match="add seeds"):
        compare(two_of({("a", "x"): [0.1], ("b", "x"): [0.3], ("a", "y"): [0.1], ("b", "y"): [0.2]}))


def test_an_arm_without_repeats_is_judged_by_the_noise_of_the_other_only_if_that_is_asked_for():
    cells = {("a", "x"): [0.1, 0.3], ("b", "x"): [0.4], ("a", "y"): [0.5, 0.3], ("b", "y"): [0.6]}
    for test in ("auto", "welch", "permutation"):
        with pytest.raises(TableError, match="'b' has no case with two seeds"):
            compare(two_of(cells), test=test)
    found = compare(two_of(cells), test="pooled")
    assert found.estimate.standard_error == pytest.approx(np.sqrt(0.25 * 2 * (0.02 / 2 + 0.02)))
    assert "one seed" in found.notes[0]


@pytest.mark.parametrize(
    ("base", "other"),
    [
        ({case: [0.5] * 3 for case in "wxyz"}, {"w": [0.5] * 3, "x": [0.5] * 3, "y": [0.5] * 3, "z": [0.6]}),
        ({"x": [0.5] * 3, "y": [0.5] * 3, "u": [0.1, 0.3]}, {"x": [0.52] * 3, "y": [0.5] * 3, "v": [0.1, 0.3]}),
    ],
)
def test_nothing_is_claimed_without_any_noise_to_test_with(base, other):
    cells = {("a", case): scores for case, scores in base.items()} | {("b", c): s for c, s in other.items()}
    for test in ("auto", "pooled"):
        found = compare(two_of(cells), test=test)
        assert found.estimate is None
        assert "no noise to test with" in found.notes[-1]


@pytest.mark.parametrize("lift", [0.125, 0.1])  # a tenth is no sum of powers of two, so that differences are rounded
def test_cases_that_all_differ_alike_are_no_proof_for_new_cases(lift):
    cells = {(arm, c): [0.1 * i + (arm == "b") * lift] * 2 for arm in "ab" for i, c in enumerate("uvwxyz")}
    assert compare(two_of(cells), claim="new-cases").estimate is None
    noisy = {key: [each - 0.01, each + 0.01] for key, (each, _) in cells.items() if each > 0.05}
    noisy |= {(arm, c): cells[arm, c] for arm in "ab" for c in "u"}
    assert compare(two_of(noisy), claim="new-cases").estimate is None


def test_scores_that_differ_by_rounding_are_the_same():
    cells = {("a", c): [0.1 + 0.2, 0.3] for c in "uv"} | {("b", c): [0.4, 0.1 * 4] for c in "uv"}
    assert compare(two_of(cells)).estimate is None


@pytest.mark.parametrize("claim", ["these-cases", "new-cases"])
def test_equal_greedy_arms_are_equal_on_these_cases_also_where_their_sums_were_rounded(claim):
    rounded = {("a", case): [0.1 + 0.2] * 2 for case in "uvwxyz"} | {("b", case): [0.3] * 2 for case in "uvwxyz"}
    same = {(arm, case): [0.5] * 2 for arm in "ab" for case in "uvwxyz"}
    for cells in (rounded, same):
        found = compare(two_of(cells, temperature=0.0), claim=claim)
        assert (found.claim, found.estimate.effect, found.estimate.p_value) == ("these-cases", 0, 1)
        assert ("new cases" in " ".join(found.notes)) is (claim == "new-cases")
        assert compare(two_of(cells), claim=claim).estimate is None  # three passes of three: by luck, for all we know


@pytest.mark.slow
@pytest.mark.usefixtures("fewer_permutations")
@pytest.mark.parametrize(("lost", "seeds"), [(0.0, (10, 2)), (0.5, (3, 3)), long(0.5, (5, 5))])
def test_type_one_error_with_unequal_numbers_of_seeds_and_unequal_noise(lost, seeds):
    rng, rejected, judged = np.random.default_rng(12), 0, 0
    scores = 0.5 + np.array([0.04, 0.08])[:, None, None] * rng.standard_normal((600, 2, 6, max(seeds)))
    for arm, size in enumerate(seeds):
        scores[:, arm, :, size:] = np.nan
    scores[:, 1][rng.random((600, 6, max(seeds))) < lost] = np.nan
    cells = simulate.cells_of(scores)
    for each in range(600):
        try:
            estimate = compare(pair(cells, 2 * each, 2 * each + 1)).estimate
        except TableError:
            continue
        judged, rejected = judged + 1, rejected + (estimate.p_value <= 0.05)
    assert judged > 550
    assert rejected / judged < 0.05 + 3.5 * np.sqrt(0.05 * 0.95 / judged)  # permuting rejects .11 to .19 of them


def test_a_case_counts_once_for_new_cases_on_however_many_hosts_it_ran():
    table = on_hosts(31, 2)
    means = table.groupby(["case", "host", "configuration"])["score"].mean().unstack()  # noqa: PD010
    own = (means["b"] - means["a"]).groupby("case").mean()
    expected = stats.ttest_1samp(own, 0)
    two = pair(summarize(table), 0, 1)
    found = compare(two, claim="new-cases").estimate
    assert found.effect == pytest.approx(own.mean())
    assert found.standard_error == pytest.approx(own.std(ddof=1) / np.sqrt(7))
    assert (found.dof, found.p_value) == (6, pytest.approx(expected.pvalue))
    # A difference of a case has two hosts' noise, each of the means of three seeds in both arms.
    within = table.groupby(["configuration", "case", "host"])["score"].var(ddof=1)
    noise = sum(within[name].mean() / 3 / 2 for name in "ab")
    sd, chance = two.interaction()
    assert sd == pytest.approx(np.sqrt((own.var(ddof=1) - noise) / 2))
    assert chance == pytest.approx(stats.f.sf(own.var(ddof=1) / noise, 6, 2 * 7 * 2 * 2))


def test_a_host_that_repeats_another_tells_nothing_of_new_cases():
    once = on_hosts(32, 1)
    twice = pd.concat([once, once.assign(host="h1", seed=once["seed"] + 100)], ignore_index=True)
    one, other = (compare(pair(summarize(each), 0, 1), claim="new-cases").estimate for each in (once, twice))
    assert other.effect == pytest.approx(one.effect)
    assert other.standard_error == pytest.approx(one.standard_error)
    assert other.dof == one.dof == 6


GREEDY = {("a", f"k{j}"): [0.1 * j] * 3 for j in range(7)}


def test_one_greedy_arm_leaves_the_noise_of_the_other():
    cells = dict(GREEDY)
    rng = np.random.default_rng(12)
    for j in range(7):
        cells["b", f"k{j}"] = rng.beta(3, 3, 5)
    found = compare(two_of(cells, temperature={"a": 0.0, "b": 0.8}), test="pooled")
    square = sum(((cells["b", f"k{j}"] - cells["b", f"k{j}"].mean()) ** 2).sum() for j in range(7))
    assert found.estimate.dof == 28
    assert found.estimate.standard_error == pytest.approx(np.sqrt(square / 28 / 5 / 7))
    assert found.notes == (
        "a is greedy: its seeds change nothing and count once per case. The noise is the other arm's alone.",
    )
    with pytest.raises(TableError, match="greedy"):
        compare(two_of(cells, temperature={"a": 0.0, "b": 0.8}), test="permutation")


def test_two_greedy_arms_claim_for_new_cases_or_nothing():
    cells = dict(GREEDY)
    rng = np.random.default_rng(13)
    for j in range(7):
        cells["b", f"k{j}"] = [rng.uniform()] * 2
    few = {key: scores for key, scores in cells.items() if key[1] != "k0" and key[1] != "k1"}
    for temperature in (0.0, 0.8):  # scores that do not vary have no noise to test with, greedy or not
        found = compare(two_of(cells, temperature=temperature))
        assert found.claim == "new-cases"
        assert found.estimate.dof == 6
        assert any("greedy" in note for note in found.notes) is (temperature == 0)
        found = compare(two_of(few, temperature=temperature))
        assert found.estimate is None
        assert "there are 5" in found.notes[-1]


@pytest.mark.parametrize(("seeds", "lopsided"), [((4, 3), False), ((8, 6), False), ((5, 3), True), ((3, 5), True)])
def test_where_arms_are_lopsided(seeds, lopsided):
    used = compare(two_of(drawn(13, 2, *seeds))).estimate.test
    assert used == ("t and permutation within cases" if lopsided else "stratified Welch t")


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


def test_the_noise_of_the_other_arm_is_offered_only_where_it_is_known() -> None:
    rows = [("a", "c0", 0, 0.5), ("b", "c0", 0, 0.6), ("b", "c0", 1, 0.7)]
    frame = pd.DataFrame(rows, columns=["configuration", "case", "seed", "score"])
    with pytest.raises(TableError, match='test "pooled"'):
        judge_one(frame, baseline="a")
    with pytest.raises(TableError, match=r"add seeds, or claim for new cases"):
        judge_one(frame[frame["seed"] == 0], baseline="a")
