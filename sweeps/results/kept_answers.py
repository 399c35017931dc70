"""The texts of a study with their scores, read from the ledger when somebody asks for them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any, overload

Answer = Mapping[str, Any]

Decoder = Callable[[], Answer]

Read = Callable[[Collection[str] | None], Sequence[tuple[str, Decoder]]]
"""Reads the texts of some configurations (None: of all): the key of each one's configuration, and what decodes it."""


class KeptAnswers(Sequence[Answer]):
    """Texts with their scores (see `sweeps.scoring.rows.answer_row`), one per observation that has a score.

    A table of scores needs no texts, which take most of a study's memory. They are read once, at the first use, and
    each text's details are decoded whenever it is asked for.

    Args:
        read: Reads the texts.
        only: Keys of the configurations whose texts these are; None for all.
    """

    def __init__(self, read: Read, only: Collection[str] | None = None) -> None:
        self._read = read
        self._only = None if only is None else frozenset(only)
        self._found: Sequence[tuple[str, Decoder]] | None = None
        self._part: KeptAnswers | None = None

    def of(self, configurations: Collection[str]) -> KeptAnswers:
        """The texts of some configurations, in the same order; those of others are not read.

        Where all are read already, or the last part has them, they come from there.
        """
        wanted = frozenset(configurations) if self._only is None else self._only & frozenset(configurations)
        if self._found is None and (self._part is None or not wanted <= (self._part._only or frozenset())):
            self._part = KeptAnswers(self._read, wanted)
            return self._part
        larger = self if self._part is None or self._found is not None else self._part
        return KeptAnswers(lambda only: [each for each in larger._all() if each[0] in (only or ())], wanted)

    def _all(self) -> Sequence[tuple[str, Decoder]]:
        if self._found is None:
            self._found = self._read(self._only)
        return self._found

    def __len__(self) -> int:
        """Number of the texts."""
        return len(self._all())

    def __iter__(self) -> Iterator[Answer]:
        """The texts in the order of their places."""
        return (decode() for _, decode in self._all())

    @overload
    def __getitem__(self, index: int) -> Answer: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Answer]: ...
    def __getitem__(self, index: int | slice) -> Answer | Sequence[Answer]:
        """A text, or several."""
        if isinstance(index, slice):
            return [decode() for _, decode in self._all()[index]]
        return self._all()[index][1]()


def answers_of(answers: Sequence[Answer], configurations: Collection[str]) -> Sequence[Answer]:
    """The texts of some configurations, in their order."""
    if isinstance(answers, KeptAnswers):
        return answers.of(configurations)
    return [answer for answer in answers if answer["configuration"] in configurations]
