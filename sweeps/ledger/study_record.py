"""The record of a study."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from sweeps.errors import SweepError


@dataclass(frozen=True)
class StudyRecord:
    """A study as the ledger holds it.

    Attributes:
        name: The study's name.
        identity: What its results depend on (`SweepConfig.identity` and the cases).
        config: The TOML text.
        record: Plan, fingerprint, proposals, verdict and the like, as JSON types.
        status: `running`, `stopped`, `failed` or `done`.
        created, updated: ISO times, UTC.
        damage: What keeps identity or record from being read, which then are empty; "" if nothing does.
    """

    name: str
    identity: dict[str, Any]
    config: str
    record: dict[str, Any]
    status: str
    created: str
    updated: str
    damage: str = ""


class StudyUnreadableError(SweepError):
    """What the ledger has of a study is damaged, or of another version.

    Args:
        name: The study's name.
        where: The ledger's URL.
        reason: What cannot be read.
    """

    def __init__(self, name: str, where: str, reason: str) -> None:
        super().__init__(
            f"study {name!r} in {where.removeprefix('sqlite:///')} cannot be read ({reason}): what is kept of it is"
            " damaged, or was written by another version. Its texts are kept; under another study.name its file is run"
            " anew, and has those that it asks for again"
        )


def study_of(row: Any) -> StudyRecord:
    """The study in a row of studies; one that cannot be decoded has `damage`, and keeps nobody from the others."""
    loaded: dict[str, Any] = {}
    damage = ""
    for name in ("identity", "record"):
        try:
            value = json.loads(getattr(row, name))
        except ValueError as error:
            damage, value = damage or f"its {name}: {error}", {}
        if not isinstance(value, dict):
            damage, value = damage or f"its {name} is no JSON object", {}
        loaded[name] = value
    plain = {name: getattr(row, name) for name in ("name", "config", "status", "created", "updated")}
    return StudyRecord(**loaded, **plain, damage=damage)
