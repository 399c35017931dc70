"""The places of the ledger, Optuna's trials, MLflow's runs, locks and outputs of sweeps."""

from __future__ import annotations

import os
import shlex
import tempfile
from dataclasses import dataclass, field, replace
from pathlib import Path

from sweeps.addresses import is_open
from sweeps.errors import ConfigError, SweepError
from sweeps.workspace.destinations import require_permission
from sweeps.workspace.postgres import in_schema, is_postgres, with_driver

DEFAULT_FOLDER = Path("mlruns")
STORAGE_VARIABLE = "SWEEPS_STORAGE"
"""The environment variable with the URL of a database for all commands."""

_CHOOSE = "choose another folder with --mlruns"


@dataclass(frozen=True)
class Workspace:
    """A folder of sweeps, and the place of everything in it. No other code knows these places.

    Attributes:
        folder: The folder (`mlruns`). Files of sweeps are here, whatever the URLs below.
        storage: SQLAlchemy URL of the ledger; None for a SQLite file in the folder. In PostgreSQL, Optuna's trials and
            MLflow's runs get schemas of their own in the same database.
        trials: SQLAlchemy URL of Optuna's storage, where it is elsewhere. It needs a database (or a PostgreSQL schema)
            of its own: ledger and Optuna both have a table `studies`.
    """

    folder: Path
    storage: str | None = field(default=None, repr=False)  # may have a password
    trials: str | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if self.storage is not None and "://" not in self.storage:  # it would be a file named by its password
            raise ConfigError(
                f"the storage (--storage, {STORAGE_VARIABLE}) is no URL; write postgresql+psycopg://USER@HOST/DATABASE"
            )

    @classmethod
    def at(cls, place: str | Path | Workspace) -> Workspace:
        """Return the workspace at a folder, or with its ledger at a database URL and its files in `mlruns`.

        With SWEEPS_STORAGE in the environment, a folder's ledger is at that URL.
        """
        if isinstance(place, Workspace):
            return place
        if "://" in str(place):
            return cls(DEFAULT_FOLDER, storage=with_driver(str(place)))
        return cls(Path(place)).stored_at(os.environ.get(STORAGE_VARIABLE, "").strip() or None)

    def stored_at(self, url: str | None, *, source: str | None = None) -> Workspace:
        """Return the workspace with its ledger at a URL; the same one if it has a URL already, or gets none.

        Args:
            url: The URL.
            source: The file and key that name it; None if the user does.

        Raises:
            ConfigError: If a file names a place that its user does not permit.
        """
        if url is None or self.storage is not None:
            return self
        if source is not None:
            require_permission(url, self.folder, f"{source} (or name it with {STORAGE_VARIABLE})")
        return replace(self, storage=with_driver(url))

    @property
    def arguments(self) -> str:
        """The words that name it again on a command line, with a blank in front; "" for the usual folder.

        A URL with a password or options is left out, because it would be shown: `SWEEPS_STORAGE` may hold it.
        """
        words = [] if self.folder == DEFAULT_FOLDER else ["--mlruns", str(self.folder)]
        if self.storage is not None and is_open(self.storage):
            words += ["--storage", self.storage]
        return f" {shlex.join(words)}" if words else ""

    @property
    def is_shared(self) -> bool:
        """Whether several coordinators can work on one study of it."""
        return self.storage is not None and is_postgres(self.storage)

    @property
    def ledger(self) -> str:
        """URL of the ledger, or the path of its file."""
        return self.storage or str(self.ledger_file)

    @property
    def ledger_file(self) -> Path:
        """The ledger's file, where it has no URL."""
        return self.folder / "ledger.db"

    @property
    def has_ledger(self) -> bool:
        """Whether there is a ledger; a ledger at a URL is assumed to exist."""
        return self.storage is not None or self.ledger_file.exists()

    @property
    def trials_url(self) -> str:
        """URL of Optuna's storage."""
        if self.trials is None and self.storage is not None and is_postgres(self.storage):
            return in_schema(self.storage, "sweeps_optuna")
        return self.trials or f"sqlite:///{self.folder / 'optuna.db'}"

    @property
    def runs_file(self) -> Path:
        """The database of MLflow's local store."""
        return self.folder.resolve() / "mlflow.db"

    @property
    def runs_url(self) -> str:
        """URL of MLflow's own store, which is used where no other one is named."""
        if self.storage is not None and is_postgres(self.storage):
            return in_schema(self.storage, "sweeps_mlflow")
        return f"sqlite:///{self.runs_file.as_posix()}"

    @property
    def artifacts(self) -> Path:
        """The folder of the local store's artifacts."""
        return self.folder.resolve() / "artifacts"

    @property
    def logs(self) -> Path:
        """The folder of the embedded engine's logs."""
        return self.folder / "logs"

    def outputs(self, study: str) -> Path:
        """Return the folder of a study's report, plots, tables and exports."""
        return self.folder / "sweeps" / study

    @property
    def audits(self) -> Path:
        """The folder of pages, records and advice of audits."""
        return self.folder / "audits"

    def lock(self, study: str) -> Path:
        """Return a study's lock file."""
        return self.outputs(study) / ".lock"

    def require_writable(self, remedy: str = _CHOOSE) -> None:
        """Make the folder if it is missing, and check that it can be written.

        Raises:
            SweepError: If it cannot; the message names a remedy.
        """
        require_writable(self.folder, remedy)


def require_writable(folder: Path, remedy: str = _CHOOSE) -> None:
    """Make a folder if it is missing, and check that it can be written.

    Raises:
        SweepError: If it cannot; the message names a remedy.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise SweepError(f"{folder} cannot be written: {error.strerror}; {remedy}") from None
