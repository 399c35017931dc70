"""How many trials are asked at a time: `search.batch`."""

from __future__ import annotations

import math

from sweeps.config.space import Space
from sweeps.options import RELOAD_OPTIONS

AUTO = 0
"""What `batch = "auto"` is held as until the space is known."""

BATCH = 4
"""Trials asked at a time with "auto"; with an option that reloads the model, per value of it."""

LARGEST_BATCH = 12
"""Most trials asked at a time with "auto"; `benchmarks/search/batch_regret.py` measures the cost to the search."""

RANGE_VALUES = 3
"""A range that reloads the model counts as this many values."""


def automatic_batch(space: Space) -> int:
    """Trials asked at a time with `batch = "auto"`.

    Trials of one batch share loads and warm prompts, but cannot learn from each other. So it is four, and where the
    model or an option that reloads it is searched, four per value and at most twelve.
    """
    reloading = [dimension for dimension in space if dimension.name in ("model", *RELOAD_OPTIONS)]
    values = math.prod(len(dimension.choices) or RANGE_VALUES for dimension in reloading)
    return min(BATCH * values, LARGEST_BATCH)
