"""The agreement benchmark: its figures by hand, and its command on a made-up file."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

from benchmarks.matchers import human_agreement
from objectives.coverage import CoverageObjective
from objectives.matchers.embedding import EmbeddingMatcher
from objectives.matchers.lexical import shipped_model

KEYS = [
    "auc",
    "accuracy",
    "kappa",
    "system_pearson",
    "system_kendall",
    "summary_pearson",
    "summary_kendall",
    "items_per_second",
]


def test_figures_by_hand() -> None:
    answers = np.array([1, 1, 0, 0.0])
    assert human_agreement.auc(answers, np.array([0.9, 0.4, 0.6, 0.1])) == 0.75
    assert human_agreement.auc(answers, np.array([0.5, 0.5, 0.5, 0.5])) == 0.5
    assert human_agreement.kappa(answers, np.array([1, 0, 0, 0.0])) == pytest.approx(0.5)
    pearson, kendall = human_agreement.correlations([np.array([1, 2, 3.0])], [np.array([1, 3, 2.0])])
    assert (pearson, kendall) == (pytest.approx(0.5), pytest.approx(1 / 3))


def test_rouge1_recall_clips_repeats() -> None:
    document = {"units": ["the cat and the dog"], "summaries": [{"text": "The dogs"}]}
    assert human_agreement.rouge1_recall(document)[0, 0] == pytest.approx(2 / 5)


def test_command(labels: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert human_agreement.main([str(labels), "--json"]) == 0
    table = json.loads(capsys.readouterr().out)
    assert {"lexical", "lexical_cv", "idf_recall", "rouge1_recall"} <= set(table)
    assert all(list(row) == KEYS for row in table.values())
    assert table["lexical"]["auc"] > 0.95
    assert table["lexical"]["system_pearson"] > 0.9


def test_absent_labels_skip_the_benchmark(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(human_agreement, "LABELS", tmp_path / "shared" / "human-labels" / "realsumm.jsonl")
    assert human_agreement.main(["--json"]) == 0
    shown = capsys.readouterr()
    assert json.loads(shown.out) == {"skipped": "the human labels are absent (../shared/human-labels/realsumm.jsonl)"}
    assert shown.err.startswith("skipped: the human labels are absent")


def test_an_embedding_model_gets_the_midpoint_that_fits_the_labels(
    labels: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def embed(texts: list[str]) -> list[list[float]]:
        return [[1.0, *(float(letter in text.casefold()) for letter in "abcdefghijklmnopqrstuvwxyz")] for text in texts]

    monkeypatch.setattr(human_agreement, "embedding_matcher", lambda path: EmbeddingMatcher(embed))
    assert human_agreement.main([str(labels), "--json", "--embedding", "m.gguf"]) == 0
    shown = capsys.readouterr()
    assert "embedding" in json.loads(shown.out)
    found = re.fullmatch(
        r"embedding, calibrated to these labels: midpoint = (\S+), slope = (\S+)", shown.err.splitlines()[0]
    )
    assert found is not None
    assert 0 < float(found[1]) < 1
    assert float(found[2]) > 0


@pytest.mark.slow
@pytest.mark.skipif(
    not human_agreement.LABELS.exists(), reason="the human judgements are not beside this repository (../shared)"
)
def test_the_shipped_score_agrees_with_people() -> None:
    documents = human_agreement.read(human_agreement.LABELS)[::2]  # half show as much in half the time
    found = [human_agreement.with_objective(CoverageObjective())(document) for document in documents]
    rows, totals = [row for row, _ in found], [total for _, total in found]
    figures = human_agreement.agreement(documents, rows, 0.5, 0.0, totals)
    assert figures["auc"] >= 0.85
    assert figures["summary_pearson"] >= 0.58


def test_the_shipped_model_says_where_it_comes_from_and_how_it_agrees_with_people_that_it_has_not_seen() -> None:
    source = shipped_model()["source"]
    assert source["judgements"] == 13250
    unseen = source["cross_validated_by_document"]
    assert unseen["auc"] >= 0.85
    assert unseen["summary_pearson"] >= 0.58
    for cell, share in unseen["covered_by_probability"].items():
        low, high = map(float, cell.split("-"))
        assert low - 0.03 <= share <= high + 0.03


def test_the_score_of_the_shipped_path_is_the_mean_probability(labels: Path) -> None:
    (document, *_) = human_agreement.read(labels)
    rows, totals = human_agreement.with_objective(CoverageObjective())(document)
    assert totals == pytest.approx(rows.mean(axis=1))


def test_cross_validation_by_systems_and_by_documents_judges_every_summary(labels: Path) -> None:
    documents = human_agreement.read(labels)
    for by in ("document", "system"):
        rows, totals = human_agreement.cross_validated(documents, by)
        assert [row.mean() for row in np.concatenate(rows)] == pytest.approx(np.concatenate(totals))
        assert all(total.any() for total in totals)
