"""The recipes and the notebook under `examples/` do what their pages say.

The default run reads all of them and runs what is cheap, in this process. With `-m long` each recipe's command runs
word for word, in a process of its own.
"""

from __future__ import annotations

import json
import os
import re
import runpy
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import click
import matplotlib as mpl
import pytest

from docs.casts import text_of
from objectives.testing import SAMPLE
from sweeps import Sweep
from sweeps.cli import run_command
from sweeps.cli import sweeps as group
from tests.test_site import hooks

ROOT = Path(__file__).parent.parent
RECIPES = sorted(path for path in (ROOT / "examples/recipes").iterdir() if path.is_file())
CHEAP = ("judge-a-table", "judge-other-tools", "plan-a-budget", "rank-several")


def named(name: str) -> Any:
    return next(recipe for recipe in hooks().recipes() if recipe.name == name)


def commands(path: Path) -> list[list[str]]:
    """The commands of `sweeps` in a recipe of the shell."""
    lines = path.read_text("utf-8").replace("\\\n", " ").splitlines()
    found = [re.search(r"^(?:timeout \S+ \S+ \S+ )?(sweeps .*)", line) for line in lines]
    return [shlex.split(match[1].partition(" > ")[0])[1:] for match in found if match]


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that looks like the repository to a recipe, and has no `mlruns`."""
    for name in ("examples", "tests"):
        (tmp_path / name).symlink_to(ROOT / name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_each_recipe_has_a_page_and_a_whole_header() -> None:
    assert {recipe.file for recipe in hooks().recipes()} == {path.name for path in RECIPES}
    assert len(RECIPES) >= 12
    for recipe in hooks().recipes():
        assert set(recipe.facts) == {"Run", "Shows", "Runs on"}, recipe.file
        assert f"examples/recipes/{recipe.file}" in recipe.facts["Run"]
        assert recipe.about
        recorded = ROOT / f"examples/recipes/output/{recipe.name}.txt"
        if recorded.exists():
            assert recipe.facts["Shows"] in recorded.read_text("utf-8"), recipe.file


def test_each_page_has_a_picture_of_what_the_recipe_prints() -> None:
    for recipe in hooks().recipes():
        (about, target) = re.findall(r"!\[([^]]+)\]\(([^)]+)\)", recipe.page())[-1]
        assert len(about.split()) >= 4
        if recipe.recorded.exists():
            assert target == f"{recipe.name}.svg"
            assert recipe.facts["Shows"] in " ".join(text_of(recipe.picture()))
        else:
            assert (ROOT / "docs/recipes" / target).exists()


@pytest.mark.parametrize("path", [path for path in RECIPES if path.suffix == ".toml"], ids=lambda path: path.stem)
def test_each_file_is_a_valid_sweep(path: Path) -> None:
    assert Sweep.from_toml(path).config.study.name == tomllib.loads(path.read_text("utf-8"))["study"]["name"]


@pytest.mark.parametrize("path", [path for path in RECIPES if path.suffix == ".sh"], ids=lambda path: path.stem)
def test_each_command_of_a_script_exists(path: Path, checkout: Path) -> None:
    assert commands(path)
    for name, *arguments in commands(path):
        command = group.get_command(click.Context(group), name)
        assert command is not None
        written = [argument for argument in arguments if argument != "slow.toml"]  # made by the script itself
        command.make_context(name, written, resilient_parsing=len(written) < len(arguments))


@pytest.mark.parametrize("name", CHEAP)
def test_recipes_on_recorded_tables(name: str, checkout: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for command in commands(ROOT / f"examples/recipes/{name}.sh"):
        expanded = [str(path) for word in command for path in (sorted(checkout.glob(word)) if "*" in word else [word])]
        assert run_command(expanded) == 0
    assert named(name).facts["Shows"] in capsys.readouterr().out


@pytest.mark.parametrize("name", ["custom-objective", "python-loop"])
def test_recipes_in_python(name: str, checkout: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runpy.run_path(str(ROOT / f"examples/recipes/{name}.py"), run_name="__main__")
    assert named(name).facts["Shows"] in capsys.readouterr().out


@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    "name",
    [
        pytest.param(path.stem, marks=pytest.mark.model if path.stem in {"prompt-ab", "audit-embedded"} else ())
        for path in RECIPES
    ],
)
def test_each_recipe_word_for_word(name: str, checkout: Path) -> None:
    scripts = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = os.environ | {"PATH": scripts, "COLUMNS": "80", "NO_COLOR": "1"}
    done = subprocess.run(
        ["bash", "-c", named(name).facts["Run"]], capture_output=True, text=True, env=environment, check=False
    )
    assert done.returncode == 0, done.stderr
    assert named(name).facts["Shows"] in done.stdout


def test_the_notebook_runs(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(ROOT / "examples")
    mpl.use("agg")
    notebook = json.loads(Path("look_at_results.ipynb").read_text("utf-8"))
    names: dict[str, Any] = {"__name__": "notebook"}
    cells = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    for cell in cells:
        exec(compile("".join(cell["source"]), cell["id"], "exec"), names)
    assert len(cells) >= 6
    assert [verdict.outcome for verdict in names["verdicts"]].count("better") == 1
    assert "temperature 0.2, repeat_penalty 1.1: better" in capsys.readouterr().out
    assert 0 < names["wrong"] < 0.5


def test_the_guide_to_objectives_runs() -> None:
    text = (ROOT / "docs/guides/custom-objective.md").read_text("utf-8")
    names: dict[str, Any] = {}
    blocks = re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    for block in blocks:
        exec(compile(block, "custom-objective.md", "exec"), names)
    assert len(blocks) == 2
    assert names["short_and_named"](SAMPLE, "Ana: all green.") > 0
