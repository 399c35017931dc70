"""Judge tables of observations: noise, comparisons, verdicts, plans.

`import analysis` is cheap; numpy, pandas and scipy are imported with the first name that needs them.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from analysis.choice import compare
    from analysis.noise import AACheck, NoiseFloor, aa_check, noise_floor
    from analysis.power import critical_drift, mde, power_at, required_cases, required_generations, required_seeds
    from analysis.table import COLUMNS, REQUIRED_COLUMNS, TableError, summarize
    from analysis.verdict import Verdict, judge, judge_one

_HOME = {
    "choice": ("compare",),
    "noise": ("AACheck", "NoiseFloor", "aa_check", "noise_floor"),
    "power": ("critical_drift", "mde", "power_at", "required_cases", "required_generations", "required_seeds"),
    "table": ("COLUMNS", "REQUIRED_COLUMNS", "TableError", "summarize"),
    "verdict": ("Verdict", "judge", "judge_one"),
}
_MODULE_OF = {name: module for module, names in _HOME.items() for name in names}

__all__ = [
    "COLUMNS",
    "REQUIRED_COLUMNS",
    "AACheck",
    "NoiseFloor",
    "TableError",
    "Verdict",
    "aa_check",
    "compare",
    "critical_drift",
    "judge",
    "judge_one",
    "mde",
    "noise_floor",
    "power_at",
    "required_cases",
    "required_generations",
    "required_seeds",
    "summarize",
]


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"analysis.{_MODULE_OF[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
