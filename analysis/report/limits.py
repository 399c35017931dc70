"""A limited quantity, measured on every configuration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class LimitColumn:
    """One limited quantity, measured on every configuration.

    Attributes:
        name: Key of the limit: `words`, `output_tokens`, `seconds`, `cut_off` or `copied_share`.
        limit: The limit, in the unit of `means`.
        text: The limit for people, such as `150` or `20%`.
        means: Mean over cases, by configuration; NaN where no generation has the quantity.
        texts: The same for people.
    """

    name: str
    limit: float
    text: str
    means: Mapping[str, float]
    texts: Mapping[str, str]

    @property
    def title(self) -> str:
        """Head of the column."""
        return f"{self.name.replace('_', ' ')} ≤ {self.text}"

    def cell(self, key: str) -> str:
        """The mean of a configuration for people; a dash where it is unknown."""
        return self.texts.get(key, "–")

    def over(self, key: str) -> bool:
        """Whether a configuration's mean lies above the limit by more than rounding."""
        return self.means.get(key, 0.0) - self.limit > 1e-9 * max(self.limit, 1.0)
