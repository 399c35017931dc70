"""Selection on real generations: sweeps against usual ways to tune, replayed from a table.

    python -m benchmarks.replay.replay [--quick] [--json] [--table grid|random] [--replications N] [--budget N ...]
                               [--tokens] [--set TABLE.KEY=VALUE] [--workers N] [--methods NAME ...] [--out FILE.jsonl]
    python -m benchmarks.replay.replay --generate [--table grid|random] [--seeds N] [--minutes M]

A sweep is replayed, without a model, on a table of real generations of the embedded model (`table.py`): the `grid` of
48 configurations x 6 cases x 10 seeds, or 200 `random` ones x 6 cases x 6 seeds. A request for a configuration and a
case is answered with one of the texts that the table has for them, drawn with replacement. In the random table these
are the texts of the nearest configuration (`problem.TableProblem`). So the truth is known exactly: the score of a
configuration is the mean over the cases of the mean score of its texts, and the best one of the table is the best there
is to find. Whether these are the means of the model itself does not matter here.

The product takes its own way from the first request to the verdict (`sweeps.study.sweep.Sweep` with the scripted engine
that writes the stored texts, scored by the product's objective; each text once). Its rivals are those of `arena.py`,
which draw from the same scores. Printed for each, at equal generations, as means over the replications with standard
errors:

* `regret`: the best true mean less that of the recommended configuration; `gain`: the share of the best's gain over the
  baseline that this keeps; `regret_claimed` and `gain_claimed`: the same if only a claim replaces the baseline. A rival
  recommends its best trial, and takes any better score than the baseline's for a gain.
* `ratio_recommend`, `ratio_claim`: generations until the mean regret is that of TPE with 3 seeds at the largest budget,
  as a share of that budget (made on average; `..._budget` as given; see `selection_summary.py`); none if not reached.
* `optimism`: the reported score less the true mean of the configuration that it belongs to (for the product the
  finalist), `optimism_recommended` the same for the recommended one.
* `claims`: share of the replications that claim a gain; `worse`: share that claim one where the truth is below the
  baseline's; `used`: generations that were made of the budget (a sweep's confirmation may stop early).
* With `--tokens` budgets, `used` and ratios are in tokens of the answers. A rival's trial costs the mean tokens of its
  configuration's texts, a sweep's texts what they have. Rivals in `peers.PLANNED` plan in generations: they are left
  out.
* `seconds`: processor time of a replication at all budgets, without the null; a sweep has one run per budget.
* `null_...`: the same where all configurations of a case draw from all texts of that case: every claim is false.

`--generate` makes a table, in an hour or more (`table.py`, `batched.py`), and goes on where it was stopped.
"""

from __future__ import annotations

import argparse
import math
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np

from benchmarks import command
from benchmarks.replay import batched, table
from benchmarks.replay.problem import SAME, CachedObjective, StoredTexts, TableProblem
from benchmarks.replay.replay_text import MEASURES, NULL_MEASURES, lines_of
from benchmarks.search import arena
from benchmarks.search.peers import peers
from benchmarks.search.replications import Record, read, resume
from benchmarks.search.selection_summary import REFERENCE, means, ratio
from benchmarks.workers import mapped
from sweeps.budget.tokens import tokens_of

BUDGETS = (150, 300, 600, 1200)
TOKENS = (10_000, 20_000, 40_000, 80_000)
"""Budgets in tokens: about as many generations as `BUDGETS` on the random table."""

REPLICATIONS = 200
SWEEP = "sweep"
METHODS = (SWEEP, *peers.PEERS)


@dataclass
class Replay:
    """The parts that the replications share.

    Attributes:
        cases: The cases.
        objective: The objective that knows its texts.
        problems: Both problems, by whether it is the null.
        unit: Unit of the budgets.
        tables: More keys of the sweeps' files by table.
    """

    cases: Sequence[Any]
    objective: CachedObjective
    problems: Mapping[bool, TableProblem]
    unit: Literal["generations", "tokens"] = "generations"
    tables: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @classmethod
    def of(cls, frame: Any, chosen: table.Table = table.ON_GRID, **settings: Any) -> Replay:
        """Score a table; `settings` are `unit` and `tables`."""
        cases, objective = table.Work(table=chosen).cases, CachedObjective()
        problems = {null: TableProblem(frame, cases, objective, null=null, chosen=chosen) for null in (False, True)}
        return cls(cases, objective, problems, **settings)

    def sweep(
        self,
        budget: int,
        seed: int,
        *,
        null: bool = False,
        directory: Path | None = None,
        tables: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> Any:
        """The result of one sweep (`sweeps.results.result.SweepResult`) on the stored texts.

        Args:
            budget: Generations, or tokens.
            seed: Seed of the study, from `arena.spread_seed`.
            null: Whether all configurations draw from the same texts.
            directory: Where its ledger goes; a place that is removed afterwards by default.
            tables: More keys of the configuration by table.
        """
        from sweeps.config.file import parse_config
        from sweeps.study.sweep import Sweep

        if directory is None:
            with tempfile.TemporaryDirectory(dir=arena.scratch(), prefix="replay-") as folder:
                return self.sweep(budget, seed, null=null, directory=Path(folder), tables=tables)
        problem = self.problems[null]
        prompt = table.sweep_tables()["prompts"][table.PROMPT]
        more = {"prompts": {"only": prompt}, **self.tables, **(tables or {})}
        text = arena.toml_of(problem, budget, seed, more, self.unit)
        return Sweep(
            parse_config(text),
            directory=directory,
            engine=StoredTexts(self.cases, problem),
            cases=self.cases,
            objective=self.objective,
            tracking=False,
            report=False,
            keep_trials=False,
            progress=None,
        ).run()

    def swept(self, budget: int, seed: int, *, null: bool = False) -> dict[str, float]:
        """The measures of one sweep."""
        problem, result = self.problems[null], self.sweep(budget, seed, null=null)
        verdict, finalist = result.verdict, result.finalist
        baseline = problem.truth(problem.baseline)
        truth = baseline if finalist is None else problem.truth(finalist.configuration.options)
        kept = finalist is not None and result.recommended.key == finalist.configuration.key
        reported, reported_baseline = (
            (math.nan, math.nan) if verdict is None else (verdict.finalist_mean, verdict.baseline_mean)
        )
        return measures(
            problem,
            recommended=truth if kept else baseline,
            claimed=truth if result.shown_better else baseline,
            claims=result.shown_better,
            optimism=reported - truth,
            optimism_recommended=reported - truth if kept else reported_baseline - baseline,
            used=len(result.rows) if self.unit == "generations" else tokens_of(result.rows),
        )

    def peer(self, name: str, budgets: Sequence[int], seed: int, *, null: bool = False) -> list[dict[str, float]]:
        """The measures of one rival at all budgets."""
        problem = self.problems[null]
        return [
            measures(
                problem,
                recommended=found.truth,
                claimed=found.truth,
                claims=found.claims,
                optimism=found.reported - found.truth,
                optimism_recommended=found.reported - found.truth,
                used=found.used,
            )
            for found in peers.run_peer(name, problem, budgets, seed, **self._prices(problem))
        ]

    def _prices(self, problem: TableProblem) -> dict[str, Any]:
        if self.unit == "generations":
            return {}
        return {"price": problem.tokens_of, "least_price": float(problem.tokens.min())}


def measures(
    problem: TableProblem, *, recommended: float, claimed: float, claims: bool, **rest: float
) -> dict[str, float]:
    """Measures of one replication; `recommended` and `claimed` are true means."""
    baseline = problem.truth(problem.baseline)
    whole = problem.best - baseline
    shares = {"gain": recommended, "gain_claimed": claimed}
    return {
        "regret": problem.best - recommended,
        "regret_claimed": problem.best - claimed,
        **{name: (truth - baseline) / whole if whole > 0 else math.nan for name, truth in shares.items()},
        "claims": float(claims),
        "worse": float(claims and recommended < baseline - SAME),
        **rest,
    }


_replay: Replay | None = None


def keep(replay: Replay) -> None:
    """Prepare a worker process: keep the shared parts, use one thread, and silence warnings of libraries about fits."""
    import warnings

    from threadpoolctl import threadpool_limits

    global _replay  # noqa: PLW0603 - kept by a worker process between replications
    _replay = replay
    threadpool_limits(1)
    warnings.simplefilter("ignore")


def replication(
    number: int, budgets: Sequence[int], methods: Sequence[str] = METHODS, null_too: bool = True
) -> dict[str, Any]:
    """Measures of methods at every budget (as text), those of the null with `null_` before their names."""
    assert _replay is not None
    found: dict[str, Any] = {method: {str(budget): {} for budget in budgets} for method in methods}
    for null, prefix in ((False, ""), *(((True, "null_"),) if null_too else ())):
        for method in methods:
            started = time.process_time()
            seed = arena.spread_seed(number, int(null), METHODS.index(method))
            if method == SWEEP:
                seeds = [arena.spread_seed(number, int(null), 0, budget) for budget in budgets]
                rows = [_replay.swept(budget, own, null=null) for budget, own in zip(budgets, seeds, strict=True)]
            else:
                rows = _replay.peer(method, budgets, seed, null=null)
            for budget, row in zip(budgets, rows, strict=True):
                wanted = NULL_MEASURES if null else MEASURES
                found[method][str(budget)] |= {f"{prefix}{name}": row[name] for name in wanted}
            found[method].setdefault("seconds", time.process_time() - started)
    return {"number": number, "budgets": list(budgets), **found}


def run(
    numbers: Sequence[int],
    budgets: Sequence[int],
    replay: Replay,
    workers: int,
    out: Path,
    methods: Sequence[str] = METHODS,
    *,
    null_too: bool = True,
) -> list[dict[str, Any]]:
    """The replications; the missing ones are run, and each is added to the file when it is finished."""
    expected = sorted(set(budgets))

    def make(missing: Sequence[int]) -> Iterator[Record]:
        count = len(missing)
        arguments = (missing, [budgets] * count, [methods] * count, [null_too] * count)
        yield from mapped(workers, replication, *arguments, prepare=partial(keep, replay))

    for _ in resume(out, numbers, expected, make):
        pass
    return [record for record in read(out, expected) if record["number"] in numbers]


def ratios(runs: Sequence[Mapping[str, Any]], budgets: Sequence[int]) -> dict[str, Any]:
    """Generations to the reference's regret at the largest budget, as shares of that budget, and standard errors."""

    def of(method: str, measure: str) -> Any:
        return np.array([[run[method][str(budget)][measure] for budget in budgets] for run in runs])

    reference, made = of(REFERENCE, "regret")[:, -1], of(SWEEP, "used")
    found: dict[str, Any] = {}
    for name, measure in (("ratio_recommend", "regret"), ("ratio_claim", "regret_claimed")):
        for suffix, spent in (("", made), ("_budget", None)):
            part = ratio(of(SWEEP, measure), reference, budgets, made=spent)
            found |= {f"{name}{suffix}": part["value"], f"se_{name}{suffix}": part["se"]}
            found |= {f"{name}{suffix}_at_most": part["at_most"]}
    return found


def facts_of(replay: Replay) -> dict[str, float]:
    """Facts about the table, and the gain that it has."""
    problem = replay.problems[False]
    return {
        "generations": int(problem.scores.size),
        "baseline": problem.truth(problem.baseline),
        "best": problem.best,
        "gain": problem.best - problem.truth(problem.baseline),
        "better": int((problem.means > problem.truth(problem.baseline) + SAME).sum()),
        "noise_sd": float(np.sqrt(problem.scores.var(axis=2, ddof=1).mean())),
        "baseline_noise_sd": float(np.sqrt(problem.scores[problem.place(problem.baseline)].var(axis=1, ddof=1).mean())),
    }


def arguments(argv: list[str] | None) -> argparse.Namespace:
    """The command's arguments."""
    parser = command.parser(__doc__, quick="4 replications at budgets of 150 and 300")
    parser.add_argument("--replications", type=int, help=f"default {REPLICATIONS}")
    parser.add_argument("--budget", type=int, nargs="+", help=f"budgets (default {' '.join(map(str, BUDGETS))})")
    parser.add_argument("--tokens", action="store_true", help="budgets are tokens of the answers, no generations")
    parser.add_argument(
        "--set",
        type=command.setting,
        action="append",
        default=[],
        help="another value in the sweeps' file: TABLE.KEY=VALUE",
    )
    parser.add_argument("--workers", type=int, default=1, help="processes (default 1)")
    parser.add_argument("--without-null", action="store_true", help="leave out the null, where every claim is false")
    parser.add_argument("--methods", nargs="+", choices=METHODS, help="only these (default all)")
    parser.add_argument(
        "--first", type=int, default=0, help="number of the first replication, to go on with other ones"
    )
    parser.add_argument("--out", type=Path, help="JSON Lines file of the replications, to go on with")
    parser.add_argument("--table", choices=table.TABLES, default="grid", help="the table (default grid)")
    parser.add_argument("--file", type=Path, help="another file of the table")
    making = parser.add_argument_group("making the table")
    making.add_argument("--generate", action="store_true", help="make it; texts that the ledger has are reused")
    making.add_argument("--export", action="store_true", help="write it of the seeds that are whole")
    making.add_argument("--seeds", type=int, help="seeds per case (default those of a whole table)")
    making.add_argument("--minutes", type=float, help="stop generating after so many minutes")
    making.add_argument("--ledger", type=Path, default=table.ROOT / "mlruns" / "replay", help="folder of the ledger")
    making.add_argument("--library", type=Path, help="folder of another build of llama.cpp, for the random table")
    given = parser.parse_args(argv)
    if given.tokens and (planned := sorted(peers.PLANNED & set(given.methods or ()))):
        parser.error(f"--tokens: {' and '.join(planned)} plan in generations; leave them out of --methods")
    return given


def main(argv: list[str] | None = None) -> int:
    """Run the benchmark, or make its table; returns the exit code."""
    given = arguments(argv)
    chosen = table.TABLES[given.table]
    if given.generate or given.export:
        return (batched.make if chosen.nearest else table.make)(given, chosen)
    replications = given.replications or (4 if given.quick else REPLICATIONS)
    usual = TOKENS if given.tokens else BUDGETS
    budgets = sorted(given.budget or (usual[:2] if given.quick else usual))
    settings: dict[str, Any] = {"unit": "tokens" if given.tokens else "generations"}
    settings["tables"] = command.tables_of(given.set)
    started, replay = time.perf_counter(), Replay.of(table.load(given.file, chosen), chosen, **settings)
    usable = [method for method in METHODS if not given.tokens or method not in peers.PLANNED]
    numbers = range(given.first, given.first + replications)
    with tempfile.TemporaryDirectory() as folder:
        out = given.out or Path(folder) / "replications.jsonl"
        runs = run(
            numbers, budgets, replay, given.workers, out, given.methods or usable, null_too=not given.without_null
        )
    figures: dict[str, Any] = {"replications": replications, "unit": replay.unit, "table": facts_of(replay)}
    methods = [method for method in METHODS if any(method in found for found in runs)]
    for method in methods:
        # Replications that an older version left in a file may lack a rival.
        of_it = [found[method] for found in runs if method in found]
        figures[method] = {str(budget): means([states[str(budget)] for states in of_it]) for budget in budgets}
        timed = [states["seconds"] for states in of_it if "seconds" in states]
        figures[method]["seconds"] = float(np.mean(timed)) if timed else None
    figures["methods"], figures["absent"] = methods, peers.absent()
    if {SWEEP, REFERENCE} <= set(methods):
        figures |= ratios(runs, budgets)
    figures["seconds"] = time.perf_counter() - started
    return command.show(given, figures, lines_of(figures, budgets))


if __name__ == "__main__":
    sys.exit(main())
