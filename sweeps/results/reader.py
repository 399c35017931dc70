"""Reader of studies: a result from the ledger, without engine or case files."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from objectives import Case
from sweeps.budget.detectable_gain import KnownFloor
from sweeps.budget.plan import Plan
from sweeps.config.narrowed_space import Narrowing
from sweeps.config.sweep_config import SweepConfig
from sweeps.errors import ConfigError, SweepError
from sweeps.hosts.baseline import config_as_begun
from sweeps.ledger.existing import StudyMissingError as StudyMissingError
from sweeps.ledger.existing import open_existing as open_existing
from sweeps.ledger.existing import stored_study
from sweeps.ledger.ledger import Ledger
from sweeps.ledger.study_record import COMPARISON, StoredStudy, StudyUnreadableError
from sweeps.results.case_records import case_from_record
from sweeps.results.kept_answers import KeptAnswer, KeptAnswers, Packer
from sweeps.scoring.answers import KEEP
from sweeps.scoring.rows import BASELINE_TRIAL, answer_row, item_texts, observation_row
from sweeps.scoring.scorer import Scored
from sweeps.scoring.stored_answers import stored_answers
from sweeps.search.trial import Proposal, stored_proposals
from sweeps.workspace.workspace import Workspace

if TYPE_CHECKING:  # a result imports pandas and scipy, which takes seconds
    from sweeps.results.result import SweepResult


def load_result(
    mlruns: str | Path | Workspace = "mlruns",
    name: str | None = None,
    *,
    directory: str | Path | Workspace | None = None,
) -> SweepResult:
    """Open a study from its folder.

    Args:
        mlruns: The folder of the ledger, its URL, or a workspace.
        name: The study; by default the last one that changed.
        directory: The former name of `mlruns`.

    Raises:
        StudyMissingError: If there is no such study, or no ledger.
    """
    workspace = Workspace.at(mlruns if directory is None else directory)
    ledger = open_existing(workspace)
    try:
        return read_result(ledger, name, workspace)
    finally:
        ledger.close()


def load_confirmed(mlruns: str | Path | Workspace = "mlruns", name: str | None = None) -> SweepResult:
    """As `load_result`, for a verdict: a study that has one comes without the observations of its search."""
    workspace = Workspace.at(mlruns)
    ledger = open_existing(workspace)
    try:
        study = stored_study(ledger, name)
        is_confirmed = not study.damage and study.record.confirmed is not None and study.record.finalists
        return read_result(ledger, study.name, workspace, stages=["floor", "confirm"] if is_confirmed else None)
    finally:
        ledger.close()


def measured_floor(ledger: Ledger, identity: Mapping[str, Any], workspace: Workspace) -> KnownFloor | None:
    """The noise floor of the last study with the same baseline, prompt, engine, cases and objective, or None.

    Args:
        ledger: The ledger.
        identity: Everything that the results depend on (`sweeps.study.identity.identity_of`).
        workspace: Where the study is.
    """
    same = ("baseline.", "case ", "objective.", "engine.kind", "engine.options")
    prompt = f"prompts.{identity['baseline.prompt']}"
    wanted = {key: value for key, value in identity.items() if key.startswith(same) or key == prompt}
    for study in ledger.studies.all():
        if any(study.identity.get(key) != value for key, value in wanted.items()):
            continue
        try:
            floor = result_of(ledger, study, workspace, stages=["floor"]).floor
        except (SweepError, LookupError, TypeError, ValueError):
            continue  # the floor of an unreadable study is not needed
        if floor is not None:
            return KnownFloor(floor, study.name)
    return None


def read_result(
    ledger: Ledger, name: str | None, workspace: Workspace, *, stages: Iterable[str] | None = None
) -> SweepResult:
    """As `load_result`, from an open ledger; `stages` as for `result_of`.

    Raises:
        StudyMissingError: If there is no such study.
        StudyUnreadableError: If its record is damaged, or of another version.
    """
    record = stored_study(ledger, name)
    with _readable(ledger, record):
        return result_of(ledger, record, workspace, stages=stages)


@contextmanager
def _readable(ledger: Ledger, study: StoredStudy) -> Iterator[None]:
    """Turn errors in a study's record into a message for users."""
    if study.damage:
        raise StudyUnreadableError(study.name, ledger.url, study.damage)
    try:
        yield
    except (ConfigError, LookupError, AttributeError, TypeError, ValueError) as error:
        raise StudyUnreadableError(study.name, ledger.url, f"{type(error).__name__}: {error}") from error


def require_readable(ledger: Ledger, study: StoredStudy) -> None:
    """Check that a study can be read, before anything is generated for it.

    Raises:
        StudyUnreadableError: If its record is damaged, or of another version.
    """
    with _readable(ledger, study):
        _parts_of(ledger, study)
        study.record.hosts.values()


def config_as_run(study: StoredStudy) -> SweepConfig:
    """Return a study's configuration as it was run: with its baseline, and the space that was searched.

    Variables of the reading process change nothing.
    """
    config = config_as_scored(config_as_begun(study), study)
    config = config.as_comparison() if study.record.kind == COMPARISON else config
    return Narrowing.from_record(study.record.narrowing).apply(config)


def config_as_scored(config: SweepConfig, study: StoredStudy) -> SweepConfig:
    """Return a configuration with the study's own `objective.reasoning`: older versions always kept reasoning."""
    reasoning = study.identity.get("objective.reasoning", KEEP)
    return replace(config, objective=config.objective.model_copy(update={"reasoning": reasoning}))


def result_of(
    ledger: Ledger,
    study: StoredStudy,
    workspace: Workspace,
    scores: Mapping[tuple[str, int], Scored] | None = None,
    *,
    stages: Iterable[str] | None = None,
    rows: Sequence[Mapping[str, Any]] | None = None,
) -> SweepResult:
    """The result of a study whose record may differ from the ledger's, as in a dry run of a rescore.

    Args:
        ledger: The ledger, which has its observations.
        study: The study.
        workspace: Where the study is.
        scores: Scores of its texts by case and number of the generation; by default the ledger's.
        stages: Only observations of these stages, as if the study had no others; all by default.
        rows: Its rows, where the caller has them all; by default they are read.
    """
    from sweeps.results.result import SweepResult

    config, cases, proposals = _parts_of(ledger, study)
    trials = {BASELINE_TRIAL: config.baseline} | {each.number: each.configuration for each in proposals}
    reasoning, wanted = config.objective.reasoning, None if stages is None else tuple(stages)
    rows = (
        rows
        if rows is not None
        else [
            observation_row(study.name, place, trials[place.trial], entry, scored, error, reasoning=reasoning)
            for place, entry, scored, error in stored_answers(ledger, study, reasoning, wanted, scores)
        ]
    )
    known = {row["generation"] for row in rows if not row["error"]}
    items = {case.name: item_texts(case) for case in cases}

    there = replace(workspace, folder=workspace.folder.absolute())  # the process may have another folder by then

    def texts(only: Collection[str] | None) -> list[KeptAnswer]:
        of = None if only is None else [number for number, each in trials.items() if each.key in only]
        again, packer = open_existing(there), Packer(items)
        try:
            return [
                packer.pack(
                    answer_row(place, trials[place.trial], entry, scored, items[place.case], reasoning=reasoning)
                )
                for place, entry, scored, _ in stored_answers(again, study, reasoning, wanted, scores, trials=of)
                if entry is not None and scored is not None and entry.id in known
            ]
        finally:
            again.close()

    return SweepResult(study, config, cases, rows, KeptAnswers(texts), proposals, workspace)


def _parts_of(ledger: Ledger, study: StoredStudy) -> tuple[SweepConfig, list[Case], list[Proposal]]:
    """A study's configuration as it was run, its cases, and its proposals."""
    config, record = config_as_run(study), study.record
    Plan.from_record(record.plan)  # fails here rather than later, in a result
    cases = [case_from_record(case) for case in record.cases]
    return config, cases, stored_proposals(ledger, study.name)
