"""The settings to use now, for verdicts of every outcome."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from analysis import Verdict
from analysis.verdict.use_now import changes, use_now_for, use_now_for_table, without_verdict
from tests.analysis.verdict.test_advice import judged

CHANGE = ("temperature 0.8 → 0.3", "top_k 40 → 20")
BROKEN = ["breaks words: 171 on average, limit 150"]


@pytest.fixture(scope="module")
def better() -> Verdict:
    verdict = judged(0.3)
    assert verdict.outcome == "better"
    return verdict


@pytest.fixture(scope="module")
def open_() -> Verdict:
    verdict = judged(0.02, sd=0.15)
    assert verdict.outcome == "not distinguishable"
    return verdict


def test_changes_name_what_differs_and_nothing_else() -> None:
    current = {"model": "m", "temperature": 0.8, "top_k": 40}
    new = {"model": "m", "temperature": 0.3, "top_k": 40, "mirostat": 2}
    assert changes(current, new) == ("temperature 0.8 → 0.3", "mirostat – → 2")
    assert changes(current, current) == ()


def test_only_better_within_the_limits_is_used(better: Verdict, open_: Verdict) -> None:
    answer = use_now_for(better, CHANGE)
    assert (answer.settings, answer.gamble) == ("new", "")
    assert answer.text == "Use the new settings: temperature 0.8 → 0.3, top_k 40 → 20"
    others = [replace(better, outcome=outcome) for outcome in ("worse", "equivalent", "not distinguishable")]
    for verdict in (*others, open_):
        assert use_now_for(verdict, CHANGE).settings == "current"
        assert use_now_for(verdict, CHANGE).change == ()
    assert use_now_for(better, CHANGE, broken=BROKEN).settings == "current"


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({}, "no gain beyond luck was found"),
        ({"effect": -0.01}, "no gain was found"),
        ({"outcome": "worse"}, "the finalist is worse"),
        ({"outcome": "equivalent"}, "the finalist is as good, not better"),
        ({"given_up": True}, "the comparison ended early, because a gain had become unlikely"),
        ({"p_value": 0.01}, "too many generations have no score to say which is better"),
        ({"p_value": math.nan}, "no score varies, so that luck cannot be told from a gain"),
    ],
)
def test_every_other_outcome_says_why(open_: Verdict, fields: dict[str, object], why: str) -> None:
    answer = use_now_for(replace(open_, **fields), CHANGE)  # type: ignore[arg-type]
    assert answer.text == f"Keep your current settings: {why}"


def test_a_gamble_is_offered_only_to_the_one_ahead_without_a_claim(open_: Verdict) -> None:
    gamble = use_now_for(open_, CHANGE).gamble
    assert gamble.startswith(
        "If you want to gamble: temperature 0.8 → 0.3, top_k 40 → 20. That scored 0.020 higher here,"
    )
    untested = use_now_for(replace(open_, p_value=math.nan), CHANGE).gamble
    assert untested.endswith("which may be luck: nothing was tested.")
    for fields in ({"effect": -0.01}, {"outcome": "equivalent"}, {"outcome": "worse"}, {"p_value": 0.01}):
        assert use_now_for(replace(open_, **fields), CHANGE).gamble == ""  # type: ignore[arg-type]
    assert use_now_for(open_, CHANGE, broken=BROKEN).gamble == ""
    assert use_now_for(open_, CHANGE, effect=-0.001).gamble == ""  # behind all fresh generations of the baseline


def test_the_luck_of_the_best_of_many_is_no_reason_to_gamble(open_: Verdict) -> None:
    """Of 20 equal configurations one was offered in .93 of tables; of a single one in .3."""
    ahead = replace(open_, effect=0.05, standard_error=0.05)  # better with a probability of .84
    assert use_now_for_table([ahead]).gamble
    lucky = replace(ahead, comparisons=20, optimism=0.04)  # with .58 without the luck
    assert not use_now_for_table([lucky, open_]).gamble
    assert not use_now_for(lucky, CHANGE).gamble
    assert use_now_for_table([lucky, open_], recommend=0.0).gamble
    assert use_now_for_table([replace(lucky, effect=0.08), open_]).gamble


def test_a_table_names_its_labels(better: Verdict, open_: Verdict) -> None:
    assert use_now_for_table([open_, better]).text == "Use tuned instead of base"
    other = replace(better, configuration="other", effect=better.effect + 0.1)
    assert use_now_for_table([better, other]).text == "Use other instead of base"
    assert use_now_for_table([open_]).text == "Keep base: no gain beyond luck was found"
    assert use_now_for_table([open_, open_]).text == "Keep base: none of the others was shown to be better"
    assert use_now_for_table([replace(open_, outcome="worse")]).text == "Keep base: tuned is worse"


def test_as_json_it_has_the_first_line_and_its_parts(better: Verdict) -> None:
    assert use_now_for(better, CHANGE).as_dict() == {
        "settings": "new",
        "text": "Use the new settings: temperature 0.8 → 0.3, top_k 40 → 20",
        "headline": "Use the new settings",
        "change": list(CHANGE),
        "why": "",
        "gamble": "",
    }
    assert without_verdict("no text yet").as_dict()["text"] == "Keep your current settings: no text yet"
