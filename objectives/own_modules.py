"""Import of modules that a file names, and whose they are."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterable, Sequence
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import module_from_spec
from pathlib import Path
from types import ModuleType

from objectives.permission import permitted

_loaded: dict[str, ModuleType] = {}
"""Modules found in folders, by name: another sweep of this process may use another module of the same name."""
_added: list[str] = []
"""Entries of `sys.path` that were added here."""


def unpermitted_code(name: str, folders: Sequence[Path] = ()) -> Path | None:
    """Return the file of a module that may not be imported: it is not installed, and nobody agreed to it.

    Args:
        name: The module's dotted name.
        folders: Folders to search before installed modules.
    """
    top, *rest = name.split(".")
    if not top or top in sys.stdlib_module_names:
        return None
    here = [entry for entry in sys.path[:1] if _is_here(entry)]  # `python -m` searches the working directory
    found = PathFinder.find_spec(top, [*map(str, folders), *_added, *(str(Path(entry).resolve()) for entry in here)])
    if found is None:
        return None
    installed = _installed_spec(top)
    if installed is not None and (found.loader is None or installed.origin == found.origin):
        return None
    path = _file(found, rest)
    return None if permitted(f"run the code of {path}") else path


def import_named(name: str, folders: Sequence[Path] = ()) -> ModuleType:
    """Import a module from one of the folders, or an installed one.

    The folders are not put at the start of `sys.path`: there, one of their files could replace an installed module
    that is imported later.
    """
    for folder in map(str, folders):
        if folder not in sys.path:
            sys.path.append(folder)  # for imports of the module itself
            _added.append(folder)
    top = name.partition(".")[0]
    if top not in sys.stdlib_module_names and sys.modules.get(top) is _loaded.get(top):
        spec = PathFinder.find_spec(top, list(map(str, folders)))
        known = _loaded.get(top)
        if spec is not None and spec.loader is not None and getattr(known, "__file__", None) != spec.origin:
            for other in [known for known in sys.modules if known.startswith(f"{top}.")]:
                del sys.modules[other]
            sys.modules[top] = _loaded[top] = module_from_spec(spec)
            try:
                spec.loader.exec_module(sys.modules[top])
            except BaseException:
                del sys.modules[top], _loaded[top]
                raise
    return importlib.import_module(name)


def _is_here(entry: str) -> bool:
    return Path(entry).resolve() == Path.cwd()


def _installed_spec(top: str) -> ModuleSpec | None:
    """Find a module as installed, or on a path that the user set (`PYTHONPATH`): without the folders added here."""
    path = [entry for place, entry in enumerate(sys.path) if entry not in _added and (place or not _is_here(entry))]
    finders = (finder for finder in sys.meta_path if finder is not PathFinder)
    specs: Iterable[ModuleSpec | None] = (finder.find_spec(top, None) for finder in finders)
    return PathFinder.find_spec(top, path) or next((spec for spec in specs if spec is not None), None)


def _file(found: ModuleSpec, rest: Sequence[str]) -> Path:
    places = list(found.submodule_search_locations or ())
    if not places:
        return Path(str(found.origin)).resolve()
    inner = Path(places[0], *rest).resolve()
    return inner if inner.is_dir() else inner.with_name(f"{inner.name}.py")
