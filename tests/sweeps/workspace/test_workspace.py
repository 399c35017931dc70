"""Where things land: by folder or URL."""

from __future__ import annotations

from pathlib import Path

import pytest

from sweeps.errors import SweepError
from sweeps.workspace.workspace import Workspace

URL = "postgresql+psycopg://me@db/sweeps"


def test_a_folder_holds_everything(tmp_path: Path) -> None:
    place = Workspace.at(tmp_path)
    assert place.ledger == str(tmp_path / "ledger.db")
    assert place.trials_url == f"sqlite:///{tmp_path / 'optuna.db'}"
    assert place.runs_url == f"sqlite:///{tmp_path / 'mlflow.db'}"
    assert place.lock("s").parent == place.outputs("s") == tmp_path / "sweeps" / "s"
    assert {place.artifacts.parent, place.logs.parent} == {tmp_path}
    assert Workspace.at(place) is place
    assert Workspace.at(str(tmp_path)) == place


def test_a_ledger_at_a_url_leaves_files_in_the_folder(tmp_path: Path) -> None:
    place = Workspace.at(URL)
    assert (place.ledger, place.folder) == (URL, Path("mlruns"))
    assert place.has_ledger
    there = Workspace(tmp_path, storage=URL)
    assert there.outputs("s") == tmp_path / "sweeps" / "s"
    assert there.artifacts == tmp_path / "artifacts"
    assert Workspace(tmp_path, trials=URL).trials_url == URL
    assert Workspace(tmp_path, storage="sqlite:///x.db").trials_url == f"sqlite:///{tmp_path / 'optuna.db'}"


def test_one_url_gives_each_library_a_schema() -> None:
    place = Workspace.at(f"{URL}?options=-cstatement_timeout%3D5000")
    assert place.trials_url == f"{URL}?options=-cstatement_timeout%3D5000+-csearch_path%3Dsweeps_optuna"
    assert place.runs_url == f"{URL}?options=-cstatement_timeout%3D5000+-csearch_path%3Dsweeps_mlflow"
    assert [Workspace.at(f"{scheme}://me@db/sweeps") for scheme in ("postgres", "postgresql")] == [
        Workspace.at(URL)
    ] * 2
    assert place.is_shared
    assert not Workspace.at("sqlite:///x.db").is_shared


def test_the_variable_stands_for_every_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SWEEPS_STORAGE", f" {URL}\n")
    assert Workspace.at(tmp_path) == Workspace(tmp_path, storage=URL)
    assert Workspace.at("sqlite:///x.db").ledger == "sqlite:///x.db"
    assert Workspace.at(tmp_path).stored_at("sqlite:///x.db").ledger == URL
    monkeypatch.setenv("SWEEPS_STORAGE", "")
    assert Workspace.at(tmp_path).stored_at(None) == Workspace(tmp_path)
    assert Workspace.at(tmp_path).stored_at(URL).ledger == URL


def test_what_a_notebook_shows_has_no_password(tmp_path: Path) -> None:
    url = "postgresql://me:secret@db/sweeps"
    assert "secret" not in repr(Workspace(tmp_path, storage=url, trials=url))


def test_a_folder_without_a_ledger(tmp_path: Path) -> None:
    place = Workspace.at(tmp_path / "new")
    assert not place.has_ledger
    place.require_writable()
    place.ledger_file.touch()
    assert place.has_ledger


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SweepError, match=r"file/new cannot be written: Not a directory; choose another folder"):
        Workspace.at(tmp_path / "file" / "new").require_writable()


@pytest.mark.parametrize(
    ("folder", "url", "words"),
    [
        ("mlruns", None, ""),
        ("my runs", None, " --mlruns 'my runs'"),
        ("mlruns", "postgresql+psycopg://ann@db/sweeps", " --storage postgresql+psycopg://ann@db/sweeps"),
        ("mlruns", "postgresql+psycopg://ann:secret@db/sweeps", ""),
        ("mlruns", "postgresql+psycopg://db/sweeps?password=secret", ""),
        ("m", "sqlite:///a.db", " --mlruns m --storage sqlite:///a.db"),
    ],
)
def test_the_words_that_name_a_workspace_again_hold_no_secret(folder: str, url: str | None, words: str) -> None:
    assert Workspace(Path(folder), storage=url).arguments == words
