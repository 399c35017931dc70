"""Small tables of two arms, for the tests of comparisons."""

from __future__ import annotations

import numpy as np
import pandas as pd

from analysis.comparison.pair import pair
from analysis.observations.table import summarize


def frame(cells):
    """Return a table from {(configuration, case): scores}."""
    rows = [(*key, seed, score) for key, scores in cells.items() for seed, score in enumerate(scores)]
    return pd.DataFrame(rows, columns=["configuration", "case", "seed", "score"])


def two_of(cells, temperature=None):
    """Return the arms; a temperature for both, or by arm."""
    table = frame(cells)
    if isinstance(temperature, dict):
        table["temperature"] = table["configuration"].map(temperature)
    elif temperature is not None:
        table["temperature"] = temperature
    return pair(summarize(table), 0, 1)


def drawn(seed, cases, baseline_seeds, finalist_seeds):
    rng = np.random.default_rng(seed)
    cells = {}
    for case in range(cases):
        cells["a", f"k{case}"] = rng.beta(3, 5, baseline_seeds)
        cells["b", f"k{case}"] = rng.beta(4, 4, finalist_seeds)
    return cells


def on_hosts(seed, hosts):
    """Return seven cases on some hosts, three seeds each; both arms are better on later hosts, cases respond apart."""
    rng = np.random.default_rng(seed)
    rows = [
        (arm, f"h{host}", f"k{case}", 10 * host + each, 0.3 + 0.1 * host + (arm == "b") * 0.02 * case + noise)
        for case in range(7)
        for host in range(hosts)
        for arm in "ab"
        for each, noise in enumerate(rng.uniform(-0.08, 0.08, 3))
    ]
    return pd.DataFrame(rows, columns=["configuration", "host", "case", "seed", "score"])
