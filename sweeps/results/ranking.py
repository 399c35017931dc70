"""The ranking of a comparison: all candidates and the baseline, with intervals that hold at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from analysis import TableError, judge, ranking
from sweeps.budget.detectable_gain import design_of
from sweeps.results.look_history import judged_at
from sweeps.results.study_data import StudyData
from sweeps.search.trial import Proposal

COLUMNS = ("configuration", "name", "n", "mean", "effect", "ci_low", "ci_high", "intervals")


def looks_of(study: StudyData, alpha: float) -> dict[str, Any]:
    """Return the arguments `design` and `look` of `analysis.rank`, so that orders hold whatever look ended a study."""
    at = judged_at(study.looks, study.baseline, study.finalists)
    return {"design": design_of(study.plan, alpha=alpha, futility=0.0), "look": at}


def candidate_ranking(study: StudyData) -> pd.DataFrame | None:
    """Rank baseline and candidates by their means.

    Where all candidates were settled at one look, the intervals are Dunnett's (JASA 50, 1955), at the level of that
    look. Otherwise each has Bonferroni's share of alpha, at the level of its own look: wider, and valid for unequal
    numbers of seeds and for new cases.

    Args:
        study: A comparison.

    Returns:
        A row per configuration, best mean first: `configuration`, `name`, `n` (fresh generations), `mean`, `effect`
        (difference from the baseline), `ci_low`, `ci_high` (in units of the score; NaN where there is no noise to test
        with), and `intervals` ("dunnett" or "bonferroni"). The baseline has effect 0 and no interval. None before the
        comparison is complete, and for a search.
    """
    if not study.is_comparison or not study.is_confirmed:
        return None
    rows = study.stage("confirm")
    looks = judged_at(study.looks, study.baseline, study.finalists)
    at = {looks.get(arm.configuration.key, len(study.plan.looks)) for arm in study.finalists}
    same = len(at) == 1 and study.config.verdict.claim == "these-cases"
    try:
        found = _dunnett(study, rows, at.pop()) if same else _bonferroni(study, rows, looks)
    except TableError:
        return None
    names = study.called
    table = found.assign(name=[names.get(str(key), str(key)) for key in found["configuration"]])
    table["intervals"] = "dunnett" if same else "bonferroni"
    ordered = table.sort_values(["effect", "name"], ascending=[False, True], kind="stable", ignore_index=True)
    return ordered[list(COLUMNS)]


def _dunnett(study: StudyData, rows: pd.DataFrame, look: int) -> pd.DataFrame:
    alpha = study.config.verdict.alpha
    design = design_of(study.plan, alpha=alpha, futility=0.0)
    return ranking(rows, study.baseline.key, alpha=alpha if design is None else design.nominal(look))


def _bonferroni(study: StudyData, rows: pd.DataFrame, looks: dict[str, int]) -> pd.DataFrame:
    base = study.baseline.key
    alpha = study.config.verdict.alpha / len(study.finalists)
    found: list[dict[str, Any]] = []
    for arm in study.finalists:
        try:
            found.append(_alone(study, rows, arm, alpha, looks.get(arm.configuration.key)))
        except TableError:  # a candidate without an answer has no mean
            continue
    own = rows[(rows["configuration"] == base) & rows["score"].notna()]
    mean = float(own.groupby("case", observed=True)["score"].mean().mean())
    none = {"effect": 0.0, "ci_low": np.nan, "ci_high": np.nan}
    found.append({"configuration": base, "n": len(own), "mean": mean, **none})
    return pd.DataFrame(found)


def _alone(study: StudyData, rows: pd.DataFrame, arm: Proposal, alpha: float, look: int | None) -> dict[str, Any]:
    """One candidate against the baseline, by the seeds that both had at the candidate's look."""
    key, design = arm.configuration.key, design_of(study.plan, alpha=alpha, futility=0.0)
    two = rows[rows["configuration"].isin([study.baseline.key, key])]
    until = _first_seeds(two, len(study.plan.looks) if look is None else look, study.plan.looks)
    (verdict,) = judge(
        until,
        baseline=study.baseline.key,
        finalists=[key],
        claim=study.config.verdict.claim,
        alpha=alpha,
        design=design,
        seed=study.config.study.seed,
        look=look,
    )
    return {
        "configuration": key,
        "n": verdict.n_finalist,
        "mean": verdict.finalist_mean,
        "effect": verdict.effect,
        "ci_low": verdict.ci_low,
        "ci_high": verdict.ci_high,
    }


def _first_seeds(rows: pd.DataFrame, look: int, looks: Sequence[int]) -> pd.DataFrame:
    seeds = np.unique(rows["seed"])
    return rows[rows["seed"].isin(seeds[: looks[look - 1]])]
