"""The looks of a confirmation, as the study's record keeps them."""

from __future__ import annotations

from collections.abc import Sequence

from analysis.sequential.decision import Prior
from sweeps.ledger.study_record import Look, Scoring, StudyRecord
from sweeps.options import Configuration
from sweeps.search.trial import Proposal


def stored_priors(record: StudyRecord) -> dict[int, Prior]:
    """Return the search's belief in the gain of each finalist, by trial number; {} for older studies."""
    return {number: Prior(**belief) for number, belief in record.priors.items()}


def settled_at(looks: Sequence[Look]) -> dict[int, int]:
    """Return the look that settled each finalist, by trial number."""
    return {trial: look.look for look in looks for trial in look.settled}


def given_up(looks: Sequence[Look], finalists: Sequence[Proposal]) -> list[str]:
    """Return the keys of the finalists that a look gave up."""
    numbers = {trial for look in looks for trial in look.given_up}
    return [arm.configuration.key for arm in finalists if arm.number in numbers]


def overtaken(looks: Sequence[Look], finalists: Sequence[Proposal]) -> list[str]:
    """Return the keys of the finalists that left at the end of a run-off."""
    numbers = {trial for look in looks for trial in look.overtaken}
    return [arm.configuration.key for arm in finalists if arm.number in numbers]


def scorings_of(record: StudyRecord) -> int:
    """Count the different scorings of a study's confirmation, including the current one.

    A scoring that was replaced before the confirmation began does not count; one that was used twice counts once.
    """
    used = [past.scoring for past in record.scorings if past.fresh] + [record.scoring]
    return sum(scoring not in used[:i] for i, scoring in enumerate(used))


def _is_superseded(look: Look, scoring: Scoring) -> bool:
    return look.scoring is not None and look.scoring != scoring


def outdated(looks: Sequence[Look], scoring: Scoring, finalists: Sequence[Proposal]) -> list[str]:
    """Return the keys of the finalists that a look settled by superseded scores."""
    # The last look settles whatever is left, without a sentence.
    before = [look for look in looks if look.sentences and _is_superseded(look, scoring)]
    numbers = {trial for look in before for trial in look.settled}
    return [arm.configuration.key for arm in finalists if arm.number in numbers]


def look_sentences(looks: Sequence[Look], scoring: Scoring, *, last_only: bool = False) -> list[str]:
    """Return the sentence from each look; those based on superseded scores are marked.

    Args:
        looks: The looks.
        scoring: The study's scoring.
        last_only: Return only the last sentence on each trial.
    """
    told = [
        (trial, sentence + _mark(look, scoring))
        for look in looks
        for sentence, trial in zip(look.sentences, look.trials or [None] * len(look.sentences), strict=True)
    ]
    return list(dict(told).values()) if last_only else [sentence for _, sentence in told]


def last_sentence(looks: Sequence[Look], scoring: Scoring, trial: int) -> str:
    """Return the sentence of the look that settled a trial before the end; "" where none did."""
    own = [
        sentence + _mark(look, scoring)
        for look in looks
        for sentence, of in zip(look.sentences, look.trials or [trial] * len(look.sentences), strict=True)
        if of == trial and trial in look.settled
    ]
    return own[-1] if own else ""


def _mark(look: Look, scoring: Scoring) -> str:
    return " (By the scores at that time, which differ from these.)" if _is_superseded(look, scoring) else ""


def judged_at(
    looks: Sequence[Look], baseline: Configuration, finalists: Sequence[Proposal], look: int | None = None
) -> dict[str, int]:
    """Return the look at which each finalist is judged, by key; a finalist that is missing is judged at the last look.

    Args:
        looks: The looks so far.
        baseline: The baseline.
        finalists: The finalists.
        look: The look of the finalists that none has settled; by default the last one.
    """
    settled = settled_at(looks)
    # Two greedy arms had all there is to have at the first look.
    draws = [arm for arm in finalists if not (baseline.is_greedy and arm.configuration.is_greedy)]
    found = {arm.configuration.key: settled.get(arm.number, look) for arm in draws}
    return {key: at for key, at in found.items() if at is not None}
