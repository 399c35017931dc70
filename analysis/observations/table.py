"""The one table, with a row per scored generation; everything in `analysis` is a pure function of it."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from analysis.arrays import BoolArray, FloatArray, IntArray
from analysis.observations.columns import COLUMNS as COLUMNS
from analysis.observations.marks import all_rows, says, searched_groups
from analysis.observations.repeated_draws import Draws, drawn_freely, seeds_once, texts_once
from analysis.observations.scale import UNIT, Scale
from analysis.observations.table_error import TableError as TableError  # whoever reads a table finds its error here
from analysis.observations.table_error import rows_text, some_labels

REQUIRED_COLUMNS = ("configuration", "case", "seed", "score")
"""Columns that a table needs to be judged. `configuration` is any label; `score` is in [0, 1] or on a named scale."""

_ALSO_USED = ("host", "repeat", "finish", "stage", "temperature", "order", "created", "text_sha256")


@dataclass(frozen=True)
class Cells:
    """Sufficient statistics of a table: counts, means and sums of squares per configuration and stratum.

    A stratum is a case on a host; with one host it is a case. A cell is a configuration in a stratum. `n`, `mean`,
    `m2`, `starts`, `made` and `lost` have the shape (configurations, strata).

    Attributes:
        configurations: Labels, sorted.
        cases: Labels of the cases, sorted.
        hosts: Labels of the hosts, sorted; one empty label where the table names none.
        stratum_case: Index into `cases` per stratum, shape (strata,).
        stratum_host: Index into `hosts` per stratum, shape (strata,).
        n: Number of usable observations.
        mean: Mean score; 0 where `n` is 0.
        m2: Sum of squared deviations from the cell's mean.
        starts: Index in `scores` at which a cell's scores start.
        scores: All usable scores, sorted by cell and then by value, shape (usable rows,).
        seeds: Code of the seed of each of them, the same shape; equal seeds have equal codes.
        made: Number of usable observations before those with one text under several seeds were merged.
        lost: Number of rows left out, for an error or a missing score.
        excluded: The same per configuration, shape (configurations,).
        merged: Rows merged with others of the same seed, shape (configurations,); see `repeated_draws.seeds_once`.
        copied: Rows merged with others of the same long text under another seed, shape (configurations,).
        alike: Rows with the text of another seed where nothing says whether chance repeats it, shape (configurations,).
        zero_temperature: Whether all rows of a configuration have `temperature` 0, and no cell has several texts, shape
            (configurations,).
        searched: Whether some row of a configuration comes from a search (SEARCHES), shape (configurations,).
        cluster: Code of the cluster of each case, shape (cases,); None where cases stand for themselves.
        scale: The scale of the metric. `scores` and `mean` are oriented: more is better.
    """

    configurations: tuple[str, ...]
    cases: tuple[str, ...]
    hosts: tuple[str, ...]
    stratum_case: IntArray
    stratum_host: IntArray
    n: IntArray
    mean: FloatArray
    m2: FloatArray
    starts: IntArray
    scores: FloatArray
    seeds: IntArray
    made: IntArray
    lost: IntArray
    excluded: IntArray
    merged: IntArray
    copied: IntArray
    alike: IntArray
    zero_temperature: BoolArray
    searched: BoolArray
    cluster: IntArray | None = None
    scale: Scale = UNIT

    def index(self, label: str, role: str = "configuration") -> int:
        """Return the row of a configuration.

        Args:
            label: The label, as a text.
            role: The noun for it in an error.

        Raises:
            TableError: The label is no text, there is no such label, or it has no usable observation.
        """
        if not isinstance(label, str):  # callers compare it with labels, too, and 1 is not "1"
            raise TableError(f"labels are texts: name the {role} as {str(label)!r}, not as {label!r}")
        if label not in self.configurations:
            near = difflib.get_close_matches(label, self.configurations, n=1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            raise TableError(f"no {role} {label!r} in the table; it has {some_labels(self.configurations)}.{hint}")
        row = self.configurations.index(label)
        if not self.n[row].any():
            lost = int(self.excluded[row])
            raise TableError(f"{role} {label!r} has no usable observation ({lost} rows, all errors or without a score)")
        return row

    def cell_scores(self, row: int, stratum: int) -> FloatArray:
        """Return the scores of one cell in ascending order, shape (scores,)."""
        start = self.starts[row, stratum]
        return self.scores[start : start + self.n[row, stratum]]


def summarize(
    observations: pd.DataFrame, *, once: bool = True, cluster: str | None = None, scale: Scale = UNIT
) -> Cells:
    """Check a table of observations and reduce it to sufficient statistics per cell.

    The result is the same to the last bit for any order of the rows: scores are sorted within each cell before they are
    added up. Rows whose `finish` is "error", or whose score is missing, are left out and counted.

    Args:
        observations: A table with at least REQUIRED_COLUMNS. `host`, `repeat`, `finish`, `stage` and `temperature` are
            used where they exist. So is `text_sha256`, which shows whether a seed that recurs gave the same text again.
        once: Whether a draw that was made again counts once; see `repeated_draws.seeds_once`.
        cluster: Name of a column with the cluster of each case, such as the document that it asks about.
        scale: The scale of the metric.

    Raises:
        TableError: A column is missing or there twice, a label is empty, a score is no number on the scale, or two rows
            have the same configuration, host, case, seed and repeat.
    """
    require_columns(observations)
    scores = scale.oriented(_scores(observations, scale))
    configuration, configurations = _labels(observations, "configuration")
    case, cases = _labels(observations, "case")
    host, hosts = _hosts(observations)
    stratum, stratum_case, stratum_host = _strata(case, host, len(hosts))
    usable = ~np.isnan(scores) & ~says(observations, "finish", "error")
    shape = (len(configurations), len(stratum_case))
    cell = configuration * shape[1] + stratum
    seed = _seeds(observations)
    _refuse_duplicates(observations, cell, seed, usable)
    greedy = all_rows(observations, "temperature", 0, configuration, shape[0])
    texts, free = _texts(observations), drawn_freely(observations)
    greedy &= ~_texts_vary(cell[usable], texts[usable], shape)
    rows = Draws(cell, scores, seed, texts, np.zeros(len(cell), dtype=bool) if free is None else free).of(usable)
    merged, copied, alike = (np.zeros(shape[0], dtype=np.int64) for _ in range(3))
    made = np.bincount(rows.cell, minlength=shape[0] * shape[1])
    if once:
        if len(hosts) > 1 or "repeat" in observations.columns:
            rows, merged = seeds_once(rows, stratum_case, ~greedy, shape)
        made = np.bincount(rows.cell, minlength=shape[0] * shape[1])
        if (texts >= 0).any():
            rows, copied, alike = texts_once(rows, stratum_case, shape, known=free is not None)
    order = np.lexsort((rows.score, rows.cell))
    cell_used, scores_used, seed_used = rows.cell[order], rows.score[order], rows.seed[order]
    n = np.bincount(cell_used, minlength=shape[0] * shape[1])
    starts = np.concatenate(([0], np.cumsum(n)[:-1]))
    mean, m2 = _moments(scores_used, cell_used, n, starts)
    return Cells(
        configurations=configurations,
        cases=cases,
        hosts=hosts,
        stratum_case=stratum_case,
        stratum_host=stratum_host,
        n=n.reshape(shape),
        mean=mean.reshape(shape),
        m2=m2.reshape(shape),
        starts=starts.reshape(shape),
        scores=scores_used,
        seeds=seed_used,
        made=made.reshape(shape),
        lost=np.bincount(cell[~usable], minlength=shape[0] * shape[1]).reshape(shape),
        excluded=np.bincount(configuration[~usable], minlength=shape[0]),
        merged=merged,
        copied=copied,
        alike=alike,
        zero_temperature=greedy,
        searched=searched_groups(observations, configuration, shape[0]),
        cluster=None if cluster is None else _clusters(observations, cluster, case, cases),
        scale=scale,
    )


def require_columns(
    observations: pd.DataFrame, columns: Sequence[str] = REQUIRED_COLUMNS, *, remedy: str = "Add or rename it."
) -> None:
    """Refuse a table that lacks a column, has one of them twice, or has no row.

    Args:
        observations: The table.
        columns: The columns that are needed.
        remedy: What to do about a missing column.

    Raises:
        TableError: Names the missing columns and, for each, the nearest name that the table has.
    """
    if not isinstance(observations, pd.DataFrame):
        raise TableError(f"observations must be a pandas DataFrame, not a {type(observations).__name__}")
    missing = [name for name in columns if name not in observations.columns]
    if missing:
        present = [str(name) for name in observations.columns]
        spare = [
            name for name in present if name not in columns
        ]  # a column that is needed itself is no misspelling of another
        parts = []
        for name in missing:
            near = difflib.get_close_matches(name, spare, n=1, cutoff=0.5)
            parts.append(f"{name!r} (is it {near[0]!r} here?)" if near else repr(name))
        raise TableError(f"missing column {', '.join(parts)}; the table has {some_labels(present)}. {remedy}")
    counts = Counter(observations.columns)
    for name in (*columns, *_ALSO_USED):
        if (count := counts[name]) > 1:
            raise TableError(f"{count} columns of the table are named {name!r}: keep one of them")
    if len(observations) == 0:
        raise TableError("the table has no rows: add some")


def _scores(observations: pd.DataFrame, scale: Scale) -> FloatArray:
    """Return the scores, shape (rows,), NaN where one is missing; refuse anything else than numbers on the scale."""
    raw = observations["score"]
    scores: FloatArray
    if raw.dtype == np.float64:
        scores = raw.to_numpy()
    else:
        numbers = pd.to_numeric(raw, errors="coerce").astype("float64")
        scores = np.asarray(numbers.to_numpy(dtype=np.float64, na_value=np.nan), dtype=np.float64)
        blank = raw.isna().to_numpy(dtype=bool)
        if not pd.api.types.is_numeric_dtype(raw):
            blank = blank | (raw.astype(str).str.strip() == "").to_numpy(dtype=bool)
        wrong = np.isnan(scores) & ~blank
        if wrong.any():
            first = raw.iloc[int(np.flatnonzero(wrong)[0])]
            raise TableError(
                f"score is not a number in {rows_text(wrong)}: {first!r}. Write a number from {scale.low:g} to"
                f" {scale.high:g}, or leave it empty."
            )
    with np.errstate(invalid="ignore"):
        outside = (scores < scale.low) | (scores > scale.high)
    if outside.any():
        first = scores[int(np.flatnonzero(outside)[0])]
        raise TableError(
            f"score outside {scale.low:g} to {scale.high:g} in {rows_text(outside)}: {first:g}. Name the scale's ends"
            " with --range LOW,HIGH, in Python range=(LOW, HIGH): 0,100 for percent, 1,5 for grades."
        )
    return scores


def _labels(observations: pd.DataFrame, column: str) -> tuple[IntArray, tuple[str, ...]]:
    """Return codes, shape (rows,), and sorted labels of a column; refuse a missing label."""
    return codes_of(observations[column], column)


def codes_of(values: pd.Series[Any], column: str) -> tuple[IntArray, tuple[str, ...]]:
    """Return codes, shape (rows,), and sorted labels of values, as `_labels` does for a column of this name."""
    if values.dtype == object and pd.api.types.infer_dtype(values, skipna=True) != "string":
        values = values.map(str, na_action="ignore")  # 1, 1.0 and True are equal, and would become one label
    codes, uniques = pd.factorize(values)
    if (codes < 0).any():
        raise TableError(f"{column} is empty in {rows_text(codes < 0)}: fill it, or drop the rows")
    texts = [str(value) for value in uniques]
    labels = sorted(set(texts))
    place = {label: at for at, label in enumerate(labels)}
    return np.array([place[text] for text in texts], dtype=np.int64)[codes], tuple(labels)


def _hosts(observations: pd.DataFrame) -> tuple[IntArray, tuple[str, ...]]:
    """Return codes and labels of the hosts; one empty label where the table names none."""
    if "host" not in observations.columns:
        return np.zeros(len(observations), dtype=np.int64), ("",)
    host = observations["host"]
    return codes_of(host.fillna("") if host.dtype == "str" else host.astype(object).where(host.notna(), ""), "host")


def _clusters(observations: pd.DataFrame, column: str, case: IntArray, cases: tuple[str, ...]) -> IntArray:
    """Return the cluster of each case, shape (cases,); refuse a case in two clusters."""
    require_columns(observations, (column,))
    codes, labels = _labels(observations, column)
    cluster = np.full(len(cases), -1, dtype=np.int64)
    cluster[case] = codes
    other = codes != cluster[case]
    if other.any():
        first = case[np.flatnonzero(other)[0]]
        names = " and ".join(repr(labels[code]) for code in np.unique(codes[case == first])[:2])
        raise TableError(f"case {cases[first]!r} is in two clusters: column {column!r} has {names} for it")
    return cluster


def _strata(case: IntArray, host: IntArray, hosts: int) -> tuple[IntArray, IntArray, IntArray]:
    """Return the stratum of each row, and case and host of each stratum that occurs."""
    pairs, stratum = np.unique(case * hosts + host, return_inverse=True)
    return stratum.astype(np.int64), pairs // hosts, pairs % hosts


def _seeds(observations: pd.DataFrame) -> IntArray:
    """Return codes of the seeds, shape (rows,), in the order of the seeds; refuse a missing seed."""
    try:
        seed, seeds = pd.factorize(observations["seed"])
    except TypeError:
        raise TableError("seed must hold numbers or texts, not lists or the like") from None
    if (seed < 0).any():
        raise TableError(f"seed is empty in {rows_text(seed < 0)}: fill it, or drop the rows")
    numbers = pd.to_numeric(pd.Series(seeds), errors="coerce").to_numpy(dtype=np.float64)
    keys = np.array([str(each) for each in seeds]) if np.isnan(numbers).any() else numbers
    place = np.empty(len(seeds), dtype=np.int64)
    place[np.argsort(keys, kind="stable")] = np.arange(len(seeds))
    return place[seed]


def _texts_vary(cell: IntArray, texts: IntArray, shape: tuple[int, int]) -> BoolArray:
    """Say which configurations have a cell with several texts: seeds change something there, at any temperature."""
    known = texts >= 0
    pairs = pd.DataFrame({"cell": cell[known], "text": texts[known]}).drop_duplicates()
    several = pairs["cell"][pairs["cell"].duplicated()].to_numpy()
    return np.bincount(several // shape[1], minlength=shape[0]) > 0


def _texts(observations: pd.DataFrame) -> IntArray:
    """Return codes of the texts' digests in their order, shape (rows,); -1 where a row has no digest."""
    if "text_sha256" not in observations.columns:
        return np.full(len(observations), -1, dtype=np.int64)
    texts = observations["text_sha256"]
    known = texts.notna().to_numpy(dtype=bool)
    values = np.where(known, texts.to_numpy(dtype=object), "")
    codes, digests = pd.factorize(np.array([str(value) for value in values], dtype=object), sort=True)
    empty = len(digests) > 0 and digests[0] == ""
    return (codes - 1 if empty else codes).astype(np.int64)


def _refuse_duplicates(observations: pd.DataFrame, cell: IntArray, seed: IntArray, usable: BoolArray) -> None:
    """Refuse two usable rows of one configuration, host, case, seed and repeat."""
    key = cell * np.int64(seed.max() + 1) + seed
    if "repeat" in observations.columns:
        repeat, repeats = pd.factorize(observations["repeat"], use_na_sentinel=False)
        key = key * np.int64(len(repeats)) + repeat
    used = key[usable]
    if len(pd.unique(used)) == len(used):
        return
    twice = np.zeros(len(key), dtype=bool)
    twice[usable] = pd.Series(used).duplicated(keep=False).to_numpy()
    first = int(np.flatnonzero(twice)[0])
    row = observations.iloc[first]
    which = ", ".join(f"{name} {_plain(row[name])!r}" for name in ("configuration", "case", "seed"))
    others = len(pd.unique(key[twice])) - 1
    more = f", and {others} more such generation{'s' if others > 1 else ''}" if others else ""
    rows = rows_text(twice & (key == key[first]))
    raise TableError(
        f"the same generation is in the table more than once: {which} in {rows}{more}."
        " Drop the copies, or number real repeats in a column 'repeat' (the same text again counts once)."
    )


def _plain(value: object) -> object:
    """Return a value as Python's own type, which shows without the name of the type."""
    return value.item() if isinstance(value, np.generic) else value


def _moments(scores: FloatArray, cell: IntArray, n: IntArray, starts: IntArray) -> tuple[FloatArray, FloatArray]:
    """Return mean and sum of squared deviations per cell; scores are sorted by cell."""
    mean, m2 = np.zeros(len(n)), np.zeros(len(n))
    filled = n > 0
    if not len(scores):
        return mean, m2
    mean[filled] = np.add.reduceat(scores, starts[filled]) / n[filled]
    # Equal scores must have no variance at all, however their mean is rounded.
    first, last = scores[starts[filled]], scores[starts[filled] + n[filled] - 1]
    mean[filled] = np.where(first == last, first, mean[filled])
    m2[filled] = np.add.reduceat((scores - mean[cell]) ** 2, starts[filled])
    return mean, m2
