"""The settings to use now, from a study's verdict."""

from __future__ import annotations

from collections.abc import Sequence

from analysis import TableError, Verdict
from analysis.verdict.use_now import UseNow, changes, use_now_for, without_verdict
from sweeps.results.study_data import StudyData
from sweeps.results.verdicts import fresh_effects, judge_finalists, recommended
from sweeps.workspace.study_lock import standing_of


def use_now(study: StudyData, verdicts: Sequence[Verdict], *, recommend: float | None = None) -> UseNow:
    """Return the settings to use now, and why.

    Args:
        study: The study.
        verdicts: Its verdicts, also by other settings than the study's; the best first.
        recommend: The threshold of a recommendation; by default the study's (`[verdict] recommend`).
    """
    verdict = next(iter(verdicts), None)
    if verdict is None:
        return without_verdict(why_no_verdict(study))
    key, baseline = verdict.configuration, study.baseline
    effects = fresh_effects(study.stage("confirm"), baseline, study.finalists)
    return use_now_for(
        verdict,
        changes(baseline.values, study.configurations[key].values),
        effect=effects.get(key),
        recommended=recommended(study, verdict, effects, recommend=recommend),
        broken=study.limits.broken(key),
        baseline_broken=study.limits.broken(baseline.key),
        name=study.called[key] if study.is_comparison else "",
    )


def why_no_verdict(study: StudyData) -> str:
    """The reason why a study without a verdict has none, as a clause."""
    record = study.stored.record
    if record.confirmed is not None and study.finalists:
        try:
            judge_finalists(study)
        except TableError as error:
            return f"the confirmation cannot be judged ({error})"
    if record.finalists == ():
        explored = study.stage("explore")
        scored = bool(explored["score"].notna().any())
        return (
            "every trial with a score has these same settings, so there was nothing to confirm"
            if scored
            else "no trial of the search has a score, so there was nothing to confirm"
        )
    status = standing_of(study.workspace, study.name, study.status)
    return f"there is no verdict yet, because the confirmation is not complete (status: {status})"
