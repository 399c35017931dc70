"""Names that the command line repeats, so that its help answers at once."""

from __future__ import annotations

from typing import get_args

from analysis.observations.read_scores import OUR_COLUMNS
from analysis.sources.read_table import SOURCES
from analysis.verdict.verdict import Outcome
from objectives.rubrics.item_tables import COLUMNS
from sweeps import pytest_plugin
from sweeps.cli import cases, judge, table_options


def test_repeated_names_agree_with_their_homes() -> None:
    assert table_options.OURS == OUR_COLUMNS
    assert table_options.SOURCES == SOURCES
    assert cases.ITEM_COLUMNS == COLUMNS
    assert judge.OUTCOMES == pytest_plugin.OUTCOMES == get_args(Outcome)
