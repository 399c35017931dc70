"""What must hold before a sweep spends anything: cases, objective, models, fingerprints, prompts that fit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from objectives import Case, CaseError, ModelAccess, Objective, ObjectiveError, load_cases, make_objective
from sweeps.addresses import without_password
from sweeps.config.file import SweepConfig
from sweeps.config.space import Value
from sweeps.engines import EngineSpec
from sweeps.engines.base import Engine, EngineUnreachable, OptionValue, Prompt, PromptTooLong
from sweeps.errors import ConfigError
from sweeps.fingerprints.capture import take
from sweeps.fingerprints.fingerprint import Fingerprint, diff, in_digest, readable
from sweeps.hosts.host import Host


def load_inputs(
    config: SweepConfig,
    models: ModelAccess | None = None,
    *,
    cases: Sequence[Case] | None = None,
    objective: Objective | None = None,
) -> tuple[list[Case], Objective]:
    """The cases and the objective that a sweep names; `models` is how its matcher reaches a model.

    Args:
        config: The configuration.
        models: How the objective's matcher reaches a model.
        cases: Taken instead of those that the configuration names.
        objective: Taken instead of the configuration's.

    Raises:
        ConfigError: With what is wrong with either.
    """
    from analysis.comparison.pair import FEWEST_CASES

    table = config.objective
    where = config.path or "<text>"
    problems: list[str] = []
    try:
        cases = load_cases(config.cases_path, names=table.names) if cases is None else cases
    except CaseError as error:
        problems.append(str(error))
    try:
        spec = table.model_dump(exclude={"cases", "names"}, exclude_none=True)
        objective = objective or make_objective(spec, models=models, directory=config.directory)
    except ObjectiveError as error:
        problems += [f"{where}: objective.{line}" for line in str(error).splitlines()]
    if config.verdict.claim == "new-cases" and cases is not None and len(cases) < FEWEST_CASES:
        problems.append(
            f'{where}: verdict.claim: "new-cases" takes at least {FEWEST_CASES} cases, and there are {len(cases)}: name'
            ' more (objective.cases, objective.names), or claim "these-cases"'
        )
    if problems or objective is None or cases is None:
        raise ConfigError(problems)
    return list(cases), objective


def engine_specs(config: SweepConfig, log_dir: Path | None = None) -> list[EngineSpec]:
    """The engines that a sweep names, one per host."""
    table = config.engine
    return [
        EngineSpec(
            kind=table.kind,
            host=address,
            model=config.baseline.model,
            timeout=table.timeout,
            options=table.options,
            log_dir=log_dir,
            source=f"{config.path or '<text>'}: engine.options",
        )
        for address, _ in table.all_hosts
    ]


def models_of(config: SweepConfig) -> list[str]:
    """Every model that the sweep can use, the baseline's first."""
    swept = list(config.space["model"].choices) if "model" in config.space else []
    return list(dict.fromkeys([config.baseline.model, *map(str, swept)]))


def prompts_of(config: SweepConfig) -> list[str]:
    """Every prompt that the sweep can use, the baseline's first."""
    swept = list(config.space["prompt"].choices) if "prompt" in config.space else []
    return list(dict.fromkeys([config.baseline.prompt, *map(str, swept)]))


def fingerprints_of(
    engine: Engine, config: SweepConfig, host: int = 0, *, known: Mapping[str, Fingerprint] | None = None
) -> dict[str, Fingerprint]:
    """Fingerprints by model of the sweep's host of that index; what `known` ones tell of this process is taken over.

    Raises:
        ModelMissing: Naming a model that the host does not have, and those it has.
        EngineUnreachable: If nothing answers.
    """
    name = config.engine.all_hosts[host][1]
    path = None if name is None else config.directory / name
    client = next((fingerprint.facts["client"] for fingerprint in (known or {}).values()), None)
    return {model: take(engine, model, host_file=path, client=client) for model in models_of(config)}


def open_hosts(engines: Sequence[Engine], config: SweepConfig) -> list[Host]:
    """The hosts of a sweep with their fingerprints.

    Of several hosts, one that does not answer is set aside (`Host.dropped` says why); a single one must answer.

    Raises:
        ConfigError: If there are more engines than hosts.
        EngineUnreachable: If no host answers.
        ModelMissing: If a host does not have a model of the sweep.
    """
    if len(engines) > (named := len(config.engine.all_hosts)):  # what a study's hosts are must stand in its file
        one = 'kind = "llamacpp" takes one engine, inside this process'
        many = f"name all {len(engines)} of them, in the order of the engines: engine.hosts = ["
        many += ", ".join(f'"ADDRESS-{number}"' for number in range(1, len(engines) + 1)) + "]"
        raise ConfigError(
            f"{config.path or '<text>'}: engine.hosts: {len(engines)} engines were given, for {named}"
            f" {'host' if named == 1 else 'hosts'}; {one if config.engine.kind == 'llamacpp' else many}"
        )
    hosts, unreachable = [], []
    for index, engine in enumerate(engines):
        host = Host(engine, {}, timeout=config.engine.timeout, name=_name_of(config, index) or engine.address)
        try:
            host.fingerprints = fingerprints_of(engine, config, index)
        except EngineUnreachable as error:
            host.dropped = str(error)
            unreachable.append(error)
        hosts.append(host)
    if len(unreachable) == len(hosts):
        raise unreachable[0]
    return hosts


def _name_of(config: SweepConfig, index: int) -> str:
    """A host as the file names it, or ""; names are shown and kept, so they go without passwords."""
    return without_password(config.engine.all_hosts[index][0] or "")


def host_differences(hosts: Sequence[Host]) -> list[str]:
    """How hosts differ from the first one in engine and model: texts from them are not the same population.

    What is known only of a loaded model is no difference: on one host it may have been loaded before.
    """
    working = [host for host in hosts if host.fingerprints]
    lines = []
    for host in working[1:]:
        for model, fingerprint in host.fingerprints.items():
            lines += [
                f"{host.name} differs from {working[0].name} in {change.field}: {readable(change.b)} instead of"
                f" {readable(change.a)}"
                for change in diff(working[0].fingerprints[model], fingerprint)
                if in_digest(change.field) and change.field.startswith(("engine.", "model."))
            ]
    return list(dict.fromkeys(lines))


@dataclass(frozen=True)
class Capacity:
    """Whether the prompts fit the context windows of a sweep.

    Attributes:
        longest: Tokens of the longest prompt.
        case: The case that it belongs to.
        smallest_ctx: The smallest num_ctx that the sweep can use without cutting it.
        models: Tokens of the longest prompt by model.
        removed: Choices of num_ctx in the space that would cut it, and are not to be used.
    """

    longest: int
    case: str
    smallest_ctx: int
    models: Mapping[str, int] = field(default_factory=dict)
    removed: tuple[Value, ...] = ()

    @property
    def room(self) -> int:
        """Tokens left for the answer at the smallest num_ctx."""
        return self.smallest_ctx - self.longest


def measure_capacity(engine: Engine, config: SweepConfig, cases: Sequence[Case]) -> Capacity:
    """Count the longest prompt's tokens by asking the engine, and hold them against every num_ctx of the sweep.

    Returns:
        The capacity; choices of num_ctx that would cut the prompt are named in it where others remain.

    Raises:
        ConfigError: If the baseline's num_ctx, a range's lower end or every choice would cut the prompt.
    """
    contexts = _contexts(config)
    longest = max(cases, key=lambda case: len(case.log.encode()))
    counts = {}
    for model in models_of(config):
        options = {**config.baseline.options, "num_ctx": max(contexts)}
        prompts = [config.prompts[name].fill(longest.log) for name in prompts_of(config)]
        counts[model] = max(_count(engine, prompt, model, options) for prompt in prompts)
    tokens = max(counts.values())
    small = [context for context in contexts if context <= tokens]
    swept = "num_ctx" in config.space
    choices = config.space["num_ctx"].choices if swept else ()
    if contexts[0] in small or (small and not choices) or (choices and set(small) >= set(choices)):
        where, value = "baseline.num_ctx", contexts[0]
        if value not in small:
            where, value = ("space.num_ctx", max(small)) if choices else ("space.num_ctx.low", min(small))
        raise ConfigError(
            f"{config.path or '<text>'}: {where}: the prompt of case {longest.name!r} has {tokens} tokens, more than"
            f" num_ctx {value} holds; use at least {_round_up(tokens + 256)}, or"
            " leave the case out (objective.names)"
        )
    removed = tuple(value for value in choices if value in small)
    return Capacity(tokens, longest.name, min(c for c in contexts if c not in small), counts, removed)


def _count(engine: Engine, prompt: Prompt, model: str, options: Mapping[str, OptionValue]) -> int:
    try:
        return engine.count_tokens(prompt, model=model, options=options)
    except PromptTooLong as error:
        return error.prompt_tokens or int(options["num_ctx"]) + 1


def _contexts(config: SweepConfig) -> list[int]:
    """Every num_ctx that the sweep can use, or the ends of their range; the baseline's first."""
    contexts = [int(config.baseline.options["num_ctx"])]
    if "num_ctx" in config.space:
        contexts += [int(value) for value in config.space["num_ctx"].extremes()]
    return contexts


def _round_up(tokens: int, to: int = 256) -> int:
    return -(-tokens // to) * to
