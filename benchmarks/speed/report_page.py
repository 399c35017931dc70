"""Time and size of a report.

    python -m benchmarks.speed.report_page [--quick] [--json] [--configurations N]

Makes a study of N configurations on 6 cases (a floor, a search with one seed per case, a confirmation), and times the
parts of its report: the static figures, the page, and what only figures show (surface, Optuna's importances). The
page's size is given whole and by part. Wall time and processor time are both given: on a busy machine they differ.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks import command

CASES, ITEMS, SEEDS = 6, 12, 8
LIMIT = 3_000_000
"""Bytes that a page of 300 configurations may have."""


def study(configurations: int) -> Any:
    """Return a made-up study as the report's data, with texts that name items."""
    import numpy as np
    import pandas as pd

    from analysis import judge, noise_floor
    from analysis.pareto import expected
    from analysis.report.data import ReportData

    rng = np.random.default_rng(0)
    options = {
        f"c{number:011x}": {
            "temperature": round(float(rng.uniform(0, 1.5)), 3),
            "top_k": int(np.exp(rng.uniform(np.log(5), np.log(200)))),
            "top_p": round(float(rng.uniform(0.5, 1)), 3),
            "min_p": round(float(rng.uniform(0, 0.2)), 3),
            "repeat_penalty": round(float(rng.uniform(1, 1.4)), 3),
        }
        for number in range(configurations + 1)
    }
    keys = list(options)
    plan = [(keys[0], "floor", range(4)), *((key, "explore", [100 + i]) for i, key in enumerate(keys[1:]))]
    plan += [(key, "confirm", range(1000, 1000 + SEEDS)) for key in keys[:2]]
    rows, texts = [], []
    for key, stage, seeds in plan:
        gain = 0.1 - 0.1 * (options[key]["temperature"] - 0.5) ** 2
        for case in range(CASES):
            for seed in seeds:
                score = float(np.clip(0.45 + gain + rng.normal(0, 0.1), 0, 1))
                got = rng.random(ITEMS) < score
                tokens = int(rng.normal(150, 20))
                measured = {
                    "score": score,
                    "words": int(tokens * 0.75),
                    "output_tokens": tokens,
                    "seconds": tokens / 60,
                }
                place = {"configuration": key, "case": f"case-{case}", "seed": seed}
                levels = {f"lv{level}": f"{int(got[level::5].sum())}/{len(got[level::5])}" for level in range(1, 5)}
                kept = {"trial": keys.index(key) - 1, "stage": stage, "finish": "stop", "truncated": False}
                rows.append({**place, **kept, **measured, **levels, **options[key]})
                named = [f"item {number} of case {case}, as its author worded it" for number in range(ITEMS)]
                texts.append(
                    {
                        **place,
                        "text": "A summary of some length, with a few sentences. " * 12,
                        "covered": [name for name, is_in in zip(named, got, strict=True) if is_in],
                        "missed": [name for name, is_in in zip(named, got, strict=True) if not is_in],
                    }
                )
    table = pd.DataFrame(rows)
    floor = noise_floor(table[table["stage"] == "floor"], keys[0])
    fresh = table[table["stage"] == "confirm"]
    return ReportData(
        study="speed",
        created="2026-01-01T00:00:00+00:00",
        observations=table,
        baseline=keys[0],
        finalist=keys[1],
        verdicts=judge(fresh, baseline=keys[0], finalists=[keys[1]]),
        configurations={key: {"model": "model", "prompt": "prompt", "options": own} for key, own in options.items()},
        floor=floor,
        expected=expected(table, baseline=keys[0], noise_sd=floor.sd),
        texts=pd.DataFrame(texts),
    )


def surface_of(data: Any) -> Any:
    """Return the surface of a study's search, as `sweeps.results.figures.option_effects` makes it of a result."""
    from optuna.distributions import FloatDistribution, IntDistribution

    from sweeps.results.figures.option_effects import surface

    spaces = {
        "temperature": FloatDistribution(0, 1.5),
        "top_k": IntDistribution(1, 200, log=True),
        "top_p": FloatDistribution(0.5, 1),
        "min_p": FloatDistribution(0, 0.2),
        "repeat_penalty": FloatDistribution(1, 1.4),
    }
    from analysis.observations import views

    trials = views.trials(data.observations, data.baseline)
    points = [dict(data.configurations[key]["options"]) for key in trials.index]
    scores = trials["mean"].to_numpy()
    return surface(spaces, points, scores, data.floor.sd**2 / trials["n"].to_numpy(), at=("the finalist", points[0]))


def measure(configurations: int, keep: Path | None = None) -> dict[str, Any]:
    """Time and measure one report; `keep` is where its page is written."""
    from analysis.report.interactive.part import live_figures
    from analysis.report.page import draw, render_report
    from analysis.report.tables import Tables

    seconds: dict[str, list[float]] = {}

    def timed(name: str, make: Callable[[], Any]) -> Any:
        start, worked = time.perf_counter(), time.process_time()
        made = make()
        seconds[name] = [round(time.perf_counter() - start, 2), round(time.process_time() - worked, 2)]
        return made

    small = study(12)
    render_report(small, {"history": draw(small)["history"]})  # imports and caches
    timed("imports of the surface", lambda: surface_of(small))
    data = study(configurations)
    found = timed("surface and importances", lambda: surface_of(data))
    figures = timed("static figures", lambda: draw(data))
    whole = replace(data, surface=found)
    timed("interactive figures", lambda: live_figures(Tables(whole), figures))
    page = timed("page with these", lambda: render_report(whole, figures))
    if keep is not None:
        keep.write_text(page, encoding="utf-8")
    bare = render_report(whole, {})
    parts = page.split("<script")
    return {
        "configurations": configurations,
        "seconds": {name: {"wall": wall, "processor": worked} for name, (wall, worked) in seconds.items()},
        "bytes": {
            "page": len(page.encode()),
            "texts and tables": len(bare.encode()),
            "static figures": len(parts[0].encode()) - len(bare.encode()),
            "data of interactive figures": len(parts[1].encode()),
            "library": len(parts[2].encode()),
        },
        "figures": page.count('class="live"'),
    }


def lines(found: dict[str, Any]) -> list[str]:
    """The figures as text."""
    sizes = ", ".join(f"{name} {size / 1e6:.2f} MB" for name, size in found["bytes"].items())
    times = [f"{name}: {part['wall']} s (processor {part['processor']} s)" for name, part in found["seconds"].items()]
    return [f"{found['configurations']} configurations, {found['figures']} interactive figures: {sizes}", *times]


def main(argv: list[str] | None = None) -> int:
    """Run the benchmark; returns the exit code, 1 if the page of up to 300 configurations is larger than `LIMIT`."""
    parser = command.parser(__doc__, quick="40 configurations")
    parser.add_argument("--configurations", type=int, help="configurations of the search (default 300)")
    given = parser.parse_args(argv)
    found = measure(given.configurations or (40 if given.quick else 300))
    command.show(given, found, lines(found))
    return int(found["configurations"] <= 300 and found["bytes"]["page"] > LIMIT)


if __name__ == "__main__":
    sys.exit(main())
