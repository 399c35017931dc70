"""Commands and their output."""

from __future__ import annotations

import json
from pathlib import Path
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


def drawn_in(study: Path) -> set[str]:
    """Names of the pictures in a study's folder, which must be drawn, in the page as well."""
    pictures = list((study / "plots").glob("*.png"))
    assert all(picture.stat().st_size > 5_000 for picture in pictures)
    page = (study / "report.html").read_text(encoding="utf-8")
    assert page.count("<svg") >= len(pictures)
    assert page.count("<path") > 20 * len(pictures)
    return {picture.stem for picture in pictures}
