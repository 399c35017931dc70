"""Expected time of a sweep, by parts, from the times of a few real requests."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from objectives import Case
from sweeps.budget.plan import Plan
from sweeps.config.sweep_config import SweepConfig
from sweeps.engines.base import Engine, Generation, Prompt
from sweeps.engines.companions import keeps_prompts, requests_at_once
from sweeps.hosts.timed_engine import TimedEngine, prefill_rate
from sweeps.options import OPTIONS, as_number

LIMIT = "num_predict"
"""The option that limits a text's tokens."""


@dataclass(frozen=True)
class TimeEstimate:
    """Expected seconds of a sweep and its parts, on one host.

    Attributes:
        loads: Loads of the model.
        load_seconds: All loads together; 0 where a single load was already made.
        prefills: Prompts evaluated in full (one per warm-up).
        prefill_seconds: All prefills together.
        generations: Generations, warm.
        decode_seconds: All generations together, so many at a time as a host takes at once.
        hosts: Number of hosts that share the work.
        at_once: Generations that run at the same time on a host.
        most_seconds: Seconds of the whole sweep if every text takes all tokens that it may; 0 where that is unknown.
    """

    loads: int
    load_seconds: float
    prefills: int
    prefill_seconds: float
    generations: int
    decode_seconds: float
    hosts: int = 1
    at_once: int = 1
    most_seconds: float = 0.0

    @property
    def seconds(self) -> float:
        """Expected seconds of the whole sweep, with the work shared by the hosts."""
        return (self.load_seconds + self.prefill_seconds + self.decode_seconds) / self.hosts

    @property
    def text(self) -> str:
        """One line for people."""
        shared = f" on {self.hosts} hosts" if self.hosts > 1 else ""
        loads = f"{self.loads} loads {readable_time(self.load_seconds)}" if self.loads > 1 else "1 load"
        if self.loads > 1 and not self.load_seconds:
            loads = f"{self.loads} loads (the time of one is not known)"
        time = f"about {readable_time(self.seconds)}"
        if self.most_seconds > 1.05 * self.seconds:
            time += f" (up to {readable_time(self.most_seconds)}, since texts may be longer than the baseline's)"
        several = f", {self.at_once} at a time" if self.at_once > 1 else ""
        return (
            f"{time}{shared}: {loads}, prefill of {self.prefills} prompts {readable_time(self.prefill_seconds)},"
            f" {self.generations} generations {readable_time(self.decode_seconds)}{several}"
        )

    def as_dict(self) -> dict[str, Any]:
        """The fields and the total, as JSON types."""
        return asdict(self) | {"seconds": self.seconds}


def readable_time(seconds: float) -> str:
    """Seconds as `4.2 s`, `3.5 min` or `2.1 h`."""
    if seconds < 90:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    return f"{seconds / 60:.1f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


@dataclass(frozen=True)
class Pace:
    """Measured times of requests on a sweep's engines, in seconds.

    Attributes:
        decode: One warm generation.
        prefill: One prompt's evaluation in full.
        load: One load of the model; 0 where none was measured.
        hosts: Number of hosts that share the work.
        at_once: Generations that run at the same time on a host. A prompt's evaluation takes all cores.
        keeps_prompts: Whether a host evaluates a prompt once, and restores it when it comes again.
        longest: One warm generation of num_predict tokens, or of the most that are searched; 0 where there is no limit.
    """

    decode: float
    prefill: float
    load: float
    hosts: int = 1
    at_once: int = 1
    keeps_prompts: bool = False
    longest: float = 0.0

    def estimate(self, plan: Plan, config: SweepConfig, done: Mapping[str, int] | None = None) -> TimeEstimate:
        """Expected times of a plan, without the generations that each stage has already."""
        stages = stage_requests(plan, config, keeps_prompts=self.keeps_prompts)
        left = {name: _rest(stage, (done or {}).get(name, 0)) for name, stage in stages.items()}
        if self.keeps_prompts and any(stage.generations for stage in left.values()):
            # A new process has no states: the prompts of the stages before are evaluated when they come again.
            left = {name: replace(stage, prefills=stages[name].prefills) for name, stage in left.items()}
        loads = math.ceil(sum(stage.loads for stage in left.values()))
        prefills = math.ceil(sum(stage.prefills for stage in left.values()))
        generations = sum(stage.generations for stage in left.values())
        most = self.seconds(Requests(loads, prefills, generations), self.longest) if self.longest else 0.0
        return TimeEstimate(
            loads=loads,
            load_seconds=loads * self.load,
            prefills=prefills,
            prefill_seconds=prefills * self.prefill,
            generations=generations,
            decode_seconds=generations * self.decode / self.at_once,
            hosts=self.hosts,
            at_once=self.at_once,
            most_seconds=most,
        )

    def seconds(self, requests: Requests, each: float | None = None) -> float:
        """Expected seconds of some requests, with `each` seconds for a generation in place of `decode`."""
        decode = requests.generations * (self.decode if each is None else each) / self.at_once
        return (requests.loads * self.load + requests.prefills * self.prefill + decode) / self.hosts


def measured_pace(
    answers: Sequence[Generation],
    watchers: Sequence[TimedEngine],
    config: SweepConfig,
    cases: Sequence[Case],
    engines: Sequence[Engine],
) -> Pace:
    """The pace of the engines, from the baseline's answers. Sends one prompt where no full evaluation was timed.

    Args:
        answers: Warm answers of the baseline, one per case; at least one.
        watchers: Timers of the engines.
        config: The sweep.
        cases: Its cases.
        engines: Engines of the working hosts.
    """
    tokens = sum(answer.prompt_tokens or 0 for answer in answers) / len(answers)
    rate = prefill_rate([answer for watcher in watchers for answer in watcher.warmups])
    return Pace(
        decode=sum(answer.timing.total - answer.timing.load for answer in answers) / len(answers),
        prefill=tokens * (_fresh_prefill_rate(engines[0], config, cases) if rate is None else rate),
        load=max((watcher.load_seconds for watcher in watchers), default=0.0),
        hosts=len(engines),
        at_once=_at_once(engines[0], config),
        keeps_prompts=_keeps_prompts(engines[0], tokens, config, cases),
        longest=_longest(answers, config),
    )


def _longest(answers: Sequence[Generation], config: SweepConfig) -> float:
    """Seconds of a warm generation that takes all tokens that it may; 0 without a limit, or where none are counted."""
    searched = [d.high if not d.choices else max(map(as_number, d.choices)) for d in config.space if d.name == LIMIT]
    limit = max(as_number(config.baseline.options.get(LIMIT, -1)), *searched, 0.0)
    tokens = sum(answer.output_tokens or 0 for answer in answers)
    if not tokens or limit <= 0:
        return 0.0
    warm = sum(answer.timing.total - answer.timing.load - answer.timing.decode for answer in answers) / len(answers)
    return warm + limit * sum(answer.timing.decode for answer in answers) / tokens


def _at_once(engine: Engine, config: SweepConfig) -> int:
    """Requests at the same time; one where the space has something that may leave no core for another."""
    if (
        any(name in config.space for name in ("model", "num_thread", "num_gpu"))
        or "seconds" in config.constraints.limits
    ):
        return 1
    return requests_at_once(engine, config.baseline.model, config.baseline.options)


def reloads(config: SweepConfig) -> bool:
    """Whether the space has an option that reloads the model, or several models."""
    return any(d.name == "model" or (d.name in OPTIONS and OPTIONS[d.name].reload) for d in config.space)


def _keeps_prompts(engine: Engine, tokens: float, config: SweepConfig, cases: Sequence[Case]) -> bool:
    """Whether an engine evaluates each prompt once; a load forgets them.

    Args:
        engine: The engine.
        tokens: Mean tokens of a prompt.
        config: The sweep.
        cases: Its cases.
    """
    prompts = math.prod(d.size for d in config.space if d.name == "prompt") * len(cases)
    return not reloads(config) and keeps_prompts(engine, int(tokens * prompts), model=config.baseline.model)


def _fresh_prefill_rate(engine: Engine, config: SweepConfig, cases: Sequence[Case]) -> float:
    """Seconds per prompt token of a new prompt, which no cache can have; for answers that came from the ledger."""
    case, baseline = min(cases, key=lambda case: len(case.log)), config.baseline
    filled = config.prompts[baseline.prompt].fill(case.log)
    fresh = Prompt(filled.user, f"[{time.time_ns()}] {filled.system or ''}")
    options = {**baseline.options, "num_predict": 1, "seed": 1}
    return prefill_rate([engine.generate(fresh, options, model=baseline.model)]) or 0.0


@dataclass(frozen=True)
class Requests:
    """Expected requests of a stage.

    Attributes:
        loads: Loads of the model.
        prefills: Prompts evaluated in full.
        generations: Generations.
    """

    loads: float
    prefills: float
    generations: int


def stage_requests(plan: Plan, config: SweepConfig, *, keeps_prompts: bool = False) -> dict[str, Requests]:
    """Expected requests of floor, explore and confirm in the schedule's order.

    Floor and confirmation run on every host, so that each host loads the model and evaluates the prompts. Each look of
    the confirmation begins with the first case again. So does the floor after its timed generations.

    Args:
        plan: The plan.
        config: The sweep, with the space that is searched.
        keeps_prompts: Whether a host evaluates a prompt at its first request only, which nothing makes it forget.
    """
    reload = [d.size for d in config.space if d.name == "model" or (d.name in OPTIONS and OPTIONS[d.name].reload)]
    prompts = [d.size for d in config.space if d.name == "prompt"]
    batches = math.ceil(plan.trials / config.search.batch)
    size = max(1, min(config.search.batch, plan.trials))
    groups = expected_groups(math.prod(reload), size)
    warm = expected_groups(math.prod([*reload, *prompts]), size)
    # Trials that share a warm prompt may differ in cases: a batch has this many parts of the cases.
    parts = min(size / warm, math.ceil(size / plan.together))
    in_group = min(plan.cases, plan.trial_cases * parts)
    # Of a comparison every arm may have a prompt, or a context, of its own.
    arms = (1 + plan.finalists if plan.is_comparison else 2) if reload or prompts else 1
    looks, everywhere = len(plan.looks), plan.cases * plan.hosts
    if keeps_prompts:
        tried = expected_groups(math.prod(prompts), plan.trials) if plan.trials else 0
        return {
            "floor": Requests(plan.hosts, everywhere, plan.floor),
            "explore": Requests(0, everywhere * max(0, tried - 1), plan.explore),
            "confirm": Requests(0, everywhere * (arms - 1) if plan.is_comparison else 0, plan.confirm),
        }
    # The first seed of each case, by which such a budget is planned, is generated before the other ones.
    rounds = 1 if config.budget.minutes is None and config.budget.tokens is None else 2
    return {
        "floor": Requests(
            plan.hosts,
            everywhere * rounds,
            plan.floor,
        ),
        "explore": Requests(batches * groups if reload else 0, in_group * batches * warm, plan.explore),
        "confirm": Requests(looks * plan.hosts if reload else 0, everywhere * looks * arms, plan.confirm),
    }


def _rest(stage: Requests, done: int) -> Requests:
    """The requests of a stage that are left after some generations."""
    left = max(0, stage.generations - done)
    share = left / stage.generations if stage.generations else 0.0
    return Requests(stage.loads * share, stage.prefills * share, left)


def expected_groups(values: float, draws: int) -> float:
    """Expected number of different values in `draws` uniform draws from `values` values, which may be infinite."""
    return draws if math.isinf(values) else values * (1 - (1 - 1 / values) ** draws)
