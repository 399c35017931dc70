"""States of evaluated prompts: what is kept, in how many bytes, and what is left in the file system."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from analysis.files.unfinished import unfinished
from sweeps.engines.base import EngineProtocolError
from sweeps.engines.llama.prompt_states import KeptStates, PromptStates, StateFile
from tests.analysis.files.test_unfinished import left_by_the_dead
from tests.sweeps.forks import needs_fork


class Slot:
    """A slot of llama.cpp: its state is bytes, and it has saved or restored so many."""

    def __init__(self, file: StateFile) -> None:
        self.file = file
        self.state = b""
        self.calls: list[str] = []
        self.fails = False

    def __call__(self, action: str, name: str) -> dict[str, Any]:
        self.calls.append(action)
        if self.fails:
            raise EngineProtocolError("no answer")
        path = Path(self.file.folder + name)
        if action == "save":
            path.write_bytes(self.state)
            return {"n_saved": len(self.state)}
        self.state = path.read_bytes()
        return {"n_restored": len(self.state)}


@pytest.fixture(params=["in memory", "in a folder"])
def file(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> StateFile:
    if request.param == "in a folder":
        monkeypatch.delattr(os, "memfd_create", raising=False)
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    elif not hasattr(os, "memfd_create"):
        pytest.skip("this system has no files in memory")
    return StateFile()


def evaluated(states: PromptStates, slot: Slot, letter: str, tokens: int = 10) -> None:
    """Keep the state of a prompt of one byte per token."""
    slot.state = letter.encode() * tokens
    states.keep(letter, tokens, slot)


def brought_back(states: PromptStates, slot: Slot, letter: str) -> bytes | None:
    slot.state = b"another prompt"
    return slot.state if states.restore(letter, slot) else None


def of_size(file: StateFile, limit: int, each: Callable[[], float | None] = lambda: 1.0) -> tuple[PromptStates, Slot]:
    return PromptStates(file, KeptStates(each, limit)), Slot(file)


def test_the_least_recently_used_goes_first(file: StateFile) -> None:
    states, slot = of_size(file, 35)
    for letter in "abc":
        evaluated(states, slot, letter)
    assert brought_back(states, slot, "a") == b"a" * 10
    evaluated(states, slot, "d")
    assert brought_back(states, slot, "b") is None
    assert [brought_back(states, slot, letter) for letter in "acd"] == [letter * 10 for letter in (b"a", b"c", b"d")]
    assert file.path.read_bytes() == b""


def test_a_state_above_the_limit_is_not_asked_for(file: StateFile) -> None:
    states, slot = of_size(file, 35)
    evaluated(states, slot, "a")
    evaluated(states, slot, "b", tokens=36)
    assert slot.calls == ["save"]
    assert brought_back(states, slot, "a") == b"a" * 10  # the large one has pushed nothing out


def test_little_free_memory_lowers_the_limit(file: StateFile, monkeypatch: pytest.MonkeyPatch) -> None:
    class Memory:
        available = 120

    monkeypatch.setattr("psutil.virtual_memory", Memory)
    states, slot = of_size(file, 1000)
    evaluated(states, slot, "a")
    evaluated(states, slot, "b")  # an eighth of 120 free bytes and the 10 kept: 16
    assert [brought_back(states, slot, letter) for letter in "ab"] == [None, b"b" * 10]


def test_a_state_with_generated_tokens_is_not_kept(file: StateFile) -> None:
    states, slot = of_size(file, 35)
    slot.state = b"prompt and answer"
    states.keep("a", 6, slot)
    assert len(states.kept) == 0


@pytest.mark.parametrize("action", ["save", "restore"])
def test_a_failure_ends_the_keeping(file: StateFile, action: str) -> None:
    states, slot = of_size(file, 35)
    evaluated(states, slot, "a")
    slot.fails = True
    if action == "save":
        evaluated(states, slot, "b")
    else:
        assert brought_back(states, slot, "a") is None
    slot.fails = False
    evaluated(states, slot, "c")
    assert len(states.kept) == 0
    assert slot.calls == ["save", action]


def test_a_model_whose_states_are_of_no_use_is_not_asked(file: StateFile) -> None:
    states, slot = of_size(file, 35, lambda: None)
    evaluated(states, slot, "a")
    assert slot.calls == []


def test_nothing_is_left_in_the_file_system(file: StateFile, tmp_path: Path) -> None:
    in_folder = list(tmp_path.iterdir())
    assert len(in_folder) == ("/proc/" not in file.folder)
    states, slot = of_size(file, 35)
    evaluated(states, slot, "a")
    assert sum(path.stat().st_size for folder in in_folder for path in folder.iterdir()) == 0


@needs_fork
def test_what_a_killed_process_left_is_removed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delattr(os, "memfd_create", raising=False)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    left_by_the_dead(tmp_path / "slm-sweeps-state", folder=True)
    in_use, strange = unfinished(tmp_path / "slm-sweeps-state"), tmp_path / "slm-sweeps-state"
    for folder in (in_use, strange):
        folder.mkdir()
        (folder / "state").write_bytes(b"state")
    file = StateFile()
    assert {*tmp_path.iterdir()} == {in_use, strange, Path(file.folder)}
    del file
    assert {*tmp_path.iterdir()} == {in_use, strange}
