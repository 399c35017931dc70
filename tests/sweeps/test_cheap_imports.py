"""Imports that a command does without: each of them takes seconds, and a person waits for it."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = ("mlflow", "optuna", "sklearn", "scipy", "pandas", "matplotlib", "pyarrow")


@pytest.mark.parametrize("module", ["sweeps.study.sweep"])
def test_what_is_imported_before_the_first_text_is_cheap(module: str) -> None:
    code = f"import sys, {module}; print([name for name in {HEAVY} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
