"""The engines of a sweep: opened from its file, or given to it instead."""

from __future__ import annotations

from pathlib import Path

import pytest

from objectives import load_cases
from sweeps.check.findings import engine_finding, hosts_finding
from sweeps.config.file import load_config, parse_config
from sweeps.engines.scripted.engine import ScriptedEngine
from sweeps.engines.spec import EngineSpec
from sweeps.errors import ConfigError
from sweeps.fingerprints.fingerprint import Fingerprint
from sweeps.hosts import sweep_hosts
from sweeps.hosts.host import Host
from sweeps.hosts.sweep_hosts import engine_specs, host_differences, open_hosts, opened_engines
from sweeps.progress.base import Observation, Silent
from tests.sweeps.fingerprints.examples import M4, OLLAMA, QWEN
from tests.sweeps.sweep_files import run, write_sweep


def engines(folder: Path, count: int) -> list[ScriptedEngine]:
    cases = load_cases(folder / "cases")
    return [ScriptedEngine(cases, address=f"given-{number}") for number in range(count)]


class Seen(Silent):
    """Keeps the hosts of all observations."""

    def __init__(self) -> None:
        self.hosts: set[str] = set()

    def observe(self, seen: Observation) -> None:
        self.hosts.add(seen.host)


@pytest.fixture
def closed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Addresses of the engines that were closed, in order."""
    addresses: list[str] = []
    monkeypatch.setattr(ScriptedEngine, "close", lambda self: addresses.append(self.address))
    return addresses


def test_an_engine_is_opened_for_each_host_and_closed_at_the_end(tmp_path: Path, closed: list[str]) -> None:
    config = load_config(write_sweep(tmp_path, engine={"hosts": ["a", "b"]}))
    with opened_engines(config, tmp_path) as opened:
        assert [engine.address for engine in opened] == ["a", "b"]
        assert closed == []
    assert sorted(closed) == ["a", "b"]


def test_an_engine_that_cannot_be_opened_closes_those_before_it(
    tmp_path: Path, closed: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def open_first(spec: EngineSpec) -> ScriptedEngine:
        if spec.host == "b":
            raise ConfigError("no second one")
        return ScriptedEngine(address=str(spec.host))

    monkeypatch.setattr(sweep_hosts, "open_engine", open_first)
    config = load_config(write_sweep(tmp_path, engine={"hosts": ["a", "b"]}))
    with pytest.raises(ConfigError, match="no second one"), opened_engines(config):
        pytest.fail("nothing was opened completely")
    assert closed == ["a"]


def test_given_engines_stay_open(tmp_path: Path, closed: list[str]) -> None:
    config = load_config(write_sweep(tmp_path))
    given = engines(tmp_path, 1)
    with opened_engines(config, given=given) as used:
        assert used is given
    assert closed == []


def test_the_log_folder_reaches_every_engine(tmp_path: Path) -> None:
    config = load_config(write_sweep(tmp_path, engine={"hosts": ["a", "b"]}))
    specs = engine_specs(config, tmp_path / "logs")
    assert [(spec.host, spec.log_dir) for spec in specs] == [("a", tmp_path / "logs"), ("b", tmp_path / "logs")]


@pytest.mark.parametrize(
    ("hosts", "given", "message"),
    [
        (None, 2, r'2 engines were given, for 1 host; name all 2 .*: engine.hosts = \["ADDRESS-1", "ADDRESS-2"\]'),
        (["a", "b"], 3, r'3 engines were given, for 2 hosts; name all 3 .*"ADDRESS-3"\]'),
    ],
)
def test_more_engines_than_hosts(hosts: list[str] | None, given: int, message: str, tmp_path: Path) -> None:
    path = write_sweep(tmp_path, engine={"hosts": hosts})
    with pytest.raises(ConfigError, match=rf"sweep\.toml: engine\.hosts: {message}"):
        run(path, engine=engines(tmp_path, given))


def test_in_this_process_there_is_one(tmp_path: Path) -> None:
    text = write_sweep(tmp_path, engine={"kind": "llamacpp", "options": None}).read_text()
    with pytest.raises(ConfigError, match=r'engine\.hosts: 2 engines .*kind = "llamacpp" takes one engine'):
        open_hosts(engines(tmp_path, 2), parse_config(text))


def test_one_per_named_host_has_its_name(tmp_path: Path) -> None:
    (tmp_path / "host.json").write_text(Fingerprint({"host": M4 | {"label": "mini"}}).to_json())
    hosts = [{"host": "a", "host_file": "host.json"}, "b"]
    path = write_sweep(tmp_path, engine={"hosts": hosts}, budget={"generations": 90})
    seen = Seen()
    result = run(path, engine=engines(tmp_path, 2), progress=seen)
    assert list(result.hosts) == ["a", "b"]
    assert seen.hosts == {"mini", "b"}  # whoever watches reads the label
    assert sorted(result.host_labels.values()) == ["b", "mini"]
    assert result.observations["host"].nunique() == 2
    one = run(write_sweep(tmp_path, study={"name": "one"}), engine=engines(tmp_path, 1))
    assert list(one.hosts) == ["given-0"]


def test_hosts_do_not_differ_by_what_is_loaded_on_one_of_them() -> None:
    def host(name: str, **engine: object) -> Host:
        facts = {"host": M4, "engine": OLLAMA | engine, "model": QWEN}
        return Host(ScriptedEngine(), {"m": Fingerprint(facts)}, name=name)

    plain, loaded = host("a"), host("b", gpu_share=1.0, num_ctx=4096)
    assert host_differences([plain, loaded]) == host_differences([loaded, plain]) == []
    assert [line.partition(" in ")[2] for line in host_differences([loaded, host("c", version="0.1.0")])] == [
        f"engine.version: 0.1.0 instead of {OLLAMA['version']}"
    ]


def test_hosts_do_not_differ_by_the_file_that_holds_equal_tensors() -> None:
    def host(name: str, digest: str, **model: object) -> Host:
        model = QWEN | {"digest": digest * 64, "weights_sha256": digest * 64} | model
        return Host(ScriptedEngine(), {"m": Fingerprint({"host": M4, "engine": OLLAMA, "model": model})}, name=name)

    def fields(*hosts: Host) -> list[str]:
        return [line.partition(" in ")[2].partition(":")[0] for line in host_differences(hosts)]

    first = host("a", "1", tensors_sha256="e" * 64)
    assert fields(first, host("b", "2", tensors_sha256="e" * 64)) == []
    assert fields(first, host("b", "2", tensors_sha256="f" * 64)) == ["model.digest", "model.weights_sha256"]
    assert fields(first, host("b", "2", tensors_sha256="e" * 64, template_sha256="t")) == [
        "model.digest", "model.weights_sha256", "model.template_sha256",
    ]  # fmt: skip
    (line, _) = host_differences([first, host("b", "2")])
    assert line.endswith(
        "(unequal digests may hold equal weights, since Ollama's versions write one model in different files)"
    )


def test_people_read_a_host_by_its_label_else_by_its_name() -> None:
    def host(name: str, **facts: object) -> Host:
        known = {"host": M4 | facts, "engine": OLLAMA, "model": QWEN}
        return Host(ScriptedEngine(), {"m": Fingerprint(known)}, name=name)

    named, plain = host("http://10.0.0.2:11434", label="wk-01"), host("http://10.0.0.3:11434")
    assert [named.label, plain.label] == ["wk-01", "http://10.0.0.3:11434"]
    assert hosts_finding([named, plain]).found.startswith(f"fingerprint wk-01 {named.digest}, http://10.0.0.3")
    plain.drop("no answer")
    assert "http://10.0.0.3:11434 is out: no answer" in engine_finding([named, plain]).found
    silent = Host(ScriptedEngine(), {}, name="spare", remembered=named.fingerprints)
    assert silent.label == "wk-01"  # as an earlier run of the study knew it


def test_a_host_files_label_names_the_host(tmp_path: Path) -> None:
    file = tmp_path / "host.json"
    file.write_text(Fingerprint({"host": M4 | {"label": "mini"}}).to_json())
    hosts = [{"host": "a", "host_file": "host.json"}, "b"]
    config = load_config(write_sweep(tmp_path, engine={"hosts": hosts}))
    assert [host.label for host in open_hosts(engines(tmp_path, 2), config)] == ["mini", "b"]
