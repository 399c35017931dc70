"""Errors that users read (what is wrong, the value, the place, what to do), and hints for mistyped names."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


class SweepError(Exception):
    """Base of all errors that are shown without a traceback.

    Attributes:
        exit_code: Exit status of the command line: 2 if the user must correct something, 3 if the engine failed.
    """

    exit_code = 2


class ConfigError(SweepError):
    """An unusable sweep configuration, with all its problems at once.

    Args:
        problems: One text per problem, each naming file, key, value and remedy.
    """

    def __init__(self, problems: str | Sequence[str]) -> None:
        self.problems = [problems] if isinstance(problems, str) else list(problems)
        super().__init__("\n".join(self.problems))


def name_hint(name: object, valid: Iterable[str]) -> str:
    """Return ``did you mean 'top_k'?`` for a mistyped name, or the list of valid names if none is like it."""
    from objectives.hints import nearest_name  # needs difflib, which is loaded for an error only

    names = list(valid)
    near = nearest_name(name, names)
    return f"valid: {', '.join(names)}" if near is None else f"did you mean {near!r}?"
