"""A user-defined objective: ROUGE-1 recall of the rubric's text, by the package rouge-score.

In a sweep's configuration:

    [objective]
    kind = "examples.rouge_objective:rouge_recall"
"""

from __future__ import annotations

from objectives import Case


def rouge_recall(case: Case, text: str) -> float:
    """Return the share of the (stemmed) words of all wanted items that the summary contains, in [0, 1]."""
    try:
        from rouge_score import rouge_scorer
    except ImportError:
        raise SystemExit("this example needs rouge-score: uv pip install rouge-score") from None
    scorer = rouge_scorer.RougeScorer(["rouge1"], use_stemmer=True)
    reference = " ".join(item.text for item in case.items if not item.forbidden)
    return float(scorer.score(reference, text)["rouge1"].recall)
