"""User-defined objectives by their import path."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from importlib.machinery import PathFinder
from importlib.util import module_from_spec
from pathlib import Path
from types import ModuleType
from typing import Any

from objectives.coverage import Objective
from objectives.custom import as_objective, cause_of
from objectives.matchers.base import ObjectiveError

_loaded: dict[str, ModuleType] = {}
"""Modules found in folders, by name: another sweep of this process may use another module of the same name."""


def own_objective(kind: str, folders: Sequence[Path]) -> Objective:
    """Import an objective.

    Args:
        kind: `module:attribute`: a callable `(case, text) -> score`, an objective, or a class of objectives without
            arguments.
        folders: Folders to search before installed modules, in this order.

    Raises:
        ObjectiveError: It does not exist, cannot be imported, or is no objective.
    """
    module_name, _, attribute = kind.partition(":")
    folders = list(dict.fromkeys(folder.resolve() for folder in folders))
    try:
        target: Any = _module(module_name, folders)
    except Exception as error:  # noqa: BLE001 - a user's module may raise anything
        if isinstance(error, ModuleNotFoundError) and error.name == module_name.partition(".")[0]:
            places = " nor in ".join(map(str, folders))
            reason = f"there is no {error.name}.py in {places}, and no installed module has this name"
            raise ObjectiveError(f"kind = {kind!r}: module {module_name!r} was not found: {reason}.") from None
        raise ObjectiveError(
            f"kind = {kind!r}: module {module_name!r} cannot be imported: {cause_of(error)}."
        ) from None
    try:
        for part in attribute.split("."):
            target = getattr(target, part)
    except AttributeError:
        raise ObjectiveError(f"kind = {kind!r}: module {module_name!r} has no {attribute!r}.") from None
    if isinstance(target, type) and hasattr(target, "score"):
        try:
            target = target()
        except Exception as error:  # noqa: BLE001 - as above
            raise ObjectiveError(f"kind = {kind!r}: {attribute}() failed: {cause_of(error)}.") from None
    try:
        return as_objective(target)
    except ObjectiveError as error:
        raise ObjectiveError(f"kind = {kind!r}: {error}.") from None


def _module(name: str, folders: Sequence[Path]) -> ModuleType:
    """Import a module from one of the folders, or an installed one.

    The folders are not put at the start of `sys.path`: there, one of their files could replace an installed module
    that is imported later.
    """
    for folder in map(str, folders):
        if folder not in sys.path:
            sys.path.append(folder)  # for imports of the module itself
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
