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


def test_items_by_level_of_cells_as_people_write_them():
    cells = ["3/5", " 1 / 5 ", None, "?", "5/5", "2/4"]
    table = pd.DataFrame({"configuration": list("aaaabb"), "case": "c", "score": 0.5, "lv1": cells, "lv2": "0/0"})
    found = views.levels(table)
    assert found.index.names == ["configuration", "level"]
    assert found.loc[("a", "1")].to_dict() == pytest.approx({"covered": 2, "total": 5, "share": 0.4})
    assert found.loc[("b", "1")].to_dict() == pytest.approx({"covered": 3.5, "total": 4.5, "share": 7 / 9})
    assert len(found) == 2  # levels without items are left out
    assert views.levels(table.drop(columns=["lv1", "lv2"])).empty
    assert views.levels(table.iloc[:0]).empty
