"""What a look decides by, taken apart: who is settled, at which look others are judged, what is outdated."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest

import analysis
from sweeps.budget.plan import Plan
from sweeps.config.tables import VerdictTable
from sweeps.ledger.study_record import Look, Scoring
from sweeps.options import Configuration
from sweeps.results.look_history import outdated
from sweeps.search.trial import Proposal
from sweeps.study import looks as confirmation
from sweeps.study.looks import take_look

BASELINE = Configuration("m", "p", {"temperature": 0.8})
ARMS = [Proposal(n, Configuration("m", "p", {"temperature": 0.1 + n / 10}), {}) for n in range(3)]
PLAN = Plan(cases=4, floor_seeds=4, seeds=2, trials=20, confirm_seeds=12, finalists=3, look_seeds=(4, 8))


def crossed(monkeypatch: pytest.MonkeyPatch, p_value: float, asked: dict[str, Any]) -> dict[str, Any]:
    """The second look, at which an arm has crossed its own boundary and has this p-value among the three."""
    decision = SimpleNamespace(stop="efficacy", sentence="crossed", effect=0.1, chance=1.0)
    design = SimpleNamespace(looks=3, decide=lambda *_, **__: decision)

    def judge(_: pd.DataFrame, **settings: Any) -> list[Any]:
        asked.update(settings)
        return [SimpleNamespace(configuration=arm.configuration.key, p_value=p_value) for arm in ARMS]

    monkeypatch.setattr(confirmation, "design_of", lambda *_, **__: design)
    monkeypatch.setattr(analysis, "judge", judge)
    return take_look(
        pd.DataFrame(),
        2,
        plan=PLAN,
        baseline=BASELINE,
        finalists=ARMS,
        going=ARMS[1:],
        before=[Look(1, 6, settled=(0,))],
        verdict=VerdictTable(alpha=0.04),
        futility=0.1,
        seed=0,
    )


@pytest.mark.parametrize(("p_value", "settled"), [(0.01, (1, 2)), (0.03, (1, 2)), (0.04, (1, 2)), (0.041, ())])
def test_a_finalist_is_settled_at_alpha_after_allowing_for_the_others(
    monkeypatch: pytest.MonkeyPatch, p_value: float, settled: tuple[int, ...]
) -> None:
    found = crossed(monkeypatch, p_value, {})
    assert found.settled == settled
    assert found.given_up == ()


def test_the_others_are_judged_where_they_stand(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that left at the first look has no more data, and must not be judged by the boundary of the second."""
    asked: dict[str, Any] = {}
    crossed(monkeypatch, 0.01, asked)
    assert asked["look"] == {ARMS[0].configuration.key: 1, ARMS[1].configuration.key: 2, ARMS[2].configuration.key: 2}


def test_what_ended_with_the_last_look_was_not_ended_by_old_scores() -> None:
    before, now = Scoring({}, "a"), Scoring({}, "b")
    looks = [
        Look(1, 6, settled=(1,), sentences=("Look 1 of 2: shown.",), trials=(1,), scoring=before),
        Look(2, 12, settled=(0, 2), scoring=before),
    ]
    assert outdated(looks, now, ARMS) == [ARMS[1].configuration.key]
    assert outdated(looks, before, ARMS) == []
