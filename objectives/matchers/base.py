"""The contract of a matcher, and its answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from objectives.case import Item


@dataclass(frozen=True)
class Match:
    """A matcher's answer for one item.

    Attributes:
        item: The item's id.
        covered: Whether the item counts as said. For a forbidden item this means that it appeared.
        probability: Calibrated probability in [0, 1] that a person would call the item covered.
        score: The matcher's own raw figure, in [0, 1].
        threshold: The probability from which the item counts as covered.
        why: One sentence for a person.
        span: The part of the text that covers the item, or None.
        missing: Words of the item that the text lacks, the most telling first.
        matcher: Name of the matcher that decided ("patterns" for authored patterns).
        disagreement: Variance of the decision when the same text is judged again, 0 for a deterministic matcher.
        spread: The same for the probability.
    """

    item: str
    covered: bool
    probability: float
    score: float
    threshold: float
    why: str
    span: str | None
    missing: tuple[str, ...]
    matcher: str
    disagreement: float = 0.0
    spread: float = 0.0


@runtime_checkable
class Matcher(Protocol):
    """Decides for each item of a rubric whether a text says it.

    Every matcher passes the suite `tests/conformance/matchers.py`, which states the contract in full.
    """

    @property
    def name(self) -> str:
        """Short name, as in the configuration."""
        ...

    @property
    def digest(self) -> str:
        """Hex digest of every setting that can change an answer."""
        ...

    def match(self, items: Sequence[Item], text: str, *, context: str | None = None) -> list[Match]:
        """Judge every item against a text.

        Args:
            items: The rubric, in any order; a matcher ignores the items' patterns.
            text: The summary.
            context: The log that was summarised, if it is known.

        Returns:
            One answer per item, in the order of the items.
        """
        ...


class ObjectiveError(ValueError):
    """Wrong settings of an objective, or a matcher that cannot work; the message says what to do."""


class UnusableAnswer(ObjectiveError):
    """No usable answer from a matcher's model about one text. Another text or another try may get one."""
