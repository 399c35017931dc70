"""Runs of stored studies, written from the ledger: after a rescoring, after a failure, or with more traces."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from sweeps.errors import ConfigError
from sweeps.progress import Silent
from sweeps.results.reader import load_result
from sweeps.results.result import SweepResult
from sweeps.tracking.genai.generation_traces import Traced
from sweeps.tracking.logbook import Logbook
from sweeps.tracking.mlflow_store import TrackingError, tracking_uri
from sweeps.workspace.workspace import Workspace


def track_study(
    mlruns: str | Path | Workspace = "mlruns",
    name: str | None = None,
    *,
    traces: Traced | None = None,
    warn: Callable[[str], object] = lambda _: None,
    only_if_tracked: bool = False,
) -> str:
    """Write a study's runs to MLflow from the ledger: what is missing is added, what is there stays.

    Args:
        mlruns: The folder of the ledger, its URL, or a workspace.
        name: The study; by default the last one.
        traces: The generations that get a trace; by default as in the study's file.
        warn: Receiver of warnings about records that could not be written.
        only_if_tracked: Leave MLflow alone for a study that ran without it, and write its files only.

    Returns:
        The store, which may have a password.

    Raises:
        StudyMissingError: If there is no such study.
        TrackingError: If the store cannot be reached or written.
    """
    result = load_result(mlruns, name)
    config = result.config
    if traces is not None:
        config = replace(config, tracking=config.tracking.model_copy(update={"traces": traces}))
    enabled = not (only_if_tracked and result.stored.record.tracked is False)
    logbook = Logbook(result.workspace, config, enabled=enabled, report=True, progress=_Warnings(warn), patient=True)
    logbook.resume(result)
    logbook.finish(result)
    return tracking_uri(result.workspace, config.tracking.uri)


def bring_up_to_date(result: SweepResult, warn: Callable[[str], object]) -> None:
    """Write a study's files and its runs in MLflow again, after its scores have changed.

    A study without a run in MLflow gets none.

    Args:
        result: The study with its new scores.
        warn: Receiver of warnings about records that could not be written to MLflow; the files are written anyway.
    """
    from sweeps.tracking.mlflow_tracker import Tracker

    warnings = _Warnings(warn)
    where = result.workspace, result.config
    logbook = Logbook(*where, enabled=False, report=True, progress=warnings)
    try:
        if Tracker(result.name, result.workspace, result.config.tracking.uri).has_run():
            tracking = Logbook(*where, enabled=True, report=True, progress=warnings)
            tracking.resume(result)
            logbook = tracking
    except (TrackingError, ConfigError) as error:  # a store that may not be used counts as one that cannot be
        warnings.note(str(error), warning=True)
    logbook.finish(result)
    if warnings.any:
        warn("MLflow may still show the previous scores and their verdict; to update it, run this command again")


class _Warnings(Silent):
    """A progress that passes on warnings alone."""

    def __init__(self, warn: Callable[[str], object]) -> None:
        self.any = False
        self._warn = warn

    def note(self, text: str, *, warning: bool = False) -> None:
        """See `Progress.note`."""
        if warning:
            self.any = True
            self._warn(text)
