"""Covered items of levels 1 and 2 by host and case, as `3/5`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sweeps.audits.experiments import SEEDS, WARM
from sweeps.audits.record import Answer, AuditCase, AuditRecord, HostRecord, Mode

if TYPE_CHECKING:
    import pandas as pd

COVERED = 0.5
"""Probability from which an item counts as covered."""

LEVELS = (1, 2)
"""Levels of the items that are counted: essential and important."""

STATISTIC = "the median text's items (of two middle texts the lower), and in brackets the lowest and highest text's"
"""Meaning of the numbers where a host has several texts for a case."""


@dataclass(frozen=True)
class Coverage:
    """Covered items of a host's texts for one case.

    Attributes:
        host: The host's label.
        case: The case's name.
        covered: Items of the median text; of two middle texts the lower one's. None without a scored text.
        low: Items of the text that covers fewest.
        high: Items of the text that covers most.
        total: Items of these levels.
        n: Number of texts.
    """

    host: str
    case: str
    covered: int | None
    low: int
    high: int
    total: int
    n: int

    @property
    def text(self) -> str:
        """The cell of the table: `3/5`, with `(2 to 4)` where texts differ; a dash without a text."""
        if self.covered is None:
            return "–"
        return f"{self.covered}/{self.total}" + (f" ({self.low} to {self.high})" if self.low < self.high else "")


def coverages(record: AuditRecord, mode: Mode, levels: Sequence[int] = LEVELS) -> list[Coverage]:
    """Count covered items for each host and case, from the texts by which hosts are compared."""
    return [_coverage(host, case, mode, levels) for host in record.hosts for case in record.cases]


def levels_table(record: AuditRecord, mode: Mode, levels: Sequence[int] = LEVELS) -> pd.DataFrame:
    """Return the article's table: a row per host, a column per case with cells such as `3/5`, and the smallest n."""
    import pandas as pd

    cells = coverages(record, mode, levels)
    rows = [
        {
            "host": host.label,
            **{cell.case: cell.text for cell in cells if cell.host == host.label},
            "n": min((cell.n for cell in cells if cell.host == host.label), default=0),
        }
        for host in record.hosts
    ]
    return pd.DataFrame(rows, columns=["host", *(case.name for case in record.cases), "n"])


def compared_answers(host: HostRecord, mode: Mode) -> list[Answer]:
    """Return the answers by which a host is compared with others: without an error, one per case and seed.

    They are those of the experiment `SEEDS`; a record without them gives the warm answers of other experiments.
    """
    usable = [each for each in host.answers if each.mode == mode and not each.error]
    chosen = [each for each in usable if each.experiment == SEEDS] or [each for each in usable if each.arm == WARM]
    first: dict[tuple[str, int], Answer] = {}
    for each in chosen:
        first.setdefault((each.case, each.seed), each)
    return list(first.values())


def covered_items(items: Mapping[str, float], case: AuditCase, levels: Sequence[int] = LEVELS) -> int:
    """Count the items of some levels that a text covers with probability `COVERED` or more."""
    return sum(items.get(item.name, 0.0) >= COVERED for item in case.items if item.level in levels)


def _coverage(host: HostRecord, case: AuditCase, mode: Mode, levels: Sequence[int]) -> Coverage:
    scored = [each for each in compared_answers(host, mode) if each.case == case.name and each.items]
    counts = sorted(covered_items(each.items, case, levels) for each in scored)
    total = sum(item.level in levels for item in case.items)
    if not counts:
        return Coverage(host.label, case.name, None, 0, 0, total, 0)
    return Coverage(host.label, case.name, counts[(len(counts) - 1) // 2], counts[0], counts[-1], total, len(counts))
