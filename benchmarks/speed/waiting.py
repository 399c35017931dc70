"""All that a person waits for, in one table from one run: commands, logging to MLflow, and a report's page.

    python -m benchmarks.speed.waiting [--quick] [--json] [--rounds 3] [--only startup tracking page]

Commands are measured as in `speed.startup`, logging as in `speed.tracking`, and the page as in `speed.report_page`; a
headless Chromium then opens the page (left out without one). `docs/benchmarks.md` has the lines as they are printed.
Wall time is what a person feels, and counts other work on the machine; processor time counts it less.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks import command
from benchmarks.speed import report_page, startup, tracking

PARTS = ("startup", "tracking", "page")
COMMANDS = {
    "run, first text": "`sweeps run`, until the engine is asked for the first text",
    "status": "`sweeps status`",
    "judge": "`sweeps judge`",
    "help": "`sweeps --help`",
}
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]


class Row(NamedTuple):
    """A line of the table; what was not measured or is not limited is ""."""

    what: str
    wall: str = ""
    processor: str = ""
    wanted: str = ""


def in_browser(path: Path) -> dict[str, float]:
    """Open a page in Chromium: seconds to its first sight, to its end, and to its first interactive figure.

    Returns:
        The seconds; {} without a browser.
    """
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found is None:
        return {}
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=FLAGS)
        page = browser.new_page(viewport={"width": 1000, "height": 900})
        page.goto(path.as_uri(), wait_until="load")
        page.evaluate("document.querySelector('.live').closest('figure').scrollIntoView({block: 'center'})")
        page.wait_for_selector(".live .main-svg", timeout=120_000)
        drawn, seen, loaded = page.evaluate(
            "[performance.now(), (performance.getEntriesByName('first-contentful-paint')[0] || {}).startTime || 0,"
            " performance.getEntriesByType('navigation')[0].loadEventEnd]"
        )
        browser.close()
    return {"first sight": seen / 1000, "loaded": loaded / 1000, "first interactive figure": drawn / 1000}


def measure(given: argparse.Namespace) -> dict[str, Any]:
    """Measure the parts that were asked for."""
    figures: dict[str, Any] = {"load": os.getloadavg()[0]}
    if "startup" in given.only:
        figures["startup"] = startup.measure(1 if given.quick else given.rounds, given.commands)
    if "tracking" in given.only:
        figures["tracking"] = tracking.measure(configurations=5 if given.quick else given.configurations, count=100)
    if "page" in given.only:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "report.html"
            figures["page"] = report_page.measure(40 if given.quick else given.report, keep=path)
            figures["browser"] = in_browser(path) if given.browser else {}
    return figures


def rows(figures: Mapping[str, Any]) -> Iterator[Row]:
    """The table's lines."""
    for name, took in figures.get("startup", {}).items():
        wanted = f"{startup.TARGETS[name]:g} s" if name in startup.TARGETS else ""
        yield Row(COMMANDS[name], f"{took['wall']:.2f} s", f"{took['processor']:.2f} s", wanted)
    if tracked := figures.get("tracking"):
        what = f"logging a configuration with {tracked['observations']} observations to MLflow"
        least = tracked["least"]
        yield Row(f"{what}, least", processor=f"{least['ours']:.0f} ms", wanted="60 ms")
        yield Row("the same by MLflow's own calls, least", processor=f"{least['plain']:.0f} ms")
        yield Row("the second over the first, medians", processor=f"{tracked['ratio']:.2f}", wanted="1.5 or more")
    if page := figures.get("page"):
        size = f"{page['bytes']['page'] / 1e6:.2f} MB"
        yield Row(f"size of a report of {page['configurations']} configurations", size, wanted="under 3 MB")
        for name, took in page["seconds"].items():
            yield Row(f"making it: {name}", f"{took['wall']:.2f} s", f"{took['processor']:.2f} s")
    for name, seconds in figures.get("browser", {}).items():
        yield Row(f"opening it in a browser: {name}", f"{seconds:.2f} s")


def table(figures: Mapping[str, Any]) -> Iterator[str]:
    """The figures as the Markdown of the documentation."""
    yield "| what | wall time | processor time | wanted |"
    yield "|---|---|---|---|"
    yield from ("| " + " | ".join(row) + " |" for row in rows(figures))
    yield f"Load of the machine at the beginning: {figures['load']:.1f} on {os.cpu_count()} cores."


def arguments(argv: list[str] | None) -> argparse.Namespace:
    """The command's arguments."""
    parser = command.parser(__doc__, quick="one round, 5 configurations, a report of 40")
    parser.add_argument("--rounds", type=int, default=3, help="runs of each command (default 3)")
    parser.add_argument("--configurations", type=int, default=20, help="configurations that are logged (default 20)")
    parser.add_argument("--report", type=int, default=300, help="configurations of the report (default 300)")
    parser.add_argument("--only", nargs="+", default=list(PARTS), choices=PARTS, help="some of the parts")
    parser.add_argument("--commands", nargs="+", default=[], help="some of the commands, as in speed.startup")
    parser.add_argument("--no-browser", dest="browser", action="store_false", help="do not open the page")
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    """Run the benchmark; returns the exit code."""
    given = arguments(argv)
    figures = measure(given)
    return command.show(given, figures, table(figures))


if __name__ == "__main__":
    sys.exit(main())
