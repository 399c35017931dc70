"""Sweeps with an objective of one's own, through the command line."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from objectives import own_modules
from sweeps.cli import DEFECT, run_command
from sweeps.results.reader import load_result
from tests.sweeps.sweep_files import write_sweep

pytestmark = pytest.mark.usefixtures("no_report")

Capture = pytest.CaptureFixture[str]
SCORED = "\ndef mine(case, text):\n    return min(1.0, len(text) / 500)\n"


def own(folder: Path, text: str) -> Path:
    (folder / "cli_own.py").write_text(text)
    return write_sweep(folder, objective={"kind": "cli_own:mine"})


def command(*arguments: str) -> int:
    """Run a command as in a process of its own: with nothing imported."""
    sys.modules.pop("cli_own", None)
    own_modules._loaded.pop("cli_own", None)
    with pytest.MonkeyPatch.context() as fresh:
        fresh.setattr(sys, "path", list(sys.path))
        return run_command(arguments)


def arguments(name: str, path: Path) -> list[str]:
    more = ["--no-tracking"] if name == "run" else []
    return [name, str(path), "--mlruns", str(path.parent / "mlruns"), "--quiet", *more]


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The module stands beside the file, which is not in the working directory."""
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    monkeypatch.setenv("COLUMNS", "300")
    monkeypatch.setattr("sweeps.cli.trust.answers_file", lambda: tmp_path / "state" / "trusted.json")


def test_a_sweep_whose_objective_fails_goes_on_when_it_is_mended(tmp_path: Path, capsys: Capture) -> None:
    path = own(tmp_path, "\ndef mine(case, text):\n    return case.gold\n")
    assert command(*arguments("run", path)) == 2
    assert f"would run the code of {tmp_path / 'cli_own.py'} with your rights" in capsys.readouterr().err
    assert command(*arguments("run", path), "--trust") == 2
    err = capsys.readouterr().err
    assert "error: objective 'mine' failed for case 'c1' (AttributeError: " in err
    assert "cli_own.py:3). " in err
    assert "Traceback" not in err
    own(tmp_path, SCORED)
    assert command(*arguments("run", path)) == 2  # the same command tells how to go on
    assert "sweeps rescore t" in capsys.readouterr().err
    assert command("rescore", "t", "--mlruns", str(tmp_path / "mlruns")) == 0
    assert command(*arguments("run", path)) == 0
    assert load_result(tmp_path / "mlruns", "t").status == "done"


def test_check_tries_it_on_the_answers(tmp_path: Path, capsys: Capture) -> None:
    path = own(tmp_path, "\ndef mine(case, text):\n    return 'much'\n")
    assert command(*arguments("check", path), "--trust") == 2
    assert "objective 'mine' returned 'much' for case 'c1'" in capsys.readouterr().out
    own(tmp_path, SCORED)
    assert command(*arguments("check", path)) == 0
    assert " by mine" in capsys.readouterr().out


def test_a_defect_of_the_program_is_no_negative_answer(
    tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def defect(*_: object, **__: object) -> None:
        raise KeyError("inner")

    monkeypatch.setattr("sweeps.study.sweep.Sweep.run", defect)
    assert command(*arguments("run", write_sweep(tmp_path))) == DEFECT == 70
    err = capsys.readouterr().err
    assert "Traceback" in err
    assert "KeyError: 'inner'" in err
    assert "defect of this program" in err.splitlines()[-1]
