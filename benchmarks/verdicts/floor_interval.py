"""The share of 95% intervals of the noise floor that hold the truth.

    python -m benchmarks.verdicts.floor_interval [--quick] [--json]

Each table of one configuration is drawn with a known standard deviation. Counted is how often that lies within the
plain chi-square interval, and within the interval of `noise_floor`. Cases are alike, so the pooled standard deviation
is that of the distribution.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator

import numpy as np
import pandas as pd
from scipy import stats

from analysis import noise_floor
from benchmarks import command

SIZES = ((4, 3), (4, 10), (6, 5), (6, 10), (12, 3), (12, 10))
BROKEN, WHOLE, SPREAD = 0.05, 0.7, 0.02


def broken(rng, size):
    """Texts that score about .7; one in twenty scores 0."""
    return np.where(rng.random(size) < BROKEN, 0.0, rng.normal(WHOLE, SPREAD, size))


KINDS = {
    "normal": (lambda rng, size: rng.normal(0.5, 0.1, size), 0.1),
    "beta(3, 5)": (lambda rng, size: rng.beta(3, 5, size), stats.beta(3, 5).std()),
    "five items, each met with .9": (lambda rng, size: rng.binomial(5, 0.9, size) / 5, math.sqrt(0.09 / 5)),
    "beta(4, .4)": (lambda rng, size: rng.beta(4, 0.4, size), stats.beta(4, 0.4).std()),
    "pass with .9": (lambda rng, size: rng.binomial(1, 0.9, size), 0.3),
    "pass with .95": (lambda rng, size: rng.binomial(1, 0.95, size), math.sqrt(0.95 * 0.05)),
    "5% broken texts": (broken, math.sqrt((1 - BROKEN) * (SPREAD**2 + BROKEN * WHOLE**2))),
}


def coverage(draw, truth, size, tables, rng):
    """Return the shares of tables whose plain interval and whose `noise_floor` interval hold the truth."""
    case, seed = np.indices(size).reshape(2, -1)
    plain = own = 0
    for _ in range(tables):
        score = np.asarray(draw(rng, size), dtype=float).clip(0, 1).ravel()
        floor = noise_floor(pd.DataFrame({"configuration": "a", "case": case, "seed": seed, "score": score}))
        square = floor.sd**2 * floor.dof
        low, high = (math.sqrt(square / stats.chi2.ppf(tail, floor.dof)) for tail in (0.975, 0.025))
        plain += low <= truth <= high
        own += floor.ci_low <= truth <= floor.ci_high
    return plain / tables, own / tables


def lines(figures: dict[str, dict[str, tuple[float, float]]]) -> Iterator[str]:
    """The figures as text."""
    for name, sizes in figures.items():
        shown = (f"{size}: {plain:.3f}, {own:.3f}" for size, (plain, own) in sizes.items())
        yield f"{name}: plain and own interval, {'; '.join(shown)}"


def main(argv: list[str] | None = None) -> int:
    """Run the benchmark; returns the exit code."""
    parser = command.parser(__doc__, quick="100 tables of each kind and size")
    parser.add_argument("--tables", type=int, help="tables of each kind and size (default 1000)")
    given = parser.parse_args(argv)
    rng, tables = np.random.default_rng(1), given.tables or (100 if given.quick else 1000)
    found = {}
    for name, (draw, truth) in KINDS.items():
        found[name] = {f"{size[0]} x {size[1]}": coverage(draw, truth, size, tables, rng) for size in SIZES}
    return command.show(given, found, lines(found))


if __name__ == "__main__":
    sys.exit(main())
