"""Error rates of comparisons: looks, Holm and candidates that leave early, together.

More comparisons: `python -m tests.sweeps.study.test_comparison_errors 1200`; the rate is in docs/statistics.md.
"""

from __future__ import annotations

import sys

import numpy as np
import pandas as pd
import pytest

from analysis import Verdict, judge
from sweeps.budget.detectable_gain import design_of
from sweeps.budget.plan import Plan
from sweeps.config.tables import VerdictTable
from sweeps.ledger.study_record import Look
from sweeps.options import Configuration, default_options
from sweeps.results.look_history import given_up, judged_at
from sweeps.search.trial import Proposal
from sweeps.study.looks import take_look

CASES, SEEDS, NOISE = 6, 8, 0.12
BASELINE = Configuration("m", "a", default_options())
ARMS = [Proposal(i, Configuration("m", prompt, default_options()), {}, prompt) for i, prompt in enumerate("bcd")]
PLAN = Plan(CASES, 4, 1, 0, SEEDS, len(ARMS), look_seeds=(SEEDS // 2,))


def _scores(rng: np.random.Generator, gains: tuple[float, ...]) -> pd.DataFrame:
    """Fresh scores of all arms: cases differ, texts vary by `NOISE`, and scores end at 0 and 1."""
    cases = rng.uniform(0.2, 0.6, CASES)
    parts = []
    for configuration, gain in zip([BASELINE, *(arm.configuration for arm in ARMS)], (0.0, *gains), strict=True):
        scores = np.clip(cases[:, None] + gain + NOISE * rng.standard_normal((CASES, SEEDS)), 0, 1)
        place = {"configuration": configuration.key, "case": np.repeat([f"c{i}" for i in range(CASES)], SEEDS)}
        parts.append(pd.DataFrame({**place, "seed": np.tile(np.arange(SEEDS), CASES), "score": scores.ravel()}))
    return pd.concat(parts, ignore_index=True).assign(stage="confirm", finish="stop", temperature=0.8)


def compare_once(rng: np.random.Generator, gains: tuple[float, ...]) -> tuple[list[Verdict], int]:
    """Simulate one comparison, as `Confirmation` runs it; return the verdicts and the number of generations."""
    table, going, looks, made = _scores(rng, gains), list(ARMS), list[Look](), list[pd.DataFrame]()
    for number, (since, until) in enumerate(zip((0, *PLAN.looks), PLAN.looks, strict=False), start=1):
        keys = {BASELINE.key, *(arm.configuration.key for arm in going)}
        fresh = table["seed"].between(since, until - 1) & table["configuration"].isin(keys)
        made.append(table[fresh])
        look = take_look(
            pd.concat(made),
            number,
            plan=PLAN,
            baseline=BASELINE,
            finalists=ARMS,
            going=going,
            before=looks,
            verdict=VerdictTable(),
            futility=0.1,
            seed=0,
        )
        looks.append(look)
        going = [arm for arm in going if arm.number not in look.settled]
        if not going:
            break
    rows = pd.concat(made, ignore_index=True)
    verdicts = judge(
        rows,
        baseline=BASELINE.key,
        finalists=[arm.configuration.key for arm in ARMS],
        design=design_of(PLAN, alpha=0.05, futility=0.1),
        look=judged_at(looks, BASELINE, ARMS),
        given_up=given_up(looks, ARMS),
    )
    return verdicts, len(rows)


def false_claims(comparisons: int, seed: int) -> float:
    """The share of comparisons of equal candidates in which any is called better or worse."""
    rng = np.random.default_rng(seed)
    wrong = 0
    for _ in range(comparisons):
        verdicts, _ = compare_once(rng, (0.0, 0.0, 0.0))
        wrong += any(verdict.outcome in ("better", "worse") for verdict in verdicts)
    return wrong / comparisons


@pytest.mark.slow
def test_equal_candidates_are_rarely_claimed_to_differ() -> None:
    assert false_claims(50, seed=1) <= 0.06


def test_a_gain_worth_finding_is_found_and_the_equal_ones_stop_early() -> None:
    rng = np.random.default_rng(2)
    runs = [compare_once(rng, (0.10, 0.0, 0.0)) for _ in range(10)]
    assert np.mean([verdicts[0].outcome == "better" for verdicts, _ in runs]) >= 0.8
    assert np.mean([made for _, made in runs]) < 0.97 * PLAN.confirm, "decided candidates need no more seeds"


if __name__ == "__main__":
    print(false_claims(int(sys.argv[1]), seed=1))
