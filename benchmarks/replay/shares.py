"""Options that matter on real generations: their shares of the variance between the sets of a table.

    python -m benchmarks.replay.shares [--quick] [--json] [--table random] [--file FILE]

The mean score of each set is regressed on a curve per option (Legendre polynomials up to the third degree, over the
unit cube of the space) and a product per pair of options. Printed for each option, with standard errors:

* `share`: the variance of its curve over the space, as a share of the variance of the true means there. Both are
  without the noise: the variance of the estimates is subtracted. So a share may come out below 0.
* `change`: the curve at the high end of the option's range less that at the low end.

`pairs` is the share of all products together, `rest` what neither explains. Standard errors come from a jackknife that
leaves out a twentieth of the sets at a time. The model is additive since 200 sets do not show more; see
docs/statistics.md for the importances of a sweep's report, which come from its own surface.

Last come the rubrics' items: how often the texts cover them, and how many tell nothing (covered below 1% or above 99%).
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import command
from benchmarks.replay import table
from benchmarks.replay.problem import CachedObjective, TableProblem
from benchmarks.search.arena import Array

DEGREE, GROUPS, TELLS = 3, 20, 0.01


@dataclass(frozen=True)
class Design:
    """The regressors of an additive model with products.

    Attributes:
        matrix: One row per set: a constant, the curves' polynomials by option, the products.
        scale: Mean square of each column over the space.
        curves: Columns of each option's curve.
        pairs: Columns of the products.
    """

    matrix: Array
    scale: Array
    curves: Mapping[str, list[int]]
    pairs: list[int]

    @classmethod
    def of(cls, places: Array, names: Sequence[str]) -> Design:
        """The regressors at places in the unit cube, shape (sets, options)."""
        from numpy.polynomial import legendre

        columns, scale, curves = [np.ones(len(places))], [1.0], dict[str, list[int]]()
        centred = 2 * places - 1
        for index, name in enumerate(names):
            levels = len(np.unique(places[:, index]))
            degrees = range(1, min(DEGREE, levels - 1) + 1)
            curves[name] = [len(columns) + degree - 1 for degree in degrees]
            columns += [legendre.legval(centred[:, index], np.eye(DEGREE + 1)[degree]) for degree in degrees]
            scale += [1 / (2 * degree + 1) for degree in degrees]
        together = list(combinations(range(len(names)), 2))
        pairs = [len(columns) + index for index in range(len(together))]
        columns += [centred[:, first] * centred[:, second] for first, second in together]
        return cls(np.column_stack(columns), np.array([*scale, *[1 / 9] * len(together)]), curves, pairs)


def shares(design: Design, means: Array, noise: float, kept: Any = slice(None)) -> dict[str, float]:
    """Shares of the variance between sets by option, of the pairs and of the rest, and the changes.

    Args:
        design: The regressors.
        means: Mean score of each set.
        noise: Variance of such a mean around its truth.
        kept: The sets that count.
    """
    matrix, values = design.matrix[kept], means[kept]
    inverse = np.linalg.inv(matrix.T @ matrix)
    weights = inverse @ matrix.T @ values
    left = values - matrix @ weights
    spread = float(left @ left) / (len(values) - len(weights))
    parts = (weights**2 - spread * np.diag(inverse)) * design.scale
    rest = spread - noise
    whole = max(float(parts[1:].sum()) + rest, 1e-12)
    found = {f"share_{name}": float(parts[columns].sum()) / whole for name, columns in design.curves.items()}
    found |= {"share_pairs": float(parts[design.pairs].sum()) / whole, "share_rest": rest / whole}
    # At the ends of a range the polynomials are 1 and (-1) to the degree: odd degrees make the difference.
    return found | {f"change_{name}": 2 * float(weights[columns[::2]].sum()) for name, columns in design.curves.items()}


def with_errors(estimate: Callable[[Any], Mapping[str, float]], sets: int) -> dict[str, float]:
    """Estimates of all sets, and `se_...` from a jackknife over groups of sets."""
    whole = estimate(slice(None))
    groups = np.random.default_rng(0).permutation(sets) % min(GROUPS, sets)
    count = int(groups.max()) + 1
    parts = [estimate(groups != group) for group in range(count)]
    errors = {
        name: float(
            np.sqrt((count - 1) / count * np.square([p[name] - np.mean([q[name] for q in parts]) for p in parts]).sum())
        )
        for name in whole
    }
    return {**whole, **{f"se_{name}": error for name, error in errors.items()}}


def items(frame: Any, cases: Sequence[Any], objective: CachedObjective) -> list[dict[str, Any]]:
    """The items with the share of the texts that cover them, as the matcher expects it."""
    found = []
    for case in cases:
        texts = frame[frame["case"] == case.name]["text"]
        matches = [objective.score(case, text).matches for text in texts]
        covered = np.array([[match.probability for match in row] for row in matches]).mean(axis=0)
        found += [
            {"case": case.name, "item": item.id, "level": item.level, "covered": float(share)}
            for item, share in zip(case.items, covered, strict=True)
        ]
    return found


def figures_of(frame: Any, chosen: table.Table) -> dict[str, Any]:
    """All figures of a table."""
    if frame["seed"].nunique() < 2:
        raise SystemExit("one seed does not show the noise; make more with --generate of benchmarks.replay.replay")
    objective, cases = CachedObjective(), table.Work(table=chosen).cases
    problem = TableProblem(frame, cases, objective, chosen=chosen)
    noise = float(problem.scores.var(axis=2, ddof=1).mean()) / problem.scores[0].size
    design = Design.of(problem.codes, chosen.options)
    rubrics = items(frame, cases, objective)
    covered = np.array([item["covered"] for item in rubrics])
    return {
        "table": chosen.name,
        "sets": len(problem.sets),
        "generations": int(problem.scores.size),
        "mean": float(problem.means.mean()),
        "sd_between": float(np.sqrt(max(problem.means.var(ddof=1) - noise, 0.0))),
        "sd_noise": float(np.sqrt(noise)),
        "options": chosen.options,
        **with_errors(lambda kept: shares(design, problem.means, noise, kept), len(problem.sets)),
        "items": rubrics,
        "silent": int(((covered < TELLS) | (covered > 1 - TELLS)).sum()),
    }


def lines_of(figures: Mapping[str, Any]) -> list[str]:
    """The figures for people."""
    lines = [
        f"{figures['sets']} sets, {figures['generations']} generations: mean {figures['mean']:.4f}, standard deviation"
        f" between sets {figures['sd_between']:.4f} and of a set's mean {figures['sd_noise']:.4f}",
        f"{'':<16}{'share':>14}{'change':>18}",
    ]
    for name in (*figures["options"], "pairs", "rest"):
        cells = [f"{figures[f'share_{name}']:.3f} ({figures[f'se_share_{name}']:.3f})"]
        if name in figures["options"]:
            cells.append(f"{figures[f'change_{name}']:+.4f} ({figures[f'se_change_{name}']:.4f})")
        lines.append(f"{name:<16}" + "".join(f"{cell:>{14 + 4 * place}}" for place, cell in enumerate(cells)))
    covered = sorted(item["covered"] for item in figures["items"])
    lines.append(
        f"{len(covered)} items: covered by {covered[0]:.3f} to {covered[-1]:.3f} of the texts, median"
        f" {np.median(covered):.3f}; {figures['silent']} tell nothing"
    )
    return lines


def main(argv: list[str] | None = None) -> int:
    """Run the benchmark; returns the exit code."""
    parser = command.parser(__doc__, quick="two seeds of the table")
    parser.add_argument("--table", choices=table.TABLES, default="random", help="the table (default random)")
    parser.add_argument("--file", type=Path, help="another file of the table")
    given = parser.parse_args(argv)
    chosen = table.TABLES[given.table]
    frame = table.load(given.file, chosen)
    if given.quick:
        frame = frame[frame["seed"] <= 2]
    figures = figures_of(frame, chosen)
    return command.show(given, figures, lines_of(figures))


if __name__ == "__main__":
    sys.exit(main())
