"""Hints for mistyped names; in this package, since `sweeps` may import it and not the other way round."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


def nearest_name(name: object, valid: Iterable[str]) -> str | None:
    """Return the valid name most like a mistyped one, or None if none is like it."""
    return next(iter(get_close_matches(str(name), list(valid), n=1)), None)


def did_you_mean(name: object, valid: Iterable[str]) -> str:
    """Return ``Did you mean 'x'? `` for the valid name most like a mistyped one, or "" if none is like it."""
    near = nearest_name(name, valid)
    return "" if near is None else f"Did you mean {near!r}? "
