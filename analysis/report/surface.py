"""The search's surface of scores as plain data: which options matter, and the score along them.

Whoever has the search fills it in (`sweeps.results.figures.option_effects`); the report draws it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from analysis.arrays import FloatArray
from analysis.formatting import option_text

CLEAR = 0.1
"""A lower end of an importance's interval above this share counts as clear."""


@dataclass(frozen=True)
class Scale:
    """Values of one option, in order.

    Attributes:
        name: The option.
        values: Its values, shape (n,); those of choices are 0, 1, 2, ...
        labels: Names of the choices; () for numbers.
        log: Whether numbers are searched on a log scale.
    """

    name: str
    values: Sequence[float]
    labels: Sequence[str] = ()
    log: bool = False

    def places(self) -> list[float]:
        """Places on an axis."""
        return [float(f"{value:.6g}") for value in self.values]

    def places_of(self, column: pd.Series[Any]) -> pd.Series[float]:
        """Places of configurations' values on this scale's axis; NaN for values that are not on it.

        Choices stand in this scale's order, which is that of the search space, not of the alphabet.
        """
        if not self.labels:
            return pd.to_numeric(column, errors="coerce").astype(float)
        places = {label: float(place) for place, label in enumerate(self.labels)}
        return column.map(lambda value: places.get(str(value), places.get(option_text(value)))).astype(float)

    def text(self, place: int) -> str:
        """One value as text."""
        return self.labels[place] if self.labels else f"{self.values[place]:.3g}"


@dataclass(frozen=True)
class Slice:
    """The score along one option, all others fixed.

    Attributes:
        scale: The option's values.
        mean: Estimated score at each, shape (n,).
        low, high: Ends of the 95% band of the true mean score, shape (n,).
    """

    scale: Scale
    mean: FloatArray
    low: FloatArray
    high: FloatArray


@dataclass(frozen=True)
class Contour:
    """The score over two options, all others fixed.

    Attributes:
        x, y: Values of both options.
        mean: Estimated score, shape (len(y.values), len(x.values)).
    """

    x: Scale
    y: Scale
    mean: FloatArray

    @property
    def is_smooth(self) -> bool:
        """Whether both options are numbers, so that lines of equal score make sense."""
        return not self.x.labels and not self.y.labels


@dataclass(frozen=True)
class Surface:
    """The search's estimate of the true mean score over its space.

    Attributes:
        importances: By option: `share` of the score's variance over the space that is due to the option alone, and
            `low` and `high`, the ends of 95% of its posterior, in [0, 1]; further columns are `by_optuna`.
        spread: Standard deviation of the estimated score over the space, in units of the score.
        slices: The score along each option.
        contour: The score over the two options with the largest shares; None with fewer options.
        at: The configuration that fixes the other options, in words: `the finalist`.
        by_optuna: Columns of `importances` that Optuna's evaluators filled; shares, NaN where one has none.
    """

    importances: pd.DataFrame
    spread: float
    slices: Sequence[Slice]
    contour: Contour | None = None
    at: str = "the baseline"
    by_optuna: Sequence[str] = field(default=())

    def slice_of(self, name: str) -> Slice | None:
        """The slice along an option; None where there is none."""
        return next((each for each in self.slices if each.scale.name == name), None)

    @property
    def clear(self) -> list[str]:
        """Options that are known to matter, the largest share first."""
        table = self.importances.sort_values("share", ascending=False)
        return [str(name) for name, low in table["low"].items() if low > CLEAR]

    @property
    def importance_title(self) -> str:
        """The finding of the importances."""
        clear = self.clear
        if not clear:
            return "No option is known to matter: the intervals are too wide"
        verb = "matters" if len(clear) == 1 else "matter"
        return f"{', '.join(clear[:3])} {verb}; the others are not known to"

    @property
    def certainty(self) -> str:
        """How far the shares can be trusted, and what they are shares of."""
        size = f"Over the whole space the estimated score varies by ±{self.spread:.3f} (standard deviation)."
        wide = self.importances["high"] - self.importances["low"]
        cautious = "With noisy scores the shares are too small rather than too large."
        return (
            f"{size} {cautious}{' Wide intervals: too few trials tell the options apart.' if wide.max() > 0.5 else ''}"
        )

    @property
    def reading(self) -> str:
        """The option along which the estimate varies most, in a sentence; "" without slices."""
        if not self.slices:
            return ""
        most = max(self.slices, key=lambda each: float(each.mean.max() - each.mean.min()))
        place = int(most.mean.argmax())
        low, high = float(most.mean.min()), float(most.mean.max())
        said = (
            f"Along {most.scale.name} the estimate varies most, from {low:.3f} to {high:.3f}, and is highest at"
            f" {most.scale.text(place)}."
        )
        return said if most.scale.name in self.clear else f"{said} It is not known to matter: this may be chance."
