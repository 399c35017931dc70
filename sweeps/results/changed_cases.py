"""Cases whose files are other ones than a study's texts were scored by: its verdict is about those of then."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from objectives import CaseError
from sweeps.errors import SweepError
from sweeps.results.study_data import StudyData
from sweeps.scoring.inputs import cases_of


def changed_cases_note(study: StudyData) -> str:
    """Say which rubrics and logs are other ones now, and what to do; "" for none, and where the files are not here."""
    try:
        now = {case.name: case for case in cases_of(study.config)}
    except (CaseError, SweepError, OSError):
        return ""
    both = [(case, now[case.name]) for case in study.cases if case.name in now]
    logs = [case.name for case, file in both if case.log_sha256 != file.log_sha256]
    rubrics = [case.name for case, file in both if case.rubric_sha256 != file.rubric_sha256 and case.name not in logs]
    parts, where = [], study.config.cases_path
    if rubrics:
        again = f"to score them by the files: sweeps rescore {shlex.quote(study.name)}{study.workspace.arguments}"
        parts.append(f"these texts were scored by {_others('rubric', rubrics)} in {where}; {again}")
    if logs:
        parts.append(f"these texts were made from {_others('log', logs)} in {where}")
    return "; ".join(parts)


def _others(what: str, names: Sequence[str]) -> str:
    if len(names) == 1:
        return f"another {what} of {names[0]} than the one"
    return f"other {what}s of {', '.join(names)} than those"
