"""Trials in Optuna's storage."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from sweeps.errors import SweepError
from sweeps.workspace.sqlite_files import damage_of, is_damaged, place_database

if TYPE_CHECKING:
    import optuna


@contextmanager
def _told(storage: str) -> Iterator[None]:
    """Turn a failure of Optuna's storage into a message: SQLAlchemy's and Optuna's errors share no base."""
    try:
        yield
    except Exception as error:
        first = error.__cause__ or error
        reason = str(getattr(first, "orig", None) or first).splitlines()[0]
        if is_damaged(reason):
            raise SweepError(f"Optuna's storage {damage_of(storage, reason)}") from error
        raise SweepError(
            f"Optuna's storage {storage} cannot be used: {reason}; check that its folder is"
            " writable and has free space. Everything generated is kept: run the same command to go on"
        ) from error


def _open_study(name: str, storage: str) -> optuna.Study:
    import optuna

    with _told(storage):
        if storage.startswith("sqlite:///"):
            place_database(Path(storage.removeprefix("sqlite:///")), _make_storage)
        return optuna.create_study(study_name=name, storage=storage, direction="maximize", load_if_exists=True)


def _make_storage(url: str) -> None:
    from optuna.storages import RDBStorage

    RDBStorage(url).engine.dispose()


def _delete_study(name: str, storage: str) -> None:
    import optuna

    optuna.delete_study(study_name=name, storage=storage)
