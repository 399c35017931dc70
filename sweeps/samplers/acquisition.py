"""The choice of the next configuration: start design, candidates, and augmented expected improvement."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr
from scipy.stats import qmc

from analysis.arrays import FloatArray
from sweeps.samplers.encoding import Encoding
from sweeps.samplers.posterior import Surface

Start = Literal["ends", "near"]
"""Kinds of the start design's half around the baseline."""

N_RANDOM = 200
N_LOCAL = 400
GRID_LIMIT = 512
"""In spaces of at most this many configurations, all are candidates."""

_CENTRES = 8
_ENUMERABLE = 50_000
_SCALES = (0.03, 0.1, 0.25)
_START_SCALE = 0.15


def start_design(
    encoding: Encoding, n: int, baseline: FloatArray | None, seed: int, start: Start = "near"
) -> FloatArray:
    """Draw the configurations of a study's first trials.

    Args:
        encoding: The space.
        n: Number of configurations.
        baseline: Codes of the baseline, shape (n_axes,), NaN where unknown; None for a design without one.
        seed: Seed of the design.
        start: The half around the baseline: with one parameter at an end of its range (`one_change`), or with a few
            parameters moved (`perturb`).

    Returns:
        Canonical codes, shape (n, n_axes). Spread points (a Latin hypercube) and points around the baseline alternate,
        so every prefix has about half of each; without a baseline all are spread.
    """
    rng = np.random.default_rng([seed, 0])
    n_spread = n if baseline is None else (n + 1) // 2
    spread = qmc.LatinHypercube(len(encoding), rng=rng).random(n_spread)
    if baseline is None:
        return encoding.canonical(spread)
    centre = np.repeat(np.nan_to_num(baseline, nan=0.5)[None, :], n - n_spread, axis=0)
    near = perturb(centre, np.full(n - n_spread, _START_SCALE), rng)
    if start == "ends":
        near = np.vstack([one_change(encoding, baseline), near])[: n - n_spread]
    order = np.argsort(np.concatenate([np.arange(n_spread) * 2, np.arange(n - n_spread) * 2 + 1]), kind="stable")
    return encoding.canonical(np.vstack([spread, near])[order])


def one_change(encoding: Encoding, baseline: FloatArray) -> FloatArray:
    """Return the baseline with one parameter changed at a time: to the farther end of its range, then to the other.

    Categories have no ends, so all of them are tried. Parameters that do not act in the baseline stay.

    Args:
        encoding: The space.
        baseline: Codes of the baseline, shape (n_axes,), NaN where unknown.

    Returns:
        Canonical codes, shape (n, n_axes), without the baseline: the first change of every parameter in the order of
        the space, then the second ones, and so on.
    """
    centre = np.nan_to_num(baseline, nan=0.5)
    rounds: list[FloatArray] = []
    for place, axis in enumerate(encoding.axes):
        ends = np.array([0.0, 1.0] if centre[place] >= 0.5 else [1.0, 0.0])
        codes = axis.grid() if axis.nominal else ends
        for turn, code in enumerate(codes[axis.snap(codes) != axis.snap(centre)[place]]):
            changed = centre.copy()
            changed[place] = code
            rounds.append(np.array([turn, place, *changed]))
    ordered = np.array(sorted(map(tuple, rounds))).reshape(len(rounds), len(encoding) + 2)[:, 2:]
    found = distinct(encoding.canonical(np.vstack([centre[None, :], ordered])))
    return found[1:]


def perturb(codes: FloatArray, scales: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Move some parameters of each row: about a third of them, at least one.

    Args:
        codes: Points, shape (n, n_axes).
        scales: Standard deviation of a move for each row, shape (n,). One move in five is a new uniform value, so
            that it also reaches categories and far values.
        rng: Generator of the moves.

    Returns:
        New codes in [0, 1], shape (n, n_axes).
    """
    n, d = codes.shape
    chosen = rng.random((n, d)) < max(1.0 / d, 1.0 / 3.0)
    chosen[np.arange(n), rng.integers(0, d, n)] = True
    moved = codes + rng.normal(size=(n, d)) * scales[:, None]
    moved = 1.0 - np.abs(1.0 - np.abs(moved) % 2.0)  # reflected at both ends
    moved = np.where(rng.random((n, d)) < 0.2, rng.random((n, d)), moved)
    return np.where(chosen, moved, codes)


def candidates(
    encoding: Encoding, centres: FloatArray, rng: np.random.Generator, more: FloatArray | None = None
) -> FloatArray:
    """Return canonical codes to choose the next configuration from, without duplicates.

    Args:
        encoding: The space.
        centres: Good points, best first, shape (k, n_axes).
        rng: Generator of the candidates.
        more: Further points, shape (m, n_axes).

    Returns:
        The whole space if it is small, otherwise random points and perturbations of the best centres at three scales.
    """
    if encoding.size <= GRID_LIMIT:
        return encoding.grid()
    around = np.nan_to_num(centres[:_CENTRES], nan=0.5)
    pool = rng.random((N_RANDOM, len(encoding)))
    if len(around):
        local = around[np.arange(N_LOCAL) % len(around)]
        pool = np.vstack([pool, perturb(local, np.asarray(_SCALES)[rng.integers(0, len(_SCALES), N_LOCAL)], rng)])
    if more is not None and len(more):
        pool = np.vstack([pool, np.nan_to_num(more, nan=0.5)])
    return distinct(encoding.canonical(pool))


def distinct(codes: FloatArray) -> FloatArray:
    """Return rows without repetitions, in the order of their first appearance."""
    _, first = np.unique(np.round(codes, 9), axis=0, return_index=True)
    return codes[np.sort(first)]


def first_free(encoding: Encoding, ranked: FloatArray, taken: set[bytes], rng: np.random.Generator) -> FloatArray:
    """Return the first ranked point without a trial, otherwise any point without a trial, otherwise the first."""
    if (free := _free(encoding, ranked, taken)) is not None:
        return free
    if (free := _free(encoding, encoding.canonical(rng.random((256, len(encoding)))), taken)) is not None:
        return free
    if encoding.size <= _ENUMERABLE and (free := _free(encoding, rng.permutation(encoding.grid()), taken)) is not None:
        return free
    return np.asarray(ranked[0])


def _free(encoding: Encoding, points: FloatArray, taken: set[bytes]) -> FloatArray | None:
    """Return the first point that is not taken."""
    rows = zip(points, encoding.keys(points), strict=True)
    return next((np.asarray(row) for row, key in rows if key not in taken), None)


def augmented_expected_improvement(
    surrogate: Surface, features: FloatArray, noise: float, among: npt.NDArray[np.intp] | None = None
) -> FloatArray:
    """Return the augmented expected improvement for noisy scores (Huang, Allen, Notz & Zeng 2006).

    The reference is the evaluated point with the best mean less one standard deviation. The improvement is reduced
    where another noisy score would add little.

    Args:
        surrogate: The present surface.
        features: Candidates, shape (n, n_features).
        noise: Variance of the next trial's score.
        among: Indices of the evaluated points that may be the reference; all if not given.

    Returns:
        Shape (n,), not negative.
    """
    reference = surrogate.reference(among)
    mean, sd = surrogate.posterior(features)
    z = (mean - reference) / sd
    density = np.exp(-0.5 * z**2) / math.sqrt(2.0 * math.pi)
    improvement = (mean - reference) * ndtr(z) + sd * density
    return np.asarray(np.maximum(improvement, 0.0) * (1.0 - math.sqrt(noise) / np.sqrt(noise + sd**2)))
