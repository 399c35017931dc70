"""Objectives from the tables of a configuration."""

from __future__ import annotations

import pytest

from objectives import CoverageObjective, ObjectiveError, make_objective


def test_factory_builds_what_it_is_told() -> None:
    objective = make_objective(
        {"weights": {"1": 9, "2": 1, "3": 1, "4": 1, "5": 1}, "threshold": 0.7, "budget_words": 50}
    )
    assert isinstance(objective, CoverageObjective)
    assert (objective.weights[1], objective.budget_words, objective.matcher.threshold) == (9, 50, 0.7)
    assert make_objective().digest == make_objective({"name": "coverage", "matcher": {"kind": "lexical"}}).digest
    judge = make_objective({"matcher": {"kind": "judge", "model": "m", "votes": 5}})
    assert judge.matcher.votes == 5
    assert make_objective({"matcher": {"kind": "embedding", "model": "m"}}).matcher.name == "embedding"


def test_factory_lists_every_problem() -> None:
    with pytest.raises(ObjectiveError) as caught:
        make_objective(
            {"weigths": 1, "weights": [1], "budget_words": 0, "threshold": 2, "matcher": "lexicle", "kind": "x"}
        )
    text = str(caught.value)
    for part in ("'weights'?", "weights = [1]", "budget_words = 0", "threshold = 2", "'lexical'?", "kind = 'x'"):
        assert part in text
    assert len(text.splitlines()) == 6


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"matcher": {"kind": "judge"}}, "needs model"),
        ({"matcher": {"kind": "judge", "model": "m", "votes": 0}}, "votes = 0"),
        ({"matcher": {"kind": "embedding", "gguf": "no/such.gguf"}}, "no such file|xllamacpp"),
        ({"matcher": {"kind": "embedding", "model": "m", "slop": 3}}, "'slope'?"),
        ({"matcher": 3}, "matcher = 3"),
        ({"kind": "no_such_module:f"}, "was not found"),
        ({"kind": "math:no_such"}, "has no 'no_such'"),
        ({"kind": "math:pi"}, "must be a callable"),
    ],
)
def test_factory_refuses(spec: dict, message: str) -> None:
    with pytest.raises(ObjectiveError, match=message):
        make_objective(spec)
