"""The settings to use now, as a study's verdict has it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from analysis.verdict.use_now import UseNow, changes, use_now_for, without_verdict
from sweeps.workspace.study_lock import standing_of

if TYPE_CHECKING:
    from analysis import Verdict
    from sweeps.results.result import SweepResult


def use_now(result: SweepResult, verdicts: Sequence[Verdict] | None = None) -> UseNow:
    """The settings to use now, and why.

    Args:
        result: The study.
        verdicts: Verdicts with other settings, the one that counts first; by default the study's.
    """
    verdict = next(iter(result.verdicts if verdicts is None else verdicts), None)
    if verdict is None:
        return without_verdict(why_no_verdict(result))
    key, baseline = verdict.configuration, result.baseline
    return use_now_for(
        verdict,
        changes(baseline.values, result.configurations[key].values),
        effect=result.fresh_effects.get(key),
        broken=result.limits.broken(key),
        baseline_broken=result.limits.broken(baseline.key),
    )


def why_no_verdict(result: SweepResult) -> str:
    """Say why a study has no verdict, as a clause; not to be asked of a study that has one."""
    from analysis import TableError

    record = result.stored.record
    if record.confirmed is not None and result.finalists:
        try:
            result.judge_all()
        except TableError as error:
            return f"the confirmation cannot be judged ({error})"
    if record.finalists == ():
        explored = result.stage("explore")
        scored = bool(explored["score"].notna().any())
        return (
            "every trial with a score has these same settings, so there was nothing to confirm"
            if scored
            else "no trial of the search has a score, so there was nothing to confirm"
        )
    status = standing_of(result.directory, result.name, result.status)
    return f"there is no verdict yet, because the confirmation is not complete (status: {status})"
