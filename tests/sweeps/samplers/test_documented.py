"""The sampler in a user's own studies, as docs/reference/configuration.md describes it."""

from __future__ import annotations

import random
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sweeps.samplers.trial_noise import MOST, noise_variances, trial_noise

PAGE = (Path(__file__).parents[3] / "docs/reference/configuration.md").read_text("utf-8")
SECTION = PAGE.split("## The sampler in your own Optuna study")[1]


def test_the_example_runs_and_finds_the_hill(capsys: pytest.CaptureFixture[str]) -> None:
    example = re.search(r"^```python\n(.*?)^```", SECTION, re.MULTILINE | re.DOTALL)
    assert example
    random.seed(3)
    found: dict[str, Any] = {}
    exec(example[1], found)
    assert abs(found["best"].params["temperature"] - 0.4) < 0.35
    assert found["study"].trials[0].params == {"temperature": 0.8, "top_k": 40}
    assert 0 < found["sd"] < 0.1
    assert 0 < found["gain"] < 0.15
    assert "above the baseline" in capsys.readouterr().out


def test_the_attributes_are_those_of_the_table() -> None:
    assert re.findall(r"^\| `(\w+)` \|", SECTION, re.MULTILINE) == ["noise_sd", "score_var", "n", "case_scores"]
    assert trial_noise({"noise_sd": 0.2, "score_var": 9.0, "n": 4}) == pytest.approx(0.01)
    table = [{"case_scores": {"a": 1.0, "b": 2.0}}, {"case_scores": {"a": 5.0, "b": 4.0}}]
    np.testing.assert_allclose(noise_variances(table, np.array([1.5, 4.5])), [0.5, 0.5])
    assert f"beyond {MOST:.0e}".replace("+", "") in SECTION
