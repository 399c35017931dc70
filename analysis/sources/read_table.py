"""`read_table`: a table of scores from any file that is known here, ready for `judge`."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING

from analysis.files.pipes import ENDLESS, is_endless
from analysis.observations.table import TableError

if TYPE_CHECKING:
    import pandas as pd

    from analysis.sources.answer import Answer

SOURCES = ("inspect", "lm-eval", "promptfoo", "mlflow", "optuna", "helm")
"""Tools whose files are read directly."""

_NAMES = (
    "Name your own with --columns (columns= in Python), such as --columns configuration=model,case=log,seed=run, or"
    " rename them."
)


def read_table(
    path: str | Path | Sequence[str | Path],
    *,
    source: str | None = None,
    columns: Mapping[str, str] | None = None,
    score: str | None = None,
) -> pd.DataFrame:
    """Read a table of scores for `judge`.

    Args:
        path: A file, or several that make one table. With `lm-eval`, `helm` or `inspect` also a folder of results.
        source: The tool that wrote it, of `SOURCES`; None for a table in CSV, TSV, JSON or JSONL.
        columns: Our names of columns with those of the file, such as `{"case": "sample_id"}`; see
            `analysis.observations.read_scores`. With a source: the settings that say configuration, case or seed.
        score: The score to judge, where a file has several.

    Returns:
        The table with at least configuration, case, seed and score. `attrs["notes"]` lists how it was read. Of several
        tables without a configuration each is a configuration by its file's name.

    Raises:
        TableError: A file is not there or no such table; the message has its name.
    """
    paths = [Path(each) for each in ([path] if isinstance(path, (str, Path)) else path)]
    wanted = dict(columns or {})
    if source is None:
        if score is not None:
            wanted.setdefault("score", score)
        return _plain_tables(paths, wanted)
    if source not in SOURCES:
        raise TableError(f"source {source!r} is not known; write one of {', '.join(SOURCES)}")
    answers: list[Answer] = []
    for each in paths:
        for file in _files(each, source):
            with _named(file, source):
                answers += _answers(file, source, wanted)
    with _named(paths[0]):
        return table_from(answers, score, wanted)


def table_from(answers: Sequence[Answer], score: str | None, columns: Mapping[str, str]) -> pd.DataFrame:
    """Return the finished table of answers, with its notes; the arguments are those of `answer.table_of`."""
    from analysis.observations.read_scores import finished
    from analysis.sources.answer import table_of

    table = table_of(answers, score, columns)
    notes = table.attrs["notes"]
    table = finished(table)
    table.attrs["notes"] = [*notes, *table.attrs["notes"]]
    return table


def _plain_tables(paths: Sequence[Path], columns: Mapping[str, str]) -> pd.DataFrame:
    """Read tables in CSV, TSV or JSON, and put several into one."""
    import pandas as pd

    from analysis.observations.read_scores import finished, read_scores
    from analysis.observations.table import require_columns

    tables = []
    for path in paths:
        with _named(path), _hinting(path):
            table = read_scores(path, columns)
            if len(paths) > 1 and "configuration" not in table:
                table = finished(table.assign(configuration=path.stem))
            require_columns(table, remedy=_NAMES)
            tables.append(table)
    if len(tables) == 1:
        return tables[0]
    notes = [note for table in tables for note in table.attrs["notes"]]
    whole = finished(
        pd.concat([table.astype(dict.fromkeys(table.select_dtypes("category"), object)) for table in tables])
    )
    whole.attrs["notes"] = list(dict.fromkeys([*notes, *whole.attrs["notes"]]))
    return whole.reset_index(drop=True)


def _beside(path: Path) -> str:
    """Return a file beside a path that does not exist, by the name most like its own; "" for none."""
    try:
        names = [each.name for each in path.parent.iterdir() if each.is_file()]
    except OSError:
        return ""
    return next((str(path.parent / name) for name in get_close_matches(path.name, names, n=1, cutoff=0.8)), "")


@contextmanager
def _named(path: Path, source: str = "") -> Iterator[None]:
    """Turn errors about a file into a `TableError` that begins with its name; `source` is the tool that it is from."""
    try:
        if is_endless(path):
            raise TableError(f"{ENDLESS}; give a file")
        yield
    except TableError as error:
        raise TableError(f"{path}: {error}") from None
    except FileNotFoundError:
        near = _beside(path)
        raise TableError(f"{path}: no such file" + (f"; did you mean {near!r}?" if near else "")) from None
    except IsADirectoryError:
        raise TableError(f"{path}: is a folder; name a file in it") from None
    except OSError as error:
        raise TableError(f"{path}: cannot be read: {error.strerror or error}") from None
    except (ValueError, csv.Error) as error:
        kind = "a CSV table" if path.suffix.lower() not in (".json", ".jsonl", ".ndjson", ".eval") else "such a file"
        kind = f"a file of {source}" if source else kind
        raise TableError(f"{path}: is not {kind}: {str(error).strip()}") from None


@contextmanager
def _hinting(path: Path) -> Iterator[None]:
    """Add to an error about a table the tool that the file seems to be from."""
    try:
        yield
    except ValueError as error:
        source = next((source for source in SOURCES if _is_from(path, source)), None)
        if source is None:
            raise
        remedy = f"It looks like results of {source}: add --from {source}."
        raise TableError(f"{str(error).rstrip('.')}. {remedy}") from None


def _is_from(path: Path, source: str) -> bool:
    """Say whether a file can be read as results of a tool."""
    try:
        return bool(_answers(path, source, {}))
    except (ValueError, OSError, csv.Error):
        return False


def _answers(path: Path, source: str, columns: Mapping[str, str]) -> list[Answer]:
    """Read one file of a tool.

    Raises:
        ValueError: It is no such file.
    """
    try:
        return list(_reader(source, columns)(path))
    except (KeyError, TypeError, AttributeError, IndexError) as error:  # JSON of another structure
        reason = f"{type(error).__name__}: {error}"
        raise ValueError(f"it is no file of {source} in a form that is known here ({reason})") from None


def _files(path: Path, source: str) -> list[Path]:
    """Return the files of a tool that a path means."""
    if source == "lm-eval":
        from analysis.sources.lm_eval import files
    elif source == "helm":
        from analysis.sources.helm import files
    elif path.is_dir() and source in ("inspect", "promptfoo"):
        endings = (".eval", ".json") if source == "inspect" else (".json",)
        found = sorted(file for file in path.iterdir() if file.suffix in endings)
        return _some(found, path, source)
    else:
        return [path]
    return _some(files(path), path, source)


def _some(files: list[Path], path: Path, source: str) -> list[Path]:
    """Return the files, at least one."""
    if not files:
        hint = "; run lm-eval with --log_samples" if source == "lm-eval" else ""
        raise TableError(f"{path}: has no results of {source}{hint}")
    return files


def _reader(source: str, columns: Mapping[str, str]) -> Callable[[Path], Iterator[Answer]]:
    """Return the function that reads one file of a tool."""
    from analysis.sources import helm, inspect_logs, lm_eval, mlflow_results, optuna_trials, promptfoo

    return {
        "inspect": inspect_logs.answers,
        "lm-eval": lm_eval.answers,
        "promptfoo": promptfoo.answers,
        "mlflow": mlflow_results.answers,
        "helm": helm.answers,
        "optuna": lambda path: optuna_trials.answers(path, columns),
    }[source]
