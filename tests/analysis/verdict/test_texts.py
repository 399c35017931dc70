"""Texts that are cut off, long or copied are named where they matter."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from analysis import judge_one


def table(gain=0.1, **columns):
    """Return two arms; each column is given by arm as a value, or a function of the seed."""
    arm, case, seed = np.indices((2, 4, 10)).reshape(3, -1)
    noise = np.random.default_rng(1).normal(0, 0.05, len(arm))
    frame = pd.DataFrame({"configuration": np.array(["b", "f"])[arm], "case": case, "seed": seed})
    frame["score"] = 0.4 + gain * arm + noise
    for name, (base, final) in columns.items():
        own = [value if callable(value) else lambda _, value=value: value for value in (base, final)]
        frame[name] = [own[place](each) for place, each in zip(arm, seed, strict=True)]
    return frame


def note(frame, start):
    found = [each for each in judge_one(frame, baseline="b").notes if each.startswith(start)]
    assert len(found) <= 1
    return "".join(found)


def test_texts_of_one_arm_that_are_all_cut_off():
    said = note(table(finish=("stop", "length")), "Cut off")
    assert said == (
        "Cut off (finish = length) are 40 of 40 texts of f and 0 of 40 texts of b: "
        "no whole texts of both are left to compare."
    )


def test_the_difference_among_whole_texts():
    frame = table(finish=("stop", lambda seed: "length" if seed < 6 else "stop"))
    whole = frame[frame["finish"] == "stop"].groupby(["configuration", "case"])["score"].mean()
    effect = (whole["f"] - whole["b"]).mean()
    said = note(frame, "Cut off")
    assert said.endswith(f"Among texts that are not cut off, the difference is {effect:+.3f} on 4 cases.")
    assert "24 of 40 texts of f and 0 of 40 texts of b" in said


@pytest.mark.parametrize(
    "finish", [("stop", "stop"), ("length", "length"), ("stop", lambda seed: "length" if seed < 1 else "stop")]
)
def test_arms_that_are_cut_off_alike_are_not_named(finish):
    assert note(table(finish=finish), "Cut off") == ""


def test_twice_the_length_is_named_where_the_longer_arm_is_ahead():
    said = note(table(words=(100, 210)), "The texts of f")
    assert said.startswith("The texts of f are 2.1 times as long (210 words on average, 100 of b).")
    assert note(table(-0.1, words=(210, 100)), "The texts of b").startswith("The texts of b are 2.1 times")
    assert note(table(-0.1, words=(100, 210)), "The texts") == ""
    assert note(table(words=(100, 120)), "The texts") == ""
    assert "210 output tokens" in note(table(output_tokens=(100, 210)), "The texts")


def test_an_arm_that_copies_the_log():
    said = "f copies 80% of its words from the log (b 10%), and copies count as covered: read its texts."
    assert note(table(copied_share=(0.1, 0.8)), "f copies") == said
    assert note(table(copied_share=(0.8, 0.8)), "f copies") == ""
    assert note(table(copied_share=(0.1, 0.8)).assign(study="s"), "f copies") == ""  # the sweep says it itself
