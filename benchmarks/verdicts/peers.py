"""Our verdict beside the tests that people use today, on the same simulated tables.

    python -m benchmarks.verdicts.peers [--quick] [--json] [--replications N] [--only KIND ...]

A false claim says "better" or "worse" of equal arms. Power is the share of "better" where the second arm is better. A
sign error says "worse" there. Coverage is the share of 95% intervals that hold the true difference. A rival that is
not installed is named and left out: `evalsig`, and MLflow's `genai.compare_evaluations` (from 3.18.0 on).
"""

from __future__ import annotations

import math
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from analysis import TableError, judge
from benchmarks import command
from benchmarks.verdicts import rivals
from benchmarks.verdicts.rivals import Claim, Rows
from tests.analysis import simulate

GAIN = 0.06


@dataclass(frozen=True)
class Kind:
    """One kind of table.

    Attributes:
        about: Short description.
        make: Draws a table from a generator; the arms' shape is (case, seed), NaN where a row is missing.
        truth: The true difference, 0 for equal arms.
        among: Number of equal sets of which the best one is compared; 1 where nothing is picked.
    """

    about: str
    make: Callable[[np.random.Generator], Rows]
    truth: float = 0.0
    among: int = 1


def drawn(kind: str, cases: int, seeds: int, gain: float = 0.0) -> Callable[[np.random.Generator], Rows]:
    """Tables of `tests.analysis.simulate`, whose second arm is better by `gain`."""

    def make(rng: np.random.Generator) -> Rows:
        if gain:
            scores = simulate.shifted_scores(rng, kind, 1, cases, seeds, gain)[0]
        else:
            scores = simulate.null_scores(rng, kind, 1, cases, seeds)[0]
        return Rows(scores[0], scores[1])

    return make


def searched(sets: int, cases: int, seeds: int) -> Callable[[np.random.Generator], Rows]:
    """Equal sets; the best mean is the second arm, and the others are kept with it."""

    def make(rng: np.random.Generator) -> Rows:
        mean = np.repeat(rng.uniform(0.2, 0.65, (1, 1, cases)), sets + 1, axis=1)
        scores = simulate.draw(rng, "beta", mean, np.full(mean.shape, 0.12), seeds)[0]
        best = 1 + int(scores[1:].mean(axis=(1, 2)).argmax())
        others = np.delete(scores, [0, best], axis=0)
        return Rows(scores[0], scores[best], others=others)

    return make


def passes(cases: int, seeds: int, gain: float = 0.0) -> Callable[[np.random.Generator], Rows]:
    """Pass or fail; cases pass with .3 to .7."""

    def make(rng: np.random.Generator) -> Rows:
        mean = rng.uniform(0.3, 0.7 - gain, (cases, 1))
        shape = (cases, seeds)
        return Rows(*((rng.random(shape) < mean + more).astype(float) for more in (0.0, gain)))

    return make


def unbalanced(cases: int, seeds: int) -> Callable[[np.random.Generator], Rows]:
    """Equal arms; the second one lost the worst 30% of its rows."""

    def make(rng: np.random.Generator) -> Rows:
        scores = simulate.null_scores(rng, "beta", 1, cases, seeds)[0]
        second = scores[1].copy()
        worst = np.argsort(second, axis=None)[: round(0.3 * second.size)]
        second.flat[worst] = np.nan
        return Rows(scores[0], second)

    return make


def clustered(documents: int, questions: int) -> Callable[[np.random.Generator], Rows]:
    """One seed for each question; questions of one document move together, and so does what an arm adds to them."""

    def make(rng: np.random.Generator) -> Rows:
        document = np.repeat(np.arange(documents), questions)
        level = rng.normal(0.5, 0.1, documents)[document]
        arms = [level + rng.normal(0, 0.08, documents)[document] + rng.normal(0, 0.1, len(document)) for _ in range(2)]
        first, second = (np.clip(each, 0, 1)[:, None] for each in arms)
        return Rows(first, second, cluster=document)

    return make


KINDS = {
    "null": Kind("equal, 6 cases x 10 seeds", drawn("beta", 6, 10)),
    "null-unequal": Kind("equal means, unequal noise, 6 x 10", drawn("beta-unequal", 6, 10)),
    "null-12x5": Kind("equal, 12 x 5", drawn("discrete-unequal", 12, 5)),
    "gain": Kind(f"better by {GAIN}, 6 x 10", drawn("beta", 6, 10, GAIN), GAIN),
    "search-20": Kind("best of 20 equal sets, 6 x 3", searched(20, 6, 3), among=20),
    "search-40": Kind("best of 40 equal sets, 6 x 3", searched(40, 6, 3), among=40),
    "pass-fail": Kind("equal, pass or fail, 6 x 10", passes(6, 10)),
    "pass-fail-gain": Kind("better by .2, pass or fail, 6 x 20", passes(6, 20, 0.2), 0.2),
    "unbalanced": Kind("equal, one arm without its worst 30%, 6 x 8", unbalanced(6, 8)),
    "clustered": Kind("equal, 30 documents x 10 questions x 1", clustered(30, 10)),
}


def ours(rows: Rows) -> Claim | None:
    """The verdict of `analysis.judge`; the best of several is judged with all of them, as one family."""
    arms = {"b": rows.baseline, "f": rows.candidate}
    arms |= {f"o{number:02d}": each for number, each in enumerate(() if rows.others is None else rows.others)}
    parts, cluster = [], None if rows.cluster is None else "cluster"
    for name, scores in arms.items():
        case, seed = np.indices(scores.shape)
        part = pd.DataFrame(
            {"configuration": name, "case": case.ravel(), "seed": seed.ravel(), "score": scores.ravel()}
        )
        if rows.cluster is not None:
            part["cluster"] = rows.cluster[part["case"]]
        parts.append(part.dropna())
    try:
        verdict = next(
            each for each in judge(pd.concat(parts), baseline="b", cluster=cluster) if each.configuration == "f"
        )
    except TableError:
        return None
    sign = {"better": 1, "worse": -1}.get(verdict.outcome, 0)
    return Claim(sign, verdict.ci_low, verdict.ci_high)


def rates(kind: Kind, rival: Callable[[Rows], Claim | None], tables: list[Rows]) -> dict[str, float]:
    """Shares of "better", "worse" and of intervals that hold the truth, over the tables of one kind."""
    claims = []
    for rows in tables:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            claims.append(rival(rows) or Claim(0, math.nan, math.nan))
    return {
        "better": float(np.mean([each.sign > 0 for each in claims])),
        "worse": float(np.mean([each.sign < 0 for each in claims])),
        "coverage": float(np.mean([each.low <= kind.truth <= each.high for each in claims if each.low == each.low]))
        if any(each.low == each.low for each in claims)
        else math.nan,
    }


def lines(figures: dict[str, dict[str, dict[str, float]]], count: int) -> list[str]:
    """The table for people: a block for each kind, a line for each rival."""
    out = [f"{count} tables of each kind; the standard error of a share of .05 is {math.sqrt(0.05 * 0.95 / count):.3f}"]
    for name, by_rival in figures.items():
        kind = KINDS[name]
        out += ["", f"{name}: {kind.about}", f"  {'':34}{'better':>8}{'worse':>8}{'coverage':>10}"]
        out += [
            f"  {rival:34}{each['better']:8.3f}{each['worse']:8.3f}{each['coverage']:10.3f}"
            for rival, each in by_rival.items()
        ]
    return out


def main(argv: list[str] | None = None) -> int:
    """Run the benchmark; returns the exit code."""
    parser = command.parser(__doc__, quick="20 tables of each kind, to see that it runs")
    parser.add_argument("--replications", type=int, help="tables of a kind (default 1000)")
    parser.add_argument("--only", nargs="+", choices=KINDS, default=list(KINDS), help="only these kinds of tables")
    given = parser.parse_args(argv)
    count = given.replications or (20 if given.quick else 1000)
    found, missing = rivals.installed()
    for reason in missing:
        print(f"left out: {reason}", file=sys.stderr)
    start, figures = time.perf_counter(), {}
    for name in given.only:
        rng = np.random.default_rng([len(name), *name.encode()])
        tables = [KINDS[name].make(rng) for _ in range(count)]
        figures[name] = {label: rates(KINDS[name], rival, tables) for label, rival in {"ours": ours, **found}.items()}
        print(f"{name} is done after {time.perf_counter() - start:.0f} s", file=sys.stderr)
    result = {"replications": count, "left_out": missing, "kinds": figures}
    return command.show(given, result, lines(figures, count))


if __name__ == "__main__":
    sys.exit(main())
