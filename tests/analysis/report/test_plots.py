"""Plots: what they draw is read back from the figure and compared with numbers worked out from the table."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib.container import BarContainer

from analysis import pareto
from analysis.observations import views
from analysis.report.plots import figures as plots
from analysis.report.plots.style import new_figure, titles, words_of
from tests.analysis.sample import BASELINE, finalist_of, make_observations

SD = 0.11


@pytest.fixture(scope="module")
def observations():
    return make_observations()


@pytest.fixture(scope="module")
def finalist(observations):
    return finalist_of(observations)


def every_plot(observations, finalist):
    return {
        "noise_band": plots.noise_band(observations, baseline=BASELINE, noise_sd=SD, finalist=finalist),
        "confirm": plots.confirm_strips(observations, baseline=BASELINE, finalist=finalist),
        "levels": plots.level_coverage(observations, baseline=BASELINE, finalist=finalist),
        "sensitivity": plots.option_sensitivity(observations, baseline=BASELINE, finalist=finalist),
        "history": plots.history(observations, baseline=BASELINE, noise_sd=SD),
        "pareto": plots.pareto(
            pareto.expected(observations, baseline=BASELINE, noise_sd=SD), baseline=BASELINE, finalist=finalist
        ),
        "finishes": plots.finishes(observations, baseline=BASELINE, finalist=finalist),
    }


def bar_heights(axes):
    return [[patch.get_height() for patch in group] for group in axes.containers if isinstance(group, BarContainer)]


def by_label(axes):
    """Handles of a plot's legend by label."""
    handles, labels = axes.get_legend_handles_labels()
    return dict(zip(labels, handles, strict=True))


def test_fresh_generations_are_apart_from_the_trials(observations, finalist):
    axes = plots.noise_band(observations, baseline=BASELINE, noise_sd=SD, finalist=finalist).axes[0]
    trials = len(views.trials(observations, BASELINE))
    places = {bar.get_label(): bar.lines[0].get_xdata() for bar in axes.containers}
    (fresh,) = next(x for label, x in places.items() if "fresh" in label)
    assert sorted(x for label, xs in places.items() if "fresh" not in label for x in xs) == list(range(1, trials + 1))
    ticks = dict(zip(axes.get_xticks(), [text.get_text() for text in axes.get_xticklabels()], strict=True))
    assert ticks.pop(fresh) == "fresh"
    assert all(1 <= place <= trials and name == f"{place:.0f}" for place, name in ticks.items())
    (line,) = [each.get_xdata()[0] for each in axes.lines if each.get_linestyle() == ":"]
    assert trials < line < fresh
    assert "; right of the line: fresh seeds" in axes.get_xlabel()


def test_the_baselines_line_says_what_it_is_the_mean_of(observations, finalist):
    axes = plots.noise_band(observations, baseline=BASELINE, noise_sd=SD, finalist=finalist).axes[0]
    said = " ".join(" ".join(text.get_text() for text in axes.texts).split())
    assert "Line: baseline's mean of 48 fresh generations." in said
    assert "baseline's mean of 48 fresh generations" in by_label(axes)
    searching = observations[observations["stage"] != "confirm"]
    axes = plots.noise_band(searching, baseline=BASELINE, noise_sd=SD).axes[0]
    assert "baseline's mean of 24 generations" in by_label(axes)


def test_trials_on_the_axis_have_their_own_numbers(observations, finalist):
    """A trial's place by its mean is no name of it: the tables call it by its number."""
    few = set(observations.loc[observations["trial"] < 12, "configuration"])
    axes = plots.noise_band(observations[observations["configuration"].isin(few)], baseline=BASELINE, noise_sd=SD).axes[
        0
    ]
    rows = observations[observations["configuration"].isin(few - {BASELINE}) & (observations["stage"] == "explore")]
    ordered = rows.groupby(["trial", "case"])["score"].mean().groupby("trial").mean().sort_values()
    assert [label.get_text() for label in axes.get_xticklabels()] == [str(trial) for trial in ordered.index]
    assert axes.get_xlabel() == "trial numbers, from the lowest mean to the highest"
    many = plots.noise_band(observations, baseline=BASELINE, noise_sd=SD, finalist=finalist).axes[0]
    assert [label.get_text() for label in many.get_xticklabels()] == ["fresh"]


def test_intervals_of_cases_end_where_scores_do_and_the_axis_where_they_do(observations, finalist):
    low = observations.assign(score=observations["score"] * 0.2)
    axes = plots.confirm_strips(low, baseline=BASELINE, finalist=finalist).axes[0]
    ends = [x for container in axes.containers for line in container.lines[1] for x in line.get_xdata()]
    assert min(ends) >= 0
    assert max(ends) <= axes.get_xlim()[1] < 0.5


def test_a_long_subtitle_stays_inside_the_plot():
    figure, axes = new_figure(4.0)
    titles(axes, "A finding", "How to read it, in so many words that one line is not enough. " * 4)
    figure.canvas.draw()
    (said,) = axes.texts
    box, title = said.get_window_extent(), axes.title.get_window_extent()
    assert box.x1 <= axes.get_window_extent().x1
    assert box.y1 <= title.y0 + 1
    assert said.get_text().count("\n") >= 1


def test_the_noise_band_has_the_width_of_a_difference_of_two_means(observations, finalist):
    figure = plots.noise_band(observations, baseline=BASELINE, noise_sd=SD, finalist=finalist)
    axes = figure.axes[0]
    # 6 generations per trial; the baseline has 6 x 8 in the confirmation, whose mean is the verdict's.
    half = 1.959964 * SD * np.sqrt(1 / 6 + 1 / 48)
    own = observations[(observations["configuration"] == BASELINE) & (observations["stage"] == "confirm")]
    centre = own.groupby("case")["score"].mean().mean()
    band = by_label(axes)["noise band, 95%"]
    assert (band.get_y(), band.get_y() + band.get_height()) == pytest.approx((centre - half, centre + half))
    explored = observations[observations["stage"] == "explore"].groupby(["configuration", "case"])["score"].mean()
    means = explored.groupby("configuration").mean()
    above, below = (means > centre + half).sum(), (means < centre - half).sum()
    assert axes.get_title(loc="left") == f"{above} of 40 trials lie above the noise band, {below} below it"


def test_the_finalist_stands_apart_with_its_fresh_mean(observations, finalist):
    axes = plots.noise_band(observations, baseline=BASELINE, noise_sd=SD, finalist=finalist).axes[0]
    trial = observations.loc[observations["configuration"] == finalist, "trial"].iloc[0]
    drawn = by_label(axes)[f"finalist (trial {trial}) on 48 fresh generations"]
    fresh = observations[(observations["configuration"] == finalist) & (observations["stage"] == "confirm")]
    assert drawn.lines[0].get_ydata()[0] == pytest.approx(fresh["score"].mean())
    searched = by_label(axes)[f"finalist (trial {trial}) in the search"].lines[0].get_ydata()[0]
    assert searched == pytest.approx(
        observations[(observations["configuration"] == finalist) & (observations["stage"] == "explore")]["score"].mean()
    )


def test_level_bars_stand_under_their_own_level(observations, finalist):
    axes = plots.level_coverage(observations, baseline=BASELINE, finalist=finalist).axes[0]
    names = [label.get_text() for label in axes.get_xticklabels()]
    assert names == ["levels 1 and 2", "level 1", "level 2", "level 3", "level 4", "level 5"]
    for key, heights in zip((BASELINE, finalist), bar_heights(axes), strict=True):
        rows = observations[(observations["configuration"] == key) & (observations["stage"] == "confirm")]
        for column, height in zip(("lv12", "lv1", "lv2", "lv3", "lv4", "lv5"), heights, strict=True):
            counts = rows[column].str.split("/", expand=True).astype(int)
            assert height == pytest.approx(counts[0].sum() / counts[1].sum())
    assert axes.get_ylim()[0] == 0


def test_endings_are_counted(observations, finalist):
    axes = plots.finishes(observations, baseline=BASELINE, finalist=finalist).axes[0]
    rows = observations[(observations["configuration"] == BASELINE) & (observations["stage"] == "confirm")]
    widths = [group[0].get_width() for group in axes.containers if isinstance(group, BarContainer)]
    assert sum(widths) == pytest.approx(1)
    assert widths[0] == pytest.approx((rows["finish"] == "stop").mean())
    share = (rows["finish"] == "length").mean()
    assert f"baseline {share:.0%}" in axes.get_title(loc="left")
    assert axes.get_xlim()[0] == 0


def test_the_front_of_the_pareto_plot_is_beaten_by_nothing(observations, finalist):
    table = pareto.expected(observations, baseline=BASELINE, noise_sd=SD)
    axes = plots.pareto(table, baseline=BASELINE, finalist=finalist).axes[0]
    lines = by_label(axes)
    front = np.column_stack(lines["beaten by none"].get_data())
    every = np.column_stack(lines["configuration"].get_data())
    beats = lambda a, b: a[0] <= b[0] and a[1] >= b[1] and tuple(a) != tuple(b)  # noqa: E731
    expected = {tuple(point) for point in every if not any(beats(other, point) for other in every)}
    assert {tuple(point) for point in front} == expected


def test_best_so_far_never_falls_and_starts_with_the_first_trial(observations):
    figure = plots.history(observations, baseline=BASELINE, noise_sd=SD, start=7)
    assert words_of(figure)[1].endswith("Trials before 7 are the start design.")
    axes = figure.axes[0]
    best = by_label(axes)["highest so far"].get_ydata()
    trials = by_label(axes)["trial"].get_ydata()
    assert (np.diff(best) >= 0).all()
    assert best[0] == trials[0]
    assert best[-1] == max(trials)


def test_strips_show_every_score_and_the_mean_of_each_case(observations, finalist):
    axes = plots.confirm_strips(observations, baseline=BASELINE, finalist=finalist).axes[0]
    fresh = observations[observations["stage"] == "confirm"]
    dots = [line for line in axes.lines if line.get_marker() == "o"]
    assert sum(len(line.get_xdata()) for line in dots) == len(fresh) == 2 * 6 * 8
    means = sorted(float(bar.lines[0].get_xdata()[0]) for bar in axes.containers)
    assert means == pytest.approx(sorted(fresh.groupby(["case", "configuration"])["score"].mean()))


def test_sensitivity_has_a_panel_per_option_that_varies(observations, finalist):
    figure = plots.option_sensitivity(observations, baseline=BASELINE, finalist=finalist)
    shown = [axes.get_xlabel() for axes in figure.axes if axes.get_visible()]
    assert shown == ["temperature", "top_k", "top_p", "num_predict"]  # num_ctx is the same everywhere


def test_prompts_and_models_are_categories(observations, finalist):
    keys = observations["configuration"].unique()
    prompt = dict(zip(keys, np.where(np.arange(len(keys)) % 2, "long $x$", "terse"), strict=True))
    table = observations.assign(prompt=observations["configuration"].map(prompt))
    figure = plots.option_sensitivity(table, baseline=BASELINE, options=["prompt"], finalist=finalist)
    assert [label.get_text() for label in figure.axes[0].get_xticklabels()] == [r"long \$x\$", "terse"]
    assert ">long $x$<" in plots.to_svg(figure, "p")


def test_svg_is_well_formed_deterministic_themed_and_free_of_the_outside(observations, finalist):
    before = dict(mpl.rcParams)
    again = every_plot(observations, finalist)
    twice = {"noise_band", "history", "levels"}  # dots, lines and bars
    for name, figure in every_plot(observations, finalist).items():
        text = plots.to_svg(figure, name)
        root = ElementTree.fromstring(text)
        assert root.tag.endswith("svg")
        assert root.get("viewBox")
        assert "width" not in root.attrib
        ids = [each.get("id") for each in root.iter() if each.get("id")]
        assert all(each.startswith(f"{name}-") for each in ids)
        used = re.findall(r'(?:href="|url\()#([^")]+)', text)
        assert set(used) <= set(ids)
        assert "var(--ink, #1f2430)" in text
        assert not re.search(r'(?:src|href)="(?!#)', text)
        assert name not in twice or text == plots.to_svg(again[name], name)
    assert dict(mpl.rcParams) == before


def test_png_is_a_png(observations, finalist):
    assert plots.to_png(plots.history(observations, baseline=BASELINE, noise_sd=SD), dpi=40).startswith(b"\x89PNG\r\n")


def test_hostile_names_are_escaped(observations, finalist):
    table = observations.assign(case=observations["case"] + "<script>alert(1)</script> & $\\frac{1}{$ 日本語")
    text = plots.to_svg(plots.confirm_strips(table, baseline=BASELINE, finalist=finalist), "x")
    assert "<script" not in text
    assert "&lt;script&gt;" in text
    assert ElementTree.fromstring(text) is not None


def test_failed_generations_and_blanks_do_not_count_as_scores(observations, finalist):
    broken = observations.copy()
    rows = broken.index[broken["stage"] == "confirm"][:5]
    broken.loc[rows, "finish"] = "error"
    broken.loc[rows, "score"] = np.nan
    axes = plots.confirm_strips(broken, baseline=BASELINE, finalist=finalist).axes[0]
    assert sum(len(line.get_xdata()) for line in axes.lines if line.get_marker() == "o") == 2 * 6 * 8 - 5


def test_a_bare_table_can_be_drawn():
    table = pd.DataFrame(
        {
            "configuration": ["a"] * 4 + ["b"] * 4,
            "case": ["x", "x", "y", "y"] * 2,
            "seed": [1, 2] * 4,
            "score": [0.1, 0.3, 0.5, 0.7, 0.2, 0.4, 0.6, 0.8],
        }
    )
    axes = plots.confirm_strips(table, baseline="a", finalist="b").axes[0]
    assert axes.get_title(loc="left") == "The finalist's mean is above the baseline's in 2 of 2 cases"
    band = plots.noise_band(table, baseline="a", noise_sd=0.1, finalist="b").axes[0]
    assert band.get_title(loc="left") == "0 of 1 trials lie above the noise band, 0 below it"


def test_without_known_noise_no_band_is_claimed(observations):
    axes = plots.noise_band(observations, baseline=BASELINE, noise_sd=0.0).axes[0]
    assert "noise band, 95%" not in by_label(axes)
    assert re.fullmatch(r"\d+ of 40 trials have a higher mean than the baseline", axes.get_title(loc="left"))


def test_intervals_of_low_scores_do_not_go_below_zero(observations):
    low = observations.assign(score=observations["score"] * 0.1)
    axes = plots.noise_band(low, baseline=BASELINE, noise_sd=SD, finalist=finalist_of(low)).axes[0]
    ends = np.concatenate([
        segment[:, 1] for bars in axes.containers for lines in bars.lines[2] for segment in lines.get_segments()
    ])  # fmt: skip
    assert ends.min() == 0.0
    assert ends.max() > low["score"].max()  # and above they are whole
