"""Rubric items that more or fewer texts of a finalist say than of the baseline, case by case."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

from analysis.arrays import FloatArray
from analysis.comparison.holm import holm
from analysis.formatting import count_text

CHANGED = 0.1
"""Least difference of the shares of texts that counts as a change: one text in ten."""

ALPHA = 0.05
"""Level of the tests of all items together."""

Text = tuple[str, str, Hashable]
"""Configuration, case and seed of a text."""


@dataclass(frozen=True)
class ItemChange:
    """One item of one case in the texts of both arms.

    Attributes:
        case: Name of the case.
        item: The item's id.
        text: Its wording.
        level: 1 (essential) to 5 (incidental).
        forbidden: Whether it must not appear.
        said: Texts of baseline and finalist that say it.
        n: Texts of both.
        expected: Mean probability, for both, that a text says it.
        shown: Whether the difference is beyond luck, all items of all cases allowed for (Fisher's test, Holm).
        saying: For each arm the first text that says it; None where none does.
    """

    case: str
    item: str
    text: str
    level: int
    forbidden: bool
    said: tuple[int, int]
    n: tuple[int, int]
    expected: tuple[float, float]
    shown: bool = False
    saying: tuple[Text | None, Text | None] = (None, None)

    @property
    def change(self) -> float:
        """Difference of the shares of texts that say it, in favour of the finalist."""
        gained = self.said[1] / self.n[1] - self.said[0] / self.n[0]
        return round(-gained if self.forbidden else gained, 9)

    @property
    def is_hidden(self) -> bool:
        """Whether only its probability changed: as many texts say it as before, which no reader can see."""
        return abs(self.change) < CHANGED <= abs(self.expected[1] - self.expected[0])


@dataclass(frozen=True)
class CaseChanges:
    """The items of a case.

    Attributes:
        case: Name of the case.
        gained: Items that more texts of the finalist say, the largest change first.
        lost: Items that fewer of its texts say, the largest change first.
        hidden: Items whose probability alone changed.
        alike: Number of the others.
        unwanted: Number of all items of the case that must not appear.
        texts: For each arm the text nearest to what all its texts cover on average.
    """

    case: str
    gained: tuple[ItemChange, ...]
    lost: tuple[ItemChange, ...]
    hidden: tuple[ItemChange, ...]
    alike: int
    unwanted: int
    texts: tuple[Text, ...]

    @property
    def saying(self) -> list[Text]:
        """The texts that show its gained and lost items."""
        return [text for change in (*self.gained, *self.lost) for text in change.saying if text is not None]


@dataclass(frozen=True)
class ItemChanges:
    """The items of all cases, in the texts of baseline and finalist.

    Attributes:
        cases: A part per case, by name.
    """

    cases: tuple[CaseChanges, ...] = field(default=())

    @cached_property
    def gained(self) -> int:
        """Number of items gained, over all cases."""
        return sum(len(case.gained) for case in self.cases)

    @cached_property
    def lost(self) -> int:
        """Number of items lost, over all cases."""
        return sum(len(case.lost) for case in self.cases)

    @cached_property
    def hidden(self) -> int:
        """Number of items whose probability alone changed."""
        return sum(len(case.hidden) for case in self.cases)

    @cached_property
    def shown(self) -> int:
        """Number of changes that are beyond luck."""
        return sum(item.shown for case in self.cases for item in (*case.gained, *case.lost))

    @property
    def text(self) -> str:
        """The counts as a sentence without its full stop."""
        if not self.cases:
            return ""
        unwanted = sum(case.unwanted for case in self.cases)
        total = self.gained + self.lost + self.hidden + sum(case.alike for case in self.cases) - unwanted
        items = count_text(total, "item") + (f" and {unwanted} that must not appear" if unwanted else "")
        luck = f"{self.shown} of these changes {'is' if self.shown == 1 else 'are'} beyond luck"
        luck = luck if self.shown else "no single change is beyond luck"
        return f"{items}: {self.gained} gained, {self.lost} lost; {luck}"


def item_changes(items: pd.DataFrame, baseline: str, finalist: str) -> ItemChanges:
    """Compare the items in the texts of two configurations.

    Args:
        items: Columns `configuration`, `case`, `seed`, `item`, `level`, `text`, `forbidden`, `said`, `probability`; a
            row per item of each text.
        baseline: Key of the baseline.
        finalist: Key of the finalist.

    Returns:
        The items of the cases in which both have texts; without cases where there are none.
    """
    arms = (baseline, finalist)
    rows = items[items["configuration"].isin(arms)]
    parts = {case: part for case, part in rows.groupby("case", observed=True) if part["configuration"].nunique() == 2}
    changes = [change for case, part in parts.items() for change in _changes(str(case), part, arms)]
    p_values = [_p_value(change) for change in changes]
    adjusted = holm(p_values, ALPHA)[0] if changes else []
    marked = [
        ItemChange(**{**vars(change), "shown": bool(p <= ALPHA)}) for change, p in zip(changes, adjusted, strict=True)
    ]
    return ItemChanges(
        tuple(
            _case(str(case), [change for change in marked if change.case == case], part, arms)
            for case, part in parts.items()
        )
    )


def _changes(case: str, rows: pd.DataFrame, arms: tuple[str, str]) -> list[ItemChange]:
    places = rows.groupby(["item", "configuration"], observed=True).indices
    said, probability = rows["said"].to_numpy(), rows["probability"].to_numpy(dtype=float)
    texts = list(zip(rows["configuration"], rows["case"], rows["seed"], strict=True))
    found = []
    for first in rows.drop_duplicates("item").to_dict("records"):
        own = [places.get((first["item"], key)) for key in arms]
        if own[0] is None or own[1] is None:
            continue
        found.append(
            ItemChange(
                case=case,
                item=str(first["item"]),
                text=str(first["text"]),
                level=int(first["level"]),
                forbidden=bool(first["forbidden"]),
                said=(int(said[own[0]].sum()), int(said[own[1]].sum())),
                n=(len(own[0]), len(own[1])),
                expected=(_mean(probability[own[0]]), _mean(probability[own[1]])),
                saying=(_first_saying(own[0], said, texts), _first_saying(own[1], said, texts)),
            )
        )
    return found


def _mean(values: FloatArray) -> float:
    """Return the mean of the known values; NaN without any."""
    known = int((~np.isnan(values)).sum())
    return float(np.nansum(values)) / known if known else math.nan


def _p_value(change: ItemChange) -> float:
    table = [[said, n - said] for said, n in zip(change.said, change.n, strict=True)]
    found = float(stats.fisher_exact(np.array(table)).pvalue)
    return 1.0 if math.isnan(found) else found


def _case(case: str, changes: list[ItemChange], rows: pd.DataFrame, arms: tuple[str, str]) -> CaseChanges:
    ordered = sorted(changes, key=lambda change: (-abs(change.change), change.level, change.item))
    gained = tuple(change for change in ordered if change.change >= CHANGED)
    lost = tuple(change for change in ordered if change.change <= -CHANGED)
    hidden = tuple(change for change in ordered if change.is_hidden)
    alike = len(changes) - len(gained) - len(lost) - len(hidden)
    texts = tuple((key, case, _typical_seed(rows[rows["configuration"] == key])) for key in arms)
    unwanted = sum(change.forbidden for change in changes)
    return CaseChanges(case, gained, lost, hidden, alike, unwanted, texts)


def _first_saying(
    places: Iterable[int], said: npt.NDArray[Any], texts: Sequence[tuple[object, object, Hashable]]
) -> Text | None:
    first = next((place for place in places if said[place]), None)
    if first is None:
        return None
    configuration, case, seed = texts[first]
    return str(configuration), str(case), seed


def _typical_seed(rows: pd.DataFrame) -> Hashable:
    """Return the seed of the text whose items are nearest to the mean of all texts; of equal ones the lowest."""
    known = rows[rows["probability"].notna()].drop_duplicates(["seed", "item"])
    text, seeds = pd.factorize(known["seed"], sort=True)
    item, items = pd.factorize(known["item"])
    table = np.full((len(seeds), len(items)), np.nan)
    table[text, item] = known["probability"]
    distance = np.nansum(np.abs(table - np.nanmean(table, axis=0)), axis=1)
    seed: Hashable = seeds[int(np.argmin(distance.round(9)))]
    return seed
