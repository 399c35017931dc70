"""The standing of a sweep, as pure functions of its results."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

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
    scored = [number for number, result in results.items() if not math.isnan(result.value)]
    newest = tuple(_scored(proposals[number], results[number], baseline) for number in latest if number in results)
    if not scored:
        return replace(standing, trials=len(results), latest=newest)
    order = sorted(scored, key=lambda number: (-results[number].value, number))
    best, result = order[0], results[order[0]]
    # Where limits cost some trial the first place, the best score so far can fall.
    penalised = any(each.penalty is not None and each.penalty.lost > 0 for each in results.values())
    which = proposals[best].title + (", best after the penalty for limits" if penalised else "")
    ranked = tuple(_scored(proposals[number], results[number], baseline) for number in order[:BEST])
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
    return Scored(proposal.title, proposal.configuration.text(baseline), result.score, low, high, n=result.n)
