"""A server that restarts or gets another version, and a network that is cut or hangs: none leaves a trace.

The server is the double of Ollama's wire; the network is a relay before it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sweeps.engines.base import EngineError
from sweeps.errors import ConfigError
from sweeps.hosts.host import HostChangedError, RunStoppedError
from sweeps.results.result import SweepResult
from tests.chaos.wire import VERSION, Server, assert_part, assert_same, write
from tests.doubles.cable import Cable
from tests.marks import long
from tests.sweeps.sweep_files import run

pytestmark = pytest.mark.slow

REQUESTS = [0, 1, 3, 4, 7, 11, 12, 16, 18, 22]
"""Requests of the 24 at which the long form disturbs: first and last ones of each stage among them."""


@pytest.fixture
def cable(server: Server) -> Iterator[Cable]:
    with Cable(int(server.url.rpartition(":")[2])) as cable:
        yield cable


def soon(action: Callable[[], object]) -> None:
    """Do something in a moment: an engine tries again, and waits a little longer each time."""
    threading.Timer(0.05, action).start()


@pytest.mark.parametrize("at", [7, *(long(at) for at in REQUESTS if at != 7)])
def test_a_server_that_restarts(at: int, tmp_path: Path, cases: Path, server: Server, whole: SweepResult) -> None:
    server.at(at, server.restart)
    assert_same(tmp_path, run(write(tmp_path, cases, server.url)), whole)
    assert server.loads == 2


@pytest.mark.parametrize("at", [long(at) for at in REQUESTS])
def test_a_server_that_restarts_with_another_version(
    at: int, tmp_path: Path, cases: Path, server: Server, whole: SweepResult
) -> None:
    def upgrade() -> None:
        server.version = "0.33.0"
        server.restart()

    path = write(tmp_path, cases, server.url)
    server.at(at, upgrade)
    with pytest.raises(HostChangedError, match=r"engine\.version: was 0\.32\.15, is 0\.33\.0") as caught:
        run(path)
    assert "Earlier generations are kept" in str(caught.value)
    assert len(assert_part(tmp_path, whole).observations) == at
    server.meanwhile = None
    with pytest.raises(ConfigError, match=r"engine\.version"):
        run(path)
    server.version = VERSION
    assert_same(tmp_path, run(path), whole)


@pytest.mark.parametrize("at", [7, *(long(at) for at in REQUESTS if at != 7)])
def test_a_network_that_is_cut_for_a_moment(
    at: int, tmp_path: Path, cases: Path, server: Server, cable: Cable, whole: SweepResult
) -> None:
    def cut() -> None:
        cable.cut()
        soon(cable.mend)

    server.at(at, cut)
    path = write(tmp_path, cases, cable.url, attempts=6)
    assert_same(tmp_path, run(path), whole)


@pytest.mark.parametrize("at", [long(at) for at in REQUESTS])
def test_a_network_that_stays_away(
    at: int, tmp_path: Path, cases: Path, server: Server, cable: Cable, whole: SweepResult
) -> None:
    path = write(tmp_path, cases, cable.url)
    server.at(at, cable.cut)
    with pytest.raises(RunStoppedError) as caught:
        run(path)
    assert caught.value.exit_code == 3
    for words in (cable.url, "kept", "run the same command again"):
        assert words in str(caught.value)
    assert len(assert_part(tmp_path, whole).observations) == at
    with pytest.raises(EngineError):
        run(path)
    server.meanwhile = None
    cable.mend()
    assert_same(tmp_path, run(path), whole)


@pytest.mark.parametrize("at", [long(at) for at in REQUESTS])
def test_a_network_that_hangs_and_closes_nothing(
    at: int, tmp_path: Path, cases: Path, server: Server, cable: Cable, whole: SweepResult
) -> None:
    path = write(tmp_path, cases, cable.url, timeout=1.5)  # a busy machine must not add a fault of its own
    server.at(at, cable.hang)
    with pytest.raises(RunStoppedError) as caught:
        run(path)
    assert caught.value.exit_code == 3
    assert len(assert_part(tmp_path, whole).observations) == at
    server.meanwhile = None
    cable.mend()
    assert_same(tmp_path, run(path), whole)
