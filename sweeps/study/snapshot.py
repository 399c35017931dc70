"""The standing of a sweep, as pure functions of its results."""

from __future__ import annotations

import math
from bisect import bisect_left, insort
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

from sweeps.options import Configuration
from sweeps.progress import Standing
from sweeps.progress.base import Scored
from sweeps.search.trial import Proposal, TrialResult

_Z95 = 1.96

BEST = 5
"""Trials that the table of a running sweep shows."""


def after_floor(floor: TrialResult, *, generations_per_trial: int | None) -> Standing:
    """The standing when the floor is known; without a band where there are no trials (None).

    The band is where the difference between one trial's mean and the baseline's lies in 95% of trials that change
    nothing. A greedy baseline shows no noise, but the trials beside it have some: the prior stands in for it.
    """
    from analysis import PRIOR_NOISE_SD

    noise_sd = floor.noise_sd or PRIOR_NOISE_SD
    if generations_per_trial is None:
        return Standing(baseline_mean=floor.score, noise_sd=noise_sd, baseline_n=floor.n)
    band = _Z95 * noise_sd * math.sqrt(1 / generations_per_trial + (1 / floor.n if floor.noise_sd else 0.0))
    return Standing(baseline_mean=floor.score, noise_sd=noise_sd, band=band, baseline_n=floor.n)


class RankedResults(Mapping[int, TrialResult]):
    """Results by number of the trial, in the order of their values as well; each change costs the same.

    Attributes:
        order: Value, less than zero the better, and number of each trial with a score; the best first.
        penalised: Numbers of the trials that lost score by breaking limits.
    """

    def __init__(self, results: Mapping[int, TrialResult] = MappingProxyType({})) -> None:
        self._results: dict[int, TrialResult] = {}
        self.order: list[tuple[float, int]] = []
        self.penalised: set[int] = set()
        for number, result in results.items():
            self.put(number, result)

    def put(self, number: int, result: TrialResult) -> None:
        """Add a result, or replace it."""
        before = self._results.get(number)
        if before is not None and not math.isnan(before.value):
            del self.order[bisect_left(self.order, (-before.value, number))]
        self._results[number] = result
        if not math.isnan(result.value):
            insort(self.order, (-result.value, number))
        self.penalised.discard(number)
        if result.penalty is not None and result.penalty.lost > 0:
            self.penalised.add(number)

    def __getitem__(self, number: int) -> TrialResult:
        """The result of a trial."""
        return self._results[number]

    def __iter__(self) -> Iterator[int]:
        """The numbers of the trials."""
        return iter(self._results)

    def __len__(self) -> int:
        """Number of the trials."""
        return len(self._results)


def after_batch(
    standing: Standing,
    proposals: Sequence[Proposal],
    results: Mapping[int, TrialResult],
    baseline: Configuration,
    latest: Sequence[int] = (),
) -> Standing:
    """The standing after more trials; the best ones by the value that the sampler gets, shown with their scores.

    Args:
        standing: The standing before.
        proposals: All trials, by number.
        results: The results so far, by number of the trial.
        baseline: The baseline.
        latest: Numbers of the trials that were completed last.
    """
    ranking = results if isinstance(results, RankedResults) else RankedResults(results)
    newest = tuple(_scored(proposals[number], results[number], baseline) for number in latest if number in results)
    if not ranking.order:
        return replace(standing, trials=len(results), latest=newest)
    first = [number for _, number in ranking.order[:BEST]]
    best, result = first[0], results[first[0]]
    # Where limits cost some trial the first place, the best score so far can fall.
    which = proposals[best].title + (", best after the penalty for limits" if ranking.penalised else "")
    ranked = tuple(_scored(proposals[number], results[number], baseline) for number in first)
    return replace(
        standing,
        best=f"{which}: {proposals[best].configuration.text(baseline)}",
        best_mean=result.score,
        best_low=ranked[0].low,
        best_high=ranked[0].high,
        trials=len(results),
        ranked=ranked,
        latest=newest,
    )


def _scored(proposal: Proposal, result: TrialResult, baseline: Configuration) -> Scored:
    """A trial with its score and 95% interval."""
    half = _Z95 * result.noise_sd / math.sqrt(max(result.n, 1))
    low, high = max(0.0, result.score - half), min(1.0, result.score + half)
    cases = f", pruned ({len(result.cases_with_score)} of {len(result.case_scores)} cases)" if result.pruned else ""
    return Scored(proposal.title + cases, proposal.configuration.text(baseline), result.score, low, high, n=result.n)
