"""Score a study anew after a change of rubrics, weights or matcher: no generation, and the old scores are kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from objectives import Case, CaseError, Objective, ObjectiveError, load_cases, make_objective
from sweeps.confirmation import scoring_of
from sweeps.errors import ConfigError, SweepError
from sweeps.identity import identity_of
from sweeps.ledger import Ledger
from sweeps.ledger_records import now
from sweeps.lock import RESCORE, study_lock
from sweeps.observations import Scorer, case_digest
from sweeps.reading import case_record, read_result
from sweeps.results import SweepResult

if TYPE_CHECKING:
    import pandas as pd


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
        """Whether the verdict's outcome is another one."""
        before, after = self.old.verdict, self.new.verdict
        return (before.outcome if before else None) != (after.outcome if after else None)

    def means(self) -> pd.DataFrame:
        """Mean scores per configuration before and after, shape (configurations, 3): `old`, `new`, `change`."""
        import pandas as pd

        old, new = (r.observations.groupby("configuration")["score"].mean() for r in (self.old, self.new))
        table = pd.DataFrame({"old": old, "new": new})
        return table.assign(change=table["new"] - table["old"])


def rescore_study(
    directory: Path,
    name: str | None,
    *,
    cases_path: str | None = None,
    settings: Mapping[str, Any] | None = None,
    keep: bool = True,
    warn: Callable[[str], object] = lambda _: None,
) -> Rescoring:
    """Score every text of a study by the cases as they are now.

    What is kept is also written: report, note, plots, tables and exports anew, without the exports of a verdict that no
    longer holds, and the study's runs in MLflow.

    Args:
        directory: The folder of the ledger.
        name: The study; by default the last one.
        cases_path: Where the cases are; by default where they were.
        settings: Keys of `[objective]` to change, such as `weights`.
        keep: Make the new scores the study's own. The old ones stay in the ledger either way.
        warn: Told what could not be brought up to date.

    Raises:
        StudyBusyError: If the study is being run, or scored anew.
        ConfigError: If cases or settings are wrong.
        SweepError: If a case of the study is gone, or its log is another one (its texts answer the old log).
    """
    from sweeps.logbook import bring_up_to_date
    from sweeps.reading import require_ledger

    ledger = Ledger(require_ledger(directory))
    try:
        name = _name_of(ledger, name, directory)
        with study_lock(directory, name, RESCORE, warn=warn):
            done = _rescored(ledger, read_result(ledger, name, directory), cases_path, settings or {}, keep=keep)
            if keep:
                bring_up_to_date(done.new, warn)
            return done
    finally:
        ledger.close()


def _name_of(ledger: Ledger, name: str | None, directory: Path) -> str:
    """A study that is there; by default the last one."""
    names = [study.name for study in ledger.studies()]
    if name in names or (name is None and names):
        return name or names[0]
    return read_result(ledger, name, directory).name  # tells what there is


def _rescored(
    ledger: Ledger, old: SweepResult, cases_path: str | None, settings: Mapping[str, Any], *, keep: bool
) -> Rescoring:
    cases = _cases_for(old, cases_path or old.record.record["cases_path"])
    objective = _objective_for(old, settings)
    scorer = Scorer(objective, cases, ledger)
    texts = [
        (row["case"], row["generation"], row["text"])
        for row in ledger.observations(old.name)
        if row["generation"] is not None
    ]
    scorer.score(texts)
    before = old.record
    changes: dict[str, Any] = {
        "cases": [case_record(case) for case in cases],
        "case_digests": {case.name: case_digest(case) for case in cases},
        "objective_digest": objective.digest,
        "scorings": [*before.record.get("scorings", []), {"until": now(), **scoring_of(before.record)}],
    }
    if looks := before.record.get("looks"):  # they say what was seen in the scores of then
        changes["looks"] = [{"scoring": scoring_of(before.record), **look} for look in looks]
    if "priors" in before.record and "confirmed" not in before.record:
        changes["priors"] = {}  # what the search believes in the new scores is found when the study goes on
    ledger.update_study(old.name, **changes)
    if keep:
        given = {f"objective.{key}": value for key, value in settings.items()}
        ledger.set_identity(old.name, before.identity | identity_of(old.config, cases, objective) | given)
    try:
        new = read_result(ledger, old.name, old.directory)
    finally:
        if not keep:
            restored: dict[str, Any] = {key: before.record.get(key, []) for key in changes}
            ledger.update_study(old.name, **restored)
    pairs = zip(old.observations["score"], new.observations["score"], strict=True)
    changed = sum(a != b for a, b in pairs if not (a != a and b != b))
    return Rescoring(old, new, changed)


def _cases_for(result: SweepResult, path: str) -> Sequence[Case]:
    """The study's cases as they are now, with the logs that the texts were written from."""
    try:
        cases = load_cases(path, names=[case.name for case in result.cases])
    except CaseError as error:
        raise ConfigError(str(error)) from None
    logs = {case.name: case.log_sha256 for case in result.cases}
    other = [case.name for case in cases if case.log_sha256 != logs[case.name]]
    if other:
        raise SweepError(
            f"{path}: the log of {', '.join(other)} is not the one that study {result.name!r} summarised, so its texts"
            " cannot be scored by it; put the old log back, or run the sweep anew under another study.name"
        )
    return cases


def _objective_for(result: SweepResult, settings: Mapping[str, Any]) -> Objective:
    spec = result.config.objective.model_dump(exclude={"cases", "names"}, exclude_none=True)
    try:
        file = result.record.record.get("path")
        return make_objective(spec | dict(settings), directory=None if file is None else Path(file).parent)
    except ObjectiveError as error:
        raise ConfigError([f"objective.{line}" for line in str(error).splitlines()]) from None
