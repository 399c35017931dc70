"""Fixtures of the chaos suite."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import matplotlib.figure
import pytest
from matplotlib.figure import Figure

from analysis.report import page
from analysis.report.data import ReportData
from sweeps.workspace import sqlite_files
from tests.chaos.harness import Undisturbed, disturbed, write
from tests.chaos.state import state_of
from tests.sweeps.conftest import save_blank
from tests.sweeps.sweep_files import run


@pytest.fixture(scope="package", autouse=True)
def light_pages() -> Iterator[None]:
    """Pages and plots are written as ever, but are nearly empty: making them takes longer than a whole sweep."""

    def draw(data: ReportData, **_: Any) -> dict[str, Figure]:
        return {name: Figure() for name in ("confirm", "history")}

    def render_report(data: ReportData, figures: Mapping[str, Figure], **_: Any) -> str:
        return f"{data.study}: {[verdict.sentence for verdict in data.verdicts]}, {len(figures)} figures\n" * 999

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(matplotlib.figure.Figure, "savefig", save_blank)
        patch.setattr(page, "draw", draw)
        patch.setattr(page, "render_report", render_report)
        yield


@pytest.fixture(scope="package", autouse=True)
def own_workshop() -> Iterator[None]:
    """Databases are made in a folder of these tests: what their kills leave is not seen by others."""
    folder = Path(mkdtemp(prefix="chaos-", dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sqlite_files, "_workshop", lambda: folder / "slm-sweeps")
        yield
    shutil.rmtree(folder)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 64 MB in memory."""
    command = ["mount", "-t", "tmpfs", "-o", "size=64m", "none", str(tmp_path)]
    if os.geteuid() != 0 or subprocess.run(command, check=False, capture_output=True).returncode:
        pytest.skip("needs the right to mount a disk")
    yield tmp_path
    subprocess.run(["umount", "--lazy", str(tmp_path)], check=True)


@pytest.fixture(scope="package")
def whole(tmp_path_factory: pytest.TempPathFactory, light_pages: None) -> Callable[[bool], Undisturbed]:
    """The sweep that nothing disturbs, with MLflow and report or without them."""

    @cache
    def undisturbed(ledger_only: bool) -> Undisturbed:
        run(
            write(tmp_path_factory.mktemp("first")), tracking=not ledger_only, report=not ledger_only
        )  # for the imports
        path = write(tmp_path_factory.mktemp("whole"))
        ending = disturbed(path, ledger_only=ledger_only)
        assert (ending.how, ending.warnings) == ("done", ())
        return Undisturbed(state_of(path.parent / "mlruns"), ending.steps)

    return undisturbed
