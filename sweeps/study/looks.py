"""Looks at a confirmation: when a finalist is settled before all planned seeds are spent, as pure functions."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sweeps.budget.plan import Plan
from sweeps.config.tables import VerdictTable
from sweeps.options import Configuration
from sweeps.search.explorer import Proposal

if TYPE_CHECKING:
    import pandas as pd

    from analysis import Prior, SequentialDesign, Verdict
    from analysis.comparison.claim import Claim


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


def stored_finalists(record: Mapping[str, Any]) -> list[int]:
    """Trial numbers of the finalists that a study keeps; [] before there are any."""
    if "finalists" in record:
        return list(record["finalists"])
    one = record.get("finalist")  # what studies kept when there was always one
    return [] if one is None else [one]


def stored_priors(record: Mapping[str, Any]) -> dict[int, Prior]:
    """What the search believed of the finalists that a study keeps, by trial number; none of an older study."""
    from analysis import Prior

    return {int(number): Prior(**belief) for number, belief in record.get("priors", {}).items()}


def settled_at(looks: Sequence[Mapping[str, Any]]) -> dict[int, int]:
    """At which look each finalist was settled, by trial number."""
    return {trial: decision["look"] for decision in looks for trial in decision["settled"]}


def given_up(looks: Sequence[Mapping[str, Any]], finalists: Sequence[Proposal]) -> list[str]:
    """Keys of the finalists that a look gave up; none in what an older version decided."""
    numbers = {trial for decision in looks for trial in decision.get("given_up", [])}
    return [arm.configuration.key for arm in finalists if arm.number in numbers]


def scoring_of(record: Mapping[str, Any]) -> dict[str, Any]:
    """By what the texts of a study are scored now, as its record has it."""
    return {key: record.get(key) for key in ("case_digests", "objective_digest")}


def scorings_of(record: Mapping[str, Any]) -> int:
    """In how many ways the generations of a study's confirmation have been scored so far, that of now included.

    One that was replaced before there were any does not count, nor does one twice that was gone back to. Of older
    records it is not known which these are: all count.
    """
    before = [scoring for scoring in record.get("scorings", []) if scoring.get("fresh", True)]
    return len({json.dumps(scoring_of(each), sort_keys=True) for each in (*before, record)})


def _is_outdated(decision: Mapping[str, Any], scoring: Mapping[str, Any]) -> bool:
    """Whether a look was taken under another scoring than this one."""
    return bool(decision.get("scoring", scoring) != scoring)


def outdated(
    looks: Sequence[Mapping[str, Any]], scoring: Mapping[str, Any], finalists: Sequence[Proposal]
) -> list[str]:
    """Keys of the finalists that a look ended by other scores than those of now."""
    # Of the last look, which ends whatever is left, nothing is told.
    before = [decision for decision in looks if decision["told"] and _is_outdated(decision, scoring)]
    numbers = {trial for decision in before for trial in decision["settled"]}
    return [arm.configuration.key for arm in finalists if arm.number in numbers]


def told_at(looks: Sequence[Mapping[str, Any]], scoring: Mapping[str, Any]) -> list[str]:
    """What was told at the looks; behind what was told of other scores than those of now, that it was."""
    return [line + _mark(decision, scoring) for decision in looks for line in decision["told"]]


def last_told(looks: Sequence[Mapping[str, Any]], scoring: Mapping[str, Any], trial: int | None) -> str:
    """What was told of a finalist at its last look, marked as in `told_at`; "" where nothing was.

    Args:
        looks: Decisions so far. Of older ones it is not known which trials they told of; there was mostly one.
        scoring: See `scoring_of`.
        trial: Number of the finalist's trial.
    """
    own = [
        line + _mark(decision, scoring)
        for decision in looks
        for line, of in zip(decision["told"], decision.get("told_of", [trial] * len(decision["told"])), strict=True)
        if of == trial
    ]
    return own[-1] if own else ""


def _mark(decision: Mapping[str, Any], scoring: Mapping[str, Any]) -> str:
    return " (As scored then: the study has been scored anew since.)" if _is_outdated(decision, scoring) else ""


def fresh_effects(
    observations: pd.DataFrame, baseline: Configuration, finalists: Sequence[Proposal]
) -> dict[str, float]:
    """How far each finalist's mean lies above that of all rows of the baseline on its cases and hosts, by key."""
    from analysis import TableError
    from analysis.comparison.pair import pair
    from analysis.observations.table import summarize

    found: dict[str, float] = {}
    try:
        cells = summarize(observations)
        base = cells.index(baseline.key, "baseline")
    except TableError:
        return found
    for arm in finalists:
        key = arm.configuration.key
        try:
            found[key] = pair(cells, base, cells.index(key)).effect
        except TableError:  # one without an answer has no mean
            continue
    return found


def explained(
    verdicts: Sequence[Verdict],
    effects: Mapping[str, float],
    record: Mapping[str, Any],
    finalists: Sequence[Proposal],
    *,
    names: Mapping[str, str],
) -> list[Verdict]:
    """Verdicts that say what they do not rest on, in which configurations have the names that people use.

    Args:
        verdicts: The verdicts.
        effects: What `fresh_effects` found: with the generations that the baseline got after a finalist had left.
        record: The study's record: its looks, and by what it has been scored.
        finalists: The finalists.
        names: What people call configurations, by key.
    """
    before = outdated(record.get("looks", []), scoring_of(record), finalists)
    more: tuple[str, ...] = ()
    if (scorings := scorings_of(record)) > 1:
        more = (
            f"The study has had {scorings} scorings: to choose between their verdicts is to choose on the same data,"
            " which p and interval do not allow for. The one that was settled beforehand counts.",
        )
    return [_explained(each, effects, before=each.configuration in before, names=names, more=more) for each in verdicts]


def _explained(
    verdict: Verdict, effects: Mapping[str, float], *, before: bool, names: Mapping[str, str], more: tuple[str, ...]
) -> Verdict:
    """One verdict; `before` says that the finalist was settled by other scores than those of now."""
    from analysis.comparison.estimate import ROUNDING
    from analysis.verdict.sentences import named, sentence_for

    effect, notes = effects.get(verdict.configuration, verdict.effect), (*more, *verdict.notes)
    if abs(effect - verdict.effect) > ROUNDING:
        notes += (
            f"The verdict compares with what {verdict.baseline} had at look {verdict.look}, which settled"
            f" {verdict.configuration}. All its fresh generations have a mean of {verdict.finalist_mean - effect:.3f},"
            f" and the difference from that is {effect:+.3f}: what is recommended goes by this one.",
        )
    if before:
        settled = "gave the comparison up" if verdict.given_up else "settled the comparison"
        notes += (f"Look {verdict.look} was taken before the study was scored anew, and {settled} by the old scores.",)
    told = replace(verdict, look_rescored=before, notes=notes, cautions=(*more, *verdict.cautions))
    return named(replace(told, sentence=sentence_for(told)), names)


def judged_at(
    looks: Sequence[Mapping[str, Any]], baseline: Configuration, finalists: Sequence[Proposal], look: int | None = None
) -> dict[str, int]:
    """At which look each finalist is judged, by key; one that is not there is judged as at the last.

    Args:
        looks: Decisions so far.
        baseline: The baseline.
        finalists: The finalists.
        look: Where those that no look has settled stand; by default they are at the last one.
    """
    settled = settled_at(looks)
    # Two greedy arms had all there is to have at the first look.
    draws = [arm for arm in finalists if not (baseline.is_greedy and arm.configuration.is_greedy)]
    found = {arm.configuration.key: settled.get(arm.number, look) for arm in draws}
    return {key: at for key, at in found.items() if at is not None}


def take_look(
    observations: pd.DataFrame,
    look: int,
    *,
    plan: Plan,
    baseline: Configuration,
    finalists: Sequence[Proposal],
    going: Sequence[Proposal],
    before: Sequence[Mapping[str, Any]],
    verdict: VerdictTable,
    futility: float,
    seed: int,
    priors: Mapping[int, Prior] | None = None,
) -> dict[str, Any]:
    """Say which finalists need no more seeds.

    A finalist is settled where the boundary of this look is crossed (after Holm's allowance for the other finalists),
    or where it would hardly be crossed at the end. Stopping for the latter is non-binding: it raises no error rate.

    Args:
        observations: Rows of the confirmation so far; see `analysis.observations.table`.
        look: Number of the look, from 1.
        plan: The plan.
        baseline: The baseline.
        finalists: All finalists.
        going: Those not settled yet.
        before: Decisions of the earlier looks.
        verdict: What is claimed, and how sure it must be.
        futility: Probability of a claim at the end below which a finalist is given up; see `SequentialDesign`.
        seed: Of a permutation test.
        priors: What the search believes of finalists' gains, by trial number; they bear on futility alone.

    Returns:
        The decision, as JSON types: `look`, `seeds` (per case and arm), `settled` (trial numbers), `given_up` (those
        of them that are settled since a claim is improbable), `told`, a sentence per finalist that was looked at, and
        `told_of`, their trial numbers.
    """
    decision: dict[str, Any] = {"look": look, "seeds": plan.looks[look - 1]}
    decision |= {name: [] for name in ("settled", "given_up", "told", "told_of")}
    design = design_of(plan, alpha=verdict.alpha, futility=futility)
    if design is None or look == len(plan.looks):
        return decision | {"settled": [arm.number for arm in going]}
    # More seeds of two greedy arms are the same texts again.
    settled = [arm for arm in going if baseline.is_greedy and arm.configuration.is_greedy]
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
            decision["given_up"].append(arm.number)
        name = f"Trial {arm.number}: " if len(finalists) > 1 else ""
        decision["told"].append(name + sentence)
        decision["told_of"].append(arm.number)
    return decision | {"settled": [arm.number for arm in settled]}


def _assess(
    observations: pd.DataFrame,
    look: int,
    design: SequentialDesign,
    baseline: Configuration,
    arm: Proposal,
    *,
    finalists: Sequence[Proposal],
    before: Sequence[Mapping[str, Any]],
    verdict: VerdictTable,
    prior: Prior | None,
    seed: int,
) -> tuple[bool, bool, str]:
    """Whether a look settles a finalist, whether it gives it up, and the look in words."""
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
        return False, False, f"Look {look} of {design.looks}: nothing can be told yet ({error})."
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
    shared = f"Look {look} of {design.looks}: difference {decision.effect:+.3f}; p = {own.p_value:.2g} after allowing"
    return False, False, f"{shared} for {len(finalists)} finalists and {design.looks} looks; go on."
