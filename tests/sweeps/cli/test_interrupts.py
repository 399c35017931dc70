"""Ctrl-C: once ends in order, thrice at once, and never with a traceback."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from sweeps.cli.interrupts import Interrupts, handled

SLOW_END = """
import select, signal, sys, time
from sweeps.cli.interrupts import handled
with handled(signal.SIGINT) as status:
    try:
        print("ready", flush=True)
        time.sleep(60)
    except KeyboardInterrupt:
        try:
            print("ending", flush=True)
            while not select.select([sys.stdin], [], [], 0.1)[0]:
                pass  # a read without end would let a signal wait that arrives just before it
            print("ended", flush=True)
        finally:
            sys.exit(status())
"""


@pytest.fixture
def process() -> subprocess.Popen[str]:
    """A process that ends, after Ctrl-C, when it gets a line."""
    here = Path(__file__).parents[3]
    started = subprocess.Popen(
        [sys.executable, "-c", SLOW_END], stdin=-1, stdout=-1, stderr=-1, text=True, cwd=here, bufsize=1
    )
    assert started.stdout is not None
    assert started.stdout.readline() == "ready\n"
    started.send_signal(signal.SIGINT)
    assert started.stdout.readline() == "ending\n"
    return started


def test_a_second_one_changes_nothing(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGINT)
    assert process.stderr is not None
    lines = process.stderr.readline() + process.stderr.readline()
    assert "ending in order" in lines
    out, err = process.communicate("\n", timeout=60)
    assert (process.returncode, out, err) == (130, "ended\n", "")


def test_a_third_one_ends_at_once_without_a_traceback(process: subprocess.Popen[str]) -> None:
    assert process.stderr is not None
    process.send_signal(signal.SIGINT)
    assert "ending" in process.stderr.readline() + process.stderr.readline()
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (130, "")
    assert "ended at once" in err
    assert "Traceback" not in err


def test_handlers_are_shared_and_put_back() -> None:
    before = signal.getsignal(signal.SIGINT)
    with handled(signal.SIGINT):
        outer = signal.getsignal(signal.SIGINT)
        with handled(signal.SIGINT, signal.SIGTERM) as status:
            assert signal.getsignal(signal.SIGTERM) is signal.getsignal(signal.SIGINT) is outer
            with pytest.raises(KeyboardInterrupt):
                os.kill(os.getpid(), signal.SIGTERM)
            assert status() == 143
        assert isinstance(outer, Interrupts)
    assert signal.getsignal(signal.SIGINT) is before
