"""Judge configurations against a baseline."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from analysis.comparison.claim import Claim, is_shown
from analysis.comparison.compare import Answer, Test, compare
from analysis.comparison.equivalence import default_margin, show_equivalence
from analysis.comparison.holm import holm
from analysis.comparison.pair import Pair, is_greedy, pair
from analysis.comparison.selection_bias import optimism
from analysis.formatting import decimals
from analysis.observations.table import TableError, summarize
from analysis.sequential.design import SequentialDesign
from analysis.verdict.advice import Known, advice_for
from analysis.verdict.sentences import sentence_for
from analysis.verdict.terms import Asked, check_arguments
from analysis.verdict.verdict import Outcome, Verdict


def judge(
    observations: pd.DataFrame,
    *,
    baseline: str,
    finalists: Sequence[str] | None = None,
    claim: Claim = "these-cases",
    alpha: float = 0.05,
    margin: float | None = None,
    min_gain: float | None = None,
    test: Test = "auto",
    design: SequentialDesign | None = None,
    look: int | Mapping[str, int] | None = None,
    given_up: Collection[str] = (),
    seed: int = 0,
) -> list[Verdict]:
    """Judge configurations against the baseline.

    Args:
        observations: See `analysis.observations.table`; rows of fresh seeds only, not those that a configuration was
        picked by.
        baseline: Label of the baseline.
        finalists: Labels to judge; by default every other one in the table. Several share `alpha` by Holm's method.
        claim: "these-cases", or "new-cases" (from 6 cases on).
        alpha: Two-sided level for all of them together.
        margin: Differences smaller than this count as none; see `equivalence.default_margin`.
        min_gain: Smallest gain of interest; it is the default margin, and the advice aims at it.
        test: "auto", or one of `choice.TESTS`.
        design: The plan of looks, if the confirmation was looked at before or may be looked at again. Then p is the
            repeated p value and the interval the repeated confidence interval (see `SequentialDesign`), so that a
            verdict at any look, for whatever reason it was the last, errs with at most `alpha`.
        look: Number of this look, from 1; by default the last of the design. Where finalists were settled at
            different looks, theirs by label: one that left early is compared with the baseline's seeds until then,
            which are taken in ascending order.
        given_up: Labels of those that a look before the last ended since a claim was improbable. It is said in the
            verdict, and changes neither p nor interval nor outcome.
        seed: Of the random permutations, where a permutation test is used.

    Returns:
        A verdict per finalist, in the order of `finalists` (or of the labels). One of several that cannot be judged has
        none, and the notes of the others say why.

    Raises:
        TableError: The table cannot be judged, or none of the finalists; see `table.summarize`, `comparison.pair` and
            `choice.compare`.
        ValueError: An argument is out of its range.
    """
    check_arguments(claim, alpha, margin, min_gain)
    baseline = str(baseline)  # labels are texts, whatever type a table's column has
    cells = summarize(observations)
    base = cells.index(baseline, "baseline")
    others = [label for label in cells.configurations if label != baseline]
    chosen = others if finalists is None else [str(label) for label in finalists]
    if not chosen:
        raise TableError(f"nothing to judge: the table has no configuration besides the baseline {baseline!r}")
    if baseline in chosen:
        raise TableError(f"the baseline {baseline!r} cannot be judged against itself")
    looks = {label: _look_of(label, look, design) for label in chosen}
    found, refused = {}, {}
    for label, at in looks.items():
        try:
            if at is None or design is None or at == design.looks or is_greedy(cells, base):
                two = pair(cells, base, cells.index(label))
            else:
                two = _pair_until_left(observations, baseline, label, _share(design, at, list(looks.values())))
            found[label] = two, compare(two, claim=claim, test=test, seed=seed)
        except TableError as error:
            refused[label] = error
    if not found:
        raise next(iter(refused.values()))
    raw = []
    for label in chosen:  # one that cannot be judged keeps its share of alpha
        estimate = found[label][1].estimate if label in found else None
        p_value = math.nan if estimate is None else estimate.p_value
        raw.append(p_value if design is None else design.repeated_p(looks[label] or design.looks, p_value))
    adjusted, levels = holm(raw, alpha)
    notes = tuple(f"Not judged: {str(error).removesuffix('.')}." for error in refused.values())
    luck = optimism(found.values())
    return [
        _verdict(
            *found[label],
            p_value,
            level,
            Asked(alpha, margin, min_gain, len(chosen), design, looks[label], label in given_up, notes, luck),
        )
        for label, p_value, level in zip(chosen, adjusted, levels, strict=True)
        if label in found
    ]


def _look_of(label: str, look: int | Mapping[str, int] | None, design: SequentialDesign | None) -> int | None:
    """Return the look that a finalist is judged at; None without a design."""
    if design is None:
        return None
    at = look.get(label) if isinstance(look, Mapping) else look
    return design.looks if at is None else at


def _share(design: SequentialDesign, look: int, looks: Sequence[int | None]) -> float:
    """Return the part of the baseline's seeds, which go as far as the latest look, that there were at a look."""
    latest = max(at or design.looks for at in looks)
    return design.fraction(look) / design.fraction(latest)


def _pair_until_left(observations: pd.DataFrame, baseline: str, label: str, share: float) -> Pair:
    """Pair a finalist with the seeds, in ascending order, that the baseline had when the finalist left."""
    names = observations["configuration"].astype(str)
    base = observations[names == baseline]
    seeds = np.unique(base["seed"])
    until = base[base["seed"].isin(seeds[: math.ceil(share * len(seeds) - 1e-9)])]
    cells = summarize(pd.concat([until, observations[names == label]]))
    return pair(cells, cells.index(baseline, "baseline"), cells.index(label))


def judge_one(observations: pd.DataFrame, *, baseline: str, finalist: str | None = None, **options: Any) -> Verdict:
    """Judge one configuration against the baseline; see `judge`, whose other arguments it takes.

    Raises:
        TableError: As `judge`; also if no finalist is named and the table has several.
    """
    if finalist is None:
        others = sorted({str(label) for label in observations.get("configuration", ())} - {str(baseline)})
        if len(others) > 1:
            raise TableError(f"the table has {len(others)} configurations besides the baseline; name the one to judge")
    return judge(observations, baseline=baseline, finalists=None if finalist is None else [finalist], **options)[0]


def _verdict(two: Pair, comparison: Answer, p_value: float, level: float, asked: Asked) -> Verdict:
    """Put a verdict together from one comparison; `level` is its share of alpha."""
    estimate = comparison.estimate
    nan = math.nan
    noise = two.noise_sd
    margin = asked.margin or asked.min_gain or default_margin(noise, two.cases)
    tail = asked.tail(level)
    low, high = estimate.interval(1 - tail) if estimate else (nan, nan)
    p_equivalence, unsure = show_equivalence(two, comparison, margin, tail)
    unsure = unsure if p_value > asked.alpha else ()
    verdict = Verdict(
        configuration=two.cells.configurations[two.finalist.row],
        baseline=two.cells.configurations[two.baseline.row],
        outcome=_outcome(two, p_value, p_equivalence, margin, alpha=asked.alpha, tail=tail),
        claim=comparison.claim,
        effect=two.effect,
        ci_low=low,
        ci_high=high,
        level=1 - level,
        p_value=p_value,
        p_raw=estimate.p_value if estimate else nan,
        p_equivalence=p_equivalence,
        alpha=asked.alpha,
        margin=margin,
        margin_from="margin" if asked.margin else "min_gain" if asked.min_gain else "default",
        test=estimate.test if estimate else "none",
        dof=estimate.dof if estimate else nan,
        standard_error=estimate.standard_error if estimate else nan,
        n_per_arm=min(two.baseline.informative, two.finalist.informative),
        n_baseline=two.baseline.informative,
        n_finalist=two.finalist.informative,
        cases=two.cases,
        mde=asked.mde(two, comparison, estimate, level) if estimate else nan,
        baseline_mean=float(two.weights @ two.baseline.mean),
        finalist_mean=float(two.weights @ two.finalist.mean),
        noise_sd=noise,
        min_gain=asked.min_gain,
        comparisons=asked.comparisons,
        look=asked.look,
        looks=None if asked.design is None else asked.design.looks,
        given_up=asked.given_up,
        failed_baseline=two.failed[0],
        failed_finalist=two.failed[1],
        effect_with_failures=two.effect_with_failures,
        look_rescored=False,
        sentence="",
        advice="",
        notes=(
            *asked.cautions,
            *two.notes,
            *_failure_notes(two),
            *asked.notes_on(estimate, level, p_value),
            *comparison.notes,
            *unsure,
        ),
        optimism=asked.optimism,
        cautions=asked.cautions,
    )
    interaction = two.interaction() if comparison.claim == "new-cases" and estimate else None
    advice = advice_for(verdict, Known(noise, len(two.noisy), two.seeds, interaction))
    return replace(verdict, sentence=sentence_for(verdict), advice=advice)


def _outcome(two: Pair, p_value: float, p_equivalence: float, margin: float, *, alpha: float, tail: float) -> Outcome:
    counted = two.effect_with_failures
    if is_shown(p_value, alpha, two.effect, counted):
        return "better" if two.effect > 0 else "worse"
    if p_value <= alpha:
        return "not distinguishable"
    within = p_equivalence <= tail and (not any(two.failed) or abs(counted) <= margin)
    return "equivalent" if within else "not distinguishable"


def _failure_notes(two: Pair) -> tuple[str, ...]:
    """Say what the effect would be if what has no score had 0."""
    if not any(two.failed):
        return ()
    effects = two.effect, two.effect_with_failures
    told = [f"{effect:+.{decimals(*effects)}f}" for effect in effects]
    return (f"With 0 for rows without a score the difference would be {told[1]} instead of {told[0]}.",)
