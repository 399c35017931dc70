"""Temporary files in memory, bytecode and compiled SQL that are shared, one thread of BLAS: no test sees a change."""

from __future__ import annotations

import os
import shutil
import sys
from importlib.util import find_spec
from operator import attrgetter
from pathlib import Path
from typing import Any

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


def share_compiled_statements() -> None:
    """Let all SQLite engines of this process share their compiled statements.

    An engine compiles each statement once, and each test opens new ones: of the ledger, of Optuna's storage, of
    MLflow's store. A user's process has one of each. A sweep with runs in MLflow takes a fourteenth less.
    """
    from sqlalchemy import Engine
    from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite as Dialect
    from sqlalchemy.util import LRUCache

    settings = attrgetter("__class__", "paramstyle", "native_datetime", "_json_serializer", "_json_deserializer")
    # A statement's key in the cache begins with the dialect, by its identity
    Dialect.__hash__ = lambda self: hash(settings(self))  # type: ignore[method-assign]
    Dialect.__eq__ = lambda self, other: isinstance(other, Dialect) and settings(self) == settings(other)  # type: ignore[method-assign]
    shared: LRUCache[Any, Any] = LRUCache(4000)
    make = Engine.__init__

    def sharing(engine: Engine, *arguments: Any, **options: Any) -> None:
        make(engine, *arguments, **options)
        if isinstance(engine.dialect, Dialect) and engine._compiled_cache is not None:
            engine._compiled_cache = shared

    Engine.__init__ = sharing  # type: ignore[method-assign]
