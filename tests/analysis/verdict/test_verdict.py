"""The fields of a verdict as JSON."""

from __future__ import annotations

import json

from analysis import judge_one
from tests.analysis.verdict.test_judge import table


def test_as_dict_is_json_with_the_agreed_keys():
    as_dict = json.loads(json.dumps(judge_one(table({"new": 0.1}), baseline="base").as_dict(), allow_nan=False))
    keys = (
        "verdict outcome effect ci_low ci_high p_value n_per_arm mde baseline_mean finalist_mean noise_sd configuration"
    )
    assert set(keys.split()) <= set(as_dict)
    assert as_dict["verdict"] == "better"
