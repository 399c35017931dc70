"""The verdict in words."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from analysis.formatting import as_sentence, count_text, decimals, gain_text, level_text, p_text

if TYPE_CHECKING:
    from analysis.verdict.verdict import Verdict

_MOST_DECIMALS = 6


def verdict_decimals(verdict: Verdict) -> int:
    """Return the decimals for a verdict's effect, for the ends of its interval, and for the scores beside them."""
    if math.isnan(verdict.ci_low):
        return decimals(verdict.finalist_mean, verdict.baseline_mean)
    found = decimals(verdict.effect, verdict.ci_low, verdict.ci_high)
    ends = [end for end in (verdict.ci_low, verdict.ci_high) if end]
    while found < _MOST_DECIMALS and any(not float(f"{end:.{found}f}") for end in ends):  # an end shows its side of 0
        found += 1
    return found


def sentence_for(verdict: Verdict) -> str:
    """Return the verdict in one or two sentences with effect, interval, p and n."""
    name, base = verdict.configuration, verdict.baseline
    where, d = _where(verdict), verdict_decimals(verdict)
    scores = f"it scores {verdict.finalist_mean:.{d}f} against {verdict.baseline_mean:.{d}f}{_direction(verdict)}"
    if math.isnan(verdict.p_value):
        scores = f"on {_these(verdict)} {scores}"
        return f"Nothing can be claimed about {name} against {base}: {scores}, with no noise to test a difference with."
    if verdict.outcome == "not distinguishable" and verdict.p_value <= verdict.alpha:
        return {"missing rows": _missing, "drift": _drift}.get(verdict.withheld, _failures)(verdict, where)
    ended = f" {_left(verdict)}." if verdict.left_early else ""
    numbers = f"({_numbers(verdict)}).{ended}"
    if verdict.outcome == "better":
        return f"{name} is better than {base} {where}: {scores}, a gain of {verdict.effect:.{d}f} {numbers}"
    if verdict.outcome == "worse":
        return f"{name} is worse than {base} {where}: {scores}, a loss of {-verdict.effect:.{d}f} {numbers}"
    if verdict.outcome == "equivalent" and not verdict.standard_error:
        scores = f"they score {verdict.baseline_mean:.3f}, and the same in every case"
        return f"{name} is as good as {base} {where}: both are greedy, {scores}."
    if verdict.outcome == "equivalent":
        return (
            f"{name} is as good as {base} {where}, within {gain_text(verdict.margin)} either way: {scores}, a "
            f"{_difference(verdict)} of {verdict.effect:+.{d}f} ({_numbers(verdict)}). {_equality(verdict)}{ended}"
        )
    return (
        f"{name} and {base} cannot be told apart {where}: {scores}, a {_difference(verdict)} of "
        f"{verdict.effect:+.{d}f} ({_numbers(verdict)}). {_sees(verdict)}"
    )


def _missing(verdict: Verdict, where: str) -> str:
    """Say that missing rows could make a significant difference."""
    name, base = verdict.configuration, verdict.baseline
    arms = ((verdict.missing_finalist, name, verdict.n_finalist), (verdict.missing_baseline, base, verdict.n_baseline))
    lacks = " and ".join(f"{arm} lacks {lacking} of {lacking + made} rows" for lacking, arm, made in arms if lacking)
    with_them = "with the least favourable scores for them"
    return _withheld(verdict, where, f"{lacks}. Without them it", with_them, verdict.effect_with_missing)


def _drift(verdict: Verdict, where: str) -> str:
    """Say that a drift over time could make a significant difference."""
    because = "they did not run at the same time and scores drift. It"
    return _withheld(verdict, where, because, "adjusted to equal times", verdict.effect_without_drift)


def _failures(verdict: Verdict, where: str) -> str:
    """Say why a significant difference is not claimed."""
    because = f"{failed_rows(verdict)} have no score. Without them it"
    return _withheld(verdict, where, because, f"with {verdict.scale.worst:g} for them", verdict.effect_with_failures)


def failed_rows(verdict: Verdict, least: float = 0.0) -> str:
    """Return the rows without a score of the arms that lost more than a share of theirs; "" where none did."""
    name, base = verdict.configuration, verdict.baseline
    arms = ((verdict.failed_finalist, name, verdict.n_finalist), (verdict.failed_baseline, base, verdict.n_baseline))
    return " and ".join(
        f"{failed} of {failed + made} generations of {arm}"
        for failed, arm, made in arms
        if failed > least * (failed + made)
    )


def _withheld(verdict: Verdict, where: str, because: str, otherwise: str, effect: float) -> str:
    """Say why a significant difference is not claimed: the reason, the numbers, and the effect that is as possible."""
    d, side = verdict_decimals(verdict), "better" if verdict.effect > 0 else "worse"
    return (
        f"Whether {verdict.configuration} is {side} than {verdict.baseline} {where} cannot be said, because {because} "
        f"scores {verdict.finalist_mean:.{d}f} against {verdict.baseline_mean:.{d}f}, a difference of "
        f"{verdict.effect:+.{d}f} ({_numbers(verdict)}); {otherwise} the difference would be {effect:+.{d}f}."
    )


def named(verdict: Verdict, names: Mapping[str, str]) -> Verdict:
    """A verdict with names for configurations in its sentences; its `configuration` and `baseline` stay keys.

    Args:
        verdict: The verdict.
        names: Names of configurations by key.
    """
    notes = tuple(as_sentence(note, names) for note in verdict.notes)
    cautions, texts, rows = (
        tuple(as_sentence(each, names) for each in own)
        for own in (verdict.cautions, verdict.text_notes, verdict.data_notes)
    )
    sentence, advice = (as_sentence(text, names) for text in (verdict.sentence, verdict.advice))
    told = replace(verdict, sentence=sentence, advice=advice, notes=notes)
    return replace(told, cautions=cautions, text_notes=texts, data_notes=rows)


def out_of_reach(verdict: Verdict) -> bool:
    """Whether the smallest detectable gain would lift the baseline's mean beyond the end of the scores."""
    return verdict.mde > room_above(verdict)


def room_above(verdict: Verdict) -> float:
    """Return the distance of the baseline's mean from the best score."""
    return abs(verdict.scale.best - verdict.baseline_mean)


def _difference(verdict: Verdict) -> str:
    return "gain" if verdict.scale.lower_is_better else "difference"


def _direction(verdict: Verdict) -> str:
    return " (less is better)" if verdict.scale.lower_is_better else ""


def _sees(verdict: Verdict) -> str:
    if verdict.left_early:
        end = (
            ""
            if out_of_reach(verdict)
            else f"; to its end it would have found a real gain of {gain_text(verdict.mde)} or more 8 times in 10"
        )
        return f"{_left(verdict)}{end}."
    if math.isinf(verdict.mde):
        return "With so few seeds no difference of any size could be significant: add a seed."
    if not out_of_reach(verdict):
        return f"A comparison of this size finds a real gain of about {gain_text(verdict.mde)} or more 8 times in 10."
    room = f"scores end at {verdict.scale.best:g}, {gain_text(room_above(verdict))} from the baseline"
    return (
        "A comparison of this size finds not even the largest possible gain 8 times in 10: that takes one of about "
        f"{gain_text(verdict.mde)}, and {room}."
    )


def _left(verdict: Verdict) -> str:
    """Say why a comparison ended early."""
    then = " as the texts were scored then" if verdict.look_rescored else ""
    if verdict.overtaken:
        return f"It left the comparison at look {verdict.look}, the end of the run-off, since it was behind{then}"
    return f"The comparison was given up at look {verdict.look}, since going on would hardly have shown a gain{then}"


def _numbers(verdict: Verdict) -> str:
    d = verdict_decimals(verdict)
    interval = f"{level_text(verdict.level)} interval {verdict.ci_low:+.{d}f} to {verdict.ci_high:+.{d}f}"
    adjusted = f" after allowing for {verdict.comparisons} configurations" if verdict.comparisons > 1 else ""
    if verdict.n_baseline == verdict.n_finalist:
        n = f"{count_text(verdict.n_finalist, 'generation')} each"
    else:
        n = f"{verdict.n_finalist} and {verdict.n_baseline} generations"
    return f"{interval}, {p_text(verdict.p_value, verdict.alpha)}{adjusted}, {n}"


def _equality(verdict: Verdict) -> str:
    """Name the interval that lies within the margin; the wider one, which tests a difference, may not."""
    d = verdict_decimals(verdict)
    ends = f"{verdict.equality_low:+.{d}f} to {verdict.equality_high:+.{d}f}"
    return f"Equality goes by the {level_text(verdict.equality_level)} interval, {ends}."


def _these(verdict: Verdict) -> str:
    return "this one case" if verdict.cases == 1 else f"these {verdict.cases} cases"


def _where(verdict: Verdict) -> str:
    if verdict.claim == "new-cases":
        return f"on new cases like these {verdict.cases}"
    return f"on {_these(verdict)}"
