"""Fit the lexical matcher's weights to people's judgements and write `objectives/data/lexical.json`.

    python -m benchmarks.matchers.fit_lexical ../shared/human-labels/realsumm.jsonl

A logistic regression with a ridge penalty and signs fixed by meaning (`SIGNS`), so that no weight can turn an absent
word into evidence. Only the weights are written, nothing of the texts. The same file gives the same weights to the
digits kept.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from objectives.matchers.content import words_of_text
from objectives.matchers.features import FEATURES, SIGNS, rubrics

RIDGE = 100.0
"""Penalty on the squared weights of standardised measures, in units of one judgement's log-likelihood."""
THRESHOLD = 0.5
"""An item is called covered where that is the likelier answer: the best cut of a calibrated probability."""
ROOT = Path(__file__).parents[2]
LABELS = ROOT.parent / "shared" / "human-labels" / "realsumm.jsonl"
"""Human labels beside the checkout; they are not part of the repository."""
Array = NDArray[np.float64]


def read(path: Path) -> list[dict[str, Any]]:
    """Documents of a human-labels file: one JSON per line with id, units, summaries of {system, text, covered}."""
    return [json.loads(line) for line in path.read_text("utf-8").splitlines() if line.strip()]


def measures(documents: list[dict[str, Any]]) -> tuple[Array, Array, NDArray[np.int64]]:
    """Measures, answers and document numbers of all judgements, summary by summary."""
    rows, answers, groups = [], [], []
    for number, document in enumerate(documents):
        blocks = rubrics(document["units"])
        for summary in document["summaries"]:
            words = words_of_text(summary["text"])[2]
            rows.extend(block.measure(words).values for block in blocks)
            answers.extend(summary["covered"])
            groups.extend([number] * len(summary["covered"]))
    return np.vstack(rows), np.array(answers, dtype=float), np.array(groups)


def fit(values: Array, answers: Array) -> dict[str, Any]:
    """Sign-constrained ridge logistic regression; the model in the form that `LexicalMatcher` takes."""
    centre, spread = values.mean(axis=0), values.std(axis=0) + 1e-9
    z = (values - centre) / spread

    def loss(beta: Array) -> tuple[float, Array]:
        score = beta[0] + z @ beta[1:]
        slope = 1 / (1 + np.exp(-score)) - answers
        value = (np.logaddexp(0, score) - answers * score).sum() + 0.5 * RIDGE * (beta[1:] ** 2).sum()
        return float(value), np.concatenate([[slope.sum()], z.T @ slope + RIDGE * beta[1:]])

    bounds = [(None, None)] + [(0, None) if SIGNS[name] > 0 else (None, 0) for name in FEATURES]
    found = minimize(
        loss, np.zeros(len(FEATURES) + 1), jac=True, bounds=bounds, method="L-BFGS-B", options={"ftol": 1e-13}
    )
    weights = found.x[1:] / spread
    return {
        "intercept": round(float(found.x[0] - weights @ centre), 3),
        "weights": {name: round(float(weight), 3) + 0.0 for name, weight in zip(FEATURES, weights, strict=True)},
        "threshold": THRESHOLD,
    }


def source(documents: list[dict[str, Any]]) -> dict[str, Any]:
    """Where the weights come from, and how probabilities that were fitted without the document agree with people."""
    from benchmarks.matchers.human_agreement import agreement, cross_validated

    people = np.concatenate([np.ravel([s["covered"] for s in d["summaries"]]) for d in documents])
    scores, totals = cross_validated(documents)
    figures = agreement(documents, scores, THRESHOLD, 0.0, totals)
    flat = np.concatenate([rows.ravel() for rows in scores])
    cells = np.minimum((flat * 5).astype(int), 4)
    said = {
        f"{cell / 5:.1f}-{cell / 5 + 0.2:.1f}": round(float(people[cells == cell].mean()), 2) for cell in set(cells)
    }
    return {
        "labels": "REALSumm (Bhandari et al. 2020, CC BY 4.0), judgements only",
        "judgements": len(people),
        "cross_validated_by_document": {
            "auc": round(figures["auc"], 4),
            "summary_pearson": round(figures["summary_pearson"], 4),
            "covered_by_probability": dict(sorted(said.items())),
        },
    }


def main(argv: list[str] | None = None) -> int:
    """Fit the weights and write them; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("labels", type=Path)
    parser.add_argument("--out", type=Path, default=ROOT / "objectives" / "data" / "lexical.json")
    given = parser.parse_args(argv)
    values, answers, _ = measures(read(given.labels))
    model = fit(values, answers) | {"source": source(read(given.labels))}
    given.out.write_text(json.dumps(model, indent=1) + "\n")
    print(json.dumps(model, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
