"""Effect and interval after each look at a confirmation."""

from __future__ import annotations

import math

import pandas as pd

from analysis import TableError
from analysis.comparison.compare import compare
from analysis.comparison.pair import pair
from analysis.observations.table import summarize
from sweeps.results.look_history import settled_at
from sweeps.results.result import SweepResult

_LEVEL = 0.95


def look_effects(result: SweepResult) -> pd.DataFrame | None:
    """The finalist's difference from the baseline at each look, by the rows until then and their current scores.

    Args:
        result: A study.

    Returns:
        Columns `look` (from 1), `seeds` (per case and arm), `effect`, `ci_low` and `ci_high`: the plain 95% interval of
        that look alone. Looks after the one that settled the finalist are left out, as are looks that cannot be
        judged. None before there is a finalist or a look.
    """
    finalist, first = result.finalist, result.stored.record.confirm_seed
    if finalist is None or first is None or not result.looks:
        return None
    rows = result.stage("confirm")
    last = settled_at(result.looks).get(finalist.number, math.inf)
    keys, settings = [result.baseline.key, finalist.configuration.key], result.config
    rows = rows[rows["configuration"].isin(keys)]
    found = []
    for look in (each for each in result.looks if each.look <= last):
        try:
            cells = summarize(rows[rows["seed"] < first + look.seeds])
            two = pair(cells, cells.index(keys[0], "baseline"), cells.index(keys[1]))
            estimate = compare(two, claim=settings.verdict.claim, seed=settings.study.seed).estimate
        except TableError:  # too many requests of this look failed
            continue
        if estimate is not None:
            found.append((look.look, look.seeds, two.effect, *two.cells.scale.bounded(estimate.interval(_LEVEL))))
    return pd.DataFrame(found, columns=["look", "seeds", "effect", "ci_low", "ci_high"])
