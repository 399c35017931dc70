"""What holds for all tests."""

from __future__ import annotations

import gc
import os
from collections.abc import Generator, Iterator
from functools import cache
from pathlib import Path

import pytest
from hypothesis import settings

from tests.surroundings import (
    keep_temporary_files_in_memory,
    share_bytecode,
    share_compiled_statements,
    use_one_thread_of_blas,
)

keep_temporary_files_in_memory()
share_bytecode()  # before the imports of the libraries
use_one_thread_of_blas()
share_compiled_statements()

from analysis.report.guard import Guard  # noqa: E402
from sweeps.fingerprints import capture  # noqa: E402
from tests.sweeps.forks import wait_for_imports  # noqa: E402

settings.register_profile("short", max_examples=15, deadline=None)
settings.register_profile("full", max_examples=200, deadline=None)
settings.load_profile("short")


def pytest_xdist_auto_num_workers() -> int:
    """One worker more than cores: servers, locks and processes that tests wait for leave a fifth of two cores idle."""
    return (os.cpu_count() or 1) + 1


pytest_plugins = ["pytester", "tests.empty_databases", "tests.postgres"]


@pytest.fixture(scope="session", autouse=True)
def commit_is_read_once() -> Iterator[None]:
    """Let fingerprints that are taken in this repository share one answer of git: each sweep takes one."""
    ask, here = capture._git, Path.cwd()
    ask_here = cache(ask)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(capture, "_git", lambda *words: (ask_here if Path.cwd() == here else ask)(*words))
        yield


@pytest.fixture(autouse=True)
def strict_reports(monkeypatch: pytest.MonkeyPatch) -> None:
    """A plot or table that cannot be made is an error: people are told of it and get the rest, tests must fail."""
    monkeypatch.setattr(Guard, "strict", True)


def pytest_collection_finish() -> None:
    """Keep the collector away from all that is there before the first test, libraries and tests: it lives to the end.

    It went through a million objects again and again, which took a fourteenth of the processor time.
    """
    gc.collect()
    gc.freeze()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup() -> Generator[None, object, object]:
    return (yield from _waiting_for_imports())


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call() -> Generator[None, object, object]:
    return (yield from _waiting_for_imports())


def _waiting_for_imports() -> Generator[None, object, object]:
    """Let imports in the background end with the part of the test that began it.

    pytest goes through all loggers before each part of each test, and fails where an import adds one meanwhile.
    """
    try:
        return (yield)
    finally:
        wait_for_imports()
