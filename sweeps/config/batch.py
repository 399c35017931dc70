"""The number of trials proposed at a time: `search.batch`."""

from __future__ import annotations

import math

from sweeps.config.space import Space
from sweeps.options import RELOAD_OPTIONS

AUTO = 0
"""Stands for `batch = "auto"` until the space is known."""

BATCH = 4
"""Trials proposed at a time with "auto"; where an option reloads the model, for each of its values."""

LARGEST_BATCH = 12
"""Most trials proposed at a time with "auto"; `benchmarks/search/batch_regret.py` measures the cost to the search."""

RANGE_VALUES = 3
"""A range that reloads the model counts as this many values."""


def automatic_batch(space: Space) -> int:
    """Return the number of trials proposed at a time with `batch = "auto"`.

    Trials of one batch share loads and warm prompts, but cannot learn from each other. So the number is four. Where the
    model or a reload option is searched, it is four per value, at most twelve.
    """
    reloading = [dimension for dimension in space if dimension.name in ("model", *RELOAD_OPTIONS)]
    values = math.prod(len(dimension.choices) or RANGE_VALUES for dimension in reloading)
    return min(BATCH * values, LARGEST_BATCH)
