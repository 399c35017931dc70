"""One browser for all tests of pages, and a report of a made-up study in it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from analysis.report.page import render_report
from tests.analysis.sample_report import make_data
from tests.browser.watched import Watched

if TYPE_CHECKING:
    from playwright.sync_api import Browser

FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Debian's Chromium; skipped where there is none."""
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found is None:
        pytest.skip("no Chromium is installed: apt-get install chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=found, args=FLAGS)
        yield opened
        opened.close()


@pytest.fixture(scope="session")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report with every interactive figure."""
    path = tmp_path_factory.mktemp("report") / "report.html"
    path.write_text(render_report(make_data(trials=20)))
    return path


@pytest.fixture(scope="module")
def page(browser: Browser, report: Path) -> Iterator[Watched]:
    """The report, drawn whole; what it logs and asks for is kept."""
    watched = Watched.of(browser, report)
    for name in watched.figures():  # a figure that is drawn late would move the others under the mouse
        watched.show(name)
    yield watched
    watched.page.close()
