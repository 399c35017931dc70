"""Rubric items that tell no configuration from another: said by all texts or none, or always with another item."""

from __future__ import annotations

import pandas as pd

FEWEST_TEXTS = 30
"""Fewest texts of a case for a remark: with 30 alike, fewer than 1 in 10 differ (95%, Clopper and Pearson)."""

MOST = 6
"""Largest number of items that one sentence names."""


def silent_notes(items: pd.DataFrame | None) -> list[str]:
    """Name the items that tell nothing, for the author of the rubric; [] where there are none.

    Args:
        items: Columns `configuration`, `case`, `seed`, `item`, `forbidden` and `said`; a row per item of each text, of
            all configurations. None without a rubric.
    """
    if items is None or not len(items):
        return []
    never, always, copies = [], [], []
    for case, rows in items[~items["forbidden"].astype(bool)].groupby("case"):
        said = rows.pivot_table(index=["configuration", "seed"], columns="item", values="said", aggfunc="max").dropna()
        if len(said) < FEWEST_TEXTS:
            continue
        said = said.astype(bool)
        never += [f"{case}: {item}" for item in said if not said[item].any()]
        always += [f"{case}: {item}" for item in said if said[item].all()]
        varied = said.loc[:, said.any() & ~said.all()]
        same = varied.T.duplicated(keep="first")
        firsts = varied.loc[:, ~same.to_numpy()]
        for item in varied.columns[same.to_numpy()]:
            other = next(name for name in firsts if (firsts[name].to_numpy() == varied[item].to_numpy()).all())
            if min(varied[item].sum(), (~varied[item]).sum()) >= FEWEST_TEXTS / 6:
                copies.append(f"{case}: {item} and {other}")
    return [
        f"{what} {_named(found)}. {todo}"
        for what, found, todo in (
            (
                "No text says these items, so they tell no configuration from another:",
                never,
                "Check their wording with sweeps score, or leave them out if no model can know them.",
            ),
            (
                "Every text says these items, so they tell no configuration from another:",
                always,
                "They only raise all scores; leave them out, or make them harder.",
            ),
            (
                "These items are always said together, so they count twice:",
                copies,
                "Make them one item, or word them apart.",
            ),
        )
        if found
    ]


def _named(found: list[str]) -> str:
    more = f" and {len(found) - MOST} more" if len(found) > MOST else ""
    return "; ".join(found[:MOST]) + more
