"""A record without anything that could name a person or a machine, for pages and tracking servers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

from sweeps.addresses import scrub
from sweeps.audits.record import AuditRecord

_PATH = re.compile(r"(?<![\w/:.])(?:~|/(?!api\b|v1\b)[^\s/:;,'\"]+)(?:/[^\s/:;,'\"]+)+")
_DRIVE = re.compile(r"(?<!\w)[A-Za-z]:\\[^\s:;,'\"]+")
_ADDRESS = re.compile(
    r"[A-Za-z][A-Za-z0-9+.-]*://[^\s,;'\"]+"
    r"|(?<![\w.])\d{1,3}(?:\.\d{1,3}){3}(?::\d+)?(?![\w.])"
    r"|(?<![\w.])[\w-]+\.(?:local|lan|home)\b(?::\d+)?"
)


def without_private(record: AuditRecord) -> AuditRecord:
    """Return a record whose facts and reasons hold no address, no path, no user's name and no home directory.

    Texts of the model stay as they are: pages do not show them.
    """
    hosts = tuple(
        host.model_copy(
            update={
                "fingerprint": _facts(host.fingerprint),
                "not_done": tuple(each.model_copy(update={"reason": _text(each.reason)}) for each in host.not_done),
            }
        )
        for host in record.hosts
    )
    bisections = tuple(each.model_copy(update={"why": _text(each.why)}) for each in record.bisections)
    absent = {label: _text(reason) for label, reason in record.absent.items()}
    return record.model_copy(update={"hosts": hosts, "bisections": bisections, "absent": absent})


def _facts(value: Any) -> Any:
    """Clean facts; values under `api` are paths of the API, and versions with dots are no addresses."""
    if isinstance(value, Mapping):
        return {key: entry if key == "api" else _facts(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [_facts(entry) for entry in value]
    return _PATH.sub(_last, scrub(value)) if isinstance(value, str) else value


def _text(text: str) -> str:
    return _DRIVE.sub(_last, _PATH.sub(_last, _ADDRESS.sub("(an address)", text)))


def _last(found: re.Match[str]) -> str:
    return PurePosixPath(found.group().replace("\\", "/")).name
