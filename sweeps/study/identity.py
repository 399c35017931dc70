"""The identity of a study, and the message where a run does not match it."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from analysis.formatting import option_text
from objectives import Case, Objective
from sweeps.budget.raised import LIMITS, is_lowered, is_raised
from sweeps.config.mappings import without_passwords
from sweeps.config.narrowed_space import TooLarge
from sweeps.config.sweep_config import SweepConfig
from sweeps.errors import ConfigError
from sweeps.fingerprints.changes import fingerprint_changes, fingerprints_from
from sweeps.ledger.ledger import Ledger
from sweeps.ledger.study_record import COMPARISON, StoredStudy
from sweeps.scoring.inputs import SCORE_BEFORE
from sweeps.scoring.scorer import case_digest
from sweeps.search.trial import stored_proposals

if TYPE_CHECKING:
    from sweeps.hosts.host import Host


class StudyChangedError(ConfigError):
    """The stored study was made with another configuration, other cases, another model or another host."""


_AUDIT = "To see whether texts and quality changed with the host: sweeps audit FILE --against last"

_FORMER = {
    "budget.cases_per_trial": "auto",
    "budget.confirm_share": 0.25,
    "confirm.looks": 2,
    "confirm.runoff": 1,
    "objective.reasoning": "keep",
    "search.first": [],
    "objective.score": SCORE_BEFORE,
    "search.earlier_scores": False,
    "search.prune": False,
    "search.start": "near",
}
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
    stored: StoredStudy,
    identity: Mapping[str, Any],
    hosts: Sequence[Host],
    ledger: Ledger,
    config: SweepConfig,
    cases: Sequence[Case],
) -> None:
    """Refuse to continue a study with other settings, cases, models or hosts.

    A larger budget (`budget.raised.is_raised`) is no such change until the confirmation has begun. Where several
    coordinators can work on the study, each may have hosts of its own.

    Args:
        stored: The study.
        identity: Identity of the run.
        hosts: Hosts of the run.
        ledger: The ledger of the study.
        config: Configuration of the run. Settings that its file does not name may have had other defaults.
        cases: Cases of the run.

    Raises:
        StudyChangedError: If anything differs; the message lists all differences and a free name for a new study.
    """
    identity = without_passwords(identity)
    known = _known(stored, identity, config)
    if ledger.is_shared:
        known, identity = ({key: each[key] for key in each if key != "engine.hosts"} for each in (known, identity))
    if stored.record.kind != (COMPARISON if config.is_comparison else None):
        raise StudyChangedError(_other_kind(stored, ledger, config))
    changed = [key for key in dict.fromkeys([*known, *identity]) if known.get(key) != identity.get(key)]
    same_log = _with_same_log(stored, cases)
    lines = [_difference(key, known.get(key), identity.get(key), same_log) for key in changed]
    of_hosts = _host_changes(stored, hosts, shared=ledger.is_shared)
    lines += of_hosts
    if not lines:
        return
    if len(lines) == len(changed) and set(changed) <= set(LIMITS):
        if is_raised(known, identity):
            _refuse_late_budget(stored, lines, ledger)
            return
        if is_lowered(known, identity):
            raise StudyChangedError(_lowered(stored, changed, known, identity, ledger))
    only_scoring = not of_hosts and all(key.startswith("objective.") or key in same_log for key in changed)
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
        + ([_AUDIT] if of_hosts else [])
        + ([f"To score its texts again, without generating: {rescore}"] if only_scoring else [])
    )


def _known(stored: StoredStudy, identity: Mapping[str, Any], config: SweepConfig) -> dict[str, Any]:
    """Return a study's identity, with the former values of settings that neither it nor the file names."""
    known: dict[str, Any] = {**_FORMER, **without_passwords(stored.identity)}  # older versions kept passwords of hosts
    for key, value in _FORMER.items():
        table, name = key.split(".")
        if key not in identity:  # a comparison does not use it
            known.pop(key)
        elif known[key] == value and name not in getattr(config, table).model_fields_set:
            known[key] = identity[key]
    return known


def _host_changes(stored: StoredStudy, hosts: Sequence[Host], *, shared: bool) -> list[str]:
    """Describe hosts that differ from those that the study began with; in a shared study a new name is a new host."""
    lines: list[str] = []
    records = list(stored.record.hosts.values())  # one host may have another address now
    for host in hosts:
        kept = stored.record.hosts.get(host.name)
        if len(hosts) == len(records) == 1 and not shared:
            kept = records[0]
        if kept is not None and host.fingerprints:
            name = host.label if len(hosts) > 1 else ""
            lines += fingerprint_changes(fingerprints_from(kept), host.fingerprints, name)
    return lines


def _other_kind(stored: StoredStudy, ledger: Ledger, config: SweepConfig) -> list[str]:
    """Return the message for a search under the name of a comparison, or the reverse."""
    made, wanted = ("a search", "comparison") if config.is_comparison else ("a comparison", "search")
    command = "run" if config.is_comparison else "compare"
    return [
        f"study {stored.name!r} is {made} (made by: sweeps {command}), and cannot become a {wanted}.",
        f"Give the {wanted} another study.name, such as {_free_name(stored.name, ledger)!r}: texts that both need are"
        " reused.",
    ]


def _refuse_late_budget(stored: StoredStudy, lines: Sequence[str], ledger: Ledger) -> None:
    """Refuse a larger budget once the confirmation has begun: its looks were planned for the smaller one.

    Raises:
        StudyChangedError: If it has begun; the message says what a new study would reuse.
    """
    record, free = stored.record, _free_name(stored.name, ledger)
    if not _is_late(stored, ledger):
        return
    rows = ledger.observations.of_study(stored.name)
    made = {stage: sum(row["stage"] == stage for row in rows) for stage in ("floor", "explore")}
    reused = f"the floor's {made['floor']} texts"
    if made["explore"]:
        reused += f", and of the {made['explore']} texts of the search those of trials that it proposes again"
    if record.confirmed is None:
        state = "its confirmation has begun, whose looks were planned for the budget of before"
        remedy = ["Put the old value back to finish it, or start a new study:"]
    else:
        state = "it has its verdict, and more data would be another look at it, which p does not allow for"
        remedy = [
            "For a larger comparison start a new study:" if record.kind else "For a larger sweep start a new study:"
        ]
    raise StudyChangedError(
        [f"study {stored.name!r} cannot get a larger budget any more: {state}."]
        + [f"  {line}" for line in lines]
        + remedy
        + [f"  [study] name = {free!r}", f"It reuses {reused}; its verdict comes from fresh seeds."]
    )


def _is_late(stored: StoredStudy, ledger: Ledger) -> bool:
    """Whether a study's confirmation has begun."""
    return stored.record.confirmed is not None or ledger.observations.count_by_stage(stored.name).get("confirm", 0) > 0


def _lowered(
    stored: StoredStudy, changed: Sequence[str], known: Mapping[str, Any], identity: Mapping[str, Any], ledger: Ledger
) -> list[str]:
    """Return the message for a budget that is smaller than before."""
    made = ledger.observations.count(stored.name)
    or_raise = "" if _is_late(stored, ledger) else ", or raise it"
    lines = [f"  {key}: {identity.get(key)}, below the {known.get(key)} that it was planned with" for key in changed]
    return [
        f"study {stored.name!r} cannot get a smaller budget; it has {made} generations so far:",
        *lines,
        f"Put the old value back{or_raise}. A smaller sweep needs another study.name, such as"
        f" {_free_name(stored.name, ledger)!r}: texts that it needs again are reused.",
    ]


def refuse_confirmed(dropped: Sequence[TooLarge], stored: StoredStudy, ledger: Ledger) -> None:
    """Refuse to drop a value of a trial that was chosen for the confirmation.

    Raises:
        ConfigError: With the value and the trial.
    """
    proposals = stored_proposals(ledger, stored.name) if dropped else []
    for number in stored.record.finalists or () if dropped else ():
        configuration = proposals[number].configuration
        for each in dropped:
            if configuration.values.get(each.name) == each.value:
                value = option_text(each.value)
                raise ConfigError(
                    f"--drop {each.name}={value}: trial {number}, which is compared with the baseline, has it;"
                    " leave the value in, or use another study.name"
                )


def _with_same_log(stored: StoredStudy, cases: Sequence[Case]) -> set[str]:
    """Return the keys of the cases that have the stored log: where such a case differs, its rubric does."""
    logs = {case["name"]: case.get("log") for case in stored.record.cases}
    return {f"case {case.name}" for case in cases if logs.get(case.name) == case.log}


def _difference(key: str, old: object, new: object, same_log: set[str]) -> str:
    """Describe a setting that differs; of a case whether it is the log or the rubric, since a digest tells nobody."""
    if not key.startswith("case ") or old is None or new is None:
        return f"{key}: stored {_short(old)}, now {_short(new)}"
    return f"{key}: its {'rubric' if key in same_log else 'log'} is another one now"


_RESCORE_FLAGS = {
    "weights": "--weights",
    "budget_words": "--budget-words",
    "threshold": "--threshold",
    "reasoning": "--reasoning",
    "score": "--score",
}


def _options_for(known: Mapping[str, Any], identity: Mapping[str, Any]) -> str:
    """Options for `sweeps rescore`; without them it reuses the previous settings."""
    options = ""
    for name, flag in _RESCORE_FLAGS.items():
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
