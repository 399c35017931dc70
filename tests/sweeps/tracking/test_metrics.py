"""The numbers, views and names that a tracked study gets."""

import json
import math

import pandas as pd
import pytest

from sweeps.tracking.configuration_metrics import decisive_stages, summarise
from sweeps.tracking.experiment_view import CHARTS, STAGES, TABLE, description, swept_options, views
from sweeps.tracking.metric_steps import ordered, points_digest, run_times
from sweeps.tracking.observations_table import readable_table
from sweeps.tracking.run_tags import child_name, split_verdict
from tests.sweeps.tracking.tracked import BASELINE, CONFIG, rows, texts_of


def test_summary_worked_out_by_hand():
    # case means .2 and .5; squares within .02 + 0 over 4 - 2 degrees of freedom: variance .01
    metrics = summarise(rows({"pump": [0.1, 0.3], "deploy": [0.5, 0.5]}))
    assert metrics["mean"] == pytest.approx(0.35)
    assert metrics["sd"] == pytest.approx(0.1)
    assert metrics["se"] == pytest.approx(math.sqrt(0.01 * (1 / 2 + 1 / 2)) / 2)
    # t of two degrees of freedom reaches 4.3027 standard errors
    assert (metrics["mean_low"], metrics["mean_high"]) == pytest.approx((0.134867, 0.565133), abs=1e-5)
    assert metrics["n"] == 4
    assert (metrics["lv1"], metrics["lv2"], metrics["lv12"]) == (1, 0, 0.5)
    assert "lv3" not in metrics  # no such items
    assert metrics["words"] == 80.5
    assert metrics["seconds"] == 1.5
    assert (metrics["cut_off_rate"], metrics["error_rate"], metrics["truncation_rate"]) == (0, 0, 0)
    assert "mean_floor" not in metrics


def test_cases_weigh_the_same_however_many_seeds_they_have():
    assert summarise(rows({"pump": [0.0] * 3, "deploy": [1.0]}))["mean"] == 0.5


def test_no_spread_is_claimed_without_repeats():
    metrics = summarise(rows({"pump": [0.1], "deploy": [0.9]}))
    assert metrics["n"] == 2
    assert "sd" not in metrics
    assert "se" not in metrics


def test_hosts_are_blocks():
    a, b = rows({"pump": [0.1, 0.1]}), rows({"pump": [0.5, 0.5]}).assign(host="other")
    assert summarise(pd.concat([a, b]))["sd"] == pytest.approx(0)


def test_errors_have_no_score_but_are_counted():
    failed = rows({"pump": [math.nan]}, seed=9, finish="error")
    metrics = summarise(pd.concat([rows({"pump": [0.2, 0.4]}), failed]))
    assert metrics["n"] == 2
    assert metrics["mean"] == pytest.approx(0.3)
    assert metrics["error_rate"] == pytest.approx(1 / 3)
    assert summarise(failed)["n"] == 0


def test_a_finalists_metrics_are_of_its_confirm_data():
    explore = rows({"pump": [0.9, 0.9]}, stage="explore")
    confirm = rows({"pump": [0.4, 0.6]}, stage="confirm", seed=100)
    both = pd.concat([explore, confirm])
    metrics = summarise(both)
    assert metrics["mean"] == pytest.approx(0.5)
    assert (metrics["mean_explore"], metrics["mean_confirm"], metrics["n_explore"]) == (0.9, 0.5, 2)
    assert decisive_stages(["explore", "confirm"]) == "confirm"
    assert decisive_stages(["floor", "explore"]) == "floor+explore"


def test_order_is_by_stage_then_case_and_seed_and_later_stages_come_last():
    explore = rows({"pump": [0.2, 0.1], "deploy": [0.3]}, stage="explore")
    confirm = rows({"deploy": [0.5]}, stage="confirm", seed=0)
    first = ordered(explore.sample(frac=1, random_state=3))
    assert list(first["score"]) == [0.3, 0.2, 0.1]
    both = ordered(pd.concat([confirm, explore]))
    assert list(both["stage"]) == ["explore"] * 3 + ["confirm"]
    assert points_digest(both.head(3)) == points_digest(first)
    assert points_digest(both) != points_digest(first)
    changed = first.assign(score=[0.3, 0.2, 0.11])
    assert points_digest(changed) != points_digest(first)


def test_table_shows_score_text_and_missed_items_first():
    observations = rows({"pump": [0.1, 0.3], "deploy": [0.5, 0.5]})
    shown = readable_table(ordered(observations), texts_of(observations))
    assert list(shown.columns[:5]) == ["case", "seed", "score", "missed", "text"]
    assert list(shown["text"]) == ["text deploy 1", "text deploy 2", "text pump 1", "text pump 2"]
    assert shown["missed"].iloc[0] == "b, c"
    assert "temperature" not in shown.columns  # the same in every row; it is a parameter
    assert len(readable_table(observations, None)) == 4


def test_a_run_lasts_from_its_first_request_to_its_last_answer():
    texts = pd.DataFrame(
        {"created": ["2026-01-01T00:00:10.500+00:00", "2026-01-01T00:00:12+00:00", ""], "seconds": [0.5, 4.0, 9.0]}
    )
    second = 1767225600  # 2026-01-01
    assert run_times(texts) == (1000 * (second + 8), 1000 * (second + 12))
    assert run_times(texts.tail(1)) is None
    assert run_times(texts[["seconds"]]) is None
    assert run_times(None) is None


def test_names():
    assert child_name(-1, ["floor", "confirm"]) == "baseline"
    assert child_name(7, ["explore"]) == "trial 07"
    assert child_name(7, ["explore", "confirm"]) == "confirm: trial 07"
    assert child_name(123, []) == "trial 123"


def test_verdict_splits_into_numbers_and_words():
    numbers, words = split_verdict(
        {
            "outcome": "better",
            "effect": 0.1,
            "mde": math.nan,
            "n_per_arm": 40,
            "notes": ("a", "b"),
            "test": "",
            "x": True,
        }
    )
    assert numbers == {"effect": 0.1, "n_per_arm": 40}
    assert words == {"verdict": "better", "verdict.notes": '["a", "b"]', "verdict.x": "true"}


def test_views_have_scores_and_swept_options():
    swept = swept_options(CONFIG, BASELINE)
    made = {name.rpartition(".")[2]: json.loads(value) for name, value in views(swept).items()}
    assert set(made) == {TABLE, CHARTS, STAGES}
    for state in made.values():
        assert state["orderByKey"] == state["selectedColumns"][0] == "metrics.`mean`"
        assert "params.`temperature`" in state["selectedColumns"]
        assert "params.`top_k`" not in state["selectedColumns"]
    assert made[STAGES]["groupBy"]["groupByKeys"] == [{"mode": "tag", "groupByData": "stage"}]
    kinds = [chart["type"] for chart in made[CHARTS]["compareRunCharts"]]
    assert kinds == ["BAR", "PARALLEL", "SCATTER", "SCATTER"]


def test_every_view_is_linked_and_every_name_explained():
    text = description("7", "It is better.")
    assert text.startswith("It is better.")
    for name in (TABLE, CHARTS, STAGES):
        assert f"viewStateShareKey={name})" in text
    for name in ("lv12", "se", "mde"):
        assert f"- `{name}`: " in text
