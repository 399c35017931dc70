"""User-defined objectives by their import path."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from objectives.coverage import Objective
from objectives.custom import as_objective, cause_of
from objectives.matchers.base import ObjectiveError
from objectives.own_modules import import_named, unpermitted_code
from objectives.permission import HOW


def own_objective(kind: str, folders: Sequence[Path]) -> Objective:
    """Import an objective.

    Args:
        kind: `module:attribute`: a callable `(case, text) -> score`, an objective, or a class of objectives without
            arguments.
        folders: Folders to search before installed modules, in this order.

    Raises:
        ObjectiveError: It does not exist, cannot be imported, is no objective, or its code is not permitted.
    """
    module_name, _, attribute = kind.partition(":")
    folders = list(dict.fromkeys(folder.resolve() for folder in folders))
    if (code := unpermitted_code(module_name, folders)) is not None:
        raise ObjectiveError(f"kind = {kind!r}: would run the code of {code} with your rights. Read it, then {HOW}.")
    try:
        target: Any = import_named(module_name, folders)
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
