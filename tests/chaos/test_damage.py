"""Damaged files: after `sweeps doctor --fix` the same command ends with what the undisturbed sweep has."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from sweeps.doctor.doctor import examine
from sweeps.workspace.workspace import Workspace
from tests.chaos.harness import Undisturbed, at, die, disturbed, nothing, write
from tests.chaos.state import differences, state_of
from tests.marks import long
from tests.sweeps.forks import needs_fork
from tests.sweeps.ledger.test_damage import flip

pytestmark = [needs_fork, pytest.mark.timeout(1800), pytest.mark.slow]

OF_STAGE = "id IN (SELECT generation FROM observations WHERE stage = '{}')"


def halve(name: str, mlruns: Path) -> None:
    """Cut a file, as a full disk or a copy that was not finished does."""
    file = mlruns / name
    for log in (mlruns / f"{name}-wal", mlruns / f"{name}-shm"):
        log.unlink(missing_ok=True)
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def flip_texts(stage: str, mlruns: Path) -> None:
    flip(mlruns / "ledger.db", "generations", "text", OF_STAGE.format(stage))


DAMAGES = {
    "a text of the floor": partial(flip_texts, "floor"),
    "a text of explore": partial(flip_texts, "explore"),
    "half of mlflow.db": partial(halve, "mlflow.db"),
    "half of optuna.db": partial(halve, "optuna.db"),
}


def mend(mlruns: Path) -> None:
    """Do what `sweeps doctor --fix` does."""
    list(examine(Workspace(mlruns), fix=True))


@pytest.mark.parametrize(
    ("damage", "after"),
    [long(damage, after) for damage in DAMAGES for after in ("confirm", "")],
)
def test_damaged_files(damage: str, after: str, tmp_path: Path, whole: Callable[[bool], Undisturbed]) -> None:
    right = whole(False)
    path, mlruns = write(tmp_path), tmp_path / "mlruns"
    fault = at(after, right.moment(after, 0), die) if after else nothing
    assert disturbed(path, fault).how == ("killed" if after else "done")
    DAMAGES[damage](mlruns)
    ending = disturbed(path, before=partial(mend, mlruns))
    assert (ending.how, ending.warnings) == ("done", ()), ending
    for file in mlruns.glob("*.damaged-*"):
        file.unlink()
    found = differences(state_of(mlruns), right.state)
    if damage == "half of mlflow.db":  # a run made again has the newest means, and none of those before a later stage
        assert all(each.startswith("lost: metrics ") for each in found), found
        found = [each for each in found if " score " in each]
    assert found == []
