"""Coordinators of a study: alone with SQLite, together with PostgreSQL; shared tasks, and turns."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
import sqlalchemy as sa

from sweeps.ledger import coordinators
from sweeps.ledger import schema as tables
from sweeps.ledger.claims import Claim, Claims
from sweeps.ledger.coordinators import Coordinator, Turn
from sweeps.ledger.ledger import Ledger, at_work
from sweeps.workspace import study_lock
from sweeps.workspace.study_lock import RESCORE, RUN, StudyBusyError, refuse_busy, standing_of
from sweeps.workspace.workspace import Workspace

postgres = pytest.mark.postgres


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leases that end soon."""
    monkeypatch.setattr(coordinators, "BEAT", 0.05)
    monkeypatch.setattr(coordinators, "LEASE", 0.4)
    monkeypatch.setattr(coordinators, "SETTLE", 0.1)


@pytest.fixture
def shared(postgres_url: str) -> Iterator[Ledger]:
    ledger = Ledger(postgres_url)
    yield ledger
    ledger.close()


def joined(ledger: Ledger, study: str = "t") -> Coordinator:
    """A coordinator without a heartbeat of its own, as of a process that is stuck."""
    one = Coordinator(study, ledger._database, RUN)
    with ledger._database.writing() as connection:
        one.beat(connection)
    return one


def places(digests: Sequence[str]) -> dict[str, int]:
    return {digest: number for number, digest in enumerate(digests)}


def move(ledger: Ledger, **values: object) -> None:
    """Change the rows of all coordinators."""
    with ledger._database.writing() as connection:
        connection.execute(sa.update(tables.coordinators).values(**values))


# ---- alone, with SQLite


def test_where_the_file_system_cannot_lock_the_second_is_refused(
    tmp_path: Path, hasty: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_locks(*_: object, **__: object) -> None:
        raise NotImplementedError("no locks here")

    import filelock

    monkeypatch.setattr(filelock.FileLock, "acquire", no_locks)
    place, warnings = Workspace(tmp_path), list[str]()
    ledger, other = Ledger(place.ledger), Ledger(place.ledger)
    with at_work(place, ledger, "t", RUN, warn=warnings.append):
        refused = pytest.raises(StudyBusyError, match=f"'t' is being run by process {os.getpid()}")
        with refused, at_work(place, other, "t", RUN, warn=warnings.append):
            pytest.fail("two run it")
        with at_work(place, other, "another", RESCORE, warn=warnings.append):
            pass
    with at_work(place, other, "t", RESCORE, warn=warnings.append):
        pass
    assert len(warnings) == 4
    assert "no locks here" in warnings[0]


def test_of_two_that_begin_at_once_one_goes_on(tmp_path: Path, hasty: None) -> None:
    ledgers = [Ledger(tmp_path / "ledger.db") for _ in range(2)]
    found: list[object] = []

    def begin(ledger: Ledger) -> None:
        try:
            with ledger.coordinators.working("t", RUN, unlocked=True) as one:
                found.append(one.id)
                both.wait(5)
        except StudyBusyError as error:
            found.append(error)
            both.set()

    both = threading.Event()
    threads = [threading.Thread(target=begin, args=(ledger,)) for ledger in ledgers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(isinstance(each, StudyBusyError) for each in found) == [False, True]


def test_a_machine_that_sees_the_same_folder_is_refused_while_it_beats(tmp_path: Path, hasty: None) -> None:
    ledger = Ledger(tmp_path / "ledger.db")
    joined(ledger)
    move(ledger, node="elsewhere", pid=1)
    beating = threading.Timer(0.15, move, (ledger,), {"beats": 7})
    beating.start()
    with pytest.raises(StudyBusyError, match="by process 1 on elsewhere"), ledger.coordinators.working("t", RUN):
        pytest.fail("two run it")
    with ledger.coordinators.working("t", RUN), ledger._database.reading() as connection:  # it is silent now
        assert connection.scalars(sa.select(tables.coordinators.c.pid)).all() == [os.getpid()]


def test_a_process_that_ended_here_bars_nobody(tmp_path: Path, hasty: None) -> None:
    ledger = Ledger(tmp_path / "ledger.db")
    joined(ledger)
    move(ledger, pid=os.getppid(), started=1.0)  # the number belongs to another process by now
    with ledger.coordinators.working("t", RUN):
        pass


# ---- together, with PostgreSQL


@postgres
def test_several_run_a_study_and_one_alone_scores_it_again(shared: Ledger, postgres_url: str, tmp_path: Path) -> None:
    place = Workspace(tmp_path, storage=postgres_url)
    with at_work(place, shared, "t", RUN, warn=pytest.fail) as one:
        with at_work(place, shared, "t", RUN, warn=pytest.fail) as two:
            assert sorted(one.alive()) == sorted({one.id, two.id})
            refuse_busy(place, "t")
            assert standing_of(place, "t", "running") == "running"
            refused = pytest.raises(StudyBusyError, match="is being run by process")
            with refused, at_work(place, shared, "t", RESCORE, warn=pytest.fail):
                pytest.fail("it is scored while it runs")
        assert list(one.alive()) == [one.id]
    assert standing_of(place, "t", "running") == "interrupted"
    with at_work(place, shared, "t", RESCORE, warn=pytest.fail):
        for work in (lambda: refuse_busy(place, "t"), lambda: at_work(place, shared, "t", RUN, warn=print).__enter__()):
            with pytest.raises(StudyBusyError, match="is being scored again"):
                work()


@postgres
def test_a_silent_coordinator_is_lost_by_the_servers_clock(shared: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    one, two = joined(shared), joined(shared)
    assert list(one.alive()) == sorted([one.id, two.id])
    monkeypatch.setattr(coordinators.time, "time", lambda: 0.0)  # the clock of this machine does not matter
    late = sa.func.clock_timestamp() - sa.func.make_interval(0, 0, 0, 0, 0, 0, study_lock.LEASE + 1)
    with shared._database.writing() as connection:
        connection.execute(sa.update(tables.coordinators).where(tables.coordinators.c.id == two.id).values(beat=late))
    assert list(one.alive()) == [one.id]
    with shared._database.writing() as connection:
        two.beat(connection)
    assert len(one.alive()) == 2


@postgres
def test_each_task_is_claimed_once_and_a_lost_ones_tasks_are_taken_over(shared: Ledger) -> None:
    digests = [f"{number:064x}" for number in range(10)]
    one, two = (Claims(shared._database, joined(shared)) for _ in range(2))
    for claims in (one, two):
        claims.share("b", places(digests), {})
    mine, others = one.claim("b", 4, start=0), two.claim("b", 20, start=5)
    assert list(mine) == digests[:4]
    assert set(others) == set(digests[4:])
    assert one.claim("b", 9, start=0).keys() == mine.keys()  # its own, which are not done
    one.finish(digests[:4])
    assert one.done("b") == set(digests[:4])
    assert two.claim("b", 20, start=0).keys() == others.keys()
    two.finish(digests[4:6])
    assert one.claim("b", 20, start=0) == {}
    with shared._database.writing() as connection:
        connection.execute(sa.delete(tables.coordinators).where(tables.coordinators.c.id == two.coordinator.id))
    assert one.claim("b", 20, start=0) == dict.fromkeys(digests[6:], Claim(None, is_new=False))


@postgres
def test_who_waits_for_others_hears_that_they_have_finished(shared: Ledger) -> None:
    one, two = (Claims(shared._database, joined(shared)) for _ in range(2))
    one.share("b", {"0" * 64: 0, "1" * 64: 1}, {})
    with two.others() as wait, Claims(shared._database, joined(shared, "another")).others() as elsewhere:
        one.finish(["0" * 64])
        began = time.monotonic()
        wait(60)
        assert time.monotonic() - began < 50
        elsewhere(0.01)  # what happens in another study wakes nobody
    assert one.done("b") == {"0" * 64}
    one.reopen(["0" * 64])
    assert two.claim("b", 2, start=0) == {"0" * 64: Claim(None, is_new=False), "1" * 64: Claim(None, is_new=True)}


@postgres
def test_a_task_that_is_given_up_is_no_new_one(shared: Ledger) -> None:
    two = Claims(shared._database, joined(shared))
    with shared.coordinators.working("t", RUN) as one:
        Claims(shared._database, one).share("b", {"0" * 64: 0}, {})
        assert Claims(shared._database, one).claim("b", 1, start=0) == {"0" * 64: Claim(None, is_new=True)}
    assert two.claim("b", 1, start=0) == {"0" * 64: Claim(None, is_new=False)}


@postgres
def test_tasks_that_are_dealt_to_a_host_wait_for_it(shared: Ledger) -> None:
    digests = [f"{number:064x}" for number in range(4)]
    one, two = (Claims(shared._database, joined(shared)) for _ in range(2))
    one.coordinator.offer(["aa"])
    two.coordinator.offer(["bb", "cc"])
    one.share("b", places(digests), dict(zip(digests, ["aa", "bb", "cc", None], strict=True)))
    two.share("b", places(digests), dict.fromkeys(digests, "aa"))  # the first deal counts
    assert one.claim("b", 9, start=0) == {digests[0]: Claim("aa", is_new=True), digests[3]: Claim(None, is_new=True)}
    assert two.claim("b", 1, start=0) == {digests[1]: Claim("bb", is_new=True)}
    two.coordinator.end()
    with shared._database.writing() as connection:
        connection.execute(sa.delete(tables.coordinators).where(tables.coordinators.c.id == two.coordinator.id))
    assert set(one.claim("b", 9, start=0)) == set(digests)  # nobody else has these hosts any more


@postgres
def test_a_turn_is_had_by_one_and_passes_on(shared: Ledger) -> None:
    first, second = Turn(shared._database, "write t"), Turn(shared._database, "write t")
    assert first.take()
    assert first.take()
    assert not second.take()
    assert Turn(shared._database, "write another").take()
    waiting = threading.Thread(target=second.take, kwargs={"wait": True})
    waiting.start()
    first.release()
    waiting.join(10)
    assert second.take()
    assert not first.take()
    second.release()


@postgres
def test_a_turn_that_is_passed_on_has_patience_with_one_that_stands_still(shared: Ledger) -> None:
    first, second = (Turn(shared._database, "propose t", patience=0.05) for _ in range(2))
    with first.taken() as mine, second.taken() as other:
        assert (mine, other) == (True, False)
    with second.taken() as other:
        assert other
    for turn in (first, second):
        turn.release()


def test_with_sqlite_every_turn_is_there(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.db")
    one, other = (ledger.coordinators.turn("t", "write") for _ in range(2))
    assert one.take()
    with other.taken() as taken:
        assert taken
    assert other.take()
