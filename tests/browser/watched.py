"""A page in a browser, with everything that it logs and asks for."""

from __future__ import annotations

import io
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page


def kept(page: Page, name: str, width: int = 1500, height: int = 900) -> None:
    """Keep a picture of a page's corner for the documentation, in the folder that SWEEPS_PICTURES names."""
    if folder := os.environ.get("SWEEPS_PICTURES"):
        from PIL import Image

        page.wait_for_timeout(1500)  # what fades in
        corner = {"x": 0.0, "y": 0.0, "width": float(width), "height": float(height)}
        shot = Image.open(io.BytesIO(page.screenshot(clip=corner))).convert("RGB")  # type: ignore[arg-type]
        shot.quantize(128).save(Path(folder) / f"{name}.png", optimize=True)


@dataclass
class Watched:
    """A page and its log.

    Attributes:
        page: The page.
        log: Messages of the console, and errors.
        requests: Addresses that it asked for.
    """

    page: Page
    log: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, browser: Browser, path: Path, **options: Any) -> Watched:
        """Open a file in a new page with `options` of Playwright's `new_page`."""
        page = browser.new_page(**({"viewport": {"width": 1000, "height": 900}} | options))
        watched = cls(page)
        page.on("console", lambda message: watched.log.append(message.text))
        page.on("pageerror", lambda error: watched.log.append(str(error)))
        page.on("request", lambda request: watched.requests.append(request.url))
        page.goto(path.as_uri())
        return watched

    def until(self, expression: str, value: Any) -> None:
        """Wait until an expression has a value; the page's policy forbids Playwright's own way, an `eval`."""
        for _ in range(200):
            if (found := self.page.evaluate(expression)) == value:
                return
            self.page.wait_for_timeout(50)
        raise AssertionError(f"{expression} is {found!r}, not {value!r}")

    def figures(self) -> list[str]:
        """Names of the interactive figures."""
        return list(self.page.evaluate("Array.from(document.querySelectorAll('.live'), each => each.dataset.figure)"))

    def show(self, name: str) -> None:
        """Scroll to a figure, and wait until it is drawn."""
        self.page.evaluate(
            f"document.querySelector('{live(name)}').closest('figure').scrollIntoView({{block: 'center'}})"
        )
        self.page.wait_for_selector(f"{live(name)} .main-svg", timeout=30_000)

    def place_of(self, name: str, trace: int, point: int) -> tuple[float, float]:
        """Place of a trace's point (of a heat map's column, of a bar's middle) in the window, by plotly's own axes."""
        found = self.page.evaluate(
            """([selector, trace, point]) => {
              const plot = document.querySelector(selector + ' .plot'), full = plot._fullLayout;
              const data = plot._fullData[trace], box = plot.getBoundingClientRect();
              const axis = (name) => full[(data[name] || name[0]).replace(/^([xy])(\\d*)$/, '$1axis$2')];
              const x = axis('xaxis'), y = axis('yaxis'), row = data.z ? 0 : point;
              const bar = plot.calcdata[trace][point] || {}, middle = (a, b) => (a + b) / 2;
              const isBar = data.type === 'bar' && data.orientation === 'v';
              const across = isBar ? x.c2p(middle(bar.p0, bar.p1)) : x.d2p(data.x[point]);
              const up = isBar ? y.c2p(middle(bar.s0, bar.s1)) : y.d2p(data.y[row]);
              return [box.left + x._offset + across, box.top + y._offset + up];
            }""",
            [live(name), trace, point],
        )
        return float(found[0]), float(found[1])

    def hover(self, name: str, trace: int, point: int) -> str:
        """Move the mouse to a point, and return the text that appears."""
        self.page.mouse.move(5, 5)
        x, y = self.place_of(name, trace, point)
        self.page.mouse.move(x - 3, y)
        self.page.mouse.move(x, y)
        self.page.wait_for_selector(f"{live(name)} .hoverlayer .hovertext", timeout=60_000)
        return str(self.page.text_content(f"{live(name)} .hoverlayer"))


def live(name: str) -> str:
    """Selector of an interactive figure."""
    return f".live[data-figure={name}]"
