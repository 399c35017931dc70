"""All tests of one audit at one level."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from analysis.comparison.holm import holm


def audit_family(p_values: Mapping[str, float], alpha: float = 0.05) -> pd.DataFrame:
    """Adjust the confirmatory tests of an audit together, so that a false alarm is at most as probable as `alpha`.

    Args:
        p_values: The p of each test by its name; NaN for a test that could not be made.
        alpha: Probability of any false alarm in an audit in which nothing differs (Holm 1979).

    Returns:
        One row per test, in the order given: `test`, `p_value`, `p_adjusted`, `level` (at which it was tested in the
        end), `significant`.
    """
    adjusted, levels = holm(list(p_values.values()), alpha)
    return pd.DataFrame(
        {
            "test": list(p_values),
            "p_value": list(p_values.values()),
            "p_adjusted": adjusted,
            "level": levels,
            "significant": [p <= alpha for p in adjusted],
        }
    )
