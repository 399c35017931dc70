"""Time with work: two at once count once, and gaps do not count."""

from __future__ import annotations

import time
from contextlib import suppress

import pytest

from sweeps.hosts.busy_time import BusyTime


def test_overlaps_count_once_and_gaps_not_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr(time, "perf_counter", lambda: now)
    busy = BusyTime()
    with busy:
        now = 2.0
        with busy:
            now = 5.0
        now = 6.0
        assert busy.seconds == 6.0
    now = 10.0
    with suppress(ValueError), busy:
        now = 11.0
        raise ValueError
    busy.add(0.5)
    assert busy.seconds == 7.5
