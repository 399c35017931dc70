"""The result of an audit: its record, and everything computed from it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from sweeps.audits.record import AuditRecord
from sweeps.errors import SweepError

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Audit:
    """An audit. Tables are computed when they are first asked for.

    Attributes:
        record: What was sent and what came back.
    """

    record: AuditRecord

    @cached_property
    def experiments(self) -> pd.DataFrame:
        """A row per experiment, arm, host and mode: identical texts with interval, and the effect on coverage."""
        from sweeps.audits.analyse import experiments_table

        return experiments_table(self.record)

    @cached_property
    def levels(self) -> pd.DataFrame:
        """Covered items of levels 1 and 2 by host and case, as `3/5`, a row per host and mode."""
        import pandas as pd

        from sweeps.audits.levels_table import levels_table

        tables = {mode: levels_table(self.record, mode) for mode in self.record.modes}
        return pd.concat(tables, names=["mode"])

    @cached_property
    def facts(self) -> pd.DataFrame:
        """Facts of the hosts side by side; rows that differ are marked."""
        from sweeps.audits.facts_table import facts_table

        return facts_table(self.record)

    @cached_property
    def sources(self) -> pd.DataFrame:
        """A row per source of differences: possible here, tested, effect, remedy."""
        from sweeps.audits.attribution import attribution_table

        return attribution_table(self.record)

    def write(self, path: str | Path) -> None:
        """Write the record to a file, for `--from` and `--against`.

        Raises:
            SweepError: If the file cannot be written.
        """
        try:
            Path(path).write_text(self.record.to_json(), encoding="utf-8")
        except OSError as error:
            raise SweepError(f"{path}: cannot be written ({error.strerror or error})") from None
