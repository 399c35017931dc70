"""Figures of `selection.py`: pure functions of its replications. The other benchmarks share some of them.

Words: a method *recommends* the set it would hand over (a sweep: `SweepResult.recommended`; a rival: its best
trial), and *claims* a gain (a sweep: verdict `better`; a rival: its best trial's score is
above its baseline trial's). `regret` is the true mean of the best set less that of the recommended one. With "claim"
in the name, a sweep's baseline stays in use unless the finalist is shown better.

- `ratio_recommend`, `ratio_claim`: generations that a sweep needs to reach the mean regret of TPE with 3 seeds at the
  largest budget, as a share of that budget. They are the generations that were made, on average: a sweep whose
  confirmation stops early makes fewer than its budget (the expected sample size of a sequential test). `..._budget` is
  the same in budgets given; `..._median` that of median regrets; `..._independent` to the regret of TPE with 3 seeds as
  it was before Optuna 5, each option modelled by itself. `ratio_peers` are the rivals', in budgets, used up to less
  than a trial. A ratio is no less than the smallest budget's share (`at_most` says that it may be less), and none
  if the regret is not reached.
- `mixed`: the same ratios where nobody knows whether there is a gain to find: two of three surfaces are of the kind
  named, one has none (as many `flat` as `default-best` ones). The regret that is to be reached is that of the same mix.
- `false_claims`: share of sweeps that claim a set that is not better (on surfaces without a gain: all claims);
  `worse_claims`: that claim a set that is worse. Over all budgets; `..._by_budget` at each.
- `optimism`: reported less true mean; of a sweep's finalists, all of them, by budget.
- `power`: share of sweeps that claim a gain, by the surface's gain, at the largest budget. A sweep that does not find
  the gain cannot claim it, so `power_found` is the share by the gain of the finalist that was found (within .015 of
  the gains named): the power of the confirmation alone.
- `se_...`: standard errors over replications. Those of ratios are half of the central 68.3% of 1,000 bootstrap samples
  in which replications are drawn with all their methods; none if more than a sixth of the samples have no ratio.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Record = dict[str, Any]
Figures = dict[str, Any]

REFERENCE, OLDER = "tpe-3", "tpe-3-independent"
WITH_GAIN = ("smooth", "rough")
WITHOUT_GAIN = ("flat", "default-best")
SAMPLES = 1000
SAME = 1e-9
"""True means that differ by less are the same."""

NEAR = 0.015
"""A finalist this near to a gain of the benchmark's surfaces counts as one of that gain: half of their distance."""


def needed_generations(budgets: Sequence[float], regrets: Sequence[float], target: float) -> float:
    """Generations at which a regret that falls with the budget reaches a target.

    The regrets are made monotone (isotonic regression) and joined by straight lines over the logarithm of the budget.

    Args:
        budgets: Ascending.
        regrets: At each budget.
        target: Regret to reach.

    Returns:
        The generations; the smallest budget if its regret is low enough, infinity if that of none is.
    """
    from scipy.optimize import isotonic_regression

    falling = isotonic_regression(np.asarray(regrets, dtype=float), increasing=False).x
    reached = np.flatnonzero(falling <= target)
    if not reached.size:
        return math.inf
    k = int(reached[0])
    if k == 0:
        return float(budgets[0])
    share = (falling[k - 1] - target) / (falling[k - 1] - falling[k])
    return float(budgets[k - 1] * (budgets[k] / budgets[k - 1]) ** share)


def half_width(values: Array) -> float | None:
    """Half of the central 68.3% of bootstrap values; None if that is not finite."""
    low, high = np.quantile(values, [0.1587, 0.8413], method="inverted_cdf")
    return float(high - low) / 2 if math.isfinite(high) else None


def ratio(
    ours: Array,
    reference: Array,
    budgets: Sequence[int],
    centre: Callable[..., Any] = np.mean,
    *,
    made: Array | None = None,
    blocks: Sequence[tuple[int, float]] | None = None,
    samples: int = SAMPLES,
) -> Figures:
    """Generations to the reference's regret at the largest budget, as a share of that budget.

    Args:
        ours: Regrets of the method, shape (replications, budgets).
        reference: Regrets of the reference at the largest budget, shape (replications,).
        budgets: The budgets, ascending.
        centre: `np.mean` or `np.median`.
        made: Generations made, shape as `ours`, if their means are to count instead of the budgets.
        blocks: Sizes of consecutive blocks of replications and the share of each in a mean or median; samples are
            drawn within blocks. By default all replications are one block.
        samples: Number of bootstrap samples.

    Returns:
        `value` (None if the regret is not reached), `se`, and `at_most`: whether the smallest budget reaches it.
    """
    blocks = [(len(ours), 1.0)] if blocks is None else blocks
    weights = _row_weights(blocks)

    def middle(values: Array) -> Any:
        if centre is np.mean:
            return weights @ values
        if len(blocks) == 1:
            return np.median(values, axis=0)
        return np.quantile(values, 0.5, axis=0, weights=weights, method="inverted_cdf")

    def of(rows: Any) -> float:
        spent = budgets if made is None else list(weights @ made[rows])
        return needed_generations(spent, middle(ours[rows]), float(middle(reference[rows]))) / budgets[-1]

    value = of(np.arange(len(ours)))
    rng, draws = np.random.default_rng(0), np.empty((samples, 0), dtype=int)
    for size, _ in blocks:
        draws = np.hstack([draws, draws.shape[1] + rng.integers(size, size=(samples, size))])
    first = budgets[0] if made is None else float((weights @ made)[0])
    return {
        "value": value if math.isfinite(value) else None,
        "se": half_width(np.array([of(rows) for rows in draws])),
        "at_most": value <= first / budgets[-1],
    }


def _row_weights(blocks: Sequence[tuple[int, float]]) -> Array:
    """Weight of each row in a mean over blocks of rows with given shares; the weights add up to 1."""
    return np.concatenate([np.full(size, part / size) for size, part in blocks])


def share(hits: Sequence[Any] | Array) -> tuple[float, float]:
    """Share of hits, and its standard error; hits may be shares themselves, one per replication."""
    values = np.asarray(hits, dtype=float)
    n = len(values)
    return float(values.mean()), float(values.std() / math.sqrt(n))


def mean(values: Sequence[Any] | Array) -> tuple[float | None, float | None]:
    """Mean and standard error of the values that are neither None nor NaN; None without any."""
    there = np.array([value for value in values if value is not None and not math.isnan(value)], dtype=float)
    if not there.size:
        return None, None
    return float(there.mean()), float(there.std(ddof=1) / math.sqrt(there.size)) if there.size > 1 else None


def means(rows: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Means of measures over replications, and standard errors as `se_...`; NaN where there is none (see `mean`)."""
    found: dict[str, float] = {}
    for name in rows[0]:
        value, error = mean([row[name] for row in rows])
        found |= {name: math.nan if value is None else value, f"se_{name}": math.nan if error is None else error}
    return found


def is_false(record: Record, budget: int) -> bool:
    """Whether a sweep claims a gain that is not there."""
    swept = record["sweep"][str(budget)]
    better = record["kind"] in WITH_GAIN and swept["finalist"] is not None
    return bool(swept["outcome"] == "better" and not (better and swept["finalist"] > record["baseline"] + SAME))


def is_worse(record: Record, budget: int) -> bool:
    """Whether a sweep claims a set that is worse than the baseline."""
    swept = record["sweep"][str(budget)]
    return bool(swept["outcome"] == "better" and swept["finalist"] < record["baseline"] - SAME)


def figures(records: Sequence[Record]) -> Figures:
    """All figures by kind of surface; see the module."""
    found: Figures = {"reference": f"{REFERENCE} at {records[0]['budgets'][-1]}"}
    for kind in dict.fromkeys(record["kind"] for record in records):
        chosen = [record for record in records if record["kind"] == kind]
        found[kind] = kind_figures(chosen, chosen[0]["budgets"])
    found["mixed"] = {kind: mix for kind in WITH_GAIN if (mix := _mixed(records, kind))}
    return found


def _mixed(records: Sequence[Record], kind: str) -> Figures:
    """Ratios on two surfaces of a kind to one without a gain; {} where the records do not have all three kinds."""
    parts = {kind: 2 / 3} | dict.fromkeys(WITHOUT_GAIN, 1 / 3 / len(WITHOUT_GAIN))
    chosen = {name: [r for r in records if r["kind"] == name and REFERENCE in r["peers"]] for name in parts}
    if not all(chosen.values()):
        return {}
    joined = [record for name in parts for record in chosen[name]]
    budgets = sorted(set.intersection(*(set(record["budgets"]) for record in joined)))
    blocks = [(len(chosen[name]), part) for name, part in parts.items()]
    weights = _row_weights(blocks)
    reference = regrets(joined, REFERENCE, budgets)
    found: Figures = {"budgets": budgets, "regret": _by_budget(budgets, weights @ reference)}
    made = _made(joined, budgets)
    found["generations"] = _by_budget(budgets, weights @ made)
    for basis, field in (("recommend", "recommended"), ("claim", "claimed")):
        ours = regrets(joined, field, budgets)
        for name, centre, counted in (
            (basis, np.mean, made),
            (f"{basis}_median", np.median, made),
            (f"{basis}_budget", np.mean, None),
        ):
            part = ratio(ours, reference[:, -1], budgets, centre, made=counted, blocks=blocks)
            found |= {f"ratio_{name}": part["value"], f"se_ratio_{name}": part["se"]}
            found[f"at_most_{name}"] = part["at_most"]
        found[f"regret_{field}"] = _by_budget(budgets, weights @ ours)
    return found


def _made(records: Sequence[Record], budgets: Sequence[int]) -> Array:
    """Generations that sweeps made, shape (replications, budgets)."""
    return np.array([[record["sweep"][str(budget)]["used"] for budget in budgets] for record in records], dtype=float)


def _by_budget(budgets: Sequence[int], values: Array) -> dict[str, float]:
    return {str(budget): float(value) for budget, value in zip(budgets, values, strict=True)}


def kind_figures(records: Sequence[Record], budgets: Sequence[int]) -> Figures:
    """Figures of one kind."""
    found: Figures = {
        "replications": len(records),
        "budgets": list(budgets),
        "methods": method_figures(records, budgets),
    }
    found |= _ratios(records, budgets)
    for name, test in (("false_claims", is_false), ("worse_claims", is_worse)):
        hits = np.array([[test(record, budget) for budget in budgets] for record in records], dtype=float)
        found[name], found[f"se_{name}"] = share(hits.mean(axis=1))
        found |= _by(f"{name}_by_budget", {b: share(hits[:, i]) for i, b in enumerate(budgets)})
    found |= _by("optimism", {b: mean(_sweeps(records, b, _optimism)) for b in budgets})
    found |= _power(records, budgets)
    found["generations"] = {str(b): mean(_sweeps(records, b, lambda s: s["used"]))[0] for b in budgets}
    found["seconds_wall"] = float(np.median(_sweeps(records, budgets[-1], lambda s: s["wall"])))
    found["seconds_cpu"] = float(np.median(_sweeps(records, budgets[-1], lambda s: s["cpu"])))
    return found


def _optimism(state: Record) -> float | None:
    return None if state["reported"] is None else state["reported"] - state["finalist"]


def _sweeps(records: Sequence[Record], budget: int, value: Callable[[Record], Any]) -> list[Any]:
    return [value(record["sweep"][str(budget)]) for record in records]


def _by(name: str, pairs: dict[Any, tuple[Any, Any]]) -> Figures:
    return {
        name: {str(key): pair[0] for key, pair in pairs.items()},
        f"se_{name}": {str(key): pair[1] for key, pair in pairs.items()},
    }


def _power(records: Sequence[Record], budgets: Sequence[int]) -> Figures:
    """Share of claims by gain, at the largest budget and at each."""
    found: Figures = {"power": {}, "se_power": {}, "power_by_budget": {}, "se_power_by_budget": {}}
    gains = sorted({record["gain"] for record in records} - {0.0})
    for budget in budgets:
        pairs = {}
        for gain in gains:
            chosen = [record for record in records if record["gain"] == gain]
            pairs[f"{gain:g}"] = share(_sweeps(chosen, budget, lambda s: s["outcome"] == "better"))
        powers = _by("power", pairs)
        found["power_by_budget"][str(budget)], found["se_power_by_budget"][str(budget)] = powers.values()
        found |= powers
    return found | _power_found(records, budgets[-1], gains)


def _power_found(records: Sequence[Record], budget: int, gains: Sequence[float]) -> Figures:
    """Share of claims by the finalist's own gain, where that is within `NEAR` of one of the surfaces' gains."""
    pairs, counts = {}, {}
    for gain in gains:
        states = [
            state
            for record in records
            if (state := record["sweep"][str(budget)])["finalist"] is not None
            and abs(state["finalist"] - record["baseline"] - gain) <= NEAR
        ]
        if states:
            pairs[f"{gain:g}"] = share([state["outcome"] == "better" for state in states])
        counts[f"{gain:g}"] = len(states)
    return _by("power_found", pairs) | {"n_power_found": counts}


def _ratios(records: Sequence[Record], budgets: Sequence[int]) -> Figures:
    names = [f"ratio_{basis}{how}" for basis in ("recommend", "claim") for how in ("", "_median", "_budget")]
    found: Figures = {name: None for stem in names for name in (stem, f"se_{stem}")} | {"at_most": []}
    records = [record for record in records if record["peers"]]
    if not records or records[0]["kind"] not in WITH_GAIN:
        return found
    reference = regrets(records, REFERENCE, budgets)[:, -1]
    made = _made(records, budgets)
    for basis, field in (("recommend", "recommended"), ("claim", "claimed")):
        ours = regrets(records, field, budgets)
        parts = {
            f"ratio_{basis}": ratio(ours, reference, budgets, made=made),
            f"ratio_{basis}_median": ratio(ours, reference, budgets, np.median, made=made),
            f"ratio_{basis}_budget": ratio(ours, reference, budgets),
        }
        for name, part in parts.items():
            found[name], found[f"se_{name}"] = part["value"], part["se"]
            found["at_most"] += [name] * part["at_most"]
    if all(OLDER in record["peers"] for record in records):
        older = regrets(records, OLDER, budgets)[:, -1]
        for basis, field in (("recommend", "recommended"), ("claim", "claimed")):
            part = ratio(regrets(records, field, budgets), older, budgets, made=made)
            name = f"ratio_{basis}_independent"
            found[name], found[f"se_{name}"] = part["value"], part["se"]
            found["at_most"] += [name] * part["at_most"]
    peers = {}
    for name in _methods(records):
        of_it = [i for i, record in enumerate(records) if name in record["peers"]]
        own = regrets([records[i] for i in of_it], name, budgets)
        peers[name] = ratio(own, reference[of_it], budgets)
    return found | _by("ratio_peers", {name: (part["value"], part["se"]) for name, part in peers.items()})


def _methods(records: Sequence[Record]) -> list[str]:
    """The rivals that ran on any of the surfaces."""
    return list(dict.fromkeys(name for record in records for name in record["peers"]))


def regrets(records: Sequence[Record], method: str, budgets: Sequence[int]) -> Array:
    """Regrets of shape (replications, budgets) of a rival, or of a sweep's `recommended` or `claimed` set."""
    values = [
        [
            record["sweep"][str(b)][method] if method in ("recommended", "claimed") else _peer(record, method, b)
            for b in budgets
        ]
        for record in records
    ]
    best = np.array([[record["best"]] for record in records], dtype=float)
    return np.asarray(best - np.array(values, dtype=float))


def _peer(record: Record, method: str, budget: int) -> float:
    return float(record["peers"][method][str(budget)]["truth"])


def method_figures(records: Sequence[Record], budgets: Sequence[int]) -> Figures:
    """By method and budget: regret, gain captured, optimism, and claims."""
    found: Figures = {}
    for method in ("recommended", "claimed"):
        found[f"sweep, {method}"] = {
            str(b): _common(records, regrets(records, method, [b])[:, 0])
            | _pairs(
                used=mean(_sweeps(records, b, lambda s: s["used"])),
                optimism=mean(_sweeps(records, b, _optimism)),
                claims=share(_sweeps(records, b, lambda s: s["outcome"] == "better")),
                false=share([is_false(record, b) for record in records]),
                worse=share([is_worse(record, b) for record in records]),
            )
            for b in budgets
        }
    for method in _methods(records):
        of_it = [record for record in records if method in record["peers"]]
        found[method] = {str(b): _peer_figures(of_it, method, b) for b in budgets}
    return found


def _peer_figures(records: Sequence[Record], method: str, budget: int) -> Figures:
    states = [record["peers"][method][str(budget)] for record in records]
    gains = [state["truth"] - record["baseline"] for state, record in zip(states, records, strict=True)]
    null = records[0]["kind"] not in WITH_GAIN
    return _common(records, regrets(records, method, [budget])[:, 0]) | _pairs(
        used=mean([state["used"] for state in states]),
        optimism=mean([state["reported"] - state["truth"] for state in states]),
        claims=share([state["claims"] for state in states]),
        false=share([s["claims"] and (null or gain <= SAME) for s, gain in zip(states, gains, strict=True)]),
        worse=share([s["claims"] and gain < -SAME for s, gain in zip(states, gains, strict=True)]),
    )


def _common(records: Sequence[Record], regret: Array) -> Figures:
    """Regret and the share of all gain there is that is captured, with a ratio's standard error."""
    found = _pairs(regret=mean(regret)) | {"median_regret": float(np.median(regret)), "captured": None}
    gains = np.array([record["gain"] for record in records])
    if gains.any():
        lost = float(regret.mean() / gains.mean())
        error = float((regret - lost * gains).std() / math.sqrt(len(gains)) / gains.mean())
        found |= {"captured": 1 - lost, "se_captured": error}
    return found


def _pairs(**pairs: tuple[Any, Any]) -> Figures:
    return {key: value for name, pair in pairs.items() for key, value in ((name, pair[0]), (f"se_{name}", pair[1]))}
