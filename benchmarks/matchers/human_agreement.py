"""Agreement of each matcher with people about what a summary says.

    python -m benchmarks.matchers.human_agreement [LABELS.jsonl] [--json] [--quick] [--embedding MODEL.gguf]

The file is by default `../shared/human-labels/realsumm.jsonl`, beside the checkout. It has one JSON object per line:
id, units (the items), summaries of {system, text, covered (0 or 1 per unit)}.

* `auc`: over all judgements pooled. `accuracy`, `kappa` (Cohen): at the shipped threshold; for ROUGE-1 recall and idf
  recall, which ship none, at 0.5.
* `system_*`: correlation over systems of mean coverage, people's against the matcher's mean score. Systems must be
  the same for all documents.
* `summary_*`: correlation over the summaries of one document, averaged over documents (those where one side is
  constant are left out). For the lexical matcher it is the score that a sweep gets: `coverage`, all items of one
  weight, expected in the row `lexical` and counted in `lexical_counted`.
* `items_per_second`: judged items per second of this process's processor time, reading each text and preparing each
  rubric included.

`lexical_cv` fits the weights again without the judged document's fold (10 folds by document), `lexical_cv_systems`
without the judged system's; `lexical` uses the shipped weights. On the file that they were fitted to its figures are a
little too good; on any other file `lexical` is the honest row.
"""

from __future__ import annotations

import math
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.stats import kendalltau, rankdata

from benchmarks import command
from benchmarks.matchers.fit_lexical import LABELS, fit, measures, read
from objectives.case import Case, Item
from objectives.coverage import CoverageObjective
from objectives.matchers.embedding import EmbeddingMatcher, calibrate
from objectives.matchers.lexical import LexicalMatcher
from objectives.text import normalise, stem, tokenise

Array = NDArray[np.float64]
Predictor = Callable[[dict[str, Any]], Array]
"""Probabilities or scores of one document: summaries x units."""
FOLDS = 10
METRICS = (
    "auc",
    "accuracy",
    "kappa",
    "system_pearson",
    "system_kendall",
    "summary_pearson",
    "summary_kendall",
    "items_per_second",
)


def stems(text: str) -> list[str]:
    return [stem(token.key) for token in tokenise(normalise(text)) if token.kind != "symbol"]


def rouge1_recall(document: dict[str, Any]) -> Array:
    """Share of an item's words, repeats included, that the summary has, stemmed: ROUGE-1 recall (Lin 2004)."""
    units = [Counter(stems(unit)) for unit in document["units"]]
    rows = []
    for summary in document["summaries"]:
        have = Counter(stems(summary["text"]))
        rows.append([sum(min(n, have[w]) for w, n in unit.items()) / max(1, sum(unit.values())) for unit in units])
    return np.array(rows)


def idf_recall(documents: list[dict[str, Any]]) -> Predictor:
    """Share of an item's words weighted by inverse document frequency among all summaries of the file."""
    frequency = Counter(word for d in documents for s in d["summaries"] for word in set(stems(s["text"])))
    count = sum(len(document["summaries"]) for document in documents)

    def weight(word: str) -> float:
        return math.log((count + 1) / (frequency[word] + 1))

    def predict(document: dict[str, Any]) -> Array:
        units = [[(word, weight(word)) for word in stems(unit)] for unit in document["units"]]
        rows = []
        for summary in document["summaries"]:
            have = set(stems(summary["text"]))
            rows.append([sum(w for t, w in u if t in have) / max(1e-9, sum(w for _, w in u)) for u in units])
        return np.array(rows)

    return predict


def with_matcher(matcher: Any) -> Predictor:
    def predict(document: dict[str, Any]) -> Array:
        items = [Item(str(number), unit, 1) for number, unit in enumerate(document["units"])]
        return np.array([[m.probability for m in matcher.match(items, s["text"])] for s in document["summaries"]])

    return predict


def with_objective(objective: CoverageObjective) -> Callable[[dict[str, Any]], tuple[Array, Array]]:
    """The shipped path: probabilities of a document (summaries x units), and each summary's score."""

    def predict(document: dict[str, Any]) -> tuple[Array, Array]:
        case = Case("", "", tuple(Item(str(number), unit, 1) for number, unit in enumerate(document["units"])))
        scored = [objective.score(case, summary["text"]) for summary in document["summaries"]]
        return np.array([[m.probability for m in s.matches] for s in scored]), np.array([s.score for s in scored])

    return predict


def cross_validated(
    documents: list[dict[str, Any]], by: Literal["document", "system"] = "document", seed: int = 0
) -> tuple[list[Array], list[Array]]:
    """Probabilities and scores from weights that were fitted without the document's, or the system's, fold."""
    values, answers, groups = measures(documents)
    units: list[Any] = list(range(len(documents)))
    if by == "system":
        units = sorted({summary["system"] for document in documents for summary in document["summaries"]})
    fold = dict(zip(units, np.random.default_rng(seed).permutation(len(units)) % min(FOLDS, len(units)), strict=True))
    systems = [s["system"] for d in documents for s in d["summaries"] for _ in d["units"]]
    row_fold = np.array([fold[key] for key in (systems if by == "system" else groups.tolist())])
    chances = [np.zeros((len(d["summaries"]), len(d["units"]))) for d in documents]
    totals = [np.zeros(len(d["summaries"])) for d in documents]
    for number in range(max(fold.values()) + 1):
        model = fit(values[row_fold != number], answers[row_fold != number])
        predict = with_objective(CoverageObjective(matcher=LexicalMatcher(model=model)))
        for place, document in enumerate(documents):
            named = [fold[place if by == "document" else s["system"]] == number for s in document["summaries"]]
            if any(named):
                kept = [summary for summary, chosen in zip(document["summaries"], named, strict=True) if chosen]
                chances[place][named], totals[place][named] = predict({**document, "summaries": kept})
    return chances, totals


def auc(answers: Array, scores: Array) -> float:
    """Area under the ROC curve by ranks (Mann-Whitney)."""
    positive = answers.sum()
    ranks = rankdata(scores)[answers == 1].sum()
    return float((ranks - positive * (positive + 1) / 2) / (positive * (len(answers) - positive)))


def kappa(answers: Array, called: Array) -> float:
    agreed = (answers == called).mean()
    by_chance = answers.mean() * called.mean() + (1 - answers.mean()) * (1 - called.mean())
    return float((agreed - by_chance) / (1 - by_chance))


def correlations(people: list[Array], scores: list[Array]) -> tuple[float, float]:
    """Mean Pearson and Kendall correlation of pairs of vectors, leaving out pairs with a constant side."""
    pairs = [(p, s) for p, s in zip(people, scores, strict=True) if np.ptp(p) > 0 and np.ptp(s) > 0]
    if not pairs:
        return math.nan, math.nan
    return (
        float(np.mean([np.corrcoef(p, s)[0, 1] for p, s in pairs])),
        float(np.mean([kendalltau(p, s)[0] for p, s in pairs])),
    )


def by_system(documents: list[dict[str, Any]], values: list[Array]) -> Array:
    """Mean over documents of each system's mean coverage, for the systems that every document has."""
    shared = set.intersection(*({s["system"] for s in d["summaries"]} for d in documents))
    table = {name: [] for name in sorted(shared)}
    for document, rows in zip(documents, values, strict=True):
        for summary, row in zip(document["summaries"], rows, strict=True):
            if summary["system"] in table:
                table[summary["system"]].append(row.mean())
    return np.array([np.mean(values) for values in table.values()])


def agreement(
    documents: list[dict[str, Any]],
    scores: list[Array],
    threshold: float,
    seconds: float,
    totals: list[Array] | None = None,
) -> dict[str, float]:
    """All figures of one matcher; `totals` are the summaries' scores, by default the means of `scores`."""
    totals = [rows.mean(axis=1) for rows in scores] if totals is None else totals
    people = [np.array([s["covered"] for s in d["summaries"]], dtype=float) for d in documents]
    answers = np.concatenate([p.ravel() for p in people])
    flat = np.concatenate([s.ravel() for s in scores])
    called = (flat >= threshold).astype(float)
    system = correlations([by_system(documents, people)], [by_system(documents, [t[:, None] for t in totals])])
    summary = correlations([p.mean(axis=1) for p in people], totals)
    figures = (
        auc(answers, flat), float((called == answers).mean()), kappa(answers, called), *system, *summary,
        len(answers) / seconds if seconds > 0 else math.nan,
    )  # fmt: skip
    return dict(zip(METRICS, figures, strict=True))


def timed(predict: Predictor, documents: list[dict[str, Any]]) -> tuple[list[Array], float]:
    start = time.process_time()
    scores = [predict(document) for document in documents]
    return scores, time.process_time() - start


def embedding_matcher(path: Path) -> EmbeddingMatcher:
    from sweeps.engines.spec import EngineSpec
    from sweeps.scoring.engine_models import EngineModels

    return EmbeddingMatcher(EngineModels(EngineSpec("llamacpp")).gguf_embedder(path), model=path.name)


def calibration(matcher: EmbeddingMatcher, documents: list[dict[str, Any]]) -> str:
    """The midpoint and the slope that fit people's judgements, as a matcher's settings."""
    cosines, covered = [], []
    for document in documents:
        items = [Item(str(number), unit, 1) for number, unit in enumerate(document["units"])]
        for summary in document["summaries"]:
            cosines += [match.score for match in matcher.match(items, summary["text"])]
            covered += map(bool, summary["covered"])
    midpoint, slope = calibrate(cosines, covered)
    return f"embedding, calibrated to these labels: midpoint = {midpoint:.3f}, slope = {slope:.1f}"


def lines(table: dict[str, dict[str, float]]) -> Iterator[str]:
    """The figures as text, the best matcher first."""
    yield f"{'':<15}" + "".join(f"{metric:>17}" for metric in METRICS)
    for name in sorted(table, key=lambda key: -table[key]["auc"]):
        row = table[name]
        cells = (f"{row[m]:>17,.0f}" if m == METRICS[-1] else f"{row[m]:>17.4f}" for m in METRICS)
        yield f"{name:<15}" + "".join(cells)


def main(argv: list[str] | None = None) -> int:
    """Run the benchmark; returns the exit code."""
    parser = command.parser(__doc__, quick="the first 10 documents only")
    parser.add_argument("labels", type=Path, nargs="?", default=LABELS)
    parser.add_argument("--embedding", type=Path, help="a GGUF embedding model to be measured as well")
    given = parser.parse_args(argv)
    if given.labels == LABELS and not LABELS.exists():
        return command.skip(given, f"the human labels are absent (../{LABELS.relative_to(LABELS.parents[2])})")
    documents = read(given.labels)[: 10 if given.quick else None]
    lexical = LexicalMatcher()
    predictors: dict[str, tuple[Predictor, float]] = {
        "idf_recall": (idf_recall(documents), 0.5),
        "rouge1_recall": (rouge1_recall, 0.5),
    }
    if given.embedding:
        matcher = embedding_matcher(given.embedding)
        predictors["embedding"] = (with_matcher(matcher), matcher.threshold)
    table = {}
    for name, kind in (("lexical", "expected"), ("lexical_counted", "counted")):
        start = time.process_time()
        found = [with_objective(CoverageObjective(score=kind))(document) for document in documents]
        seconds = time.process_time() - start
        rows, totals = [row for row, _ in found], [total for _, total in found]
        table[name] = agreement(documents, rows, lexical.threshold, seconds, totals)
    for name, (predict, threshold) in predictors.items():
        scores, seconds = timed(predict, documents)
        table[name] = agreement(documents, scores, threshold, seconds)
    if given.embedding:  # after the timing, since vectors are cached
        print(calibration(matcher, documents), file=sys.stderr)
    for name, by in (("lexical_cv", "document"), ("lexical_cv_systems", "system")):
        scores, totals = cross_validated(documents, by)
        table[name] = agreement(documents, scores, lexical.threshold, 0.0, totals)
        table[name]["items_per_second"] = table["lexical"]["items_per_second"]
    return command.show(given, table, lines(table))


if __name__ == "__main__":
    sys.exit(main())
