"""Passwords in addresses are neither shown nor logged."""

import base64
import json
import sqlite3
import tomllib
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweeps.addresses import without_password
from sweeps.check.checker import check_sweep
from sweeps.cli import run_command
from sweeps.config.file import load_config
from sweeps.config.sweep_config import SweepConfig
from sweeps.errors import ConfigError
from sweeps.results.reader import load_result
from tests.doubles.gateway import Answer, Gateway
from tests.doubles.ollama import OllamaDouble
from tests.sweeps.sweep_files import run, steady, write_sweep


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("http://me:secret@host:11434/v1", "http://host:11434/v1"),
        ("https://token@host", "https://host"),
        ("postgresql+psycopg://me:se%40cret@db/mlflow", "postgresql+psycopg://db/mlflow"),
        ("http://me:secret@more@host/", "http://host/"),
        ("me:secret@host:11434", "host:11434"),
        ('hosts = ["http://me:secret@a", {host = "me:secret@b:1"}]', 'hosts = ["http://a", {host = "b:1"}]'),
        ("no answer from http://me:secret@a (refused)", "no answer from http://a (refused)"),
        *[
            (same, same)
            for same in (
                *("127.0.0.1:11434", "host", "http://host/@me", "sqlite:////a/b.db", "a@b.org", "http://[::1]:11434"),
                *('user = "Mail it to me@host.org: {log}"', "Note: me@host"),
            )
        ],
    ],
)
def test_addresses_are_shown_without_passwords(text: str, shown: str) -> None:
    assert without_password(text) == shown


@given(st.text("abc:/@?%'\" \n.=", max_size=60))
def test_what_was_masked_has_nothing_more_to_mask(text: str) -> None:
    once = without_password(text)
    assert len(once) <= len(text)
    assert "://a:b@" not in without_password(f"{once} http://a:b@c")


@pytest.mark.slow
def test_a_sweep_keeps_its_password_to_itself(tmp_path, capsys, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setenv("COLUMNS", "300")
    path = write_sweep(tmp_path, engine={"host": "http://me:secret@127.0.0.1:9"})
    report = check_sweep(path, mlruns=tmp_path / "mlruns")
    assert report.hosts[0]["name"] == "http://127.0.0.1:9"
    assert "secret" not in json.dumps(report.as_dict())
    run(path, tracking=True, report=True)
    for command in (
        ["run", str(path), "--quiet"],
        ["status", "t"],
        ["judge"],
        ["export", "--format", "env", "--force"],
    ):
        assert run_command([*command, "--mlruns", str(tmp_path / "mlruns")]) == 0
    assert "secret" not in "".join(capsys.readouterr())
    leaves_no_trace(tmp_path / "mlruns", b"me:secret")
    logged = list((tmp_path / "mlruns" / "artifacts").glob("*/artifacts/config.toml"))
    assert "host" in logged[0].read_text()
    assert "http://127.0.0.1:9" in logged[0].read_text()


def leaves_no_trace(folder: Path, *secrets: bytes) -> None:
    """No file of a folder, databases included, holds a secret, nor a basic authentication made of it."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert {path.name for path in files} >= {"ledger.db"}
    for path in files:
        data = path.read_bytes()
        assert not [secret for secret in secrets if secret in data], path


@pytest.mark.slow
def test_keys_of_servers_are_neither_stored_nor_shown(tmp_path, capsys, monkeypatch):
    """A sweep with an engine and a judge behind keys of all kinds; then everything that it left is searched."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setenv("COLUMNS", "300")
    monkeypatch.setenv("OLLAMA_API_KEY", "bearer-9")
    monkeypatch.setenv("GATE_KEY", "header-9")
    monkeypatch.setenv("GATE_WORD", "variable-9")
    with OllamaDouble(embeddings=True) as server, Gateway(server.url) as gate:
        gate.answers = [
            Answer.page(503, "Busy", path="/api/embed"),
            Answer(500, '{"error": "no luck with header-9 and literal-9"}', path="/api/chat", after=12),
            Answer(400, '{"error": "bad request by me:literal-9, header-9"}', path="/api/chat"),
        ]
        matcher = {"kind": "embedding", "model": "smollm2:135m", "host": f"http://judge:$GATE_WORD@{gate.place}"}
        path = write_sweep(
            tmp_path,
            engine={
                "kind": "ollama",
                "host": f"http://me:literal-9@{gate.place}/v1",
                "headers": {"X-Key": "$GATE_KEY"},
                "options": None,
            },
            objective={"matcher": matcher, "threshold": 0.5},
            baseline={"model": "smollm2:135m", "num_predict": 8},
            search={"sampler": "random", "probe": False},
            budget={"generations": 54},
        )
        mlruns = ["--mlruns", str(tmp_path / "mlruns")]
        assert run_command(["check", str(path), *mlruns]) in (0, 2)
        assert run_command(["run", str(path), *mlruns]) == 0
        assert run_command(["rescore", "t", "--threshold", "0.4", *mlruns]) == 0
        for command in (["status", "t"], ["judge"], ["report"], ["export", "--format", "env", "--force"]):
            assert run_command([*command, *mlruns]) == 0
    basic = {base64.b64encode(text).decode() for text in (b"me:literal-9", b"judge:variable-9")}
    assert set(gate.sent("Authorization")) == {f"Basic {word}" for word in basic}
    secrets = [b"bearer-9", b"header-9", b"variable-9", b"literal-9", *(word.encode() for word in basic)]
    assert not [secret for secret in secrets if secret.decode() in "".join(capsys.readouterr())]
    leaves_no_trace(tmp_path / "mlruns", *secrets)
    kept = load_result(tmp_path / "mlruns").config
    assert kept.engine.host == f"http://{gate.place}/v1"
    assert kept.objective.matcher["host"] == matcher["host"]  # the variable's name is no secret


def test_a_study_goes_on_with_another_password(tmp_path, monkeypatch):
    """As older versions stored it, with the password."""
    hosts = ["http://me:one@127.0.0.1:7", "http://127.0.0.1:8"]
    path = write_sweep(tmp_path, engine={"hosts": hosts})
    first = run(path)
    with closing(sqlite3.connect(tmp_path / "mlruns" / "ledger.db")) as ledger:
        (identity,) = ledger.execute("SELECT identity FROM studies").fetchone()
        assert "me:one" not in identity
        ledger.execute(
            "UPDATE studies SET sha256 = NULL, identity = ?", (identity.replace("127.0.0.1:7", "me:one@127.0.0.1:7"),)
        )
        ledger.commit()
    path.write_text(path.read_text().replace("me:one", "me:two"))
    assert steady(run(path).observations) == steady(first.observations)


@pytest.mark.parametrize(("name", "value"), [("X-Key", "abc"), ("X-Team", "Bearer abc"), ("X-Team", "a" * 20)])
def test_a_secret_in_the_file_itself_is_refused(name, value, tmp_path):
    path = write_sweep(tmp_path, engine={"kind": "ollama", "options": None, "headers": {name: value}})
    with pytest.raises(
        ConfigError, match=rf"engine\.headers: {name} looks like a secret; write it as an env"
    ) as caught:
        load_config(path)
    assert value not in str(caught.value)
    path = write_sweep(tmp_path, engine={"kind": "ollama", "options": None, "headers": {"X-Team": "lab"}})
    assert load_config(path).engine.headers_of(0) == {"X-Team": "lab"}


def test_the_stored_text_keeps_everything_but_passwords(tmp_path):
    path = write_sweep(
        tmp_path, engine={"host": "http://me:w\\rd@box"}, prompts={"p": "Mail http://a:b@c to me: {log}"}
    )
    text = load_config(path).stored_text
    assert "rd@" not in text
    assert tomllib.loads(text)["engine"]["host"] == "http://box"
    assert tomllib.loads(text)["prompts"]["p"] == "Mail http://a:b@c to me: {log}"
    plain = write_sweep(tmp_path, file="plain.toml").read_text() + "\n# a comment\n"
    assert SweepConfig.from_text(plain).stored_text == plain
