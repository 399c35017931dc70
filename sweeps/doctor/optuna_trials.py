"""Optuna's trials of a study, against the ledger."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from analysis import PRIOR_NOISE_SD
from sweeps.errors import SweepError
from sweeps.results.result import SweepResult
from sweeps.scoring.growing_table import RunningOffsets
from sweeps.scoring.rows import BASELINE_TRIAL
from sweeps.search.trial import TrialResult
from sweeps.search.trial_scores import penalised, trial_result
from sweeps.search.trial_store import StoredTrials, frozen_trial, readable_errors, replace_stored_study
from sweeps.workspace.sqlite_files import DamagedStoreError

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

_SAME = 1e-9


class _Explored:
    """The rows of a study's exploration.

    Where trials have some of the cases it has the offsets of cases after each trial as well. A trial's value was
    computed with the offsets after its batch, whose end is not stored.
    """

    def __init__(self, result: SweepResult) -> None:
        self.config, self.plan = result.config, result.plan
        self.cases = [case.name for case in result.cases]
        self.floor = [row for row in result.rows if row["stage"] == "floor" and row["trial"] == BASELINE_TRIAL]
        self.noise_sd = trial_result(self.floor, self.cases).noise_sd or PRIOR_NOISE_SD
        self.rows = defaultdict(list)
        for row in result.rows:
            if row["stage"] == "explore":
                self.rows[row["trial"]].append(row)
        self._last, self._offsets = max(self.rows, default=-1), list[Mapping[str, float]]()
        self.pruned = result.stored.record.pruned
        if self.plan.is_uneven:
            growing = list(self.floor)
            running = RunningOffsets(growing)
            for number in range(self._last + 1):
                growing += self.rows.get(number, ())
                self._offsets.append(running.by_case())

    def ends(self, number: int) -> Sequence[int]:
        """The trials that may have been the last of a trial's batch; the likely one comes first."""
        size = self.config.search.batch
        likely = min((number // size + 1) * size - 1, self._last)
        return [likely, *(end for end in range(number, min(number + size, self._last + 1)) if end != likely)]

    def result_of(self, number: int, end: int) -> TrialResult:
        """The result of a trial, whose batch ended with another one."""
        rows = self.rows[number]
        first = min(row["seed"] for row in rows)
        own = [row for row in rows if row["seed"] < first + self.plan.seeds]  # a greedy set gets more cases later
        offsets = self._offsets[end] if self._offsets else None
        found = trial_result(own, self.cases, self.noise_sd, offsets=offsets)
        return penalised(replace(found, pruned=number in self.pruned), own, self.config.constraints)


def trials_of(result: SweepResult) -> list[FrozenTrial]:
    """Return the explored trials that a study's observations give, as Optuna's storage keeps them.

    A trial that lies outside the space by now, or repeats an earlier configuration, has none.
    """
    return _trials_of(result, _Explored(result))


def _trials_of(result: SweepResult, explored: _Explored) -> list[FrozenTrial]:
    config = result.config
    trials, known = [], set[str]()
    for proposal in result.proposals:
        is_inside = set(proposal.params) <= set(config.space.distributions())  # the space may have lost an option since
        params = proposal.params if is_inside else config.space.params_of(proposal.configuration)
        if params is None or proposal.number not in explored.rows or proposal.configuration.key in known:
            continue
        known.add(proposal.configuration.key)
        found = explored.result_of(proposal.number, explored.ends(proposal.number)[0])
        trials.append(frozen_trial(config.space, params, found, proposal.configuration, proposal.number))
    return trials


def difference(result: SweepResult) -> str:
    """Return what Optuna's storage lacks or has otherwise; "" where it agrees with the ledger.

    With some of the cases in each trial, a value depends on the end of its batch: a possible end must give it. Where
    several coordinators filled the batches, the scores of the cases are compared alone.

    Raises:
        SweepError: If the storage cannot be used.
    """
    import optuna

    explored = _Explored(result)
    wanted = {int(trial.user_attrs["number"]): trial for trial in _trials_of(result, explored)}
    storage = result.workspace.trials_url
    with readable_errors(storage):
        if result.name not in optuna.get_all_study_names(storage):
            return "" if not wanted else f"the study is missing, with its {len(wanted)} trials"
        stored = optuna.load_study(study_name=result.name, storage=storage).get_trials(deepcopy=False)
        found = {int(trial.user_attrs["number"]): trial for trial in stored}
    if missing := sorted(set(wanted) - set(found)):
        return f"{len(missing)} of {len(wanted)} trials are missing"
    known = result.plan.parts == 1 or not result.workspace.is_shared
    # The value of a pruned trial depends on repeats of other sets, whose batches are not stored.
    compared = {n: explored if known and n not in explored.pruned else None for n in wanted}
    numbers = [n for n, trial in wanted.items() if _differs(found[n], trial, n, compared[n])]
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


def _differs(stored: FrozenTrial, wanted: FrozenTrial, number: int, explored: _Explored | None) -> bool:
    """Whether a stored trial has other options or scores; its value is compared if `explored` is given."""
    if stored.params != wanted.params or stored.state != wanted.state:
        return True
    scores = [trial.user_attrs.get("case_scores") for trial in (stored, wanted)]
    if scores[0] is not None and not _close(*scores):
        return True
    if explored is None or _close(stored.values, wanted.values):
        return False
    others = explored.ends(number)[1:] if explored.plan.parts > 1 else ()
    return not any(_close(stored.values, [explored.result_of(number, end).value]) for end in others)


def _close(some: Sequence[float | None] | None, others: Sequence[float | None] | None) -> bool:
    some, others = some or (), others or ()
    return len(some) == len(others) and all(map(_same, some, others))


def _same(one: float | None, other: float | None) -> bool:
    return one is other or (one is not None and other is not None and math.isclose(one, other, abs_tol=_SAME))
