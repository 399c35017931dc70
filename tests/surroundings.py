"""Temporary files in memory, bytecode that all processes share, one thread of BLAS: none changes what a test sees."""

from __future__ import annotations

import os
import shutil
import sys
from importlib.util import find_spec
from pathlib import Path

import platformdirs

MEMORY = Path("/dev/shm")
NEEDED = 2e9
"""Bytes that must be free in memory; a run leaves far less there at a time."""


def keep_temporary_files_in_memory() -> None:
    """Put pytest's temporary folders into memory: SQLite waits for the disk at each of many thousand commits."""
    if os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free > NEEDED:
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(MEMORY))


def share_bytecode() -> None:
    """Keep bytecode in the user's cache where Python may not write it beside the libraries, and none is there.

    Containers often set PYTHONDONTWRITEBYTECODE. Each worker, and each process that a test starts, then compiles all
    libraries again, which takes most of its start.
    """
    pandas = find_spec("pandas")
    compiled = pandas is not None and pandas.cached is not None and Path(pandas.cached).exists()
    if compiled or not sys.dont_write_bytecode or sys.pycache_prefix:
        return
    sys.dont_write_bytecode = False
    sys.pycache_prefix = platformdirs.user_cache_dir("slm-sweeps-tests")
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    os.environ["PYTHONPYCACHEPREFIX"] = sys.pycache_prefix


def use_one_thread_of_blas() -> None:
    """Let each worker compute with one thread: the threads of several workers wait for each other's cores."""
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
