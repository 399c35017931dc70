"""Looks at a confirmation: when a finalist is settled before all planned seeds are spent, as pure functions."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sweeps.budget.detectable_gain import design_of
from sweeps.budget.plan import Plan
from sweeps.config.tables import VerdictTable
from sweeps.ledger.study_record import Look
from sweeps.options import Configuration
from sweeps.results.look_history import judged_at
from sweeps.scoring.limits import Limits
from sweeps.search.trial import Proposal

if TYPE_CHECKING:
    import pandas as pd

    from analysis import Prior, SequentialDesign
    from analysis.comparison.claim import Claim


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
    limits: Limits | None = None,
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
        limits: Limits held against the rows of the confirmation, for the run-off only.

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
    standings = {
        arm.number: _standing(
            observations,
            look,
            design,
            baseline,
            arm,
            claim=verdict.claim,
            prior=(priors or {}).get(arm.number),
            broken=() if limits is None else limits.broken(arm.configuration.key),
        )
        for arm in finalists
        if arm.number not in gone
    }
    return after_runoff(found, {arm.number: arm for arm in finalists}, standings, plan.runoff_left, design)


@dataclass(frozen=True)
class RunoffStanding:
    """What is known of a finalist at the end of a run-off.

    Attributes:
        effect: Difference of its fresh generations from the baseline; NaN where too many of its requests failed.
        gain: The gain to expect of it, by the search and by its fresh generations; -inf where neither knows.
        broken: Sentences on the limits that its fresh means lie above.
    """

    effect: float
    gain: float
    broken: Sequence[str] = ()

    @property
    def rank(self) -> tuple[bool, bool, float]:
        """Sort key: above a limit it would not be recommended, and without answers it has no verdict."""
        return bool(self.broken), math.isnan(self.effect), -self.gain

    @property
    def text(self) -> str:
        """The standing as a clause."""
        found = f"difference {self.effect:+.3f}"
        if math.isnan(self.effect):
            found = "no difference yet"
        if self.gain not in (self.effect, -math.inf):
            found += f", and with the search's belief an expected gain of {self.gain:+.3f}"
        return "; ".join([found, *(f"it {sentence}" for sentence in self.broken)])


def after_runoff(
    look: Look,
    finalists: Mapping[int, Proposal],
    standings: Mapping[int, RunoffStanding],
    left: int,
    design: SequentialDesign,
) -> Look:
    """Return the look that ends a run-off, where finalists that are behind leave.

    Args:
        look: The look so far.
        finalists: All finalists, by trial number.
        standings: Each finalist that no look gave up, by trial number; the search's first choice first.
        left: Number of finalists that may go on.
        design: The looks.
    """
    ranked = sorted(standings, key=lambda number: standings[number].rank)
    ahead = ranked[:left]
    behind = [number for number in ranked[left:] if number in (look.trials or ()) and number not in look.settled]

    def sentence(number: int, before: str) -> str:
        if number not in behind:
            return before
        arm, own = finalists[number], standings[number]
        others = {finalists[each].name or finalists[each].title: standings[each] for each in ahead}
        when = f"{arm.name or arm.title.capitalize()}: {design.name_of(look.look)}, the end of the run-off"
        return f"{when}: {own.text}; it leaves, since {_ahead_of(own, others)}."

    return replace(
        look,
        settled=(*look.settled, *behind),
        overtaken=tuple(behind),
        sentences=tuple(map(sentence, look.trials or (), look.sentences)),
    )


def _ahead_of(own: RunoffStanding, others: Mapping[str, RunoffStanding]) -> str:
    """Say in which way others, the best first, are ahead of a finalist."""
    last, several, digits = list(others.values())[-1], len(others) > 1, 3
    while digits < 6 and own.gain != last.gain and f"{own.gain:.{digits}f}" == f"{last.gain:.{digits}f}":
        digits += 1
    gains = {name: f" ({each.gain:+.{digits}f})" if math.isfinite(each.gain) else "" for name, each in others.items()}
    names = " and ".join(name + gain for name, gain in gains.items())
    if own.broken and not last.broken:
        return f"{names} {'keep' if several else 'keeps'} the limits"
    if own.rank == last.rank:
        return f"{names} came first in the search"
    return f"{names} {'are' if several else 'is'} ahead"


def _standing(
    observations: pd.DataFrame,
    look: int,
    design: SequentialDesign,
    baseline: Configuration,
    arm: Proposal,
    *,
    claim: Claim,
    prior: Prior | None,
    broken: Sequence[str],
) -> RunoffStanding:
    """Return what is known of a finalist at the end of a run-off."""
    from analysis import TableError
    from analysis.verdict.recommendation import combined

    try:
        decision = design.decide(look, observations, baseline.key, arm.configuration.key, claim=claim)
    except TableError:  # too many of its requests failed
        return RunoffStanding(math.nan, -math.inf if prior is None else prior.mean, broken)
    error = decision.standard_error
    # The baseline's half of the error's variance is common to all finalists and does not count. Greedy arms have none.
    own = error if baseline.is_greedy else 0.0 if arm.configuration.is_greedy else error / math.sqrt(2)
    if prior is None or not own > 0:
        return RunoffStanding(decision.effect, decision.effect, broken)
    return RunoffStanding(decision.effect, combined(decision.effect, own, prior)[0], broken)


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
