"""Similarity of texts: the cosine of their counts of three characters in a row."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import sparse

from analysis.arrays import FloatArray

_ENDS = "\x02\x02", "\x03\x03"
"""Marks around a text, so that a text of any length has n-grams."""


def profiles(texts: Sequence[str]) -> sparse.csr_array:
    """Return the counts of character 3-grams, each row scaled to length 1, shape (texts, different 3-grams)."""
    first, last = _ENDS
    marked = [np.frombuffer(f"{first}{text}{last}".encode("utf-32-le", "surrogatepass"), "<u4") for text in texts]
    codes = [each.astype(np.int64) for each in marked]
    # a character takes at most 21 bits, so three of them fit into one integer
    grams = [(each[:-2] << 42) | (each[1:-1] << 21) | each[2:] for each in codes]
    row = np.repeat(np.arange(len(grams)), [len(each) for each in grams])
    columns, column = np.unique(np.concatenate(grams), return_inverse=True)
    counts = sparse.coo_array((np.ones(len(row)), (row, column)), shape=(len(texts), len(columns))).tocsr()
    lengths = np.sqrt(np.bincount(row_of(counts), weights=counts.data**2, minlength=len(texts)))
    return sparse.csr_array((counts.data / lengths[row_of(counts)], counts.indices, counts.indptr), shape=counts.shape)


def row_of(table: sparse.csr_array) -> np.ndarray:
    """Return the row of each stored number of a sparse table."""
    return np.repeat(np.arange(table.shape[0]), np.diff(table.indptr))


def similarities(texts: Sequence[str]) -> FloatArray:
    """Return the cosine of every pair of texts, in [0, 1], shape (texts, texts); equal texts have 1."""
    if not len(texts):
        return np.zeros((0, 0))
    rows = profiles(texts)
    found = np.asarray((rows @ rows.T).toarray(), dtype=np.float64)
    return np.clip(found, 0.0, 1.0)


def pair_similarity(first: Sequence[str], second: Sequence[str]) -> FloatArray:
    """Return the cosine of each text with its partner, in [0, 1], shape (pairs,)."""
    if not len(first):
        return np.zeros(0)
    rows = profiles([*first, *second])
    products = rows[: len(first)].multiply(rows[len(first) :])
    found = np.asarray(products.sum(axis=1), dtype=np.float64).ravel()
    return np.clip(np.where(np.asarray(first, dtype=object) == np.asarray(second, dtype=object), 1.0, found), 0.0, 1.0)
