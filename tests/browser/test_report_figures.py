"""The report's figures in a browser: they draw, react, lead to their rows, and ask for nothing."""

from __future__ import annotations

import re

import pytest

from tests.browser.watched import Watched, live

pytestmark = pytest.mark.browser

POINTS = {
    "noise_band": (0, 3), "confirm": (1, 0), "levels": (1, 0), "history": (1, 4), "sensitivity": (0, 2),
    "parallel": (0, 1), "pareto": (0, 2), "items": (0, 1), "contour": (1, 2), "learning": (0, 1),
}  # fmt: skip
"""A trace's point of each figure, to be pointed at. The others are in `tests/analysis/report`."""


def test_every_figure_draws_and_tells_trial_and_score_on_hover(page: Watched) -> None:
    assert set(POINTS) <= set(page.figures())
    for name, (trace, point) in POINTS.items():
        page.show(name)
        text = page.hover(name, trace, point)
        assert re.search(r"trial \d+|baseline", text), name
        assert re.search(r"score 0\.\d{3}, n \d+", text), name
        assert re.search(r"temperature \d", text), name


def test_a_click_leads_to_the_row_and_marks_it(page: Watched) -> None:
    page.show("noise_band")
    text = page.hover("noise_band", 0, 0)  # the lowest mean: its row is folded away
    trial = re.search(r"trial (\d+)", text)[1]
    assert not page.page.is_visible("details tr[data-configuration]")
    page.page.mouse.click(*page.place_of("noise_band", 0, 0))
    marked = page.page.wait_for_selector("tr.marked", timeout=60_000)
    assert marked.query_selector_all("td")[1].inner_text() == trial
    place = "document.querySelector('tr.marked').getBoundingClientRect()"
    assert page.page.evaluate(f"{place}.top >= 0 && {place}.bottom <= innerHeight")
    page.show("items")
    page.page.mouse.click(*page.place_of("items", 0, 0))
    page.page.wait_for_selector("tr.marked.base", timeout=60_000)
    assert page.page.locator("tr.marked").count() == 1


def test_the_cost_is_chosen_by_buttons(page: Watched) -> None:
    page.show("pareto")
    for quantity in ("words", "seconds", "tokens"):
        page.page.locator(f"{live('pareto')} .updatemenu-button", has_text=quantity).click()
        page.until(f"document.querySelector('{live('pareto')} .xtitle').textContent", f"{quantity} per text to expect")


def test_colours_follow_the_page_when_it_turns_dark(page: Watched) -> None:
    page.show("history")
    colour = f"getComputedStyle(document.querySelector('{live('history')} .xtitle')).fill"
    assert page.page.evaluate(colour) == "rgb(31, 36, 48)"
    page.page.emulate_media(color_scheme="dark")
    page.until(colour, "rgb(230, 233, 238)")
    page.page.emulate_media(color_scheme="light")


def test_print_and_pages_without_scripts_have_the_static_figures(page: Watched, browser, report) -> None:
    page.show("history")
    of = "document.querySelector('.live[data-figure=history]')"
    shown = f"[{of}, {of}.previousElementSibling].map(each => getComputedStyle(each).display !== 'none')"
    assert page.page.evaluate(shown) == [True, False]
    page.page.emulate_media(media="print")
    assert page.page.evaluate(shown) == [False, True]
    page.page.emulate_media(media="screen")
    plain = Watched.of(browser, report, java_script_enabled=False)
    assert plain.page.locator(".static svg").first.is_visible()
    assert not plain.page.locator(".live").first.is_visible()
    plain.page.close()


def test_no_button_sends_a_figure_away(page: Watched) -> None:
    page.show("history")
    titles = "Array.from(document.querySelectorAll('.modebar-btn'), each => each.dataset.attr + ' ' + each.dataset.val)"
    assert set(page.page.evaluate(titles)) == {
        "undefined undefined", "dragmode zoom", "dragmode pan", "zoom in", "zoom out", "zoom reset",
    }  # fmt: skip
    links = "Array.from(document.querySelectorAll('a'), each => each.getAttribute('href')).filter(each => each)"
    assert all(each.startswith("#") for each in page.page.evaluate(links))


def test_nothing_is_logged_and_nothing_is_asked_for(page: Watched) -> None:
    for name in page.figures():
        page.show(name)
    assert page.log == []
    assert [each for each in page.requests if not each.startswith("file:")] == []
    assert len(page.requests) == 1
