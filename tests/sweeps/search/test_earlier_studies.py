"""Finalists of earlier studies as first trials of another one."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sweeps.config.candidates import FirstSet
from sweeps.config.file import load_config
from sweeps.hosts.host import Host
from sweeps.hosts.sweep_hosts import open_hosts, opened_engines
from sweeps.ledger.ledger import Ledger
from sweeps.results.result import SweepResult
from sweeps.scoring.inputs import load_inputs
from sweeps.search.earlier_studies import earlier_sets
from sweeps.study.identity import identity_of
from tests.sweeps.sweep_files import run, write_sweep


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("earlier")


@pytest.fixture(scope="module")
def done(home: Path) -> SweepResult:
    return run(write_sweep(home))


def found(home: Path, *, digest: str | None = None, verdict: str = "", **tables: Any) -> list[FirstSet]:
    """The sets for another study beside the finished one, with changes of its file, its model or the kept verdict."""
    config = load_config(write_sweep(home, file="next.toml", study={"name": "next"}, **tables))
    cases, objective = load_inputs(config)
    ledger = Ledger(home / "mlruns" / "ledger.db")
    if verdict:
        ledger.studies.update("t", lambda record: replace(record, judged={**(record.judged or {}), "verdict": verdict}))
    try:
        with opened_engines(config, home) as engines:
            hosts: list[Host] = open_hosts(engines, config)
            if digest is not None:
                (fingerprint,) = hosts[0].fingerprints.values()
                facts = json.loads(json.dumps(fingerprint.facts))
                facts["model"]["digest"] = digest
                hosts[0].fingerprints = {"scripted": replace(fingerprint, facts=facts)}
            return earlier_sets(config, identity_of(config, cases, objective), ledger, hosts)
    finally:
        ledger.close()


def test_a_finalist_of_the_same_thing_is_taken(home: Path, done: SweepResult) -> None:
    (taken,) = found(home)
    assert done.finalist is not None
    changed = {name: new for name, (new, _) in done.finalist.configuration.differences(done.baseline).items()}
    assert (taken.name, dict(taken.values)) == ("earlier finalist", changed)
    assert taken.origin == "the finalist of study 't'"
    assert found(home, space={"top_p": [0.5, 0.9]}, budget={"generations": 90}, search={"sampler": "gp"}) == [taken]


@pytest.mark.usefixtures("done")
def test_a_finalist_of_another_thing_is_not(home: Path) -> None:
    assert found(home, objective={"weights": [1, 1, 1, 1, 1]}) == []
    assert found(home, prompts={"brief": "Briefly:\n{log}"}) == []
    assert found(home, objective={"names": ["c1", "c2"]}) == []
    assert found(home, digest="f" * 64) == []


def test_a_search_begins_with_it(home: Path, done: SweepResult) -> None:
    path = write_sweep(home, file="next.toml", study={"name": "next"}, search={"first": ["earlier"]})
    result = run(path)
    assert done.finalist is not None
    assert result.proposals[0].name == "earlier finalist"
    assert result.proposals[0].configuration == done.finalist.configuration
    assert set(result.stage("confirm")["seed"]).isdisjoint(done.stage("confirm")["seed"])
    assert run(path).proposals == result.proposals


@pytest.mark.usefixtures("done")
def test_one_that_was_shown_worse_is_left_out(home: Path) -> None:
    assert found(home, verdict="worse") == []
