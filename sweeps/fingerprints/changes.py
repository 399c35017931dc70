"""Differences between fingerprints."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from sweeps.fingerprints.fingerprint import Fingerprint, diff, in_digest, readable


def fingerprints_from(record: Mapping[str, Any]) -> dict[str, Fingerprint]:
    """Read the fingerprints that `host_record` wrote."""
    return {model: Fingerprint.from_json(json.dumps(facts)) for model, facts in record.items()}


UNRECORDED = "not recorded"


def fingerprint_changes(old: Mapping[str, Fingerprint], new: Mapping[str, Fingerprint], host: str = "") -> list[str]:
    """Return one line for each difference, in the fields of the digest, between fingerprints of the same models."""
    lines = []
    for model in dict.fromkeys([*old, *new]):
        if model not in old or model not in new:
            lines.append(f"model {model}: {'is new' if model in new else 'is gone'}")
        elif old[model].digest != new[model].digest:
            lines += [
                f"{change.field}: was {readable(change.a) or UNRECORDED}, is {readable(change.b) or UNRECORDED}"
                for change in diff(old[model], new[model])
                if in_digest(change.field)
            ]
    return [f"{host}: {line}" if host else line for line in lines]
