"""Files of an audit: its page, its record and its advice, in a folder of its own."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path

from sweeps.audits.advice.files import write_advice
from sweeps.audits.record import AuditRecord, read_record
from sweeps.audits.report.data import AuditReport
from sweeps.audits.report.page import render_audit
from sweeps.errors import ConfigError, SweepError
from sweeps.ledger.ledger import Ledger
from sweeps.workspace.workspace import Workspace

LAST = "last"
"""`--against last`: the newest finished audit of this workspace that has one of the hosts."""

PAGE, RECORD, ADVICE = "audit.html", "audit.json", "advice"


def write_files(report: AuditReport, workspace: Workspace, *, warn: Callable[[str], object]) -> Path:
    """Write page, record and advice, and return their folder.

    Args:
        report: The audit.
        workspace: Where audits land.
        warn: Gets a message for each part of the page that fails and is left out.

    Raises:
        SweepError: If they cannot be written.
    """
    record = report.record
    taken = max((host.taken for host in record.hosts), default="")
    name = "-".join(filter(None, [re.sub(r"[^\w.]+", "-", record.model).strip("-"), re.sub(r"\D", "", taken[:16])]))
    folder = workspace.audits / name
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / PAGE).write_text(render_audit(report, warn=warn), encoding="utf-8")
        (folder / RECORD).write_text(record.to_json(), encoding="utf-8")
    except OSError as error:
        raise SweepError(f"{folder} cannot be written: {error.strerror}; choose another --mlruns") from None
    write_advice(record, folder / ADVICE)
    return folder


def earlier_audit(named: str, workspace: Workspace) -> Sequence[AuditRecord]:
    """Return the earlier audits that a text names: a file, or `last` for all of a workspace, the newest first.

    Raises:
        SweepError: If the file cannot be read, or the workspace has no finished audit.
    """
    if named != LAST:
        return [read_record(Path(named))]
    records: list[AuditRecord] = []
    if workspace.has_ledger:
        ledger = Ledger(workspace.ledger)
        try:
            records = [AuditRecord.model_validate_json(text) for _, text in ledger.audits.finished()]
        finally:
            ledger.close()
    if not records:
        raise ConfigError(f"--against {LAST}: {workspace.folder} has no finished audit; run `sweeps audit` once first")
    return records


def matching(earlier: Sequence[AuditRecord], now: AuditRecord) -> AuditRecord:
    """Return the newest earlier audit that has one of the hosts, with the same model.

    Raises:
        ConfigError: If there is none.
    """
    found = [each for each in earlier if each.model == now.model and set(each.labels) & set(now.labels)]
    if not found:
        had = "; ".join(dict.fromkeys(f"{each.model} on {', '.join(each.labels)}" for each in earlier))
        raise ConfigError(f"--against: no audit of {now.model} on {', '.join(now.labels)} (there is: {had})")
    return found[0]
