"""Seeds that both arms share are found, offered, and compared within."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from analysis import TableError, judge_one
from tests.marks import long


def table(rng, *, cases=6, seeds=10, shared=0.1, own=0.0, gain=0.0, noise=0.04):
    """Return two arms; each seed lifts or lowers all cases of both by a shared part, and of each by one of its own."""
    scores = rng.uniform(0.4, 0.6, (1, cases, 1)) + noise * rng.standard_normal((2, cases, seeds))
    scores = scores + shared * rng.standard_normal((1, 1, seeds)) + own * rng.standard_normal((2, 1, seeds))
    scores = scores + np.array([0.0, gain])[:, None, None]
    arm, case, seed = np.indices(scores.shape).reshape(3, -1)
    names = np.array(["b", "f"])[arm]
    return pd.DataFrame({"configuration": names, "case": case, "seed": seed, "score": scores.ravel().clip(0, 1)})


def is_offered(verdict):
    return any("judge with --paired-seeds" in note for note in verdict.notes)


def test_one_run_per_seed_over_both_arms():
    """The usual test has no power here at all."""
    made = [table(np.random.default_rng(each), gain=0.03) for each in range(30)]
    usual = [judge_one(each, baseline="b") for each in made]
    paired = [judge_one(each, baseline="b", paired_seeds=True) for each in made]
    assert sum(each.outcome == "better" for each in usual) <= 1
    assert sum(is_offered(each) for each in usual) >= 27
    assert sum(each.outcome == "better" for each in paired) >= 27
    assert not any(is_offered(each) for each in paired)
    assert "Seeds are paired, as you said" in " ".join(paired[0].notes)
    assert paired[0].effect == pytest.approx(usual[0].effect)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("cases", "seeds", "parts"),
    [
        (6, 10, {"shared": 0.1}),
        long(6, 3, {"shared": 0.1}),
        long(4, 5, {"shared": 0.05, "own": 0.05}),
        (6, 10, {"shared": 0.0}),
    ],
)
def test_equal_arms_stay_equal_within_seeds(cases, seeds, parts):
    made = (table(np.random.default_rng([each, cases, seeds]), cases=cases, seeds=seeds, **parts) for each in range(80))
    found = sum(judge_one(each, baseline="b", paired_seeds=True).p_value <= 0.05 for each in made)
    assert found <= 80 * 0.06 + 2 * (80 * 0.05 * 0.95) ** 0.5


@pytest.mark.parametrize("own", [0.0, 0.08])
def test_arms_that_share_nothing_get_no_offer(own):
    made = (table(np.random.default_rng([each, 1]), shared=0.0, own=own) for each in range(60))
    assert sum(is_offered(judge_one(each, baseline="b")) for each in made) <= 3


def test_three_seeds_are_enough_for_an_offer():
    made = [table(np.random.default_rng(each), seeds=3) for each in range(20)]
    assert sum(is_offered(judge_one(each, baseline="b")) for each in made) >= 13


def test_on_one_case_it_is_the_paired_t_test():
    made = table(np.random.default_rng(1), cases=1, gain=0.05)
    by_arm = {arm: own.set_index("seed")["score"].sort_index() for arm, own in made.groupby("configuration")}
    verdict = judge_one(made.sample(frac=1, random_state=0), baseline="b", paired_seeds=True)
    expected = stats.ttest_rel(by_arm["f"], by_arm["b"])
    assert verdict.p_raw == pytest.approx(expected.pvalue)
    low, high = expected.confidence_interval()
    assert (verdict.ci_low, verdict.ci_high) == (pytest.approx(low), pytest.approx(high))


def test_seeds_of_one_arm_alone_do_not_count():
    made = table(np.random.default_rng(2), gain=0.03)
    lone = made[(made["configuration"] == "b") | (made["seed"] < 7)]
    verdict = judge_one(lone, baseline="b", paired_seeds=True)
    assert verdict.p_value == judge_one(made[made["seed"] < 7], baseline="b", paired_seeds=True).p_value
    assert "18 rows do not count: the other arm has no score with their seed." in verdict.notes
    assert (verdict.n_baseline, verdict.n_finalist) == (42, 42)


def test_advice_counts_seeds_by_the_noise_within_them():
    made = table(np.random.default_rng(5), seeds=6)
    verdict = judge_one(made, baseline="b", paired_seeds=True, min_gain=0.015)
    assert verdict.outcome == "not distinguishable"
    needed = int(verdict.advice.split("takes about ")[1].split()[0])
    assert needed == pytest.approx(6 * (verdict.mde / 0.015) ** 2, rel=0.25)


def test_without_a_common_seed_nothing_can_be_paired():
    made = table(np.random.default_rng(3))
    made.loc[made["configuration"] == "f", "seed"] += 100
    with pytest.raises(TableError, match="have no seed of a case in common"):
        judge_one(made, baseline="b", paired_seeds=True)
    assert not is_offered(judge_one(made, baseline="b"))


def test_a_claim_for_new_cases_is_paired_by_case_anyway():
    made = table(np.random.default_rng(4), gain=0.05)
    settings = {"baseline": "b", "claim": "new-cases"}
    assert judge_one(made, **settings, paired_seeds=True) == judge_one(made, **settings)
