"""Tables computed from a record."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sweeps.audits.record import AuditRecord

if TYPE_CHECKING:
    import pandas as pd


def experiments_table(record: AuditRecord) -> pd.DataFrame:
    """Return a row per experiment."""
    from sweeps.audits.effects import effects_table

    return effects_table(record)
