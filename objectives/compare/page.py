"""The comparison of summary folders as one self-contained HTML page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from markupsafe import Markup, escape

from objectives.case import LEVELS, Case, Item
from objectives.compare.comparison import CaseResult, Comparison, Run
from objectives.compare.marks import marked_pieces
from objectives.compare.templates import render
from objectives.matchers.base import Match


def render_html(comparison: Comparison, notes: Sequence[str] = ()) -> str:
    """Return a self-contained page: the folders side by side, then each item with its answer in every folder.

    Args:
        comparison: The folders.
        notes: Sentences on the rubrics, shown below the folders.
    """
    return render(
        "comparison",
        comparison=comparison,
        notes=notes,
        cases=[_case(case, comparison) for case in comparison.cases],
        levels=LEVELS,
    )


def _case(case: Case, comparison: Comparison) -> dict[str, Any]:
    results = [machine.results.get(case.name) for machine in comparison.machines]
    items = sorted(case.items, key=lambda item: (item.forbidden, item.level))
    return {
        "name": case.name,
        "title": case.title or case.name,
        "log": case.log,
        "results": results,
        "items": [{"item": item, "cells": [_cell(item, result) for result in results]} for item in items],
        "summaries": [
            {"machine": machine.name, "run": run.summary.run, "score": run.score.score, "html": _marked(case, run)}
            for machine, result in zip(comparison.machines, results, strict=True)
            for run in (result.runs if result else ())
        ],
    }


def _cell(item: Item, result: CaseResult | None) -> dict[str, Any]:
    """Return one cell: the number of runs in which an item is right, and every run's reason."""
    if result is None:
        return {"state": "none", "mark": "–", "runs": []}
    matches = [(run.summary.run, _match(run, item)) for run in result.runs]
    hits = sum(match.covered for _, match in matches)
    total = len(matches)
    good = total - hits if item.forbidden else hits
    state = "yes" if good == total else "no" if good == 0 else "part"
    mark = {"yes": "✓", "no": "✗", "part": f"{good}/{total}"}[state]
    return {"state": state, "mark": mark, "runs": [{"run": run, "match": match} for run, match in matches]}


def _match(run: Run, item: Item) -> Match:
    return next(match for match in run.score.matches if match.item == item.id)


def _marked(case: Case, run: Run) -> Markup:
    """Return the summary with the stretches that cover items marked."""
    mark = Markup('<mark class="{}" title="{}">{}</mark>')
    return Markup("").join(
        mark.format("bad" if piece.forbidden else "hit", ", ".join(piece.items), piece.text)
        if piece.items
        else escape(piece.text)
        for piece in marked_pieces(case, run.summary.text, run.score.matches)
    )
