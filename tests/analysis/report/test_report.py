"""The report: what it says, that it says it safely, and that nothing is said that the verdict does not say."""

from __future__ import annotations

import io
import math
import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest
from markdown_it import MarkdownIt
from rich.console import Console

from analysis import judge
from analysis.observations import views
from analysis.report.facts import facts
from analysis.report.guard import Guard
from analysis.report.page import ReportData, draw, render_note, render_report, terminal_summary
from analysis.report.tables import Tables
from tests.analysis.sample import BASELINE, CASES
from tests.analysis.sample_report import make_data, make_texts

SPACED = {"td", "th", "tr", "div", "p", "li", "summary", "h1", "h2", "h3"}
VOID = {"meta", "br", "hr", "img", "input", "link"}
EVIL = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'&{{ 7*7 }}"


class Page(HTMLParser):
    """A parsed page: tags, attributes, text, and whether every tag is closed."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag
        self.text += " " if tag in SPACED else ""

    def handle_data(self, data):
        if not self.open or self.open[-1] != "style":
            self.text += data

    @property
    def words(self) -> str:
        return " ".join(self.text.split())


@pytest.fixture(scope="module")
def data() -> ReportData:
    return make_data()


@pytest.fixture(scope="module")
def page(data) -> Page:
    return Page(render_report(data))


def drawn_on(console_width: int, data: ReportData) -> list[str]:
    out = io.StringIO()
    console = Console(file=out, width=console_width, color_system=None)
    for part in terminal_summary(data):
        console.print(part)
    return out.getvalue().splitlines()


def words_of(data: ReportData) -> str:
    """The words of a page without plots, which take their time."""
    return Page(render_report(data, figures={})).words


def test_the_page_is_whole_and_stands_alone(page):
    assert page.open == []
    names = {tag for tag, _ in page.tags}
    assert not names & {"script", "link", "iframe", "object", "embed", "img", "form"}
    for _, attributes in page.tags:
        assert not any(name.startswith("on") for name in attributes)
        for name in ("src", "href", "xlink:href"):
            assert (attributes.get(name) or "#").startswith("#")
    policy = next(each["content"] for tag, each in page.tags if each.get("http-equiv") == "Content-Security-Policy")
    assert "default-src 'none'" in policy


def test_plots_that_a_narrow_screen_cuts_say_that_they_scroll(data, page):
    style = render_report(data, figures={})
    width = int(re.search(r"figure svg \{[^}]*min-width: (\d+)px", style)[1])
    narrow = re.search(
        r"@media screen and \(max-width: (\d+)px\) \{\s*figure::before \{ content: \"scroll sideways", style
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


def tone_of(text: str) -> str:
    return re.search(r'<section class="card verdict ([a-z-]+)"', text).group(1)


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


def test_a_null_study_is_not_dressed_up():
    data = make_data(gain=0.0)
    assert data.verdict.outcome == "not distinguishable"
    words = words_of(data)
    assert "Not distinguishable from the baseline" in words
    assert "Better than" not in words
    for text in (words, render_note(data), panel_of(data)):
        assert "Keep your current settings" in text
        assert "Use the new settings" not in text


def test_options_that_differ_are_marked_and_only_these(data):
    text = render_report(data, figures={})
    table = text[text.index('<h2 id="options"') : text.index('<h2 id="coverage"')]
    changed = re.findall(r'<tr class="changed"><td>([^<]+)</td>', table)
    assert sorted(changed) == sorted(data.differences(data.finalist))
    assert set(re.findall(r"<tr><td>([^<]+)</td>", table)) == {"model", "prompt", "num_ctx", "num_predict"} - set(
        changed
    )


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
    own = rows[rows["configuration"] == BASELINE]["finish"]
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
    assert not {tag for tag, _ in parsed.tags} & {"script", "img"}
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
    for absent in ("Options", "Texts", "Robustness", "Host, engine, model", "Noise floor", "generations ended"):
        assert absent not in parsed.words
    assert parsed.open == []
    assert "**Keep your current settings: there is no verdict yet**" in render_note(bare)
    assert "Keep your current settings: there is no verdict yet" in panel_of(bare)


def test_a_baseline_without_scores_still_gives_a_page(data):
    rows = data.observations.copy()
    rows.loc[rows["configuration"] == BASELINE, ["score", "finish"]] = [np.nan, "error"]
    broken = replace(data, observations=rows, verdicts=[], floor=None, aa=None, texts=None)
    assert "There is no verdict yet" in Page(render_report(broken)).words


def second_finalist(data: ReportData):
    """Another trial's key, fresh rows of its own (the baseline's over again), and all fresh rows with these."""
    rows = data.observations
    second = next(key for key in rows["configuration"] if key not in (BASELINE, data.finalist))
    fresh = rows[rows["stage"] == "confirm"]
    extra = fresh[fresh["configuration"] == BASELINE].assign(configuration=second)
    return second, extra, pd.concat([fresh, extra])


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


def test_several_hosts_get_a_table_each_their_row(data):
    rows = data.observations[data.observations["stage"] == "confirm"]
    rows = rows.assign(host=np.where(rows["seed"] % 2, "wk-01", "mbp"))
    words = words_of(replace(data, observations=rows, texts=None))
    assert (
        words.index("By host")
        < words.index("mbp", words.index("By host"))
        < words.index("wk-01", words.index("By host"))
    )


def test_a_failed_aa_check_is_told_everywhere(data):
    failed = replace(data, aa=replace(data.aa, passed=False, sentence="The halves differ (+0.2, p = 0.001)."))
    assert "The baseline against itself: differs." in words_of(failed)
    assert "The halves differ" in render_note(failed).replace("\\", "")
    assert "The halves differ" in "\n".join(drawn_on(80, failed))


def test_the_terminal_summary_fits(data):
    others = [replace(data.verdict, configuration=f"key {number}") for number in range(19)]
    long = replace(
        data,
        notes=["a long note " * 40] * 5,
        verdicts=[replace(data.verdict, advice="more seeds " * 100), *others],
        configurations={
            key: {
                "model": "m",
                "prompt": "p",
                "options": {f"option_{place}": place + len(key) * (key == BASELINE) for place in range(30)},
            }
            for key in (BASELINE, data.finalist)
        },
    )
    for each in (data, long):
        lines = drawn_on(80, each)
        panel = lines[: next(place for place, line in enumerate(lines) if line.startswith("╰")) + 1]
        assert len(panel) <= 25
        assert all(len(line) <= 80 for line in panel)
    assert "sweeps run examples/quickstart.toml" in "\n".join(drawn_on(80, data))


def test_arms_of_unequal_size_are_told_both():
    whole = make_data()
    rows = whole.observations
    rest = (rows["configuration"] == BASELINE) & (rows["stage"] == "confirm") & (rows["seed"] > 5001)
    fewer = rows[~rest]
    verdicts = judge(fewer[fewer["stage"] == "confirm"], baseline=BASELINE, finalists=[whole.finalist])
    assert (verdicts[0].n_finalist, verdicts[0].n_baseline) == (48, 12)
    data = replace(whole, observations=fewer, verdicts=verdicts)
    both = "48 fresh generations against 12 of the baseline"
    assert f"{both}, on these 6 cases" in panel_of(data)
    assert both in render_note(data)
    assert both in words_of(data).replace("48fresh", "48 fresh")
    assert "generations each" not in words_of(data) + render_note(data)
    assert "48 fresh generations each, on these 6 cases" in panel_of(whole)


def test_a_gain_that_could_not_be_seen_is_told_as_such(data):
    far = replace(data.verdict, mde=3.154)
    told = replace(data, verdicts=[far])
    assert "no gain could have been found: it takes one of 3.154, and scores end at 1" in render_note(told)
    page = words_of(told)
    assert "so no gain could have been found" in page
    assert "smallest real gain that would have been found 8 times in 10" not in page
    assert "smallest real gain that would have been found 8 times in 10" in words_of(data)


def test_what_was_given_up_says_what_the_end_could_have_seen(data):
    told = replace(data, verdicts=[replace(data.verdict, mde=0.0612, given_up=True, look=1)])
    found = "a real gain of 0.061 or more would have been found 8 times in 10, had it not been given up at look 1; one"
    assert found in render_note(told)
    assert "smallest real gain that would have been found 8 times in 10, had the comparison gone on" in words_of(told)
    assert "of this size or more would have been found 8 times in 10, had the comparison gone on" in words_of(told)
    assert "had the comparison gone on" not in words_of(data)


def test_the_front_says_that_its_tokens_are_expected_too(data):
    page = words_of(data)
    assert "Score and tokens to expect from fresh generations on all cases" in page
    assert "expected tokens" in page


def test_a_look_is_told_without_the_mark_of_a_warning(data):
    told = replace(
        data,
        notes=["the host changed"],
        looks=["Look 1 of 2: go on.", "Look 2 of 2: done."],
        last_look="Look 2 of 2: done.",
    )
    panel = "\n".join(drawn_on(80, told))
    assert "! the host changed" in panel
    assert "- Look 2 of 2: done." in panel
    assert "Look 1" not in panel  # the panel stays short, and the last one says how it ended
    assert re.findall(r'<div class="card( warn)?">(The host|Look \d)', render_report(told, figures={})) == [
        (" warn", "The host"), ("", "Look 1"), ("", "Look 2"),
    ]  # fmt: skip
    assert "- Look 2 of 2: done." in render_note(told)


def test_the_note_is_short_markdown_with_the_numbers(data):
    note = render_note(data)
    assert note.startswith("## quickstart\n")
    assert len(note.splitlines()) < 30
    assert f"{data.verdict.effect:+.3f}" in note
    assert "temperature 0.8 → " in note.replace("\\", "")
    for line in note.splitlines():
        if line.startswith("| ") and not line.startswith("| |"):
            assert len(re.findall(r"(?<!\\)\|", line)) == 3


def test_the_same_data_give_the_same_page(data):
    assert render_report(data, figures={}) == render_report(data, figures={})


def test_the_noise_within_a_configuration_by_hand():
    # cells: (0.1, 0.3) with variance .02 and (0.5, 0.5, 0.8) with variance .03; pooled (1*.02 + 2*.03) / 3
    table = pd.DataFrame(
        {
            "configuration": "f",
            "case": ["a", "a", "b", "b", "b", "c"],
            "seed": range(6),
            "score": [0.1, 0.3, 0.5, 0.5, 0.8, 0.9],
        }
    )
    assert views.within_sd(table) == pytest.approx((0.08 / 3) ** 0.5)
    assert math.isnan(views.within_sd(table[table["case"] == "c"]))


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
    assert "Essential items" not in Page(render_report(bare, figures)).words


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
    words = Page(render_report(data, figures, warn=told.append)).words
    assert "the report's table 'ranking' is left out" in told[1]
    assert "Better than the baseline" in words
    assert "Ordered by the scores of the search" not in words
    with pytest.raises(IndexError):
        render_report(data, figures)


# ---- the settings to use now


def first_line(data: ReportData) -> str:
    """The answer as the note has it."""
    return render_note(data).replace("\\", "").splitlines()[2].strip("*")


def outcome(data: ReportData, name: str, **changes) -> ReportData:
    """The data with a verdict of this outcome, and other fields of it."""
    return replace(data, verdicts=[replace(data.verdict, outcome=name, **changes)])


def open_(data: ReportData, effect: float, **changes) -> ReportData:
    """The data with a verdict that luck can explain."""
    return outcome(data, "not distinguishable", effect=effect, p_value=0.34, **changes)


def test_a_finalist_that_is_merely_ahead_is_a_gamble(data):
    for given_up in (False, True):
        told = open_(data, 0.0021, given_up=given_up, look=1)
        reason = "the comparison ended early, because a gain had become unlikely"
        assert first_line(told) == "Keep your current settings: " + (
            reason if given_up else "no gain beyond luck was found"
        )
        temperature = data.values(data.finalist)["temperature"]
        for text in (words_of(told), render_note(told).replace("\\", ""), panel_of(told)):
            assert f"If you want to gamble: temperature 0.8 → {temperature}" in text
            assert "That scored 0.002 higher here, which luck alone can explain (p = 0.34)." in text
            assert "--force" not in text
    assert "gamble" not in words_of(data) + render_note(data) + panel_of(data)
    assert "That scored 0.0000021 higher" in render_note(open_(data, 0.0000021))
    for name in ("worse", "equivalent"):
        assert "gamble" not in render_note(outcome(data, name, effect=0.002))
    behind = open_(data, -0.002)
    assert first_line(behind) == "Keep your current settings: no gain was found"
    assert "gamble" not in render_note(behind)


def test_where_arms_are_as_good_there_is_no_reason_to_change(data):
    told = outcome(data, "equivalent", effect=0.012, margin=0.123)
    assert first_line(told) == "Keep your current settings: the finalist is as good, not better"
    assert "| margin | ±0.123: differences within it count as none |" in render_note(told)
    assert "±0.123: differences within it count as none" in panel_of(told)
    assert "| margin |" not in render_note(data)


def test_all_fresh_generations_of_the_baseline_decide_who_is_ahead(data):
    told = replace(open_(data, 0.012, look=1, n_baseline=18), fresh_effects={data.finalist: -0.005})
    assert first_line(told).endswith("; against all fresh generations of the baseline the difference is -0.005")
    assert "gamble" not in render_note(told)
    words = words_of(told)
    assert "the verdict compares with the 18 that it had at look 1" in words
    assert "the verdict compares with the" not in words_of(data)
    assert "the verdict compares with the" not in words_of(
        replace(data, fresh_effects={data.finalist: data.verdict.effect})
    )


def test_a_broken_limit_keeps_the_current_settings_whatever_the_score(data):
    broken = replace(data, broken=["breaks words: 171 on average, limit 150"])
    line = "Keep your current settings: the finalist scores better, but breaks words: 171 on average, limit 150"
    assert first_line(broken) == line
    assert tone_of(render_report(broken, figures={})) == "none"
    ahead = replace(open_(data, 0.01), broken=broken.broken)
    assert first_line(ahead) == "Keep your current settings: the finalist breaks words: 171 on average, limit 150"
    assert "gamble" not in render_note(ahead)
    neither = replace(broken, baseline_broken=["breaks words: 160 on average, limit 150"])
    assert first_line(neither) == (
        "Keep your current settings: neither they nor the finalist keep all limits"
        " (the finalist breaks words: 171 on average, limit 150)"
    )


@pytest.mark.parametrize("width", [60, 80, 120])
def test_a_panel_breaks_no_change_and_no_word(data, width):
    pieces = data.use_now.change
    assert len(pieces) > 2
    lines = [line.strip("│ ") for line in drawn_on(width, data)]
    for piece in pieces:
        assert any(piece in line for line in lines), piece
    shown = {word for line in lines for word in line.split()}
    texts = [data.use_now.text, data.verdict.advice, *(text for _, text in facts(data))]
    assert {word for text in texts for word in text.split()} <= shown


def test_the_first_line_of_the_panel_is_the_answer(data):
    assert drawn_on(80, data)[1].strip("│ ").startswith("Use the new settings: ")
    for name in ("worse", "equivalent", "not distinguishable"):
        assert drawn_on(80, outcome(data, name))[1].strip("│ ").startswith("Keep your current settings: ")


def test_of_several_finalists_it_is_said_which_one_is_meant(data):
    second, extra, confirm = second_finalist(data)
    verdicts = judge(confirm, baseline=BASELINE, finalists=[second, data.finalist])
    verdicts[0] = replace(verdicts[0], given_up=True, look=1)
    rows = pd.concat([data.observations, extra.assign(trial=trial_of(data, second))])
    look = f"Trial {trial_of(data, data.finalist)}: Look 1 of 2: go on."
    looks = [f"Trial {trial_of(data, second)}: Look 1 of 2: stop.", look]
    several = replace(data, observations=rows, verdicts=verdicts, looks=looks, last_look=look)
    of, name = f"trial {trial_of(data, data.finalist)}", f"trial {trial_of(data, second)}"
    panel = panel_of(several)
    assert f"Better than the baseline: {of}, of 2 finalists" in panel
    assert f"Better than the baseline: {of}, of 2 finalists" in render_note(several)
    assert f"others {name} {verdicts[0].outcome} (+0.000, given up at look 1)" in panel
    assert f"- {of.capitalize()}: Look 1 of 2: go on." in panel  # of the one that counts
    assert f"- {name.capitalize()}" not in panel
    page = words_of(several)
    assert f"Better than the baseline: {of}, of 2 finalists" in page
    others = page[page.index("Other finalists") :][:100]
    assert f"{name.capitalize()} is as good as the baseline" in others
    assert second not in others
    assert "finalists" not in render_note(data)


def panel_of(data: ReportData) -> str:
    """The words of the panel, on one line."""
    return " ".join(" ".join(line.strip("│ ") for line in drawn_on(80, data)).split())


def trial_of(data: ReportData, key: str) -> int:
    return int(data.observations.loc[data.observations["configuration"] == key, "trial"].min())


def test_where_nothing_was_tested_no_numbers_are_made_up(data):
    none = dict.fromkeys(("ci_low", "ci_high", "p_value", "mde"), math.nan)
    told = outcome(data, "not distinguishable", effect=0.129, noise_sd=0.0, **none)
    for text in (render_note(told), panel_of(told)):
        assert "+0.129 (no interval and no p value: there is no noise to test with)" in text.replace("\\", "")
        assert "precision" not in text
        assert "–" not in text
    page = words_of(told)
    assert "no interval and no p value" in page
    assert "Keep your current settings No score varies, so that luck cannot be told from a gain." in page
    assert "– to –" not in page
    assert "smallest gain" not in page
    unseen = outcome(data, "not distinguishable", mde=math.inf)
    assert "with so few seeds no gain of any size could have been found" in render_note(unseen)


def test_the_last_look_is_told_whole(data):
    look = "Look 1 of 2: difference +0.009; " + "the search expected little, " * 10 + "and so it is to stop."
    assert look in panel_of(replace(data, looks=[look], last_look=look))


def test_a_command_in_the_advice_is_code_and_the_rest_stays_text(data):
    advice = replace(data.verdict, advice="<b>Run</b> `sweeps judge <x>` now.")
    text = render_report(replace(data, verdicts=[advice]), figures={})
    assert "&lt;b&gt;Run&lt;/b&gt; <code>sweeps judge &lt;x&gt;</code> now." in text
