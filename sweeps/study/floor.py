"""The first stage: the baseline's run-to-run noise."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from sweeps.budget.detectable_gain import DetectableGain
from sweeps.errors import SweepError
from sweeps.hosts.host import RunStoppedError
from sweeps.progress import Standing
from sweeps.results.reader import read_result
from sweeps.results.study_status import with_judged
from sweeps.scoring.empty_texts import empty_text, mostly_empty, remedy, unfinished_notes
from sweeps.scoring.limits import Limits
from sweeps.scoring.rows import BASELINE_TRIAL
from sweeps.search.trial import TrialResult
from sweeps.study.announcements import announce_floor
from sweeps.study.snapshot import after_floor
from sweeps.study.stages import Stages


class NoAnswersError(SweepError):
    """Most texts of the baseline have no answer, so there is nothing to improve on; the texts are kept."""


def measure_floor(stages: Stages, sight: DetectableGain) -> tuple[Standing, TrialResult]:
    """Generate the baseline on every case and host with repeated seeds, and report its noise.

    Args:
        stages: The running study.
        sight: The smallest gain that was announced before the noise was measured.

    Returns:
        The sweep's standing, and the baseline's result.

    Raises:
        RunStoppedError: If no generation of the baseline could be scored.
        NoAnswersError: If most texts of the baseline have no answer.
    """
    config, measurer, plan, progress = stages.config, stages.measurer, stages.plan, stages.progress
    seeds = range(config.study.seed, config.study.seed + plan.floor_seeds)
    measurer.run(measurer.tasks("floor", BASELINE_TRIAL, config.baseline, seeds, every_host=True))
    progress.step("measuring the noise")
    floor = measurer.result_of(BASELINE_TRIAL, "floor")
    if math.isnan(floor.value):
        raise RunStoppedError(
            "the baseline has no scored generation, so there is nothing to compare with; `sweeps status"
            f" {stages.name}` lists the failures"
        )
    _refuse_empty(measurer.rows, stages.name)
    each = None if plan.is_comparison else plan.trial_cases * plan.seeds
    standing = after_floor(floor, generations_per_trial=each)
    progress.standing(standing)
    for sentence in Limits.of(measurer.rows, config.constraints).broken(config.baseline.key):
        progress.note(f"the baseline {sentence}", warning=True)
    for sentence in unfinished_notes(measurer.rows):
        progress.note(sentence, warning=True)
    result = read_result(stages.ledger, stages.name, stages.workspace, stages=["floor"])
    if set(stages.ledger.observations.count_by_stage(stages.name)) <= {"floor"}:  # else it was judged with more
        stages.update(with_judged(result))
    announce_floor(progress, result, sight)
    stages.track(BASELINE_TRIAL)
    return standing, floor


def _refuse_empty(rows: Sequence[Mapping[str, Any]], study: str) -> None:
    if mostly_empty(rows):
        raise NoAnswersError(
            f"the baseline's answers are empty, so the sweep stops after the floor: {empty_text(rows)}. In [baseline],"
            f" {remedy(rows)}; give the changed sweep another study.name than {study!r}. The texts are kept"
        )
