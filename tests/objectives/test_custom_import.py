"""Objectives of one's own: where they are found, and what is told when they fail."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from objectives import FunctionObjective, ObjectiveError, Score, make_objective, own_modules
from objectives.testing import SAMPLE, check_objective

CLASS = """
from objectives import Score
class Half:
    name, digest, budget_words = "half", "1", 7
    def score(self, case, text):
        return {value}
"""


@pytest.fixture(autouse=True)
def imports() -> Iterator[None]:
    """What a test imports is forgotten."""
    path, modules = list(sys.path), set(sys.modules)
    yield
    sys.path[:] = path
    for name in set(sys.modules) - modules:
        if name.startswith("mine"):
            del sys.modules[name]
            own_modules._loaded.pop(name, None)


def write(folder: Path, text: str, name: str = "mine.py") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text)
    return folder


def value_of(folder: Path | None, kind: str = "mine:f") -> float:
    return make_objective({"kind": kind}, directory=folder).score(SAMPLE, "x").score


def returning(value: object) -> str:
    return f"def f(case, text):\n    return {value}\n"


def test_a_module_beside_the_file_comes_before_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    beside, here = write(tmp_path / "beside", returning(0.25)), write(tmp_path / "here", returning(0.5))
    monkeypatch.chdir(here)
    assert value_of(beside) == 0.25
    assert value_of(None) == 0.5
    assert value_of(tmp_path) == 0.5  # nothing there
    other = write(tmp_path / "other", returning(0.75))  # another sweep of this process
    assert value_of(other) == 0.75
    assert value_of(beside) == 0.25


def test_a_module_may_import_what_is_beside_it(tmp_path: Path) -> None:
    write(tmp_path, "VALUE = 0.3\n", "mine_values.py")
    write(tmp_path, "from mine_values import VALUE\n\n\ndef f(case, text):\n    return VALUE\n")
    assert value_of(tmp_path) == 0.3


def test_packages_are_found_as_well(tmp_path: Path) -> None:
    for folder, value in (("a", 0.1), ("b", 0.2)):
        write(tmp_path / folder / "mine", "", "__init__.py")
        write(tmp_path / folder / "mine", returning(value), "deep.py")
        assert value_of(tmp_path / folder, "mine.deep:f") == value


def test_no_file_stands_in_for_pythons_own_modules(tmp_path: Path) -> None:
    write(tmp_path, "raise SystemExit\n", "json.py")
    with pytest.raises(ObjectiveError, match="'json' has no 'f'"):
        make_objective({"kind": "json:f"}, directory=tmp_path)


def test_both_places_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    with pytest.raises(ObjectiveError, match="was not found") as told:
        make_objective({"kind": "mine_gone.deep:f"}, directory=tmp_path)
    assert f"no mine_gone.py in {tmp_path} nor in {here}" in str(told.value)


@pytest.mark.parametrize(
    ("text", "kind", "told"),
    [
        ("import no_such_package\n", "mine:f", "ModuleNotFoundError: No module named 'no_such_package', mine.py:1"),
        ("def f(:\n", "mine:f", "SyntaxError: invalid syntax (mine.py, line 1)"),
        ("\nx = 1 / 0\n", "mine:f", "ZeroDivisionError: division by zero, mine.py:2"),
        (CLASS.format(value=0), "mine:Nothing", "has no 'Nothing'"),
        (
            CLASS.format(value=0) + "    def __init__(self):\n        1 / 0\n",
            "mine:Half",
            "Half() failed: Zero",
        ),
    ],
)
def test_what_cannot_be_imported(tmp_path: Path, text: str, kind: str, told: str) -> None:
    write(tmp_path, text)
    with pytest.raises(ObjectiveError) as error:
        make_objective({"kind": kind}, directory=tmp_path)
    assert told in str(error.value)


@pytest.mark.parametrize(
    ("body", "cause"),
    [
        ("raise KeyError('gold')", "KeyError: 'gold', mine.py:3"),
        ("raise ValueError", "ValueError, mine.py:3"),
        ("import json\n    json.loads('{')", "mine.py:4"),  # the person's line, not the library's
        ("raise SystemExit(1)", "SystemExit: 1, mine.py:3"),
    ],
)
def test_what_fails_is_told_with_case_cause_and_line(tmp_path: Path, body: str, cause: str) -> None:
    write(tmp_path, f"\ndef f(case, text):\n    {body}\n")
    with pytest.raises(ObjectiveError) as error:
        value_of(tmp_path)
    told = str(error.value)
    assert told.startswith("objective 'f' failed for case 'sample' (")
    assert f"{cause})" in told
    assert "\n" not in told


def test_what_is_called_wrongly_has_no_line_of_its_own() -> None:
    with pytest.raises(ObjectiveError, match=r"'system' failed for case 'sample' \(TypeError: [^:]*\)\. "):
        value_of(None, "os:system")


@pytest.mark.parametrize("value", [True, np.True_, "0.5", b"0.5", np.array([0.1, 0.2]), Score(True)])
def test_what_only_looks_like_a_number_is_refused(value: object) -> None:
    with pytest.raises(ObjectiveError, match="returned"):
        FunctionObjective(lambda case, text: value).score(SAMPLE, "text")  # type: ignore[arg-type, return-value]


@pytest.mark.parametrize("value", [0, 1, 0.5, np.float32(0.5), np.array(0.5), Score(0.5)])
def test_numbers_are_taken(value: object) -> None:
    expected = value.score if isinstance(value, Score) else float(value)  # type: ignore[arg-type]
    assert FunctionObjective(lambda case, text: value).score(SAMPLE, "text").score == expected  # type: ignore[arg-type, return-value]


def test_an_objective_object_is_guarded_and_keeps_its_attributes(tmp_path: Path) -> None:
    write(tmp_path, CLASS.format(value="Score(0.5)"))
    objective = make_objective({"kind": "mine:Half"}, directory=tmp_path)
    check_objective(objective)
    assert (objective.name, objective.digest, objective.budget_words) == ("half", "1", 7)  # type: ignore[attr-defined]
    write(tmp_path, CLASS.format(value="case.gold"), "mine_2.py")
    with pytest.raises(ObjectiveError, match=r"'half' failed .*AttributeError: .*gold.*mine_2.py:6"):
        value_of(tmp_path, "mine_2:Half")
    write(tmp_path, CLASS.format(value="0.5"), "mine_3.py")
    with pytest.raises(ObjectiveError, match=r"returned 0\.5 .*returns a Score"):
        value_of(tmp_path, "mine_3:Half")
