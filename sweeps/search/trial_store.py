"""Optuna's storage, where completed trials are kept."""

from __future__ import annotations

import math
import sqlite3
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sweeps.addresses import database_address
from sweeps.errors import SweepError
from sweeps.search.quiet_optuna import quiet_optuna
from sweeps.search.trial_rows import add_rows, are_plain, is_known
from sweeps.workspace.postgres import making_tables
from sweeps.workspace.sqlite_files import (
    DamagedStoreError,
    cause_of,
    damage_in,
    damage_of,
    is_damaged,
    is_locked,
    lock_of,
    place_database,
)

if TYPE_CHECKING:
    import optuna
    from optuna.trial import FrozenTrial

    from sweeps.config.space import Space
    from sweeps.options import Configuration
    from sweeps.search.trial import TrialResult


@contextmanager
def readable_errors(storage: str) -> Iterator[None]:
    """Turn failures of Optuna's storage into errors with a message for users.

    Args:
        storage: The storage's URL.

    Raises:
        SweepError: In place of any error; `DamagedStoreError` if the file is damaged.
    """
    try:
        yield
    except SweepError:
        raise
    except Exception as error:  # SQLAlchemy's and Optuna's errors share no base class
        first = cause_of(error)
        shown = _shown(storage)
        reason = str(first if first is not error else error.__cause__ or error).splitlines()[0]
        if is_locked(reason):
            raise SweepError(f"Optuna's storage {lock_of(shown, reason)}") from error
        file = storage.removeprefix("sqlite:///")
        # an error of a value is no error of a disk: what was read is not what was written
        misread = not isinstance(first, (sqlite3.OperationalError, OSError, RuntimeError))
        if is_damaged(reason) or (file != storage and (misread or damage_in(Path(file)))):
            raise DamagedStoreError(f"Optuna's storage {damage_of(shown, reason)}", reason) from error
        raise SweepError(
            f"Optuna's storage {shown} cannot be used: {reason}; check that its folder is"
            " writable and has free space. The generated texts are kept: run the same command again to continue"
        ) from error


def _shown(storage: str) -> str:
    """Return a storage's address without passwords."""
    try:
        return database_address(storage)
    except ValueError as error:
        return f"(whose URL {error})"


class StoredTrials:
    """A study in Optuna's storage, made if missing.

    Args:
        name: The study.
        storage: The storage's URL.

    Attributes:
        study: The study, to read.

    Raises:
        SweepError: If the storage cannot be used.
    """

    def __init__(self, name: str, storage: str) -> None:
        import optuna
        from optuna.exceptions import ExperimentalWarning

        self._name, self._url = name, storage
        with readable_errors(storage), quiet_optuna():
            self._opened = _storage(storage)
            self._known = is_known(self._opened)
            self.study = optuna.create_study(
                study_name=name, storage=self._opened, direction="maximize", load_if_exists=True
            )
            if self.study.metric_names is None:
                with warnings.catch_warnings():  # Optuna calls names of metrics experimental since 3.2
                    warnings.simplefilter("ignore", ExperimentalWarning)
                    self.study.set_metric_names(["score"])

    def add(self, trials: Sequence[FrozenTrial]) -> None:
        """Add finished trials, all of them or none.

        Raises:
            SweepError: If the storage cannot be written.
        """
        if not trials:
            return
        with readable_errors(self._url):
            if self._known and are_plain(trials):
                add_rows(self._opened, self._name, trials)
            else:
                self.study.add_trials(trials)


def _storage(url: str) -> optuna.storages.RDBStorage:
    """Open a storage; in one that was just made, Optuna's slow check of the tables is left out."""
    from optuna.storages import RDBStorage

    new = url.startswith("sqlite:///") and place_database(Path(url.removeprefix("sqlite:///")), _make_storage)
    with making_tables(url):
        return RDBStorage(url, skip_compatibility_check=new, skip_table_creation=new)


def _make_storage(url: str) -> None:
    from optuna.storages import RDBStorage

    RDBStorage(url).engine.dispose()


def replace_stored_study(name: str, storage: str, trials: Sequence[FrozenTrial]) -> StoredTrials:
    """Replace a study in Optuna's storage by one with these trials, since Optuna cannot change a finished trial.

    Raises:
        SweepError: If the storage cannot be used.
    """
    import optuna

    with readable_errors(storage):
        optuna.delete_study(study_name=name, storage=storage)
        made = StoredTrials(name, storage)
        made.add(trials)
    return made


def copy_stored_study(name: str, source: str, new: str, target: str) -> None:
    """Copy a study's trials from one storage to another, in place of the trials that the other one has of it.

    Args:
        name: The study.
        source: The storage's URL; a file that is missing, or has no such study, has nothing to copy.
        new: Its name in the target.
        target: The target's URL.

    Raises:
        SweepError: If a storage cannot be used.
    """
    import optuna

    if source.startswith("sqlite:///") and not Path(source.removeprefix("sqlite:///")).is_file():
        return
    with readable_errors(source), making_tables(source):
        if name not in optuna.get_all_study_names(source):
            return
        trials = optuna.load_study(study_name=name, storage=source).get_trials()
    there = StoredTrials(new, target).study.get_trials(deepcopy=False)
    if [(trial.state, trial.values, trial.params) for trial in there] != [
        (trial.state, trial.values, trial.params) for trial in trials
    ]:
        replace_stored_study(new, target, trials)


def frozen_trial(
    space: Space, params: Mapping[str, Any], result: TrialResult, configuration: Configuration, number: int
) -> FrozenTrial:
    """Return a trial as Optuna's storage keeps it; one without a score has failed.

    A pruned trial has its score on the cases that it had, less their offsets. `best_trial` of Optuna leaves it out.
    """
    from optuna.trial import TrialState, create_trial

    distributions = space.distributions()
    failed = math.isnan(result.value)
    ended = TrialState.PRUNED if result.pruned else TrialState.COMPLETE
    return create_trial(
        state=TrialState.FAIL if failed else ended,
        value=None if failed else result.value,
        params=dict(params),
        distributions={name: distributions[name] for name in params},
        user_attrs=result.user_attrs(configuration) | {"number": number},
    )
