"""Fixtures of the benchmarks' tests."""

from __future__ import annotations

import json
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def labels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Made-up human labels: six documents of eight units; a longer summary covers more."""
    words = ["disk", "server", "deploy", "backup", "latency", "queue", "cache", "token"]
    path = tmp_path_factory.mktemp("labels") / "made_up.jsonl"
    lines = []
    for number in range(6):
        units = [f"The {word} {number + 3} broke." for word in words]
        summaries = [
            {"system": f"s{k}", "text": " ".join(units[:k]), "covered": [int(i < k) for i in range(len(words))]}
            for k in (1, 4, 6)
        ]
        lines.append(json.dumps({"id": str(number), "units": units, "summaries": summaries}))
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path
