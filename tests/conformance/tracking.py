"""The suite for tracking (`sweeps.tracking.logbook.Logbook`)."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest

from sweeps.progress import Silent
from sweeps.results.result import SweepResult
from sweeps.tracking.logbook import Logbook
from sweeps.tracking.mlflow_store import TrackingError


class Warnings(Silent):
    """Keeps the warnings."""

    def __init__(self) -> None:
        self.warnings: list[str] = []

    def note(self, text: str, *, warning: bool = False) -> None:
        assert warning, f"tracking reports warnings only, not {text!r}"
        self.warnings.append(text)


@dataclass(frozen=True)
class StoredRun:
    """A run as the store gives it back: its status, parameters, tags, and the values of the metric `score`."""

    status: str
    params: Mapping[str, str]
    tags: Mapping[str, str]
    scores: tuple[float, ...]


def begin(open_logbook: Callable[[Warnings], Logbook], result: SweepResult) -> tuple[Logbook, Warnings]:
    """A logbook that has started."""
    warnings = Warnings()
    logbook = open_logbook(warnings)
    fingerprints = {model: found for models in result.hosts.values() for model, found in models.items()}
    logbook.start([SimpleNamespace(fingerprints=fingerprints)], result.cases, result.plan)  # type: ignore[list-item]
    logbook.ready()
    return logbook, warnings


class UnusableStoreSuite:
    """The contract of tracking where the store cannot be used when the sweep starts.

    The opening, or the wait for the start, is a `TrackingError`: a message for the user, without a password. To end the
    sweep then is no further error.

    A subclass supplies the fixture `open_logbook`, as for `TrackingSuite`.
    """

    @pytest.fixture
    def open_logbook(self, result: SweepResult) -> Callable[[Warnings], Logbook]:
        raise NotImplementedError

    def test_the_start_is_an_error(self, open_logbook: Callable[[Warnings], Logbook], result: SweepResult) -> None:
        with pytest.raises(TrackingError) as caught:
            begin(open_logbook, result)
        assert caught.value.exit_code == 2
        assert "MLflow" in str(caught.value)
        assert "secret" not in str(caught.value)

    def test_the_end_is_no_further_error(
        self, open_logbook: Callable[[Warnings], Logbook], result: SweepResult
    ) -> None:
        warnings, opened = Warnings(), []

        def start() -> None:
            opened.append(open_logbook(warnings))
            begin(lambda _: opened[0], result)

        with pytest.raises(TrackingError):
            start()
        for logbook in opened:
            logbook.end("failed")
        assert not warnings.warnings


class TrackingSuite:
    """The contract of tracking, whatever becomes of the store after the start.

    - No call raises: a failure is a warning through `Progress.note`.
    - Nothing of a sweep's result changes by being logged.
    - Everything may be logged again, by the same logbook or by a new one: the store has the same runs as before.
    - `finish` logs what is missing, and the verdict. `finish` and `end` leave no run open.
    - Rows without a score, and a configuration without rows, are no failures.

    A subclass supplies the fixtures `open_logbook` and `stored`, and the class attributes.

    Attributes:
        keeps: Whether the store keeps what is logged.
        fails: Whether it fails after the start, so that there are warnings.
    """

    keeps: ClassVar[bool] = True
    fails: ClassVar[bool] = False

    @pytest.fixture
    def open_logbook(self, result: SweepResult) -> Callable[[Warnings], Logbook]:
        """Open a logbook of the study of `result`."""
        raise NotImplementedError

    @pytest.fixture
    def stored(self, result: SweepResult) -> Callable[[], dict[str, StoredRun]]:
        """Everything that the store has of the study, by the runs' names; the sweep's own run has the study's name."""
        raise NotImplementedError

    @pytest.fixture
    def after_start(self) -> Callable[[], object]:
        """What happens to the store as soon as the sweep has started."""
        return lambda: None

    @pytest.fixture
    def begun(
        self,
        open_logbook: Callable[[Warnings], Logbook],
        result: SweepResult,
        after_start: Callable[[], object],
    ) -> tuple[Logbook, Warnings]:
        """A logbook that has started."""
        started = begin(open_logbook, result)
        after_start()
        return started

    def log(self, logbook: Logbook, result: SweepResult, trial: int, **changes: Any) -> None:
        """Log one configuration as a sweep does."""
        rows = [{**row, **changes} for row in result.rows if row["trial"] == trial]
        configuration = result.configurations[rows[0]["configuration"]]
        logbook.log(trial, configuration, rows, [answer for answer in result.answers if answer["trial"] == trial])

    def test_a_sweep_is_logged(
        self, begun: tuple[Logbook, Warnings], result: SweepResult, stored: Callable[[], dict[str, StoredRun]]
    ) -> None:
        logbook, warnings = begun
        before = result.observations.to_json(), len(result.answers), result.verdict
        for trial in (-1, 0, 1):
            self.log(logbook, result, trial)
        logbook.finish(result)
        assert (result.observations.to_json(), len(result.answers), result.verdict) == before
        assert bool(warnings.warnings) == self.fails
        runs = stored()
        if not self.keeps:
            assert all(run.status == "RUNNING" and not run.scores for run in runs.values())
            return
        sweep = runs.pop(result.name)
        assert sweep.status == "FINISHED"
        assert sweep.params["temperature"] == "1.2"
        assert result.verdict is not None
        assert sweep.tags["verdict"] == result.verdict.outcome
        # also the configurations that were not logged on the way
        assert len(runs) == result.observations.groupby(["trial", "configuration"]).ngroups
        for name, run in runs.items():
            trial = -1 if name == "baseline" else int(name.split()[-1])
            scores = [row["score"] for row in result.rows if row["trial"] == trial]
            assert run.status == "FINISHED"
            assert sorted(run.scores) == pytest.approx(sorted(scores))

    def test_logging_again_changes_nothing(
        self,
        begun: tuple[Logbook, Warnings],
        open_logbook: Callable[[Warnings], Logbook],
        result: SweepResult,
        stored: Callable[[], dict[str, StoredRun]],
    ) -> None:
        logbook, _ = begun
        self.log(logbook, result, -1)
        self.log(logbook, result, -1)
        logbook.finish(result)
        before = stored()
        if self.fails:  # a new logbook would be refused
            logbook.finish(result)
        else:
            again, _ = begin(open_logbook, result)
            self.log(again, result, 0)
            again.finish(result)
        assert stored() == before

    @pytest.mark.parametrize(("status", "end"), [("stopped", "KILLED"), ("failed", "FAILED")])
    def test_a_sweep_that_ends_early_leaves_no_run_open(
        self,
        begun: tuple[Logbook, Warnings],
        result: SweepResult,
        stored: Callable[[], dict[str, StoredRun]],
        status: str,
        end: str,
    ) -> None:
        logbook, warnings = begun
        self.log(logbook, result, -1)
        logbook.end(status)
        if self.keeps:
            runs = stored()
            assert runs[result.name].status == end
            assert "RUNNING" not in {run.status for run in runs.values()}
            assert not warnings.warnings

    def test_rows_without_a_score_are_logged(
        self, begun: tuple[Logbook, Warnings], result: SweepResult, stored: Callable[[], dict[str, StoredRun]]
    ) -> None:
        logbook, warnings = begun
        logbook.log(0, result.configurations[result.rows[0]["configuration"]], [], [])  # nothing yet
        self.log(logbook, result, 1, score=math.nan, finish="error")
        logbook.end("stopped")
        if self.keeps:
            runs = stored()
            assert set(runs) == {result.name, "trial 01"}
            assert (runs["trial 01"].status, runs["trial 01"].scores) == ("FAILED", ())
            assert not warnings.warnings

    def test_an_end_without_a_start_does_nothing(
        self, open_logbook: Callable[[Warnings], Logbook], stored: Callable[[], dict[str, StoredRun]]
    ) -> None:
        warnings = Warnings()
        open_logbook(warnings).end("failed")
        assert not warnings.warnings
        assert stored() == {}
