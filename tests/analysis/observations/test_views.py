"""Small tables drawn from the observations."""

from __future__ import annotations

import math

import pandas as pd
import pytest

from analysis.observations import views


def test_the_noise_within_a_configuration_by_hand():
    # cells: (0.1, 0.3) with variance .02 and (0.5, 0.5, 0.8) with variance .03; pooled (1*.02 + 2*.03) / 3
    table = pd.DataFrame(
        {
            "configuration": "f",
            "case": ["a", "a", "b", "b", "b", "c"],
            "seed": range(6),
            "score": [0.1, 0.3, 0.5, 0.5, 0.8, 0.9],
        }
    )
    assert views.within_sd(table) == pytest.approx((0.08 / 3) ** 0.5)
    assert math.isnan(views.within_sd(table[table["case"] == "c"]))
