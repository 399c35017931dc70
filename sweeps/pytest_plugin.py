"""The pytest plugin: a fixture that fails a test unless a verdict is as expected.

It is registered with the package, so every pytest run of its environment imports this file: nothing heavy here.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from analysis import Verdict

OUTCOMES = ("better", "worse", "equivalent", "not distinguishable")


@pytest.fixture
def gate(request: pytest.FixtureRequest) -> Callable[..., Verdict]:
    """Return a function that judges a table or a study, and fails the test unless the verdict is expected."""

    def judged(
        what: str | Path | None = None,
        *,
        expect: str | Sequence[str] = "better",
        baseline: str | None = None,
        finalist: str | None = None,
        mlruns: str | Path = "mlruns",
        source: str | None = None,
        columns: dict[str, str] | None = None,
        score: str | None = None,
        **settings: Any,
    ) -> Verdict:
        """Judge `what`; the test fails with the verdict's sentence and notes unless it is one of `expect`.

        A study's finalist that is beyond a limit of the sweep fails where "better" or "equivalent" is expected.

        Args:
            what: A file of scores, from the working directory or beside the test; or a study's name; None for the last
                study.
            expect: The outcomes that pass: better, worse, equivalent, not distinguishable.
            baseline: Label of the baseline, if `what` is a file.
            finalist: Label of the configuration to judge, if the file has several besides the baseline.
            mlruns: Folder or URL of the ledger, if `what` is a study.
            source: The tool that wrote the file; see `analysis.read_table`.
            columns: See `analysis.read_table`.
            score: See `analysis.read_table`.
            **settings: Of `analysis.judge`, such as `margin` or `claim`.

        Returns:
            The verdict.

        Raises:
            ValueError: If an expected outcome is none, or the table cannot be judged.
        """
        wanted = [outcome.replace("-", " ") for outcome in ([expect] if isinstance(expect, str) else expect)]
        if wrong := sorted(set(wanted) - set(OUTCOMES)):
            raise ValueError(f"expect: {wrong[0]!r} is no outcome; write one of {', '.join(OUTCOMES)}")
        path = None if what is None else _found(Path(what), request.path.parent)
        if path is None:
            verdict, outcome = _of_study(None if what is None else str(what), mlruns, settings)
        else:
            verdict = _of_table(path, baseline, finalist, (source, columns, score), settings)
            outcome = verdict.outcome
        if outcome not in wanted:
            limits = "" if outcome == verdict.outcome else f" It is {outcome}; so it is not recommended."
            said = " ".join([f"{verdict.sentence} {verdict.advice}{limits}", *verdict.notes])
            pytest.fail(f"expected {' or '.join(wanted)}: {said}", pytrace=False)
        return verdict

    return judged


def _found(path: Path, beside: Path) -> Path | None:
    """Return the file that a path means; None for the name of a study."""
    for candidate in (path, beside / path):
        if candidate.exists():
            return candidate
    return path if path.suffix else None


def _of_study(name: str | None, mlruns: str | Path, settings: dict[str, Any]) -> tuple[Verdict, str]:
    """Return the verdict on the best finalist, and its outcome with the limits that it does not keep."""
    from sweeps.results.changed_cases import changed_cases_note
    from sweeps.results.reader import load_confirmed

    study = load_confirmed(mlruns, name)
    if changed := changed_cases_note(study):
        warnings.warn(f"study {study.name}: {changed}", stacklevel=3)
    best = study.judge_all(**settings)[0]
    return best, study.limits.gated(best.configuration, best.outcome)


def _of_table(
    path: Path,
    baseline: str | None,
    finalist: str | None,
    reading: tuple[str | None, dict[str, str] | None, str | None],
    settings: dict[str, Any],
) -> Verdict:
    from analysis import judge_one, read_table

    source, columns, score = reading
    table = read_table(path, source=source, columns=columns, score=score)
    if baseline is None:
        labels = ", ".join(sorted(table["configuration"].dropna().astype(str).unique())[:20])
        raise ValueError(f"{path.name}: name the baseline: baseline=...; the labels are: {labels}")
    return judge_one(table, baseline=baseline, finalist=finalist, **settings)
