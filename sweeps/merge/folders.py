"""Folders of sweeps from several machines, merged into one."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from sweeps.config.tables import NAME_PATTERN
from sweeps.errors import SweepError
from sweeps.ledger.existing import open_existing
from sweeps.ledger.ledger import Ledger, at_work, opened_ledger
from sweeps.ledger.study_record import StoredStudy
from sweeps.results.reader import config_as_run
from sweeps.search.trial_store import copy_stored_study
from sweeps.tracking.replay import track_study
from sweeps.workspace.study_lock import RESCORE
from sweeps.workspace.workspace import Workspace


class StudiesDifferError(SweepError):
    """Two machines have measured different things in studies of one name."""


@dataclass(frozen=True)
class Merged:
    """What became of a study.

    Attributes:
        source: The folder it came from.
        study: Its name there.
        name: Its name in the merged folder.
        what: `added`, `updated`, or `kept` where the merged folder has everything already.
    """

    source: str
    study: str
    name: str
    what: Literal["added", "updated", "kept"]


def merge_folders(
    sources: Sequence[str | Path | Workspace],
    into: str | Path | Workspace = "mlruns",
    *,
    studies: Sequence[str] = (),
    rename: bool = False,
    tracking: bool = True,
    warn: Callable[[str], object] = lambda _: None,
) -> list[Merged]:
    """Merge the studies of several folders into one: ledger, Optuna's trials and MLflow's runs.

    Merging again changes nothing, and adds what the folders have measured since. Texts that several folders have are
    kept once.

    Args:
        sources: The folders (`mlruns` of each machine); their studies stay as they are.
        into: The folder to write, made if missing.
        studies: Only these studies, with their texts; by default all.
        rename: Name studies apart that were measured differently under one name, as `STUDY-FOLDER`; otherwise such
            studies are refused, and nothing is written.
        tracking: Whether to write MLflow's runs; studies that ran without MLflow get none.
        warn: Receiver of warnings.

    Returns:
        What became of each study.

    Raises:
        StudiesDifferError: If two machines have measured one study differently, and `rename` is not set.
        SweepError: If a folder has no ledger, or cannot be read or written.
    """
    target = Workspace.at(into)
    places = [_place_of(source) for source in sources]
    for place in places:
        if place.folder.resolve() == target.folder.resolve() and place.storage == target.storage:
            raise SweepError(f"{place.folder}: is the folder to merge into; name the other folders only")
    done: list[Merged] = []
    with ExitStack() as stack:
        ledgers = []
        for place in places:
            ledgers.append(open_existing(place))
            stack.callback(ledgers[-1].close)
        ledger = stack.enter_context(opened_ledger(target))
        if not rename:
            _refuse_differing(places, ledgers, ledger, studies)
        for place, source in zip(places, ledgers, strict=True):
            done += _merge_one(place, source, target, ledger, studies=studies, rename=rename, warn=warn)
    for name in dict.fromkeys(each.name for each in done if each.what != "kept"):
        if tracking:
            _track(target, name, warn)
    return done


def _place_of(place: str | Path | Workspace) -> Workspace:
    """Return a workspace; a folder means its own ledger, whatever the environment says."""
    if isinstance(place, Workspace) or "://" in str(place):
        return Workspace.at(place)
    return Workspace(Path(place))


def _refuse_differing(
    places: Sequence[Workspace], ledgers: Sequence[Ledger], target: Ledger, studies: Sequence[str]
) -> None:
    """Refuse studies of one name that differ, among the folders and with the target, before anything is written."""
    differing = []
    seen = [("the merged folder", target)]
    for place, source in zip(places, ledgers, strict=True):
        for study in _readable(source):
            if studies and study.name not in studies:
                continue
            for label, other in seen:
                there = _study_of(other, study.name)
                if there is not None and _standing(source, study, other, there) == "differs":
                    differing.append(f"{study.name!r} of {_label(place)} and of {label}")
        seen.append((_label(place), source))
    if differing:
        raise StudiesDifferError(
            f"measured differently under one name: {'; '.join(differing)}; name them apart with --rename"
        )


def _merge_one(
    place: Workspace,
    source: Ledger,
    target: Workspace,
    ledger: Ledger,
    *,
    studies: Sequence[str],
    rename: bool,
    warn: Callable[[str], object],
) -> list[Merged]:
    done, wanted, names, configs = [], [], dict[str, str](), dict[str, str]()
    for study in source.studies.all():
        if studies and study.name not in studies:
            continue
        if study.damage:
            warn(f"study {study.name!r} of {place.folder} cannot be read ({study.damage}), and is left out")
            continue
        name, what = _name_for(source, study, ledger, place, rename=rename)
        done.append(Merged(str(place.folder), study.name, name, what))
        if what != "kept":
            wanted.append(study)
            names[study.name], configs[study.name] = name, _config_of(study, name)
    with ExitStack() as stack:
        for name in names.values():
            stack.enter_context(at_work(target, ledger, name, RESCORE, warn=warn))
        source.copying(ledger).copy(wanted, names, configs, alone=bool(studies))
    for study in wanted:
        copy_stored_study(study.name, place.trials_url, names[study.name], target.trials_url)
    return done


def _name_for(
    source: Ledger, study: StoredStudy, target: Ledger, place: Workspace, *, rename: bool
) -> tuple[str, Literal["added", "updated", "kept"]]:
    """A study's name in the target, and what is to be done with it."""
    name = study.name
    tries = [name, *(_apart(name, place, number) for number in range(1, 1000))] if rename else [name]
    for candidate in tries:
        there = _study_of(target, candidate)
        if there is None:
            return candidate, "added"
        standing = _standing(source, study, target, there)
        if standing != "differs":
            return candidate, standing
    raise StudiesDifferError(f"study {name!r} of {place.folder} differs; name it apart with --rename")


def _standing(
    source: Ledger, study: StoredStudy, target: Ledger, there: StoredStudy
) -> Literal["updated", "kept", "differs"]:
    """Whether a study of the source goes on where the target's one is, or behind it, or is another one."""
    if study.created != there.created:
        return "differs"
    copying = source.copying(target)
    new, old = copying.observed("source", study.name), copying.observed("target", there.name)
    if new <= old:
        newer = study.updated > there.updated and new == old
        return "updated" if newer else "kept"
    return "updated" if old < new else "differs"


def _apart(name: str, place: Workspace, number: int) -> str:
    """A name for a study of a folder: `STUDY-FOLDER`, the folder of `mlruns` where it is called so."""
    label = re.sub(r"[^A-Za-z0-9._-]", "-", _label(place)).strip("-") or "copy"
    made = f"{name}-{label}" + (f"-{number}" if number > 1 else "")
    return made if re.match(NAME_PATTERN, made) else made[-100:].lstrip("._-")


def _label(place: Workspace) -> str:
    folder = place.folder.resolve()
    return folder.parent.name if folder.name == "mlruns" else folder.name


def _config_of(study: StoredStudy, name: str) -> str:
    """A study's TOML text under its name in the target."""
    if name == study.name:
        return study.config
    return config_as_run(study).with_(study={"name": name}).stored_text


def _readable(ledger: Ledger) -> list[StoredStudy]:
    return [study for study in ledger.studies.all() if not study.damage]


def _study_of(ledger: Ledger, name: str) -> StoredStudy | None:
    return next((study for study in _readable(ledger) if study.name == name), None)


def _track(target: Workspace, name: str, warn: Callable[[str], object]) -> None:
    """Write a merged study's runs, unless it ran without MLflow."""
    try:
        track_study(target, name, warn=warn, only_if_tracked=True)
    except SweepError as error:
        warn(f"{error}. To write the runs of {name!r} later: sweeps track {name}")
