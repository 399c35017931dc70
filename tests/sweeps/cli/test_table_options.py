"""Names that the command line repeats, so that its help answers at once."""

from __future__ import annotations

from analysis.observations.read_scores import OUR_COLUMNS
from analysis.sources.read_table import SOURCES
from objectives.rubrics.item_tables import COLUMNS
from sweeps.cli import cases, table_options


def test_repeated_names_agree_with_their_homes() -> None:
    assert table_options.OURS == OUR_COLUMNS
    assert table_options.SOURCES == SOURCES
    assert cases.ITEM_COLUMNS == COLUMNS
