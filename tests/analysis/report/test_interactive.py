"""The interactive figures as data: their numbers are the table's, and each point belongs to a configuration."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from importlib.resources import files

import numpy as np
import pandas as pd
import pytest
from markupsafe import Markup

from analysis.observations import views
from analysis.report.guard import Guard
from analysis.report.interactive.figure import LiveFigure, Who
from analysis.report.interactive.items import item_shares
from analysis.report.interactive.part import figure_html, live_figures
from analysis.report.interactive.trials import noise_band
from analysis.report.page import draw
from analysis.report.plots.style import words_of
from analysis.report.surface import Scale
from analysis.report.tables import Tables
from tests.analysis.sample import BASELINE


@pytest.fixture(scope="module")
def content(page):
    return json.loads(page.scripts[0])


def points_of(content, name):
    """Pairs of a configuration's key and the place of its point, over all traces of a figure."""
    for trace in content["figures"][name]["data"]:
        for x, y, place in zip(trace["x"], trace["y"], trace.get("customdata") or [], strict=False):
            if place is not None:
                yield content["keys"][place], x, y


def test_the_library_is_the_released_file():
    folder = files("analysis") / "vendor" / "plotly"
    for line in (folder / "SHA256SUMS").read_text().splitlines():
        digest, name = line.split()
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest


def test_labels_have_the_trial_the_score_and_the_options(data, content):
    assert len(content["keys"]) == len(content["labels"]) == data.observations["configuration"].nunique()
    for key, label in zip(content["keys"], content["labels"], strict=True):
        rows = data.observations[data.observations["configuration"] == key]
        assert label.startswith("<b>baseline<" if key == BASELINE else "<b>finalist (trial" if key == data.finalist else
                                f"<b>trial {rows['trial'].iloc[0]}</b>")  # fmt: skip
        assert f"temperature {rows['temperature'].iloc[0]:.6g}, top_k {rows['top_k'].iloc[0]}" in label
        assert "num_ctx" not in label  # all have the same


def test_points_of_the_noise_band_and_the_history_are_the_trials_means(data, content):
    means = views.trials(data.observations, BASELINE)["mean"]
    fresh = float(views.fresh(data.observations, data.finalist)["mean"])
    for name in ("noise_band", "history"):
        found = {key: y for key, _, y in points_of(content, name)}
        expected = means.to_dict() | ({data.finalist: fresh} if name == "noise_band" else {})
        assert found == pytest.approx(expected, rel=1e-4)


def test_intervals_of_low_scores_do_not_go_below_zero(data):
    low = replace(data, observations=data.observations.assign(score=0.1 * data.observations["score"]))
    figure = noise_band(Who(Tables(low)), "", "")
    bars = [(y, trace["error_y"]) for trace in figure.traces for y in [trace["y"]]]
    ends = [at - below for y, bar in bars for at, below in zip(y, bar["arrayminus"], strict=True)]
    assert min(ends) == pytest.approx(0.0, abs=1e-6)
    assert max(max(bar["array"]) for _, bar in bars) > 0.05  # and above they are whole
    assert next(shape["y0"] for shape in figure.layout["shapes"] if "y0" in shape) >= 0


def test_the_strips_have_every_fresh_score(data, content):
    fresh = data.observations[data.observations["stage"] == "confirm"]
    traces = content["figures"]["confirm"]["data"]
    dots = [x for trace in traces if "hovertext" in trace for x in trace["x"]]
    assert sorted(dots) == pytest.approx(sorted(fresh["score"]), rel=1e-4)


def test_lines_of_the_parallel_axes_run_from_the_lowest_value_to_the_highest(data, content):
    names = content["figures"]["parallel"]["layout"]["xaxis"]["ticktext"]
    assert names == ["temperature", "top_k", "top_p", "num_predict"]
    first = data.observations.drop_duplicates("configuration").set_index("configuration")
    found = {(key, x): y for key, x, y in points_of(content, "parallel")}
    assert len(found) == len(content["keys"]) * len(names)
    for place, name in enumerate(names):
        for key, height in ((first[name].idxmin(), 0), (first[name].idxmax(), 1)):
            assert found[key, place] == pytest.approx(height)
    low, high = first["top_k"].min(), first["top_k"].max()  # more than a decade: on a log scale
    assert found[BASELINE, 1] == pytest.approx(np.log(40 / low) / np.log(high / low), rel=1e-4)


def test_the_cost_has_words_tokens_and_seconds_and_shows_one(content):
    figure = content["figures"]["pareto"]
    buttons = figure["layout"]["updatemenus"][0]["buttons"]
    assert [each["label"] for each in buttons] == ["tokens", "words", "seconds"]
    shown = [trace["visible"] for trace in figure["data"]]
    assert shown == buttons[0]["args"][0]["visible"]
    assert sum(np.array([each["args"][0]["visible"] for each in buttons])).tolist() == [1] * len(shown)


def test_titles_and_sentences_are_those_of_the_static_figures(data):
    words = {name: words_of(figure) for name, figure in draw(data).items()}
    assert words["levels"][1] == "Share of rubric items that the summaries cover, by importance."
    assert words["confirm"][0].startswith("The finalist's mean is above the baseline's in ")
    assert words["history"][1].endswith("only fresh generations show how good it is.")


def test_importances_have_intervals_and_optunas_beside_them(data, content):
    bars, theirs = content["figures"]["importances"]["data"]
    assert bars["y"] == ["num_predict", "top_k", "temperature"]  # drawn from below
    assert bars["x"] == [0, 0.15, 0.7]
    assert bars["error_x"]["array"] == pytest.approx([0.1, 0.25, 0.15])
    assert bars["error_x"]["arrayminus"] == pytest.approx([0, 0.13, 0.2])
    assert theirs["x"] == [0.05, 0.15, 0.8]
    assert data.surface.importance_title == "temperature matters; the others are not known to"
    assert "may be chance" not in data.surface.reading
    unknown = replace(data.surface, importances=data.surface.importances.assign(low=0.0))
    assert unknown.reading == f"{data.surface.reading} It is not known to matter: this may be chance."


def test_slices_have_curve_and_band_and_the_finalist_above_its_value(data, content):
    figure = content["figures"]["sensitivity"]
    curves = {trace["xaxis"]: trace for trace in figure["data"] if trace["name"] == "estimate of the search"}
    assert set(curves) == {"x", "x2"}  # options with a slice come first
    assert max(zip(curves["x"]["y"], curves["x"]["x"], strict=True))[1] in (0.3, 0.4)
    assert figure["layout"]["xaxis2"]["type"] == "log"
    marks = [trace["x"] for trace in figure["data"] if trace["name"] == "finalist, fresh"]
    assert [mark[0] for mark in marks[:2]] == pytest.approx(
        [data.values(data.finalist)[name] for name in ("temperature", "top_k")]
    )


def test_the_contour_lies_over_the_two_that_matter_most(content):
    plane = content["figures"]["contour"]
    assert (plane["layout"]["xaxis"]["title"]["text"], plane["layout"]["yaxis"]["title"]["text"]) == (
        "temperature", "top_k",
    )  # fmt: skip
    assert len(plane["data"][0]["z"]) == len(plane["data"][0]["y"]) == 6


def test_trials_stand_over_their_own_choice_in_the_order_of_the_search():
    scale = Scale("prompt", [0.0, 1.0], labels=["short", "note"])
    column = pd.Series(["note", "short", "other"], index=["finalist", "baseline", "gone"])
    places = scale.places_of(column)
    assert (places["finalist"], places["baseline"]) == (1.0, 0.0)
    assert np.isnan(places["gone"])
    assert Scale("top_k", [5.0, 40.0]).places_of(pd.Series([40, 5])).tolist() == [40.0, 5.0]


def test_shares_of_items_are_counted_by_case_and_configuration():
    texts = pd.DataFrame(
        {
            "configuration": ["a", "a", "b", "b"],
            "case": ["one", "one", "one", "two"],
            "covered": [["x"], ["x", "y"], [], ["z"]],
            "missed": [["y"], [], ["x", "y"], []],
        }
    )
    shares = item_shares(texts)
    assert shares["a"].to_dict() == pytest.approx(
        {("one", "x"): 1, ("one", "y"): 0.5, ("two", "z"): np.nan}, nan_ok=True
    )
    assert shares["b"].to_dict() == {("one", "x"): 0, ("one", "y"): 0, ("two", "z"): 1}
    assert item_shares(texts.assign(covered=[[]] * 4, missed=[[]] * 4)).empty


def test_a_figure_that_fails_is_named_and_the_others_are_there(data, monkeypatch):
    monkeypatch.setattr("analysis.report.interactive.part.items", lambda who: 1 / 0)
    monkeypatch.setattr(Guard, "strict", False)
    told: list[str] = []
    drawn = {name: figure for name, figure in draw(data).items() if name == "history"}
    names = [figure.name for figure in live_figures(Tables(data), drawn, told.append)]
    assert told == [
        "the interactive figure 'items' is left out, since it could not be made: ZeroDivisionError: division by zero"
    ]
    assert names == ["history", "learning", "importances", "contour", "parallel"]


def test_a_figure_without_a_picture_has_a_table_in_print():
    figure = LiveFigure("x", "A <title>", "How to read it.", [], {}, [["look", "effect"], ["1", "<b>"]])
    text = figure_html(figure, Markup(""))
    assert "A &lt;title&gt;" in text
    assert "<th>look</th><th>effect</th>" in text
    assert "<td>1</td><td>&lt;b&gt;</td>" in text
