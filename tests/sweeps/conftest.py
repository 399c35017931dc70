"""Fixtures of the sweeps' tests."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import matplotlib.figure
import pytest

from sweeps.results.result import SweepResult
from tests.sweeps.sweep_files import run, write_sweep


def pytest_configure() -> None:
    """A shell's background jobs ignore SIGINT, and so do their children: tests of Ctrl-C need it."""
    if threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


SAVE = matplotlib.figure.Figure.savefig
BLANK = '<svg xmlns="http://www.w3.org/2000/svg" width="720pt" height="300pt" viewBox="0 0 720 300"></svg>'
PNG = b"\x89PNG\r\n\x1a\n"


def save_blank(figure: matplotlib.figure.Figure, out: Any, **options: object) -> None:
    """Write a figure to a file or stream as an empty SVG or the start of a PNG."""
    if options.get("format") == "svg":
        out.write(BLANK)
    elif hasattr(out, "write"):
        out.write(PNG)
    else:
        Path(out).write_bytes(PNG)


@pytest.fixture(scope="package", autouse=True)
def blank_plots() -> Iterator[None]:
    """Reports of sweeps have blank plots: to draw them takes several times longer than a small sweep and its report.

    The figures are built as ever. Tests that look at drawn plots use `drawn_plots`.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(matplotlib.figure.Figure, "savefig", save_blank)
        yield


@pytest.fixture
def drawn_plots(monkeypatch: pytest.MonkeyPatch) -> None:
    """Plots are drawn, as they are for users."""
    monkeypatch.setattr(matplotlib.figure.Figure, "savefig", SAVE)


@pytest.fixture(scope="session")
def plain_study(tmp_path_factory: pytest.TempPathFactory) -> SweepResult:
    """The finished sweep of `write_sweep` without changes, in a folder that no test changes."""
    return run(write_sweep(tmp_path_factory.mktemp("plain")))


@pytest.fixture(scope="session")
def plain_folder(plain_study: SweepResult) -> Path:
    """Its folder, with `sweep.toml`, `cases` and `mlruns`."""
    return plain_study.directory.parent


@pytest.fixture
def no_report(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sweeps end without report and plots, which have tests of their own and take longer than the sweep."""
    from sweeps.results import report_files as reporting

    def nothing(result: object, *, warn: object = None) -> reporting.Outputs:
        folder = result.folder  # type: ignore[attr-defined]
        return reporting.Outputs(folder / "report.html", "", "", folder / "observations.csv")

    monkeypatch.setattr(reporting, "write_outputs", nothing)
