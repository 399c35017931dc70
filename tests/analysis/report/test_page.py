"""The report: what it says, that it says it safely, and that nothing is said that the verdict does not say."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from markdown_it import MarkdownIt

from analysis import judge
from analysis.observations import views
from analysis.pass_rates import Reliability
from analysis.report.guard import Guard
from analysis.report.page import ReportData, draw, render_note, render_report
from analysis.report.tables import Tables, value_text
from tests.analysis.report.reading import Page, drawn_on, panel_of, second_finalist, tone_of, words_of
from tests.analysis.sample import BASELINE, CASES
from tests.analysis.sample_report import make_texts

EVIL = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'&{{ 7*7 }}"


def test_the_page_is_whole_and_stands_alone(page):
    assert page.open == []
    names = {tag for tag, _ in page.tags}
    assert not names & {"link", "iframe", "object", "embed", "img", "form"}
    for _, attributes in page.tags:
        assert not any(name.startswith("on") for name in attributes)
        for name in ("src", "href", "xlink:href"):
            assert (attributes.get(name) or "#").startswith("#")
    policy = next(each["content"] for tag, each in page.tags if each.get("http-equiv") == "Content-Security-Policy")
    assert "default-src 'none'" in policy
    assert "script-src 'sha256-" in policy
    assert not any(each in policy.partition("script-src")[2] for each in ("unsafe", "http", "data:"))


def test_plots_that_a_narrow_screen_cuts_say_that_they_scroll(data, page):
    style = render_report(data, figures={})
    width = int(re.search(r"figure > svg \{[^}]*min-width: (\d+)px", style)[1])
    narrow = re.search(
        r"@media screen and \(max-width: (\d+)px\) \{\s*figure:not\(.drawn\)::before \{ content: \"scroll sideways",
        style,
    )
    padding = 2 * (20 + 20 + 1)  # of the page and of the card, with its border
    assert int(narrow[1]) == width + padding - 1
    assert {attributes["class"] for tag, attributes in page.tags if tag == "figure"} == {
        "card"
    }  # cards have the shadows at their edges


def test_ids_are_unique_and_links_lead_somewhere(page):
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    targets = {(attributes.get("href") or attributes.get("xlink:href") or "")[1:] for _, attributes in page.tags}
    assert targets - {""} <= set(ids)


def test_the_verdict_comes_first_with_all_its_numbers(data, page):
    verdict = data.verdict
    assert verdict.outcome == "better"
    where = page.words.index("Use the new settings temperature")
    assert where < page.words.index("Better than the baseline.") < page.words.index("Options", where)
    assert f"temperature 0.8 → {data.values(data.finalist)['temperature']}" in page.words[where : where + 120]
    for shown in (
        f"{verdict.effect:+.3f}",
        f"{verdict.ci_low:+.3f} to {verdict.ci_high:+.3f}",
        "p < 0.001",
        "48",
        f"{verdict.mde:.3f}",
        f"{verdict.noise_sd:.3f}",
    ):
        assert shown in page.words
    assert verdict.configuration not in page.words[: page.words.index("Search", where)]


@pytest.mark.parametrize(
    ("outcome", "tone", "answer"),
    [
        ("better", "better", "Use the new settings temperature"),
        ("worse", "worse", "Keep your current settings The finalist is worse."),
        ("equivalent", "equivalent", "Keep your current settings The finalist is as good, not better."),
        ("not distinguishable", "not-distinguishable", "Keep your current settings Too many generations have no score"),
    ],
)
def test_only_better_is_green(data, outcome, tone, answer):
    verdict = replace(data.verdict, outcome=outcome)
    text = render_report(replace(data, verdicts=[verdict]), figures={})
    assert tone_of(text) == tone
    assert answer in Page(text).words
    colours = dict(re.findall(r"\.([a-z-]+)(?:, \.none)? \{ --tone: var\(--([a-z]+)\)", text))
    assert colours[tone] == {"not-distinguishable": "open"}.get(tone, tone)
    assert [name for name, colour in colours.items() if colour == "better"] == ["better"]


def test_the_interval_of_the_test_of_equality_is_drawn_and_named(data):
    """The 95% interval may reach beyond the band of differences that count as none; the one that is tested may not."""
    equal = {"outcome": "equivalent", "effect": 0.0, "ci_low": -0.05, "ci_high": 0.05, "margin": 0.045}
    verdict = replace(data.verdict, **equal, equality_low=-0.04, equality_high=0.04, equality_level=0.9)
    text = render_report(replace(data, verdicts=[verdict]), figures={})
    bars = re.findall(r'<i class="(margin|bar inner|bar)" style="left:([\d.]+)%;width:([\d.]+)%"', text)
    widths = {name: float(width) for name, _, width in bars}
    assert widths["bar inner"] < widths["margin"] < widths["bar"]
    assert widths["bar inner"] / widths["bar"] == pytest.approx(0.8, abs=0.01)
    assert "its 90% interval, which lies within the margin" in text
    better = render_report(data, figures={})
    assert "bar inner" not in better
    assert 'class="margin"' not in better  # nobody named one


def test_options_that_differ_are_marked_and_only_these(data):
    text = render_report(data, figures={})
    table = text[text.index('<h2 id="options"') : text.index('<h2 id="coverage"')]
    changed = re.findall(r'<tr class="changed"><td>([^<]+)</td>', table)
    assert sorted(changed) == sorted(data.differences(data.finalist))
    assert set(re.findall(r"<tr><td>([^<]+)</td>", table)) == {"model", "prompt", "num_ctx", "num_predict"} - set(
        changed
    )


def test_values_are_written_as_in_the_file():
    assert [value_text(value) for value in (True, "low", 0.8, 40, None)] == ["true", "low", "0.8", "40", "–"]
    assert value_text(("END", "\n#")) == '["END", "\\n#"]'


def test_levels_are_told_as_covered_of_total(data, page):
    fresh = data.observations[data.observations["stage"] == "confirm"]
    own = fresh[fresh["configuration"] == BASELINE]
    counts = own["lv12"].str.split("/", expand=True).astype(int)
    assert f"{counts[0].mean():.1f}/{counts[1].mean():.1f} {counts[0].sum() / counts[1].sum():.0%}" in page.words
    for case, totals in CASES.items():
        covered = counts.loc[own["case"] == case, 0].mean()
        assert f"{case} {covered:.1f}/{totals[0] + totals[1]} " in page.words


def test_endings_are_counted(data, page):
    rows = data.observations
    own = rows[(rows["configuration"] == BASELINE) & (rows["stage"] == "confirm")]["finish"]
    expected = [len(own), (own == "stop").sum(), (own == "length").sum(), (own == "repeat").sum(), 0, 0]
    assert f"the baseline {' '.join(map(str, expected))}" in page.words


def test_texts_show_best_median_and_worst_of_one_case(data):
    text = render_report(data, figures={})
    part = text[text.index('<h2 id="texts"') : text.index('<h2 id="search"')]
    assert re.findall(r"<summary>(\w+)</summary>", part) == ["Best", "Median", "Worst"]
    scores = [float(score) for score in re.findall(r"score ([\d.]+),", part)]
    assert len(scores) == 6
    assert scores[0::2] == sorted(scores[0::2], reverse=True)
    fresh = data.observations[data.observations["stage"] == "confirm"]
    means = fresh.groupby(["case", "configuration"])["score"].mean()
    effects = {case: means[case, data.finalist] - means[case, BASELINE] for case in CASES}
    chosen = re.search(r"Case <b>([^<]+)</b>", part).group(1)
    assert sorted(effects.values()).index(effects[chosen]) == 3
    best = fresh[(fresh["case"] == chosen) & (fresh["configuration"] == BASELINE)]["score"].max()
    assert scores[0] == round(best, 3)


def test_hostile_texts_and_names_stay_text(data):
    fresh = data.observations[data.observations["stage"] == "confirm"]
    texts = make_texts(fresh)
    texts["text"] = EVIL * 3
    texts["missed"] = [[EVIL]] * len(texts)
    evil = replace(
        data,
        study=EVIL,
        observations=fresh.assign(case=EVIL, seed=np.arange(len(fresh))),
        texts=texts.assign(case=EVIL, seed=np.arange(len(fresh))),
        notes=[EVIL],
        commands={EVIL: EVIL},
        exports=[EVIL],
        config={EVIL: EVIL},
        fingerprints={EVIL: {"host": {EVIL: EVIL}}},
        configurations={
            key: {"model": EVIL, "prompt": EVIL, "options": {EVIL: 1}} for key in (BASELINE, data.finalist)
        },
    )
    text = render_report(evil)
    parsed = Page(text)
    assert "img" not in {tag for tag, _ in parsed.tags}
    data, *scripts = parsed.scripts
    assert json.loads(data)
    assert not any("alert(" in script for script in scripts)
    assert not any(name.startswith("on") for _, attributes in parsed.tags for name in attributes)
    assert "<script>alert(1)</script>" in parsed.text
    assert "{{ 7*7 }}" in parsed.text
    note = MarkdownIt("commonmark", {"html": True}).enable("table").render(render_note(evil))
    assert not {tag for tag, _ in Page(note).tags} & {"script", "img"}
    assert "<script>alert(1)</script>" in Page(note).text
    assert drawn_on(80, replace(evil, study="[bold]x[/bold] [red"))[0].count("[bold]x[/bold] [red") == 1


def test_long_texts_are_cut_and_say_so(data):
    texts = data.texts.assign(text="word " * 3000)
    text = render_report(replace(data, texts=texts), figures={})
    assert "… and 9000 characters more" in Page(text).words


def test_missing_parts_are_left_out(data):
    rows = data.observations[["configuration", "case", "seed", "score"]].drop_duplicates(
        ["configuration", "case", "seed"]
    )
    bare = ReportData(study="bare", created="today", observations=rows, baseline=BASELINE)
    parsed = Page(render_report(bare))
    assert "Keep your current settings There is no verdict yet." in parsed.words
    for absent in (
        "Options",
        "Texts",
        "Robustness",
        "Host, engine, model",
        "Noise before the search",
        "generations ended",
    ):
        assert absent not in parsed.words
    assert parsed.open == []
    assert "**Keep your current settings: there is no verdict yet**" in render_note(bare)
    assert "Keep your current settings: there is no verdict yet" in panel_of(bare)


def test_a_baseline_without_scores_still_gives_a_page(data):
    rows = data.observations.copy()
    rows.loc[rows["configuration"] == BASELINE, ["score", "finish"]] = [np.nan, "error"]
    broken = replace(data, observations=rows, verdicts=[], floor=None, aa=None, texts=None)
    assert "There is no verdict yet" in Page(render_report(broken)).words


def test_several_finalists_and_simultaneous_intervals(data):
    second, _, both = second_finalist(data)
    verdicts = judge(both, baseline=BASELINE, finalists=[second, data.finalist])
    ranking = pd.DataFrame({"configuration": [data.finalist, second], "ci_low": [0.01, -0.1], "ci_high": [0.2, 0.1]})
    several = replace(data, observations=both, verdicts=verdicts, ranking=ranking, texts=None)
    assert several.verdict.configuration == data.finalist
    words = words_of(several)
    assert "Other finalists" in words
    assert "Intervals hold for all configurations at once" in words


def test_every_finalist_stands_with_its_fresh_generations(data):
    rows = data.observations
    second, extra, confirm = second_finalist(data)
    several = replace(
        data,
        observations=pd.concat([rows, extra]),
        verdicts=judge(confirm, baseline=BASELINE, finalists=[second, data.finalist]),
    )
    ranked = {row["key"]: row["row"] for row in Tables(several).ranking}
    assert (rows["configuration"] == second).any()  # it has rows of the search, which picked it
    assert ranked[second]["n"] == len(extra)
    assert ranked[second]["mean"] == pytest.approx(extra.groupby("case")["score"].mean().mean())


def test_the_front_says_that_its_tokens_are_expected_too(data):
    page = words_of(data)
    assert "Expected: score and tokens of further generations on all cases." in page
    assert "expected tokens (measured) expected score (measured) n" in page


def test_the_same_data_give_the_same_page(data):
    assert render_report(data, figures={}) == render_report(data, figures={})


# ---- parts that cannot be made


def without_levels(rows: pd.DataFrame, kept: str = "") -> pd.DataFrame:
    """The rows of an objective that knows no items, or none but those of one level."""
    levels = [column for column in views.LEVEL_COLUMNS.values() if column != kept]
    return rows.assign(**dict.fromkeys(levels, "0/0"))


def test_an_objective_without_items_has_a_report_without_levels(data):
    bare = replace(data, observations=without_levels(data.observations))
    figures = draw(bare)
    assert "levels" not in figures
    assert {"noise_band", "history"} <= set(figures)
    assert "Essential items" not in words_of(bare)


def test_levels_are_named_by_what_is_drawn(data):
    rows = data.observations
    one = draw(replace(data, observations=without_levels(rows, "lv3")))["levels"]
    assert one.axes[0].get_title(loc="left").startswith("Items of level 3 covered: baseline ")
    assert draw(data)["levels"].axes[0].get_title(loc="left").startswith("Essential items (levels 1 and 2) covered: ")


def test_a_part_that_fails_is_named_and_the_rest_is_there(data, monkeypatch):
    def fails(*args, **kwargs):
        raise IndexError("no such row")

    monkeypatch.setattr("analysis.report.plots.figures.history", fails)
    monkeypatch.setattr("analysis.report.tables.Tables._means_with_intervals", fails)
    with pytest.raises(IndexError):
        draw(data)
    monkeypatch.setattr(Guard, "strict", False)
    told: list[str] = []
    figures = draw(data, warn=told.append)
    assert told == ["the plot 'history' is left out, since it could not be made: IndexError: no such row"]
    assert {"noise_band", "confirm", "levels"} <= set(figures)
    shown = {"confirm": figures["confirm"]}  # each takes its time to draw
    words = Page(render_report(data, shown, warn=told.append)).words
    assert "the report's table 'ranking' is left out" in told[1]
    assert "Better than the baseline" in words
    assert "Ordered by the scores of the search" not in words
    with pytest.raises(IndexError):
        render_report(data, shown)


def test_a_command_in_the_advice_is_code_and_the_rest_stays_text(data):
    advice = replace(data.verdict, advice="<b>Run</b> `sweeps judge <x>` now.")
    text = render_report(replace(data, verdicts=[advice]), figures={})
    assert "&lt;b&gt;Run&lt;/b&gt; <code>sweeps judge &lt;x&gt;</code> now." in text


def test_with_a_bar_page_and_panel_show_how_often_it_is_reached(data):
    assert "Reliability" not in words_of(data)
    confirm = data.observations[data.observations["stage"] == "confirm"]
    found = Reliability.of(confirm, 0.4, 2)
    shown = replace(data, reliability=found)
    rows = Tables(shown).reliability_rows
    assert [row["case"] for row in rows] == ["all cases", *sorted(CASES)]
    words = words_of(shown)
    assert "Share of the fresh generations that score 0.4 or more" in words
    assert all(cell in words for row in rows for cell in row["cells"])
    assert f"0.4 or more in {found.text(data.finalist)}; current settings (baseline)" in render_note(shown).replace(
        "\\", ""
    )
