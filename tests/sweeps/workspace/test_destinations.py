"""Places of data that a sweep's file names: those elsewhere need permission."""

from __future__ import annotations

from pathlib import Path

import pytest

from objectives.permission import asking
from sweeps.errors import ConfigError
from sweeps.workspace.destinations import require_permission

OWN = (
    "http://localhost:5000",
    "HTTPS://127.0.0.1:5000/mlflow",
    "http://me:word@[::1]:5000",
    "sqlite:///mlruns/mlflow.db",
    "sqlite+pysqlite:///mlruns/a/../mlflow.db",
    "sqlite:///:memory:",
    "mlruns/runs",
    "file:mlruns/runs",
    "{uri}/mlruns/runs",
    "postgresql+psycopg://me:word@localhost:5432/sweeps?sslmode=disable",
    "postgresql://[::1]/sweeps",
    "postgresql:///sweeps",
)
ELSEWHERE = (
    "http://lab:5000",
    "https://127.0.0.1@far.example",
    r"http://far.example\@127.0.0.1",
    "http://127.0.0.1.far.example",
    "sqlite:////home/me/other.db",
    "sqlite:///mlruns/../other.db",
    "sqlite:///mlruns/link/other.db",
    "sqlite:///file:mlruns/mlflow.db?uri=true",
    "sqlite:///mlruns/x.db?mode=rwc",
    "runs",
    "file:///tmp/runs",
    "{uri}/mlruns/%2e%2e/runs",
    "file:////{here}/mlruns/runs",
    "file://far.example/mlruns",
    "postgresql://me:word@db.example/sweeps",
    "postgresql://localhost/sweeps?host=far.example",
    "postgresql://localhost,far.example/sweeps",
    "postgresql:///host%3Dfar.example",
    "postgresql:///sweeps?service=theirs",
    "mysql://far.example/runs",
    "databricks",
    "databricks://profile",
    "plugin://far.example",
    "postgresql://[::1",
)


@pytest.mark.parametrize("url", OWN)
def test_the_folder_and_this_machine_need_no_permission(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    url = url.format(here=tmp_path.as_posix(), uri=tmp_path.as_uri())
    with asking(lambda what: False):
        require_permission(url, Path("mlruns"), "sweep.toml: storage.url")


@pytest.mark.parametrize("url", ELSEWHERE)
def test_other_places_do(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mlruns").mkdir()
    (tmp_path / "mlruns" / "link").symlink_to(tmp_path)
    url, asked = url.format(here=tmp_path.as_posix(), uri=tmp_path.as_uri()), list[str]()
    with (
        asking(lambda what: asked.append(what) is not None),
        pytest.raises(ConfigError, match=r"^x: would write the study, its texts included, to .*add --trust"),
    ):
        require_permission(url, Path("mlruns"), "x")
    assert len(asked) == 1
    assert "word" not in asked[0]
    with asking(lambda what: what in asked):
        require_permission(url, Path("mlruns"), "x")
    require_permission(url, Path("mlruns"), "x")  # a program of Python's is not asked
