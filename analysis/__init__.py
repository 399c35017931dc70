"""Judge tables of observations: noise, comparisons, verdicts, plans.

`import analysis` is cheap; numpy, pandas and scipy are imported with the first name that needs them.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from analysis.choice import compare
    from analysis.dunnett import dunnett_critical, dunnett_p, ranking
    from analysis.equivalence import default_margin, tost
    from analysis.multiplicity import holm
    from analysis.noise import AACheck, NoiseFloor, aa_check, noise_floor
    from analysis.planning import PRIOR_NOISE_SD, BudgetSight, Plan, budget_sight, plan, power_curve
    from analysis.power import critical_drift, mde, power_at, required_cases, required_generations, required_seeds
    from analysis.sequential import Decision, Prior, SequentialDesign
    from analysis.table import COLUMNS, REQUIRED_COLUMNS, TableError, summarize
    from analysis.variance import VarianceComponents, variance_components
    from analysis.verdict import Verdict, judge, judge_one

_HOME = {
    "choice": ("compare",),
    "dunnett": (
        "dunnett_critical",
        "dunnett_p",
        "ranking",
    ),
    "equivalence": (
        "default_margin",
        "tost",
    ),
    "multiplicity": ("holm",),
    "noise": (
        "AACheck",
        "NoiseFloor",
        "aa_check",
        "noise_floor",
    ),
    "planning": (
        "plan",
        "PRIOR_NOISE_SD",
        "BudgetSight",
        "Plan",
        "budget_sight",
        "power_curve",
    ),
    "power": (
        "critical_drift",
        "mde",
        "power_at",
        "required_cases",
        "required_generations",
        "required_seeds",
    ),
    "sequential": (
        "Decision",
        "Prior",
        "SequentialDesign",
    ),
    "table": (
        "COLUMNS",
        "REQUIRED_COLUMNS",
        "TableError",
        "summarize",
    ),
    "variance": (
        "VarianceComponents",
        "variance_components",
    ),
    "verdict": (
        "Verdict",
        "judge",
        "judge_one",
    ),
}
_MODULE_OF = {name: module for module, names in _HOME.items() for name in names}

__all__ = [
    "COLUMNS",
    "PRIOR_NOISE_SD",
    "REQUIRED_COLUMNS",
    "AACheck",
    "BudgetSight",
    "Decision",
    "NoiseFloor",
    "Plan",
    "Prior",
    "SequentialDesign",
    "TableError",
    "VarianceComponents",
    "Verdict",
    "aa_check",
    "budget_sight",
    "compare",
    "critical_drift",
    "default_margin",
    "dunnett_critical",
    "dunnett_p",
    "holm",
    "judge",
    "judge_one",
    "mde",
    "noise_floor",
    "plan",
    "power_at",
    "power_curve",
    "ranking",
    "required_cases",
    "required_generations",
    "required_seeds",
    "summarize",
    "tost",
    "variance_components",
]


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"analysis.{_MODULE_OF[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
