"""Optuna's trials of a study, against the ledger."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from analysis import PRIOR_NOISE_SD
from sweeps.errors import SweepError
from sweeps.results.result import SweepResult
from sweeps.scoring.rows import BASELINE_TRIAL
from sweeps.search.explorer import frozen_trial
from sweeps.search.trial_scores import penalised, trial_result
from sweeps.search.trial_store import StoredTrials, readable_errors, replace_stored_study
from sweeps.workspace.sqlite_files import DamagedStoreError

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

_SAME = 1e-9


def trials_of(result: SweepResult) -> list[FrozenTrial]:
    """Return the explored trials that a study's observations give, as Optuna's storage keeps them.

    A trial that lies outside the space by now, or repeats an earlier configuration, has none.
    """
    config, cases = result.config, [case.name for case in result.cases]
    floor = [row for row in result.rows if row["stage"] == "floor" and row["trial"] == BASELINE_TRIAL]
    noise_sd = trial_result(floor, cases).noise_sd or PRIOR_NOISE_SD
    explored = defaultdict(list)
    for row in result.rows:
        if row["stage"] == "explore":
            explored[row["trial"]].append(row)
    trials, known = [], set[str]()
    for proposal in result.proposals:
        is_inside = set(proposal.params) <= set(config.space.distributions())  # the space may have lost an option since
        params = proposal.params if is_inside else config.space.params_of(proposal.configuration)
        rows = explored.get(proposal.number)
        if params is None or not rows or proposal.configuration.key in known:
            continue
        known.add(proposal.configuration.key)
        found = penalised(trial_result(rows, cases, noise_sd), rows, config.constraints)
        trials.append(frozen_trial(config.space, params, found, proposal.configuration, proposal.number))
    return trials


def difference(result: SweepResult) -> str:
    """Return what Optuna's storage lacks or has otherwise; "" where it agrees with the ledger.

    Values are compared where each trial has all cases: with some of them, a value depends on how hard the cases were
    thought to be when it was stored.

    Raises:
        SweepError: If the storage cannot be used.
    """
    import optuna

    wanted = {int(trial.user_attrs["number"]): trial for trial in trials_of(result)}
    storage = result.workspace.trials_url
    with readable_errors(storage):
        if result.name not in optuna.get_all_study_names(storage):
            return "" if not wanted else f"the study is missing, with its {len(wanted)} trials"
        stored = optuna.load_study(study_name=result.name, storage=storage).get_trials(deepcopy=False)
        found = {int(trial.user_attrs["number"]): trial for trial in stored}
    if missing := sorted(set(wanted) - set(found)):
        return f"{len(missing)} of {len(wanted)} trials are missing"
    numbers = [number for number, trial in wanted.items() if _differs(found[number], trial, result.plan.parts == 1)]
    return f"{len(numbers)} of {len(wanted)} trials have other options or scores" if numbers else ""


def contradictions(file: Path) -> str:
    """Return what keeps Optuna from reading the trials of a file whose pages are whole; "" for nothing."""
    import optuna

    url = f"sqlite:///{file}"
    try:
        with readable_errors(url):
            for name in optuna.get_all_study_names(url):
                optuna.load_study(study_name=name, storage=url).get_trials(deepcopy=False)
    except DamagedStoreError as error:
        return error.reason
    except SweepError:  # locked, say: the check of a study tells
        return ""
    return ""


def mend(result: SweepResult) -> None:
    """Write a study's trials to Optuna's storage again, from the ledger; further trials of the storage stay."""
    wanted = {int(trial.user_attrs["number"]): trial for trial in trials_of(result)}
    stored = StoredTrials(result.name, result.workspace.trials_url)  # makes a missing storage
    with readable_errors(result.workspace.trials_url):
        found = {int(trial.user_attrs["number"]): trial for trial in stored.study.get_trials()}
    every = found | wanted
    replace_stored_study(result.name, result.workspace.trials_url, [every[number] for number in sorted(every)])


def _differs(stored: FrozenTrial, wanted: FrozenTrial, with_values: bool) -> bool:
    if stored.params != wanted.params or stored.state != wanted.state:
        return True
    return with_values and not _close(stored.values or (), wanted.values or ())


def _close(some: Sequence[float], others: Sequence[float]) -> bool:
    return len(some) == len(others) and all(map(lambda a, b: math.isclose(a, b, abs_tol=_SAME), some, others))
