"""The names that users import from `sweeps`, and what happens where a user's folder hides one of our packages."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import objectives
import sweeps
from analysis import export
from tests.sweeps.sweep_files import write_sweep

ROOT = Path(sweeps.__file__).parents[1]

NAMES = [
    "Audit",
    "ConfigError",
    "Configuration",
    "EngineError",
    "ExportError",
    "PlainProgress",
    "Progress",
    "RichProgress",
    "ScoringError",
    "Silent",
    "Standing",
    "StudyBusyError",
    "StudyChangedError",
    "StudyDiff",
    "StudyMissingError",
    "Sweep",
    "SweepConfig",
    "SweepError",
    "SweepResult",
    "TableError",
    "__version__",
    "audit",
    "diff_studies",
    "judge",
    "load_config",
    "load_result",
    "read_table",
    "rescore_study",
]


def python(*arguments: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run Python as a user does who has installed the packages: they come last on its path."""
    paths = {"PYTHONPATH": "", "PYTHONSAFEPATH": "", **environment}
    return subprocess.run(
        [sys.executable, *arguments],
        check=False,
        cwd=cwd,
        env=os.environ | paths,
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_the_public_names() -> None:
    assert sorted(sweeps.__all__) == NAMES
    assert set(sweeps.__all__) <= set(dir(sweeps))
    for name in NAMES:
        assert getattr(sweeps, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'Swep'"):
        _ = sweeps.Swep  # type: ignore[attr-defined]


@pytest.mark.parametrize("package", [sweeps, objectives])
def test_type_checkers_see_the_names_that_are_there(package: object) -> None:
    tree = ast.parse(Path(package.__file__).read_text(encoding="utf-8"))  # type: ignore[attr-defined]
    block = next(node for node in tree.body if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING")
    seen = {alias.asname: statement.module for statement in block.body for alias in statement.names}  # type: ignore[attr-defined]
    assert seen == package._HOMES  # type: ignore[attr-defined]
    for name, home in seen.items():
        found = getattr(import_module(home), name)
        assert getattr(found, "__module__", home) == home


def test_scripts_catch_our_errors_by_one_name() -> None:
    errors = [getattr(sweeps, name) for name in NAMES if name.endswith("Error") and name != "TableError"]
    assert all(issubclass(error, sweeps.SweepError) for error in errors)
    assert all(error.exit_code in (2, 3) for error in errors)
    assert issubclass(sweeps.ExportError, export.export_set.ExportError)
    assert issubclass(sweeps.ScoringError, objectives.ObjectiveError)


def test_importing_it_imports_nothing_heavy(tmp_path: Path) -> None:
    code = "import sys, sweeps; sweeps.SweepError, sweeps.Configuration, sweeps.Progress; print(*sys.modules)"
    loaded = python("-c", code, cwd=tmp_path).stdout.split()
    assert "sweeps" in loaded
    assert not {"numpy", "pandas", "scipy", "mlflow", "optuna", "rich", "pydantic", "sklearn"} & set(loaded)


def test_the_packages_say_that_they_are_typed() -> None:
    assert all((ROOT / name / "py.typed").is_file() for name in ("sweeps", "objectives", "analysis"))


@pytest.mark.parametrize("name", ["analysis", "objectives"])
@pytest.mark.parametrize("how", ["script", "command", "module"])
def test_a_folder_that_hides_ours_is_named(tmp_path: Path, name: str, how: str) -> None:
    (tmp_path / name).mkdir()
    (tmp_path / name / "__init__.py").write_text("")
    (tmp_path / "mine.py").write_text("from sweeps import Sweep\n")
    arguments = {"script": ["mine.py"], "command": ["-c", "import sweeps"], "module": ["-m", "sweeps", "--help"]}[how]
    done = python(*arguments, cwd=tmp_path)
    assert done.returncode == 1
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith(f"ImportError: {tmp_path / name} hides the package {name!r} of slm-sweeps")
    assert "Rename it." in last


def test_a_file_that_hides_ours_is_named(tmp_path: Path) -> None:
    script = tmp_path / "analysis.py"
    script.write_text("from sweeps import Sweep\n")
    last = python("analysis.py", cwd=tmp_path).stderr.strip().splitlines()[-1]
    assert last.startswith(f"ImportError: {script} hides the package 'analysis'")


@pytest.mark.slow
def test_the_ways_out_that_the_message_names_work(tmp_path: Path) -> None:
    (tmp_path / "analysis").mkdir()
    (tmp_path / "analysis" / "__init__.py").write_text("")
    script = tmp_path / "mine.py"
    script.write_text("from sweeps import Sweep, judge; print(judge.__module__)\n")
    assert python("-P", str(script), cwd=tmp_path).stdout == "analysis.verdict.judge\n"
    (tmp_path / "elsewhere").mkdir()
    code = "from sweeps import judge; print(judge.__module__)"
    assert python("-c", code, cwd=tmp_path / "elsewhere").stdout == "analysis.verdict.judge\n"
    (tmp_path / "analysis").rename(tmp_path / "my_analysis")
    assert python(str(script), cwd=tmp_path).stdout == "analysis.verdict.judge\n"


def test_a_folder_without_init_hides_nothing(tmp_path: Path) -> None:
    (tmp_path / "analysis").mkdir()
    (tmp_path / "analysis" / "notes.py").write_text("")
    code = "import sweeps, analysis; print(sweeps.Sweep.__name__, analysis.__file__)"
    done = python("-c", code, cwd=tmp_path)
    assert done.stdout == f"Sweep {ROOT / 'analysis' / '__init__.py'}\n"


@pytest.mark.usefixtures("no_report")
def test_an_export_that_is_refused_is_a_sweep_error(tmp_path: Path) -> None:
    path = write_sweep(tmp_path, search={"probe": False}, verdict={"min_gain": 0.9})
    result = sweeps.Sweep.from_toml(path, directory=tmp_path / "mlruns", tracking=False, report=False).run()
    result.export(["json"], out=tmp_path, force=True)
    file = next(tmp_path.glob("*.json"))
    assert json.loads(file.read_text())["provenance"]["study"] == "t"
    with pytest.raises(sweeps.ExportError, match="yaml"):
        result.export(["yaml"], out=tmp_path, force=True)
