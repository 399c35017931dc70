"""Passwords in addresses are neither shown nor logged."""

import json
import os
import sqlite3
from contextlib import closing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweeps.addresses import without_password
from sweeps.check.checker import check_sweep
from sweeps.cli import run_command
from tests.sweeps.sweep_files import run, write_sweep


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


def test_a_sweep_keeps_its_password_to_itself(tmp_path, capsys, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setenv("COLUMNS", "300")
    path = write_sweep(tmp_path, engine={"host": "http://me:secret@127.0.0.1:9"})
    report = check_sweep(path, mlruns=tmp_path / "mlruns")
    assert report.hosts[0]["name"] == "http://127.0.0.1:9"
    assert "secret" not in json.dumps(report.as_dict())
    result = run(path, tracking=True, report=True)
    for command in (
        ["run", str(path), "--quiet"],
        ["status", "t"],
        ["judge"],
        ["export", "--format", "env", "--force"],
    ):
        assert run_command([*command, "--mlruns", str(tmp_path / "mlruns")]) == 0
    assert "secret" not in "".join(capsys.readouterr())
    with closing(sqlite3.connect(result.directory / "mlflow.db")) as database:
        assert not [line for line in database.iterdump() if "me:secret" in line]
    for folder, _, names in os.walk(tmp_path / "mlruns"):
        for name in names:
            if not name.endswith((".db", ".db-wal", ".db-shm")):
                with open(os.path.join(folder, name), "rb") as file:
                    assert b"me:secret" not in file.read(), name
    logged = list((tmp_path / "mlruns" / "artifacts").glob("*/artifacts/config.toml"))
    assert "host" in logged[0].read_text()
    assert "http://127.0.0.1:9" in logged[0].read_text()
