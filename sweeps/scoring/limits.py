"""Limits held against fresh generations, as functions of rows: kept, broken, or undecided."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from sweeps.config.tables import ConstraintsTable
from sweeps.options import Configuration
from sweeps.scoring.quantities import QUANTITIES, Row, measured

if TYPE_CHECKING:
    import pandas as pd

Status = Literal["kept", "broken", "cannot be told"]


@dataclass(frozen=True)
class LimitCheck:
    """One limit held against a configuration's generations.

    Attributes:
        name: Key of the limit.
        limit: The limit.
        mean: Mean over cases; NaN where no generation has the quantity.
        low: Lower end of the mean's 95% interval; NaN where the noise is unknown.
        high: Upper end.
        n: Number of generations that have the quantity.
    """

    name: str
    limit: float
    mean: float
    low: float
    high: float
    n: int

    @property
    def above(self) -> bool:
        """Whether the mean lies above the limit, possibly by chance."""
        return _above(self.mean, self.limit)

    @property
    def status(self) -> Status:
        """`kept` or `broken` where the whole interval lies on one side of the limit."""
        if math.isnan(self.low):
            return "cannot be told"
        if _above(self.low, self.limit):
            return "broken"
        return "cannot be told" if _above(self.high, self.limit) else "kept"

    def as_dict(self) -> dict[str, Any]:
        """The check as JSON types: numbers that do not exist are None."""
        numbers = {name: None if math.isnan(value) else value for name, value in self._numbers.items()}
        words = {"status": self.status, "above": self.above, "sentence": self.sentence}
        return {"constraint": self.name, "limit": self.limit, **numbers, "n": self.n, **words}

    @property
    def _numbers(self) -> dict[str, float]:
        return {"mean": self.mean, "low": self.low, "high": self.high}

    @property
    def text(self) -> str:
        """The mean with its interval: `171 (158 to 184)`."""
        quantity = QUANTITIES[self.name]
        return quantity.text(self.mean, apart_from=self.limit) + (
            "" if math.isnan(self.low) else f" ({quantity.between(self.low, self.high)})"
        )

    @property
    def outcome(self) -> str:
        """The status; where it is undecided, the side of the limit on which the mean lies."""
        if self.status != "cannot be told" or math.isnan(self.mean):
            return self.status
        return f"{'above' if self.above else 'within'}, but that could be noise"

    @property
    def sentence(self) -> str:
        """The check as a sentence without its subject: `breaks words: 171 on average, limit 150`."""
        quantity = QUANTITIES[self.name]
        if math.isnan(self.mean):
            return f"{self.name} cannot be told: no generation reports it"
        verb = {"kept": "keeps", "broken": "breaks"}.get(self.status, "is above" if self.above else "is within")
        unsure = ""
        if self.status == "cannot be told":
            ends = f"95% interval {quantity.between(self.low, self.high)}"
            unsure = f", which noise alone could do ({'one generation per case' if math.isnan(self.low) else ends})"
        mean, limit = self.mean, self.limit
        numbers = f"{quantity.text(mean, apart_from=limit)} on average, limit {quantity.text(limit, apart_from=mean)}"
        return f"{verb} {self.name}: {numbers}{unsure}"


def _above(value: float, limit: float) -> bool:
    """Whether a value is larger by more than rounding."""
    return value - limit > 1e-9 * max(limit, 1.0)


def _is_greedy(row: Row) -> bool:
    """Whether any other seed gives the same text; see `Configuration.is_greedy`."""
    # A row of a table with other configurations has NaN where it lacks an option.
    known = {name: row.get(name) for name in ("temperature", "mirostat")}
    options = {name: value for name, value in known.items() if value is not None and not math.isnan(value)}
    return Configuration(model="", prompt="", options=options).is_greedy


def check_limits(rows: Sequence[Row], table: ConstraintsTable, *, claim: str = "these-cases") -> list[LimitCheck]:
    """Hold a configuration's generations against the limits.

    Args:
        rows: Its rows of the observations table. They must be fresh if others led to the choice of the configuration.
        table: The limits.
        claim: Scope of the intervals, as for the verdict: these cases with other seeds, or new cases.

    Returns:
        A check per limit, in their order. Intervals are those of `analysis.comparison.means`: t within cases (or
        between cases); for the share cut off Clopper and Pearson's (or Gaffke's).
    """
    from analysis.comparison.means import mean_interval, share_interval

    checks = []
    for name, limit in table.limits.items():
        values = [measured(row, name) for row in rows]
        estimate = share_interval if QUANTITIES[name].counted else mean_interval
        mean = estimate(
            values,
            [str(row["case"]) for row in rows],
            [str(row["host"]) for row in rows],
            claim="new-cases" if claim == "new-cases" else "these-cases",
            # Greedy texts repeat exactly; the time that they take does not.
            repeatable=name != "seconds" and all(_is_greedy(row) for row in rows),
        )
        ends = np.array([mean.low, mean.high])
        low, high = np.clip(ends, 0, 1 if QUANTITIES[name].share else None)  # a t interval may exceed the bounds
        checks.append(LimitCheck(name, limit, mean.value, float(low), float(high), mean.n))
    return checks


def constraints_table(baseline: Sequence[LimitCheck], finalist: Sequence[LimitCheck]) -> pd.DataFrame:
    """Limits held against baseline and finalist, side by side.

    Returns:
        A row per limit: `constraint`, `limit`, and for each arm (`baseline_`, `finalist_`) `mean`, `low`, `high` and
        `status`; means and limits in words, tokens, seconds, or shares from 0 to 1.
    """
    import pandas as pd

    parts = ("mean", "low", "high", "status")
    names = [f"{arm}_{part}" for arm in ("baseline", "finalist") for part in parts]
    rows = [
        [own.name, own.limit, *(getattr(check, part) for check in (base, own) for part in parts)]
        for base, own in zip(baseline, finalist, strict=True)
    ]
    return pd.DataFrame(rows, columns=["constraint", "limit", *names])


def shown_table(baseline: Sequence[LimitCheck], finalist: Sequence[LimitCheck]) -> pd.DataFrame:
    """As `constraints_table`, with numbers as text for people.

    Returns:
        A row per limit, all texts: `constraint`, `limit`, `baseline`, `finalist`, and the finalist's `outcome`.
    """
    import pandas as pd

    rows = [
        [own.name, QUANTITIES[own.name].text(own.limit, apart_from=own.mean), base.text, own.text, own.outcome]
        for base, own in zip(baseline, finalist, strict=True)
    ]
    return pd.DataFrame(rows, columns=["constraint", "limit", "baseline", "finalist", "outcome"])


@dataclass(frozen=True)
class Limits:
    """The limits of a sweep held against its configurations.

    Attributes:
        checks: Checks by the configuration's key; empty in a sweep without limits.
    """

    checks: Mapping[str, Sequence[LimitCheck]]

    @classmethod
    def of(cls, rows: Iterable[Row], table: ConstraintsTable, *, claim: str = "these-cases") -> Limits:
        """Hold every configuration's rows against the limits."""
        by_configuration: dict[str, list[Row]] = {}
        for row in rows if table.limits else ():
            by_configuration.setdefault(row["configuration"], []).append(row)
        return cls({key: check_limits(own, table, claim=claim) for key, own in by_configuration.items()})

    def broken(self, key: str) -> list[str]:
        """Sentences on the limits that a configuration breaks or seems to break."""
        return [check.sentence for check in self.checks.get(key, ()) if check.above]

    def gated(self, key: str, outcome: str) -> str:
        """A verdict's outcome for a gate: a finalist beyond a limit is not to be used, however well it scores."""
        broken = self.broken(key) if outcome in ("better", "equivalent") else []
        return f"{outcome}, but {' and '.join(broken)}" if broken else outcome

    def records(self, key: str) -> list[dict[str, Any]]:
        """A configuration's checks as JSON types."""
        return [check.as_dict() for check in self.checks.get(key, ())]

    def notes(self, baseline: str, finalist: str) -> list[str]:
        """Sentences for people on the limits that finalist or baseline lie above."""
        found = [f"the finalist {sentence}; so it is not recommended" for sentence in self.broken(finalist)]
        return found + [f"the baseline {sentence}" for sentence in self.broken(baseline)]

    def table(self, baseline: str, finalist: str) -> pd.DataFrame:
        """Two configurations side by side; see `constraints_table`. Without rows unless both were generated."""
        return constraints_table(*self._both(baseline, finalist))

    def shown(self, baseline: str, finalist: str) -> pd.DataFrame:
        """Two configurations side by side, for people; see `shown_table`."""
        return shown_table(*self._both(baseline, finalist))

    def _both(self, *keys: str) -> Sequence[Sequence[LimitCheck]]:
        return [self.checks[key] if self.checks.keys() >= set(keys) else () for key in keys]
