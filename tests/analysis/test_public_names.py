"""The names that `import analysis` offers."""

from __future__ import annotations

import importlib
import inspect

import pytest

import analysis
from tests.analysis.sample import BASELINE, make_observations


def test_every_public_name_has_a_home():
    assert sorted(analysis._HOMES) == sorted(analysis.__all__)


@pytest.mark.parametrize("name", analysis.__all__)
def test_a_public_name_is_found_where_it_is_defined(name):
    found = getattr(analysis, name)
    assert found is getattr(importlib.import_module(analysis._HOMES[name]), name)
    if inspect.isclass(found) or inspect.isfunction(found):
        assert found.__module__ == analysis._HOMES[name]


def test_the_steps_of_a_verdict_are_public():
    table = make_observations(trials=2)
    fresh = table[table["stage"] == "confirm"]
    (verdict,) = analysis.judge(fresh, baseline=BASELINE, margin=0.1)
    cells = analysis.summarize(fresh)
    two = analysis.pair(cells, cells.index(BASELINE), cells.index(verdict.configuration))
    estimate = analysis.compare(two).estimate
    assert (estimate.effect, estimate.p_value, estimate.test) == (verdict.effect, verdict.p_raw, verdict.test)
    assert analysis.tost(estimate, 0.1) == verdict.p_equivalence


def test_another_name_is_refused():
    with pytest.raises(AttributeError, match="'analysis' has no attribute 'judgement'"):
        _ = analysis.judgement
