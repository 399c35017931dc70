"""Folders on network file systems, where SQLite's locks and its write-ahead log do not hold."""

from __future__ import annotations

import os
from pathlib import Path

import psutil

from sweeps.errors import SweepError

ALLOW = "SWEEPS_ALLOW_NETWORK_FOLDER"
"""The environment variable that allows such a folder, for a single machine that knows what it does."""

_KINDS = (
    *("afpfs", "afs", "beegfs", "ceph", "cifs", "davfs", "gfs2", "glusterfs", "gpfs", "lustre", "nfs", "nfs4"),
    *("ocfs2", "pvfs2", "s3fs", "smb3", "smbfs", "webdav"),
)
_FUSE = ("ceph", "davfs2", "gcsfuse", "glusterfs", "mfs", "rclone", "s3fs", "sshfs")


def refuse_network(folder: Path) -> None:
    """Refuse a folder on a network file system as the place of SQLite databases.

    Args:
        folder: The folder, which need not exist yet.

    Raises:
        SweepError: With the kind of file system, and what to do.
    """
    if os.environ.get(ALLOW, "").strip() not in ("", "0"):
        return
    if kind := network_kind(folder):
        raise SweepError(
            f"{folder} is on a network file system ({kind}), where SQLite can lose texts and cannot keep a second"
            " process away; name a local folder with --mlruns, or keep studies in PostgreSQL ([storage] url). If it"
            f" must be this folder, use it from one machine only and set {ALLOW}=1"
        )


def network_kind(folder: Path) -> str:
    """Return the kind of a folder's file system if it is a network one; "" otherwise, and where that is not known."""
    try:
        place = folder.resolve()
        mounts = {Path(part.mountpoint): part.fstype for part in psutil.disk_partitions(all=True)}
    except (OSError, psutil.Error, RuntimeError):
        return ""
    kind = next((mounts[parent].lower() for parent in (place, *place.parents) if parent in mounts), "")
    return kind if kind in _KINDS or kind.removeprefix("fuse.") in _FUSE else ""
