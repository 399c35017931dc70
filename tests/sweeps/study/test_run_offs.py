"""Run-offs: the finalist behind leaves the confirmation, and what the verdicts and their level make of it."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from analysis import Prior, judge, judge_one
from sweeps.budget.detectable_gain import design_of, final_level
from sweeps.budget.look_seeds import (
    generations_of,
    least_confirm_seeds,
    look_seeds,
    runoff_seeds,
    seeds_within,
)
from sweeps.ledger.study_record import Look
from sweeps.scoring.limits import LimitCheck, Limits
from tests.sweeps.study.look_tables import ARMS, BASELINE, GREEDY, PLAN, look, scores

TWO = replace(PLAN, finalists=2, look_seeds=(6,), runoff_seeds=6, runoff_left=1)
BOTH: dict[str, Any] = {"plan": TWO, "finalists": ARMS[:2], "going": ARMS[:2], "futility": 0.0}


def exact(means: dict[str, float], seeds: int = 6) -> pd.DataFrame:
    """Scores with exactly these means, and the same spread in every case of every arm."""
    table = scores(np.random.default_rng(0), means, range(seeds), sd=0.0)
    return table.assign(score=table["score"] + np.where(table["seed"] % 2, 0.1, -0.1))


def test_run_offs_by_hand() -> None:
    assert [runoff_seeds(seeds) for seeds in (3, 5, 6, 10, 25)] == [2, 2, 2, 4, 10]
    assert [runoff_seeds(least_confirm_seeds(hosts, runoff=True), hosts) for hosts in (1, 2, 4)] == [2, 4, 8]
    assert [runoff_seeds(10, hosts, 5) for hosts in (1, 2)] == [5, 6]
    assert runoff_seeds(5, least=9) == 4  # never all
    assert generations_of(10, 2, 1) == 2 * 10 + 4
    assert generations_of(10, 3, 3) == 4 * 10
    assert [seeds_within(room, 2, 1) for room in (23, 24)] == [9, 10]
    assert look_seeds(1, 10, runoff=4) == (4,)
    assert look_seeds("auto", 10, runoff=4) == look_seeds("auto", 10) == (2, 4, 6)
    assert look_seeds("auto", 10, least=3) == (4, 6)


@given(room=st.integers(0, 400), arms=st.integers(1, 5), left=st.integers(1, 5), hosts=st.integers(1, 3))
def test_no_more_seeds_than_these_fit(room: int, arms: int, left: int, hosts: int) -> None:
    arms = max(arms, left)
    seeds = seeds_within(room, arms, left, hosts)
    assert seeds % hosts == 0
    assert seeds == 0 or generations_of(seeds, arms, left, hosts) <= room
    assert generations_of(seeds + hosts, arms, left, hosts) > room


def test_the_finalist_behind_leaves_the_run_off() -> None:
    first, second = (arm.configuration.key for arm in ARMS[:2])
    data = exact({BASELINE.key: 0.5, first: 0.52, second: 0.54})
    made = look(data, **BOTH)
    assert (made.settled, made.overtaken, made.given_up) == ((0,), (0,), ())
    assert made.sentences[0] == (
        "Trial 0: Look 1 of 2, the end of the run-off: difference +0.020; it leaves, since trial 1 (+0.040) is ahead."
    )
    assert made.sentences[1].endswith("go on.")
    assert Look.from_json(made.as_json()) == made
    assert look(data, **BOTH | {"plan": replace(TWO, runoff_seeds=0)}).settled == ()  # no run-off ends here


def test_the_search_has_a_say_in_the_run_off_by_its_precision() -> None:
    first, second = (arm.configuration.key for arm in ARMS[:2])
    data = exact({BASELINE.key: 0.5, first: 0.52, second: 0.54})
    error = look_error(data, second)
    # As precise as a finalist's part of the error: the mean of both, so +.07 and +.03.
    equal = error / math.sqrt(2)
    made = look(data, priors={0: Prior(0.12, equal), 1: Prior(0.02, equal)}, **BOTH)
    assert made.overtaken == (1,)
    believed = "difference +0.040, and with the search's belief an expected gain of +0.030"
    assert f"{believed}; it leaves, since trial 0 (+0.070) is ahead" in made.sentences[1]
    assert look(data, priors={0: Prior(0.12, 9.0), 1: Prior(0.02, 9.0)}, **BOTH).overtaken == (0,)


def look_error(data: pd.DataFrame, key: str) -> float:
    return judge_one(data, baseline=BASELINE.key, finalist=key).standard_error


def test_equal_finalists_leave_the_searchs_first_choice() -> None:
    data = exact({BASELINE.key: 0.5, **{arm.configuration.key: 0.52 for arm in ARMS[:3]}})
    three = BOTH | {"plan": replace(TWO, finalists=3), "finalists": ARMS[:3], "going": ARMS[:3]}
    made = look(data, **three)
    assert made.overtaken == (1, 2)
    assert made.sentences[2].endswith("it leaves, since trial 0 (+0.020) came first in the search.")
    assert look(data, **three | {"plan": replace(TWO, finalists=3, runoff_left=2)}).overtaken == (2,)


def test_a_belief_has_the_weight_of_a_finalists_own_error() -> None:
    # Half of the error is a greedy baseline's no more, so that an equal belief weighs less.
    first, second = (arm.configuration.key for arm in ARMS[:2])
    data = exact({GREEDY.key: 0.5, first: 0.52, second: 0.54}).assign(temperature=0.8)
    data.loc[data["configuration"] == GREEDY.key, "temperature"] = 0.0
    error = judge_one(data, baseline=GREEDY.key, finalist=second).standard_error
    priors = {0: Prior(0.12, error), 1: Prior(0.02, error)}
    made = look(data, **BOTH | {"baseline": GREEDY}, priors=priors)
    assert "an expected gain of +0.030; it leaves, since trial 0 (+0.070) is ahead" in made.sentences[1]


def test_a_finalist_without_answers_overtakes_nobody_however_good_the_search_thinks_it() -> None:
    first, second = (arm.configuration.key for arm in ARMS[:2])
    data = exact({BASELINE.key: 0.5, first: 0.9, second: 0.54})
    lost = data["configuration"] == first
    data.loc[lost, "score"] = math.nan
    data.loc[lost, "finish"] = "error"
    made = look(data, priors={0: Prior(0.4, 0.01), 1: Prior(0.01, 0.01)}, **BOTH)
    assert made.overtaken == (0,)
    assert "no difference yet, and with the search's belief an expected gain of +0.400; it leaves" in made.sentences[0]
    assert (
        look(data, **BOTH)
        .sentences[0]
        .endswith("the end of the run-off: no difference yet; it leaves, since trial 1 (+0.040) is ahead.")
    )
    nothing = data[data["configuration"] != BASELINE.key].assign(score=math.nan, finish="error")
    made = look(pd.concat([data[data["configuration"] == BASELINE.key], nothing]), **BOTH)
    assert made.overtaken == (1,)
    assert made.sentences[1].endswith("no difference yet; it leaves, since trial 0 came first in the search.")


def test_a_finalist_above_a_limit_overtakes_none_that_keeps_it() -> None:
    first, second = (arm.configuration.key for arm in ARMS[:2])
    data = exact({BASELINE.key: 0.5, first: 0.52, second: 0.54})
    limits = Limits({second: [LimitCheck("words", 150.0, 171.0, 160.0, 182.0, 12)]})
    made = look(data, **BOTH, limits=limits)
    assert made.overtaken == (1,)
    assert made.sentences[1].endswith(
        "difference +0.040; it breaks words: 171 on average, limit 150; it leaves, since trial 0 (+0.020) keeps the"
        " limits."
    )
    both = Limits({first: limits.checks[second], second: limits.checks[second]})
    assert look(data, **BOTH, limits=both).overtaken == (0,)


def test_gains_that_differ_little_are_shown_with_more_digits() -> None:
    first, second = (arm.configuration.key for arm in ARMS[:2])
    data = exact({BASELINE.key: 0.5, first: 0.5201, second: 0.52026})
    assert look(data, **BOTH).sentences[0].endswith("since trial 1 (+0.0203) is ahead.")


def test_a_finalist_that_was_given_up_overtakes_nobody_and_one_shown_better_does() -> None:
    first, second = (arm.configuration.key for arm in ARMS[:2])
    data = exact({BASELINE.key: 0.5, first: 0.9, second: 0.54})
    alone = BOTH | {"going": ARMS[1:2], "plan": replace(TWO, look_seeds=(2, 6))}
    gone = look(data, 2, **alone, before=[Look(1, 2, settled=(0,), given_up=(0,))])
    assert gone.overtaken == ()
    shown = look(data, 2, **alone, before=[Look(1, 2, settled=(0,))])
    assert shown.overtaken == (1,)


def test_the_level_of_two_finalists_allows_for_the_choice_of_the_better_one() -> None:
    """Equal arms, normal statistics, chosen after two fifths by their means: drawn directly, not by our looks."""
    rng, n, fraction = np.random.default_rng(11), 400_000, 0.4
    base, one, two = rng.standard_normal((3, n))
    best = np.maximum(one - base, two - base) / math.sqrt(2)
    z = math.sqrt(fraction) * best + math.sqrt(1 - fraction) * rng.standard_normal(n)
    level = final_level(replace(TWO, look_seeds=()), alpha=0.05)
    assert level == 0.025
    assert np.mean(z > stats.norm.isf(level / 2)) == pytest.approx(0.0201, abs=0.001)  # .025 is allowed
    assert np.mean(z > stats.norm.isf(0.025)) == pytest.approx(0.039, abs=0.001)  # without the allowance


def test_the_verdict_on_a_finalist_that_left_a_run_off_says_so() -> None:
    first, second = (arm.configuration.key for arm in ARMS[:2])
    data = pd.concat([exact({BASELINE.key: 0.5, second: 0.54}, 12), exact({first: 0.52})])
    design = design_of(TWO, alpha=0.05, futility=0.0)
    left, other = judge(
        data, baseline=BASELINE.key, finalists=[first, second], design=design, look={first: 1}, overtaken=[first]
    )
    assert (left.overtaken, left.given_up, left.left_early) == (True, False, True)
    assert (other.overtaken, other.left_early) == (False, False)
    assert "It left the comparison at look 1, the end of the run-off, since it was behind" in left.sentence
    assert left.advice.startswith("Read the verdict of the other finalist.")
    assert left.advice.endswith("[confirm] finalists = 2 and runoff = 1.")
    assert "given up" not in left.sentence
    assert left.effect == pytest.approx(0.02)
    # All that is claimed allows for two finalists, whichever of them went on.
    assert (left.comparisons, other.comparisons) == (2, 2)
