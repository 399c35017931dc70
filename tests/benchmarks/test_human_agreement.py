"""The agreement benchmark: its figures by hand, and its command on a made-up file."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks.matchers import human_agreement

ROOT = Path(__file__).parents[2]
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


def test_command(tmp_path: Path) -> None:
    words = ["disk", "server", "deploy", "backup", "latency", "queue", "cache", "token"]
    with (tmp_path / "made_up.jsonl").open("w") as out:
        for number in range(6):
            units = [f"The {word} {number + 3} broke." for word in words]
            summaries = [
                {"system": f"s{k}", "text": " ".join(units[:k]), "covered": [int(i < k) for i in range(len(words))]}
                for k in (1, 4, 6)
            ]
            out.write(json.dumps({"id": str(number), "units": units, "summaries": summaries}) + "\n")
    command = [sys.executable, "-m", "benchmarks.matchers.human_agreement", str(tmp_path / "made_up.jsonl"), "--json"]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    table = json.loads(ran.stdout)
    assert {"lexical", "lexical_cv", "idf_recall", "rouge1_recall"} <= set(table)
    assert all(list(row) == KEYS for row in table.values())
    assert table["lexical"]["auc"] > 0.95
    assert table["lexical"]["system_pearson"] > 0.9
