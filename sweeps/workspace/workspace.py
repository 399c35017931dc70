"""The places of the ledger, Optuna's trials, MLflow's runs, locks and outputs of sweeps."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from sweeps.errors import SweepError

DEFAULT_FOLDER = Path("mlruns")
_CHOOSE = "choose another folder with --mlruns"


@dataclass(frozen=True)
class Workspace:
    """A folder of sweeps, and the place of everything in it. No other code knows these places.

    Attributes:
        folder: The folder (`mlruns`). Files of sweeps are here, whatever the URLs below.
        storage: SQLAlchemy URL of the ledger; None for a SQLite file in the folder.
        trials: SQLAlchemy URL of Optuna's storage; None for a SQLite file in the folder. It needs a database (or a
            PostgreSQL schema) of its own: ledger and Optuna both have a table `studies`.
    """

    folder: Path
    storage: str | None = field(default=None, repr=False)  # may have a password
    trials: str | None = field(default=None, repr=False)

    @classmethod
    def at(cls, place: str | Path | Workspace) -> Workspace:
        """Return the workspace at a folder, or with its ledger at a database URL and its files in `mlruns`."""
        if isinstance(place, Workspace):
            return place
        if "://" in str(place):
            return cls(DEFAULT_FOLDER, storage=str(place))
        return cls(Path(place))

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
        return self.trials or f"sqlite:///{self.folder / 'optuna.db'}"

    @property
    def runs_file(self) -> Path:
        """The database of MLflow's local store."""
        return self.folder.resolve() / "mlflow.db"

    @property
    def runs_url(self) -> str:
        """URL of MLflow's local store."""
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
