"""The share of tables of equal arms (or of a true loss) that mislead, with and without what the table says.

    python -m benchmarks.verdicts.misled [--quick] [--json] [--tables N]

Each row is a fault that tables from elsewhere have: rows that are missing, a seed that was ignored, a host that drifts,
seeds that both arms share, a loss that noise hides. Counted are claims with the table as it is, and with the rule
switched off or the telling column left out. Standard errors are those of a share.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pandas as pd

from analysis import judge_one
from benchmarks import command

Table = pd.DataFrame


def arms(rng: np.random.Generator, cases: int, seeds: int, **parts: Any) -> Table:
    """Two arms; `gain`, `noise`, a part `shared` by both arms of a seed, a `drift` over time, or pass and fail."""
    arm, case, seed = np.indices((2, cases, seeds)).reshape(3, -1)
    order = (arm * seeds + seed) * cases + case
    level = rng.uniform(0.35, 0.6, cases)[case] + parts.get("gain", 0.0) * arm
    level = level + parts.get("drift", 0.0) * order / order.max()
    level = level + parts.get("shared", 0.0) * rng.standard_normal(seeds)[seed]
    score = level + parts.get("noise", 0.12) * rng.standard_normal(len(arm))
    score = (rng.random(len(arm)) < level).astype(float) if parts.get("passes") else score.clip(0, 1)
    names = np.array(["b", "f"])[arm]
    return pd.DataFrame({"configuration": names, "case": case, "seed": seed, "score": score, "order": order})


def without_worst(table: Table) -> Table:
    """The same without the worst 30% of the rows of an arm."""
    own = table[table["configuration"] == "f"].sort_values(["score", "seed"])
    return table.drop(index=own.head(round(0.3 * len(own))).index)


def without_worst_cases(table: Table) -> Table:
    """The same without an arm's rows of the third of the cases in which it did worst."""
    means = table.groupby(["configuration", "case"])["score"].mean()
    worst = (means["f"] - means["b"]).nsmallest(table["case"].nunique() // 3).index
    return table[(table["configuration"] == "b") | ~table["case"].isin(worst)]


def ignored_seed(rng: np.random.Generator) -> Table:
    """Two long texts in six seeds of each case."""
    table = arms(rng, 6, 6)
    kind = table["seed"] % 2
    keys = [table["configuration"], table["case"], kind]
    score = table["score"].groupby(keys).transform("first")
    text = [f"{arm} {case} {each}" for arm, case, each in zip(*keys, strict=True)]
    return table.assign(score=score, text_sha256=text, words=120, temperature=0.8)


def differs(table: Table, **settings: Any) -> bool:
    """Whether a difference is claimed."""
    return judge_one(table, baseline="b", **settings).outcome in ("better", "worse")


def is_equal(table: Table, **settings: Any) -> bool:
    """Whether equality is claimed."""
    return judge_one(table, baseline="b", **settings).outcome == "equivalent"


Judged = Callable[[np.random.Generator], tuple[bool, bool]]


def missing(rng: np.random.Generator, **parts: Any) -> tuple[bool, bool]:
    """Claims with missing rows taken to be missing at random, and by default."""
    table = without_worst(arms(rng, 6, 8, **parts).drop(columns="order"))
    return differs(table, assume_missing_at_random=True), differs(table)


def absent(rng: np.random.Generator) -> tuple[bool, bool]:
    """Claims with absent cases taken to be missing at random, and by default."""
    table = without_worst_cases(arms(rng, 12, 5).drop(columns="order"))
    return differs(table, assume_missing_at_random=True), differs(table)


def ignored(rng: np.random.Generator) -> tuple[bool, bool]:
    """Claims without and with the digests of texts."""
    table = ignored_seed(rng).drop(columns="order")
    return differs(table.drop(columns="text_sha256")), differs(table)


def drifting(rng: np.random.Generator, drift: float) -> tuple[bool, bool]:
    """Claims without and with the order of generation."""
    table = arms(rng, 6, 10, noise=0.1, drift=drift)
    return differs(table.drop(columns="order")), differs(table)


def shared(rng: np.random.Generator, gain: float) -> tuple[bool, bool]:
    """Claims with seeds as they are, and paired."""
    table = arms(rng, 6, 10, noise=0.04, shared=0.1, gain=gain).drop(columns="order")
    return differs(table), differs(table, paired_seeds=True)


def lost(rng: np.random.Generator, cases: int, seeds: int) -> tuple[bool, bool]:
    """Equalities at a true loss of .1: within the noise of one pass over the cases, and within a margin of .1."""
    table = arms(rng, cases, seeds, gain=-0.1, passes=True).drop(columns="order")
    former = judge_one(table, baseline="b").noise_sd / math.sqrt(cases)
    return is_equal(table, margin=former) if former else False, is_equal(table, margin=0.1)


ROWS: dict[str, Judged] = {
    "worst 30% of rows missing": missing,
    "worst 30% missing, pass or fail": lambda rng: missing(rng, passes=True),
    "two long texts in six seeds": ignored,
    "drift of .1, one arm after the other": lambda rng: drifting(rng, 0.1),
    "drift of .2": lambda rng: drifting(rng, 0.2),
    "shared seeds, no gain": lambda rng: shared(rng, 0.0),
    "shared seeds, gain .03 (power)": lambda rng: shared(rng, 0.03),
    "loss of .1 called equal, 1 x 30": lambda rng: lost(rng, 1, 30),
    "loss of .1 called equal, 4 x 20": lambda rng: lost(rng, 4, 20),
    "worst third of cases missing": absent,
}


def lines(figures: dict[str, dict[str, float]]) -> Iterator[str]:
    """The figures as text."""
    for name, found in figures.items():
        yield f"{name}: {found['without']:.3f} without, {found['with']:.3f} with (standard error {found['se']:.3f})"


def main(argv: list[str] | None = None) -> int:
    """Run the benchmark; returns the exit code."""
    parser = command.parser(__doc__, quick="40 tables of each kind")
    parser.add_argument("--tables", type=int, help="tables of each kind (default 400)")
    given = parser.parse_args(argv)
    tables = given.tables or (40 if given.quick else 400)
    figures = {}
    for number, (name, judged) in enumerate(ROWS.items()):
        found = np.array([judged(np.random.default_rng([number, each])) for each in range(tables)], dtype=float)
        without, own = found.mean(axis=0).tolist()
        figures[name] = {"without": without, "with": own, "se": math.sqrt(own * (1 - own) / tables)}
    return command.show(given, figures, lines(figures))


if __name__ == "__main__":
    sys.exit(main())
