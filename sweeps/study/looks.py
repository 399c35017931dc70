"""Looks at a confirmation: when a finalist is settled before all planned seeds are spent, as pure functions."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from sweeps.budget.detectable_gain import design_of
from sweeps.budget.plan import Plan
from sweeps.config.tables import VerdictTable
from sweeps.ledger.study_record import Look
from sweeps.options import Configuration
from sweeps.results.look_history import judged_at
from sweeps.search.trial import Proposal

if TYPE_CHECKING:
    import pandas as pd

    from analysis import Prior, SequentialDesign


def take_look(
    observations: pd.DataFrame,
    look: int,
    *,
    plan: Plan,
    baseline: Configuration,
    finalists: Sequence[Proposal],
    going: Sequence[Proposal],
    before: Sequence[Look],
    verdict: VerdictTable,
    futility: float,
    seed: int,
    priors: Mapping[int, Prior] | None = None,
) -> Look:
    """Decide which finalists need no more seeds.

    A finalist is settled if it crosses the boundary of this look, after Holm's allowance for the other finalists. It is
    also settled if it would hardly cross the boundary at the end; stopping then is non-binding and raises no error
    rate.

    Args:
        observations: Rows of the confirmation so far; see `analysis.observations.table`.
        look: Number of the look, from 1.
        plan: The plan.
        baseline: The baseline.
        finalists: All finalists.
        going: The finalists that are not settled yet.
        before: Decisions of the earlier looks.
        verdict: The kind of claim, and its alpha.
        futility: Probability of a claim at the end below which a finalist is given up; see `SequentialDesign`.
        seed: Seed of a permutation test.
        priors: The search's belief in the finalists' gains, by trial number; used for futility only.

    Returns:
        The look with its decision.
    """
    seeds = plan.looks[look - 1]
    design = design_of(plan, alpha=verdict.alpha, futility=futility)
    if design is None or look == len(plan.looks):
        return Look(look, seeds, settled=tuple(arm.number for arm in going))
    # More seeds of two greedy arms are the same texts again.
    settled = [arm for arm in going if baseline.is_greedy and arm.configuration.is_greedy]
    abandoned, sentences, trials = [], [], []
    for arm in going:
        if arm in settled:
            continue
        settles, gives_up, sentence = _assess(
            observations,
            look,
            design,
            baseline,
            arm,
            finalists=finalists,
            before=before,
            verdict=verdict,
            prior=(priors or {}).get(arm.number),
            seed=seed,
        )
        if settles:
            settled.append(arm)
        if gives_up:
            abandoned.append(arm.number)
        name = f"{arm.name or arm.title.capitalize()}: " if len(finalists) > 1 else ""
        sentences.append(name + sentence)
        trials.append(arm.number)
    return Look(
        look,
        seeds,
        settled=tuple(arm.number for arm in settled),
        given_up=tuple(abandoned),
        sentences=tuple(sentences),
        trials=tuple(trials),
    )


def _assess(
    observations: pd.DataFrame,
    look: int,
    design: SequentialDesign,
    baseline: Configuration,
    arm: Proposal,
    *,
    finalists: Sequence[Proposal],
    before: Sequence[Look],
    verdict: VerdictTable,
    prior: Prior | None,
    seed: int,
) -> tuple[bool, bool, str]:
    """Return whether a look settles a finalist, whether it gives it up, and the sentence of the look."""
    from analysis import TableError, judge

    key = arm.configuration.key
    try:
        decision = design.decide(
            look,
            observations,
            baseline.key,
            key,
            claim=verdict.claim,
            min_gain=verdict.min_gain,
            prior=prior,
            margin=verdict.margin or verdict.min_gain,
            seed=seed,
        )
    except TableError as error:  # too many requests of this look failed: the next one has more
        return False, False, f"{design.name_of(look)}: no decision yet ({error})."
    if decision.stop != "efficacy" or len(finalists) == 1:
        gives_up = decision.stop == "futility" and not math.isnan(decision.chance)  # greedy arms have no chance
        return decision.stop is not None, gives_up, decision.sentence
    verdicts = judge(
        observations,
        baseline=baseline.key,
        finalists=[other.configuration.key for other in finalists],
        claim=verdict.claim,
        alpha=verdict.alpha,
        design=design,
        look=judged_at(before, baseline, finalists, look),
        seed=seed,
    )
    own = next(each for each in verdicts if each.configuration == key)
    if own.p_value <= verdict.alpha:
        return True, False, decision.sentence
    shared = f"{design.name_of(look)}: difference {decision.effect:+.3f}; p = {own.p_value:.2g} after allowing"
    return False, False, f"{shared} for {len(finalists)} finalists and {design.looks} looks; go on."
