"""The Python guide does what it says."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

import sweeps

GUIDE = (Path(__file__).parent.parent / "docs/guides/python.md").read_text(encoding="utf-8")


def test_its_code_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {"__name__": "guide"}
    blocks = re.findall(r"^```python\n(.*?)^```", GUIDE, re.MULTILINE | re.DOTALL)
    for block in blocks:
        exec(compile(block, "python.md", "exec"), names)
    assert len(blocks) == 6
    shown = capsys.readouterr()
    assert names["result"].verdict.sentence in shown.out
    assert "0.0 7\n" in shown.out
    assert shown.err.startswith("check: checking cases, engine and model\n")
    assert set(names["scored"].observations["score"]) != set(names["result"].observations["score"])


def test_the_errors_that_it_names_are_public() -> None:
    named = set(re.findall(r"`(\w+Error)`", GUIDE))
    assert named == {name for name in sweeps.__all__ if name.endswith("Error")} - {"TableError"}
