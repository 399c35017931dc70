"""Data of an audit's report: the record, the comparison of its hosts, and the changes since an earlier audit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sweeps.audits.findings.drift import Drift
from sweeps.audits.findings.private import without_private
from sweeps.audits.record import AuditRecord
from sweeps.version import __version__

if TYPE_CHECKING:
    import pandas as pd

LADDER_COLUMNS = ("host_a", "host_b", "mode", "rung", "finding", "n", "p_adjusted", "sentence")
LEVEL_COLUMNS = ("host_a", "host_b", "mode", "level", "met", "n", "sentence")


def _no_rows() -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame()


@dataclass(frozen=True)
class AuditReport:
    """An audit, ready to be shown.

    Attributes:
        record: The record; addresses, paths and names of users are taken out of it.
        ladder: A row per rung of each pair of hosts, with `LADDER_COLUMNS`, and where known the `figure` with `low` and
            `high`, and the same figure of each host with itself, `own_a` and `own_b`.
        levels: A row per level of sameness of each pair of hosts, with `LEVEL_COLUMNS`, and where known `share`,
            `low`, `high` and `bound`.
        experiments: A row per experiment on a host with `host`, `experiment`, `arm`, `mode`, `effect_low` and
            `effect_high`, the interval of its effect on coverage; it may be empty.
        drift: Changes since an earlier audit, by host.
        required: The level that was required of the hosts; "" for none.
        version: Version of slm-sweeps.
    """

    record: AuditRecord
    ladder: pd.DataFrame = field(default_factory=_no_rows)
    levels: pd.DataFrame = field(default_factory=_no_rows)
    experiments: pd.DataFrame = field(default_factory=_no_rows)
    drift: Sequence[Drift] = ()
    required: str = ""
    version: str = __version__

    def __post_init__(self) -> None:
        object.__setattr__(self, "record", without_private(self.record))

    @property
    def name(self) -> str:
        """Title: the model and the hosts."""
        return f"{self.record.model} on {', '.join(self.record.labels)}"
