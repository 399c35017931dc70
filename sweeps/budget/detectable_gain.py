"""The smallest gain that a sweep can find."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from analysis import plan as generations_for
from analysis.comparison.pair import FEWEST_CASES
from analysis.power.planning import noise_to_plan_with
from sweeps.budget.plan import Plan
from sweeps.config.sweep_config import SweepConfig

if TYPE_CHECKING:
    from analysis import SequentialDesign
    from analysis.comparison.claim import Claim
if TYPE_CHECKING:
    from analysis import NoiseFloor


_ANEW = " under another study.name"
"""Where a study that exists would have to change."""


def enough_for(config: SweepConfig, plan: Plan, noise_sd: float) -> str:
    """The budget that sees `verdict.min_gain`, as the setting to write; for new cases, the least that may see it."""
    gain, new = config.verdict.min_gain, config.verdict.claim == "new-cases"
    if gain is None:
        return ""
    needed = generations_for(
        noise_sd,
        gain,
        cases=plan.cases,
        interaction_sd=0.0 if new else None,
        alpha=final_level(plan, config.verdict.alpha) * plan.finalists,
        finalists=plan.finalists,
        confirm_share=config.budget.confirm_share,
    ).budget
    return f"budget.generations = {needed}{' or more' if new else ''}" if needed else "more cases"


@dataclass(frozen=True)
class Sight:
    """What a confirmation will be able to see.

    Attributes:
        noise_sd: Noise of a generation within a case that is reckoned with.
        assumed: Whether it is the prior: no floor was measured, or a greedy one, which shows no noise.
        gain: The smallest gain seen with 80% probability; infinite where the claim cannot be made at all, NaN where
            nothing tells it before the arms have run.
        found: The same in words.
        todo: What to do where `verdict.min_gain` would be missed more often, or no claim can be made; else "".
    """

    noise_sd: float
    assumed: bool
    gain: float
    found: str
    todo: str

    @property
    def text(self) -> str:
        """What is found, and what to do."""
        return "; ".join(filter(None, (self.found, self.todo)))


def is_all_greedy(config: SweepConfig) -> bool:
    """Whether the baseline and everything that may be tried are greedy, so that no score has any noise."""
    tried = [value for name in ("temperature", "mirostat") if name in config.space for value in _values(config, name)]
    return config.baseline.is_greedy and not any(tried)


def _values(config: SweepConfig, name: str) -> list[float]:
    return [float(value) for value in config.space[name].extremes()]


def _greedy_sight(plan: Plan, *, stored: bool) -> Sight:
    """What is seen where nothing has noise: other cases alone can tell a difference from chance."""
    greedy = "the baseline and all that is searched are greedy (temperature 0), so on these cases differences are exact"
    if plan.cases >= FEWEST_CASES:
        found = f"{greedy}: the claim is for new cases like these {plan.cases}, and what it sees hangs on how they"
        return Sight(
            0.0, False, math.nan, f"{found} differ in the effect, which nothing tells before they have run", ""
        )
    found = f"{greedy}, and no gain can be claimed: for new cases it takes {FEWEST_CASES}, and there are {plan.cases}"
    todo = f"name {FEWEST_CASES} cases or more, or a temperature above 0 in [baseline] or [space]"
    return Sight(0.0, False, math.inf, found, todo + (_ANEW if stored else ""))


def sight_of(config: SweepConfig, plan: Plan, known: KnownFloor | None = None, *, stored: bool = False) -> Sight:
    """What the confirmation of a plan will be able to see, for the claim that the sweep makes.

    Args:
        config: The sweep.
        plan: Its plan.
        known: The noise floor, where one was measured.
        stored: Whether the study exists, so that its cases, space and budget stay what they are.
    """
    if is_all_greedy(config):
        return _greedy_sight(plan, stored=stored)
    noise_sd, assumed = noise_to_plan_with(known and known.floor)
    claim, least = config.verdict.claim, config.verdict.min_gain
    gain = visible_gain(plan, noise_sd, alpha=config.verdict.alpha, claim=claim)
    whence = ""
    if known:
        ends = f"{known.floor.ci_low:.3f} to {known.floor.ci_high:.3f}"
        whence = f"95% interval {ends}, floor of study {known.study!r}"
    if assumed:
        greedy = config.baseline.is_greedy or known is not None
        whence = f"assumed{': a greedy baseline shows none' if greedy else ' until the floor is measured'}"
    found = f"with noise {noise_sd:.3f} per generation ({whence}) the confirmation sees a gain of {gain:.3f}"
    if claim == "new-cases":
        found += " on new cases in 80% of sweeps, if these cases respond alike; the more they differ in the effect, the"
        found += " larger a gain it takes"
    else:
        found += " in 80% of sweeps"
    todo = ""
    if least is not None and gain > least:
        todo = f"verdict.min_gain {least:g} would be missed more often; it takes {enough_for(config, plan, noise_sd)}"
        todo += _ANEW if stored else ""
    return Sight(noise_sd, assumed, gain, found, todo)


class KnownFloor(NamedTuple):
    """A noise floor that was measured.

    Attributes:
        floor: The floor.
        study: In which study.
    """

    floor: NoiseFloor
    study: str


def design_of(plan: Plan, *, alpha: float, futility: float) -> SequentialDesign | None:
    """The planned looks with their boundaries; None where the end is the only look."""
    from analysis import SequentialDesign

    if len(plan.looks) == 1:
        return None
    return SequentialDesign([seeds / plan.confirm_seeds for seeds in plan.looks], alpha, futility=futility)


def final_level(plan: Plan, alpha: float) -> float:
    """The level that the end of a confirmation is tested at, at worst: looks and finalists share alpha."""
    design = design_of(plan, alpha=alpha / plan.finalists, futility=0.0)
    return alpha / plan.finalists if design is None else design.nominal(design.looks)


def visible_gain(plan: Plan, noise_sd: float, *, alpha: float, claim: Claim = "these-cases") -> float:
    """The smallest gain that the whole confirmation sees with 80% probability, in units of the score.

    For new cases it is the smallest at best, where all cases respond alike: how much they differ in the effect is not
    known before. It is infinite there with fewer cases than such a claim takes.

    Args:
        plan: The plan.
        noise_sd: Standard deviation of a score over seeds, within a case.
        alpha: Two-sided level that looks and finalists share.
        claim: What the verdict will speak of.
    """
    from analysis import mde

    level, between = final_level(plan, alpha), 0.0 if claim == "new-cases" else None
    return mde(noise_sd, cases=plan.cases, seeds=plan.confirm_seeds, alpha=level, interaction_sd=between)
