"""How often the interval of an effect that labels corrected holds the truth.

    python -m benchmarks.verdicts.label_coverage [--quick] [--json] [--tables N]

Texts say the items of a rubric with known probabilities. A matcher is wrong about a fifth of them, and gives one arm 5
points too much. A person labels 60 without error. Counted is how often the 95% interval of the matcher's effect, and of
the corrected one, holds the true effect.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator

import numpy as np
import pandas as pd
from scipy import stats

from analysis.labels.correction import Correction, corrected_effect
from analysis.labels.draws import draw
from benchmarks import command

ARMS = ("base", "new")
SETTINGS: dict[str, dict[str, object]] = {
    "6 x 10, counted": {},
    "6 x 10, expected": {"expected": True},
    "6 x 10, no favour": {"favour": 0.0},
    "6 x 10, gain .1": {"gain": 0.1},
    "6 x 10, whole texts good or bad": {"quality": 0.1},
    "4 x 5": {"cases": 4, "seeds": 5},
    "12 x 20": {"cases": 12, "seeds": 20},
    "6 x 10, 30 labels": {"labels": 30},
    "6 x 10, 200 labels": {"labels": 200},
    "6 x 10, matcher errs in .05": {"error": 0.05},
    "12 x 5, new cases": {"cases": 12, "seeds": 5, "new_cases": True},
    "30 x 3, new cases, 120 labels": {"cases": 30, "seeds": 3, "new_cases": True, "labels": 120},
}


def draw_questions(
    rng: np.random.Generator,
    *,
    cases: int = 6,
    seeds: int = 10,
    items: int = 8,
    gain: float = 0.0,
    favour: float = 0.05,
    error: float = 0.2,
    quality: float = 0.0,
    expected: bool = False,
    new_cases: bool = False,
    rubrics: int = 1,
) -> pd.DataFrame:
    """Draw a table of questions (`analysis.labels.draws.QUESTIONS`) with the true answers as `truth`.

    Args:
        rng: Source of the texts and of the matcher's errors.
        cases: Number of cases.
        seeds: Texts of each arm per case.
        items: Items per case.
        gain: True effect: the second arm says each item with so much more probability.
        favour: How much the matcher's answers for the second arm are too high.
        error: Probability of a wrong answer of the matcher.
        quality: Standard deviation of a text's own part in the probabilities, so that its items go together.
        expected: Whether credits are probabilities instead of 0 and 1.
        new_cases: Whether cases are drawn, too: gain and favour vary from case to case (standard deviation .05).
        rubrics: Seed of weights and probabilities where cases are fixed.
    """
    fixed = rng if new_cases else np.random.default_rng(rubrics)
    weight = fixed.integers(1, 6, (cases, 1, items)).astype(float)
    weight /= weight.sum(axis=2, keepdims=True) * cases * seeds
    base = fixed.uniform(0.25, 0.65, (cases, 1, items))
    own = rng.normal(0, 0.05 if new_cases else 0.0, (2, cases, 1, 1))
    shape, parts = (cases, seeds, items), []
    ids = np.arange(math.prod(shape))
    for arm, name in enumerate(ARMS):
        chance = base + arm * (gain + own[0]) + rng.normal(0, quality, (cases, seeds, 1))
        truth = rng.random(shape) < chance
        found = rng.random(shape) < np.where(truth, 1 - error, error) + arm * (favour + own[1])
        probability = np.clip(np.where(found, 1 - error, error) + rng.uniform(-0.15, 0.15, shape), 0, 1)
        columns = {
            "case": (ids // (seeds * items)),
            "question": ids,
            "text": ids // items,
            "weight": np.broadcast_to(weight, shape).ravel(),
            "credit": (probability if expected else found).ravel().astype(float),
            "probability": probability.ravel(),
            "truth": truth.ravel().astype(float),
        }
        parts.append(pd.DataFrame({"configuration": name, **columns}))
    return pd.concat(parts, ignore_index=True)


def matcher_effect(questions: pd.DataFrame, *, new_cases: bool) -> tuple[float, float, float]:
    """Return the effect by the matcher, its standard error and its degrees of freedom (Welch, or over cases)."""
    part = (questions["weight"] * questions["credit"]).to_numpy()
    text, case, arms = (questions[name].to_numpy(object) for name in ("text", "case", "configuration"))
    means, variance, squares = [], 0.0, 0.0
    for name in ARMS:
        own = arms == name
        scores = np.bincount(text[own].astype(int), weights=part[own]).reshape(int(case[own].max()) + 1, -1)
        means.append(scores.sum(axis=1))
        seeds = scores.shape[1]
        each = float(scores.var(axis=1, ddof=1).sum()) * seeds
        variance, squares = variance + each, squares + each**2 / (len(scores) * (seeds - 1))
    difference = means[1] - means[0]
    if new_cases:
        return difference.sum(), math.sqrt(len(difference) * difference.var(ddof=1)), len(difference) - 1
    return difference.sum(), math.sqrt(variance), variance**2 / squares


def corrected(
    rng: np.random.Generator, *, labels: int = 60, shown: bool = False, **setting: object
) -> tuple[Correction, tuple[float, float]]:
    """Draw a table, label it, and return the corrected effect and the matcher's own 95% interval."""
    questions = draw_questions(rng, **setting)  # type: ignore[arg-type]
    new_cases = bool(setting.get("new_cases"))
    effect, error, dof = matcher_effect(questions, new_cases=new_cases)
    asked = draw(questions, labels, rng).rename(columns={"truth": "answer"})
    reach = float(stats.t.ppf(0.975, dof)) * error
    found = corrected_effect(
        questions, asked, baseline=ARMS[0], finalist=ARMS[1], effect=effect, standard_error=error, dof=dof,
        claim="new-cases" if new_cases else "these-cases", shown=shown,
    )  # fmt: skip
    return found, (effect - reach, effect + reach)


def coverage(tables: int, rng: np.random.Generator, **setting: object) -> dict[str, float]:
    """Return shares of tables, and the mean half width of the corrected interval."""
    truth, hits, plain, width, bias = float(setting.get("gain", 0.0)), 0, 0, 0.0, 0.0  # type: ignore[arg-type]
    for _ in range(tables):
        found, (low, high) = corrected(rng, **setting)  # type: ignore[arg-type]
        hits += found.ci_low <= truth <= found.ci_high
        plain += low <= truth <= high
        width += (found.ci_high - found.ci_low) / 2 / tables
        bias += (found.effect - truth) / tables
    return {"matcher": plain / tables, "corrected": hits / tables, "half_width": width, "bias": bias}


def lines(figures: dict[str, dict[str, float]], tables: int) -> Iterator[str]:
    """The figures as text."""
    for name, each in figures.items():
        error = math.sqrt(each["corrected"] * (1 - each["corrected"]) / tables)
        yield (
            f"{name}: the truth is inside the matcher's interval in {each['matcher']:.3f}, inside the corrected one in"
            f" {each['corrected']:.3f} (standard error {error:.3f}); it is ±{each['half_width']:.3f}, off by"
            f" {each['bias']:+.4f} on average"
        )


def main(argv: list[str] | None = None) -> int:
    """Run the benchmark; returns the exit code."""
    parser = command.parser(__doc__, quick="100 tables of each kind")
    parser.add_argument("--tables", type=int, help="tables of each kind (default 2000)")
    given = parser.parse_args(argv)
    tables, found = given.tables or (100 if given.quick else 2000), {}
    for number, (name, setting) in enumerate(SETTINGS.items()):
        found[name] = coverage(tables, np.random.default_rng([1, number]), **setting)
    return command.show(given, found, lines(found, tables))


if __name__ == "__main__":
    sys.exit(main())
