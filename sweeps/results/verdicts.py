"""Verdicts of a study: its finalists judged against the baseline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pandas as pd

from analysis import TableError, Verdict, judge
from analysis.comparison.estimate import ROUNDING
from analysis.comparison.pair import pair
from analysis.observations.table import summarize
from analysis.verdict.recommendation import Recommendation, recommendation
from analysis.verdict.sentences import named, sentence_for
from sweeps.budget.detectable_gain import design_of
from sweeps.errors import SweepError
from sweeps.ledger.study_record import StoredStudy
from sweeps.options import Configuration
from sweeps.results.look_history import given_up, judged_at, outdated, overtaken, scorings_of, stored_priors
from sweeps.results.study_data import PLACE_COLUMNS, StudyData
from sweeps.search.trial import Proposal
from sweeps.workspace.study_lock import standing_of

_SETTINGS = ("claim", "alpha", "margin", "min_gain", "assume_missing_at_random")
"""Keys of `[verdict]`, which are arguments of `analysis.judge`."""


def judge_finalists(study: StudyData, *, scores: pd.DataFrame | None = None, **changes: Any) -> list[Verdict]:
    """Judge the finalists of a study by its confirmation.

    Args:
        study: The study.
        scores: Other scores of the confirmation's texts, with the columns of their places; the study's by default.
        **changes: `claim`, `alpha`, `margin`, `min_gain`, `test` or `assume_missing_at_random`, where not None.

    Returns:
        The verdicts in the order of preference: usable finalists (`is_usable`) first, then by
        whether they are shown better, by whether they did not leave a run-off, by whether no look gave them up, and by
        the fresh effect.

    Raises:
        SweepError: If there is no complete confirmation.
        analysis.TableError: If the observations do not allow the claim.
    """
    observations = _confirmation(study, scores)
    table, finalists = study.config.verdict, study.finalists
    settings: dict[str, Any] = {name: getattr(table, name) for name in _SETTINGS}
    settings |= {name: value for name, value in changes.items() if value is not None}
    design = design_of(study.plan, alpha=settings["alpha"], futility=study.config.confirm.futility)
    if all(arm.is_greedy for arm in (study.baseline, *(finalist.configuration for finalist in finalists))):
        design = None  # greedy arms have all their texts at once, so that there is no look
    verdicts = judge(
        observations,
        baseline=study.baseline.key,
        finalists=[finalist.configuration.key for finalist in finalists],
        design=design,
        look=judged_at(study.looks, study.baseline, finalists),
        given_up=given_up(study.looks, finalists),
        overtaken=overtaken(study.looks, finalists),
        seed=study.config.study.seed,
        **settings,
    )
    effects = fresh_effects(observations, study.baseline, finalists)
    noted = with_notes(verdicts, effects, study.stored, finalists, names=study.called)

    def rank(verdict: Verdict) -> tuple[bool, bool, bool, bool, float]:
        effect = effects.get(verdict.configuration, verdict.effect)
        usable = is_usable(study, verdict, effect)
        return not usable, verdict.outcome != "better", verdict.overtaken, verdict.given_up, -effect

    return sorted(noted, key=rank)


def _confirmation(study: StudyData, scores: pd.DataFrame | None) -> pd.DataFrame:
    """The observations of a complete confirmation, with other scores if given."""
    observations = study.stage("confirm")
    if scores is not None:  # the other columns stay: the options show greedy rows, the finish failed ones
        place = [name for name in PLACE_COLUMNS if name in scores]
        observations = observations.drop(columns="score").merge(scores[[*place, "score"]], on=place)
    if not study.finalists or observations.empty or not study.is_confirmed:  # no test before the planned end
        raise SweepError(
            f"study {study.name!r} has no complete confirmation yet"
            f" (status: {standing_of(study.workspace, study.name, study.status)}); run it to the end first"
        )
    return observations


def is_usable(study: StudyData, verdict: Verdict, effect: float) -> bool:
    """Whether a finalist is shown better, or ahead without being shown worse, and within the limits.

    Args:
        study: The study.
        verdict: The finalist's verdict.
        effect: Its fresh effect (`fresh_effects`).
    """
    ahead = verdict.outcome == "better" or (effect > 0 and verdict.outcome != "worse")
    return ahead and not study.limits.broken(verdict.configuration)


def recommended(
    study: StudyData, verdict: Verdict, effects: Mapping[str, float], *, recommend: float | None = None
) -> Recommendation:
    """Return whether a finalist is recommended, limits aside, with the probability that it is truly better.

    The search's belief counts only where it is about the scores that the verdict is based on: not after a rescore.
    Without it, the luck of the best of several is taken off: one of many equal ones is always well ahead.

    Args:
        study: The study.
        verdict: The finalist's verdict.
        effects: The fresh effects (`fresh_effects`).
        recommend: The threshold; by default the study's (`[verdict] recommend`).
    """
    record, key = study.stored.record, verdict.configuration
    number = next((arm.number for arm in study.finalists if arm.configuration.key == key), None)
    prior = stored_priors(record).get(number) if number is not None and scorings_of(record) == 1 else None
    least = study.config.verdict.recommend if recommend is None else recommend
    luck = verdict.optimism if prior is None else 0.0
    return recommendation(verdict, effect=effects.get(key), prior=prior, recommend=least, luck=luck)


def fresh_effects(
    observations: pd.DataFrame, baseline: Configuration, finalists: Sequence[Proposal]
) -> dict[str, float]:
    """Differences between each finalist's mean and the mean of all rows of the baseline, by key.

    Both means are over the finalist's cases and hosts. A finalist without a score is missing.
    """
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
        except TableError:  # without an answer there is no mean
            continue
    return found


def with_notes(
    verdicts: Sequence[Verdict],
    effects: Mapping[str, float],
    stored: StoredStudy,
    finalists: Sequence[Proposal],
    *,
    names: Mapping[str, str],
) -> list[Verdict]:
    """Add notes on superseded scores and on early looks to verdicts, and name configurations as people do.

    Args:
        verdicts: The verdicts.
        effects: The fresh effects (`fresh_effects`), which include the generations that the baseline got after a
            finalist had left.
        stored: The study, with its looks and scorings.
        finalists: The finalists.
        names: Names of configurations for people, by key.
    """
    record = stored.record
    before = outdated(record.looks, record.scoring, finalists)
    more: tuple[str, ...] = ()
    if (scorings := scorings_of(record)) > 1:
        had = "With this one the study would have had" if stored.tried else "The study has had"
        more = (
            f"{had} {scorings} scorings: to choose between their verdicts is to choose on the same data,"
            " which p and interval do not allow for. The scoring that was decided on beforehand counts.",
        )
    by = "other scores than these" if stored.tried else "the previous scores, before the study was scored again"
    return [
        _noted(each, effects, settled_by=by if each.configuration in before else "", names=names, more=more)
        for each in verdicts
    ]


def _noted(
    verdict: Verdict, effects: Mapping[str, float], *, settled_by: str, names: Mapping[str, str], more: tuple[str, ...]
) -> Verdict:
    """One verdict with its notes; `settled_by` names the scores that settled the finalist, if they are not these."""
    effect, notes = effects.get(verdict.configuration, verdict.effect), (*more, *verdict.notes)
    if abs(effect - verdict.effect) > ROUNDING:
        notes += (
            f"The verdict uses the generations that {verdict.baseline} had at look {verdict.look}, which settled"
            f" {verdict.configuration}. All its fresh generations have a mean of {verdict.finalist_mean - effect:.3f},"
            f" and the difference from that is {effect:+.3f}: the recommendation uses this difference.",
        )
    if settled_by:
        settled = "gave the comparison up" if verdict.given_up else "settled the comparison"
        settled = "ended the run-off" if verdict.overtaken else settled
        notes += (f"Look {verdict.look} {settled} by {settled_by}.",)
    noted = replace(verdict, look_rescored=bool(settled_by), notes=notes, cautions=(*more, *verdict.cautions))
    return named(replace(noted, sentence=sentence_for(noted)), names)
