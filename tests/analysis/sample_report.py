"""A made-up study with everything that a report can show."""

from __future__ import annotations

import numpy as np
import pandas as pd

from analysis import aa_check, judge, noise_floor
from analysis.pareto import expected
from analysis.report.page import ReportData
from analysis.report.surface import Contour, Scale, Slice, Surface
from tests.analysis.sample import BASELINE, finalist_of, make_observations

OPTIONS = ("temperature", "top_k", "top_p", "num_predict", "num_ctx")


def make_data(**changes) -> ReportData:
    """A report's data; arguments of `make_observations` shape the study, the others replace fields."""
    shape = {name: changes.pop(name) for name in ("gain", "sd", "seeds", "trials") if name in changes}
    observations = make_observations(**shape)
    finalist = finalist_of(observations)
    first = observations.drop_duplicates("configuration").set_index("configuration")
    configurations = {
        str(key): {
            "model": "qwen2.5:14b",
            "prompt": "terse",
            "options": {name: first[name][key].item() for name in OPTIONS},
        }
        for key in first.index
    }
    confirm = observations[observations["stage"] == "confirm"]
    floor = observations[observations["stage"] == "floor"]
    noise = noise_floor(floor, BASELINE)
    fields = {
        "study": "quickstart",
        "created": "2026-03-02T10:00:00+00:00",
        "observations": observations,
        "baseline": BASELINE,
        "finalist": finalist,
        "verdicts": judge(confirm, baseline=BASELINE, finalists=[finalist]),
        "configurations": configurations,
        "floor": noise,
        "aa": aa_check(floor, rng=np.random.default_rng(1), configuration=BASELINE),
        "expected": expected(observations, baseline=BASELINE, noise_sd=noise.sd),
        "robustness": pd.DataFrame(
            {
                "weights": ["5 4 3 2 1 (used)", "16 8 4 2 1", "levels 1-2 only"],
                "effect": [0.11, 0.12, 0.09],
                "ci_low": [0.07, 0.06, -0.01],
                "ci_high": [0.15, 0.18, 0.19],
                "outcome": ["better", "better", "not distinguishable"],
            }
        ),
        "fingerprints": {
            "3f9a1c": {
                "host": {"os": "Linux 6.8", "cpu": {"model": "x86_64", "cores": 2}, "memory_gb": 8, "gpus": []},
                "engine": {"name": "ollama", "version": "0.32.15", "api": "native", "num_parallel": None},
                "model": {"name": "qwen2.5:14b", "quantisation": "Q4_K_M", "weights_sha256": "2049f5674b1e"},
            }
        },
        "texts": make_texts(confirm),
        "config": {"study": "quickstart", "baseline": {"temperature": 0.8}},
        "commands": {
            "run it again, or resume it": "sweeps run examples/quickstart.toml",
            "export the finalist": "sweeps export quickstart",
        },
        "exports": ["mlruns/exports/quickstart/production.env", "mlruns/exports/quickstart/production.json"],
        "version": "0.1.0",
        "surface": make_surface(),
        "look_effects": pd.DataFrame(
            {
                "look": [1, 2, 3],
                "seeds": [3, 5, 8],
                "effect": [0.07, 0.09, 0.11],
                "ci_low": [-0.02, 0.03, 0.07],
                "ci_high": [0.16, 0.15, 0.15],
            }
        ),
    }
    return ReportData(**(fields | changes))


def make_surface() -> Surface:
    """A surface that is highest at temperature .35 and top_k 20, and where num_predict hardly matters."""
    temperature = Scale("temperature", [round(0.1 * step, 1) for step in range(16)])
    top_k = Scale("top_k", [5.0, 10.0, 20.0, 40.0, 80.0, 160.0], log=True)
    of_temperature = -0.22 * (np.array(temperature.values) - 0.35) ** 2
    of_top_k = -0.03 * np.abs(np.log(np.array(top_k.values) / 20))
    slices = [
        Slice(scale, 0.55 + part, 0.52 + part, 0.58 + part)
        for scale, part in ((temperature, of_temperature), (top_k, of_top_k))
    ]
    shares = {"temperature": (0.7, 0.5, 0.85), "top_k": (0.15, 0.02, 0.4), "num_predict": (0.0, 0.0, 0.1)}
    table = pd.DataFrame.from_dict(shares, orient="index", columns=["share", "low", "high"])
    return Surface(
        table.assign(fANOVA=[0.8, 0.15, 0.05]),
        0.06,
        slices,
        Contour(temperature, top_k, 0.55 + of_temperature[None, :] + of_top_k[:, None]),
        "the finalist",
        ("fANOVA",),
    )


def make_texts(confirm: pd.DataFrame) -> pd.DataFrame:
    said = [
        "The data disk of the build server filled up because log rotation had been switched off on 12 May.",
        "Priya enabled rotation again and removed 41 GB of old logs.",
        "Builds were delayed by about three hours; no data was lost.",
        "An alert at 80% is to be added by Friday (Tom).",
    ]
    items = [
        "disk was full",
        "rotation off since 12 May",
        "41 GB removed",
        "three hours of delay",
        "alert at 80% by Friday",
    ]
    rows = []
    for row in confirm.itertuples():
        got = round(row.score * len(items))
        text = " ".join(said[: max(1, round(row.score * len(said)))])
        rows.append([row.configuration, row.case, row.seed, text, items[:got], items[got:]])
    return pd.DataFrame(rows, columns=["configuration", "case", "seed", "text", "covered", "missed"])
