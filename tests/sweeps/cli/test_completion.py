"""Completion by the shell."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from click.shell_completion import BashComplete

from sweeps.cli import _COMMANDS, _GROUPS, run_command, sweeps
from tests.sweeps.cli.reading import Capture


def completed(*words: str) -> list[str]:
    *before, last = words
    made = BashComplete(sweeps, {}, "sweeps", "_SWEEPS_COMPLETE")
    return [item.value for item in made.get_completions(before, last)]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_has_its_script(shell: str, capsys: Capture) -> None:
    assert run_command(["completion", shell]) == 0
    script = capsys.readouterr().out
    assert f"_SWEEPS_COMPLETE={shell}_complete" in script
    if shutil.which(shell):
        flag = "--no-execute" if shell == "fish" else "-n"
        subprocess.run([shell, flag], input=script, text=True, check=True)


def test_the_shell_in_use_is_found(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHELL", "/usr/bin/zsh")
    assert run_command(["completion"]) == 0
    assert "~/.zshrc" in capsys.readouterr().err
    monkeypatch.setenv("SHELL", "/bin/ksh")
    assert run_command(["completion"]) == 2
    assert "no completion for the shell 'ksh'; name one of bash, zsh, fish" in capsys.readouterr().err


def test_commands_options_and_studies_are_completed(finished: Path) -> None:
    assert completed("st") == ["status"]
    assert completed("") == list(_COMMANDS)
    assert completed("status", "--wa") == ["--watch"]
    where = ("--mlruns", str(finished / "mlruns"))
    assert sorted(completed("status", *where, "")) == ["other", "t"]
    assert completed("export", *where, "ot") == ["other"]
    assert completed("report", "--mlruns", str(finished), "") == []


def test_every_command_has_its_place_in_help() -> None:
    grouped = [name for names in _GROUPS.values() for name in names]
    assert sorted(grouped) == sorted(_COMMANDS)
