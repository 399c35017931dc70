"""The password of a database's address is in no message, whatever the place of the address and the fault in it."""

from __future__ import annotations

import traceback
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sweeps.addresses import database_address, scrub, without_password
from sweeps.cli import run_command
from sweeps.errors import SweepError
from sweeps.results.reader import load_result
from sweeps.tracking.mlflow_store import TrackingError
from sweeps.workspace.workspace import Workspace
from tests.sweeps.sweep_files import write_sweep

SECRET = "s3cretW0rd"
ADDRESSES = {
    "nobody answers": "postgresql+psycopg://me:s3cretW0rd@127.0.0.1:9/db",
    "no driver is named": "postgresql://me:s3cretW0rd@127.0.0.1:9/db",
    "in the query": "postgresql+psycopg://me@127.0.0.1:9/db?password=s3cretW0rd",
    "no port": "postgresql+psycopg://me:s3cretW0rd@127.0.0.1:nine/db",
    "no database of ours": "mysql://me:s3cretW0rd@127.0.0.1:9/db",
    "no address": "postgresql+psycopg//me:s3cretW0rd@127.0.0.1:9/db",
    "an @ too many": "postgresql+psycopg://me:a@s3cretW0rd@127.0.0.1:9/db",
    "a slash in it": "postgresql+psycopg://me:a/s3cretW0rd@127.0.0.1:9/db",
}
COMMANDS = (
    "status",
    "judge",
    "doctor",
    "track",
    "report",
    "run",
    "check",
    "status --json",
    "check --json",
    "ui --optuna",
)


def said(capsys: pytest.CaptureFixture[str], folder: Path, words: str, *more: str) -> str:
    """What a command says, which ends with a fault of the user's or the engine's, not with a defect."""
    name, *flags = words.split()
    file = [str(folder / "sweep.toml")] if name in ("run", "check") else []
    status = run_command([name, *file, *flags, "--mlruns", str(folder / "mlruns"), *more])
    text = "".join(capsys.readouterr())
    assert status in (2, 3), text
    return text


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "400")
    for name in ("SWEEPS_STORAGE", "MLFLOW_TRACKING_URI"):
        monkeypatch.setenv(name, "")  # and so taken away again after a command that sets it
        monkeypatch.delenv(name)


@pytest.mark.parametrize("fault", ADDRESSES)
def test_no_fault_of_an_address_shows_its_password(
    fault: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    write_sweep(tmp_path, storage={"url": ADDRESSES[fault]})
    assert SECRET not in said(capsys, tmp_path, "run", "--no-tracking")
    assert SECRET not in said(capsys, tmp_path, "status", "--storage", ADDRESSES[fault])
    found = [path for path in tmp_path.rglob("*") if path.is_file() and path.name != "sweep.toml"]
    assert not [path for path in found if SECRET.encode() in path.read_bytes()]


@pytest.mark.parametrize("command", COMMANDS)
def test_no_command_shows_the_password_of_the_storage(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    write_sweep(tmp_path)
    monkeypatch.setenv("SWEEPS_STORAGE", ADDRESSES["in the query"])
    assert SECRET not in said(capsys, tmp_path, command)


@pytest.mark.parametrize("fault", ADDRESSES)
def test_no_exception_of_python_shows_it(fault: str, tmp_path: Path) -> None:
    with pytest.raises((SweepError, TrackingError, ValueError)) as raised:
        load_result(Workspace(tmp_path, storage=ADDRESSES[fault]))
    assert SECRET not in "".join(traceback.format_exception(raised.value, chain=True))


@settings(max_examples=60)
@given(
    st.sampled_from(["postgresql+psycopg://{}@h:1/db", "https://{}@h/x", "http://{}@[::1]:2", "mysql://{}@h/d?x=1"]),
    st.text("abcXYZ019-_.~%!$&*+;=", min_size=4, max_size=12),
    st.sampled_from(["{}", "error: {} (refused)", "x='{}'", "a,{};b", '["{}"]']),
)
def test_addresses_lose_their_password_in_any_sentence(form: str, password: str, sentence: str) -> None:
    secret = f"{password}Q7"
    text = sentence.format(form.format(f"me:{secret}"))
    assert secret not in without_password(text)
    assert secret not in str(scrub({"x": [text]}))
    if form.startswith("postgresql"):
        assert secret not in database_address(form.format(f"me:{secret}"))
