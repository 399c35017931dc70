"""Finished studies that the commands read."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.sweeps.sweep_files import run, write_sweep


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of two finished studies: `other`, and then `t`, shown better."""
    folder = tmp_path_factory.mktemp("finished")
    run(write_sweep(folder, file="other.toml", study={"name": "other", "seed": 8}))
    run(write_sweep(folder))
    return folder


@pytest.fixture(scope="session")
def null(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished study in which nothing matters."""
    folder = tmp_path_factory.mktemp("null")
    run(write_sweep(folder, engine={"options": {"surface": "flat"}}))
    return folder


@pytest.fixture
def copy(finished: Path, tmp_path: Path) -> Path:
    """A copy that a test may change."""
    shutil.copytree(finished / "mlruns", tmp_path / "mlruns")
    return tmp_path
