"""The result of an audit: its record, and everything computed from it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING

from sweeps.audits.record import AuditRecord
from sweeps.errors import SweepError

if TYPE_CHECKING:
    import pandas as pd

    from analysis.sameness.ladder import Rung
    from analysis.sameness.levels import Level
    from sweeps.audits.report.data import AuditReport


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
    def rungs(self) -> list[Rung]:
        """The tested rungs of the ladder with their full results."""
        from sweeps.audits.analyse import rungs_of

        return rungs_of(self.record)

    @cached_property
    def ladder(self) -> pd.DataFrame:
        """A row per rung from rendered prompt to quality, the first host against each other one, with own A/A."""
        from sweeps.audits.analyse import ladder_table

        return ladder_table(self.record, self.rungs)

    @cached_property
    def sameness(self) -> pd.DataFrame:
        """A row per pair of hosts, mode and level: identical, equivalent, same quality."""
        from sweeps.audits.analyse import sameness_table

        return sameness_table(self.record, self.rungs)

    @cached_property
    def advice(self) -> pd.DataFrame:
        """A row per host and setting: the value for the most reproducible run, and why."""
        import pandas as pd

        from sweeps.audits.advice.settings import advice

        rows = [
            {"host": label, "setting": each.name, "value": each.value, "why": each.why}
            for label in self.record.labels
            for each in advice(self.record, label).settings
        ]
        return pd.DataFrame(rows, columns=["host", "setting", "value", "why"])

    def unmet(self, level: Level) -> list[str]:
        """Return why hosts are not the same at a level, a sentence for each host; empty where all are the same.

        Args:
            level: `identical`, `equivalent` or `same-quality`; each includes the next.

        Raises:
            ConfigError: If there is one host only.
        """
        from sweeps.audits.analyse import unmet

        return unmet(self.record, level, self.rungs)

    @cached_property
    def levels(self) -> pd.DataFrame:
        """Covered items of levels 1 and 2 by host and case, as `3/5`, a row per host and mode."""
        import pandas as pd

        from sweeps.audits.findings.levels_table import levels_table

        tables = {mode: levels_table(self.record, mode) for mode in self.record.modes}
        return pd.concat(tables, names=["mode"])

    @cached_property
    def facts(self) -> pd.DataFrame:
        """Facts of the hosts side by side; rows that differ are marked."""
        from sweeps.audits.findings.facts_table import facts_table

        return facts_table(self.record)

    @cached_property
    def sources(self) -> pd.DataFrame:
        """A row per source of differences: possible here, tested, effect, remedy."""
        from sweeps.audits.findings.attribution import attribution_table

        return attribution_table(self.record)

    def report(self, against: AuditRecord | None = None, *, required: str = "") -> AuditReport:
        """Return the audit as it is shown.

        Args:
            against: An earlier audit; each host is then compared with itself.
            required: The level that was required of the hosts.

        Raises:
            ConfigError: If the earlier audit had another model, other cases or other options.
        """
        from sweeps.audits.findings.drift import drift
        from sweeps.audits.report.data import AuditReport

        changes = [] if against is None else drift(against, self.record)
        return AuditReport(
            self.record,
            ladder=self.ladder,
            levels=self.sameness,
            experiments=self.experiments,
            drift=changes,
            required=required,
        )

    def page(self, against: AuditRecord | None = None) -> str:
        """Return the audit as one HTML page that needs no network."""
        from sweeps.audits.report.page import render_audit

        return render_audit(self.report(against))

    def export(self, folder: str | Path) -> list[Path]:
        """Write settings, versions to pin and the policy as files, a folder per host.

        Raises:
            SweepError: If a file cannot be written.
        """
        from sweeps.audits.advice.files import write_advice

        return write_advice(self.record, Path(folder))

    def write(self, path: str | Path) -> None:
        """Write the record to a file, for `--from` and `--against`.

        Raises:
            SweepError: If the file cannot be written.
        """
        try:
            with open(path, "w", encoding="utf-8", opener=partial(os.open, mode=0o600)) as file:  # texts: for its owner
                file.write(self.record.to_json())
        except OSError as error:
            raise SweepError(f"{path}: cannot be written ({error.strerror or error})") from None
