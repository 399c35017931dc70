"""The longest prompt against the context windows of a sweep."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from objectives import Case
from sweeps.config.narrowed_space import TooLarge, between
from sweeps.config.space import Value
from sweeps.config.sweep_config import SweepConfig
from sweeps.engines.base import Engine, OutOfMemory, Prompt, PromptTooLong
from sweeps.errors import ConfigError
from sweeps.hosts.memory import no_memory
from sweeps.hosts.sweep_hosts import models_of, prompts_of
from sweeps.options import OptionValue, as_number, whole


@dataclass(frozen=True)
class Capacity:
    """Whether the prompts fit the context windows of a sweep.

    Attributes:
        longest: Tokens of the longest prompt.
        case: The case of that prompt.
        smallest_ctx: The smallest num_ctx of the sweep that does not cut it.
        models: Tokens of the longest prompt by model.
        removed: Choices of num_ctx in the space that would cut it and must not be used.
        too_large: Values of num_ctx or model that the host has no memory for.
    """

    longest: int
    case: str
    smallest_ctx: int
    models: Mapping[str, int] = field(default_factory=dict)
    removed: tuple[Value, ...] = ()
    too_large: tuple[TooLarge, ...] = ()

    @property
    def room(self) -> int:
        """Tokens left for the answer at the smallest num_ctx."""
        return self.smallest_ctx - self.longest


def measure_capacity(engine: Engine, config: SweepConfig, cases: Sequence[Case]) -> Capacity:
    """Ask the engine for the longest prompt's tokens, and compare them with every num_ctx of the sweep.

    The engine loads the model with the largest num_ctx first. Where its memory is too small, it tries smaller ones.

    Returns:
        The capacity. It names the choices of num_ctx that would cut the prompt, if others remain.

    Raises:
        ConfigError: If the baseline's num_ctx, a range's lower end or every choice would cut the prompt, or if the
            baseline does not fit into the host's memory.
    """
    contexts = _contexts(config)
    longest = max(cases, key=lambda case: len(case.log.encode()))
    counts: dict[str, int] = {}
    too_large: list[TooLarge] = []
    prompts = [config.prompts[name].fill(longest.log) for name in prompts_of(config)]
    for model in models_of(config):
        found, tokens_of_it = _largest_that_fits(engine, prompts, model, config)
        too_large += [each for each in found if each not in too_large]
        if tokens_of_it is not None:
            counts[model] = tokens_of_it
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
    smallest = min(c for c in contexts if c not in small)
    return Capacity(tokens, longest.name, smallest, counts, removed, tuple(too_large))


def _largest_that_fits(
    engine: Engine, prompts: Sequence[Prompt], model: str, config: SweepConfig
) -> tuple[list[TooLarge], int | None]:
    """Count the prompts' tokens with the largest num_ctx that the host has memory for.

    Returns:
        The values that are too large, and the tokens of the longest prompt; None for a model that does not fit at all.

    Raises:
        ConfigError: If that model is the baseline's.
    """
    own = whole(config.baseline.options, "num_ctx")
    found: list[TooLarge] = []
    context = max(_contexts(config))
    while True:
        try:
            options = {**config.baseline.options, "num_ctx": context}
            tokens = max(_count(engine, prompt, model, options) for prompt in prompts)
        except OutOfMemory as error:
            reason = f"It does not fit into the memory of {engine.address} with model {model}: {error}"
            if context <= own and model == config.baseline.model:
                raise ConfigError(
                    f"{config.path or '<text>'}: baseline.num_ctx {context}: {no_memory(config.baseline, str(error))}"
                ) from None
            if context <= own:
                return [TooLarge("model", model, reason)], None
            found.append(TooLarge("num_ctx", context, reason, None))
            context = _smaller(context, config)
            continue
        if found and not config.space["num_ctx"].choices:
            found = [replace(found[0], highest=context)]
        return found, tokens


def _smaller(context: int, config: SweepConfig) -> int:
    """Return the num_ctx to try after one that is too large; at last the baseline's."""
    own, dimension = whole(config.baseline.options, "num_ctx"), config.space["num_ctx"]
    if dimension.choices:
        return max(each for each in _contexts(config) if each < context)
    lower = max(own, int(dimension.low))
    return int(as_number(between(dimension, lower, context))) if context - lower > max(lower, 256) else own


def _count(engine: Engine, prompt: Prompt, model: str, options: Mapping[str, OptionValue]) -> int:
    try:
        return engine.count_tokens(prompt, model=model, options=options)
    except PromptTooLong as error:
        return error.prompt_tokens or whole(options, "num_ctx") + 1


def _contexts(config: SweepConfig) -> list[int]:
    """Return every num_ctx of the sweep, or the ends of its range; the baseline's first."""
    contexts = [whole(config.baseline.options, "num_ctx")]
    if "num_ctx" in config.space:
        contexts += [int(as_number(value)) for value in config.space["num_ctx"].extremes()]
    return contexts


def _round_up(tokens: int, to: int = 256) -> int:
    return -(-tokens // to) * to
