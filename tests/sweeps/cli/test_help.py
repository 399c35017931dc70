"""Help answers at once: nothing heavy is imported before it is needed."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from sweeps import __version__
from sweeps.cli import _COMMANDS, _return_memory, run_command

HEAVY = (
    "optuna",
    "mlflow",
    "pandas",
    "scipy",
    "sklearn",
    "numpy",
    "matplotlib",
    "pydantic",
    "sqlalchemy",
    "rich",
    "ollama",
)


@pytest.mark.parametrize(
    "statement", ["import sweeps.cli", "import sweeps", "from sweeps.cli import run_command; run_command(['--help'])"]
)
def test_starting_imports_nothing_heavy(statement: str) -> None:
    code = f"import sys\n{statement}\nprint([name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "[]"


def test_arrow_is_asked_to_return_memory_unless_the_user_chose(monkeypatch: pytest.MonkeyPatch) -> None:
    for chosen, used in ((None, "system"), ("jemalloc", "jemalloc")):
        monkeypatch.setenv("ARROW_DEFAULT_MEMORY_POOL", chosen or "")
        if chosen is None:
            monkeypatch.delenv("ARROW_DEFAULT_MEMORY_POOL")
        _return_memory()
        assert os.environ["ARROW_DEFAULT_MEMORY_POOL"] == used


def test_help_lists_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["--help"]) == 0
    out = capsys.readouterr().out
    assert all(f"  {name} " in out for name in _COMMANDS)


@pytest.mark.parametrize("name", _COMMANDS)
def test_every_command_has_help(capsys: pytest.CaptureFixture[str], name: str) -> None:
    assert run_command([name, "--help"]) == 0
    assert "Usage: sweeps " in capsys.readouterr().out


@pytest.mark.parametrize("module", ["sweeps", "sweeps.cli"])
def test_python_runs_it_as_a_module(module: str) -> None:
    done = subprocess.run([sys.executable, "-m", module, "--version"], capture_output=True, text=True, check=True)
    assert done.stdout == f"slm-sweeps {__version__}\n"


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["--version"]) == 0
    assert capsys.readouterr().out == f"slm-sweeps {__version__}\n"
