"""The longest prompt against the context windows of a sweep."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from objectives import Case
from sweeps.config.space import Value
from sweeps.config.sweep_config import SweepConfig
from sweeps.engines.base import Engine, Prompt, PromptTooLong
from sweeps.errors import ConfigError
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
    """Ask the engine for the longest prompt's tokens, and compare them with every num_ctx of the sweep.

    Returns:
        The capacity. It names the choices of num_ctx that would cut the prompt, if others remain.

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
        return error.prompt_tokens or whole(options, "num_ctx") + 1


def _contexts(config: SweepConfig) -> list[int]:
    """Return every num_ctx of the sweep, or the ends of its range; the baseline's first."""
    contexts = [whole(config.baseline.options, "num_ctx")]
    if "num_ctx" in config.space:
        contexts += [int(as_number(value)) for value in config.space["num_ctx"].extremes()]
    return contexts


def _round_up(tokens: int, to: int = 256) -> int:
    return -(-tokens // to) * to
