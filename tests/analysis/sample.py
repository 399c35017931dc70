"""A made-up study, the same every time: 6 cases, a baseline, 40 trials, a confirmation."""

from __future__ import annotations

import hashlib

import numpy as np
import pandas as pd

CASES = {
    "disk-full": (2, 3, 3, 2, 2),
    "login-timeouts": (2, 2, 3, 3, 1),
    "payment-retry": (3, 2, 2, 2, 3),
    "schema-migration": (1, 3, 3, 2, 2),
    "flaky-ci": (2, 2, 2, 3, 2),
    "gpu-quota": (2, 3, 2, 2, 2),
}
BASELINE = "b00000000000"


def key_of(trial: int) -> str:
    return hashlib.sha256(f"trial {trial}".encode()).hexdigest()[:12]


def make_observations(
    *, gain: float = 0.09, sd: float = 0.11, seeds: int = 8, trials: int = 40, host: str = "3f9a1c"
) -> pd.DataFrame:
    """Scores with noise `sd`; temperature near 0.35 and top_k near 20 is best, by `gain` over the baseline."""
    rng = np.random.default_rng(7)
    configurations = {
        BASELINE: ({"temperature": 0.8, "top_k": 40, "top_p": 0.9, "num_predict": 256, "num_ctx": 4096}, -1, 0.0)
    }
    for trial in range(trials):
        options = {
            "temperature": round(float(rng.uniform(0, 1.5)), 2),
            "top_k": int(np.exp(rng.uniform(np.log(5), np.log(200)))),
            "top_p": round(float(rng.uniform(0.5, 1)), 2),
            "num_predict": int(rng.choice([128, 256, 384])),
            "num_ctx": 4096,
        }
        effect = gain - 0.22 * (options["temperature"] - 0.35) ** 2 - 0.03 * abs(np.log(options["top_k"] / 20))
        configurations[key_of(trial)] = (options, trial, effect - 0.04 * (options["num_predict"] == 128))
    best = max((key for key in configurations if key != BASELINE), key=lambda key: configurations[key][2])
    plan = [(BASELINE, "floor", range(100, 104))]
    plan += [(key, "explore", [1000 + place]) for place, key in enumerate(configurations) if key != BASELINE]
    plan += [(key, "confirm", range(5000, 5000 + seeds)) for key in (BASELINE, best)]
    rows = [
        _row(rng, key, *configurations[key], stage, case, seed, sd, host)
        for key, stage, drawn in plan
        for case in CASES
        for seed in drawn
    ]
    return pd.DataFrame(rows)


def _row(rng, key, options, trial, effect, stage, case, seed, sd, host) -> dict:
    easy = 0.1 * np.sin(sum(map(ord, case)))
    score = float(np.clip(0.45 + easy + effect + rng.normal(0, sd), 0, 1))
    totals = CASES[case]
    covered = [
        int(np.rint(np.clip(score + 0.2 - 0.1 * level + rng.normal(0, 0.1), 0, 1) * total))
        for level, total in enumerate(totals)
    ]
    cut = rng.random() < (0.35 if options["num_predict"] == 128 else 0.06)
    tokens = options["num_predict"] if cut else int(rng.normal(110 + 60 * effect, 15))
    return {
        "study": "quickstart",
        "configuration": key,
        "trial": trial,
        "stage": stage,
        "host": host,
        "case": case,
        "seed": seed,
        "repeat": 0,
        "score": score,
        "covered": sum(covered),
        "items": sum(totals),
        "forbidden": 0,
        **{f"lv{level}": f"{got}/{total}" for level, (got, total) in enumerate(zip(covered, totals, strict=True), 1)},
        "lv12": f"{covered[0] + covered[1]}/{totals[0] + totals[1]}",
        "words": int(tokens * 0.75),
        "prompt_tokens": 612,
        "output_tokens": tokens,
        "seconds": tokens / 70,
        "finish": "length" if cut else ("repeat" if rng.random() < 0.01 else "stop"),
        "truncated": False,
        "error": "",
        "model": "qwen2.5:14b",
        "prompt": "terse",
        **options,
    }


def finalist_of(observations: pd.DataFrame) -> str:
    fresh = observations[(observations["stage"] == "confirm") & (observations["configuration"] != BASELINE)]
    return str(fresh["configuration"].iloc[0])
