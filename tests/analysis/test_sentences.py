"""What verdicts advise can be done, and what became of a comparison is said."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from analysis import SequentialDesign, Verdict, judge_one
from analysis.wording import arms_text, count_text


def judged(gain: float, *, cases: int = 6, seeds: int = 10, sd: float = 0.03, **changes: Any) -> Verdict:
    """The verdict on an arm with so much more than the baseline's .5 on average, and noise that adds up to nothing."""
    noise = np.random.default_rng(1).normal(0, sd, (2, cases, seeds))
    noise -= noise.mean(axis=2, keepdims=True)
    rows = [
        {"configuration": key, "case": f"c{case}", "seed": seed, "score": mean + noise[arm, case, seed]}
        for arm, (key, mean) in enumerate((("base", 0.5), ("tuned", 0.5 + gain)))
        for case in range(cases)
        for seed in range(seeds)
    ]
    return judge_one(pd.DataFrame(rows), baseline="base", **changes)


@pytest.mark.parametrize(("cases", "possible"), [(3, False), (5, False), (6, True)])
def test_a_claim_for_new_cases_is_advised_where_there_can_be_one(cases: int, possible: bool) -> None:
    verdict = judged(0.3, cases=cases)
    assert verdict.outcome == "better"
    assert ("judge for new cases to include that" in verdict.advice) == possible
    assert ("takes 6 cases or more" in verdict.advice) != possible


def test_what_was_given_up_says_so_whatever_it_ends_as() -> None:
    design = SequentialDesign([0.5, 1.0], 0.05, futility=0.1)
    said = "The comparison was given up at look 1, since going on would hardly have shown a gain."
    settings: dict[str, Any] = {"design": design, "look": 1, "margin": 0.3}
    for gain, outcome in ((0.0, "equivalent"), (-0.4, "worse"), (0.4, "better")):
        verdict = judged(gain, given_up=["tuned"], **settings)
        assert verdict.outcome == outcome
        assert verdict.sentence.endswith(said)
        assert "given up" not in judged(gain, **settings).sentence
    open_ = judged(0.0, sd=0.15, seeds=3, margin=0.01, given_up=["tuned"], design=design, look=1)
    assert open_.outcome == "not distinguishable"
    assert open_.sentence.count("given up") == 1
    assert "name and [confirm] futility = 0" in open_.advice


def test_one_of_anything_is_not_many() -> None:
    assert (count_text(1, "seed"), count_text(2, "seed"), count_text(2.5, "seed"), count_text(1.0, "seed")) == (
        "1 seed", "2 seeds", "2.5 seeds", "1 seed",
    )  # fmt: skip
    assert arms_text(1, 1, 1, kind="fresh generations") == "1 fresh generation per arm"
    assert arms_text(3, 3, 3) == "3 generations per arm"
