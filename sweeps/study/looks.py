"""Looks at a confirmation: when a finalist is settled before all planned seeds are spent, as pure functions."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
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
    rate. The end of a run-off settles those that are behind.

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
        priors: The search's belief in the finalists' gains, by trial number; used for futility and run-off only.

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
    found = Look(
        look,
        seeds,
        settled=tuple(arm.number for arm in settled),
        given_up=tuple(abandoned),
        sentences=tuple(sentences),
        trials=tuple(trials),
    )
    if seeds != plan.runoff_seeds:
        return found
    gone = {number for each in (*before, found) for number in each.given_up}
    gains = {
        arm.number: _expected_gain(observations, look, design, baseline, arm, verdict, (priors or {}).get(arm.number))
        for arm in finalists
        if arm.number not in gone
    }
    return after_runoff(found, {arm.number: arm for arm in finalists}, gains, plan.runoff_left, design)


def after_runoff(
    look: Look, finalists: Mapping[int, Proposal], gains: Mapping[int, float], left: int, design: SequentialDesign
) -> Look:
    """Return the look that ends a run-off, where finalists that are behind leave.

    Args:
        look: The look so far.
        finalists: All finalists, by trial number.
        gains: Expected gain of each finalist that no look gave up, by trial number; the search's first choice first.
        left: Number of finalists that may go on.
        design: The looks.
    """
    ranked = sorted(gains, key=lambda number: -gains[number])
    ahead = [finalists[number] for number in ranked[:left]]
    behind = [number for number in ranked[left:] if number in (look.trials or ()) and number not in look.settled]
    names = " and ".join(f"{arm.name or arm.title} ({gains[arm.number]:+.3f})" for arm in ahead)

    def sentence(number: int, before: str) -> str:
        if number not in behind:
            return before
        arm = finalists[number]
        leaves = f"expected gain {gains[number]:+.3f}; it leaves, since {names} {'are' if left > 1 else 'is'} ahead."
        return f"{arm.name or arm.title.capitalize()}: {design.name_of(look.look)}, the end of the run-off: {leaves}"

    return replace(
        look,
        settled=(*look.settled, *behind),
        overtaken=tuple(behind),
        sentences=tuple(map(sentence, look.trials or (), look.sentences)),
    )


def _expected_gain(
    observations: pd.DataFrame,
    look: int,
    design: SequentialDesign,
    baseline: Configuration,
    arm: Proposal,
    verdict: VerdictTable,
    prior: Prior | None,
) -> float:
    """Return the gain to expect of a finalist, by the search and by its fresh generations; -inf where neither knows."""
    from analysis import TableError
    from analysis.verdict.recommendation import combined

    try:
        decision = design.decide(look, observations, baseline.key, arm.configuration.key, claim=verdict.claim)
    except TableError:  # too many of its requests failed
        return -math.inf if prior is None else prior.mean
    error = decision.standard_error
    if prior is None or not error > 0:
        return decision.effect
    # The baseline has about half of the error's variance. All finalists have that half in common, so it does not count.
    return combined(decision.effect, error / math.sqrt(2), prior)[0]


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
