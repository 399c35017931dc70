"""Looks at a confirmation: the finalists that need no more seeds, and the verdict of finalists that left early."""

from __future__ import annotations

import math
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

import analysis
from analysis import Prior, judge, judge_one
from sweeps.budget.detectable_gain import design_of, final_level
from sweeps.budget.look_seeds import (
    MOST_LOOKS,
    least_confirm_seeds,
    look_seeds,
)
from sweeps.budget.plan import Plan
from sweeps.config.tables import VerdictTable
from sweeps.ledger.study_record import Look, Scoring, StudyRecord
from sweeps.options import Configuration
from sweeps.results.look_history import last_sentence, look_sentences, outdated, settled_at
from sweeps.search.trial import Proposal
from sweeps.study import looks as looks_module
from sweeps.study.looks import take_look
from tests.sweeps.study.look_tables import ARMS, BASELINE, GREEDY, PLAN, THREE_LOOKS, look, scores

# ---- planning looks


@given(looks=st.integers(1, 10), seeds=st.integers(3, 200), hosts=st.integers(1, 4))
def test_looks_are_planned_where_they_can_tell_something(looks: int, seeds: int, hosts: int) -> None:
    seeds *= hosts
    planned = look_seeds(looks, seeds, hosts)
    assert list(planned) == sorted(set(planned))
    assert len(planned) < looks
    assert all(least_confirm_seeds(hosts) <= each < seeds and each % hosts == 0 for each in planned)


def test_looks_by_hand() -> None:
    assert look_seeds(2, 10) == (5,)
    assert look_seeds(2, 5) == (3,)
    assert look_seeds(2, 4) == ()  # half of it would be 2 seeds
    assert look_seeds(4, 10) == (3, 5, 8)
    assert look_seeds(1, 100) == ()
    assert Plan(3, 4, 2, 5, 12, look_seeds=(6,)).looks == (6, 12)


def test_early_looks_by_hand() -> None:
    # About one, two and three fifths of the seeds, the first after 2 or more.
    planned = {seeds: look_seeds("auto", seeds) for seeds in (2, 3, 4, 5, 7, 8, 20)}
    assert planned == {2: (), 3: (2,), 4: (2,), 5: (2, 3), 7: (2, 3, 4), 8: (2, 3, 5), 20: (4, 8, 12)}
    assert look_seeds("auto", 12, hosts=3) == (6,)
    assert look_seeds("auto", 30, hosts=3) == (6, 12, 18)


def test_finalists_and_looks_share_alpha() -> None:
    alone = Plan(4, 4, 2, 20, 12)
    assert final_level(alone, 0.05) == 0.05
    assert design_of(alone, alpha=0.05, futility=0.1) is None
    assert 0.045 < final_level(PLAN, 0.05) < 0.05
    three = Plan(4, 4, 2, 20, 12, finalists=3)
    assert final_level(three, 0.06) == pytest.approx(0.02)


def test_an_older_study_keeps_its_one_finalist_and_its_plan() -> None:
    assert StudyRecord.from_json({"finalist": 3}).finalists == (3,)
    assert StudyRecord.from_json({"finalist": None}).finalists is None
    assert StudyRecord.from_json({}).finalists is None
    assert StudyRecord.from_json({"finalists": [3, 1]}).finalists == (3, 1)
    record = {"cases": 3, "floor_seeds": 4, "seeds": 2, "trials": 5, "confirm_seeds": 3, "hosts": 1, "finalists": 1}
    assert Plan.from_record(record).looks == (3,)


# ---- one look


def test_a_large_gain_needs_no_more_seeds_and_none_at_all_neither() -> None:
    rng = np.random.default_rng(1)
    key = ARMS[0].configuration.key
    high = look(scores(rng, {BASELINE.key: 0.4, key: 0.7}, range(6)))
    assert high.settled == (0,)
    assert "within" in high.sentences[0]
    low = look(scores(rng, {BASELINE.key: 0.7, key: 0.4}, range(6)))
    assert low.settled == (0,)
    nothing = look(scores(rng, {BASELINE.key: 0.5, key: 0.46}, range(6)))
    assert nothing.settled == (0,)
    assert "the chance that the end shows it is" in nothing.sentences[0]
    assert [each.given_up for each in (high, low, nothing)] == [(), (), (0,)]
    some = look(scores(rng, {BASELINE.key: 0.5, key: 0.55}, range(6)))
    assert some.settled == ()
    assert "go on" in some.sentences[0]


def test_a_finalist_that_the_search_does_not_believe_in_leaves_sooner() -> None:
    rng = np.random.default_rng(8)
    keys = [arm.configuration.key for arm in ARMS[:2]]
    data = scores(rng, {BASELINE.key: 0.5, keys[0]: 0.52, keys[1]: 0.52}, range(6))
    both: dict[str, Any] = {"finalists": ARMS[:2], "going": ARMS[:2]}
    assert look(data, **both).settled == ()
    made = look(data, priors={0: Prior(-0.01, 0.01), 1: Prior(0.1, 0.01)}, **both)
    assert made.settled == (0,)
    assert made.given_up == (0,)
    assert "the search expected -0.010 (sd 0.010); with this look, the chance that the end" in made.sentences[0]
    assert look(data, priors={1: Prior(-0.1, 0.01)}, **both).settled == (1,)


def test_a_named_margin_makes_equivalence_worth_waiting_for() -> None:
    rng = np.random.default_rng(9)
    data = scores(rng, {BASELINE.key: 0.5, ARMS[0].configuration.key: 0.5}, range(6))
    prior = {0: Prior(0.0, 0.02)}
    assert look(data, priors=prior).given_up == (0,)
    assert look(data, priors=prior, verdict=VerdictTable(margin=0.07)).settled == ()
    assert look(data, priors=prior, verdict=VerdictTable(min_gain=0.07)).settled == ()
    assert look(data, priors=prior, verdict=VerdictTable(margin=0.02)).given_up == (0,)  # out of reach


def test_without_futility_only_a_crossed_boundary_stops() -> None:
    rng = np.random.default_rng(2)
    data = scores(rng, {BASELINE.key: 0.5, ARMS[0].configuration.key: 0.46}, range(6))
    assert look(data).settled == (0,)
    assert look(data, futility=0.0).settled == ()


def test_the_last_look_settles_everything_and_greedy_arms_are_settled_at_once() -> None:
    rng = np.random.default_rng(3)
    data = scores(rng, {BASELINE.key: 0.5, ARMS[0].configuration.key: 0.55}, range(12))
    assert look(data, 2).settled == (0,)
    greedy = Proposal(1, Configuration("m", "q", {"temperature": 0.0}), {})
    one = scores(rng, {GREEDY.key: 0.5, greedy.configuration.key: 0.5}, range(1))
    assert look(one, baseline=GREEDY, finalists=[greedy], going=[greedy]) == Look(1, 6, settled=(1,))


def test_arms_whose_seeds_change_nothing_are_settled_and_not_given_up() -> None:
    arms = [Configuration("m", "p", {"temperature": 0.0, "mirostat": 2, "top_k": top_k}) for top_k in (10, 20)]
    finalist = Proposal(1, arms[1], {})
    data = scores(np.random.default_rng(3), {each.key: 0.5 for each in arms}, range(6), sd=0.0).assign(temperature=0.0)
    told = look(data, baseline=arms[0], finalists=[finalist], going=[finalist])
    assert (told.settled, told.given_up) == ((1,), ())  # the end may still be asked, and has the same to say
    assert "greedy" in told.sentences[0]


def test_a_look_at_too_little_goes_on() -> None:
    data = scores(np.random.default_rng(4), {BASELINE.key: 0.5}, range(6))
    told = look(data)
    assert told.settled == ()
    assert "no decision yet" in told.sentences[0]


def test_the_look_that_settled_a_finalist_and_under_which_scores() -> None:
    old, now = Scoring({"c": "old"}, "o"), Scoring({"c": "new"}, "o")
    looks = [
        Look(1, 6, settled=(3,), sentences=("a first", "b first", "c first"), trials=(3, 8, 9), scoring=old),
        Look(2, 12, settled=(8,), sentences=("b second", "c second"), trials=(8, 9)),
        Look(3, 18, settled=(9,)),
    ]
    assert last_sentence(looks, now, 8) == "b second"
    assert last_sentence(looks, now, 9) == ""  # it went on to the end, which is the verdict
    assert last_sentence(looks, now, 3) == "a first (By the scores at that time, which differ from these.)"
    assert last_sentence(looks, now, 3) == look_sentences(looks, now)[0]
    assert last_sentence(looks, now, 5) == ""
    older = Look(1, 6, settled=(5,), sentences=("of an older version",), trials=None)
    assert last_sentence([older], now, 5) == "of an older version"


def test_finalists_are_allowed_for_each_other() -> None:
    """A gain that settles a single finalist does not settle one of four whose rivals show nothing."""
    rng = np.random.default_rng(5)
    keys = [arm.configuration.key for arm in ARMS]
    for _ in range(200):
        data = scores(rng, {BASELINE.key: 0.5, keys[0]: 0.57, **dict.fromkeys(keys[1:], 0.505)}, range(6))
        alone = look(data[data["configuration"].isin([BASELINE.key, keys[0]])], futility=0.0)
        together = look(data, finalists=ARMS, going=ARMS, futility=0.0)
        if alone.settled == (0,) and 0 not in together.settled:
            assert "after allowing for 4 finalists" in together.sentences[0]
            return
    pytest.fail("no such table in 200")


def test_a_finalist_without_any_answer_does_not_stop_the_others() -> None:
    plan = replace(PLAN, finalists=2)
    data = scores(np.random.default_rng(1), {BASELINE.key: 0.3, ARMS[0].configuration.key: 0.7}, range(6))
    lost = scores(np.random.default_rng(2), {ARMS[1].configuration.key: 0.5}, range(6)).assign(score=math.nan)
    decision = look(pd.concat([data, lost]), plan=plan, finalists=ARMS[:2], going=ARMS[:2])
    assert decision.settled == (0,)
    assert "no decision yet" in decision.sentences[1]


# ---- one look, with the decision of a design given


def crossed(monkeypatch: pytest.MonkeyPatch, p_value: float, asked: dict[str, Any]) -> dict[str, Any]:
    """The second look, at which an arm has crossed its own boundary and has this p-value among the three."""
    decision = SimpleNamespace(stop="efficacy", sentence="crossed", effect=0.1, chance=1.0)
    design = SimpleNamespace(looks=3, decide=lambda *_, **__: decision, name_of=lambda look: f"Look {look} of 3")

    def judge(_: pd.DataFrame, **settings: Any) -> list[Any]:
        asked.update(settings)
        return [SimpleNamespace(configuration=arm.configuration.key, p_value=p_value) for arm in ARMS[:3]]

    monkeypatch.setattr(looks_module, "design_of", lambda *_, **__: design)
    monkeypatch.setattr(analysis, "judge", judge)
    return take_look(
        pd.DataFrame(),
        2,
        plan=THREE_LOOKS,
        baseline=BASELINE,
        finalists=ARMS[:3],
        going=ARMS[1:3],
        before=[Look(1, 6, settled=(0,))],
        verdict=VerdictTable(alpha=0.04),
        futility=0.1,
        seed=0,
    )


@pytest.mark.parametrize(("p_value", "settled"), [(0.01, (1, 2)), (0.03, (1, 2)), (0.04, (1, 2)), (0.041, ())])
def test_a_finalist_is_settled_at_alpha_after_allowing_for_the_others(
    monkeypatch: pytest.MonkeyPatch, p_value: float, settled: tuple[int, ...]
) -> None:
    found = crossed(monkeypatch, p_value, {})
    assert found.settled == settled
    assert found.given_up == ()


def test_the_others_are_judged_where_they_stand(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that left at the first look has no more data, and must not be judged by the boundary of the second."""
    asked: dict[str, Any] = {}
    crossed(monkeypatch, 0.01, asked)
    assert asked["look"] == {ARMS[0].configuration.key: 1, ARMS[1].configuration.key: 2, ARMS[2].configuration.key: 2}


def test_what_ended_with_the_last_look_was_not_ended_by_old_scores() -> None:
    before, now = Scoring({}, "a"), Scoring({}, "b")
    looks = [
        Look(1, 6, settled=(1,), sentences=("Look 1 of 2: shown.",), trials=(1,), scoring=before),
        Look(2, 12, settled=(0, 2), scoring=before),
    ]
    assert outdated(looks, now, ARMS[:3]) == [ARMS[1].configuration.key]
    assert outdated(looks, before, ARMS[:3]) == []


# ---- the verdict of finalists that left at different looks


def test_one_that_left_early_meets_the_seeds_that_the_baseline_had_then() -> None:
    rng = np.random.default_rng(6)
    a, b = ARMS[0].configuration.key, ARMS[1].configuration.key
    data = pd.concat(
        [scores(rng, {BASELINE.key: 0.5, b: 0.56}, range(12)), scores(rng, {a: 0.66}, range(6))], ignore_index=True
    )
    design = design_of(PLAN, alpha=0.05, futility=0.1)
    first, second = judge(data, baseline=BASELINE.key, finalists=[a, b], design=design, look={a: 1, b: 2})
    cut = data[data["seed"] < 6]
    alone = judge_one(cut, baseline=BASELINE.key, finalist=a, design=design, look=1)
    assert (first.effect, first.p_raw, first.n_baseline) == (alone.effect, alone.p_raw, 24)
    assert first.look == 1
    assert first.p_value == pytest.approx(2 * alone.p_value)  # Holm, the smaller of two
    late = judge_one(data, baseline=BASELINE.key, finalist=b, design=design, look=2)
    assert (second.effect, second.p_raw, second.n_baseline, second.look) == (late.effect, late.p_raw, 48, 2)
    assert second.p_value == pytest.approx(max(late.p_value, first.p_value))


def test_one_that_was_given_up_says_so_and_what_the_end_would_have_seen() -> None:
    key = ARMS[0].configuration.key
    data = scores(np.random.default_rng(10), {BASELINE.key: 0.5, key: 0.5}, range(6))
    design = design_of(PLAN, alpha=0.05, futility=0.1)
    settings: dict[str, Any] = {"baseline": BASELINE.key, "finalists": [key], "design": design, "look": 1}
    (silent,), (said,) = judge(data, **settings), judge(data, given_up=[key], **settings)
    assert said.given_up
    assert (said.outcome, said.p_value, said.ci_low, said.ci_high) == (
        silent.outcome, silent.p_value, silent.ci_low, silent.ci_high,
    )  # fmt: skip
    # at the end: 12 seeds in the place of 6, and .049 in the place of .0031
    error = said.standard_error / math.sqrt(2)
    assert design is not None
    critical = stats.t.isf(design.nominal(2) / 2, said.dof)
    assert stats.nct.sf(critical, said.dof, said.mde / error) == pytest.approx(0.8, abs=5e-3)
    assert said.mde < 0.7 * silent.mde
    low, high = (said.effect + sign * stats.t.isf(0.025, said.dof) * said.standard_error for sign in (-1, 1))
    assert said.notes[0] == f"Without the allowance for looks, the interval would be {low:+.3f} to {high:+.3f}."
    told = "The comparison was given up at look 1, since going on would hardly have shown a gain; to its end it would"
    assert f"{told} have found a real gain of {said.mde:.3f} or more 8 times in 10." in said.sentence
    assert "Search further" in said.advice
    assert "given up" not in silent.sentence


@pytest.mark.slow
def test_claims_about_finalists_that_are_no_better_err_as_often_as_alpha_allows() -> None:
    """Family-wise error of three finalists over two looks, each leaving when it is settled: at most .05 + 2 se."""
    rng = np.random.default_rng(7)
    arms = ARMS[:3]
    keys = [arm.configuration.key for arm in arms]
    design = design_of(PLAN, alpha=0.05, futility=0.1)
    replications, wrong, early = 80, 0, 0
    for _ in range(replications):
        full = scores(rng, dict.fromkeys([BASELINE.key, *keys], 0.5), range(12))
        made = look(full[full["seed"] < 6], finalists=arms, going=arms)
        gone = {arms[n].configuration.key for n in made.settled}
        early += len(gone)
        data = full[~(full["configuration"].isin(gone) & (full["seed"] >= 6))]
        at = {arm.configuration.key: settled_at([made]).get(arm.number, 2) for arm in arms}
        verdicts = judge(data, baseline=BASELINE.key, finalists=keys, design=design, look=at)
        wrong += any(verdict.outcome in ("better", "worse") for verdict in verdicts)
    assert wrong / replications <= 0.05 + 2 * (0.05 * 0.95 / replications) ** 0.5
    assert early > 0.15 * 3 * replications  # futility does its work


# ---- looks after every seed


def test_looks_after_every_seed_are_planned_from_the_least_number_on() -> None:
    assert look_seeds("anytime", 7) == (3, 4, 5, 6)
    assert look_seeds("anytime", 3) == ()
    assert look_seeds("anytime", 12, hosts=3) == (6, 9)
    assert look_seeds("anytime", 100)[:3] == (4, 8, 12)


@given(seeds=st.integers(3, 400), hosts=st.integers(1, 4))
def test_looks_after_every_seed_are_no_more_than_30(seeds: int, hosts: int) -> None:
    seeds *= hosts
    planned = look_seeds("anytime", seeds, hosts)
    assert len(planned) < MOST_LOOKS
    assert all(least_confirm_seeds(hosts) <= each < seeds and each % hosts == 0 for each in planned)


def test_a_look_after_any_seed_says_that_it_is_valid() -> None:
    plan = replace(PLAN, look_seeds=look_seeds("anytime", 12), anytime=True)
    rng, key = np.random.default_rng(2), ARMS[0].configuration.key
    observations = scores(rng, {BASELINE.key: 0.4, key: 0.65}, range(5))
    found = look(observations, 3, plan=plan)
    assert found.settled == (0,)
    assert found.sentences[0].startswith("Look 3 of 10, valid at any look: difference +0.2")


def test_of_looks_after_every_seed_the_last_sentence_on_each_trial_is_shown() -> None:
    looks = [
        Look(1, 3, sentences=("a 1", "b 1"), trials=(0, 1)),
        Look(2, 4, settled=(0,), sentences=("a 2", "b 2"), trials=(0, 1)),
        Look(3, 5, settled=(1,), sentences=("b 3",), trials=(1,)),
    ]
    scoring = StudyRecord.from_json({}).scoring
    assert look_sentences(looks, scoring, last_only=True) == ["a 2", "b 3"]
    assert len(look_sentences(looks, scoring)) == 5
