"""The hash of a served model's weights: from the file that the modelfile names, read once."""

import os
from pathlib import Path

import pytest

from sweeps.engines import gguf, weights
from sweeps.engines.ollama import OllamaEngine
from sweeps.fingerprints.capture import take
from sweeps.hosts.host import Host
from sweeps.hosts.sweep_hosts import host_differences
from tests.doubles.ollama import Model, OllamaDouble
from tests.sweeps.engines.test_gguf import METADATA, TestContent, written


@pytest.fixture(autouse=True)
def store(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setattr(weights, "_store", lambda: tmp_path / "cache" / "weights.json")
    monkeypatch.setenv("OLLAMA_MODELS", str(tmp_path / "nowhere"))
    return tmp_path / "cache" / "weights.json"


def blob(folder: Path, digit: str, **how: object) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / f"sha256-{digit * 64}"
    path.write_bytes(written(METADATA, TestContent.TENSORS, **how))  # type: ignore[arg-type]
    return path


def modelfile(path: Path) -> str:
    return f"# FROM m:1b\n\nFROM {path}\nTEMPLATE x\nPARAMETER stop FROM\n"


def test_the_file_is_read_once(tmp_path: Path, store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = blob(tmp_path / "blobs", "a")
    value = weights.tensors_sha256(modelfile(path))
    assert value == gguf.content_sha256(path)
    assert weights.blob_sha256(modelfile(path)) == "a" * 64
    assert str(tmp_path) not in store.read_text()
    monkeypatch.setattr(gguf, "content_sha256", lambda path: pytest.fail("read again"))
    assert weights.tensors_sha256(modelfile(path)) == value


def test_a_damaged_cache_costs_a_reading(tmp_path: Path, store: Path) -> None:
    path = blob(tmp_path / "blobs", "a")
    store.parent.mkdir()
    for text in ("", "[1]", '{"sha256-' + "a" * 64 + '": 3}'):
        store.write_text(text)
        assert weights.tensors_sha256(modelfile(path)) == gguf.content_sha256(path)


def test_what_is_not_here_is_unknown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = blob(tmp_path / "blobs", "a")
    assert weights.tensors_sha256("") is None
    assert weights.tensors_sha256("FROM llama3:8b\n") is None
    assert weights.tensors_sha256(modelfile(tmp_path / f"sha256-{'b' * 64}")) is None
    (tmp_path / f"sha256-{'c' * 64}").write_text("safetensors")
    assert weights.tensors_sha256(modelfile(tmp_path / f"sha256-{'c' * 64}")) is None
    monkeypatch.setattr(weights, "LARGEST", 100)
    assert weights.tensors_sha256(modelfile(path)) is None


def test_a_server_in_a_container_names_a_path_that_this_users_store_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = blob(tmp_path / "blobs", "a")
    monkeypatch.setenv("OLLAMA_MODELS", str(tmp_path))
    assert weights.tensors_sha256(modelfile(Path("/root/.ollama/models/blobs", path.name))) is not None


def test_a_large_file_is_announced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(weights, "_ANNOUNCED", 10)
    path = blob(tmp_path / "blobs", "a")
    for _ in range(2):
        weights.tensors_sha256(modelfile(path))
    assert capsys.readouterr().err.count("once, to compare hosts") == 1


def test_two_versions_of_ollama_with_one_gguf_are_equal(tmp_path: Path) -> None:
    """The facts of two servers on this machine, of which one rewrote the file; by host files where it is elsewhere."""
    old = Model("1" * 64, blob=blob(tmp_path / "old", "a"))
    new = Model("2" * 64, blob=blob(tmp_path / "new", "b", step=64, backwards=True))
    other = Model("3" * 64, blob=tmp_path / f"sha256-{'d' * 64}")
    with OllamaDouble(models={"m:1b": old}) as one, OllamaDouble(models={"m:1b": new}) as two, \
         OllamaDouble(models={"m:1b": other}) as three:  # fmt: skip
        engines = [OllamaEngine(server.url) for server in (one, two, three)]
        prints = [take(engine, "m:1b") for engine in engines]
        hosts = [
            Host(engine, {"m:1b": each}, name=str(n))
            for n, (engine, each) in enumerate(zip(engines, prints, strict=True))
        ]
        assert prints[0].facts["model"]["digest"] != prints[1].facts["model"]["digest"]
        assert host_differences(hosts[:2]) == []
        assert "may hold equal weights" in host_differences(hosts[::2])[0]
        file = tmp_path / "host.json"
        file.write_text(prints[0].to_json())
        os.remove(old.blob)
        assert take(engines[0], "m:1b").facts["model"].get("tensors_sha256") is None
        again = take(engines[0], "m:1b", host_file=file)
        assert again.facts["model"]["tensors_sha256"] == prints[0].facts["model"]["tensors_sha256"]
        assert again.digest == prints[0].digest  # no part of the identity: older studies go on
        for engine in engines:
            engine.close()
