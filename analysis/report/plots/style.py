"""The look of plots: colours, figures, titles, and their form as SVG and PNG.

The colours are Okabe and Ito's (Color Universal Design, 2008), distinct with every common colour vision. The baseline
is always blue, the finalist always vermilion, everything else grey.
"""

from __future__ import annotations

import io
import re
import textwrap
import warnings
from functools import cache

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import MaxNLocator

INK, MUTED, GRID, BAND, DOT = "#1f2430", "#6b7280", "#e3e6eb", "#dde1e7", "#9aa1ac"
BASELINE, FINALIST, CURVE = "#0072b2", "#d55e00", "#009e73"
ENDINGS = {"stop": "#c9ced6", "length": "#e69f00", "repeat": "#cc79a7", "empty": "#f0e442", "error": "#5b1a1a"}
# Colours that an inline SVG takes from the page, so that plots follow a dark page.
_VARIABLES = {INK: "ink", MUTED: "muted", GRID: "grid", BAND: "band", DOT: "dot", BASELINE: "base", FINALIST: "best"}
_VARIABLES |= {CURVE: "curve", ENDINGS["stop"]: "rest"}

_SUBTITLE_CHARACTERS = 125  # fit beside the axis of a plot of the whole width
_LEGEND_CHARACTERS, _LEGEND_MARK = 130, 6  # characters of a legend's line, and of the mark beside a name
_TITLE_PLACE = "axes fraction"
_WIDTH = 10.0  # inches; at a page's width of about 900 px the text comes out at about 12 px


def to_svg(figure: Figure, name: str) -> str:
    """A figure as an inline `<svg>` element whose colours and fonts follow the page.

    Args:
        figure: The figure.
        name: Prefix of the ids inside, unique in the page. The same figure and name give the same text.
    """
    out = io.StringIO()
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": name}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph")  # the browser has the font even where this host has not
        figure.savefig(out, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    text = out.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{name}-", text)
    text = re.sub(r'<svg\b([^>]*?) width="[^"]*"', r"<svg\1", text, count=1)
    text = re.sub(r'<svg\b([^>]*?) height="[^"]*"', r'<svg role="img"\1', text, count=1)
    # Only inside attributes: a text that happens to hold a colour's code stays as it is.
    for colour, variable in _VARIABLES.items():
        text = re.sub(rf"(fill|stroke): {colour}", rf"\1: var(--{variable}, {colour})", text)
    return text


def to_png(figure: Figure, dpi: int = 144) -> bytes:
    """A figure as PNG, on white."""
    out = io.BytesIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph")
        figure.savefig(out, format="png", dpi=dpi, facecolor="white", metadata={"Software": None})
    return out.getvalue()


def spread(count: int) -> list[float]:
    """Offsets that keep dots apart, the same every time."""
    return [(place * 0.6180339887 % 1 - 0.5) * 0.2 for place in range(count)]


def score_axis(axis: Axis, limits: tuple[float, float], *, named: bool = True) -> None:
    """Limit a score's axis to [0, 1], name it, and say where it starts when that is not zero."""
    low = max(0.0, limits[0])
    axis.axes.set_ylim(low, min(1.0, limits[1]))
    axis.set_major_locator(MaxNLocator(8, steps=[1, 2, 5, 10]))
    if named:
        axis.set_label_text("score" if low == 0 else f"score (axis starts at {low:.2f})")


@cache
def _families() -> list[str]:
    """Fonts to try in turn: the first for Latin, the others where a name is Japanese, Chinese or Korean."""
    from matplotlib.font_manager import get_font_names

    wanted = (
        "Noto Sans CJK JP",
        "Hiragino Sans",
        "Hiragino Maru Gothic Pro",
        "Yu Gothic",
        "Noto Sans JP",
        "IPAexGothic",
    )
    installed = set(get_font_names())
    return ["DejaVu Sans", *(name for name in wanted if name in installed)]


def new_figure(height: float) -> tuple[Figure, Axes]:
    """A figure of one panel; height in inches."""
    figure, grid = new_grid(1, 1, height)
    return figure, grid[0]


def new_grid(rows: int, columns: int, height: float) -> tuple[Figure, list[Axes]]:
    """A figure of several panels, in reading order; height in inches."""
    figure = Figure(figsize=(_WIDTH, height), layout=ConstrainedLayoutEngine(w_pad=0.08, h_pad=0.08))
    FigureCanvasAgg(figure)
    grid = [axes for line in figure.subplots(rows, columns, squeeze=False) for axes in line]
    for axes in grid:
        axes.spines[["top", "right"]].set_visible(False)
        axes.spines[["left", "bottom"]].set_color(MUTED)
        axes.tick_params(colors=MUTED, labelcolor=INK, labelsize=9, length=3)
        axes.tick_params(labelfontfamily=_families())
        axes.grid(color=GRID, lw=0.8)
        axes.set_axisbelow(True)
        axes.xaxis.label.set(color=MUTED, fontsize=9.5, fontfamily=_families())
        axes.yaxis.label.set(color=MUTED, fontsize=9.5)
    return figure, grid


def titles(axes: Axes, title: str, subtitle: str) -> None:
    """The finding of a plot, in bold, and how to read it, below; a long text takes several lines."""
    place = axes.get_subplotspec()
    columns = 1 if place is None else place.get_gridspec().ncols
    lines = textwrap.wrap(plain(subtitle), _SUBTITLE_CHARACTERS // columns)
    axes.set_title(plain(title), loc="left", fontsize=12.5, fontweight="bold", color=INK, pad=9 + 13 * len(lines))
    axes.annotate(
        "\n".join(lines),
        (0, 1),
        va="bottom",
        xytext=(0, 7),
        xycoords=_TITLE_PLACE,
        textcoords="offset points",
        fontsize=9.5,
        color=MUTED,
        annotation_clip=False,
    )


def words_of(figure: Figure) -> tuple[str, str]:
    """A figure's finding, and how to read it, as `titles` wrote them."""
    if figure.get_suptitle():
        return figure.get_suptitle().replace(r"\$", "$"), ""
    axes = figure.axes[0]
    lines = next((each.get_text() for each in axes.texts if getattr(each, "xycoords", "") == _TITLE_PLACE), "")
    return axes.get_title(loc="left").replace(r"\$", "$"), lines.replace("\n", " ").replace(r"\$", "$")


def legend(figure: Figure, axes: Axes) -> None:
    """A legend below the plot, in its own space, with as many columns as its names leave room for."""
    handles, labels = axes.get_legend_handles_labels()
    widest = max(map(len, labels), default=1) + _LEGEND_MARK
    figure.legend(
        handles,
        labels,
        loc="outside lower left",
        ncols=max(1, min(len(labels), 5, _LEGEND_CHARACTERS // widest)),
        frameon=False,
        fontsize=9,
        labelcolor=INK,
        handletextpad=0.5,
        columnspacing=1.6,
    )


def plain(text: str) -> str:
    """Text that matplotlib does not read as mathematics."""
    return text.replace("$", r"\$")
