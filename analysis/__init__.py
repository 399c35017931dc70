"""Judge tables of observations: noise, comparisons, verdicts, plans.

`import analysis` is cheap; numpy, pandas and scipy are imported with the first name that needs them.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from analysis.comparison.compare import compare
    from analysis.comparison.dunnett import dunnett_critical, dunnett_p, ranking
    from analysis.comparison.equivalence import default_margin, tost
    from analysis.comparison.holm import holm
    from analysis.noise.aa_check import AACheck, aa_check
    from analysis.noise.floor import NoiseFloor, noise_floor
    from analysis.noise.variance_components import VarianceComponents, variance_components
    from analysis.observations.table import COLUMNS, REQUIRED_COLUMNS, TableError, summarize
    from analysis.power.planning import PRIOR_NOISE_SD, BudgetSight, Plan, budget_sight, plan, power_curve
    from analysis.power.power import critical_drift, mde, power_at, required_cases, required_generations, required_seeds
    from analysis.sequential.decision import Decision, Prior
    from analysis.sequential.design import SequentialDesign
    from analysis.verdict.judge import judge, judge_one
    from analysis.verdict.verdict import Verdict

_HOMES = {
    "AACheck": "analysis.noise.aa_check",
    "BudgetSight": "analysis.power.planning",
    "COLUMNS": "analysis.observations.table",
    "Decision": "analysis.sequential.decision",
    "NoiseFloor": "analysis.noise.floor",
    "PRIOR_NOISE_SD": "analysis.power.planning",
    "Plan": "analysis.power.planning",
    "Prior": "analysis.sequential.decision",
    "REQUIRED_COLUMNS": "analysis.observations.table",
    "SequentialDesign": "analysis.sequential.design",
    "TableError": "analysis.observations.table",
    "VarianceComponents": "analysis.noise.variance_components",
    "Verdict": "analysis.verdict.verdict",
    "aa_check": "analysis.noise.aa_check",
    "budget_sight": "analysis.power.planning",
    "compare": "analysis.comparison.compare",
    "critical_drift": "analysis.power.power",
    "default_margin": "analysis.comparison.equivalence",
    "dunnett_critical": "analysis.comparison.dunnett",
    "dunnett_p": "analysis.comparison.dunnett",
    "holm": "analysis.comparison.holm",
    "judge": "analysis.verdict.judge",
    "judge_one": "analysis.verdict.judge",
    "mde": "analysis.power.power",
    "noise_floor": "analysis.noise.floor",
    "plan": "analysis.power.planning",
    "power_at": "analysis.power.power",
    "power_curve": "analysis.power.planning",
    "ranking": "analysis.comparison.dunnett",
    "required_cases": "analysis.power.power",
    "required_generations": "analysis.power.power",
    "required_seeds": "analysis.power.power",
    "summarize": "analysis.observations.table",
    "tost": "analysis.comparison.equivalence",
    "variance_components": "analysis.noise.variance_components",
}

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
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
