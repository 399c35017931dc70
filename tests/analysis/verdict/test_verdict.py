"""The fields of a verdict: as JSON, and when two are equal."""

from __future__ import annotations

import json
from dataclasses import replace

from analysis import judge_one
from tests.analysis.verdict.test_judge import table


def test_as_dict_is_json_with_the_agreed_keys():
    as_dict = json.loads(json.dumps(judge_one(table({"new": 0.1}), baseline="base").as_dict(), allow_nan=False))
    keys = (
        "verdict outcome effect ci_low ci_high p_value n_per_arm mde baseline_mean finalist_mean noise_sd configuration"
    )
    assert set(keys.split()) <= set(as_dict)
    assert as_dict["verdict"] == "better"


def test_a_number_that_does_not_exist_equals_itself():
    """Also where it was made again, as when a study is read, and in each version of Python."""
    verdict = replace(judge_one(table({"new": 0.1}), baseline="base"), margin=float("nan"))
    again = replace(verdict, margin=float("nan"))
    assert again == verdict
    assert len({again, verdict}) == 1
    assert replace(verdict, margin=0.1) != verdict
    assert replace(verdict, outcome="worse") != verdict
    assert verdict != verdict.sentence
