"""The tests against scipy's, against numbers worked out by hand, and on tables with holes."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from analysis.comparison.compare import compare
from analysis.comparison.equivalence import tost
from analysis.comparison.pair import pair
from analysis.comparison.permutation import permutation
from analysis.comparison.t_tests import paired_t, stratified_t
from analysis.observations.table import TableError, summarize


def frame(cells):
    """Return a table from {(configuration, case): scores}."""
    rows = [(*key, seed, score) for key, scores in cells.items() for seed, score in enumerate(scores)]
    return pd.DataFrame(rows, columns=["configuration", "case", "seed", "score"])


def two_of(cells, temperature=None):
    """Return the arms; a temperature for both, or by arm."""
    table = frame(cells)
    if isinstance(temperature, dict):
        table["temperature"] = table["configuration"].map(temperature)
    elif temperature is not None:
        table["temperature"] = temperature
    return pair(summarize(table), 0, 1)


def drawn(seed, cases, baseline_seeds, finalist_seeds):
    rng = np.random.default_rng(seed)
    cells = {}
    for case in range(cases):
        cells["a", f"k{case}"] = rng.beta(3, 5, baseline_seeds)
        cells["b", f"k{case}"] = rng.beta(4, 4, finalist_seeds)
    return cells


def test_one_case_pooled_is_the_textbook_t_test():
    cells = drawn(1, 1, 7, 9)
    expected = stats.ttest_ind(cells["b", "k0"], cells["a", "k0"])
    found = stratified_t(two_of(cells), pooled=True)
    assert found.p_value == pytest.approx(expected.pvalue)
    assert found.effect / found.standard_error == pytest.approx(expected.statistic)
    assert found.interval(0.95) == pytest.approx(tuple(expected.confidence_interval(0.95)))


def test_one_case_welch_has_the_textbook_statistic():
    cells = drawn(2, 1, 7, 12)
    expected = stats.ttest_ind(cells["b", "k0"], cells["a", "k0"], equal_var=False)
    found = stratified_t(two_of(cells))
    assert found.effect / found.standard_error == pytest.approx(expected.statistic)
    # Welch's own degrees of freedom are a little above Satterthwaite's, and never above the pooled test's.
    assert expected.df <= found.dof <= 17


def test_stratified_t_is_least_squares_with_a_term_per_case():
    cells = drawn(3, 4, 5, 5)
    two = two_of(cells)
    table = frame(cells)
    design = np.column_stack(
        [(table.case == f"k{j}").to_numpy(float) for j in range(4)]
        + [((table.case == f"k{j}") & (table.configuration == "b")).to_numpy(float) for j in range(4)]
    )
    solved, (square,), *_ = np.linalg.lstsq(design, table.score.to_numpy(), rcond=None)
    contrast = np.array([0] * 4 + [0.25] * 4)
    error = np.sqrt(square / (40 - 8) * contrast @ np.linalg.inv(design.T @ design) @ contrast)
    found = stratified_t(two, pooled=True)
    assert found.effect == pytest.approx(contrast @ solved)
    assert found.standard_error == pytest.approx(error)
    assert found.dof == 32


def test_welch_and_pooled_agree_on_error_where_balanced():
    two = two_of(drawn(4, 6, 5, 5))
    assert stratified_t(two).standard_error == pytest.approx(stratified_t(two, pooled=True).standard_error)


def test_every_case_weighs_the_same_whatever_its_seeds():
    two = two_of({("a", "x"): [0.1, 0.2], ("b", "x"): [0.4] * 50, ("a", "y"): [0.5, 0.6], ("b", "y"): [0.5, 0.6]})
    assert two.effect == pytest.approx(0.25 / 2)


def test_paired_t_is_scipys():
    cells = drawn(5, 8, 3, 4)
    means = {key: np.mean(scores) for key, scores in cells.items()}
    expected = stats.ttest_rel([means["b", f"k{j}"] for j in range(8)], [means["a", f"k{j}"] for j in range(8)])
    found = paired_t(two_of(cells))
    assert found.p_value == pytest.approx(expected.pvalue)
    assert found.interval(0.9) == pytest.approx(tuple(expected.confidence_interval(0.9)))


def test_new_cases_take_six():
    with pytest.raises(TableError, match="at least 6 cases"):
        compare(two_of(drawn(6, 5, 3, 3)), claim="new-cases")


def test_permutation_enumerates_all_arrangements():
    cells = {("a", "x"): [0.1, 0.2], ("b", "x"): [0.3, 0.4], ("a", "y"): [0.2, 0.5], ("b", "y"): [0.3, 0.6]}
    effects = []
    for picks in itertools.product(itertools.combinations(range(4), 2), repeat=2):
        total = 0.0
        for case, pick in zip("xy", picks, strict=True):
            scores = np.array(cells["a", case] + cells["b", case])
            chosen = np.isin(range(4), pick)
            total += (scores[chosen].mean() - scores[~chosen].mean()) / 2
        effects.append(total)
    observed = 0.15
    above = np.mean(np.array(effects) >= observed - 1e-9)
    found = permutation(two_of(cells))
    assert found.effect == pytest.approx(observed)
    assert found.p_value == pytest.approx(2 * above)


def test_permutation_of_one_case_is_scipys():
    cells = drawn(7, 1, 6, 6)
    expected = stats.permutation_test(
        (cells["b", "k0"], cells["a", "k0"]), lambda x, y: x.mean() - y.mean(), n_resamples=np.inf
    )
    assert permutation(two_of(cells)).p_value == pytest.approx(expected.pvalue)


def test_drawn_permutations_come_near_the_enumerated(monkeypatch):
    cells = drawn(8, 3, 3, 3)
    full = permutation(two_of(cells))
    monkeypatch.setattr("analysis.comparison.permutation.ENUMERATE", 0)
    sampled = permutation(two_of(cells), seed=1)
    assert sampled.p_value == pytest.approx(full.p_value, abs=0.02)
    assert sampled.interval(0.95) == pytest.approx(full.interval(0.95), abs=0.02)
    assert sampled.p_value == permutation(two_of(cells), seed=1).p_value


@pytest.mark.parametrize("seed", range(6))
def test_permutation_interval_holds_exactly_the_shifts_that_are_not_rejected(seed):
    cells = drawn(20 + seed, 2, 4, 4)
    low, high = permutation(two_of(cells)).interval(0.95)
    for shift, inside in ((low - 1e-6, False), (low + 1e-6, True), (high - 1e-6, True), (high + 1e-6, False)):
        moved = {key: [s - shift * (key[0] == "b") for s in scores] for key, scores in cells.items()}
        lowest = min(min(scores) for scores in moved.values())
        highest = max(max(scores) for scores in moved.values())
        scaled = {key: [(s - lowest) / (highest - lowest) for s in scores] for key, scores in moved.items()}
        assert (permutation(two_of(scaled)).p_value > 0.05) is inside


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


def test_cases_of_one_arm_only_are_left_out_and_named():
    cells = drawn(10, 3, 4, 4)
    del cells["b", "k1"]
    two = two_of(cells)
    assert two.cases == 2
    assert two.notes == ("Left out, because one arm has no usable score there: k1.",)
    expected = np.mean([cells["b", k].mean() - cells["a", k].mean() for k in ("k0", "k2")])
    assert two.effect == pytest.approx(expected)


def test_no_common_case_is_refused():
    with pytest.raises(TableError, match="have no case in common"):
        two_of({("a", "x"): [0.1, 0.2], ("b", "y"): [0.3, 0.4]})


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


@pytest.mark.usefixtures("fewer_permutations")
@pytest.mark.parametrize(("lost", "seeds"), [(0.0, (10, 2)), (0.5, (3, 3)), (0.5, (5, 5))])
def test_type_one_error_with_unequal_numbers_of_seeds_and_unequal_noise(lost, seeds):
    rng, rejected, judged = np.random.default_rng(12), 0, 0
    for _ in range(600):
        cells = {}
        for name, size, noise in (("a", seeds[0], 0.06), ("b", seeds[1], 0.12)):
            for case in "uvwxyz":
                kept = 0.5 + noise * rng.standard_normal(size)[rng.random(size) >= lost * (name == "b")]
                if len(kept):
                    cells[name, case] = list(kept)
        try:
            estimate = compare(two_of(cells)).estimate
        except TableError:
            continue
        judged, rejected = judged + 1, rejected + (estimate.p_value <= 0.05)
    assert judged > 550
    assert rejected / judged < 0.05 + 3.5 * np.sqrt(0.05 * 0.95 / judged)  # permuting rejects .11 to .19 of them


def test_hosts_are_blocks():
    rng = np.random.default_rng(11)
    rows = []
    for host, lift in (("h1", 0.0), ("h2", 0.3)):
        for case in "xy":
            for configuration, gain in (("a", 0.0), ("b", 0.1)):
                # The configuration ran mostly on the better host: pooling hosts would flatter it.
                seeds = 3 if (configuration, host) != ("b", "h2") else 12
                noise = rng.uniform(-0.05, 0.05, seeds)
                rows += [(configuration, host, case, s, 0.2 + lift + gain + noise[s]) for s in range(seeds)]
    table = pd.DataFrame(rows, columns=["configuration", "host", "case", "seed", "score"])
    two = pair(summarize(table), 0, 1)
    assert two.effect == pytest.approx(0.1, abs=0.05)
    assert two.cases == 2
    assert two.weights.tolist() == [0.25] * 4
    assert len(two.case_differences()) == 2
    alone = table[~((table.configuration == "b") & (table.host == "h1") & (table.case == "x"))]
    two = pair(summarize(alone), 0, 1)
    assert two.notes == ("Left out, because one arm has no usable score there: x on h1.",)
    assert sorted(two.weights.tolist()) == [0.25, 0.25, 0.5]


def on_hosts(seed, hosts):
    """Return seven cases on some hosts, three seeds each; both arms are better on later hosts, cases respond apart."""
    rng = np.random.default_rng(seed)
    rows = [
        (arm, f"h{host}", f"k{case}", 10 * host + each, 0.3 + 0.1 * host + (arm == "b") * 0.02 * case + noise)
        for case in range(7)
        for host in range(hosts)
        for arm in "ab"
        for each, noise in enumerate(rng.uniform(-0.08, 0.08, 3))
    ]
    return pd.DataFrame(rows, columns=["configuration", "host", "case", "seed", "score"])


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


@pytest.mark.parametrize("single", ["a", "b"])
def test_an_arm_without_repeats_is_as_noisy_as_the_other(single):
    rng = np.random.default_rng(33)
    repeated = {case: list(rng.uniform(0.2, 0.8, 5)) for case in "uvwx"}
    cells = {(arm, case): [0.4] if arm == single else repeated[case] for arm in "ab" for case in "uvwx"}
    square = np.mean([np.var(scores, ddof=1) for scores in repeated.values()])
    # Means of four cases: of one seed each in one arm, of five in the other.
    assert two_of(cells).noise_variance == pytest.approx(square * (1 / 4 + 1 / (4 * 5)))
    assert two_of(cells).noise_sd == pytest.approx(np.sqrt(square))


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


def test_temperature_zero_is_greedy_with_one_seed_but_not_if_scores_vary():
    table = frame({("a", "x"): [0.1], ("b", "x"): [0.2, 0.4, 0.3]})
    assert pair(summarize(table.assign(temperature=[0, 0.8, 0.8, 0.8])), 0, 1).baseline.greedy
    assert not pair(summarize(table), 0, 1).baseline.greedy
    varied = pair(summarize(table.assign(temperature=0.0)), 0, 1)
    assert varied.baseline.greedy
    assert not varied.finalist.greedy


def test_tost_is_two_one_sided_tests():
    cells = drawn(14, 1, 12, 12)
    x, y = cells["b", "k0"], cells["a", "k0"]
    upper = stats.ttest_ind(x - 0.2, y, alternative="less").pvalue
    lower = stats.ttest_ind(x + 0.2, y, alternative="greater").pvalue
    assert tost(stratified_t(two_of(cells), pooled=True), 0.2) == pytest.approx(max(upper, lower))


@pytest.mark.parametrize(("seeds", "lopsided"), [((4, 3), False), ((8, 6), False), ((5, 3), True), ((3, 5), True)])
def test_where_arms_are_lopsided(seeds, lopsided):
    used = compare(two_of(drawn(13, 2, *seeds))).estimate.test
    assert used == ("t and permutation within cases" if lopsided else "stratified Welch t")


def test_how_differently_cases_respond_is_recovered_and_its_chance_is_fair():
    rng, found, alarms = np.random.default_rng(14), [], 0
    for _ in range(200):
        response = rng.normal(0.5, 0.05, (2, 8)).clip(0.3, 0.7)
        keys = [(arm, case) for arm in range(2) for case in range(8)]
        arms = {("bf"[a], f"c{c}"): response[a, c] + rng.normal(0, 0.03, 4) for a, c in keys}
        found.append(two_of(arms).interaction()[0] ** 2)
        alarms += two_of({key: 0.5 + rng.normal(0, 0.03, 4) for key in arms}).interaction()[1] < 0.05
    assert np.sqrt(np.mean(found)) == pytest.approx(0.05, rel=0.1)
    assert alarms == pytest.approx(10, abs=2.5 * 9.5**0.5)
