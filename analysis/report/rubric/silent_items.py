"""Rubric items that tell no texts apart: said by all texts or none, or always with another item."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

FEWEST_TEXTS = 30
"""Fewest different texts of a case for a remark. If 30 are alike, fewer than 1 in 10 differ (95%, Clopper, Pearson)."""

MOST = 6
"""Largest number of items that one sentence names."""


def silent_notes(items: pd.DataFrame | None) -> list[str]:
    """Name the items that tell nothing, for the author of the rubric; [] where there are none.

    Args:
        items: Columns `case`, `answer`, `item`, `forbidden` and `said`; a row per item of each text, of all
            configurations. Equal values of `answer` are the same text, which counts once. None without a rubric.
    """
    if items is None or not len(items):
        return []
    never, always, copies = [], [], []
    for case, rows in items[~items["forbidden"].astype(bool)].groupby("case", observed=True):
        said = rows.pivot_table(index="answer", columns="item", values="said", aggfunc="max", observed=True).dropna()
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
                "No text says these items, so they tell no texts apart:",
                never,
                "Check their wording against the texts, or leave them out if no model can know them.",
            ),
            (
                "Every text says these items, so they tell no texts apart:",
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
