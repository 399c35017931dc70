"""Scored answers from an Optuna study of the user's own."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from analysis.observations.table_error import TableError
from analysis.sources.answer import Answer
from analysis.sources.optuna_trials import of_trials
from sweeps.addresses import without_password
from sweeps.search.quiet_optuna import quiet_optuna

if TYPE_CHECKING:
    from optuna.storages import BaseStorage


def study_answers(storage: str, columns: Mapping[str, str], study: str | None = None) -> list[Answer]:
    """Read the trials of a study.

    Args:
        storage: Its storage: a SQLAlchemy URL, or a journal file (`.log`).
        columns: See `analysis.sources.optuna_trials.of_trials`.
        study: The study's name; not needed where there is only one.

    Raises:
        TableError: There is no such storage or study, or it cannot be read.
    """
    import optuna

    with quiet_optuna():
        opened = _open(storage)
        names = optuna.study.get_all_study_names(opened)
        name = _name(names, study)
        trials = optuna.load_study(study_name=name, storage=opened)
        fields = ("number", "value", "params", "user_attrs", "state", "intermediate_values")
        rows = trials.trials_dataframe(attrs=fields).to_dict("records")
    return list(of_trials([{str(key): value for key, value in row.items()} for row in rows], columns))


def _open(storage: str) -> BaseStorage:
    import sqlalchemy.exc
    from optuna.exceptions import StorageInternalError
    from optuna.storages import JournalStorage, RDBStorage
    from optuna.storages.journal import JournalFileBackend

    file = storage.removeprefix("sqlite:///")
    if "://" not in file and not Path(file).is_file():
        raise TableError("no such file")
    try:
        return RDBStorage(storage) if "://" in storage else JournalStorage(JournalFileBackend(storage))
    except (sqlalchemy.exc.SQLAlchemyError, StorageInternalError, RuntimeError, ImportError) as error:
        reason = without_password(str(error).partition("\n")[0])
        raise TableError(f"cannot be opened as storage of Optuna: {reason}") from None


def _name(names: list[str], study: str | None) -> str:
    """Return the name of the study to read."""
    if study is None and len(names) == 1:
        return names[0]
    shown = ", ".join(sorted(names)) or "none"
    if study is None:
        raise TableError(
            f"it has several studies: {shown}; choose one with --study NAME" if names else "it has no study"
        )
    if study not in names:
        near = difflib.get_close_matches(study, names, n=1)
        raise TableError(f"no study {study!r}; " + (f"did you mean {near[0]!r}?" if near else f"it has {shown}"))
    return study
