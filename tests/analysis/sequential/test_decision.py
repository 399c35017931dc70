"""What is believed before a look."""

from __future__ import annotations

import math

import pytest

from analysis.sequential.decision import Prior


@pytest.mark.parametrize(("mean", "sd"), [(0.0, -0.1), (0.0, math.nan), (0.0, math.inf), (math.nan, 0.1)])
def test_a_belief_that_is_none_is_refused(mean, sd):
    with pytest.raises(ValueError, match="a prior takes a finite mean"):
        Prior(mean, sd)
