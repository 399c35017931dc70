"""The next step after a verdict."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from analysis.comparison.estimate import ROUNDING
from analysis.comparison.pair import FEWEST_CASES
from analysis.formatting import count_text, gain_text
from analysis.power.power import required_cases, required_seeds
from analysis.verdict.sentences import out_of_reach

if TYPE_CHECKING:
    from analysis.verdict.verdict import Verdict


SMALLEST = 0.005
"""Effects below this are called next to none; nobody should be told to chase them."""


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
