"""The numbers behind the answer of a report, as short named lines."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from analysis.formatting import arms_text, cases_text, gain_text, level_text, option_text, p_text, source_text
from analysis.report.data import ReportData
from analysis.report.numbers import number, signed
from analysis.report.parts import limits_text
from analysis.verdict.sentences import out_of_reach, verdict_decimals

if TYPE_CHECKING:
    from analysis.verdict.verdict import Verdict

OUTCOMES = {
    "better": "Better than the baseline",
    "worse": "Worse than the baseline",
    "equivalent": "As good as the baseline",
    "not distinguishable": "Not distinguishable from the baseline",
}


def outcome_text(data: ReportData) -> str:
    """The verdict in a few words; of several finalists with the trial that it is about."""
    verdict = data.verdict
    if verdict is None:
        return "No verdict yet"
    trial = data.trial(verdict.configuration) if verdict.comparisons > 1 else None
    which = "" if trial is None else f": trial {trial}, of {verdict.comparisons} finalists"
    if data.is_comparison:
        of = f", of {verdict.comparisons} candidates" if verdict.comparisons > 1 else ""
        which = f": {data.called(verdict.configuration)}{of}"
    return OUTCOMES[verdict.outcome] + which


def facts(data: ReportData) -> list[tuple[str, str]]:
    """The numbers of the verdict by name; [] without a verdict."""
    verdict = data.verdict
    if verdict is None:
        return []
    d = verdict_decimals(verdict)
    margin = f"±{gain_text(verdict.margin)}: differences within it count as none"
    scores = (
        f"new settings ({data.finalist_name}) {number(verdict.finalist_mean, d)},"
        f" current settings (baseline) {number(verdict.baseline_mean, d)}"
    )
    rows = [
        ("verdict", outcome_text(data)),
        ("difference", f"{signed(verdict.effect, d)} ({tested_text(verdict)})"),
        ("margin", margin if verdict.outcome == "equivalent" and verdict.margin > 0 else ""),
        ("scores", scores),
        ("based on", based_on(verdict)),
        ("precision", precision_text(verdict)),
        ("expect", _expectation(data)),
        ("others", "" if data.is_comparison else _others(data)),
        ("ranking", "; ".join(ranking_texts(data))),
        ("limits", limits_text(data)),
        ("reliable", _reliability_text(data)),
        ("baseline", baseline_text(data)),
    ]
    return [(name, text) for name, text in rows if text]


def baseline_text(data: ReportData) -> str:
    """The baseline's values that model and server give, by source; "" where they give none."""
    values = data.values(data.baseline)
    groups: dict[str, list[str]] = {}
    for name, source in data.baseline_sources.items():
        if source != "file" and name in values:
            groups.setdefault(source, []).append(f"{name} {option_text(values[name])}")
    if not any(source.startswith(("model", "server default")) for source in groups):
        return ""
    order = sorted(groups, key=lambda source: (source.startswith("server default"), source))
    first = {"model": "from the model"}
    return "; ".join(f"{first.get(source) or source_text(source)}: {', '.join(groups[source])}" for source in order)


def tested_text(verdict: Verdict) -> str:
    """Interval and p value of a verdict."""
    if math.isnan(verdict.p_value):
        return "no interval and no p value: there is no noise to test with"
    d = verdict_decimals(verdict)
    ends = f"{signed(verdict.ci_low, d)} to {signed(verdict.ci_high, d)}"
    return f"{level_text(verdict.level)} interval {ends}, {p_text(verdict.p_value, verdict.alpha)}"


def based_on(verdict: Verdict) -> str:
    """The generations and cases behind a verdict, and the cases that it is about."""
    arms = arms_text(verdict.n_per_arm, verdict.n_finalist, verdict.n_baseline, kind="fresh generations")
    cases = f"this {cases_text(1)}" if verdict.cases == 1 else f"these {cases_text(verdict.cases)}"
    return f"{arms}, {f'for new cases like {cases}' if verdict.claim == 'new-cases' else f'on {cases}'}"


def precision_text(verdict: Verdict) -> str:
    """The smallest gain that the comparison could find, and its noise; "" where nothing was tested."""
    if math.isnan(verdict.mde):
        return ""
    found = f"a real gain of {gain_text(verdict.mde)} or more would have been found 8 times in 10"
    if math.isinf(verdict.mde):
        found = "with so few seeds no gain of any size could have been found"
    elif out_of_reach(verdict):
        found = "not even the largest possible gain would have been found 8 times in 10: that takes one of"
        found += f" {gain_text(verdict.mde)}, and scores end at 1"
    elif verdict.left_early:
        found += f", had it not {'left' if verdict.overtaken else 'been given up'} at look {verdict.look}"
    return f"{found}; one text varies by ±{gain_text(verdict.noise_sd)}"


def _reliability_text(data: ReportData) -> str:
    """How often runs of both arms reach the bar, averaged over cases; "" without a bar."""
    found, verdict = data.reliability, data.verdict
    if found is None or verdict is None:
        return ""
    new, current = found.text(verdict.configuration), found.text(data.baseline)
    return f"{found.bar_text} in {new}; current settings (baseline): {current}"


def _expectation(data: ReportData) -> str:
    """The gain to expect from new generations of the best of several finalists; "" of a single one."""
    verdict, use_now = data.verdict, data.use_now
    if verdict is None or not (use_now.settings == "new" or use_now.gamble):
        return ""
    expected = data.expected_gain(verdict)
    if expected is None:
        return ""
    if expected <= 0:  # a gamble that the search's belief speaks for
        alone = f"no gain by the scores alone, without the luck of the best ({signed(expected)})"
        return f"{alone}: only the search expects one"
    return f"about {signed(expected)} from new generations, without the luck of the best"


def ranking_texts(data: ReportData) -> list[str]:
    """Every configuration of a comparison with its verdict, the best mean first; [] elsewhere.

    The intervals are those of the ranking, which hold for all candidates at once.
    """
    if data.ranking is None or not data.is_comparison:
        return []
    outcomes = {verdict.configuration: verdict for verdict in data.verdicts}
    texts = []
    for rank, (key, effect, low, high) in enumerate(
        data.ranking[["configuration", "effect", "ci_low", "ci_high"]].itertuples(index=False, name=None), 1
    ):
        verdict = outcomes.get(str(key))
        text = f"{rank}. {data.called(str(key)).removeprefix('the ')}"
        if str(key) != data.baseline:
            interval = f" ({signed(low)} to {signed(high)})" if math.isfinite(low) else ""
            text += f" {signed(effect)}{interval}"
        if verdict is not None:
            text += f", {verdict.outcome}{_left(verdict)}"
        texts.append(text)
    return texts


def _others(data: ReportData) -> str:
    """The other finalists in a few words each; "" without any."""
    parts = []
    for verdict in data.verdicts:
        if verdict is not data.verdict:
            effect = signed(verdict.effect, verdict_decimals(verdict))
            parts.append(f"{data.called(verdict.configuration)} {verdict.outcome} ({effect}{_left(verdict)})")
    return "; ".join(parts)


def _left(verdict: Verdict) -> str:
    """The look at which a comparison ended before it could show much, and why; "" where it did not."""
    if not verdict.left_early:
        return ""
    return f", {'left the run-off' if verdict.overtaken else 'given up'} at look {verdict.look}"


def cautions(data: ReportData) -> list[str]:
    """Reasons to expect less than the measured difference."""
    return [] if data.verdict is None else [data.in_words(caution) for caution in data.verdict.cautions]
