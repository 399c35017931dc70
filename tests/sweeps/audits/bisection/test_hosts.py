"""Bisections of doubles of Ollama servers."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from sweeps.audits.audit import audit
from sweeps.audits.bisection.hosts import pairs_for, read_changes
from sweeps.audits.hosts import AuditHost, HostAddress, fingerprint_of, on_one_machine
from sweeps.audits.prompts import PROMPTS
from sweeps.engines.spec import EngineSpec
from sweeps.errors import ConfigError
from sweeps.fingerprints.fingerprint import Fingerprint
from tests.doubles.ollama import OllamaDouble
from tests.doubles.three_machines import MODEL, VERSIONS, three_machines
from tests.marks import long

CHIPS = {"wk-01": "Apple M4", "wk-02": "Apple M4 Pro", "mbp": "Apple M4 Pro"}
FILE = """
[study]
name = "article"

[engine]
kind = "ollama"

[prompts.summary]
user = "{log}"

[objective]
cases = "engineering-chats"
names = ["database-upgrade", "slow-nightly-load"]

[baseline]
model = "qwen2.5:14b"
top_k = 20
num_ctx = 8192
num_predict = 60

[space]
temperature = [0.0, 0.8]

[budget]
generations = 60
"""


@pytest.fixture(scope="module")
def bisections(tmp_path_factory):
    """Bisections of the article's machines: three chips, three versions, mbp behind /v1 with its defaults."""

    def on_its_own_machine(address, inspector, model):
        found = fingerprint_of(address, inspector, model)
        return Fingerprint({**found.facts, "host": {**found.facts["host"], "cpu": CHIPS[address.label]}})

    file = tmp_path_factory.mktemp("article") / "sweep.toml"
    file.write_text(FILE, encoding="utf-8")
    with three_machines(context=256) as machines, pytest.MonkeyPatch.context() as patch:
        patch.setattr("sweeps.audits.audit.fingerprint_of", on_its_own_machine)
        patch.setattr("sweeps.audits.measure.fingerprint_of", on_its_own_machine)
        found = audit(file, hosts=machines.hosts, quick=True, bisect=True, mlruns=file.parent)
    return {each.hosts: each for each in found.record.bisections}


@pytest.mark.slow
def test_mbp_is_attributed_to_the_defaults_of_v1_and_to_what_it_drops(bisections):
    found = bisections["mbp", "mbp"]

    assert (found.status, set(found.factors)) == ("isolated", {"temperature", "top_p", "top_k", "num_ctx"})
    assert found.values["temperature"] == ("0.8", "1.0")
    assert found.values["top_p"] == ("0.9", "1.0")
    assert (found.values["top_k"], found.values["num_ctx"]) == (("20", "left out"), ("8192", "left out"))
    assert found.fresh > 0


def test_versions_are_not_isolated_between_machines(bisections):
    found = bisections["wk-01", "wk-02"]

    assert (found.status, found.factors) == ("not isolated", ("host",))
    assert "consistent with any of version and machine" in found.why


def test_servers_of_two_versions_on_one_machine_isolate_the_version(tmp_path):
    versions = {"old": VERSIONS["wk-01"], "new": VERSIONS["wk-02"]}
    with three_machines(versions=versions) as machines:
        found = audit(model=MODEL, hosts=machines.hosts, quick=True, bisect=True, mlruns=tmp_path)

    (bisection,) = found.record.bisections
    assert (bisection.status, bisection.factors) == ("isolated", ("version",))
    assert bisection.values["version"] == ("0.13.5", "0.17.4")


class RoundsByLoad(OllamaDouble):
    """A server that computes other numbers after each load of the model."""

    def _load(self, *request):
        took = super()._load(*request)
        self.numerics = f"load {self.loads} of {self.version}"
        return took


@pytest.mark.slow
def test_servers_that_round_in_another_way_after_each_load_isolate_no_version(tmp_path, monkeypatch):
    """With all repeats in one load the version was isolated in 6 of 12 audits of servers with four ways to round."""
    monkeypatch.setattr("tests.doubles.three_machines.OllamaDouble", RoundsByLoad)
    versions = {"old": VERSIONS["wk-01"], "new": VERSIONS["wk-02"]}
    with three_machines(versions=versions) as machines:
        found = audit(model=MODEL, hosts=machines.hosts, quick=True, bisect=True, mlruns=tmp_path)

    (bisection,) = found.record.bisections
    assert (bisection.status, bisection.why) == ("not decided", "the hosts do not repeat their own texts more often")
    assert found.sources.set_index("source").loc["Software versions", "finding"] == "consistent with"


def fake(label, url, *, host_file=None, source="this machine"):
    engine = SimpleNamespace(address=url)
    address = HostAddress(label, EngineSpec("ollama"), host_file=host_file)
    facts = Fingerprint({"host": {"source": source}, "engine": {}, "model": {}})
    return AuditHost(address, SimpleNamespace(engine=engine), "m", facts, {})


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ({"url": "http://127.0.0.1:1"}, {"url": "http://127.0.0.1:2"}, True),
        # two tunnels: one machine or two, nobody knows
        ({"url": "http://127.0.0.1:1", "source": "unknown"}, {"url": "http://127.0.0.1:2", "source": "unknown"}, False),
        ({"url": "http://wk-01:1", "source": "unknown"}, {"url": "http://wk-01:2", "source": "unknown"}, True),
        ({"url": "http://wk-01:1", "source": "unknown"}, {"url": "http://wk-02:1", "source": "unknown"}, False),
        # equal chips do not make two machines one, but one file does
        ({"url": "http://a:1", "host_file": "a.json"}, {"url": "http://b:1", "host_file": "b.json"}, False),
        (
            {"url": "http://127.0.0.1:1", "host_file": "a.json"},
            {"url": "http://127.0.0.1:2", "host_file": "a.json"},
            True,
        ),
    ],
)
def test_one_machine_is_known_by_its_address_or_its_file(one, other, same):
    assert on_one_machine(fake("a", **one), fake("b", **other)) is same


@pytest.fixture(scope="module")
def old_server():
    with OllamaDouble(version="0.6.8") as server:
        yield server


@pytest.mark.parametrize(
    ("changes", "factors"),
    [
        (["top_k=5", "num_thread=1", "repeat_last_n=64"], {"top_k"}),
        long(["in_flight=4", "top_k=40"], {"in flight"}),
        (["repeat_last_n=64"], None),
    ],
)
def test_a_host_is_compared_with_itself_at_other_settings(old_server, tmp_path, changes, factors):
    found = audit(
        model="smollm2:135m", hosts={"one": old_server.url}, quick=True, changes=changes, mlruns=tmp_path
    ).record.bisections[0]

    if factors is None:
        assert found.status == "no difference"
    else:
        assert (found.status, set(found.factors)) == ("isolated", factors)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("kv_type=q5", "kv_type=q5: must be one of f16, q8_0, q4_0"),
        ("topk=5", "no option or setting 'topk'; did you mean 'top_k'"),
        ("top_p=2", "top_p must be"),
        ("top_k", "top_k must be"),
    ],
)
def test_wrong_changes_are_named(text, words):
    with pytest.raises(ConfigError, match=words):
        read_changes([text])


def test_fresh_pairs_are_never_those_of_the_search():
    for mode in ("production", "baseline"):
        pairs, fresh = pairs_for(["c16", "c17"], 42, mode)
        assert len(set(pairs) | set(fresh)) == len(pairs) + len(fresh)
    assert {case for case, _ in pairs + fresh} == {"c16", "c17", *PROMPTS}
