"""An undisturbed sweep, which others are compared with."""

from __future__ import annotations

from pathlib import Path

import pytest

from sweeps.results.result import SweepResult


@pytest.fixture
def home(plain_folder: Path) -> Path:
    return plain_folder


@pytest.fixture
def clean(plain_study: SweepResult) -> SweepResult:
    return plain_study
