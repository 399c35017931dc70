"""Every kind of study lock against the suite for study locks."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from sweeps.workspace import study_lock as module
from sweeps.workspace.workspace import Workspace
from tests.conformance.study_lock import StudyLockSuite


class FileLock:
    """The lock of a folder of studies."""

    def __init__(self, directory: Path) -> None:
        self.workspace = Workspace.at(directory)

    def hold(self, study: str, doing: str) -> AbstractContextManager[None]:
        return module.study_lock(self.workspace, study, doing, warn=pytest.fail)

    def refuse_busy(self, study: str) -> None:
        module.refuse_busy(self.workspace, study)

    def standing(self, study: str, status: str) -> str:
        return module.standing_of(self.workspace, study, status)


class TestFileLock(StudyLockSuite):
    @pytest.fixture
    def lock(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FileLock:
        monkeypatch.setattr(module, "PATIENCE", 0.0)
        return FileLock(tmp_path)
