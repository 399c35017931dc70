"""Planning: what a budget can see, and what budget it takes."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, replace
from typing import Any

from analysis.comparison.claim import Claim
from analysis.comparison.pair import FEWEST_CASES
from analysis.formatting import gain_text, level_text
from analysis.noise.floor import NoiseFloor
from analysis.power.power import mde, power_at, required_cases, required_seeds

PRIOR_NOISE_SD = 0.12
"""Noise within a case that is assumed before any was measured; small models' summaries had .07 to .19."""
CONFIRM_SHARE = 0.3
"""Part of a budget that confirms; the rest searches."""
CURVE_SEEDS = (2, 3, 5, 8, 10, 15, 20, 30, 50, 75, 100)


def noise_to_plan_with(floor: NoiseFloor | float | None) -> tuple[float, bool]:
    """Return the noise within a case that a plan reckons with, and whether it is assumed.

    A greedy baseline shows no noise, but the arms that it is compared with have some: as where no floor was measured,
    PRIOR_NOISE_SD stands in for it.

    Args:
        floor: The noise floor, or its standard deviation; None before one was measured.
    """
    sd = floor.sd if isinstance(floor, NoiseFloor) else floor
    return (float(sd), False) if sd else (PRIOR_NOISE_SD, True)


@dataclass(frozen=True)
class GainPlan:
    """How many generations it takes to see a gain.

    Attributes:
        gain: The true gain to be seen, in units of the score.
        claim: "these-cases" or "new-cases".
        noise_sd: Standard deviation over seeds within a case.
        assumed: Whether `noise_sd` is the prior, because the floor is greedy and shows none.
        interaction_sd: Standard deviation of configuration x case; None for these cases.
        cases: Number of cases.
        alpha: Two-sided level, before it is shared among the finalists.
        power: Probability of seeing the gain.
        finalists: Configurations compared with the baseline.
        seeds: Seeds per case and arm; None if no number is enough.
        generations: Of the confirmation, all arms together; None likewise.
        generations_low: The same at the lower end of the noise floor's interval; None if unknown or assumed.
        generations_high: At the upper end; None likewise.
        budget: With the search; None if no number is enough.
        cases_needed: Where no number of seeds is enough, the cases that are (at 10 seeds each); else None.
        curve: For some numbers of seeds per case: seeds, generations (all arms together), mde, power (to see `gain`).
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
) -> GainPlan:
    """Answer how many generations it takes to see a gain.

    Args:
        floor: The noise floor, or its standard deviation; where it is 0, see `noise_to_plan_with`.
        gain: The true gain to be seen, in (0, 1].
        cases: Number of cases; by default those of the floor.
        interaction_sd: Standard deviation of configuration x case (see `variance_components`); makes the claim one for
            new cases. 0 where it is not known: the answer is then the least that it takes, and says so.
        alpha: Two-sided level.
        power: Probability of seeing the gain.
        finalists: Configurations compared with the baseline; they share alpha.
        confirm_share: Part of the budget that confirms.

    Raises:
        ValueError: A number is out of its range, or `cases` is not known.
    """
    noise_sd, assumed = noise_to_plan_with(floor)
    if cases is None:
        if not isinstance(floor, NoiseFloor):
            raise ValueError("with a bare noise_sd the number of cases must be given")
        cases = floor.cases
    measured = floor if isinstance(floor, NoiseFloor) and not assumed else None
    _check(gain, cases, finalists, confirm_share, noise_sd)
    level = alpha / finalists

    def seeds_for(sd: float) -> int | None:
        return required_seeds(gain, sd, cases=cases, alpha=level, power=power, interaction_sd=interaction_sd)

    def generations_for(sd: float) -> int | None:
        found = seeds_for(sd)
        return None if found is None else (finalists + 1) * cases * found

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
            arms=finalists + 1,
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
) -> tuple[dict[str, float], ...]:
    """Return seeds, generations of all arms, MDE and the power to see a gain, for several numbers of seeds per case.

    `alpha` is the level of one comparison: where several finalists share one, their part of it.
    """
    return tuple(
        {
            "seeds": each,
            "generations": arms * cases * each,
            "mde": mde(noise_sd, cases=cases, seeds=each, alpha=alpha, power=power, interaction_sd=interaction_sd),
            "power": power_at(gain, noise_sd, cases=cases, seeds=each, alpha=alpha, interaction_sd=interaction_sd),
        }
        for each in seeds
    )


def _check(gain: float, cases: int, finalists: int, confirm_share: float, noise_sd: float) -> None:
    if not 0 <= noise_sd < math.inf:
        raise ValueError(f"noise_sd must be 0 or more, not {noise_sd}")
    if not 0 < gain <= 1:
        raise ValueError(f"gain must lie above 0 and at most at 1, not {gain}")
    if cases < 1 or finalists < 1:
        raise ValueError(f"cases and finalists must be at least 1, not {cases} and {finalists}")
    if not 0 < confirm_share <= 1:
        raise ValueError(f"confirm_share must lie above 0 and at most at 1, not {confirm_share}")


def _plan_sentence(made: GainPlan) -> str:
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
        least = " That is the least, if the cases respond alike: cases that differ in the effect make it more."
    noise = ""
    if made.assumed:
        noise = (
            f" The noise of {gain_text(made.noise_sd)} per generation is assumed: a greedy baseline shows none, but"
            " other configurations have some."
        )
    return (
        f"To see a true gain of {gain_text(made.gain)} on {where} with {level_text(made.power)} probability takes "
        f"{made.seeds} seeds per case, that is {made.generations} generations for {arms}{spread}, or a budget of about "
        f"{made.budget} with the search.{least}{noise}"
    )


def _out_of_reach(made: GainPlan, where: str) -> str:
    more = f"; about {made.cases_needed} cases with 10 seeds each could" if made.cases_needed else ""
    if made.claim == "new-cases" and made.cases < FEWEST_CASES:
        why = f"a claim for new cases takes at least {FEWEST_CASES} cases"
    elif made.interaction_sd:
        why = "the cases differ too much in how they respond"
    else:
        why = "it is too small"
    return f"No number of seeds can show a gain of {gain_text(made.gain)} on {where}: {why}{more}."
