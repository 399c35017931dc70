"""The interactive heat map of items and configurations."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from analysis.formatting import cases_text, count_text
from analysis.report.interactive.figure import LiveFigure, Who, layout

_MOST_CELLS = 30_000
_LABEL = 46  # characters of an item beside the map
_ON = ["configuration", "case", "seed"]


def item_shares(texts: pd.DataFrame) -> pd.DataFrame:
    """Share of texts that cover each item.

    Args:
        texts: Columns `configuration`, `case`, `covered` and `missed` (lists of items).

    Returns:
        Indexed by `case` and `item` in the order of their first text, a column per configuration; NaN where a
        configuration has no text of a case.
    """
    parts = []
    for column, value in (("covered", 1.0), ("missed", 0.0)):
        lists = texts[["configuration", "case", column]].explode(column).dropna(subset=[column])
        parts.append(lists.rename(columns={column: "item"}).assign(share=value))
    rows = pd.concat(parts)
    if rows.empty:
        return pd.DataFrame()
    rows["item"] = rows["item"].astype(str)
    return rows.pivot_table(
        index=["case", "item"], columns="configuration", values="share", aggfunc="mean", observed=True
    )


def items(who: Who) -> LiveFigure | None:
    """Share of texts that cover each item, by configuration; None without texts that name items."""
    data = who.tables.data
    texts = data.texts
    if texts is None or not len(texts) or not {"covered", "missed"} <= set(texts):
        return None
    shares = item_shares(texts)
    arms = [key for key in who.tables.arms if key in shares.columns]
    most = max(2, _MOST_CELLS // max(len(shares), 1))
    others = [key for key in who.keys if key in shares.columns and key not in arms]
    keys = [*arms, *others[: most - len(arms)]]
    if shares.empty or not keys:
        return None
    z = shares[keys]
    left = f" Only the best {most} configurations are shown." if len(others) + len(arms) > most else ""
    labels = [f"{_short(str(item))}" for _, item in z.index]
    names = [_column_name(who, key) for key in keys]
    trace = {
        "type": "heatmap",
        "z": [[None if np.isnan(v) else round(float(v), 2) for v in row] for row in z.to_numpy()],
        "x": list(range(len(keys))),
        "y": list(range(len(labels))),
        "meta": {"columns": [who.number(key) for key in keys], "rows": [f"{case}: {item}" for case, item in z.index]},
        "zmin": 0,
        "zmax": 1,
        "colorscale": [[0, "#eceff2"], [0.2, "#bfe0d2"], [1, "#0b7a55"]],
        "colorbar": {"tickformat": ".0%", "title": {"text": "covered"}},
        "xgap": 1 if len(keys) < 80 else 0,
        "ygap": 1,
    }
    ticks = list(range(len(keys))) if len(keys) <= 24 else list(range(len(arms)))
    shown = layout(
        "configurations, the best at the left; first the baseline and the finalist"
        if len(arms) == 2
        else "configurations",
        height=130 + 17 * len(labels),
        xaxis={"tickvals": ticks, "ticktext": [names[place] for place in ticks], "tickangle": -50, "showgrid": False},
        yaxis={
            "tickvals": list(range(len(labels))),
            "ticktext": labels,
            "autorange": "reversed",
            "tickfont": {"size": 10.5},
            "showgrid": False,
        },
        shapes=_borders(z),
    )
    return LiveFigure(
        "items",
        _title(z),
        "Each row is an item of a case's rubric, each column a configuration. The greener, the more of its"
        f" texts cover the item; grey ones are in none. The lines part the cases.{left}",
        [trace],
        shown,
    )


def _title(z: pd.DataFrame) -> str:
    never, always = int((z.max(axis=1) == 0).sum()), int((z.min(axis=1) == 1).sum())
    of = f"{count_text(len(z), 'item')} on {cases_text(z.index.get_level_values('case').nunique())}"
    return f"{of}: {never} in no text of any configuration, {always} in every text"


def _column_name(who: Who, key: str) -> str:
    place = who.number(key)
    return key if place is None else who.names[place]


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= _LABEL else f"{text[: _LABEL - 1]}…"


def _borders(z: pd.DataFrame) -> list[dict[str, Any]]:
    cases = z.index.get_level_values("case")
    at = [place - 0.5 for place in range(1, len(cases)) if cases[place] != cases[place - 1]]
    style = {"type": "line", "xref": "paper", "x0": 0, "x1": 1, "line": {"color": "var(--ink)", "width": 1.5}}
    return [{**style, "y0": y, "y1": y} for y in at]
