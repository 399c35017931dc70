"""The texts of a study with their scores, read from the ledger when somebody asks for them."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from sys import intern
from typing import Any, overload

from sweeps.scoring.rows import with_wording

Answer = Mapping[str, Any]

_SHARED = ("configuration", "stage", "host", "case")
_WORDED = ("covered", "missed")
_LEVEL = 1  # of the compression: higher ones take longer, and save little on short texts


class KeptAnswer:
    """A text with its score, which needs a fifth of the memory until it is unpacked; see `Packer`.

    Attributes:
        configuration: Key of its configuration.
    """

    __slots__ = ("_case", "_content", "configuration")

    def __init__(self, configuration: str, content: bytes, case: tuple[bytes, Mapping[str, str]]) -> None:
        self.configuration = configuration
        self._content, self._case = content, case

    def unpacked(self) -> Answer:
        """The text, as it was packed."""
        first, items = self._case
        content = zlib.decompressobj(zdict=first).decompress(self._content)
        answer: dict[str, Any] = json.loads(content)
        answer |= {name: intern(answer[name]) for name in _SHARED}
        return answer | with_wording(answer["detail"], items)


class Packer:
    """Packs texts with their scores (see `sweeps.scoring.rows.answer_row`), those of a case by what they share.

    Args:
        items: The wording of the items by case.
    """

    def __init__(self, items: Mapping[str, Mapping[str, str]]) -> None:
        self._items = items
        self._cases: dict[str, tuple[bytes, Mapping[str, str]]] = {}

    def pack(self, answer: Answer) -> KeptAnswer:
        """Pack a text."""
        content = json.dumps({name: None if name in _WORDED else value for name, value in answer.items()}).encode()
        case = self._cases.setdefault(answer["case"], (content, self._items[answer["case"]]))
        compress = zlib.compressobj(_LEVEL, zdict=case[0])
        return KeptAnswer(answer["configuration"], compress.compress(content) + compress.flush(), case)


Read = Callable[[Collection[str] | None], Sequence[KeptAnswer]]
"""Reads the texts of some configurations; None: of all."""


class KeptAnswers(Sequence[Answer]):
    """Texts with their scores (see `sweeps.scoring.rows.answer_row`), one per observation that has a score.

    A table of scores needs no texts, which take most of a study's memory. They are read once, at the first use, and
    each is unpacked whenever it is asked for.

    Args:
        read: Reads the texts.
        only: Keys of the configurations whose texts these are; None for all.
    """

    def __init__(self, read: Read, only: Collection[str] | None = None) -> None:
        self._read = read
        self._only = None if only is None else frozenset(only)
        self._found: Sequence[KeptAnswer] | None = None
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
        return KeptAnswers(lambda only: [each for each in larger._all() if each.configuration in (only or ())], wanted)

    def _all(self) -> Sequence[KeptAnswer]:
        if self._found is None:
            self._found = self._read(self._only)
        return self._found

    def __len__(self) -> int:
        """Number of the texts."""
        return len(self._all())

    def __iter__(self) -> Iterator[Answer]:
        """The texts in the order of their places."""
        return (each.unpacked() for each in self._all())

    @overload
    def __getitem__(self, index: int) -> Answer: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Answer]: ...
    def __getitem__(self, index: int | slice) -> Answer | Sequence[Answer]:
        """A text, or several."""
        if isinstance(index, slice):
            return [each.unpacked() for each in self._all()[index]]
        return self._all()[index].unpacked()


def answers_of(answers: Sequence[Answer], configurations: Collection[str]) -> Sequence[Answer]:
    """The texts of some configurations, in their order."""
    if isinstance(answers, KeptAnswers):
        return answers.of(configurations)
    return [answer for answer in answers if answer["configuration"] in configurations]
