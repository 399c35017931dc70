"""Files of an audit: its page, its record and its advice, in a folder of its own."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from analysis.export.files import write_together
from sweeps.audits.advice.files import write_advice
from sweeps.audits.report.data import AuditReport
from sweeps.audits.report.page import render_audit
from sweeps.errors import SweepError
from sweeps.workspace.workspace import Workspace

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
        write_together({folder / RECORD: record.to_json()}, private=True)
    except OSError as error:
        raise SweepError(f"{folder} cannot be written: {error.strerror}; choose another --mlruns") from None
    write_advice(record, folder / ADVICE)
    return folder
