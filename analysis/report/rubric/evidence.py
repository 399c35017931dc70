"""The words of a text that cover items, as far as the matcher can say them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import pandas as pd

from analysis.report.data import ReportData
from analysis.report.rubric.items import ItemChange, Text


@dataclass(frozen=True)
class Covered:
    """An item that a text covers.

    Attributes:
        label: The item for people.
        words: The words that cover it; "" where the matcher does not say.
        forbidden: Whether it must not appear.
    """

    label: str
    words: str = ""
    forbidden: bool = False


@dataclass(frozen=True)
class Evidence:
    """Items of single texts with the words that cover them.

    Attributes:
        data: The study; `data.marked` has the texts whose words are known.
        items: Rows of `data.items` for the texts that are shown; empty without a rubric.
    """

    data: ReportData
    items: pd.DataFrame

    @property
    def knows_words(self) -> bool:
        """Whether some text has words that cover an item."""
        return any(piece.items for pieces in self.data.marked.values() for piece in pieces)

    def words(self, text: Text | None, item: str) -> str:
        """The words of a text that cover an item; "" where they are not known."""
        pieces = self.data.marked.get(text, ()) if text is not None else ()
        return " … ".join(" ".join(piece.text.split()) for piece in pieces if item in piece.items)

    def of_change(self, change: ItemChange) -> str:
        """The words of the first text that says a gained or lost item, of the arm in which more texts say it."""
        more = int(change.said[1] / change.n[1] > change.said[0] / change.n[0])
        return self.words(change.saying[more], change.item)

    def covered(self, text: Text, without_rubric: Sequence[str] = ()) -> list[Covered]:
        """The items that a text covers.

        Args:
            text: The text.
            without_rubric: Names of its covered items, for studies whose items are not known.
        """
        if text not in self._said:
            return [Covered(name) for name in without_rubric]
        rows = self._rows.iloc[self._said[text]]
        return [
            Covered(f"[{row.level}] {row.text}", self.words(text, str(row.item)), bool(row.forbidden))
            for row in rows.itertuples()
        ]

    @cached_property
    def _rows(self) -> pd.DataFrame:
        """The items that texts say."""
        return self.items[self.items["said"].astype(bool)] if len(self.items) else self.items

    @cached_property
    def _said(self) -> dict[Text, list[int]]:
        """Places in `_rows` by text: a table for each of ten thousand texts would need 200 MB."""
        found: dict[Text, list[int]] = {}
        if len(self._rows):
            names = (self._rows[name] for name in ("configuration", "case", "seed"))
            for place, (key, case, seed) in enumerate(zip(*names, strict=True)):
                found.setdefault((str(key), str(case), seed), []).append(place)
        return found
