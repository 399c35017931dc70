"""Taking fingerprints: whose hardware is described, and nothing private."""

import json
import os
import re
import socket
import subprocess

import psutil
import pytest

from sweeps.fingerprints import machine
from sweeps.fingerprints.capture import client_facts, take
from sweeps.fingerprints.fingerprint import Fingerprint, FingerprintError
from tests.sweeps.fingerprints.examples import M4, QWEN, mac


class Engine:
    """The part of an engine that `take` uses."""

    def __init__(self, address="in process", name="ollama", version="0.32.15", digest=QWEN["digest"]):
        self.address, self.name, self.version, self.digest = address, name, version, digest

    def identify(self, model):
        return {
            "engine": {"name": self.name, "version": self.version, "api": "/api/chat", "address": self.address},
            "model": {"name": model, "digest": self.digest, "quantization": "Q4_K_M"},
        }


def test_nothing_private_stays(monkeypatch):
    monkeypatch.setenv("HOME", "/home/anna.meier")
    facts = {
        "host": M4,
        "engine": {
            "name": "ollama",
            "api": "/api/chat",
            "address": "http://anna:pw@anna-mac.example.com:11434",
            "log": "/home/anna.meier/logs/my log.txt",
            "win": "C:\\Users\\Anna\\m.gguf",
            "text": "from /home/anna.meier/x",
        },
        "model": {"name": "/Users/Anna Meier/models/q.gguf", "digest": QWEN["digest"]},
        "client": {},
    }
    taken = Fingerprint(facts)
    text = taken.to_json() + json.dumps(taken.as_tags())
    assert "anna" not in text.lower()
    assert "/Users" not in text
    assert taken.facts["model"]["name"] == "q.gguf"
    assert taken.facts["engine"]["win"] == "m.gguf"
    assert taken.facts["engine"]["api"] == "/api/chat"
    assert taken.facts["engine"]["log"] == "my log.txt"


def test_own_fingerprint_has_neither_user_nor_host_name():
    text = take(None, None).to_json()
    home = os.path.expanduser("~")
    assert home == "/" or home not in text
    name = socket.gethostname()
    assert len(name) < 4 or not re.search(rf"\b{re.escape(name)}\b", text)


@pytest.mark.parametrize("address", ["in process", "http://127.0.0.1:11434", "http://localhost:11434"])
def test_local_engines_have_this_machines_facts(address, monkeypatch):
    monkeypatch.setattr(machine, "tunnel_on", lambda port: None)
    taken = take(Engine(address), "qwen2.5:14b")
    assert taken.facts["host"]["source"] == "this machine"
    assert taken.facts["host"]["cpu"] == machine.cpu_model()
    assert taken.warnings == ()


def test_a_remote_host_is_unknown_and_never_the_clients():
    taken = take(Engine("http://192.0.2.7:11434"), "qwen2.5:14b")
    own = machine.host_facts()
    host = taken.facts["host"]
    assert all(host[name] == "unknown" for name in own if name != "environment_source")
    assert own["cpu"] not in json.dumps(host)
    assert "192.0.2.7" not in taken.to_json()
    assert "sweeps fingerprint --out" in taken.warnings[0]
    assert taken.facts["client"]["python"].startswith(("CPython", "PyPy"))


def test_unknown_hosts_are_kept_apart_by_their_address():
    a, b, again = (take(Engine(f"http://{ip}:11434"), "m") for ip in ("192.0.2.7", "192.0.2.8", "192.0.2.7"))
    assert a.digest != b.digest
    assert a.digest == again.digest


def test_a_tunnel_makes_the_host_unknown(monkeypatch):
    monkeypatch.setattr(machine, "tunnel_on", lambda port: "ssh" if port == 11434 else None)
    taken = take(Engine("http://127.0.0.1:11434"), "m")
    assert taken.facts["host"]["cpu"] == "unknown"
    assert "tunnel (ssh)" in taken.warnings[0]


def test_a_tunnel_is_seen_by_its_listening_port(monkeypatch):
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        port = listening.getsockname()[1]
        monkeypatch.setattr(machine, "TUNNELS", frozenset({psutil.Process().name().lower()}))
        assert machine.tunnel_on(port) == psutil.Process().name()
        monkeypatch.setattr(machine, "TUNNELS", frozenset({"ssh"}))
        assert machine.tunnel_on(port) is None


@pytest.mark.parametrize("address", ["http://192.0.2.7:11434", "http://127.0.0.1:11434"])
def test_a_host_file_wins_always(tmp_path, address):
    file = tmp_path / "mac.json"
    file.write_text(mac().to_json())
    taken = take(Engine(address), "qwen2.5:14b", host_file=file)
    assert taken.facts["host"]["cpu"] == "Apple M4 Pro"
    assert taken.facts["host"]["source"] == "host file"
    assert taken.host_digest == mac().host_digest
    assert taken.warnings == ()


def test_a_host_file_that_does_not_fit_warns(tmp_path):
    file = tmp_path / "mac.json"
    file.write_text(mac().to_json())
    newer = take(Engine("http://192.0.2.7:1", version="0.33.0"), "qwen2.5:14b", host_file=file)
    assert [w for w in newer.warnings if "0.32.15" in w and "0.33.0" in w]
    pulled = take(Engine("http://192.0.2.7:1", digest="f" * 64), "qwen2.5:14b", host_file=file)
    assert len(pulled.warnings) == 1
    assert "model digest" in pulled.warnings[0]
    assert take(Engine("http://192.0.2.7:1", digest="f" * 64), "another", host_file=file).warnings == ()


def test_a_host_file_without_a_host_is_refused(tmp_path):
    file = tmp_path / "remote.json"
    file.write_text(take(Engine("http://192.0.2.7:11434"), "m").to_json())
    with pytest.raises(FingerprintError, match="no facts of a host"):
        take(Engine("http://192.0.2.7:11434"), "m", host_file=file)


def test_client_facts_without_git(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    monkeypatch.setenv("OLLAMA_NUM_PARALLEL", "3")
    facts = client_facts()
    assert "git_commit" not in facts
    assert facts["shell_environment"]["OLLAMA_NUM_PARALLEL"] == "3"
    assert "numpy" in facts["packages"]
    monkeypatch.setenv("PATH", "")
    assert "git_commit" not in client_facts()


def test_client_facts_with_git(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    git = ["git", "-c", "user.name=n", "-c", "user.email=e@example.com"]
    (tmp_path / "a").write_text("1")
    for arguments in (["init", "-q"], ["add", "a"], ["commit", "-q", "-m", "one"]):
        subprocess.run([*git, *arguments], check=True, cwd=tmp_path)
    facts = client_facts()
    assert re.fullmatch(r"[0-9a-f]{40}", facts["git_commit"])
    assert facts["git_dirty"] is False
    (tmp_path / "a").write_text("2")
    assert client_facts()["git_dirty"] is True
