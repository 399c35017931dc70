"""The next step after a verdict."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from analysis.comparison.estimate import ROUNDING
from analysis.comparison.pair import FEWEST_CASES
from analysis.formatting import count_text, gain_text
from analysis.power.power import required_cases, required_seeds
from analysis.verdict.sentences import failed_rows, out_of_reach

if TYPE_CHECKING:
    from analysis.verdict.verdict import Verdict


SMALLEST = 0.005
"""Effects below this share of the scale are called next to none; advice does not aim at them."""


MANY_FAILED = 0.1
"""From this share of an arm's rows without a score on, their reason is what to look for first."""


@dataclass(frozen=True)
class Known:
    """Facts behind advice that a verdict does not hold.

    Attributes:
        noise_sd: Noise of one score in a balanced repeat (root mean square of both arms).
        noisy: Number of arms that are not greedy.
        seeds: Seeds per case of a balanced comparison that is as exact as this one.
        interaction: For new cases: standard deviation of configuration x case, and the p value of an F test for it.
            Else None.
        left_out: Number of cases that only one arm has.
        apart: Whether the arms did not run at the same time.
    """

    noise_sd: float
    noisy: int
    seeds: float
    interaction: tuple[float, float] | None = None
    left_out: int = 0
    apart: bool = False


def advice_for(verdict: Verdict, known: Known) -> str:
    """Return the next step: how to learn more, or that there is enough.

    Args:
        verdict: The verdict; its sentence and advice may be empty.
        known: Further facts.
    """
    if math.isnan(verdict.p_value):
        if saturated := _saturated(verdict):
            return saturated
        least = f" (at least {FEWEST_CASES} in all)" if verdict.cases < FEWEST_CASES else ""
        return (
            f"Add cases{least} and, where temperature is above 0, seeds. Judge at the temperature that production uses."
        )
    if verdict.outcome in ("better", "worse"):
        return _advice_decided(verdict, known)
    if withheld := _advice_withheld(verdict):
        return withheld
    if verdict.outcome == "equivalent":
        return "Change only if the finalist is cheaper or faster; more seeds would only narrow the interval."
    if verdict.left_early:
        return _advice_left(verdict)
    if lost := failed_rows(verdict, MANY_FAILED):
        return f"Before you generate more, find out why {lost} have no score. {_by_reason(verdict)}"
    gain = verdict.min_gain if verdict.min_gain is not None else abs(verdict.effect) - verdict.optimism
    if gain < SMALLEST * verdict.scale.width and verdict.min_gain is None:
        shown = (
            "" if out_of_reach(verdict) else f"; gains above {gain_text(verdict.mde)} would probably have been found"
        )
        among = f"hardly more than luck makes among {verdict.comparisons} equal configurations"
        so_far = "next to none" if abs(verdict.effect) < SMALLEST * verdict.scale.width else among
        return (
            f"The difference so far is {so_far}. To learn whether it matters, name the smallest gain of interest "
            f"(min_gain){shown}."
        )
    return _advice_open(verdict, gain, known)


def _advice_withheld(verdict: Verdict) -> str:
    """Return the next step where a difference was shown and is not claimed; "" otherwise."""
    if verdict.withheld == "missing rows":
        return (
            "Put the missing rows into the table, those that failed with `finish` = `error`, or run what was not run. "
            "If they are missing for reasons that have nothing to do with their scores, judge with "
            "--assume-missing-at-random."
        )
    if verdict.withheld == "drift":
        return "Run both again in turn, seed by seed, so that a change of the host meets both alike."
    if verdict.p_value <= verdict.alpha:
        return f"Find out why they have no score. {_by_reason(verdict)}"
    return ""


def _by_reason(verdict: Verdict) -> str:
    """Return what to do with rows without a score."""
    return (
        "Where the host was at fault, generate them again; where the settings were (a time limit, a text without an "
        f"end), score them {verdict.scale.worst:g}."
    )


def _saturated(verdict: Verdict) -> str:
    """Return the advice where all texts have the worst score, or all the best; "" otherwise."""
    means, scale = (verdict.baseline_mean, verdict.finalist_mean), verdict.scale
    if all(abs(mean - scale.worst) <= ROUNDING for mean in means):
        return "All texts have the worst score: read some of them and what scores them before you generate more."
    if all(abs(mean - scale.best) <= ROUNDING for mean in means):
        return "All texts have the best score, so these cases tell no settings apart: add harder ones."
    return ""


def _advice_decided(verdict: Verdict, known: Known) -> str:
    if verdict.margin_from == "margin" and -verdict.margin < verdict.ci_low and verdict.ci_high < verdict.margin:
        return (
            f"The difference is real, but smaller than the margin of {gain_text(verdict.margin)}, so it need not count."
        )
    if verdict.min_gain is not None and verdict.outcome == "better" and verdict.ci_low < verdict.min_gain:
        wanted = gain_text(verdict.min_gain)
        if verdict.ci_high < verdict.min_gain:
            return f"The gain is real, and smaller than {wanted}."
        narrower = "More cases would narrow the interval."
        if verdict.claim == "these-cases" and known.noisy:
            narrower = "Four times the seeds would halve the interval."
        return f"The gain is real; whether it reaches {wanted} is open. {narrower}"
    if known.left_out:
        others = count_text(known.left_out, "case")
        return f"Before you rely on it, run both on all cases: {others} that only one of them has did not count."
    if known.apart:
        return (
            "The arms did not run at the same time, and no test can tell a host that changed in between from a "
            "difference: before you rely on it, run both again in turn, seed by seed."
        )
    early = " A look ended it early: expect a smaller difference from new generations." if verdict.ended_early else ""
    if verdict.claim == "new-cases":
        return f"Enough evidence for new cases like these.{early}"
    if verdict.decided_by:
        return (
            f"Enough evidence for these cases together, but the case {verdict.decided_by} alone decides: read its "
            f"texts before you change anything, and add cases like it.{early}"
        )
    scope = "For cases not tested here, run `sweeps judge --claim new-cases`."
    if verdict.cases < FEWEST_CASES:
        scope = f"A claim for cases not tested here takes {FEWEST_CASES} cases or more."
    return f"Enough evidence for these cases.{early} {scope}"


def _advice_left(verdict: Verdict) -> str:
    """Return the next step after a comparison that ended before it could show much."""
    if verdict.overtaken:
        others = "verdict of the other finalist" if verdict.comparisons == 2 else "verdicts of the other finalists"
        return (
            f"Read the {others}. To confirm all to the end, run the file under another study.name with [confirm] "
            f"finalists = {verdict.comparisons} and runoff = 1."
        )
    return (
        "Search further (more generations, other options) instead of confirming this one. To measure its effect "
        "more exactly anyway, run it under another study.name with [confirm] futility = 0."
    )


def _advice_open(verdict: Verdict, gain: float, known: Known) -> str:
    """Say how many seeds or cases would show a gain."""
    if math.isnan(known.noise_sd):
        return "Add a second seed to some cases at least; until then it is open whether more seeds or more cases help."
    alpha, noise = 1 - verdict.level, known.noise_sd * math.sqrt(known.noisy / 2)
    interaction = None if known.interaction is None else known.interaction[0]
    aim = f"real difference as large as this one ({gain_text(gain)})"
    if verdict.optimism > ROUNDING:  # the best of several shows luck as well, which no repeat would find again
        luck = f"the luck of the best of {verdict.comparisons} equal ones"
        aim = f"real difference of {gain_text(gain)} (this one minus {luck})"
    if verdict.min_gain is not None:
        aim = f"gain of {gain_text(gain)}"
        if verdict.mde <= gain:
            return f"This comparison would have found a {aim} at least 8 times in 10; a smaller one needs more seeds."
    grown = (verdict.mde / gain) ** 2 if math.isfinite(verdict.mde) else 1.0
    needed = required_seeds(gain, noise, cases=verdict.cases, alpha=alpha, interaction_sd=interaction)
    if needed is not None and interaction is None:  # looks and unequal arms see less than a plan of this size would
        least = known.seeds * grown if math.isfinite(verdict.mde) else known.seeds + 1
        needed = max(needed, math.ceil(least - 1e-9))
    if needed is not None and needed > known.seeds:
        return _more_seeds(verdict, aim, needed, known)
    cases = required_cases(gain, noise, seeds=max(1, round(known.seeds)), alpha=alpha, interaction_sd=interaction)
    if cases is None:
        return f"No practicable number of seeds or cases would find a {aim}."
    cases = max(cases, math.ceil(verdict.cases * grown - 1e-9), verdict.cases + 1)
    wanted = f"{cases} cases (with {count_text(known.seeds, 'seed')} each), instead of {verdict.cases}"
    if known.interaction is not None and known.interaction[1] < 0.05:
        return (
            "More seeds will not do: the cases differ too much in how they respond. To find a "
            f"{aim} takes about {wanted}."
        )
    return f"To find a {aim} takes about {wanted}. Whether more seeds would do as well is not known yet."


def _more_seeds(verdict: Verdict, aim: str, needed: int, known: Known) -> str:
    arms = "both arms" if known.noisy == 2 else "the arm that is not greedy"
    had = f"{known.seeds:.3g}"
    if known.noisy == 2 and verdict.n_baseline != verdict.n_finalist:
        had = f"{verdict.n_finalist / verdict.cases:.3g}, and {verdict.n_baseline / verdict.cases:.3g} of the baseline"
    return (
        f"To find a {aim} 8 times in 10 takes about {count_text(needed, 'seed')} per case "
        f"({known.noisy * needed * verdict.cases} generations for {arms}); this comparison had {had}."
    )
