"""Sentences on labels: the corrected effect, and whether the labels are enough."""

from __future__ import annotations

import math

from analysis.formatting import count_text, decimals, gain_text, level_text
from analysis.labels.correction import FEWEST, Correction

_UNTESTED = "there was no test, so nothing is known of its noise"


def correction_text(correction: Correction, *, outcome: str, name: str, baseline: str) -> str:
    """The corrected effect in words; it never claims more than the verdict.

    Args:
        correction: The corrected effect.
        outcome: The verdict's outcome.
        name: The configuration's name for people.
        baseline: The baseline's name.
    """
    if not correction.is_made:
        return _too_few(correction, name, baseline)
    d = decimals(correction.effect, correction.ci_low, correction.ci_high)
    interval = f"{level_text(correction.level)} interval {correction.ci_low:+.{d}f} to {correction.ci_high:+.{d}f}"
    corrected = (
        f"Corrected by {count_text(correction.labels, 'label')}, the difference is {correction.effect:+.{d}f}"
        f" ({interval}; {correction.measured:+.{d}f} by the matcher alone)."
    )
    errors = (
        f"By the labels the matcher scores {name} {_error(correction.error_finalist)} and {baseline}"
        f" {_error(correction.error_baseline)}."
    )
    return " ".join([corrected, errors, *_judgement(correction, outcome)])


def _judgement(correction: Correction, outcome: str) -> list[str]:
    """What the labels say about the verdict."""
    if outcome not in ("better", "worse"):
        said = ["The labels change no verdict, and show no difference by themselves."]
        return said if correction.enough else [*said, _more(correction, "to hardly widen the interval")]
    if not correction.is_open:
        if (correction.effect > 0) is (outcome == "better"):
            return [f"The matcher's error does not explain the verdict '{outcome}'."]
        return [f"Warning: the labels show the opposite of the verdict '{outcome}'; do not rely on it."]
    warning = f"Warning: the verdict '{outcome}' goes by the matcher, whose error could explain the difference."
    if (correction.effect > 0) is not (outcome == "better"):
        return [warning, "By the labels so far there is none: label more, or do not rely on it."]
    return [warning, _more(correction, "to tell")]


def _more(correction: Correction, purpose: str) -> str:
    """Say that the labels are too few, and how many are not."""
    if correction.needed is None:
        return f"No number of labels would be enough {purpose}: it takes more generations."
    return f"{count_text(correction.labels, 'label')} are too few: it takes about {correction.needed} {purpose}."


def _too_few(correction: Correction, name: str, baseline: str) -> str:
    if min(correction.n_baseline, correction.n_finalist) >= FEWEST:
        return f"Labels cannot correct the difference: {_UNTESTED}."
    made = f"{correction.n_finalist} of {name} and {correction.n_baseline} of {baseline}"
    about = "" if correction.needed is None else f", and about {correction.needed} in all to tell the difference from 0"
    return f"Too few labels to correct the difference: {correction.labels} ({made}). It takes {FEWEST} of each{about}."


def _error(error: float) -> str:
    if abs(error) < 0.0005:
        return "as a person does"
    return f"{gain_text(abs(error))} too {'high' if error > 0 else 'low'}"


def planned_text(count: int, error: float, effect: float, needed: int | None, *, reach: float = 2.0) -> str:
    """Say before labelling how far so many labels will go.

    Args:
        count: Number of labels.
        error: Standard error of the corrected effect with them.
        effect: The effect by the matcher.
        needed: Number of labels that should tell it from 0; None where no number does.
        reach: Standard errors in half an interval.
    """
    if not math.isfinite(error):
        return f"Labels cannot correct the difference: {_UNTESTED}."
    d = decimals(effect, reach * error)
    within = f"±{reach * error:.{d}f}"
    said = f"{count_text(count, 'label')} correct the difference of {effect:+.{d}f} to within about {within}."
    if needed is None:
        return f"{said} No number of labels will tell it from 0: its own interval contains 0."
    if needed > count:
        return f"{said} They are probably too few to tell it from 0: it would take about {needed}."
    return said
