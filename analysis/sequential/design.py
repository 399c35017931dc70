"""Group-sequential designs: stop a confirmation early without more false claims than alpha allows.

`boundaries` has the part of alpha that each look spends; this file has the decision of a look.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from typing import Literal, get_args

import pandas as pd
from scipy import optimize, special, stats

from analysis.comparison.claim import Claim, is_shown
from analysis.comparison.compare import compare
from analysis.comparison.estimate import Estimate
from analysis.comparison.pair import pair
from analysis.comparison.t_tests import error_with_more_seeds
from analysis.formatting import decimals
from analysis.observations.table import summarize
from analysis.sequential.boundaries import LARGEST, Shape, boundaries
from analysis.sequential.decision import LookDecision, Prior


def _percent(chance: float) -> str:
    """Write a chance in whole percent."""
    return "under 1%" if chance < 0.01 else f"{100 * chance:.0f}%"


def _futility_text(chance: float, prior: Prior | None, margin: float | None) -> str:
    """Say why a look gives up."""
    if prior is None:
        return f"even for a gain worth finding, the chance that the end shows it is {_percent(chance)}"
    d = decimals(prior.mean, prior.sd)
    equal = "" if margin is None else f", or none beyond {margin:g},"
    return (
        f"the search expected {prior.mean:+.{d}f} (sd {prior.sd:.{d}f}); with this look, the chance that the end shows "
        f"a gain{equal} is {_percent(chance)}"
    )


def _limit_text(estimate: Estimate, counted: float, bound: float, which: str, *, shown: bool) -> str:
    """Say how p compares with the largest p at which a look stops, and what forbids a claim that p would allow."""
    limit = f"the limit of {which} look, {bound:.2g}"
    if estimate.p_value > bound:
        return f"p = {estimate.p_value:.2g} is above {limit}"
    d = decimals(estimate.effect, 2 * estimate.standard_error)
    failed = "" if shown else f", but the difference is {counted:+.{d}f} with 0 for rows without a score"
    return f"p = {estimate.p_value:.2g} is within {limit}{failed}"


def _fractions(looks: int | Sequence[float]) -> list[float]:
    """Return the fractions asked for, evenly spaced for a number of looks; an empty list for anything else."""
    try:
        number = operator.index(looks)  # type: ignore[arg-type]
    except TypeError:
        try:
            return [float(each) for each in looks]  # type: ignore[union-attr]
        except (TypeError, ValueError):
            return []
    return [(k + 1) / number for k in range(number)]


class SequentialDesign:
    """Looks at a confirmation, with their boundaries.

    Futility is non-binding: ignoring it does not raise the type-I error.

    Attributes:
        fractions: Information at each look as a fraction of the last.
        alpha: Two-sided level of all looks together.
        shape: See `boundaries`.
        bounds: Boundary of |Z| at each look.
        futility: A look gives up where the chance of a claim at the end is below this; with 0 none does.
        anytime: Whether the looks come after every seed. The intervals of all looks are then a confidence sequence up
            to the planned end: they hold together, at whichever seed one stops. Only sentences depend on it.
    """

    def __init__(
        self,
        looks: int | Sequence[float] = 2,
        alpha: float = 0.05,
        *,
        futility: float = 0.1,
        shape: Shape = "spending",
        anytime: bool = False,
    ) -> None:
        """Plan the looks.

        Args:
            looks: Number of looks, evenly spaced; or the fraction of the planned seeds at each, rising to 1.
            alpha: Two-sided level of all looks together, in (0, 0.5).
            futility: Chance of a claim at the end below which a look gives up, in [0, 0.5); with 0 none does.
            shape: See `boundaries`.
            anytime: Whether the looks come after every seed.

        Raises:
            ValueError: A number is out of its range.
        """
        if shape not in get_args(Shape):
            raise ValueError(f"shape must be one of {', '.join(get_args(Shape))}, not {shape!r}")
        fractions = _fractions(looks)
        rising = all(low < high for low, high in zip([0.0, *fractions], fractions, strict=False))
        if not fractions or not rising or abs(fractions[-1] - 1) > 1e-9:
            raise ValueError(f"looks must be a number from 1, or rising fractions that end with 1, not {looks!r}")
        if not 0 < alpha < 0.5 or not 0 <= futility < 0.5:
            raise ValueError(f"alpha must lie in (0, 0.5) and futility in [0, 0.5), not {alpha} and {futility}")
        self.fractions: tuple[float, ...] = (*fractions[:-1], 1.0)
        self.alpha = alpha
        self.shape: Shape = shape
        self.futility = futility
        self.anytime = anytime
        self.bounds = boundaries(self.fractions, alpha, shape)

    @property
    def looks(self) -> int:
        """Planned number of looks."""
        return len(self.fractions)

    def name_of(self, look: int) -> str:
        """Return the look as sentences name it."""
        return f"Look {look} of {self.looks}{', valid at any look' if self.anytime else ''}"

    def fraction(self, look: int) -> float:
        """Return the information at a look as a fraction of the last.

        Raises:
            ValueError: There is no such look.
        """
        return self.fractions[self._index(look)]

    def nominal(self, look: int, alpha: float | None = None) -> float:
        """Return the largest p at which a look stops.

        The interval at 1 - nominal is the repeated confidence interval (Jennison and Turnbull 1989). It covers the
        effect with probability 1 - alpha at all looks together, for whatever reason they stop.

        Args:
            look: Number of the look, from 1.
            alpha: Level of all looks together; by default that of the design.
        """
        bounds = self.bounds if alpha is None else boundaries(self.fractions, alpha, self.shape)
        return float(2 * special.ndtr(-bounds[self._index(look)]))

    def repeated_p(self, look: int, p_value: float) -> float:
        """Return the repeated p value: the smallest alpha at which this plan would stop at this look for efficacy.

        It is at most `alpha` exactly where the boundary is crossed, and holds for whatever reason the looks stop.

        Args:
            look: Number of the look, from 1.
            p_value: Two-sided p of this look alone; NaN stays NaN.
        """
        index = self._index(look)
        if math.isnan(p_value) or p_value >= 1:
            return p_value
        z = min(float(-special.ndtri(p_value / 2)), LARGEST - 1e-6) if p_value > 0 else LARGEST - 1e-6
        fractions = self.fractions if self.shape == "obrien-fleming" else self.fractions[: index + 1]

        def excess(log_alpha: float) -> float:
            return boundaries(fractions, math.exp(log_alpha), self.shape)[index] - z

        low, high = math.log(1e-12), math.log(0.99)
        if excess(high) > 0:
            return 1.0
        if excess(low) < 0:
            return max(p_value, 1e-12)
        return max(p_value, math.exp(float(optimize.brentq(excess, low, high, xtol=1e-7))))

    def conditional_power(self, look: int, z: float, drift: float | None = None) -> float:
        """Return the probability of crossing the last boundary upwards, given this look and a true drift.

        Args:
            look: Number of the look, from 1.
            z: Signed statistic of this look.
            drift: True effect in standard errors of the last look; by default `design_drift`.
        """
        fraction = self.fraction(look)
        if fraction >= 1:
            return float(z >= self.bounds[-1])
        theta = self.design_drift if drift is None else drift
        expected = z * math.sqrt(fraction) + theta * (1 - fraction)
        return float(special.ndtr((expected - self.bounds[-1]) / math.sqrt(1 - fraction)))

    def predictive_power(
        self,
        look: int,
        z: float,
        standard_error: float,
        prior: Prior,
        margin: float | None = None,
        last_error: float | None = None,
    ) -> float:
        """Return the probability of crossing the last boundary upwards, given this look and a prior.

        The true effect is averaged over its posterior from prior and look (Spiegelhalter, Freedman and Blackburn,
        Controlled Clinical Trials 7, 1986). A prior counts for no more than the whole confirmation would, and for no
        more than twice the data of this look. So data can contradict a prior that is sure and wrong.

        Args:
            look: Number of the look, from 1.
            z: Signed statistic of this look.
            standard_error: Standard error of the effect at this look.
            prior: The belief before the first look.
            margin: Add the probability that the effect is shown to lie within this margin.
            last_error: Standard error of the effect at the last look; by default it shrinks with the seeds.
        """
        fraction = self.fraction(look)
        if fraction >= 1:
            return float(z >= self.bounds[-1])
        now = standard_error**-2
        last = now / fraction if last_error is None else max(last_error**-2, now * (1 + 1e-9))
        believed = min(last, 2 * now, prior.sd**-2 if prior.sd else math.inf)
        rest, precision = last - now, believed + now
        expected = (prior.mean * believed + z / standard_error) / precision
        at_end = (z / standard_error + expected * rest) / last  # expected estimate, and its standard deviation
        spread, error = math.sqrt(rest + rest**2 / precision) / last, 1 / math.sqrt(last)
        better = self.bounds[-1] * error
        found = special.ndtr((at_end - better) / spread)
        within = 0.0 if margin is None else min(margin + special.ndtri(self.nominal(self.looks)) * error, better)
        if within > 0:
            found += special.ndtr((within - at_end) / spread) - special.ndtr((-within - at_end) / spread)
        return float(found)

    @property
    def design_drift(self) -> float:
        """True effect, in standard errors of the last look, that a single test finds with 80% probability."""
        return float(stats.norm.isf(self.alpha / 2) + stats.norm.ppf(0.8))

    def decide(
        self,
        look: int,
        observations: pd.DataFrame,
        baseline: str,
        finalist: str,
        *,
        claim: Claim = "these-cases",
        min_gain: float | None = None,
        prior: Prior | None = None,
        margin: float | None = None,
        seed: int = 0,
    ) -> LookDecision:
        """Look at the observations made so far.

        Args:
            look: Number of the look, from 1.
            observations: Fresh rows of both arms up to this look; see `analysis.observations.table`.
            baseline: Label of the baseline.
            finalist: Label of the configuration.
            claim: See `analysis.comparison.compare.compare`.
            min_gain: Smallest gain of interest. Without a prior, futility is the chance to find it, or the gain that
                the design can see if that is larger.
            prior: Belief about the effect; futility is then the probability of a claim.
            margin: Margin of an equivalence that is of interest, too; it counts where there is a prior.
            seed: Seed of random rearrangements.

        Raises:
            TableError: The table cannot be judged.
        """
        cells = summarize(observations)
        two = pair(cells, cells.index(baseline, "baseline"), cells.index(finalist))
        answer = compare(two, claim=claim, seed=seed)
        estimate = answer.estimate
        if estimate is None or not estimate.standard_error:
            stop: Literal["futility"] | None = None
            sentence = f"{self.name_of(look)}: no score varies yet, so there is no noise to test with."
            if two.baseline.greedy and two.finalist.greedy:
                stop, sentence = "futility", "Both configurations are greedy: more seeds cannot show more."
            bound = self.nominal(look)
            return LookDecision(stop, look, self.looks, two.effect, math.nan, math.nan, bound, math.nan, sentence)
        share, new_cases = self.fraction(look), answer.claim == "new-cases"
        at_end = error_with_more_seeds(two, estimate, share, new_cases=True) if new_cases else None
        counted = two.effect_with_failures
        return self.assess(
            look, estimate, min_gain=min_gain, prior=prior, margin=margin, last_error=at_end, counted=counted
        )

    def assess(
        self,
        look: int,
        estimate: Estimate,
        *,
        min_gain: float | None = None,
        prior: Prior | None = None,
        margin: float | None = None,
        last_error: float | None = None,
        counted: float | None = None,
    ) -> LookDecision:
        """Return the decision of a look from its estimate.

        Args:
            look: Number of the look, from 1.
            estimate: The estimate from all observations so far.
            min_gain: See `decide`.
            prior: See `decide`.
            margin: See `decide`.
            last_error: See `predictive_power`.
            counted: Effect with 0 for rows without a score, by default the effect. Where these forbid a claim (see
                `claim.is_shown`), the look does not stop.
        """
        bound = self.nominal(look)
        p_value = max(estimate.p_value, 1e-15)
        z = math.copysign(float(-special.ndtri(p_value / 2)), estimate.effect)
        if prior is not None:
            chance = self.predictive_power(look, z, estimate.standard_error, prior, margin, last_error)
        else:
            chance = self.conditional_power(look, z, self._drift(look, estimate, min_gain))
        counted = estimate.effect if counted is None else counted
        stop: Literal["efficacy", "futility"] | None = None
        if is_shown(estimate.p_value, bound, estimate.effect, counted):
            stop = "efficacy"
        elif look < self.looks and chance < self.futility:
            stop = "futility"
        if stop == "futility":
            why = _futility_text(chance, prior, margin)
        else:
            why = _limit_text(estimate, counted, bound, "this" if look < self.looks else "the last", shown=bool(stop))
        then = "; stop" if stop else "; go on" if look < self.looks else ""
        d = decimals(estimate.effect, 2 * estimate.standard_error)
        return LookDecision(
            stop=stop,
            look=look,
            looks=self.looks,
            effect=estimate.effect,
            standard_error=estimate.standard_error,
            p_value=estimate.p_value,
            bound=bound,
            chance=chance,
            sentence=f"{self.name_of(look)}: difference {estimate.effect:+.{d}f}; {why}{then}.",
        )

    def _drift(self, look: int, estimate: Estimate, min_gain: float | None) -> float:
        """Return the larger of `min_gain` and the gain that the design can see, in standard errors of the last look."""
        if min_gain is None:
            return self.design_drift
        last = estimate.standard_error * math.sqrt(self.fraction(look))
        return max(self.design_drift, min_gain / last)

    def _index(self, look: int) -> int:
        """Return the index of a look; refuse one that is not planned."""
        if not 1 <= look <= self.looks:
            raise ValueError(f"look must be 1 to {self.looks}, not {look}")
        return look - 1
