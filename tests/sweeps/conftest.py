"""Fixtures of the sweeps' tests."""

from __future__ import annotations

import signal
import threading

import pytest


def pytest_configure() -> None:
    """A shell's background jobs ignore SIGINT, and so do their children: tests of Ctrl-C need it."""
    if threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def no_report(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sweeps end without report and plots, which have tests of their own and take longer than the sweep."""
    from sweeps.results import report_files as reporting

    def nothing(result: object, *, warn: object = None) -> reporting.Outputs:
        folder = result.folder  # type: ignore[attr-defined]
        return reporting.Outputs(folder / "report.html", "", "", folder / "observations.csv")

    monkeypatch.setattr(reporting, "write_outputs", nothing)
