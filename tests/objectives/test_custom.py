"""Callables as objectives."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from objectives import Case, FunctionObjective, ObjectiveError, Score, make_objective
from objectives.testing import SAMPLE, check_objective
from tests.objectives.test_coverage import PLAIN


def length_objective(case: Case, text: str) -> float:
    return min(1.0, len(text) / 1000)


def test_functions_are_objectives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    check_objective(FunctionObjective(length_objective))
    (tmp_path / "own_objective.py").write_text("def half(case, text):\n    return 0.5\n")
    monkeypatch.syspath_prepend(tmp_path)
    objective = make_objective({"kind": "own_objective:half"})
    assert (objective.name, objective.score(SAMPLE, "x").score) == ("half", 0.5)
    check_objective(objective)


def weighed(share: float, case: Case, text: str) -> float:
    return share * length_objective(case, text)


def made(share: float, note: object = None) -> Callable[[Case, str], float]:
    def inner(case: Case, text: str) -> float:
        return weighed(share, case, str(note) + text)

    return inner


def test_the_digest_of_a_function_tells_its_settings_apart() -> None:
    def digest(function: Callable[[Case, str], float]) -> str:
        return FunctionObjective(function).digest

    assert digest(made(0.5)) == digest(made(0.5)) != digest(made(0.6))
    assert digest(made(0.5, object())) == digest(made(0.5, object()))  # no address
    assert digest(partial(weighed, 0.5)) == digest(partial(weighed, 0.5)) != digest(partial(weighed, 0.6))
    assert digest(partial(weighed, 0.5)) != digest(partial(made, 0.5))
    # Of a plain function the digest is that of name and source, as in studies of every earlier version.
    source = inspect.getsource(length_objective)
    name = f"{__name__}.length_objective"
    assert digest(length_objective) == hashlib.sha256(f"{name}\n{source}".encode()).hexdigest()[:12]


@pytest.mark.parametrize("value", [1.5, -0.1, float("nan"), "much", None, Score(2.0)])
def test_functions_that_return_nonsense(value: object) -> None:
    with pytest.raises(ObjectiveError, match="returned"):
        FunctionObjective(lambda case, text: value).score(SAMPLE, "text")


def test_rouge_example() -> None:
    pytest.importorskip("rouge_score")
    objective = make_objective({"kind": "examples.rouge_objective:rouge_recall"})
    assert objective.score(PLAIN, "x and y").score == pytest.approx(2 / 3)
