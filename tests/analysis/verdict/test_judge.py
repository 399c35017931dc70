"""What verdicts say, that they do not depend on the order of rows, and that they can be told to a machine."""

from __future__ import annotations

import json
import math
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import analysis
from analysis import SequentialDesign, TableError, judge, judge_one
from analysis.power.power import critical_drift


def table(gains, cases=6, seeds=10, noise=0.08, seed=0):
    """Return a table of a baseline and of configurations with given gains over it."""
    rng = np.random.default_rng(seed)
    rows = []
    for case in range(cases):
        level = rng.uniform(0.3, 0.6)
        for name, gain in {"base": 0.0, **gains}.items():
            rows += [
                (name, f"k{case}", s, float(np.clip(level + gain + noise * rng.normal(), 0, 1))) for s in range(seeds)
            ]
    return pd.DataFrame(rows, columns=["configuration", "case", "seed", "score"])


def test_better():
    verdict = judge_one(table({"new": 0.1}), baseline="base")
    assert verdict.outcome == "better"
    assert 0 < verdict.ci_low < verdict.effect < verdict.ci_high
    assert verdict.p_value < 0.001
    assert verdict.effect == pytest.approx(verdict.finalist_mean - verdict.baseline_mean)
    assert verdict.n_per_arm == 60
    assert verdict.noise_sd == pytest.approx(0.08, abs=0.01)
    assert verdict.sentence.startswith("new is better than base on these 6 cases: it scores ")
    for part in ("95% interval", "p < 0.001", "60 generations each", f"gain of {verdict.effect:.3f}"):
        assert part in verdict.sentence


def test_worse():
    verdict = judge_one(table({"new": -0.1}), baseline="base")
    assert verdict.outcome == "worse"
    assert f"a loss of {-verdict.effect:.3f}" in verdict.sentence


def test_not_distinguishable_says_what_it_would_take():
    verdict = judge_one(table({"new": 0.02}, seeds=4), baseline="base", min_gain=0.03)
    assert verdict.outcome == "not distinguishable"
    assert verdict.ci_low < 0 < verdict.ci_high
    assert f"finds a real gain of about {verdict.mde:.3f} or more 8 times in 10" in verdict.sentence
    needed = analysis.required_seeds(0.03, verdict.noise_sd, cases=6)
    assert f"about {needed} seeds per case ({12 * needed} generations" in verdict.advice
    assert verdict.mde == pytest.approx(critical_drift(verdict.dof) * verdict.standard_error)


def test_equivalent_needs_a_narrow_interval_and_states_its_margin():
    data = table({"new": 0.0}, seeds=40, noise=0.05)
    verdict = judge_one(data, baseline="base", margin=0.02)
    assert verdict.outcome == "equivalent"
    assert "within 0.020 either way" in verdict.sentence
    assert judge_one(data, baseline="base", margin=0.002).outcome == "not distinguishable"
    assert judge_one(data, baseline="base", min_gain=0.02).margin_from == "min_gain"
    unnamed = judge_one(data, baseline="base")
    assert (unnamed.outcome, unnamed.margin_from) == ("not distinguishable", "")
    assert math.isnan(unnamed.margin)
    assert unnamed.as_dict()["margin"] is None
    assert f"finds a real gain of about {unnamed.mde:.3f} or more 8 times in 10" in unnamed.sentence


def test_equality_names_the_interval_that_it_goes_by():
    """Two one-sided tests at .05 are a 90% interval; the 95% interval that is shown may reach beyond the margin."""
    data = table({"new": 0.0}, seeds=40, noise=0.05)
    shown = judge_one(data, baseline="base")
    margin = (max(-shown.ci_low, shown.ci_high) + abs(shown.effect) + 1.645 * shown.standard_error) / 2
    verdict = judge_one(data, baseline="base", margin=margin)
    assert verdict.outcome == "equivalent"
    assert max(-verdict.ci_low, verdict.ci_high) > margin >= max(-verdict.equality_low, verdict.equality_high)
    said = f"Equality goes by the 90% interval, {verdict.equality_low:+.3f} to {verdict.equality_high:+.3f}."
    assert verdict.sentence.endswith(said)
    half = stats.t.ppf(0.95, verdict.dof) * verdict.standard_error
    assert verdict.equality_high == pytest.approx(verdict.effect + half)
    assert math.isnan(shown.equality_low)


def test_a_significant_effect_is_never_called_equivalent():
    verdict = judge_one(table({"new": 0.03}, seeds=60, noise=0.05), baseline="base", margin=0.2)
    assert verdict.p_equivalence < 0.001
    assert verdict.outcome == "better"


def test_new_cases_are_named_and_take_the_interaction_into_account():
    rng = np.random.default_rng(3)
    data = table({"new": 0.02}, cases=8, seeds=30, noise=0.02)
    for case in range(8):
        data.loc[(data["case"] == f"k{case}") & (data["configuration"] == "new"), "score"] += rng.normal(0, 0.06)
    data["score"] = data["score"].clip(0, 1)
    these, new = (judge_one(data, baseline="base", claim=claim) for claim in ("these-cases", "new-cases"))
    assert these.effect == pytest.approx(new.effect)
    assert new.ci_high - new.ci_low > 3 * (these.ci_high - these.ci_low)
    assert "on new cases like these 8" in new.sentence
    assert "More seeds will not do" in new.advice
    assert "cases" in new.advice


def test_several_finalists_share_alpha():
    data = table({"one": 0.03, "two": 0.0, "three": 0.05}, seeds=12)
    alone = {label: judge_one(data, baseline="base", finalist=label) for label in ("one", "two", "three")}
    together = {v.configuration: v for v in judge(data, baseline="base")}
    assert list(together) == ["one", "three", "two"]
    adjusted, _ = analysis.holm([alone[label].p_value for label in together])
    for (label, verdict), expected in zip(together.items(), adjusted, strict=True):
        assert verdict.p_raw == alone[label].p_value
        assert verdict.p_value == pytest.approx(expected)
        assert verdict.ci_low <= alone[label].ci_low
        assert (verdict.ci_low > 0 or verdict.ci_high < 0) is (verdict.p_value <= 0.05)
        assert "after allowing for 3 configurations" in verdict.sentence
    assert [v.configuration for v in judge(data, baseline="base", finalists=["two", "one"])] == ["two", "one"]


@pytest.mark.parametrize("seeds", [2, 5])
def test_the_order_of_rows_does_not_matter_to_the_last_digit(seeds):
    data = table({"one": 0.03, "two": 0.01}, seeds=seeds)
    expected = judge(data, baseline="base", seed=5)
    for state in range(3):
        assert judge(data.sample(frac=1, random_state=state), baseline="base", seed=5) == expected


def test_looks_widen_the_interval_and_raise_p():
    data = table({"new": 0.04})
    plain = judge_one(data, baseline="base")
    design = SequentialDesign(2)
    for look in (1, 2):
        looked = judge_one(data, baseline="base", design=design, look=look)
        assert looked.p_raw == plain.p_raw < looked.p_value
        assert looked.ci_low < plain.ci_low
        assert (looked.outcome == "better") is (looked.p_raw <= design.nominal(look)) is (looked.ci_low > 0)
        assert "allow for all looks" in looked.notes[-1]
    assert judge_one(data, baseline="base", design=design).look == 2


def test_two_greedy_configurations_on_few_cases_get_no_claim():
    verdict = judge_one(table({"new": 0.1}, cases=4, noise=0.0).assign(temperature=0), baseline="base")
    assert verdict.outcome == "not distinguishable"
    assert math.isnan(verdict.p_value)
    assert verdict.n_per_arm == 4
    assert verdict.sentence.startswith("Nothing can be claimed about new against base: on these 4 cases it scores")
    assert "differ exactly as measured" in verdict.notes[-1]
    as_dict = json.loads(json.dumps(verdict.as_dict(), allow_nan=False))
    assert as_dict["p_value"] is None
    assert as_dict["verdict"] == as_dict["outcome"] == "not distinguishable"


def test_gains_that_no_score_has_room_for_are_not_promised():
    scores = {"base": [0.1, 0.9, 0.1], "new": [0.3, 0.8, 0.2]}
    rows = [(name, "k", seed, score) for name, pair in scores.items() for seed, score in enumerate(pair)]
    data = pd.DataFrame(rows, columns=["configuration", "case", "seed", "score"])
    verdict = judge_one(data, baseline="base")
    assert verdict.mde > 1
    assert "finds a real gain of about" not in verdict.sentence
    largest = "not even the largest possible gain 8 times in 10: that takes one of about"
    assert f"{largest} {verdict.mde:.2f}" in verdict.sentence
    assert "scores end at 1, 0.633 from the baseline" in verdict.sentence
    near = judge_one(data.assign(score=data["score"].replace({0.3: 0.1})), baseline="base")  # a difference of 0
    assert "min_gain)." in near.advice
    assert "would probably have been found" not in near.advice


def test_lost_rows_and_search_rows_are_noted():
    data = table({"new": 0.1}).assign(finish="stop", stage="confirm")
    data.loc[data.index[:3], "finish"] = "error"
    data.loc[data["configuration"] == "new", "stage"] = "explore"
    notes = " ".join(judge_one(data, baseline="base").notes)
    assert "3 of 60 rows of the baseline do not count: they are errors" in notes
    assert "judge on fresh seeds" in notes


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"baseline": "bas"}, TableError, "no baseline 'bas'.*'base'"),
        ({"baseline": "base", "finalists": ["nwe"]}, TableError, "no configuration 'nwe'.*'new'"),
        ({"baseline": "base", "finalists": ["base"]}, TableError, "against itself"),
        ({"baseline": "base", "claim": "all"}, ValueError, "claim must be"),
        ({"baseline": "base", "alpha": 0.9}, ValueError, "alpha"),
        ({"baseline": "base", "margin": -0.1}, ValueError, "margin"),
        ({"baseline": "base", "min_gain": 2}, ValueError, "min_gain"),
    ],
)
def test_wrong_arguments_are_refused(options, error, message):
    with pytest.raises(error, match=message):
        judge(table({"new": 0.1}, seeds=2), **options)


def test_nothing_to_judge():
    with pytest.raises(TableError, match="nothing to judge"):
        judge(table({}), baseline="base")
    with pytest.raises(TableError, match="name the one"):
        judge_one(table({"a": 0.1, "b": 0.1}), baseline="base")


def test_importing_analysis_is_cheap_and_its_names_exist():
    code = "import analysis, sys; print([m for m in ('numpy', 'pandas', 'scipy') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
    assert all(getattr(analysis, name) is not None for name in analysis.__all__)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = analysis.nothing


# ---- several finalists, hosts and greedy arms


def on_hosts(name, scores, seeds, *, temperature=0.8):
    """Rows of six cases; the seeds are dealt to two hosts, of which the second scores .15 higher."""
    return [
        {
            "configuration": name, "case": f"k{case}", "seed": seed, "host": "AB"[seed % 2], "stage": "confirm",
            "temperature": temperature, "score": scores(case, seed) + 0.15 * (seed % 2),
        }
        for case in range(6)
        for seed in range(seeds)
    ]  # fmt: skip


def test_one_finalist_that_cannot_be_judged_takes_nothing_from_the_others():
    data = table({"new": 0.1, "lost": 0.1})
    lost = data["configuration"] == "lost"
    data.loc[lost & ~data["case"].isin(["k0", "k1"]), "score"] = math.nan
    (verdict,) = judge(data, baseline="base", claim="new-cases", finalists=["lost", "new"])
    alone = judge_one(data[~lost], baseline="base", claim="new-cases")
    assert (verdict.configuration, verdict.comparisons, verdict.outcome) == ("new", 2, "better")
    assert verdict.p_value == pytest.approx(2 * alone.p_value)  # the lost one keeps its share of alpha
    assert any(note.startswith("Not judged: a claim for new cases takes at least 6") for note in verdict.notes)
    with pytest.raises(TableError, match="at least 6"):
        judge(data[data["configuration"] != "new"], baseline="base", claim="new-cases")


def test_a_greedy_baseline_keeps_all_its_hosts_against_a_finalist_that_left_early():
    rng = np.random.default_rng(3)
    base = on_hosts("base", lambda *_: 0.4, 2, temperature=0.0)
    early = on_hosts("early", lambda *_: 0.5 + 0.05 * rng.normal(), 6)
    late = on_hosts("late", lambda *_: 0.42 + 0.05 * rng.normal(), 12)
    design, data = SequentialDesign(2), pd.DataFrame([*base, *early, *late])
    first, _ = judge(data, baseline="base", finalists=["early", "late"], design=design, look={"early": 1, "late": 2})
    assert (first.n_baseline, first.n_finalist) == (12, 36)
    own = data[data["configuration"] == "early"]
    expected = own.groupby(["case", "host"])["score"].mean().mean() - (0.4 + 0.075)
    assert first.effect == pytest.approx(expected)


def test_advice_counts_seeds_per_case_whatever_the_hosts_and_whichever_arm_is_greedy():
    rng = np.random.default_rng(1)

    def noisy(*_):
        return 0.4 + 0.1 * rng.normal()

    arms = {
        "a greedy baseline": on_hosts("base", lambda *_: 0.4, 2, temperature=0.0),
        "noise": on_hosts("base", noisy, 10),
    }
    for base in arms.values():
        verdict = judge_one(pd.DataFrame([*base, *on_hosts("new", noisy, 10)]), baseline="base", min_gain=0.005)
        assert verdict.outcome == "not distinguishable"
        assert verdict.advice.endswith("this comparison had 10.")
        assert verdict.noise_sd == pytest.approx(0.1, abs=0.02)  # no average with an arm that has none


# ---- noise that is not seen


def test_a_comparison_that_did_not_show_what_it_measured_does_not_say_that_it_would_have():
    data = table({"new": 0.0})
    before = judge_one(data, baseline="base")
    new = data["configuration"] == "new"
    data.loc[new, "score"] += 2.9 * before.standard_error - before.effect  # p = .005: too much for a first look
    verdict = judge_one(data, baseline="base", design=SequentialDesign(2), look=1)
    assert verdict.outcome == "not distinguishable"
    assert "would have found" not in verdict.advice
    needed = int(verdict.advice.split("takes about ")[1].split()[0])
    assert needed == math.ceil(10 * (verdict.mde / verdict.effect) ** 2)


def test_a_new_case_claim_that_was_given_up_knows_that_seeds_do_not_make_cases_alike():
    rng = np.random.default_rng(3)
    rows = [
        (arm, f"k{case}", seed, float(np.clip(0.5 + lift * (arm == "new") + 0.1 * rng.normal(), 0, 1)))
        for case, lift in enumerate(rng.normal(0, 0.2, 8))
        for arm in ("base", "new")
        for seed in range(20)
    ]
    data = pd.DataFrame(rows, columns=["configuration", "case", "seed", "score"])
    first = data[data["seed"] < 10]
    design = SequentialDesign(2)
    asked = {"baseline": "base", "claim": "new-cases", "design": design}
    given_up = judge_one(first, **asked, look=1, given_up=["new"])
    to_the_end = judge_one(data, **asked, look=2)
    assert given_up.mde == pytest.approx(to_the_end.mde, rel=0.1)
    assert given_up.mde > 1.2 * critical_drift(given_up.dof) * given_up.standard_error / math.sqrt(2)


def test_labels_may_be_numbers_and_a_look_must_exist():
    data = table({"new": 0.1}).replace({"configuration": {"base": 1, "new": 2}})
    verdict = judge_one(data, baseline=1, finalist=2)
    assert (verdict.baseline, verdict.configuration, verdict.outcome) == ("1", "2", "better")
    assert judge_one(data, baseline=1).effect == verdict.effect
    with pytest.raises(ValueError, match="look must be 1 to 2, not 3"):
        judge_one(data, baseline="1", design=SequentialDesign(2), look=3)


@pytest.mark.parametrize("seeds", [(4, 6), (5, 15)])
def test_large_effects_are_shown_at_levels_below_what_permutations_are_drawn_for(seeds):
    """An early look of many finalists asks for p below 2 in 10,000, which is all that so many permutations can tell."""
    few, many = seeds
    rng = np.random.default_rng(2)
    rows = [
        (arm, f"k{case}", seed, float(np.clip(level + 0.05 * rng.normal(), 0, 1)))
        for arm, level, own in (("base", 0.4, many), ("new", 0.8, few), ("same", 0.4, few))
        for case in range(6)
        for seed in range(own)
    ]
    data = pd.DataFrame(rows, columns=["configuration", "case", "seed", "score"])
    new, same = judge(data, baseline="base", design=SequentialDesign(4), look=1)
    assert new.outcome == "better"
    assert new.p_raw < 1e-6
    assert 0 < new.ci_low < 0.4 < new.ci_high < 0.6
    assert same.outcome == "not distinguishable"
    assert math.isfinite(same.mde)


def test_no_interval_leaves_the_scale():
    """At an early look two seeds have a t interval of several times the scale."""
    rng = np.random.default_rng(3)
    rows = [(name, case, seed, rng.uniform(0.3, 0.6)) for name in "bf" for case in "uvwxyz" for seed in range(2)]
    data = pd.DataFrame(rows, columns=["configuration", "case", "seed", "score"])
    design = SequentialDesign([0.2, 1.0])
    for width in (1.0, 100.0):
        wide = data.assign(score=width * data["score"])
        one = judge_one(wide, baseline="b", test="welch", design=design, look=1, range=(0.0, width))
        assert (one.ci_low, one.ci_high) == (-width, width)
