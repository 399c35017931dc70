"""The kinds of claims, and the rule by which verdicts and looks claim a difference."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:  # so that this import stays cheap
    from analysis.observations.table import Cells

Claim = Literal["these-cases", "new-cases"]
"""Whether more seeds on the same cases would show the same, or other cases like them."""

FEWEST_CASES = 6
"""Below this many cases nothing is claimed for new cases."""


def is_shown(p_value: float, level: float, effect: float, effect_with_failures: float) -> bool:
    """Say whether a difference is shown, in either direction.

    Rows that failed are no random sample: texts without an end are often the ones with most to say. So a difference
    counts only if it keeps its sign with 0 for rows without a score (`Pair.effect_with_failures`).

    Args:
        p_value: Two-sided p.
        level: Largest p at which a difference counts.
        effect: Difference of mean scores.
        effect_with_failures: The same with 0 for rows without a score.
    """
    return p_value <= level and effect * effect_with_failures > 0


def usual_claim(cells: Cells, fewest_cases: int) -> Claim:
    """Return the claim that a table allows where nobody named one.

    Tables with clusters, and tables without any repeated generation, speak for new cases only.

    Args:
        cells: The table's sufficient statistics.
        fewest_cases: Below this many cases nothing is claimed for new ones.
    """
    if cells.cluster is not None:
        return "new-cases"
    single = not (cells.n > 1).any() and len(cells.cases) >= fewest_cases
    return "new-cases" if single and not cells.zero_temperature.all() else "these-cases"
