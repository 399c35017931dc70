"""The verdict in words: what a person would say, and what it would take to know more."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from analysis.comparison.pair import FEWEST_CASES, ROUNDING
from analysis.power.power import required_cases, required_seeds

if TYPE_CHECKING:
    from analysis.verdict.verdict import Verdict

_MOST_DECIMALS = 6
_MOST_P_DIGITS = 9

SMALLEST = 0.005
"""Effects below this are called next to none; nobody should be told to chase them."""


def level_text(level: float) -> str:
    """Write a probability near 1 in percent: with three digits, with more where they would make it 100%."""
    rest = 100 * (1 - level)
    if rest >= 0.1 or rest <= 0:
        return f"{100 * level:.3g}%"
    return f"{100 * level:.{1 - math.floor(math.log10(rest))}f}".rstrip("0") + "%"


def decimals(*values: float) -> int:
    """Return how many decimals tell scores apart: 3, and more where the largest would not have two digits of its own.

    Args:
        values: Numbers that are shown together, such as an effect and the ends of its interval; what is not finite is
            left aside.
    """
    largest = max((abs(value) for value in values if math.isfinite(value)), default=0.0)
    return 3 if largest == 0 else min(max(3, 1 - math.floor(math.log10(largest))), 12)


def verdict_decimals(verdict: Verdict) -> int:
    """Return the decimals of a verdict's effect, of the ends of its interval, and of the scores beside them."""
    if math.isnan(verdict.ci_low):
        return decimals(verdict.finalist_mean, verdict.baseline_mean)
    found = decimals(verdict.effect, verdict.ci_low, verdict.ci_high)
    ends = [end for end in (verdict.ci_low, verdict.ci_high) if end]
    while found < _MOST_DECIMALS and any(not float(f"{end:.{found}f}") for end in ends):  # on which side of 0 it ends
        found += 1
    return found


def gain_text(gain: float) -> str:
    """Write a gain, a margin or a standard deviation that stands alone."""
    return f"{gain:.{decimals(gain)}f}"


def count_text(count: float, noun: str) -> str:
    """Write a number of things, such as `1 seed` or `2.5 seeds`."""
    number = str(count) if isinstance(count, int) else f"{count:.3g}"
    return f"{number} {noun}" if number == "1" else f"{number} {noun}s"


def cases_text(cases: int) -> str:
    """Write a number of cases."""
    return count_text(cases, "case")


def p_text(p_value: float, alpha: float = 0.05) -> str:
    """Write a p value as people do: two digits, never zero; more where alpha would seem to be on its other side."""
    if p_value < 0.0005 and (p_value <= alpha or alpha >= 0.001):
        return "p < 0.001"
    digits = 2 if p_value >= 0.095 else 3
    while digits < _MOST_P_DIGITS and (float(f"{p_value:.{digits}f}") <= alpha) != (p_value <= alpha):
        digits += 1
    return f"p = {p_value:.{digits}f}"


def sentence_for(verdict: Verdict) -> str:
    """Return the verdict in one or two sentences with effect, interval, p and n."""
    name, base = verdict.configuration, verdict.baseline
    where, d = _where(verdict), verdict_decimals(verdict)
    scores = f"it scores {verdict.finalist_mean:.{d}f} against {verdict.baseline_mean:.{d}f}"
    if math.isnan(verdict.p_value):
        scores = f"on {_these(verdict)} {scores}"
        return f"Nothing can be claimed about {name} against {base}: {scores}, with no noise to tell a difference from."
    if verdict.outcome == "not distinguishable" and verdict.p_value <= verdict.alpha:
        return _failures(verdict, where)
    numbers = f"({_numbers(verdict)})." + (f" {_given_up(verdict)}." if verdict.given_up else "")
    if verdict.outcome == "better":
        return f"{name} is better than {base} {where}: {scores}, a gain of {verdict.effect:.{d}f} {numbers}"
    if verdict.outcome == "worse":
        return f"{name} is worse than {base} {where}: {scores}, a loss of {-verdict.effect:.{d}f} {numbers}"
    if verdict.outcome == "equivalent" and not verdict.standard_error:
        scores = f"they score {verdict.baseline_mean:.3f}, and the same in every case"
        return f"{name} is as good as {base} {where}: both are greedy, {scores}."
    if verdict.outcome == "equivalent":
        default = " (what one pass over the cases differs from the next by)" if verdict.margin_from == "default" else ""
        return (
            f"{name} is as good as {base} {where}, within {gain_text(verdict.margin)} either way{default}: {scores}, a "
            f"difference of {verdict.effect:+.{d}f} {numbers}"
        )
    return (
        f"{name} and {base} cannot be told apart {where}: {scores}, a difference of {verdict.effect:+.{d}f} "
        f"({_numbers(verdict)}). {_sees(verdict)}"
    )


def _failures(verdict: Verdict, where: str) -> str:
    """Say why a difference that is significant is not claimed."""
    name, base, d = verdict.configuration, verdict.baseline, verdict_decimals(verdict)
    arms = ((verdict.failed_finalist, name, verdict.n_finalist), (verdict.failed_baseline, base, verdict.n_baseline))
    lost = " and ".join(f"{failed} of {failed + made} generations of {arm}" for failed, arm, made in arms if failed)
    side = "better" if verdict.effect > 0 else "worse"
    return (
        f"Whether {name} is {side} than {base} {where} cannot be said, since {lost} have no score. By the others it "
        f"scores {verdict.finalist_mean:.{d}f} against {verdict.baseline_mean:.{d}f}, a difference of "
        f"{verdict.effect:+.{d}f} ({_numbers(verdict)}); with 0 for those that have none the difference would be "
        f"{verdict.effect_with_failures:+.{d}f}."
    )


def arms_text(n_per_arm: int, n_finalist: int, n_baseline: int, *, kind: str = "generations") -> str:
    """Say on how many generations a verdict rests: one number where both arms have as many, else both.

    Args:
        n_per_arm: Of the smaller arm.
        n_finalist: Of the configuration.
        n_baseline: Of the baseline.
        kind: What they are called.
    """
    if n_finalist == n_baseline:
        return f"{count_text(n_per_arm, kind.removesuffix('s'))} per arm"
    return f"{n_finalist} {kind} against {n_baseline} of the baseline"


def in_words(text: str, names: Mapping[str, str]) -> str:
    """A text in which keys of configurations, with or without quotes, are replaced by what people call them."""
    for key, name in names.items():
        text = re.sub(rf"(?<!\w)('?){re.escape(key)}\1(?!\w)", name, text)
    return text


def as_sentence(text: str, names: Mapping[str, str]) -> str:
    """The same, beginning as a sentence does."""
    text = in_words(text, names)
    return text[:1].upper() + text[1:]


def named(verdict: Verdict, names: Mapping[str, str]) -> Verdict:
    """A verdict whose sentences call configurations as people do; its `configuration` and `baseline` stay keys.

    Args:
        verdict: The verdict.
        names: What people call configurations, by key.
    """
    notes = tuple(as_sentence(note, names) for note in verdict.notes)
    cautions = tuple(as_sentence(caution, names) for caution in verdict.cautions)
    sentence, advice = (as_sentence(text, names) for text in (verdict.sentence, verdict.advice))
    return replace(verdict, sentence=sentence, advice=advice, notes=notes, cautions=cautions)


def out_of_reach(verdict: Verdict) -> bool:
    """Whether the smallest gain that is seen would lift the baseline's mean above 1, where scores end."""
    return verdict.baseline_mean + verdict.mde > 1


def _sees(verdict: Verdict) -> str:
    if verdict.given_up:
        end = "" if out_of_reach(verdict) else f"; to its end it would have seen gains from {gain_text(verdict.mde)} on"
        return f"{_given_up(verdict)}{end}."
    if math.isinf(verdict.mde):
        return "With so few seeds no difference of any size could be significant: add a seed."
    if not out_of_reach(verdict):
        return f"A comparison of this size sees gains from about {gain_text(verdict.mde)} on."
    room = f"scores end at 1, which is {1 - verdict.baseline_mean:.3f} above the baseline"
    return f"A comparison of this size could not see any gain: it takes one of about {verdict.mde:.3f}, and {room}."


def _given_up(verdict: Verdict) -> str:
    then = " as the texts were scored then" if verdict.look_rescored else ""
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


def _these(verdict: Verdict) -> str:
    return "this one case" if verdict.cases == 1 else f"these {verdict.cases} cases"


def _where(verdict: Verdict) -> str:
    if verdict.claim == "new-cases":
        return f"on new cases like these {verdict.cases}"
    return f"on {_these(verdict)}"


@dataclass(frozen=True)
class Known:
    """What advice is made of besides the verdict.

    Attributes:
        noise_sd: Noise that a balanced repetition would have (root mean square of the arms').
        noisy: Number of arms that are not greedy.
        seeds: Seeds per case of a balanced comparison as exact as the one that was made.
        interaction: For new cases: standard deviation of configuration x case, and the p of an F test that there is
            none. Else None.
    """

    noise_sd: float
    noisy: int
    seeds: float
    interaction: tuple[float, float] | None = None


def advice_for(verdict: Verdict, known: Known) -> str:
    """Return what it would take to know more.

    Args:
        verdict: The verdict; its sentence and advice may be empty.
        known: What is known besides.
    """
    if math.isnan(verdict.p_value):
        return (
            "Add cases (at least 6 in all) and, where temperature is above 0, seeds; what is greedy is best judged at "
            "the temperature that production uses."
        )
    if verdict.outcome in ("better", "worse"):
        return _advice_decided(verdict, known)
    if verdict.p_value <= verdict.alpha:
        return (
            "Find out why they have no score: make them good where the host was at fault, and score them 0 where the "
            "configuration was (a time limit, a text without an end)."
        )
    if verdict.outcome == "equivalent":
        return "Keep whichever is cheaper; more seeds would only narrow the interval."
    if verdict.given_up:
        return (
            "Search on (more generations, other options) rather than confirm this one further. To know its effect more "
            "exactly all the same, give the study another name and [confirm] futility = 0."
        )
    gain = verdict.min_gain if verdict.min_gain is not None else abs(verdict.effect) - verdict.optimism
    if gain < SMALLEST and verdict.min_gain is None:
        shown = "" if out_of_reach(verdict) else f"; gains above {gain_text(verdict.mde)} would probably have shown"
        among = f"hardly more than luck makes among {verdict.comparisons} equal configurations"
        so_far = "next to none" if abs(verdict.effect) < SMALLEST else among
        return (
            f"The difference so far is {so_far}. To learn whether it matters, name the smallest gain of interest "
            f"(min_gain){shown}."
        )
    return _advice_open(verdict, gain, known)


def _advice_decided(verdict: Verdict, known: Known) -> str:
    if verdict.margin_from == "margin" and -verdict.margin < verdict.ci_low and verdict.ci_high < verdict.margin:
        return (
            f"The difference is settled, and smaller than the margin of {gain_text(verdict.margin)}: it need not count."
        )
    if verdict.min_gain is not None and verdict.outcome == "better" and verdict.ci_low < verdict.min_gain:
        wanted = gain_text(verdict.min_gain)
        if verdict.ci_high < verdict.min_gain:
            return f"That there is a gain is settled, and that it does not reach {wanted}."
        narrower = "More cases would narrow the interval."
        if verdict.claim == "these-cases" and known.noisy:
            narrower = "Four times the seeds would halve the interval."
        return f"That there is a gain is settled; that it reaches {wanted} is not. {narrower}"
    scope = " Other cases may behave differently; judge for new cases to include that."
    if verdict.cases < FEWEST_CASES:
        scope = f" Other cases may behave differently; a claim that includes them takes {FEWEST_CASES} cases or more."
    early = " A look ended it early, so expect a smaller difference of new generations." if verdict.ended_early else ""
    return "Enough to decide." + early + ("" if verdict.claim == "new-cases" else scope)


def _advice_open(verdict: Verdict, gain: float, known: Known) -> str:
    """Say how many seeds or cases would show a gain."""
    if math.isnan(known.noise_sd):
        return (
            "Add a second seed to some cases at least: nothing tells yet whether more seeds or more cases would help."
        )
    alpha, noise = 1 - verdict.level, known.noise_sd * math.sqrt(known.noisy / 2)
    interaction = None if known.interaction is None else known.interaction[0]
    what = f"true difference as large as this one ({gain_text(gain)})"
    if verdict.optimism > ROUNDING:  # to chase what the best of several shows would be to chase luck
        luck = f"what luck lifts the best of {verdict.comparisons} equal ones by"
        what = f"true difference of {gain_text(gain)} (this one less {luck})"
    if verdict.min_gain is not None:
        what = f"gain of {gain_text(gain)}"
        if verdict.mde <= gain:
            return (
                f"This comparison would have shown a {what} with 80% probability or more; a smaller one needs more "
                "seeds."
            )
    grown = (verdict.mde / gain) ** 2 if math.isfinite(verdict.mde) else 1.0
    needed = required_seeds(gain, noise, cases=verdict.cases, alpha=alpha, interaction_sd=interaction)
    if needed is not None and interaction is None:  # looks and unequal arms see less than a plan of this size would
        least = known.seeds * grown if math.isfinite(verdict.mde) else known.seeds + 1
        needed = max(needed, math.ceil(least - 1e-9))
    if needed is not None and needed > known.seeds:
        return _more_seeds(verdict, what, needed, known)
    cases = required_cases(gain, noise, seeds=max(1, round(known.seeds)), alpha=alpha, interaction_sd=interaction)
    if cases is None:
        return f"No practicable number of seeds or cases would show a {what}."
    cases = max(cases, math.ceil(verdict.cases * grown - 1e-9), verdict.cases + 1)
    wanted = f"{cases} cases (with {count_text(known.seeds, 'seed')} each), instead of {verdict.cases}"
    if known.interaction is not None and known.interaction[1] < 0.05:
        return (
            "More seeds will not do: the cases differ too much in how they respond. To see a "
            f"{what} takes about {wanted}."
        )
    return f"To see a {what} takes about {wanted}. Whether more seeds would do as well cannot be told yet."


def _more_seeds(verdict: Verdict, what: str, needed: int, known: Known) -> str:
    arms = "both arms" if known.noisy == 2 else "the arm that is not greedy"
    had = f"{known.seeds:.3g}"
    if known.noisy == 2 and verdict.n_baseline != verdict.n_finalist:
        had = f"{verdict.n_finalist / verdict.cases:.3g}, and {verdict.n_baseline / verdict.cases:.3g} of the baseline"
    return (
        f"To see a {what} with 80% probability takes about {count_text(needed, 'seed')} per case "
        f"({known.noisy * needed * verdict.cases} generations for {arms}); this comparison had {had}."
    )
