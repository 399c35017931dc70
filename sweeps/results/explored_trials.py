"""Optuna's trials of a study, made from the ledger's observations, and written to Optuna's storage again."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from analysis import PRIOR_NOISE_SD
from sweeps.results.result import SweepResult
from sweeps.scoring.growing_table import RunningOffsets
from sweeps.scoring.rows import BASELINE_TRIAL
from sweeps.search.trial import TrialResult
from sweeps.search.trial_scores import penalised, trial_result
from sweeps.search.trial_store import StoredTrials, frozen_trial, readable_errors, replace_stored_study

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial


class Explored:
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
    return explored_trials(result, Explored(result))


def explored_trials(result: SweepResult, explored: Explored) -> list[FrozenTrial]:
    """Return what `trials_of` returns, from rows that the caller has put in order already."""
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


def write_trials(result: SweepResult, *, missing: bool = True) -> None:
    """Write a study's trials to Optuna's storage again, from the ledger; further trials of the storage stay.

    Args:
        result: The study.
        missing: Also write trials that the storage lacks, and make a storage that is not there.

    Raises:
        SweepError: If the storage cannot be used.
    """
    import optuna

    url = result.workspace.trials_url
    wanted = {int(trial.user_attrs["number"]): trial for trial in trials_of(result)}
    if not missing:
        with readable_errors(url):
            if not wanted or result.name not in optuna.get_all_study_names(url):
                return
    stored = StoredTrials(result.name, url)
    with readable_errors(url):
        found = {int(trial.user_attrs["number"]): trial for trial in stored.study.get_trials()}
    every = found | {number: trial for number, trial in wanted.items() if missing or number in found}
    replace_stored_study(result.name, url, [every[number] for number in sorted(every)])
