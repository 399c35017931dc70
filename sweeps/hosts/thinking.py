"""Models that think before they answer, and those that cannot."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sweeps.config.space import Value
from sweeps.config.sweep_config import SweepConfig
from sweeps.errors import ConfigError
from sweeps.hosts.host import Host

THINK, ABILITY = "think", "thinking"


def refuse_thought(hosts: Sequence[Host], config: SweepConfig, models: Sequence[str]) -> None:
    """Refuse `think` for models that cannot think, by their hosts' own account.

    `think = false` suits every model. Hosts that do not tell abilities are left to the probe.

    Args:
        hosts: The hosts of the sweep.
        config: The sweep.
        models: The models of the sweep.

    Raises:
        ConfigError: With the place, the model and its abilities.
    """
    problems = []
    for model in models:
        wanted = list(_wanted(config, model))
        for host in hosts if wanted else ():
            known = None if host.dropped else host.engine.capabilities(model)
            if known is not None and ABILITY not in known:
                where = f"{config.path or '<text>'}: {wanted[0]}"
                can = ", ".join(sorted(known)) or "nothing"
                problems.append(
                    f"{where}: model {model} on {host.label} cannot think (its abilities: {can}); set think = false, or"
                    " leave think out"
                )
                break
    if problems:
        raise ConfigError(problems)


def _wanted(config: SweepConfig, model: str) -> Iterator[str]:
    """Yield the places where a sweep asks a model to think."""
    space = () if config.is_comparison else config.space  # a comparison's space is made of its candidates
    swept = next((dimension for dimension in space if dimension.name == THINK), None)
    at_baseline = config.baseline.options.get(THINK)
    if at_baseline and (model == config.baseline.model or swept is None):
        yield f"baseline.think is {_text(at_baseline)}"
    if swept is not None and model in swept.when.get("model", (model,)) and any(swept.choices):
        yield f"space.think has {swept.text()}"

    for candidate in config.candidates:
        configuration = candidate.configuration(config.baseline)
        if configuration.model == model and configuration.options.get(THINK):
            yield f"candidates.{candidate.name}"


def _text(value: Value) -> str:
    return str(value).lower() if isinstance(value, bool) else f'"{value}"'
