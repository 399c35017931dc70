"""`sweeps export`."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from sweeps.cli import run_command
from sweeps.results.reader import load_result
from tests.sweeps.cli.reading import Capture, answer, text


def test_export_what_is_shown_better(finished: Path, tmp_path: Path, capsys: Capture) -> None:
    done = answer(capsys, "export", "t", "--out", tmp_path, "--json", "--mlruns", finished / "mlruns")
    assert done["shown_better"] is True
    env = next(Path(path) for path in done["files"] if path.endswith(".env")).read_text()
    finalist = load_result(finished / "mlruns", "t").finalist
    assert finalist is not None
    assert f"OLLAMA_TEMPERATURE={finalist.configuration.options['temperature']}" in env
    options = json.loads(next(Path(path) for path in done["files"] if path.endswith(".json")).read_text())
    assert "t" in json.dumps(options)
    verdict = load_result(finished / "mlruns", "t").verdict
    assert verdict is not None
    known = ("level", "n_per_arm", "n_finalist", "n_baseline")
    assert [options["provenance"][name] for name in known] == [getattr(verdict, name) for name in known]
    assert f"{100 * verdict.level:.3g}% interval [" in env.splitlines()[0]
    command = ["bash", "-c", 'set -a; . "$0"; printf %s "$OLLAMA_TEMPERATURE"']
    file = next(path for path in done["files"] if path.endswith(".env"))
    sourced = subprocess.run([*command, file], capture_output=True, text=True, check=True)
    assert float(sourced.stdout) == finalist.configuration.options["temperature"]


def test_the_folder_of_an_export_has_one_name(finished: Path, tmp_path: Path) -> None:
    result = load_result(finished / "mlruns", "t")
    for number, files in enumerate((result.export(["env"], out=tmp_path / "0"), result.export(folder=tmp_path / "1"))):
        assert {path.parent for path in files} == {tmp_path / str(number)}


def test_export_refuses_what_is_not_shown_better_unless_forced(null: Path, tmp_path: Path, capsys: Capture) -> None:
    arguments = ["export", "--out", str(tmp_path / "out"), "--mlruns", str(null / "mlruns")]
    capsys.readouterr()
    assert run_command(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "--force" in err
    assert not list(tmp_path.rglob("*.env"))
    files = text(capsys, *arguments, "--force").split()
    assert "not" in Path(files[0]).read_text().lower()
    assert answer(capsys, *arguments, "--force", "--json")["shown_better"] is False
