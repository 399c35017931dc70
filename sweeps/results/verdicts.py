"""The verdicts of a study."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from sweeps.ledger.study_record import StudyRecord
from sweeps.options import Configuration
from sweeps.results.look_history import outdated, scorings_of
from sweeps.search.trial import Proposal

if TYPE_CHECKING:
    import pandas as pd

    from analysis import Verdict


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
    record: StudyRecord,
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
    before = outdated(record.looks, record.scoring, finalists)
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
