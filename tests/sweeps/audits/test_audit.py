"""Audits of doubles of Ollama servers, from hosts to record."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sweeps.audits.audit import audit
from sweeps.audits.hosts import AuditHost, HostAddress, abilities_of, fingerprint_of
from sweeps.audits.inputs import addresses_of, audited_config
from sweeps.audits.progress import AuditProgress
from sweeps.audits.prompts import PROMPTS
from sweeps.audits.record import AuditRecord, HostRecord
from sweeps.audits.result import Audit
from sweeps.engines.base import EngineUnreachable, ModelMissing
from sweeps.engines.inspection import inspector
from sweeps.engines.spec import EngineSpec
from sweeps.errors import ConfigError
from sweeps.fingerprints.fingerprint import Fingerprint
from tests.doubles.ollama import OllamaDouble
from tests.doubles.three_machines import MODEL, ThreeMachines, three_machines

SMALL = "smollm2:135m"
NOWHERE = "http://127.0.0.1:9"


@pytest.fixture(scope="module")
def machines() -> Iterator[ThreeMachines]:
    with three_machines() as found:
        yield found


@pytest.fixture(scope="module")
def three(machines: ThreeMachines, tmp_path_factory: pytest.TempPathFactory) -> Audit:
    """A quick audit of the three machines."""
    return audit(model=MODEL, hosts=machines.hosts, quick=True, mlruns=tmp_path_factory.mktemp("three"))


@pytest.fixture
def server() -> Iterator[OllamaDouble]:
    with OllamaDouble(version="0.33.0-rc2") as found:
        yield found


class Notes(AuditProgress):
    def __init__(self, stop_after: int = 10_000) -> None:
        self.notes: list[str] = []
        self.counts: dict[str, int] = {}
        self.sent, self.kept, self.stop_after = 0, 0, stop_after

    def plan(self, generations, tokens) -> None:
        self.counts = dict(generations)

    def advance(self, host, seconds) -> None:
        self.sent += seconds is not None
        self.kept += seconds is None
        if self.sent >= self.stop_after:
            raise KeyboardInterrupt

    def note(self, text, *, warning=False) -> None:
        self.notes.append(text)


def texts(record: AuditRecord, label: str, mode: str) -> dict[tuple[str, int], str]:
    answers = record.host(label).answers
    return {(a.case, a.seed): a.text for a in answers if (a.mode, a.experiment) == (mode, "seeds")}


def test_the_machine_behind_v1_runs_on_the_defaults_of_that_path(three: Audit) -> None:
    mbp = three.record.host("mbp")
    sent = [a for a in mbp.answers if (a.mode, a.experiment) == ("production", "seeds")]
    assert mbp.path == "openai"
    assert mbp.fingerprint["engine"]["api"] == "/v1/chat/completions"
    assert {a.path for a in sent} == {"openai"}
    assert all(set(a.options) == {"num_predict"} for a in sent)
    assert {a.path for a in three.record.host("wk-01").answers if a.experiment == "seeds"} == {"native"}


def test_temperature_0_brings_the_texts_of_the_machines_together(three: Audit) -> None:
    first = three.record
    for label in ("mbp", "wk-02"):
        assert texts(first, label, "production") != texts(first, "wk-01", "production")
        assert texts(first, label, "baseline") == texts(first, "wk-01", "baseline")


def test_the_record_holds_facts_scores_and_first_tokens_and_reads_back(three: Audit, tmp_path: Path) -> None:
    record = three.record
    assert [host.fingerprint["engine"]["version"] for host in record.hosts] == ["0.13.5", "0.15.6", "0.17.4"]
    assert [host.num_ctx for host in record.hosts] == [4096] * 3
    for host in record.hosts:
        assert {"cold", "warm"} == {each.arm for each in host.first_tokens}
        assert all(answer.score is not None and answer.items for answer in host.answers)
        assert [answer.order for answer in host.answers] == list(range(len(host.answers)))
        assert any(each.text and "pump" in each.text for each in host.rendered)
    three.write(tmp_path / "a.json")
    assert audit(from_=[tmp_path / "a.json"]).record == record


def test_the_first_run_shows_at_the_options_in_use_and_not_at_temperature_0(three: Audit) -> None:
    rows = three.experiments
    cold = rows[(rows["experiment"] == "first run") & (rows["mode"] == "production")]
    assert list(cold["identical"]) == [0, 0, 0]
    assert list(cold["n"]) == [2, 2, 2]
    assert (cold["effect_low"] <= cold["effect"]).all()
    assert (rows.loc[rows["experiment"] == "repeat", "identical"] == 1).all()
    assert (rows["own"] == 1).all()


def test_the_ladder_has_every_rung_with_the_hosts_own_figure(three: Audit) -> None:
    rows = three.ladder.set_index(["host_b", "mode", "rung"])
    assert set(rows.index.get_level_values("host_b")) == {"mbp", "wk-02"}
    for other in ("mbp", "wk-02"):
        assert rows.loc[(other, "", "rendered prompt"), "finding"] == "same"
        assert rows.loc[(other, "", "weights"), "finding"] == "same"
        texts = rows.loc[(other, "production", "same-seed texts")]
        assert (texts["figure"], texts["own_a"], texts["own_b"]) == (0, 1, 1)
        assert texts["finding"] != "same"  # three seeds of a quick audit are too few for more
        assert rows.loc[(other, "baseline", "same-seed texts"), "figure"] == 1
        numerics = rows.loc[(other, "", "numerics")]
        assert numerics["finding"] == "same"  # as far apart as cold and warm on one host
        assert numerics["figure"] == pytest.approx(numerics["own_a"], rel=0.5)
        assert {"distribution of texts", "quality"} <= set(three.ladder["rung"])
    assert (three.ladder["p_adjusted"] >= three.ladder["p_value"]).where(three.ladder["p_value"].notna(), True).all()


def test_levels_of_sameness_can_be_required(three: Audit, machines: ThreeMachines, tmp_path: Path) -> None:
    assert len(three.unmet("identical")) == 2
    assert "mbp: identical is not met. Identical texts for 0 of" in three.unmet("identical")[0]
    table = three.sameness.set_index(["host_b", "mode", "level"])
    assert table.loc[("mbp", "baseline", "identical"), "share"] == 1
    alone = three.record.model_copy(update={"hosts": three.record.hosts[:1]})
    with pytest.raises(ConfigError, match="needs two hosts"):
        Audit(alone).unmet("identical")
    (host,) = alone.hosts
    assert "not shown" in twins(alone, host).unmet("identical")[0]  # six equal requests are too few
    more = [a.model_copy(update={"seed": a.seed + 100 * n}) for a in host.answers for n in range(4)]
    assert twins(alone, host.model_copy(update={"answers": tuple(more)})).unmet("identical") == []


def twins(record: AuditRecord, host: HostRecord) -> Audit:
    return Audit(record.model_copy(update={"hosts": (host, host.model_copy(update={"label": "twin"}))}))


def test_a_live_host_stands_beside_one_from_a_file_at_the_files_options(
    three: Audit, machines: ThreeMachines, tmp_path: Path
) -> None:
    other = {"again": machines.hosts["wk-01"]}
    both = audit(model=MODEL, hosts=other, from_=[three.record], quick=True, mlruns=tmp_path)
    assert both.record.labels == ["again", "wk-01", "mbp", "wk-02"]
    assert texts(both.record, "again", "production") == texts(both.record, "wk-01", "production")
    with pytest.raises(ConfigError, match="two hosts are called wk-01"):
        audit(model=MODEL, hosts={"wk-01": machines.hosts["wk-01"]}, from_=[three.record], quick=True, mlruns=tmp_path)


def test_an_interrupted_audit_goes_on_and_a_finished_one_measures_again(server: OllamaDouble, tmp_path: Path) -> None:
    def run(progress: Notes) -> AuditRecord:
        hosts = [f"a={server.url}"]
        return audit(model=SMALL, hosts=hosts, quick=True, mlruns=tmp_path, progress=progress).record

    with pytest.raises(KeyboardInterrupt):
        run(Notes(stop_after=7))
    second, third = Notes(), Notes()
    resumed = run(second)
    (planned,) = second.counts.values()
    assert 7 <= second.kept <= 8  # the seventh may be one of two at once
    assert second.sent == planned - second.kept
    assert len(resumed.host("a").answers) == planned
    assert run(third) != resumed  # at another time
    assert (third.kept, third.sent) == (0, planned)


def test_a_dead_host_among_several_is_left_out_and_named(server: OllamaDouble, tmp_path: Path) -> None:
    notes = Notes()
    hosts = {"a": server.url, "b": NOWHERE}
    record = audit(model=SMALL, hosts=hosts, quick=True, mlruns=tmp_path, progress=notes).record
    assert record.labels == ["a"]
    assert "no answer" in record.absent["b"]
    assert any("b is left out: no answer" in note for note in notes.notes)
    with pytest.raises(EngineUnreachable):
        audit(model=SMALL, hosts={"b": NOWHERE}, quick=True, mlruns=tmp_path)


def test_a_host_that_lacks_the_model_says_what_it_has(server: OllamaDouble, tmp_path: Path) -> None:
    with pytest.raises(ModelMissing, match=r"it has smollm2:135m"):
        audit(model="qwen2.5:14b", hosts={"a": server.url}, mlruns=tmp_path)


@pytest.mark.parametrize(
    ("hosts", "message"),
    [
        (["http://wk-01:11434"], "is no NAME=URL"),
        (["a b=http://wk-01:11434"], "is no NAME=URL"),
        (["a=http://wk-01:99999999"], "is no address"),
        (["a=http://one:1", "a=http://two:1"], "two hosts are called a"),
    ],
)
def test_wrong_hosts_are_named(hosts: list[str], message: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=message):
        audit(model=SMALL, hosts=hosts, mlruns=tmp_path)


def test_the_fingerprint_of_another_machine_stands_in_for_its_host(server: OllamaDouble, tmp_path: Path) -> None:
    config = audited_config(None, SMALL, None, hosts=True)
    hosts = addresses_of(config, [f"a={server.url}", "b=http://b:1"], ["b=b.json"])
    assert [each.host_file for each in hosts] == [None, "b.json"]
    with pytest.raises(ConfigError, match=r"--host-file c: no host has this name"):
        addresses_of(config, [f"a={server.url}"], ["c=c.json"])
    with pytest.raises(ConfigError, match=r"--host-file a: names no file"):
        addresses_of(config, [f"a={server.url}"], ["a"])


def test_a_gpu_that_nothing_tells_of_is_seen_in_the_loaded_model(server: OllamaDouble) -> None:
    spec = EngineSpec("ollama", server.url, SMALL)
    with inspector(spec) as opened:
        address = HostAddress("a", spec)
        known = fingerprint_of(address, opened, SMALL)
        facts = {**known.facts, "host": {**known.facts["host"], "gpus": "unknown"}}
        host = AuditHost(address, opened, SMALL, Fingerprint(facts), PROMPTS)
        assert abilities_of(host, {"num_ctx": 2048}, "text 1").gpu is False
        assert server.loads == 1
        server.size_vram = 50_000_000
        assert abilities_of(host, {"num_ctx": 2048}, "text 1").gpu is True
