"""Thresholds of a recommendation: truly worse sets that sweeps recommend, and the regret that a threshold costs.

    python -m benchmarks.search.recommendation [--quick] [--json] [--replications N] [--workers N] [--budget 300]
                                               [--out FILE.jsonl]
    python -m benchmarks.search.recommendation --summary FILE.jsonl [--json]

Whole sweeps of the product with default settings run on simulated surfaces (`sweeps.engines.scripted.surfaces`): every
second one on a `default-best` surface, where every change is worse; the others in turn on `smooth` and `rough` ones
with a gain to find (.02, .05 or .08); 4, 8 or 12 cases. (On `flat` surfaces no set is worse or better.) Each sweep is a
line of `--out`: the belief of its search, its fresh difference with standard error, and the finalist's true gain. So
thresholds are compared without running a sweep again.

A finalist is recommended where it is shown better, and where it is ahead and its probability of being better
(`analysis.verdict.recommendation`) reaches the threshold. By kind, and for both kinds with a gain together (`gain`):

- `ran`: the sweeps as they ran. `redrawn`: the fresh generations of each sweep are drawn again 200 times, as normal
  differences around the finalist's true gain with the sweep's own standard error, with the product's looks. The
  mean over these draws has less noise, and is the same apart from the normal approximation.
- `wrong`: share of the sweeps that recommend a truly worse set. `cost`: mean true gain that is lost against the
  threshold 0, which recommends whatever is ahead; below 0 the threshold gains. `recommended`: share that
  recommend a change. Under `without` the belief of the search is left out.
- `calibration`: of finalists that are ahead, two thirds of them with a gain to find and one third without: mean
  probability and share truly better, by probability.
- `se_...`: standard errors over sweeps.
"""

from __future__ import annotations

import argparse
import itertools
import math
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks import command
from benchmarks.search import replications
from benchmarks.search.replications import Record
from benchmarks.search.selection_summary import SAME, mean

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Array = npt.NDArray[np.float64]
    Flags = npt.NDArray[np.bool_]

KINDS = ("default-best", "smooth", "default-best", "rough")
GROUPS = {"default-best": ("default-best",), "smooth": ("smooth",), "rough": ("rough",), "gain": ("smooth", "rough")}
CASES = (4, 8, 12)
GAINS = (0.02, 0.05, 0.08)
BARS = (0.0, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95)
EDGES = (0.0, 0.6, 0.7, 0.8, 0.9, 1.0)
FIRST_SEED = 70_000
"""Surfaces on which nothing was tuned."""

DRAWS = 200


def replication(number: int, budget: int) -> Record:
    """One sweep on one surface."""
    from benchmarks.search.arena import SurfaceProblem, run_sweep, spread_seed
    from sweeps.engines.scripted.surfaces import make_surface

    kind, index = KINDS[number % len(KINDS)], number // len(KINDS)
    cases, gain, seed = CASES[index // 3 % 3], GAINS[index % 3], FIRST_SEED + number
    surface = make_surface(kind, seed=seed, gain=gain, cases=cases)  # type: ignore[arg-type]
    problem = SurfaceProblem(surface)
    swept = asdict(run_sweep(problem, budget, spread_seed(7, seed, budget)))
    return {
        "number": number,
        "budgets": [budget],
        "kind": kind,
        "seed": seed,
        "cases": cases,
        "gain": surface.gain,
        "best": problem.best,
        "baseline": problem.truth(problem.baseline),
        **{name: None if isinstance(value, float) and math.isnan(value) else value for name, value in swept.items()},
    }


@dataclass(frozen=True)
class Confirmed:
    """Confirmations of one finalist.

    Attributes:
        kind: The surface's kind.
        gain: The finalist's true gain over the baseline.
        effect: Fresh differences, shape (draws,).
        better: Whether each is shown better.
        worse: Whether each is shown worse.
        probability: Probability of being better with the search's belief.
        without: The same without it.
    """

    kind: str
    gain: float
    effect: Array
    better: Flags
    worse: Flags
    probability: Array
    without: Array

    def recommended(self, bar: float, *, belief: bool = True) -> Flags:
        """Whether each is recommended."""
        reached = (self.probability if belief else self.without) >= bar
        return self.better | ((self.effect > 0) & ~self.worse & reached)


def confirmed(record: Record, effect: Array, error: Array, better: Flags, worse: Flags) -> Confirmed:
    """Confirmations with their probabilities, from their differences and standard errors."""
    import numpy as np

    from analysis import Prior
    from analysis.verdict.recommendation import probability_better

    prior = None if record["believed"] is None else Prior(record["believed"], record["believed_sd"])
    pairs = list(zip(effect.tolist(), error.tolist(), strict=True))
    return Confirmed(
        record["kind"],
        record["finalist"] - record["baseline"],
        effect,
        better,
        worse,
        np.array([probability_better(*pair, prior) for pair in pairs]),
        np.array([probability_better(*pair) for pair in pairs]),
    )


def as_ran(record: Record) -> Confirmed:
    """The confirmation of a sweep as it ran."""
    import numpy as np

    fresh = np.array([record["fresh_effect"]]), np.array([record["fresh_error"]])
    return confirmed(record, *fresh, *(np.array([record["outcome"] == name]) for name in ("better", "worse")))


def redrawn(record: Record) -> Confirmed:
    """Other fresh generations of the same finalist, with the looks of a sweep."""
    import numpy as np

    from analysis import Prior
    from benchmarks.verdicts.looks import designs, planned_of, redraw

    gain, (seeds, error) = record["finalist"] - record["baseline"], planned_of(record)
    prior = None if record["believed"] is None else Prior(record["believed"], record["believed_sd"])
    drawn = redraw(np.random.default_rng(record["seed"]), designs(seeds)["auto"], gain, error, prior, DRAWS)
    return confirmed(record, drawn.effect, drawn.error, drawn.better, drawn.worse)


def figures(records: Sequence[Record]) -> dict[str, Any]:
    """Figures of the sweeps that have a verdict with a standard error."""
    judged = [record for record in records if record["finalist"] is not None and record["fresh_error"]]
    found: dict[str, Any] = {
        "replications": len(records),
        "judged": {kind: sum(record["kind"] == kind for record in judged) for kind in dict.fromkeys(KINDS)},
        "budget": records[0]["budget"],
    }
    makers: dict[str, Callable[[Record], Confirmed]] = {"ran": as_ran, "redrawn": redrawn}
    for name, make in makers.items():
        made = [make(record) for record in judged]
        groups = {group: [each for each in made if each.kind in kinds] for group, kinds in GROUPS.items()}
        found[name] = {
            way: {f"{bar:g}": {group: _at(bar, each, belief) for group, each in groups.items()} for bar in BARS}
            for way, belief in (("with", True), ("without", False))
        } | {"calibration": _calibration(made)}
    return found


def _at(bar: float, sweeps: Sequence[Confirmed], belief: bool) -> dict[str, Any]:
    """Share of wrong recommendations, cost and share of recommendations at a threshold."""
    parts: dict[str, list[float]] = {"wrong": [], "cost": [], "recommended": []}
    for each in sweeps:
        given, whatever = each.recommended(bar, belief=belief), each.recommended(0.0)
        parts["wrong"].append(float(given.mean()) * (each.gain < -SAME))
        parts["cost"].append(each.gain * float(whatever.mean() - given.mean()))
        parts["recommended"].append(float(given.mean()))
    return {
        key: value
        for name, values in parts.items()
        for key, value in zip((name, f"se_{name}"), mean(values), strict=True)
    }


def _calibration(sweeps: Sequence[Confirmed]) -> list[dict[str, float]]:
    """Mean probability, and the share truly better, of finalists ahead, in the mix of `selection.py`."""
    import numpy as np

    kinds = [each.kind == "default-best" for each in sweeps]
    share = {True: 1 / 3 / max(sum(kinds), 1), False: 2 / 3 / max(len(kinds) - sum(kinds), 1)}
    weights = np.concatenate(
        [np.full(len(e.effect), share[k] / len(e.effect)) for e, k in zip(sweeps, kinds, strict=True)]
    )
    probability = np.concatenate([each.probability for each in sweeps])
    ahead = np.concatenate([(each.effect > 0) & ~each.worse for each in sweeps])
    truly = np.concatenate([np.full(len(each.effect), each.gain > SAME) for each in sweeps])
    found = []
    for low, high in itertools.pairwise(EDGES):
        inside = ahead & (probability >= low) & ((probability < high) | (high == EDGES[-1]))
        weight = weights * inside
        if weight.sum():
            found.append(
                {
                    "from": low,
                    "to": high,
                    "share": float(weight.sum()),
                    "probability": float(weight @ probability / weight.sum()),
                    "truly_better": float(weight @ truly / weight.sum()),
                }
            )
    return found


def table(found: dict[str, Any]) -> Iterator[str]:
    """The figures as text."""
    judged = ", ".join(f"{number} {kind}" for kind, number in found["judged"].items())
    yield f"sweeps of {found['budget']} generations: {judged}"
    for name in ("ran", "redrawn"):
        for way in ("with", "without"):
            yield f"{name}, {way} the search's belief"
            yield f"{'least':>6}" + "".join(f"{group + ': wrong (se), cost (se)':>40}" for group in GROUPS)
            for bar, groups in found[name][way].items():
                yield f"{bar:>6}" + "".join(_cell(groups[group]) for group in GROUPS)
        yield f"{name}: probability and share truly better, of those ahead"
        for part in found[name]["calibration"]:
            yield f"{part['from']:.1f}-{part['to']:.1f}{part['probability']:>8.2f}{part['truly_better']:>8.2f}"


def _cell(part: dict[str, Any]) -> str:
    if part["wrong"] is None:
        return f"{'none':>40}"
    wrong, cost = (part[f"se_{name}"] or 0.0 for name in ("wrong", "cost"))
    return f"{part['wrong']:.3f} ({wrong:.3f})  {part['cost']:+.4f} ({cost:.4f})".rjust(40)


def _prepare() -> None:
    """No remarks of the libraries about their fits."""
    warnings.simplefilter("ignore")


def _made(numbers: Sequence[int], budget: int, workers: int) -> Iterator[Record]:
    if workers == 1:
        _prepare()
        yield from (replication(number, budget) for number in numbers)
        return
    with ProcessPoolExecutor(workers, initializer=_prepare) as pool:
        for future in as_completed([pool.submit(replication, number, budget) for number in numbers]):
            yield future.result()


def main(argv: list[str] | None = None) -> int:
    """Run the benchmark; returns the exit code."""
    given = _arguments(argv)
    if given.summary is not None:
        records = replications.read(given.summary)
    else:
        numbers, budget = range(given.replications or (8 if given.quick else 400)), given.budget
        with tempfile.TemporaryDirectory() as folder:
            out = given.out or Path(folder) / "records.jsonl"
            for _ in replications.resume(out, numbers, [budget], lambda missing: _made(missing, budget, given.workers)):
                pass
            records = [record for record in replications.read(out, [budget]) if record["number"] in numbers]
    if not records:
        raise SystemExit(f"{given.summary} holds no finished replication")
    found = figures(records)
    return command.show(given, found, table(found))


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = command.parser(__doc__, quick="8 sweeps")
    parser.add_argument("--replications", type=int, help="sweeps (default 400)")
    parser.add_argument("--workers", type=int, default=1, help="processes (default 1)")
    parser.add_argument("--budget", type=int, default=300, help="generations of a sweep (default 300)")
    parser.add_argument("--out", type=Path, help="JSON Lines file of the sweeps, to go on with")
    parser.add_argument("--summary", type=Path, help="print the figures of such a file, and run nothing")
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main())
