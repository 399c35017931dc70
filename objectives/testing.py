"""A conformance check for user-defined objectives."""

from __future__ import annotations

import math

from objectives.case import LEVELS, Case, Item
from objectives.coverage import Objective, Score

SAMPLE = Case(
    name="sample",
    log="Ana: the deploy failed at 14:30 because the disk was full.\nBen: I freed 20 GB and deployed again. All green.",
    items=(
        Item("cause", "The deploy failed because the disk was full.", 1),
        Item("fix", "Ben freed 20 GB and deployed again.", 2),
        Item("time", "The deploy failed at 14:30.", 4),
    ),
)
"""The default case of `check_objective`."""
TEXTS = (
    "",
    " \n",
    "The deploy failed because the disk was full; Ben freed 20 GB and deployed again.",
    "ディスクがいっぱいでデプロイに失敗した。🙂",
    "word " * 2000,
)


def check_objective(objective: object, cases: tuple[Case, ...] = (SAMPLE,), *, deterministic: bool = True) -> None:
    """Assert that an objective keeps the contract of `objectives.coverage.Objective`.

    Name and digest are strings that do not change. Every score is a `Score` in [0, 1], also for empty, very long and
    non-Latin text; its counts and ids belong to the case. The same input gives the same score.

    Args:
        objective: The objective.
        cases: Cases to score, at least one.
        deterministic: Pass False for objectives that ask a model.

    Raises:
        AssertionError: On the first violation, with the case and the text.
    """
    assert isinstance(objective, Objective), f"{objective!r} lacks name, digest or score(case, text)"
    assert objective.name, "name is empty"
    assert isinstance(objective.name, str), "name is no string"
    assert isinstance(objective.digest, str), "digest is no string"
    before = objective.digest
    for case in cases:
        for text in (*TEXTS, case.log):
            first = objective.score(case, text)
            _check_score(first, case, text)
            if deterministic:
                again = objective.score(case, text).score
                assert again == first.score, f"case {case.name!r}: {text[:40]!r} scored {first.score} and then {again}"
    assert objective.digest == before, "digest changed while scoring"


def _check_score(score: Score, case: Case, text: str) -> None:
    where = f"case {case.name!r}, text {text[:40]!r}"
    assert isinstance(score, Score), f"{where}: score() returned {type(score).__name__}, not Score"
    assert math.isfinite(score.score), f"{where}: score is {score.score}"
    assert 0 <= score.score <= 1, f"{where}: score {score.score} is outside [0, 1]"
    ids = {item.id for item in case.items}
    strange = {*score.covered, *score.missed, *score.forbidden} - ids
    assert not strange, f"{where}: ids {sorted(strange)} are not in the case"
    assert not set(score.covered) & set(score.missed), f"{where}: an item is both covered and missed"
    assert score.words >= 0, f"{where}: words is {score.words}"
    for level, (covered, total) in score.levels.items():
        assert level in LEVELS, f"{where}: level {level} is outside 1..5"
        assert 0 <= covered <= total, f"{where}: level {level} has {covered} of {total}"
    for name, value in score.side.items():
        assert isinstance(value, int | float), f"{where}: side metric {name!r} is {value!r}, not a number"
