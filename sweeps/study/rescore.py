"""New scores of a study after a change of rubrics, weights or matcher, without generating; old scores are kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from objectives import Case, CaseError, ModelAccess, Objective, ObjectiveError, load_cases, make_objective
from objectives.custom import Scoring, as_objective
from sweeps.config.sweep_config import SweepConfig
from sweeps.errors import ConfigError, SweepError
from sweeps.hosts.sweep_hosts import engine_specs
from sweeps.ledger.ledger import Ledger, at_work
from sweeps.ledger.records import generation_of, now
from sweeps.ledger.study_record import PastScoring, StoredStudy
from sweeps.results.case_records import case_record
from sweeps.results.explored_trials import write_trials
from sweeps.results.reader import open_existing, read_result, result_of
from sweeps.scoring.engine_models import EngineModels
from sweeps.scoring.inputs import stored_score
from sweeps.scoring.scorer import UNSCORED, Scored, Scorer, UnscorableError, case_digest
from sweeps.study.identity import identity_of
from sweeps.workspace.study_lock import RESCORE, study_lock
from sweeps.workspace.workspace import Workspace

if TYPE_CHECKING:
    import pandas as pd

    from sweeps.results.result import SweepResult


@dataclass(frozen=True)
class Rescoring:
    """A study under its old and its new scores.

    Attributes:
        old: The study as it was scored before.
        new: The study as it is scored now.
        changed: Number of observations whose score changed.
    """

    old: SweepResult
    new: SweepResult
    changed: int

    @property
    def verdict_changed(self) -> bool:
        """Whether the outcome of the verdict changed."""
        before, after = self.old.verdict, self.new.verdict
        return (before.outcome if before else None) != (after.outcome if after else None)

    def means(self) -> pd.DataFrame:
        """Mean scores per configuration before and after, shape (configurations, 3): `old`, `new`, `change`."""
        import pandas as pd

        old, new = (r.observations.groupby("configuration")["score"].mean() for r in (self.old, self.new))
        table = pd.DataFrame({"old": old, "new": new})
        return table.assign(change=table["new"] - table["old"])


def rescore_study(
    mlruns: str | Path | Workspace = "mlruns",
    name: str | None = None,
    *,
    cases: str | None = None,
    settings: Mapping[str, Any] | None = None,
    objective: Objective | Scoring | None = None,
    reset: bool = False,
    keep: bool = True,
    warn: Callable[[str], object] = lambda _: None,
    directory: str | Path | Workspace | None = None,
    cases_path: str | None = None,
) -> Rescoring:
    """Score every text of a study by the current cases and settings.

    With `keep`, report, note, plots, tables, exports and the study's runs in MLflow are written again. Exports of a
    verdict that no longer holds are removed. The trials in Optuna's storage get the new scores.

    Args:
        mlruns: The folder of the ledger, its URL, or a workspace.
        name: The study; by default the last one.
        cases: Where the cases are; by default where they were.
        settings: Keys of `[objective]` to change, such as `weights`; the others stay as an earlier rescoring left them.
        objective: Score by this objective or callable; needed for a study that ran with `Sweep(objective=...)`.
        reset: Go back to the `[objective]` of the file that the study was made with, before `settings` are applied.
        keep: Make the new scores the study's own; the old ones stay in the ledger. Otherwise nothing is written.
        warn: Called with a message for each part that could not be updated.
        directory: The former name of `mlruns`.
        cases_path: The former name of `cases`.

    Raises:
        StudyBusyError: If the study is being run, or scored again.
        ConfigError: If cases or settings are wrong.
        SweepError: If a case of the study is gone, or its log is another one (its texts answer the old log); if it was
            scored by an objective that no settings describe, and none is given.
    """
    from sweeps.tracking.replay import bring_up_to_date

    if objective is not None and (settings or reset):
        raise ConfigError("settings and reset change the [objective] of a study's file: leave them out with objective")
    workspace = Workspace.at(mlruns if directory is None else directory)
    where = cases_path if cases is None else cases
    ledger = open_existing(workspace)
    try:
        name = _name_of(ledger, name, workspace)
        with ExitStack() as stack:
            if keep:
                stack.enter_context(at_work(workspace, ledger, name, RESCORE, warn=warn))
            elif not workspace.is_shared:
                stack.enter_context(study_lock(workspace, name, RESCORE, warn=lambda _: None))
            old = read_result(ledger, name, workspace)
            current = _cases_for(old, where or old.stored.record.cases_path)
            with EngineModels(engine_specs(old.config)[0]) as models:
                scoring = _scoring_for(old, settings or {}, objective, models, reset=reset)
                done = _rescored(ledger, old, current, scoring, keep=keep)
            if keep:
                bring_up_to_date(done.new, warn)
                try:
                    write_trials(done.new, missing=False)
                except SweepError as error:
                    warn(f"Optuna's trials have the previous scores: {error}")
            if lost := sum(row["error"].startswith(UNSCORED) for row in done.new.rows):
                warn(f"{lost} of {len(done.new.rows)} texts could not be scored and count as missing")
            return done
    finally:
        ledger.close()


def _name_of(ledger: Ledger, name: str | None, workspace: Workspace) -> str:
    """Return the name of a study in the ledger; by default of the last one."""
    names = [study.name for study in ledger.studies.all()]
    if name in names or (name is None and names):
        return name or names[0]
    return read_result(ledger, name, workspace).name  # its error lists the studies


@dataclass(frozen=True)
class _Scoring:
    """An objective, and the keys of `[objective]` that stand for it, as JSON types."""

    objective: Objective
    settings: Mapping[str, Any]


def _rescored(ledger: Ledger, old: SweepResult, cases: Sequence[Case], scoring: _Scoring, *, keep: bool) -> Rescoring:
    scorer, scores = (
        Scorer(scoring.objective, cases, ledger, scoring.settings["reasoning"]),
        dict[tuple[str, int], Scored](),
    )
    failed: dict[int, str] = {}  # a text that a model cannot judge does not stop the others
    found = [row for row in ledger.observations.of_study(old.name) if row["generation"] is not None]
    for case in cases:  # one by one, since cases with the same log share their texts
        texts = [(case.name, row["generation"], generation_of(row)) for row in found if row["case"] == case.name]
        scores |= {(case.name, number): each for number, each in scorer.score(texts, keep=keep, failed=failed).items()}
    if failed and not scores:
        raise UnscorableError(f"none of the {len(failed)} texts could be scored: {next(iter(failed.values()))}")
    if keep:
        for number, why in failed.items():
            ledger.observations.add_unscored(old.name, number, kind=UNSCORED, message=why)
    study = _with_scoring(old, cases, scoring)
    if keep:  # at once: a record and an identity that contradict each other would lock the study
        study = ledger.studies.update(old.name, lambda _: study.record, identity=study.identity)
    new = result_of(ledger, study if keep else replace(study, tried=True), old.workspace, scores)
    pairs = zip(old.observations["score"], new.observations["score"], strict=True)
    changed = sum(a != b for a, b in pairs if not (a != a and b != b))
    return Rescoring(old, new, changed)


def _with_scoring(old: SweepResult, cases: Sequence[Case], scoring: _Scoring) -> StoredStudy:
    """The study with record and identity under another scoring."""
    objective, kept = scoring.objective, old.stored.record
    fresh = kept.confirm_seed is not None or bool(kept.looks) or kept.confirmed is not None
    record = replace(
        kept,
        cases=tuple(case_record(case) for case in cases),
        case_digests={case.name: case_digest(case) for case in cases},
        objective_digest=objective.digest,
        scorings=(*kept.scorings, PastScoring(kept.scoring, now(), fresh)),
        # Each look keeps the scores that it was based on.
        looks=tuple(replace(look, scoring=look.scoring or kept.scoring) for look in kept.looks),
        # The belief by the new scores is computed when the study goes on.
        priors={} if kept.confirmed is None else kept.priors,
    )
    # All other settings stay as the study was made with, also where this version has other defaults.
    changed = {
        key: value
        for key, value in identity_of(old.config, cases, objective).items()
        if key.startswith(("case ", "objective."))
    }
    changed |= {f"objective.{key}": value for key, value in scoring.settings.items()}
    return replace(old.stored, identity={**old.stored.identity, **changed}, record=record)


def _cases_for(result: SweepResult, path: str) -> Sequence[Case]:
    """The study's cases as they are now, with the logs that the texts were written from."""
    try:
        names = [case.name for case in result.cases]
        # Wherever a log lies: below, only the very logs are taken that the study's texts were written from.
        cases = load_cases(path, names=names, allow_outside_logs=True)
    except CaseError as error:
        raise ConfigError(str(error)) from None
    logs = {case.name: case.log_sha256 for case in result.cases}
    other = [case.name for case in cases if case.log_sha256 != logs[case.name]]
    if other:
        raise SweepError(
            f"{path}: the log of {', '.join(other)} differs from the log that study {result.name!r} summarised, so its"
            " texts cannot be scored by it; put the old log back, or run the sweep again under another study.name"
        )
    return cases


def _scoring_for(
    result: SweepResult,
    changes: Mapping[str, Any],
    given: Objective | Scoring | None,
    models: ModelAccess,
    *,
    reset: bool,
) -> _Scoring:
    """Return the objective and the settings to score a study by.

    Raises:
        ConfigError: If the settings are wrong.
        SweepError: If it was scored by an objective that its settings do not describe, and none is given.
    """
    identity = result.stored.identity
    settings = result.config.objective.model_dump(exclude={"cases", "names", "allow_outside_logs"})
    if reset:
        settings["reasoning"] = SweepConfig.from_text(result.stored.config).objective.reasoning
    else:
        settings["score"] = stored_score(identity)
        settings |= {key: identity[f"objective.{key}"] for key in settings if f"objective.{key}" in identity}
    if given is not None:
        try:
            return _Scoring(as_objective(given), settings)
        except ObjectiveError as error:
            raise ConfigError(f"rescore_study(objective=...): {error}") from None
    if not reset:
        _refuse_unknown(result, _made(result, settings, models))
    settings |= changes
    return _Scoring(_made(result, settings, models), settings)


def _refuse_unknown(result: SweepResult, described: Objective) -> None:
    """Refuse to replace an objective that the study's settings do not describe by the described one.

    The same settings of an earlier version are described. A function that the settings name
    (`kind = "module:attribute"`) is used as it is now: its edit is the reason to score again.
    """
    identity, name = result.stored.identity, result.name
    scored_by = identity.get("objective.digest", result.stored.record.objective_digest)
    known = {described.digest, *getattr(described, "former_digests", ())}
    if scored_by in known or ":" in str(identity.get("objective.kind", "")):
        return
    raise SweepError(
        f"study {name!r} was scored by an objective (digest {scored_by}) that its [objective] (digest"
        f" {described.digest}) does not describe. It was given as Sweep(objective=...), or belongs to another version"
        " of this program. To score by an objective of your own, run in Python:"
        f" sweeps.rescore_study(mlruns, {name!r}, objective=...). To score by the [objective] of its file instead,"
        f" run: sweeps rescore {name} --reset"
    )


def _made(result: SweepResult, settings: Mapping[str, Any], models: ModelAccess) -> Objective:
    spec = {key: value for key, value in settings.items() if value is not None and key != "reasoning"}
    try:
        return make_objective(spec, models=models, directory=result.stored.record.base)
    except ObjectiveError as error:
        raise ConfigError([f"objective.{line}" for line in str(error).splitlines()]) from None
