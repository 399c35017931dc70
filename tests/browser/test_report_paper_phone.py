"""The report on a phone and on paper: nothing is cut, broken or lost, and it is short."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from analysis.report.limits import LimitColumn
from analysis.report.page import render_report
from tests.analysis.sample_report import make_data
from tests.browser.watched import Watched

pytestmark = pytest.mark.browser

LONG = "qwen2.5:14b-instruct-q4_K_M"

SIDEWAYS = """Array.from(document.querySelectorAll('table'), table => {
  for (let at = table; at !== document.body; at = at.parentElement)
    if (at.scrollWidth > at.clientWidth + 1 && at.clientWidth) return table.textContent.trim().slice(0, 60);
  return table.getBoundingClientRect().right > innerWidth + 0.5 ? table.textContent.trim().slice(0, 60) : '';
}).filter(text => text)"""

BROKEN = r"""(() => {
  const found = [], walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node; (node = walker.nextNode());) {
    if (node.parentElement.closest('svg, script, style, pre, .any')) continue;
    for (const word of node.data.matchAll(/[\p{L}\p{N}.]+/gu)) {
      const range = document.createRange();
      range.setStart(node, word.index);
      range.setEnd(node, word.index + word[0].length);
      const lines = Array.from(range.getClientRects()).filter(box => box.width > 0).map(box => Math.round(box.top));
      if (new Set(lines).size > 1) found.push(word[0]);
    }
  }
  return found;
})()"""

HIDDEN = """Array.from(document.querySelectorAll('td[data-label*=finalist], .options td:last-child'),
  cell => cell.getBoundingClientRect()).filter(box => box.width && (box.left < 0 || box.right > innerWidth)).length"""


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report with limits, items, long names, and a ranking of more rows than fit a page."""
    data = make_data(trials=30)
    configurations = {key: {**known, "model": LONG} for key, known in data.configurations.items()}
    means = dict.fromkeys(data.observations["configuration"], 151.0)
    limit = LimitColumn("output_tokens", 150.0, "150", means, dict.fromkeys(means, "151"))
    said = [
        {"configuration": key, "case": case, "seed": seed, "item": f"i{item}", "level": 1 + item % 5}
        | {"text": "The data disk of the build server filled up.", "forbidden": False}
        | {"said": key != data.baseline, "probability": float(key != data.baseline)}
        for key in (data.baseline, data.finalist)
        for case in data.observations["case"].unique()
        for seed in range(5000, 5008)
        for item in range(11)
    ]
    path = tmp_path_factory.mktemp("whole") / "report.html"
    path.write_text(
        render_report(replace(data, configurations=configurations, limits=[limit], items=pd.DataFrame(said)))
    )
    return path


@pytest.fixture(scope="module")
def phone(browser, whole: Path) -> Iterator[Watched]:
    watched = Watched.of(browser, whole, viewport={"width": 390, "height": 844})
    watched.page.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
    yield watched
    watched.page.close()


def test_on_a_phone_no_table_scrolls_sideways_and_no_word_is_broken(phone: Watched) -> None:
    assert phone.page.evaluate("document.documentElement.scrollWidth") == 390
    assert phone.page.evaluate(SIDEWAYS) == []
    assert phone.page.evaluate(BROKEN) == []
    assert phone.page.evaluate(HIDDEN) == 0
    assert phone.page.locator("td[data-label='score finalist']").first.is_visible()
    assert phone.log == []


def test_printed_it_has_at_most_six_pages_none_empty_and_no_lonely_heading(browser, whole: Path) -> None:
    pdfium = pytest.importorskip("pypdfium2")
    watched = Watched.of(browser, whole)
    headings = watched.page.evaluate("Array.from(document.querySelectorAll('h2, h3'), each => each.textContent)")
    paper = pdfium.PdfDocument(io.BytesIO(watched.page.pdf(prefer_css_page_size=True)))
    pages = [" ".join(page.get_textpage().get_text_bounded().split()) for page in paper]
    watched.page.close()
    assert len(pages) <= 6
    assert all(len(text) > 200 for text in pages)
    assert not [text[-60:] for text in pages if text.endswith(tuple(headings))]
    assert "Use the new settings" in pages[0]
    assert "On which cases?" in pages[0]
