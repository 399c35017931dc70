"""Plans: the number of generations that it takes to see a gain."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any

from analysis.comparison.claim import Claim
from analysis.comparison.pair import FEWEST_CASES
from analysis.formatting import gain_text, level_text
from analysis.noise.floor import NoiseFloor
from analysis.power.power import mde, power_at, required_cases, required_seeds

PRIOR_NOISE_SD = 0.12
"""Standard deviation over seeds within a case that is assumed until one was measured."""
CONFIRM_SHARE = 0.3
"""Part of a budget for the confirmation; the rest is for the search."""
CURVE_SEEDS = (2, 3, 5, 8, 10, 15, 20, 30, 50, 75, 100)
"""Seeds per case and arm for which a plan shows what can be seen."""


def noise_to_plan_with(floor: NoiseFloor | float | None) -> tuple[float, bool]:
    """Return the noise within a case for a plan, and whether it is assumed.

    PRIOR_NOISE_SD is assumed before a floor was measured, and after a floor that shows no noise, as that of a greedy
    baseline: the configurations compared with it have some.

    Args:
        floor: The noise floor, or its standard deviation; None before one was measured.
    """
    sd = floor.sd if isinstance(floor, NoiseFloor) else floor
    return (float(sd), False) if sd else (PRIOR_NOISE_SD, True)


@dataclass(frozen=True)
class GainPlan:
    """The number of generations that it takes to see a gain.

    Attributes:
        gain: True gain to see, in units of the score.
        claim: "these-cases" or "new-cases".
        noise_sd: Standard deviation over seeds within a case.
        assumed: Whether `noise_sd` is PRIOR_NOISE_SD, because no floor showed any noise.
        interaction_sd: Standard deviation of configuration x case; None for a claim on these cases.
        cases: Number of cases.
        alpha: Two-sided level, before it is shared among the finalists.
        power: Probability of seeing the gain.
        finalists: Number of configurations compared with the baseline.
        seeds: Seeds per case and arm; None if no number is enough.
        generations: Generations of the confirmation, all arms together; None likewise.
        generations_low: The same at the lower end of the noise floor's interval; None if unknown or assumed.
        generations_high: The same at the upper end; None likewise.
        budget: Generations with the search; None if no number is enough.
        cases_needed: Number of cases with 10 seeds each, where no number of seeds is enough; else None.
        curve: Result of `power_curve`, with the power to see `gain`.
        sentence: The answer in words.
    """

    gain: float
    claim: Claim
    noise_sd: float
    assumed: bool
    interaction_sd: float | None
    cases: int
    alpha: float
    power: float
    finalists: int
    seeds: int | None
    generations: int | None
    generations_low: int | None
    generations_high: int | None
    budget: int | None
    cases_needed: int | None
    curve: tuple[dict[str, float], ...]
    sentence: str

    def as_dict(self) -> dict[str, Any]:
        """Return the fields, ready for JSON; an infinite MDE is None."""
        curve = [{**row, "mde": row["mde"] if math.isfinite(row["mde"]) else None} for row in self.curve]
        return {**asdict(self), "curve": curve}


def plan(
    floor: NoiseFloor | float,
    gain: float,
    *,
    cases: int | None = None,
    interaction_sd: float | None = None,
    alpha: float = 0.05,
    power: float = 0.8,
    finalists: int = 1,
    confirm_share: float = CONFIRM_SHARE,
    per_case: Callable[[int], int] | None = None,
) -> GainPlan:
    """Return the number of generations that it takes to see a gain.

    Args:
        floor: The noise floor, or its standard deviation; where it is 0, see `noise_to_plan_with`.
        gain: True gain to see, in (0, 1].
        cases: Number of cases; by default that of the floor.
        interaction_sd: Standard deviation of configuration x case (see `variance_components`), for a claim on new
            cases. Give 0 where it is unknown: the plan is then the least that it takes, and says so.
        alpha: Two-sided level.
        power: Probability of seeing the gain.
        finalists: Number of configurations compared with the baseline; they share alpha.
        confirm_share: Part of the budget for the confirmation, in (0, 1].
        per_case: Generations per case of all arms, the baseline included, for a number of seeds per case and arm; by
            default finalists + 1 times as many. They are fewer where finalists leave early, at the end of a run-off.

    Raises:
        ValueError: A number is out of its range, or `cases` is not known.
    """
    noise_sd, assumed = noise_to_plan_with(floor)
    if cases is None:
        if not isinstance(floor, NoiseFloor):
            raise ValueError("give the number of cases: a noise_sd alone does not have it")
        cases = floor.cases
    measured = floor if isinstance(floor, NoiseFloor) and not assumed else None
    _check(gain, cases, finalists, confirm_share, noise_sd)
    level, arms = alpha / finalists, finalists + 1

    def seeds_for(sd: float) -> int | None:
        return required_seeds(gain, sd, cases=cases, alpha=level, power=power, interaction_sd=interaction_sd)

    def generations_for(sd: float) -> int | None:
        found = seeds_for(sd)
        return None if found is None else cases * (arms * found if per_case is None else per_case(found))

    seeds, generations = seeds_for(noise_sd), generations_for(noise_sd)
    needed = None
    if seeds is None:
        needed = required_cases(gain, noise_sd, seeds=10, alpha=level, power=power, interaction_sd=interaction_sd)
    made = GainPlan(
        gain=gain,
        claim="these-cases" if interaction_sd is None else "new-cases",
        noise_sd=noise_sd,
        assumed=assumed,
        interaction_sd=interaction_sd,
        cases=cases,
        alpha=alpha,
        power=power,
        finalists=finalists,
        seeds=seeds,
        generations=generations,
        generations_low=generations_for(measured.ci_low) if measured else None,
        generations_high=generations_for(measured.ci_high) if measured else None,
        budget=None if generations is None else math.ceil(generations / confirm_share - 1e-9),
        cases_needed=needed,
        curve=power_curve(
            noise_sd,
            cases=cases,
            gain=gain,
            alpha=level,
            power=power,
            interaction_sd=interaction_sd,
            arms=arms,
            per_case=per_case,
        ),
        sentence="",
    )
    return replace(made, sentence=_plan_sentence(made))


def power_curve(
    noise_sd: float,
    *,
    cases: int,
    gain: float,
    alpha: float = 0.05,
    power: float = 0.8,
    interaction_sd: float | None = None,
    seeds: tuple[int, ...] = CURVE_SEEDS,
    arms: int = 2,
    per_case: Callable[[int], int] | None = None,
) -> tuple[dict[str, float], ...]:
    """Return the smallest gain that is seen, and the power to see a gain, for several numbers of seeds.

    Args:
        noise_sd: Standard deviation over seeds within a case.
        cases: Number of cases.
        gain: True gain for the power, in units of the score.
        alpha: Two-sided level of one comparison; where finalists share a level, their part of it.
        power: Probability of seeing the smallest gain.
        interaction_sd: Standard deviation of configuration x case, for a claim on new cases.
        seeds: Numbers of seeds per case and arm.
        arms: Number of arms, the baseline included.
        per_case: See `plan`; by default `arms` times the seeds.

    Returns:
        For each number of seeds: `seeds`, `generations` (all arms together), `mde` (see `power.mde`) and `power`.
    """
    return tuple(
        {
            "seeds": each,
            "generations": cases * (arms * each if per_case is None else per_case(each)),
            "mde": mde(noise_sd, cases=cases, seeds=each, alpha=alpha, power=power, interaction_sd=interaction_sd),
            "power": power_at(gain, noise_sd, cases=cases, seeds=each, alpha=alpha, interaction_sd=interaction_sd),
        }
        for each in seeds
    )


def _check(gain: float, cases: int, finalists: int, confirm_share: float, noise_sd: float) -> None:
    """Raise `ValueError` if a number is out of its range."""
    if not 0 <= noise_sd < math.inf:
        raise ValueError(f"noise_sd must be 0 or more, not {noise_sd}")
    if not 0 < gain <= 1:
        raise ValueError(f"gain must lie above 0 and at most at 1, not {gain}")
    if cases < 1 or finalists < 1:
        raise ValueError(f"cases and finalists must be at least 1, not {cases} and {finalists}")
    if not 0 < confirm_share <= 1:
        raise ValueError(f"confirm_share must lie above 0 and at most at 1, not {confirm_share}")


def _plan_sentence(made: GainPlan) -> str:
    """Return a plan in words."""
    if made.claim == "these-cases":
        where = "this one case" if made.cases == 1 else f"these {made.cases} cases"
    else:
        where = f"new cases like {'this one' if made.cases == 1 else f'these {made.cases}'}"
    if made.seeds is None:
        return _out_of_reach(made, where)
    spread = ""
    if made.generations_low is not None and made.generations_high is None:
        spread = f" (at least {made.generations_low}, as far as the noise is known)"
    elif made.generations_low is not None:
        spread = f" (between {made.generations_low} and {made.generations_high}, as far as the noise is known)"
    arms = "both arms together" if made.finalists == 1 else f"{made.finalists} finalists and the baseline together"
    least = ""
    if made.interaction_sd == 0:
        least = " That is the least, if all cases respond alike; it takes more if they respond differently."
    noise = ""
    if made.assumed:
        noise = (
            f" The noise of {gain_text(made.noise_sd)} per generation is assumed: the baseline has shown none, but"
            " other configurations have some."
        )
    return (
        f"To see a true gain of {gain_text(made.gain)} on {where} with {level_text(made.power)} probability takes "
        f"{made.seeds} seeds per case, that is {made.generations} generations for {arms}{spread}, or a budget of about "
        f"{made.budget} with the search.{least}{noise}"
    )


def _out_of_reach(made: GainPlan, where: str) -> str:
    """Say that no number of seeds is enough, and why."""
    more = f"; about {made.cases_needed} cases with 10 seeds each could" if made.cases_needed else ""
    if made.claim == "new-cases" and made.cases < FEWEST_CASES:
        why = f"a claim for new cases takes at least {FEWEST_CASES} cases"
    elif made.interaction_sd:
        why = "the cases differ too much in how they respond"
    else:
        why = "it is too small"
    return f"No number of seeds can show a gain of {gain_text(made.gain)} on {where}: {why}{more}."
