"""The identity of a study, and the message where a run does not match it."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from objectives import Case, Objective
from sweeps.config.mappings import without_passwords
from sweeps.config.sweep_config import SweepConfig
from sweeps.errors import ConfigError
from sweeps.fingerprints.changes import fingerprint_changes, fingerprints_from
from sweeps.ledger.ledger import Ledger
from sweeps.ledger.study_record import StoredStudy
from sweeps.scoring.scorer import case_digest

if TYPE_CHECKING:
    from sweeps.hosts.host import Host


class StudyChangedError(ConfigError):
    """The stored study was made with another configuration, other cases, another model or another host."""


_FORMER = {"budget.cases_per_trial": "auto", "budget.confirm_share": 0.25}
"""Values in older studies of settings that came later or have another default today. A study goes on with its plan if
its file does not name the setting."""


def identity_of(config: SweepConfig, cases: Sequence[Case], objective: Objective) -> dict[str, Any]:
    """Return everything that a study's observations and verdict depend on, as flat JSON types."""
    identity = {
        **config.identity(),
        "objective.digest": objective.digest,
        **{f"case {case.name}": case_digest(case) for case in cases},
    }
    return dict(json.loads(json.dumps(identity)))


def refuse_changes(
    stored: StoredStudy, identity: Mapping[str, Any], hosts: Sequence[Host], ledger: Ledger, config: SweepConfig
) -> None:
    """Refuse to continue a study with other settings, cases, models or hosts.

    Args:
        stored: The study.
        identity: Identity of the run.
        hosts: Hosts of the run.
        ledger: The ledger of the study.
        config: Configuration of the run. Settings that its file does not name may have had other defaults.

    Raises:
        StudyChangedError: If anything differs; the message lists all differences and a free name for a new study.
    """
    identity = without_passwords(identity)
    known = {**_FORMER, **without_passwords(stored.identity)}  # older versions kept passwords of hosts
    for key, value in _FORMER.items():
        table, name = key.split(".")
        if known[key] == value and name not in getattr(config, table).model_fields_set:
            known[key] = identity[key]
    lines = [
        f"{key}: stored {_short(known.get(key))}, now {_short(identity.get(key))}"
        for key in dict.fromkeys([*known, *identity])
        if known.get(key) != identity.get(key)
    ]
    records = list(stored.record.hosts.values())  # one host may have another address now
    for host in hosts:
        kept = records[0] if len(hosts) == len(records) == 1 else stored.record.hosts.get(host.name)
        if kept is not None and host.fingerprints:
            name = host.name if len(hosts) > 1 else ""
            lines += fingerprint_changes(fingerprints_from(kept), host.fingerprints, name)
    if not lines:
        return
    only_scoring = all(line.startswith(("case ", "objective.")) for line in lines)
    version = [line.startswith("objective.digest") for line in lines] == [True] and ":" not in str(
        known["objective.kind"]
    )
    rescore = f"sweeps rescore {stored.name}{_options_for(known, identity)}"
    raise StudyChangedError(
        [f"study {stored.name!r} exists with other settings:"]
        + [f"  {line}" for line in lines]
        + (["This version of the program scores texts in another way."] if version else [])
        + [f"To start afresh give the sweep another study.name, such as {_free_name(stored.name, ledger)!r};"]
        + ["to go on with the stored study put the old values back."]
        + ([f"To score its texts again, without generating: {rescore}"] if only_scoring else [])
    )


def _options_for(known: Mapping[str, Any], identity: Mapping[str, Any]) -> str:
    """Options for `sweeps rescore`; without them it reuses the previous settings."""
    options = ""
    for name, flag in (("weights", "--weights"), ("budget_words", "--budget-words"), ("threshold", "--threshold")):
        value = identity.get(f"objective.{name}")
        if value is not None and value != known.get(f"objective.{name}"):
            options += f" {flag} {','.join(map(str, value)) if isinstance(value, list) else value}"
    return options


def _short(value: object) -> str:
    text = "(not set)" if value is None else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else f"{text[:40]} ... {text[-12:]}"


def _free_name(name: str, ledger: Ledger) -> str:
    taken = {study.name for study in ledger.studies.all()}
    return next(new for i in itertools.count(2) if (new := f"{name}-{i}") not in taken)
