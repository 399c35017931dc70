"""Differences between fingerprints."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from sweeps.fingerprints.fingerprint import Fingerprint, diff, in_digest, readable


def fingerprints_from(record: Mapping[str, Any]) -> dict[str, Fingerprint]:
    """The inverse of `host_record`."""
    return {model: Fingerprint.from_json(json.dumps(facts)) for model, facts in record.items()}


UNKNOWN = "not recorded"


def fingerprint_changes(old: Mapping[str, Fingerprint], new: Mapping[str, Fingerprint], host: str = "") -> list[str]:
    """What differs between fingerprints of the same models, of what their digests are made of; [] if nothing does."""
    lines = []
    for model in dict.fromkeys([*old, *new]):
        if model not in old or model not in new:
            lines.append(f"model {model}: {'is new' if model in new else 'is gone'}")
        elif old[model].digest != new[model].digest:
            lines += [
                f"{change.field}: was {readable(change.a) or UNKNOWN}, is {readable(change.b) or UNKNOWN}"
                for change in diff(old[model], new[model])
                if in_digest(change.field)
            ]
    return [f"{host}: {line}" if host else line for line in lines]
