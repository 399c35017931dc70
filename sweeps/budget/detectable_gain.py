"""The smallest gain that a sweep can detect."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from analysis.comparison.claim import FEWEST_CASES
from sweeps.budget.plan import Plan
from sweeps.config.sweep_config import SweepConfig
from sweeps.options import as_number

if TYPE_CHECKING:  # power and boundaries import scipy, which takes a second
    from analysis import NoiseFloor, SequentialDesign
    from analysis.comparison.claim import Claim

_ELSEWHERE = " under another study.name"
"""Addition to a remedy that an existing study cannot take."""


class KnownFloor(NamedTuple):
    """A measured noise floor.

    Attributes:
        floor: The floor.
        study: The study that measured it.
    """

    floor: NoiseFloor
    study: str


@dataclass(frozen=True)
class DetectableGain:
    """The smallest gain that a confirmation detects with 80% probability.

    Attributes:
        noise_sd: Assumed or measured standard deviation of a generation's score within a case.
        assumed: Whether the noise is assumed: no floor was measured, or one without any noise.
        gain: The gain; infinite where no claim can be made, NaN where it is unknown before the arms have run.
        found: Noise and gain in words.
        todo: Remedy where a gain of `verdict.min_gain` would be missed more often, or no claim can be made; else "".
    """

    noise_sd: float
    assumed: bool
    gain: float
    found: str
    todo: str

    @property
    def text(self) -> str:
        """Noise, gain and remedy in words."""
        return "; ".join(filter(None, (self.found, self.todo)))


def detectable_gain(
    config: SweepConfig, plan: Plan, known: KnownFloor | None = None, *, stored: bool = False
) -> DetectableGain:
    """The smallest gain that the confirmation of a plan detects, for the claim of the sweep.

    Args:
        config: The sweep.
        plan: Its plan.
        known: A measured noise floor, if there is one.
        stored: Whether the study exists, so that its cases, space and budget cannot change.
    """
    from analysis.power.planning import noise_to_plan_with

    if is_all_greedy(config):
        return _greedy(plan, stored=stored)
    noise_sd, assumed = noise_to_plan_with(known and known.floor)
    claim, wanted = config.verdict.claim, config.verdict.min_gain
    gain = smallest_gain(plan, noise_sd, alpha=config.verdict.alpha, claim=claim)
    found = (
        f"one text varies by ±{noise_sd:.3f} ({_source(config, known, assumed)});"
        f" the {'comparison' if plan.is_comparison else 'confirmation'} detects a real gain of {gain:.3f} or more"
    )
    if claim == "new-cases":
        found += " on new cases in 8 of 10 sweeps, if these cases respond alike; if they differ in the effect, it takes"
        found += " a larger gain"
    else:
        found += " in 8 of 10 sweeps"
    todo = ""
    if wanted is not None and gain > wanted:
        budget = sufficient_budget(config, plan, noise_sd)
        todo = f"verdict.min_gain {wanted:g} would be missed more often; it takes {budget}"
        todo += _ELSEWHERE if stored else ""
    return DetectableGain(noise_sd, assumed, gain, found, todo)


def _source(config: SweepConfig, known: KnownFloor | None, assumed: bool) -> str:
    """Origin of the noise, in words."""
    if assumed:
        if config.baseline.is_greedy:
            return "assumed: a greedy baseline shows none"
        if known is not None:
            return f"assumed: in the floor of study {known.study!r} all texts of a case have the same score"
        return "assumed until the floor is measured"
    assert known is not None  # only a floor gives measured noise
    return f"95% interval {known.floor.ci_low:.3f} to {known.floor.ci_high:.3f}, floor of study {known.study!r}"


def is_all_greedy(config: SweepConfig) -> bool:
    """Whether the baseline and all searched configurations are greedy, so that no score has any noise."""
    searched = [
        as_number(value)
        for name in ("temperature", "mirostat")
        if name in config.space
        for value in config.space[name].extremes()
    ]
    return config.baseline.is_greedy and not any(searched)


def _greedy(plan: Plan, *, stored: bool) -> DetectableGain:
    """The detectable gain without noise, where chance is only in the choice of the cases."""
    others = "all candidates" if plan.is_comparison else "all that is searched"
    greedy = f"the baseline and {others} are greedy (temperature 0), so on these cases differences are exact"
    if plan.cases >= FEWEST_CASES:
        found = (
            f"{greedy}: the claim is for new cases like these {plan.cases}, and the detectable gain depends on how"
            " much they differ in the effect, which is unknown before they have run"
        )
        return DetectableGain(0.0, False, math.nan, found, "")
    found = f"{greedy}, and no gain can be claimed: for new cases it takes {FEWEST_CASES}, and there are {plan.cases}"
    table = "candidates" if plan.is_comparison else "space"
    todo = f"name {FEWEST_CASES} cases or more, or a temperature above 0 in [baseline] or [{table}]"
    return DetectableGain(0.0, False, math.inf, found, todo + (_ELSEWHERE if stored else ""))


def sufficient_budget(config: SweepConfig, plan: Plan, noise_sd: float) -> str:
    """The budget that detects a gain of `verdict.min_gain`, as the setting to write; "" without such a gain.

    For new cases it is the smallest budget that may be sufficient.
    """
    from analysis import plan as generations_for
    from analysis import required_seeds

    gain, new = config.verdict.min_gain, config.verdict.claim == "new-cases"
    if gain is None:
        return ""
    if plan.is_comparison:
        level = final_level(plan, config.verdict.alpha)
        seeds = required_seeds(gain, noise_sd, cases=plan.cases, alpha=level, interaction_sd=0.0 if new else None)
        total = seeds and plan.floor + plan.cases * (1 + plan.finalists) * -(-seeds // plan.hosts) * plan.hosts
        return f"budget.generations = {total}{' or more' if new else ''}" if total else "more cases"
    needed = generations_for(
        noise_sd,
        gain,
        cases=plan.cases,
        interaction_sd=0.0 if new else None,
        alpha=final_level(plan, config.verdict.alpha) * plan.finalists,
        finalists=plan.finalists,
        confirm_share=config.budget.confirm_share,
        per_case=plan.per_case,
    ).budget
    return f"budget.generations = {needed}{' or more' if new else ''}" if needed else "more cases"


def smallest_gain(plan: Plan, noise_sd: float, *, alpha: float, claim: Claim = "these-cases") -> float:
    """The smallest gain that a whole confirmation detects with 80% probability, in units of the score.

    For new cases this assumes that all cases respond alike, since their differences in the effect are not known before.
    With fewer cases than such a claim needs, it is infinite.

    Args:
        plan: The plan.
        noise_sd: Standard deviation of a score over seeds, within a case.
        alpha: Two-sided level that looks and finalists share.
        claim: The claim of the verdict.
    """
    from analysis import mde

    level, between = final_level(plan, alpha), 0.0 if claim == "new-cases" else None
    return mde(noise_sd, cases=plan.cases, seeds=plan.confirm_seeds, alpha=level, interaction_sd=between)


def design_of(plan: Plan, *, alpha: float, futility: float) -> SequentialDesign | None:
    """The planned looks with their boundaries; None where the end is the only look."""
    from analysis import SequentialDesign

    if len(plan.looks) == 1:
        return None
    fractions = [seeds / plan.confirm_seeds for seeds in plan.looks]
    return SequentialDesign(fractions, alpha, futility=futility, anytime=plan.anytime)


def final_level(plan: Plan, alpha: float) -> float:
    """The smallest level of the test at the end of a confirmation: looks and finalists share alpha."""
    design = design_of(plan, alpha=alpha / plan.finalists, futility=0.0)
    return alpha / plan.finalists if design is None else design.nominal(design.looks)
