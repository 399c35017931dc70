"""Intervals of the importances of options, against functions whose shares are known.

    python -m benchmarks.search.importances [--quick] [--json] [--replications N]

The score of a configuration is .2 + .1 temperature (0 to 2) + .1 for one of two prompts, with noise. Of its variance
over the space temperature causes 4/7 and the prompt 3/7; three further options cause nothing. For each number of trials
and each noise it tells how often the interval of a share holds the truth, the mean share, how often an option without
effect is called clear, and how much of the true curve along temperature its band holds.
"""

from __future__ import annotations

import sys
from typing import Any

from benchmarks import command

TRIALS, NOISES = (40, 80), (0.02, 0.1)
SHARES = {"temperature": 4 / 7, "prompt": 3 / 7, "top_k": 0.0, "mirostat": 0.0, "mirostat_tau": 0.0}
CONDITIONS = {"mirostat_tau": {"mirostat": (1,)}}
AT = {"temperature": 1.0, "top_k": 10, "prompt": "short", "mirostat": 0}


def space() -> dict[str, Any]:
    """Return the searched space."""
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    return {
        "temperature": FloatDistribution(0, 2),
        "top_k": IntDistribution(1, 100, log=True),
        "prompt": CategoricalDistribution(("short", "long")),
        "mirostat": CategoricalDistribution((0, 1)),
        "mirostat_tau": FloatDistribution(0, 10),
    }


def points(n: int, seed: int = 1) -> list[dict[str, Any]]:
    """Return configurations spread over the space."""
    import numpy as np

    rng = np.random.default_rng(seed)
    drawn = []
    for _ in range(n):
        mode = int(rng.integers(2))
        point = {"temperature": rng.uniform(0, 2), "top_k": int(np.exp(rng.uniform(0, np.log(100)))), "mirostat": mode}
        point |= {
            "prompt": str(rng.choice(["short", "long"])),
            **({"mirostat_tau": rng.uniform(0, 10)} if mode else {}),
        }
        drawn.append(point)
    return drawn


def fitted(n: int, noise: float, seed: int) -> Any:
    """Return the posterior of a search with `n` trials, whose scores have this standard deviation."""
    import numpy as np

    from sweeps.samplers.posterior import Posterior

    tried = points(n)
    truth = np.array([0.2 + 0.1 * point["temperature"] + 0.1 * (point["prompt"] == "long") for point in tried])
    values = truth + np.random.default_rng(seed).normal(0, noise, n)
    return Posterior(space(), tried, values, np.full(n, noise**2), active_when=CONDITIONS)


def measure(n: int, noise: float, replications: int) -> dict[str, Any]:
    """Return the rates of one size and noise."""
    import numpy as np

    from analysis.report.surface import CLEAR
    from sweeps.results.figures.option_effects import importances, slice_along

    held, shares, clear, band = [], [], [], []
    for seed in range(replications):
        posterior = fitted(n, noise, seed)
        table = importances(posterior)[0].loc[list(SHARES)]
        truth = np.array(list(SHARES.values()))
        held.append((table["low"].to_numpy() <= truth) & (truth <= table["high"].to_numpy()))
        shares.append(table["share"].to_numpy())
        clear.append((table["low"].to_numpy() > CLEAR) & (truth == 0))
        along = slice_along(posterior, posterior.encoding.axes[0], AT)
        curve = 0.2 + 0.1 * np.array(along.scale.values)
        band.append(((along.low <= curve) & (curve <= along.high)).mean())
    return {
        "held": dict(zip(SHARES, np.mean(held, axis=0).round(3).tolist(), strict=True)),
        "share": dict(zip(SHARES, np.mean(shares, axis=0).round(3).tolist(), strict=True)),
        "called clear without effect": int(np.sum(clear)),
        "band holds the curve": round(float(np.mean(band)), 3),
    }


def line(name: str, row: dict[str, Any]) -> str:
    """The rates of one size and noise as text."""
    parts = ", ".join(f"{option} {row['share'][option]:.2f} (held {row['held'][option]:.0%})" for option in SHARES)
    return (
        f"{name}: {parts}; called clear without effect {row['called clear without effect']} times; band holds"
        f" {row['band holds the curve']:.0%} of the curve"
    )


def main(argv: list[str] | None = None) -> int:
    """Run the benchmark; returns the exit code."""
    parser = command.parser(__doc__, quick="4 replications")
    parser.add_argument("--replications", type=int, help="searches per size and noise (default 24)")
    given = parser.parse_args(argv)
    count = given.replications or (4 if given.quick else 24)
    found = {f"{n} trials, noise {noise}": measure(n, noise, count) for n in TRIALS for noise in NOISES}
    return command.show(given, found, (line(name, row) for name, row in found.items()))


if __name__ == "__main__":
    sys.exit(main())
