"""Optuna's trials of a study, against the ledger."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from sweeps.errors import SweepError
from sweeps.results.explored_trials import Explored, explored_trials
from sweeps.results.result import SweepResult
from sweeps.search.trial_store import readable_errors
from sweeps.workspace.sqlite_files import DamagedStoreError

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

_SAME = 1e-9


def difference(result: SweepResult) -> str:
    """Return what Optuna's storage lacks or has otherwise; "" where it agrees with the ledger.

    With some of the cases in each trial, a value depends on the end of its batch: a possible end must give it. Where
    several coordinators filled the batches, the scores of the cases are compared alone.

    Raises:
        SweepError: If the storage cannot be used.
    """
    import optuna

    explored = Explored(result)
    wanted = {int(trial.user_attrs["number"]): trial for trial in explored_trials(result, explored)}
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


def _differs(stored: FrozenTrial, wanted: FrozenTrial, number: int, explored: Explored | None) -> bool:
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
