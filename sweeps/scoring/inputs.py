"""Cases and objective of a configuration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from analysis.comparison.claim import FEWEST_CASES
from objectives import Case, CaseError, ModelAccess, Objective, ObjectiveError, load_cases, make_objective
from objectives.case_files import shipped_sets
from objectives.coverage import ScoreKind
from objectives.custom import Scoring, as_objective
from objectives.permission import HOW, permitted
from sweeps.config.names import fault
from sweeps.config.sweep_config import SweepConfig
from sweeps.errors import ConfigError

SCORE_BEFORE: ScoreKind = "counted"
"""The score of studies from before `objective.score`."""


def stored_score(identity: Mapping[str, Any]) -> ScoreKind:
    """Return how a study adds up its items, from its identity."""
    found: ScoreKind = identity.get("objective.score", SCORE_BEFORE)
    return found


def with_stored_score(config: SweepConfig, identity: Mapping[str, Any] | None) -> SweepConfig:
    """Return the configuration with the score of the study that it goes on with, unless the file names one."""
    if identity is None or "score" in config.objective.model_fields_set:
        return config
    score = stored_score(identity)
    if score == config.objective.score:
        return config
    return replace(config, objective=config.objective.model_copy(update={"score": score}))


def cases_of(config: SweepConfig) -> list[Case]:
    """Load the cases of a sweep from its files.

    Raises:
        CaseError: If they cannot be read.
        ConfigError: If they read logs elsewhere, and nobody permitted it.
    """
    table = config.objective
    if table.allow_outside_logs:
        what = f"read logs outside the folder of the rubrics that {Path(config.cases_path).resolve()} has"
        if not permitted(what):
            place = f"{config.path or '<text>'}: objective.allow_outside_logs"
            raise ConfigError(f"{place} = true: would {what}. If they are yours, {HOW}")
    return load_cases(config.cases_path, names=table.names, allow_outside_logs=table.allow_outside_logs)


def load_inputs(
    config: SweepConfig,
    models: ModelAccess | None = None,
    *,
    cases: Sequence[Case] | None = None,
    objective: Objective | Scoring | None = None,
) -> tuple[list[Case], Objective]:
    """Load the cases and the objective of a sweep.

    Args:
        config: The configuration.
        models: Access to models for the objective's matcher.
        cases: Cases to use instead of the configuration's.
        objective: An objective to use instead of the configuration's; a callable `(case, text) -> score` is wrapped.

    Raises:
        ConfigError: With all problems of both.
    """
    table = config.objective
    where = config.path or "<text>"
    problems: list[str] = []
    try:
        cases = cases_of(config) if cases is None else cases
    except CaseError as error:
        nowhere = config.cases_path not in shipped_sets() and not Path(config.cases_path).exists()
        problems.append(f"{where}: objective.cases: {error}" if nowhere else str(error))
    if cases is not None and not (cases and all(isinstance(case, Case) for case in cases)):
        problems.append(f"Sweep(cases={cases!r}): must be a list with at least one Case; read a folder with load_cases")
        cases = None
    problems += [f"case {case.name!r}: its name {wrong}" for case in cases or () if (wrong := fault(case.name))]
    found: Objective | None = None
    place = f"{where}: objective." if objective is None else "Sweep(objective=...): "
    try:
        if objective is None:
            spec = table.model_dump(exclude={"cases", "names", "allow_outside_logs", "reasoning"}, exclude_none=True)
            found = make_objective(spec, models=models, directory=config.directory)
        else:
            found = as_objective(objective)
    except ObjectiveError as error:
        problems += [f"{place}{line}" for line in str(error).splitlines()]
    if config.verdict.claim == "new-cases" and cases is not None and len(cases) < FEWEST_CASES:
        problems.append(
            f'{where}: verdict.claim: "new-cases" takes at least {FEWEST_CASES} cases, and there are {len(cases)}: name'
            ' more (objective.cases, objective.names), or claim "these-cases"'
        )
    if problems or found is None or cases is None:
        raise ConfigError(problems)
    return list(cases), found
