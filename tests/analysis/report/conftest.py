"""A study with everything that a report can show, and its page."""

from __future__ import annotations

import pytest

from analysis.report.page import ReportData, render_report
from tests.analysis.report.reading import (
    Page,
)
from tests.analysis.sample_report import make_data


@pytest.fixture(scope="session")
def data() -> ReportData:
    return make_data()


@pytest.fixture(scope="session")
def page(data) -> Page:
    return Page(render_report(data))
