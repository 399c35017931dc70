"""Sweeps with an objective from Python: `Sweep(config, objective=...)`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from objectives import Case, Objective, Score
from sweeps.errors import ConfigError, SweepError
from sweeps.study.rescore import rescore_study
from tests.sweeps.sweep_files import run, write_sweep

pytestmark = pytest.mark.usefixtures("no_report")


def by_length(case: Case, text: str) -> float:
    return min(1.0, len(text) / (2 * len(case.log)))


def quick(folder: Path) -> Path:
    return write_sweep(folder, search={"probe": False})


def test_a_callable_scores_and_the_study_goes_on_with_it(tmp_path: Path) -> None:
    path = quick(tmp_path)
    result = run(path, objective=by_length)
    logs = {case.name: case.log for case in result.cases}
    texts = result.texts
    assert list(texts["score"]) == [
        min(1.0, len(text) / (2 * len(logs[case]))) for case, text in zip(texts["case"], texts["text"], strict=True)
    ]
    again = run(path, objective=by_length)
    assert again.stored.identity == result.stored.identity
    with pytest.raises(ConfigError, match="exists with other settings"):
        run(path, objective=lambda case, text: 0.5)


def test_a_callable_scores_a_kept_study(tmp_path: Path) -> None:
    run(quick(tmp_path))
    done = rescore_study(tmp_path / "mlruns", "t", objective=by_length)
    assert done.changed > 0
    assert list(done.new.observations["score"]) != list(done.old.observations["score"])
    with pytest.raises(ConfigError, match=r"rescore_study\(objective=\.\.\.\): 'rouge': must be a callable"):
        rescore_study(tmp_path / "mlruns", "t", objective="rouge")  # type: ignore[arg-type]


class Half:
    name, digest = "half", "1"

    def score(self, case: Case, text: str) -> Score:
        return Score(0.5)


def test_an_objective_object_scores(tmp_path: Path) -> None:
    own: Objective = Half()
    assert set(run(quick(tmp_path), objective=own).observations["score"]) == {0.5}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (0.5, r"^Sweep\(objective=\.\.\.\): 0\.5: must be a callable \(case, text\) -> score, or an objective$"),
        (Half, r"^Sweep\(objective=\.\.\.\): Half: is a class; give an objective made from it: Half\(\.\.\.\)$"),
    ],
)
def test_what_is_no_objective_is_refused(tmp_path: Path, given: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        run(quick(tmp_path), objective=given)


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda case, text: "good", "objective '<lambda>' returned 'good' for case 'c1': return a number"),
        (lambda case, text: 3, "objective '<lambda>' returned 3.0 for case 'c1': scores lie in"),
        (
            lambda case, text: {}["gold"],
            r"objective '<lambda>' failed for case 'c1' \(KeyError: 'gold', test_objective",
        ),
    ],
)
def test_a_wrong_score_is_an_error_that_scripts_catch(tmp_path: Path, function: Any, message: str) -> None:
    with pytest.raises(SweepError, match=message):
        run(quick(tmp_path), objective=function)
