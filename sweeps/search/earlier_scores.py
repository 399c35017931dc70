"""Scores of earlier studies about the same thing, as knowledge of a new search."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sweeps.config.space import Param
from sweeps.config.sweep_config import SweepConfig
from sweeps.ledger.ledger import Ledger
from sweeps.ledger.study_record import StoredStudy
from sweeps.options import Configuration
from sweeps.scoring.growing_table import ByTrial, RunningOffsets
from sweeps.scoring.rows import BASELINE_TRIAL, observation_row
from sweeps.scoring.stored_answers import stored_answers
from sweeps.search.trial import TrialResult, stored_proposals
from sweeps.search.trial_scores import penalised, trial_result

if TYPE_CHECKING:
    from sweeps.samplers.earlier import EarlierScores

MOST_SCORES = 200
"""Largest number of earlier scores. A surface is exact up to 500 points, which leaves 300 for the search's own."""


def earlier_scores(config: SweepConfig, ledger: Ledger, studies: Sequence[str]) -> EarlierScores | None:
    """Return the mean scores of the trials of earlier studies; None without any.

    The answers of a finalist's confirmation count too. Only sets inside the space count, with the baseline's values
    for whatever is not searched. Limits take as much from a score as in the new study.

    Args:
        config: The sweep, with the space that is searched.
        ledger: The ledger.
        studies: Names of the studies. A study that is gone, or cannot be read, is left out.
    """
    import numpy as np

    from sweeps.samplers.earlier import EarlierScores

    found = [
        (number, place, result)
        for number, name in enumerate(studies, start=1)
        if (study := ledger.studies.get(name)) is not None and not study.damage
        for configuration, result in _results(config, ledger, study)
        if (place := _inside(config, configuration)) is not None
    ]
    if not found:
        return None
    kept = np.unique(np.linspace(0, len(found) - 1, min(len(found), MOST_SCORES)).round().astype(int))
    numbers, places, results = zip(*(found[index] for index in kept), strict=True)
    return EarlierScores(
        places,
        np.array([result.value for result in results]),
        np.array([result.score for result in results]),
        np.array([result.variance for result in results]),
        np.array(numbers, dtype=np.intp),
    )


def _results(config: SweepConfig, ledger: Ledger, study: StoredStudy) -> Iterator[tuple[Configuration, TrialResult]]:
    """Yield the trials of a study that have a score; one whose proposals are damaged has none."""
    try:
        proposals = stored_proposals(ledger, study.name)
    except (ValueError, LookupError, TypeError, AttributeError):
        return
    trials = {BASELINE_TRIAL: config.baseline} | {each.number: each.configuration for each in proposals}
    rows: list[Mapping[str, Any]] = [
        observation_row(study.name, place, trials[place.trial], entry, scored, error)
        for place, entry, scored, error in stored_answers(ledger, study, config.objective.reasoning, None, None)
        if place.trial in trials
    ]
    cases = sorted({row["case"] for row in rows})
    noise_sd = trial_result([row for row in rows if row["stage"] == "floor"], cases).noise_sd
    searched = [row for row in rows if row["trial"] != BASELINE_TRIAL]
    offsets = RunningOffsets(searched).by_case() if searched else {}
    by_trial = ByTrial(searched)
    for number in dict.fromkeys(row["trial"] for row in searched):
        own = by_trial.of(number)
        result = penalised(trial_result(own, cases, noise_sd, offsets=offsets), own, config.constraints)
        if not math.isnan(result.value):
            yield trials[number], result


def _inside(config: SweepConfig, configuration: Configuration) -> dict[str, Param] | None:
    """Return a configuration as params of the space; None where it differs in something that is not searched."""
    now, then = config.baseline.values, configuration.values
    names = {name for name in (*now, *then) if name not in config.space}
    return None if any(now.get(name) != then.get(name) for name in names) else config.space.params_of(configuration)
