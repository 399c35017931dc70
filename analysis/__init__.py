"""Judge tables of observations: noise, comparisons, verdicts, plans.

`import analysis` is cheap; numpy, pandas and scipy are imported with the first name that needs them.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from analysis.comparison.compare import compare
    from analysis.comparison.equivalence import tost
    from analysis.comparison.holm import holm
    from analysis.comparison.pair import pair
    from analysis.noise.aa_check import AACheck, aa_check
    from analysis.noise.floor import NoiseFloor, noise_floor
    from analysis.noise.variance_components import VarianceComponents, variance_components
    from analysis.observations.table import COLUMNS, REQUIRED_COLUMNS, TableError, summarize
    from analysis.pass_rates import reliability
    from analysis.power.planning import PRIOR_NOISE_SD, GainPlan, plan, power_curve
    from analysis.power.power import critical_drift, mde, power_at, required_cases, required_seeds
    from analysis.ranks.dunnett import dunnett_critical, dunnett_p, ranking
    from analysis.ranks.ranks import rank
    from analysis.sequential.decision import LookDecision, Prior
    from analysis.sequential.design import SequentialDesign
    from analysis.sources.read_table import read_table
    from analysis.verdict.judge import judge, judge_one
    from analysis.verdict.verdict import Verdict

_HOMES = {
    "compare": "analysis.comparison.compare",
    "dunnett_critical": "analysis.ranks.dunnett",
    "dunnett_p": "analysis.ranks.dunnett",
    "ranking": "analysis.ranks.dunnett",
    "tost": "analysis.comparison.equivalence",
    "holm": "analysis.comparison.holm",
    "pair": "analysis.comparison.pair",
    "rank": "analysis.ranks.ranks",
    "AACheck": "analysis.noise.aa_check",
    "aa_check": "analysis.noise.aa_check",
    "NoiseFloor": "analysis.noise.floor",
    "noise_floor": "analysis.noise.floor",
    "VarianceComponents": "analysis.noise.variance_components",
    "variance_components": "analysis.noise.variance_components",
    "COLUMNS": "analysis.observations.columns",
    "REQUIRED_COLUMNS": "analysis.observations.table",
    "TableError": "analysis.observations.table_error",
    "summarize": "analysis.observations.table",
    "PRIOR_NOISE_SD": "analysis.power.planning",
    "GainPlan": "analysis.power.planning",
    "plan": "analysis.power.planning",
    "power_curve": "analysis.power.planning",
    "critical_drift": "analysis.power.power",
    "mde": "analysis.power.power",
    "power_at": "analysis.power.power",
    "required_cases": "analysis.power.power",
    "required_seeds": "analysis.power.power",
    "reliability": "analysis.pass_rates",
    "LookDecision": "analysis.sequential.decision",
    "Prior": "analysis.sequential.decision",
    "SequentialDesign": "analysis.sequential.design",
    "read_table": "analysis.sources.read_table",
    "judge": "analysis.verdict.judge",
    "judge_one": "analysis.verdict.judge",
    "Verdict": "analysis.verdict.verdict",
}

__all__ = [
    "COLUMNS",
    "PRIOR_NOISE_SD",
    "REQUIRED_COLUMNS",
    "AACheck",
    "GainPlan",
    "LookDecision",
    "NoiseFloor",
    "Prior",
    "SequentialDesign",
    "TableError",
    "VarianceComponents",
    "Verdict",
    "aa_check",
    "compare",
    "critical_drift",
    "dunnett_critical",
    "dunnett_p",
    "holm",
    "judge",
    "judge_one",
    "mde",
    "noise_floor",
    "pair",
    "plan",
    "power_at",
    "power_curve",
    "rank",
    "ranking",
    "read_table",
    "reliability",
    "required_cases",
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
