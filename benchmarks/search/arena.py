"""Where ways to search meet at equal generations: problems whose truth is known, and the product at work on them.

This is no benchmark by itself. `selection.py` uses it on simulated surfaces, `replay.py` on a table of generations;
the product's rivals are in `peers/peers.py`.

A `Problem` gives the score of one noisy generation of a configuration on a case, and the true score. `run_sweep`
gives it to the product: a whole sweep from the first request to the verdict, by `sweeps.study.sweep.Sweep` itself with
the scripted engine.
"""

from __future__ import annotations

import math
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

from benchmarks.sweep_file import toml_text

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

    from objectives import Case
    from sweeps.engines.scripted.surfaces import Surface
    from sweeps.results.result import SweepResult

Array = npt.NDArray[np.float64]
Options = Mapping[str, Any]
Write = Callable[["Case", Options, np.random.Generator], str]
Active = Mapping[str, Mapping[str, Sequence[Any]]]

MODEL = "simulated"
WEIGHTS = 60
"""Sum of the weights of a synthetic case's items: scores are multiples of 1/60 for everybody."""


class Problem(Protocol):
    """Options to tune, with the truth about them.

    Attributes:
        distributions: The space as Optuna distributions, by Ollama's option names.
        active_when: Conditions: an option to other options and the values of theirs under which it acts.
        baseline: The options in use today; all of `distributions` that are active, and others if wanted.
        cases: Number of cases.
        best: Mean score, in truth, of the best configuration.
    """

    distributions: Mapping[str, BaseDistribution]
    active_when: Active
    baseline: Options
    cases: int
    best: float

    def draw(self, options: Options, case: int, rng: np.random.Generator) -> float:
        """Score of one generation on the case of that index, in [0, 1].

        The options may lack some that do nothing beside the others (`mirostat_tau` where mirostat is off), and may have
        more than the space (`seed`, `num_predict`): the engine passes the options that act.
        """
        ...

    def draw_block(self, options: Options, repeats: int, rng: np.random.Generator) -> Array:
        """Scores of independent generations, shape (cases, repeats)."""
        ...

    def truth(self, options: Options) -> float:
        """Mean score over the cases."""
        ...


class SurfaceProblem:
    """A simulated surface as a problem."""

    def __init__(self, surface: Surface) -> None:
        from sweeps.engines.scripted.surfaces import search_space
        from sweeps.options import ACTIVE_WHEN

        self.surface = surface
        self.distributions: Mapping[str, BaseDistribution] = search_space()
        self.active_when: Active = {name: ACTIVE_WHEN[name] for name in self.distributions if name in ACTIVE_WHEN}
        self.baseline: Options = surface.baseline
        self.cases = surface.cases
        self.best = surface.mean(surface.baseline) + surface.gain

    def draw(self, options: Options, case: int, rng: np.random.Generator) -> float:
        """See `Problem.draw`."""
        return self.surface.draw_one(options, case, rng)

    def draw_block(self, options: Options, repeats: int, rng: np.random.Generator) -> Array:
        """See `Problem.draw_block`; rounded at random as the texts are that the engine writes."""
        scores = self.surface.draw([options], repeats, rng)[0]
        return np.asarray(np.floor(scores * WEIGHTS + rng.random(scores.shape)) / WEIGHTS)

    def truth(self, options: Options) -> float:
        """See `Problem.truth`."""
        return self.surface.mean(options)


# ---- the product


@dataclass(frozen=True)
class Swept:
    """The outcome of one sweep.

    Attributes:
        budget: Generations that it was given.
        used: Generations that it made, warm-ups (one token each) aside.
        outcome: The verdict's outcome; None without a verdict.
        recommended: True mean of the recommended configuration: see `SweepResult.recommended`.
        claimed: True mean of the configuration in use if only claims count: the finalist if shown better, otherwise the
            baseline.
        finalist: True mean of the finalist; NaN without one.
        reported: The finalist's mean as the verdict reports it; NaN without a verdict.
        effect: The verdict's effect; NaN without a verdict.
        believed: Gain of the finalist that the search expects before the confirmation; NaN where it has no belief.
        believed_sd: Standard deviation of that belief; NaN likewise.
        fresh_effect: The finalist's fresh mean less that of all fresh generations of the baseline; NaN without one.
        fresh_error: Standard error of that difference; NaN likewise.
        wall: Seconds of the sweep, all of them its own: nothing is generated.
        cpu: Processor seconds of the same.
        planned_seeds: Fresh seeds per case and arm that were planned for the confirmation.
        made_seeds: Seeds of its last look; 0 without one.
    """

    budget: int
    used: int
    outcome: str | None
    recommended: float
    claimed: float
    finalist: float
    reported: float
    effect: float
    believed: float
    believed_sd: float
    fresh_effect: float
    fresh_error: float
    wall: float
    cpu: float
    planned_seeds: int = 0
    made_seeds: int = 0


def run_sweep(
    problem: Problem,
    budget: int,
    seed: int,
    *,
    cases: Sequence[Case] | None = None,
    write: Write | None = None,
    tables: Mapping[str, Mapping[str, Any]] | None = None,
    directory: str | None = None,
    seen: Callable[[SweepResult], object] = lambda _: None,
) -> Swept:
    """Run the product on a problem, from its TOML text to its verdict, with default settings.

    Args:
        problem: The problem.
        budget: Generations.
        seed: Seed of the study, at most 1,000,000,000. Take it from `spread_seed`: studies
            with seeds near each other share seeds of generations.
        cases: The cases; synthetic ones by default.
        write: Writes a text that scores as the problem says; by default one that covers a share of a synthetic case's
            items that is the drawn score, rounded at random.
        tables: More keys of the configuration by table, such as `{"search": {"sampler": "tpe"}}`.
        directory: Where its ledger goes; a place that is removed afterwards by default.
        seen: Gets the whole result.
    """
    from sweeps.config.file import parse_config
    from sweeps.engines.scripted.engine import ScriptedEngine
    from sweeps.engines.scripted.texts import synthetic_cases
    from sweeps.results.look_history import stored_priors
    from sweeps.study.sweep import Sweep

    cases = synthetic_cases(problem.cases) if cases is None else cases
    engine = ScriptedEngine(cases, write=write or _writer(problem, cases), models=(MODEL,))
    tables = dict(tables or {})
    if write is None:  # texts that cover a drawn share of the items score that share only if items are counted
        tables["objective"] = {"score": "counted", **tables.get("objective", {})}
    config = parse_config(toml_of(problem, budget, seed, tables))
    place = tempfile.TemporaryDirectory(dir=scratch(), prefix="arena-") if directory is None else nullcontext(directory)
    with place as folder:
        wall, cpu = time.perf_counter(), time.process_time()
        result = Sweep(
            config,
            directory=folder,
            engine=engine,
            cases=cases,
            tracking=False,
            report=False,
            keep_trials=False,
            progress=None,
        ).run()
        seen(result)
        verdict = result.verdict
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    baseline = problem.truth(problem.baseline)
    finalist = math.nan if result.finalist is None else problem.truth(result.finalist.configuration.options)
    belief = None if result.finalist is None else stored_priors(result.stored.record).get(result.finalist.number)
    return Swept(
        budget=budget,
        used=len(result.rows),
        outcome=None if verdict is None else verdict.outcome,
        recommended=problem.truth(result.recommended.options),
        claimed=finalist if result.shown_better else baseline,
        finalist=finalist,
        reported=math.nan if verdict is None else verdict.finalist_mean,
        effect=math.nan if verdict is None else verdict.effect,
        believed=math.nan if belief is None else belief.mean,
        believed_sd=math.nan if belief is None else belief.sd,
        fresh_effect=math.nan if verdict is None else result.fresh_effects.get(verdict.configuration, verdict.effect),
        fresh_error=math.nan if verdict is None else verdict.standard_error,
        wall=wall,
        cpu=cpu,
        planned_seeds=result.plan.confirm_seeds,
        made_seeds=result.looks[-1].seeds if result.looks else 0,
    )


def _writer(problem: Problem, cases: Sequence[Case]) -> Write:
    """Texts of synthetic cases that score as the problem says."""
    from sweeps.engines.scripted.texts import covering

    position = {case.name: index for index, case in enumerate(cases)}

    def write(case: Case, options: Options, rng: np.random.Generator) -> str:
        said = covering(case, problem.draw(options, position[case.name], rng), rng)
        return " ".join([*said, f"Draft {rng.integers(1_000_000)}."])

    return write


def toml_of(
    problem: Problem, budget: int, seed: int, tables: Mapping[str, Mapping[str, Any]], unit: str = "generations"
) -> str:
    """The sweep's file, as a user would write it; `unit` is the key of its budget."""
    space = {
        name: _range_of(distribution, problem.active_when.get(name, {}))
        for name, distribution in problem.distributions.items()
    }
    file: dict[str, dict[str, Any]] = {
        "study": {"name": "arena", "seed": seed},
        "engine": {"kind": "scripted"},
        "prompts": {"only": {"user": "{log}"}},
        "objective": {"cases": "none"},
        "baseline": {"model": MODEL, "prompt": "only", **problem.baseline},
        "space": space,
        "search": {"probe": False},
        "budget": {unit: budget},
    }
    for table, keys in tables.items():
        file[table] = file.get(table, {}) | dict(keys)
    return toml_text(file)


def _range_of(distribution: BaseDistribution, when: Mapping[str, Sequence[Any]]) -> dict[str, Any]:
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    table: dict[str, Any] = {}
    if isinstance(distribution, CategoricalDistribution):
        table["choices"] = list(distribution.choices)
    else:
        assert isinstance(distribution, (FloatDistribution, IntDistribution))
        table |= {"low": distribution.low, "high": distribution.high, "log": distribution.log}
        if distribution.step is not None and not distribution.log:
            table["step"] = distribution.step
    if when:
        table["when"] = {parent: list(values) for parent, values in when.items()}
    return table


def scratch() -> str | None:
    """A folder for a ledger that is removed afterwards: in memory where there is one."""
    return "/dev/shm" if Path("/dev/shm").is_dir() else None


def spread_seed(*parts: int) -> int:
    """A seed of a study, far from the seeds of other parts: no two studies share seeds of generations."""
    return int(np.random.default_rng(parts).integers(1_000_000_000))
