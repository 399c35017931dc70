"""The verdict in words: what became of a comparison, and numbers on their side of zero."""

from __future__ import annotations

from typing import Any

import numpy as np

from analysis import SequentialDesign, judge_one
from tests.analysis.verdict.test_advice import arms, judged


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
    assert "another study.name with [confirm] futility = 0" in open_.advice


def test_an_end_of_the_interval_is_on_its_side_of_zero() -> None:
    """Shift the arm until the interval just leaves 0 out."""
    frame = arms(np.random.default_rng(4), 6, (10, 10))
    low = judge_one(frame, baseline="b").ci_low
    frame["score"] += np.where(frame["configuration"] == "f", 0.0002 - low, 0.0)
    verdict = judge_one(frame, baseline="b")
    assert verdict.outcome == "better"
    assert "interval +0.0002 to" in verdict.sentence
    frame["score"] -= np.where(frame["configuration"] == "f", 0.0003, 0.0)
    verdict = judge_one(frame, baseline="b")
    assert verdict.outcome == "not distinguishable"
    assert "interval -0.0001 to" in verdict.sentence
    assert "p = 0.050," not in verdict.sentence
