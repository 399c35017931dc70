"""`read_table`: tables of scores from files, and from MLflow and Optuna stores of the user's own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from analysis.observations.table import TableError
from analysis.sources.read_table import read_table as read_file
from analysis.sources.read_table import table_from
from sweeps.addresses import without_password

if TYPE_CHECKING:
    import pandas as pd

_DATABASES = (".db", ".sqlite", ".sqlite3")


def read_table(
    what: str | Path | Sequence[str | Path],
    *,
    source: str | None = None,
    columns: Mapping[str, str] | None = None,
    score: str | None = None,
    experiment: str | None = None,
    study: str | None = None,
) -> pd.DataFrame:
    """Read a table of scores for `judge`, as `analysis.read_table` does, also from a store.

    Args:
        what: Files or folders; with source `mlflow` or `optuna` also one store: its URL, its SQLite file, Optuna's
            journal file, or MLflow's folder.
        source: The tool that wrote it, of `analysis.sources.read_table.SOURCES`; None for a table.
        columns: See `analysis.read_table`.
        score: The score to judge, where there are several.
        experiment: The experiment in a store of MLflow; not needed where only one has runs.
        study: The study in a storage of Optuna; not needed where there is only one.

    Raises:
        TableError: The message has the name of the file or store.
        TrackingError: MLflow's store does not answer.
    """
    several = [what] if isinstance(what, (str, Path)) else list(what)
    for flag, given, owner in (("experiment", experiment, "mlflow"), ("study", study, "optuna")):
        if given is not None and source != owner:
            raise TableError(f"{flag} {given!r} belongs to source {owner}; leave it out, or name that source")
    store = _store(several[0], source) if len(several) == 1 else None
    if store is None:
        return read_file(several, source=source, columns=columns, score=score)
    wanted = dict(columns or {})
    try:
        if source == "mlflow":
            from sweeps.tracking.experiment_answers import experiment_answers

            return table_from(experiment_answers(store, experiment), score, wanted)
        from sweeps.search.study_answers import study_answers

        return table_from(study_answers(store, wanted, study), score, wanted)
    except TableError as error:
        raise TableError(f"{without_password(str(several[0]))}: {error}") from None


def _store(what: str | Path, source: str | None) -> str | None:
    """Return the address of a store, or None for a file of results."""
    text, path = str(what), Path(what)
    if source not in ("mlflow", "optuna"):
        return None
    if "://" in text:
        return text
    if path.suffix in _DATABASES:
        return f"sqlite:///{text}"
    if source == "mlflow":
        return str(path.resolve().as_uri()) if path.is_dir() else None
    return text if path.suffix == ".log" else None
