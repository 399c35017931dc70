"""The report of a study: one HTML page that needs nothing else, a Markdown note, and a summary for a terminal."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import cache, partial
from typing import Any

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from matplotlib.figure import Figure

from analysis.formatting import cases_text, decimals, level_text, p_text
from analysis.observations import views
from analysis.report.data import ReportData
from analysis.report.guard import Guard
from analysis.report.parts import flat, frame, limit_rows, pareto_rows
from analysis.report.plots import figures as plots
from analysis.report.text import decision, headline, lone, number, percent, render_note, signed, terminal_summary
from analysis.verdict.sentences import out_of_reach, verdict_decimals
from analysis.verdict.verdict import Verdict

__all__ = ["ReportData", "draw", "render_note", "render_report", "terminal_summary"]

TEXT_LIMIT = 6000
"""Characters of an example text that are shown."""

_SHOWN_FIRST = 15
_Z95 = 1.959964


def render_report(
    data: ReportData,
    figures: Mapping[str, Figure] | None = None,
    *,
    warn: Callable[[str], object] | None = None,
) -> str:
    """A study as one self-contained HTML page: no scripts, no requests, light and dark.

    Everything that comes from models, configurations and hosts is escaped.

    Args:
        data: The study; parts that are missing are left out.
        figures: Plots made before by `draw`; None: they are made here.
        warn: Told of parts that fail and are left out; None: their errors are raised.

    Returns:
        The page. The same data gives the same text.
    """
    drawn, guard = draw(data, warn=warn) if figures is None else figures, Guard(warn)
    tables: dict[str, Callable[[ReportData], list[dict[str, Any]]]] = {
        "options": _option_rows,
        "level_rows": _level_rows,
        "case_rows": _case_rows,
        "host_rows": _host_rows,
        "ending_rows": _ending_rows,
        "limit_rows": limit_rows,
        "pareto_rows": pareto_rows,
        "ranking": _ranking,
    }
    none: list[dict[str, Any]] = []
    context: dict[str, Any] = {
        "data": data,
        "verdict": _verdict(data),
        "others": [_other(data, verdict) for verdict in data.verdicts if verdict is not data.verdict],
        "gates": _gates(data),
        "figures": {
            name: guard(f"the report's plot {name!r}", partial(_drawn, figure, name), Markup(""))
            for name, figure in drawn.items()
        },
        **{name: guard(f"the report's table {name!r}", partial(make, data), none) for name, make in tables.items()},
        "floor_digits": decimals(data.floor.sd, data.floor.ci_low, data.floor.ci_high) if data.floor else 3,
        "shown_first": _SHOWN_FIRST,
        "until": _until(data),
        "examples": guard("the report's texts", lambda: _examples(data), None),
        "robustness": guard("the report's table 'robustness'", lambda: frame(data.robustness), None),
        "fingerprints": {digest: flat(facts) for digest, facts in data.fingerprints.items()},
        "config": json.dumps(data.config, indent=2, ensure_ascii=False, default=str) if data.config else "",
        "generations": len(data.observations),
    }
    return _environment().get_template("report.html.j2").render(context)


def _drawn(figure: Figure, name: str) -> Markup:
    # Safe: the SVG is matplotlib's, which escapes the texts in it.
    return Markup(plots.to_svg(figure, name))


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("analysis"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"number": number, "lone": lone, "signed": signed, "percent": percent}
    environment.filters |= {"cases": cases_text, "value": _value, "when": _when}
    return environment


def _value(value: object) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "–"
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _when(moment: str) -> str:
    """A moment as people write it; whatever is no ISO date is left as it is."""
    try:
        date = datetime.fromisoformat(moment)
    except ValueError:
        return moment
    return f"{date:%Y-%m-%d %H:%M} {date.tzname() or ''}".strip()


def _items(value: object) -> list[str]:
    """A list column's cell as a list, whatever a file format made of it."""
    if value is None or isinstance(value, (str, float)):
        return [str(value)] if isinstance(value, str) and value else []
    return [str(each) for each in value]  # type: ignore[attr-defined]


def _verdict(data: ReportData) -> dict[str, Any] | None:
    verdict = data.verdict
    if verdict is None:
        return None
    return {
        "it": verdict,
        "headline": headline(data),
        "tone": verdict.outcome.replace(" ", "-"),
        "sentence": data.in_words(verdict.sentence),
        "advice": data.in_words(verdict.advice),
        "notes": [data.in_words(note) for note in verdict.notes],
        "p": "–" if math.isnan(verdict.p_value) else p_text(verdict.p_value, verdict.alpha),
        "claim": verdict.claim.replace("-", " "),
        "level": level_text(verdict.level),
        "digits": verdict_decimals(verdict),
        "picture": _interval_picture(verdict),
        "out_of_reach": out_of_reach(verdict),
        "tested": not math.isnan(verdict.p_value),
    }


def _other(data: ReportData, verdict: Verdict) -> dict[str, Any]:
    return {
        "it": verdict,
        "sentence": data.in_words(verdict.sentence),
        "differs": data.differences(verdict.configuration),
    }


def _gates(data: ReportData) -> dict[str, Any] | None:
    verdict, found = data.verdict, decision(data)
    if verdict is None or found is None:
        return None
    return {
        "use": found.use[:1].upper() + found.use[1:],
        "because": found.because,
        "change": data.recommended != data.baseline,
        "claimed": verdict.outcome == "better",
        "beyond": found.beyond,
    }


def _interval_picture(verdict: Verdict) -> dict[str, float] | None:
    """Where the marks of the effect's interval stand, in percent of the picture's width."""
    ends = (verdict.ci_low, verdict.ci_high, verdict.effect)
    if not all(map(math.isfinite, ends)):
        return None
    margin = verdict.margin if math.isfinite(verdict.margin) else 0.0
    mde = verdict.mde if math.isfinite(verdict.mde) and not out_of_reach(verdict) else 0.0
    bottom, top = min(*ends, -margin), max(*ends, margin, mde)
    pad = 0.07 * max(top - bottom, 1e-6)
    marks = {
        "low": ends[0],
        "high": ends[1],
        "effect": ends[2],
        "left": -margin,
        "right": margin,
        "mde": mde,
        "zero": 0.0,
    }
    return {name: round(100 * (mark - bottom + pad) / (top - bottom + 2 * pad), 2) for name, mark in marks.items()}


def draw(data: ReportData, *, warn: Callable[[str], object] | None = None) -> dict[str, Figure]:
    """The plots that the data allow, by name, in the order of the report.

    Args:
        data: The study.
        warn: Told of plots that fail and are left out; None: their errors are raised.
    """
    rows, base, final = data.observations, data.baseline, data.finalist
    scored = set(views.usable(rows)["configuration"])
    if base not in scored:
        return {}
    final = final if final in scored else None
    trials = set(views.usable(views.search(rows))["configuration"]) - {base}
    sd = data.noise_sd
    expected = pd.DataFrame() if data.expected is None else data.expected
    wanted: dict[str, tuple[bool, Callable[[], Figure]]] = {
        "noise_band": (bool(trials), lambda: plots.noise_band(rows, baseline=base, noise_sd=sd, finalist=final)),
        "confirm": (final is not None, lambda: plots.confirm_strips(rows, baseline=base, finalist=str(final))),
        "levels": (bool(_level_rows(data)), lambda: plots.level_coverage(rows, baseline=base, finalist=final)),
        "sensitivity": (
            len(trials) > 2 and bool(views.swept(rows)),
            lambda: plots.option_sensitivity(rows, baseline=base, finalist=final),
        ),
        "history": (len(trials) > 2, lambda: plots.history(rows, baseline=base, noise_sd=sd)),
        "pareto": (
            len(trials) > 2 and not expected.empty,
            lambda: plots.pareto(expected, baseline=base, finalist=final),
        ),
        "finishes": ("finish" in rows, lambda: plots.finishes(rows, baseline=base, finalist=final)),
    }
    guard = Guard(warn)
    drawn = {name: guard(f"the plot {name!r}", make, None) for name, (possible, make) in wanted.items() if possible}
    return {name: figure for name, figure in drawn.items() if figure is not None}


def _arms(data: ReportData) -> list[str]:
    return [data.baseline] if data.finalist is None else [data.baseline, data.finalist]


def _fresh(data: ReportData) -> pd.DataFrame:
    return views.confirmation(data.observations, _arms(data))


def _option_rows(data: ReportData) -> list[dict[str, Any]]:
    base, final = data.values(data.baseline), data.values(data.finalist)
    names = list(dict.fromkeys([*base, *final]))
    return [
        {
            "name": name,
            "baseline": base.get(name),
            "finalist": final.get(name),
            "changed": bool(final) and base.get(name) != final.get(name),
        }
        for name in names
    ]


def _level_rows(data: ReportData) -> list[dict[str, Any]]:
    table = views.levels(_fresh(data))
    rows = []
    for level in views.LEVEL_COLUMNS:
        cells = [_cell(table, (key, level)) for key in _arms(data)]
        if any(cells):
            rows.append({"level": level, "cells": cells})
    return rows


def _cell(table: pd.DataFrame, where: tuple[str, ...]) -> dict[str, float] | None:
    if where not in table.index:
        return None
    found = table.loc[[where]].iloc[0]
    return {"covered": float(found["covered"]), "total": float(found["total"]), "share": float(found["share"])}


def _case_rows(data: ReportData) -> list[dict[str, Any]]:
    """Per case: levels 1-2 and the score of both arms, and the difference."""
    fresh = _fresh(data)
    table = views.levels(fresh, by=("configuration", "case"))
    means = views.case_means(fresh, _arms(data))
    rows = []
    for case in sorted(views.usable(fresh)["case"].unique()):
        scores = [float(means["mean"].get((case, key), math.nan)) for key in _arms(data)]
        rows.append(
            {
                "case": case,
                "cells": [_cell(table, (key, case, "1-2")) for key in _arms(data)],
                "scores": scores,
                "n": [int(means["n"].get((case, key), 0)) for key in _arms(data)],
                "effect": scores[-1] - scores[0] if len(scores) > 1 else None,
            }
        )
    return rows


def _until(data: ReportData) -> str:
    """What the tables of fresh generations have beyond those that the verdict rests on; "" if nothing."""
    verdict = data.verdict
    if verdict is None or not data.left_early(verdict):
        return ""
    return (
        f"The baseline's means are of all its fresh generations; the verdict compares with the {verdict.n_baseline}"
        f" that it had at look {verdict.look}, at which the finalist was settled."
    )


def _host_rows(data: ReportData) -> list[dict[str, Any]]:
    """Per host, where there are several: levels 1-2 and the score of both arms."""
    fresh = _fresh(data)
    if "host" not in fresh or fresh["host"].nunique() < 2:
        return []
    table = views.levels(fresh, by=("configuration", "host"))
    rows = []
    for host in sorted(fresh["host"].dropna().unique()):
        means = views.summary(fresh[fresh["host"] == host])["mean"]
        scores = [float(means.get(key, math.nan)) for key in _arms(data)]
        rows.append(
            {"host": host, "cells": [_cell(table, (key, host, "1-2")) for key in _arms(data)], "scores": scores}
        )
    return rows


def _ending_rows(data: ReportData) -> list[dict[str, Any]]:
    rows = data.observations
    groups = {data.role(key): rows[rows["configuration"] == key] for key in _arms(data)}
    groups["everything"] = rows
    if "finish" not in rows:
        return []
    return [{"name": name, "n": len(part), **views.endings(part)} for name, part in groups.items()]


def _ranking(data: ReportData) -> list[dict[str, Any]]:
    """All configurations by mean score, with intervals as places on a common scale in percent."""
    picked = {*_arms(data), *(verdict.configuration for verdict in data.verdicts)}
    table = views.summary(views.without_luck(data.observations, picked))
    half = _Z95 * data.noise_sd / table["n"].pow(0.5)
    table = table.assign(low=table["mean"] - half, high=table["mean"] + half)
    if data.ranking is not None:
        shown = data.ranking.set_index("configuration")
        base = float(table["mean"].get(data.baseline, 0.0))
        table["low"] = (shown["ci_low"] + base).reindex(table.index)
        table["high"] = (shown["ci_high"] + base).reindex(table.index)
    bottom, top = float(table[["mean", "low"]].min().min()), float(table[["mean", "high"]].max().max())
    span = max(top - bottom, 1e-9)
    base_place = 100 * (float(table["mean"].get(data.baseline, bottom)) - bottom) / span
    rows = []
    for rank, row in enumerate(table.reset_index().to_dict("records"), 1):
        key = str(row["configuration"])
        places = {name: 100 * (float(row[name]) - bottom) / span for name in ("mean", "low", "high")}
        role = data.role(key) if data.role(key) != key else ""
        rows.append(
            {
                "rank": rank,
                "key": key,
                "role": role,
                "differs": _short(data, key),
                "base": base_place,
                "row": row,
                "places": places,
            }
        )
    return rows


def _short(data: ReportData, key: str) -> str:
    if key == data.baseline:
        return "the configuration in use"
    return ", ".join(f"{name} {_value(value)}" for name, value in data.differences(key).items()) or "as the baseline"


def _examples(data: ReportData) -> dict[str, Any] | None:
    """Best, median and worst text of both arms on the case whose effect is the median one."""
    if data.texts is None or not len(data.texts):
        return None
    arms = _arms(data)
    on = ["configuration", "case", "seed"]
    fresh = views.usable(_fresh(data)).drop_duplicates(on)
    texts = data.texts.drop(columns=["score"], errors="ignore").drop_duplicates(on)
    rows = fresh[[*on, "score"]].merge(texts, on=on)
    by_case = rows.groupby(["case", "configuration"], observed=True)["score"].mean()
    cases = [case for case in rows["case"].unique() if all((case, key) in by_case.index for key in arms)]
    if not cases:
        return None
    cases.sort(key=lambda case: (by_case[case, arms[-1]] - by_case[case, arms[0]], case))
    case = cases[len(cases) // 2]
    own = rows[rows["case"] == case]
    columns = [own[own["configuration"] == key].sort_values(["score", "seed"], ascending=[False, True]) for key in arms]
    shown = [
        {"which": which, "texts": [_example(data, column.iloc[round(share * (len(column) - 1))]) for column in columns]}
        for which, share in (("best", 0.0), ("median", 0.5), ("worst", 1.0))
    ]
    return {"case": case, "rows": shown}


def _example(data: ReportData, row: pd.Series[Any]) -> dict[str, Any]:
    text = str(row["text"])
    return {
        "role": data.role(str(row["configuration"])),
        "score": float(row["score"]),
        "seed": row["seed"],
        "text": text[:TEXT_LIMIT],
        "more": max(0, len(text) - TEXT_LIMIT),
        "covered": _items(row.get("covered")),
        "missed": _items(row.get("missed")),
    }
