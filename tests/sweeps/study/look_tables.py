"""Tables of a confirmation, and a look at them, for the tests of looks and run-offs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from sweeps.budget.plan import Plan
from sweeps.config.tables import VerdictTable
from sweeps.options import Configuration
from sweeps.search.trial import Proposal
from sweeps.study.looks import take_look

BASELINE = Configuration("m", "p", {"temperature": 0.8})
GREEDY = Configuration("m", "p", {"temperature": 0.0})
ARMS = [Proposal(n, Configuration("m", "p", {"temperature": 0.1 + n / 10}), {}) for n in range(4)]
PLAN = Plan(cases=4, floor_seeds=4, seeds=2, trials=20, confirm_seeds=12, finalists=1, look_seeds=(6,))
THREE_LOOKS = replace(PLAN, finalists=3, look_seeds=(4, 8))


def scores(
    rng: np.random.Generator, arms: dict[str, float], seeds: range, *, cases: int = 4, sd: float = 0.1
) -> pd.DataFrame:
    """Normal scores of arms with these means, the same seeds on every case."""
    return pd.DataFrame(
        [
            {"configuration": key, "case": f"c{case}", "seed": seed, "score": mean + rng.normal(0, sd)}
            for key, mean in arms.items()
            for case in range(cases)
            for seed in seeds
        ]
    )


def look(observations: pd.DataFrame, number: int = 1, **changes: Any) -> dict[str, Any]:
    settings: dict[str, Any] = {
        "plan": PLAN,
        "baseline": BASELINE,
        "finalists": ARMS[:1],
        "going": ARMS[:1],
        "before": [],
        "verdict": VerdictTable(),
        "futility": 0.1,
        "seed": 0,
    }
    return take_look(observations, number, **(settings | changes))
