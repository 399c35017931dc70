"""Commands and their output."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sweeps.cli import run_command

Capture = pytest.CaptureFixture[str]


VERDICT_KEYS = {
    "verdict", "effect", "ci_low", "ci_high", "p_value", "n_per_arm", "mde", "baseline_mean", "finalist_mean",
    "noise_sd", "configuration",
}  # fmt: skip


def answer(capsys: Capture, *arguments: object, code: int = 0) -> Any:
    """The one JSON value that a command prints."""
    capsys.readouterr()
    assert run_command([str(argument) for argument in arguments]) == code
    out, err = capsys.readouterr()
    assert "Traceback" not in err
    return json.loads(out)


def text(capsys: Capture, *arguments: object, code: int = 0) -> str:
    capsys.readouterr()
    assert run_command([str(argument) for argument in arguments]) == code
    return capsys.readouterr().out
