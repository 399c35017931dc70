"""The suite for study locks (`sweeps.workspace.study_lock`)."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, suppress
from typing import Protocol

import pytest

from sweeps.workspace.study_lock import RESCORE, RUN, StudyBusyError

COUNT = 4
"""Processes that compete for a lock."""


class StudyLock(Protocol):
    """A kind of lock, opened where the studies are."""

    def hold(self, study: str, doing: str) -> AbstractContextManager[None]:
        """Be the only one to work on a study, or raise `StudyBusyError`."""
        ...

    def refuse_busy(self, study: str) -> None:
        """Raise `StudyBusyError` where somebody works on the study; take nothing."""
        ...

    def standing(self, study: str, status: str) -> str:
        """A study's status: `interrupted` where it says `running` and nobody works on it."""
        ...


class StudyLockSuite:
    """The contract of a study lock.

    - One process and one thread at a time works on a study, whatever it does: the others get `StudyBusyError` with the
      study and the holder's process. Of several that begin together exactly one gets it.
    - Other studies are free.
    - The lock ends with its block, also by an exception, and with its process, also by a kill.
    - Asking whether a study is busy neither takes nor frees its lock. A study whose status says `running` is
      `interrupted` where nobody holds its lock; any other status stays as it is.

    A subclass supplies the fixture `lock`, a `StudyLock` that waits for no holder. It is used after a fork as well.
    """

    @pytest.fixture
    def lock(self) -> StudyLock:
        raise NotImplementedError

    @pytest.fixture
    def fork(self) -> Iterator[Callable[[Callable[[], object]], int]]:
        """Start a process that does something; it is killed after the test."""
        if not hasattr(os, "fork"):
            pytest.skip("needs fork")
        children: list[int] = []

        def start(work: Callable[[], object]) -> int:
            child = os.fork()
            if not child:
                try:
                    work()
                finally:
                    os._exit(0)
            children.append(child)
            return child

        yield start
        for child in children:
            with suppress(ProcessLookupError, ChildProcessError):
                os.kill(child, signal.SIGKILL)
                os.waitpid(child, 0)

    @pytest.fixture
    def holder(self, lock: StudyLock, fork: Callable[[Callable[[], object]], int]) -> int:
        """A process that holds study `a` until it is killed."""
        reading, writing = os.pipe()

        def work() -> None:
            with lock.hold("a", RUN):
                os.write(writing, b"h")
                signal.pause()

        child = fork(work)
        os.close(writing)
        assert os.read(reading, 1) == b"h", "the other process does not get the lock"
        os.close(reading)
        return child

    def is_busy(self, lock: StudyLock, study: str = "a") -> bool:
        try:
            lock.refuse_busy(study)
        except StudyBusyError:
            return True
        return False

    @pytest.mark.parametrize("doing", [RUN, RESCORE])
    def test_another_process_is_refused(self, lock: StudyLock, holder: int, doing: str) -> None:
        with pytest.raises(StudyBusyError) as caught, lock.hold("a", doing):
            pytest.fail("two hold the lock")
        assert "'a'" in str(caught.value)
        assert str(holder) in str(caught.value)
        assert caught.value.exit_code == 2

    def test_the_same_process_is_refused_as_well(self, lock: StudyLock) -> None:
        refused: list[StudyBusyError] = []

        def again() -> None:
            try:
                with lock.hold("a", RUN):
                    pass
            except StudyBusyError as error:
                refused.append(error)

        with lock.hold("a", RESCORE):
            again()
            thread = threading.Thread(target=again)
            thread.start()
            thread.join()
        assert len(refused) == 2
        assert all(str(os.getpid()) in str(error) for error in refused)

    def test_other_studies_are_free(self, lock: StudyLock, holder: int) -> None:
        with ExitStack() as held:
            for study in ("b", "a2", "A b"):
                held.enter_context(lock.hold(study, RUN))
            assert self.is_busy(lock)

    def test_it_ends_with_its_block(self, lock: StudyLock) -> None:
        with lock.hold("a", RUN):
            assert self.is_busy(lock)
        assert not self.is_busy(lock)
        with pytest.raises(RuntimeError, match="on the way"), lock.hold("a", RUN):
            raise RuntimeError("on the way")
        with lock.hold("a", RESCORE):
            assert self.is_busy(lock)

    def test_it_ends_with_its_process(self, lock: StudyLock, holder: int) -> None:
        assert self.is_busy(lock)
        os.kill(holder, signal.SIGKILL)
        os.waitpid(holder, 0)
        until = time.monotonic() + 20
        while self.is_busy(lock) and time.monotonic() < until:
            time.sleep(0.02)
        with lock.hold("a", RUN):
            assert self.is_busy(lock)

    def test_one_of_several_gets_it(self, lock: StudyLock, fork: Callable[[Callable[[], object]], int]) -> None:
        reading, writing = os.pipe()
        start = time.monotonic() + 0.05

        def work() -> None:
            while time.monotonic() < start:
                pass
            try:
                with lock.hold("a", RUN):
                    os.write(writing, b"1")
                    signal.pause()  # until all others were refused
            except StudyBusyError:
                os.write(writing, b"0")

        for _ in range(COUNT):
            fork(work)
        os.close(writing)
        answers = b"".join(os.read(reading, 1) for _ in range(COUNT))
        os.close(reading)
        assert sorted(answers.decode()) == ["0"] * (COUNT - 1) + ["1"]

    def test_asking_takes_and_frees_nothing(self, lock: StudyLock, holder: int) -> None:
        assert [self.is_busy(lock) for _ in range(3)] == [True] * 3
        assert [self.is_busy(lock, "free") for _ in range(3)] == [False] * 3
        with lock.hold("free", RUN):
            assert self.is_busy(lock, "free")

    def test_a_running_study_that_nobody_holds_is_interrupted(self, lock: StudyLock, holder: int) -> None:
        with lock.hold("was", RUN):
            assert lock.standing("was", "running") == "running"
        assert lock.standing("was", "running") == "interrupted"
        assert lock.standing("a", "running") == "running"
        for status in ("done", "stopped", "failed"):
            assert [lock.standing(study, status) for study in ("a", "was")] == [status, status]
