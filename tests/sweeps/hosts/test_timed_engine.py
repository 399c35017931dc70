"""Warm-ups of a host, as its timer sees them."""

from __future__ import annotations

from pathlib import Path

from sweeps.engines.base import Prompt
from sweeps.engines.scripted.engine import ScriptedEngine
from sweeps.fingerprints.capture import take
from sweeps.hosts.host import Host
from sweeps.hosts.task import Task
from sweeps.hosts.timed_engine import timed
from sweeps.ledger.ledger import Ledger
from sweeps.ledger.records import Place
from sweeps.options import Configuration


def test_a_host_warms_up_at_each_change_of_prompt_and_the_timer_counts_it(tmp_path: Path) -> None:
    engine, timer = timed(ScriptedEngine())
    host = Host(engine, {"scripted": take(engine, "scripted")})
    configuration = Configuration("scripted", "p", {"temperature": 0.5, "num_predict": 20})
    ledger = Ledger(tmp_path / "ledger.db")
    for seed, case in enumerate("aaba"):
        host.generate(ledger, Task(Place("explore", 0, "", case, seed), configuration, Prompt(f"Log of {case}.")))
    ledger.close()
    assert [answer.output_tokens for answer in timer.warmups] == [1, 1, 1]  # a, b, and a again
    assert host.clock.warmups == 3
    assert host.clock.requests == 4
    before = timer.seconds
    answer = engine.warm_up(Prompt("Log of c."), {"num_predict": 20}, model="scripted")
    assert timer.seconds >= before + answer.timing.total - 1e-6
