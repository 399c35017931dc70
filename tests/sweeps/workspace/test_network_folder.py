"""Folders on network file systems are noticed and refused."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from sweeps.errors import SweepError
from sweeps.ledger.ledger import opened_ledger
from sweeps.workspace import network_folder
from sweeps.workspace.network_folder import network_kind, refuse_network
from sweeps.workspace.workspace import Workspace


@pytest.fixture
def mounts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A folder with an NFS mount, an SSHFS mount inside it, and a local disk inside that."""
    monkeypatch.delenv(network_folder.ALLOW, raising=False)
    nfs, ssh = tmp_path / "nfs", tmp_path / "nfs" / "ssh"
    (ssh / "disk").mkdir(parents=True)
    found = {Path("/"): "ext4", nfs: "nfs4", ssh: "fuse.sshfs", ssh / "disk": "ext4", tmp_path / "nf": "tmpfs"}
    parts = [SimpleNamespace(mountpoint=str(place), fstype=kind) for place, kind in found.items()]
    monkeypatch.setattr(network_folder.psutil, "disk_partitions", lambda all: parts)
    return tmp_path


def test_the_innermost_mount_decides(mounts: Path) -> None:
    nfs = mounts / "nfs"
    assert network_kind(mounts) == network_kind(nfs / "ssh" / "disk" / "mlruns") == ""
    assert network_kind(nfs / "new" / "mlruns") == "nfs4"
    assert network_kind(nfs / "ssh" / "mlruns") == "fuse.sshfs"
    (mounts / "link").symlink_to(nfs)
    assert network_kind(mounts / "link" / "mlruns") == "nfs4"


def test_a_sweep_there_is_refused_before_anything_is_written(mounts: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = mounts / "nfs" / "mlruns"
    with (
        pytest.raises(SweepError, match=r"system \(nfs4\).*\[storage\] url.*=1") as caught,
        opened_ledger(Workspace(folder)),
    ):
        pytest.fail("it is opened")
    assert caught.value.exit_code == 2
    assert not folder.exists()
    monkeypatch.setenv(network_folder.ALLOW, "1")
    refuse_network(folder)
    with opened_ledger(Workspace(folder)):
        assert (folder / "ledger.db").exists()


def test_where_mounts_cannot_be_listed_nothing_is_refused(mounts: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(all: bool) -> None:
        raise OSError("no /proc")

    monkeypatch.setattr(network_folder.psutil, "disk_partitions", fail)
    refuse_network(mounts / "nfs")
