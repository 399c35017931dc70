"""Finalists of earlier studies as first trials of another one, and their scores as its knowledge."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sweeps.check.checker import check_sweep
from sweeps.check.findings import study_finding
from sweeps.config.candidates import FirstSet
from sweeps.config.file import load_config
from sweeps.errors import ConfigError
from sweeps.hosts.host import Host
from sweeps.hosts.sweep_hosts import open_hosts, opened_engines
from sweeps.ledger.ledger import Ledger
from sweeps.results.result import SweepResult
from sweeps.scoring.inputs import load_inputs
from sweeps.search.earlier_scores import earlier_scores
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


def test_the_check_says_where_there_are_no_earlier_scores() -> None:
    new = study_finding("wiser", Path("mlruns"), None, ())
    assert new.found.endswith("so no earlier scores are known")
    stopped = study_finding("wiser", Path("mlruns"), "stopped", ())
    assert stopped.found.endswith("goes on from what it has; it began without earlier scores")
    assert study_finding("wiser", Path("mlruns"), None, None).found == "'wiser' is new in mlruns"


@pytest.mark.usefixtures("done")
def test_one_that_was_shown_worse_is_left_out(home: Path) -> None:
    assert found(home, verdict="worse") == []


def test_a_search_with_earlier_scores_knows_them_and_resumes_with_them(home: Path, done: SweepResult) -> None:
    wanted = {"study": {"name": "wiser"}, "search": {"sampler": "gp", "earlier_scores": True, "first": []}}
    config = load_config(write_sweep(home, file="wiser.toml", **wanted))
    ledger = Ledger(home / "mlruns" / "ledger.db")
    try:
        scores = earlier_scores(config, ledger, ["t", "gone"])
        assert scores is not None
        assert earlier_scores(config, ledger, ["gone"]) is None
        assert len(scores) == len(done.proposals)
        explored = done.stage("explore")
        finalists = {} if done.finalist is None else {done.finalist.number}
        for params, value, proposal in zip(scores.points, scores.values, done.proposals, strict=True):
            assert params == pytest.approx(dict(proposal.params), rel=1e-3)
            if proposal.number not in finalists:  # a finalist has fresh answers too
                own = explored[explored["trial"] == proposal.number]
                assert value == pytest.approx(own.groupby("case")["score"].mean().mean())
        assert set(scores.studies) == {1}
        narrow = load_config(write_sweep(home, file="wiser.toml", baseline={"top_k": 7}, **wanted))
        assert earlier_scores(narrow, ledger, ["t"]) is None  # every trial had another top_k
    finally:
        ledger.close()
    path = write_sweep(home, file="wiser.toml", **wanted)
    (before,) = (row.found for row in check_sweep(path, mlruns=home / "mlruns").rows if row.name == "study")
    result = run(path)
    assert "t" in result.stored.record.earlier
    assert before.endswith("its search knows the scores of earlier studies: " + ", ".join(result.stored.record.earlier))
    assert run(path).proposals == result.proposals
    with pytest.raises(ConfigError, match=r"search\.earlier_scores: stored true, now false"):
        run(write_sweep(home, file="wiser.toml", **wanted | {"search": {"sampler": "gp", "first": []}}))
