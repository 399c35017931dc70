"""The interactive figures of a page: which there are, and the scripts that draw them."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from markupsafe import Markup, escape
from matplotlib.figure import Figure

from analysis.report.guard import Guard
from analysis.report.interactive.confirmation import learning, levels, strips
from analysis.report.interactive.cost import cost
from analysis.report.interactive.figure import LiveFigure, Who
from analysis.report.interactive.items import items
from analysis.report.interactive.options import contour, importances, slices
from analysis.report.interactive.trials import history, noise_band, parallel
from analysis.report.plots.style import words_of
from analysis.report.tables import Tables

_FEWEST_TRIALS = 3  # below that there is no search to draw


@dataclass(frozen=True)
class Scripts:
    """The scripts of a page.

    Attributes:
        data: Figures and configurations as JSON, which is no script to a browser.
        library: Plotly's bundle.
        own: The script that draws.
        policy: Sources for a Content Security Policy: the digests of both scripts, so that no other script can run.
    """

    data: Markup
    library: Markup
    own: Markup
    policy: Markup


def live_figures(
    tables: Tables, drawn: Mapping[str, Figure], warn: Callable[[str], object] | None = None
) -> list[LiveFigure]:
    """The interactive figures that the data allow.

    Args:
        tables: The page's tables.
        drawn: The static figures; without any there is nothing to draw.
        warn: Gets a message for each figure that fails and is left out; None: errors are raised.
    """
    if not drawn:
        return []
    who, guard = Who(tables), Guard(warn)
    if guard("the interactive figures", lambda: who.labels, None) is None:
        return []
    searched = len(tables.trials) >= _FEWEST_TRIALS and not tables.data.is_comparison
    titles = {name: words_of(figure) for name, figure in drawn.items()}
    same: dict[str, Callable[[str, str], LiveFigure | None]] = {
        "noise_band": lambda *words: noise_band(who, *words),
        "confirm": lambda *words: strips(who, *words),
        "levels": lambda *words: levels(who, *words),
        "history": lambda *words: history(who, *words),
        "sensitivity": lambda title, _: slices(who, title),
        "pareto": lambda _, sentence: cost(who, sentence),
    }
    wanted: dict[str, Callable[[], LiveFigure | None]] = {
        name: lambda make=make, words=titles[name]: make(*words)  # type: ignore[misc]
        for name, make in same.items()
        if name in titles
    }
    wanted |= {"learning": lambda: learning(who), "items": lambda: items(who)}
    if searched:
        wanted |= {
            "importances": lambda: importances(who),
            "contour": lambda: contour(who),
            "parallel": lambda: parallel(who),
        }
    made = [guard(f"the interactive figure {name!r}", make, None) for name, make in wanted.items()]
    return [figure for figure in made if figure is not None]


def figure_html(figure: LiveFigure | None, svg: Markup) -> Markup:
    """A figure in the page: static for print and without scripts, interactive elsewhere.

    Args:
        figure: The interactive figure; None where there is only the static one.
        svg: The static figure; "" where there is none.
    """
    if figure is None:
        return svg
    words = Markup('<p class="title">{}</p><p class="muted small">{}</p>').format(figure.title, figure.sentence)
    static = svg or words + _table(figure.rows)
    live = Markup('<div class="live" data-figure="{}">{}<div class="plot" role="img" aria-label="{}"></div></div>')
    return Markup('<div class="static">{}</div>').format(static) + live.format(figure.name, words, figure.title)


def scripts(tables: Tables, figures: Sequence[LiveFigure]) -> Scripts | None:
    """The scripts for some figures; None without any."""
    if not figures:
        return None
    who = Who(tables)
    content = {
        "keys": who.keys,
        "labels": who.labels,
        "figures": {figure.name: figure.spec for figure in figures},
    }
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    # Nothing in it can end the element, nor begin a comment or another script.
    data = text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")
    library, own = _file("vendor/plotly/plotly-cartesian.min.js"), _file("templates/report.js")
    policy = f"'{_digest(library)}' '{_digest(own)}'"
    return Scripts(Markup(data), Markup(library), Markup(own), Markup(policy))


def _table(rows: Sequence[Sequence[str]]) -> Markup:
    """A table instead of a figure; the first row is its head."""
    if not rows:
        return Markup('<p class="muted small">This figure needs scripts and a screen.</p>')
    head, *body = rows
    cells = ("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in body)
    names = "".join(f"<th>{escape(name)}</th>" for name in head)
    return Markup(f"<table><thead><tr>{names}</tr></thead><tbody>{''.join(cells)}</tbody></table>")


@cache
def _file(path: str) -> str:
    text = (files("analysis") / path).read_text(encoding="utf-8")
    if "</script" in text.lower():
        raise ValueError(f"{path} holds the end of a script element, so it cannot stand in a page")
    return text


@cache
def _digest(script: str) -> str:
    """A script's digest, as a Content Security Policy has it."""
    return "sha256-" + base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
