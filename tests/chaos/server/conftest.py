"""The double of an Ollama server, and the sweep on it that nothing disturbs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sweeps.results.result import SweepResult
from tests.chaos.wire import Server, write
from tests.sweeps.sweep_files import run, write_cases


@pytest.fixture
def server() -> Iterator[Server]:
    double = Server()
    with double:
        yield double


@pytest.fixture(scope="session")
def cases(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_cases(tmp_path_factory.mktemp("inputs") / "cases", 2)


@pytest.fixture(scope="session")
def whole(tmp_path_factory: pytest.TempPathFactory, cases: Path) -> SweepResult:
    """The sweep that nothing disturbs."""
    with Server() as undisturbed:
        result = run(write(tmp_path_factory.mktemp("whole"), cases, undisturbed.url))
    assert (result.status, len(result.observations), result.plan.total) == ("done", 24, 24)
    assert result.observations["score"].nunique() > 6  # else a wrong score would not show
    return result
