"""Earlier studies about the same thing: their finalists as sets to try first, and their names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from sweeps.config.candidates import FirstSet
from sweeps.config.sweep_config import SweepConfig
from sweeps.fingerprints.changes import fingerprints_from
from sweeps.hosts.host import Host
from sweeps.ledger.ledger import Ledger
from sweeps.ledger.study_record import StoredStudy
from sweeps.search.trial import stored_proposals

EARLIER = "earlier finalist"
MOST = 3
"""Largest number of sets from earlier studies, and of studies whose scores count."""


def earlier_sets(
    config: SweepConfig, identity: Mapping[str, Any], ledger: Ledger, hosts: Sequence[Host]
) -> list[FirstSet]:
    """The finalists of the latest studies with the same model, prompt, cases, objective and kind of engine.

    Only those that were shown worse are left out. A confirmation takes seeds that the ledger does not have. So the new
    study's verdict on such a set does not rest on the texts by which it was chosen.

    Args:
        config: The sweep, with its whole baseline.
        identity: Its identity (`sweeps.study.identity.identity_of`).
        ledger: The ledger.
        hosts: The sweep's hosts.
    """
    found: dict[str, FirstSet] = {}
    for study in _alike(config, identity, ledger, hosts):
        if len(found) == MOST:
            break
        if (study.record.judged or {}).get("verdict") == "worse":
            continue
        for values in _finalists(study, ledger):
            number = f" {len(found) + 1}" if found else ""
            changed = {name: value for name, value in values.items() if config.baseline.values.get(name) != value}
            text = str(sorted(changed.items()))
            if changed and text not in found and len(found) < MOST:
                found[text] = FirstSet(f"{EARLIER}{number}", changed, f"the finalist of study {study.name!r}")
    return list(found.values())


def earlier_names(
    config: SweepConfig, identity: Mapping[str, Any], ledger: Ledger, hosts: Sequence[Host]
) -> tuple[str, ...]:
    """The names of the latest studies whose scores tell about the same surface; arguments as for `earlier_sets`."""
    return tuple(study.name for study in islice(_alike(config, identity, ledger, hosts), MOST))


def _alike(
    config: SweepConfig, identity: Mapping[str, Any], ledger: Ledger, hosts: Sequence[Host]
) -> Iterator[StoredStudy]:
    """Yield the other studies of the same model for the same thing whose search has ended, the latest first."""
    digests = {
        fingerprint.model_digest
        for host in hosts
        for model, fingerprint in host.fingerprints.items()
        if model == config.baseline.model
    }
    for study in ledger.studies.all():
        if study.name != config.study.name and _is_alike(study, config, identity, digests):
            yield study


def _finalists(study: StoredStudy, ledger: Ledger) -> Iterator[Mapping[str, Any]]:
    """Yield the settings of a study's finalists; a study whose proposals are damaged has none."""
    try:
        proposals = stored_proposals(ledger, study.name)
        yield from [proposals[number].configuration.values for number in study.record.finalists or ()]
    except (ValueError, LookupError, TypeError, AttributeError):
        return


def _is_alike(study: StoredStudy, config: SweepConfig, identity: Mapping[str, Any], digests: set[str]) -> bool:
    """Whether a study was a search of the same model for the same thing."""
    if study.damage or study.record.kind is not None or not study.record.finalists:
        return False
    prompt = f"prompts.{config.baseline.prompt}"
    same = {key for key in (*identity, *study.identity) if key.startswith(("case ", "objective."))}
    if any(study.identity.get(key) != identity.get(key) for key in (*same, prompt, "engine.kind")):
        return False
    fingerprints = [fingerprints_from(record) for record in study.record.hosts.values()]
    return bool(digests & {each[name].model_digest for each in fingerprints for name in each})
