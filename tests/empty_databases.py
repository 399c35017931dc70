"""Empty databases of MLflow and Optuna, made once per run and copied: a new one takes seconds of migrations."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from sweeps.search import trial_store
from sweeps.tracking import mlflow_store
from sweeps.workspace.sqlite_files import place_database


def run_folder(factory: pytest.TempPathFactory) -> Path:
    """The temporary folder that all workers of a run share."""
    own = factory.getbasetemp()
    return own.parent if os.environ.get("PYTEST_XDIST_WORKER") else own


@pytest.fixture(scope="session", autouse=True)
def empty_databases(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Let new databases of MLflow and Optuna be copies; the first of each is made as users' databases are."""
    folder = run_folder(tmp_path_factory)
    with pytest.MonkeyPatch.context() as patch:
        for module, name in ((mlflow_store, "mlflow"), (trial_store, "optuna")):
            patch.setattr(module, "place_database", partial(_place_a_copy, folder / f"empty-{name}.db"))
        yield


def _place_a_copy(empty: Path, path: Path, make: Callable[[str], object]) -> bool:
    place_database(empty, make)
    return place_database(path, lambda url: shutil.copyfile(empty, url.removeprefix("sqlite:///")))
