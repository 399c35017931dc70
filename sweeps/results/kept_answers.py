"""The texts of a study with their scores, read from the ledger when somebody asks for them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, overload

Answer = Mapping[str, Any]


class KeptAnswers(Sequence[Answer]):
    """Texts with their scores (see `sweeps.scoring.rows.answer_row`), one per observation that has a score.

    A table of scores needs no texts, which take most of a study's memory. They are read once, at the first use, and
    each text's details are decoded whenever it is asked for.

    Args:
        read: Reads the texts; returns a function for each that decodes it.
    """

    def __init__(self, read: Callable[[], Sequence[Callable[[], Answer]]]) -> None:
        self._read = read
        self._found: Sequence[Callable[[], Answer]] | None = None

    def _all(self) -> Sequence[Callable[[], Answer]]:
        if self._found is None:
            self._found = self._read()
        return self._found

    def __len__(self) -> int:
        """Number of the texts."""
        return len(self._all())

    def __iter__(self) -> Iterator[Answer]:
        """The texts in the order of their places."""
        return (decode() for decode in self._all())

    @overload
    def __getitem__(self, index: int) -> Answer: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Answer]: ...
    def __getitem__(self, index: int | slice) -> Answer | Sequence[Answer]:
        """A text, or several."""
        if isinstance(index, slice):
            return [decode() for decode in self._all()[index]]
        return self._all()[index]()
