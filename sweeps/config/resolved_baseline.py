"""What the baseline's file leaves out: from the model's own parameters, then the server's defaults, then ours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from analysis.formatting import option_text, source_text
from sweeps.config.baseline import NOT_SENT
from sweeps.config.space import Value
from sweeps.config.sweep_config import SweepConfig
from sweeps.engines.model_parameters import Parameter
from sweeps.engines.server_defaults import OPENAI_DEFAULTS, SERVERS, server_defaults
from sweeps.options import OPTIONS, OptionValue, default_options

MODEL, OURS = "model", "ours"
"""Sources of values: the model's own parameters; this program, where nothing else says anything."""

THINK = "think"

_NO_LIMIT = f"{OURS} (the server's is no limit)"
_NEUTRAL: Mapping[str, Value] = {"typical_p": 1.0}
"""Values that change nothing of options that a sweep sends only if it searches them."""


@dataclass(frozen=True)
class ServedModel:
    """A model as a host serves it: everything that decides what a request gets that leaves options out.

    Attributes:
        name: The model's name.
        engine: Name of the engine.
        version: The engine's version, as it gives it.
        parameters: The model's own parameters.
        num_ctx: The context window without `num_ctx`; None where it is not known.
        num_ctx_from: The way in which `num_ctx` is known, such as `measured`.
        host: Name of the host, for messages.
        thinks: Whether the server lets the model think where a request leaves `think` out.
        family: The model's architecture, such as `qwen3`; "" where it is not known.
    """

    name: str
    engine: str
    version: object = None
    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    num_ctx: int | None = None
    num_ctx_from: str = "measured"
    host: str = ""
    thinks: bool = False
    family: str = ""

    def own(self, name: str) -> Parameter | None:
        """The model's own value of an option that is sent only where somebody asks for it; None for none."""
        return (True if self.thinks else None) if name == THINK else self.parameters.get(name)

    def unset(self, name: str) -> tuple[Value, str] | None:
        """The value of an option that a request leaves out, and its source; None where it is not known."""
        if self.engine == "openai" and name in OPENAI_DEFAULTS:
            return OPENAI_DEFAULTS[name], "server default (/v1)"
        if name in self.parameters and self.engine in SERVERS and not self.unusable(name):
            return OPTIONS[name].cast(self.parameters[name]), MODEL
        if name == "num_ctx" and self.num_ctx is not None:
            return self.num_ctx, f"server default ({self.num_ctx_from})"
        known: dict[str, Value] = {
            **server_defaults(self.engine, self.version),
            **({THINK: True} if self.thinks else {}),
        }
        if name not in known:
            return None
        return known[name], f"server default ({self.version or 'of an unknown version'})"

    def unusable(self, name: str) -> str:
        """Why a parameter of the model cannot be sent as an option, as the end of a sentence; "" where it can."""
        return OPTIONS[name].problem(self.parameters[name]) or ""


def resolved_baseline(config: SweepConfig, served: Sequence[ServedModel]) -> tuple[SweepConfig, tuple[str, ...]]:
    """Fill in what file and environment leave out of the baseline.

    Args:
        config: The sweep as its file gives it.
        served: The baseline's model on the first host, then further models and hosts of the sweep. Only the first one
            gives values; the smallest `num_ctx` of all hosts counts, because each of them has to hold it.

    Returns:
        The sweep with every option of the baseline explicit and with the source of each (`SweepConfig.sources`), and
        findings as sentences: values that cannot be sent, and models and hosts that would use other values.
    """
    first = replace(served[0], num_ctx=_smallest(served))
    values: dict[str, Value] = {}
    sources, lines = {}, []
    for name in config.open_options:
        found = _value_of(name, first, config)
        if found is not None and default_options().get(name) is None and (own := _own_values(name, served)):
            lines.append(
                f"each model keeps its own {name} ({own}), since they differ; name one in [baseline] to send it"
            )
            found = None
        if found is not None:
            values[name] = found[0]
        sources[name] = NOT_SENT if found is None else found[1]
    settled = config.with_baseline(values, sources)
    return settled, (*lines, *_unusable(first, config), *_differences(served, settled))


def kept_baseline(
    config: SweepConfig, identity: Mapping[str, object], stored_sources: Mapping[str, str]
) -> SweepConfig:
    """Fill in what the file leaves out from a stored study, whose baseline stays the same to its end.

    Args:
        config: The sweep as its file gives it today.
        identity: The study's identity, with `baseline.NAME` for each value.
        stored_sources: The source of each of these values.

    Returns:
        The sweep. Options that the study's own file named, and that this one leaves out, stay open.
    """
    values: dict[str, Value] = {}
    sources = {}
    for name in config.open_options:
        source, value = stored_sources.get(name, OURS), identity.get(f"baseline.{name}")
        if not _is_named(source):
            sources[name] = NOT_SENT if value is None else source
            values |= {} if value is None else {name: _from_identity(name, value)}
    return config.with_baseline(values, sources)


def _from_identity(name: str, value: Any) -> OptionValue:
    """An option's value from a study's identity, which holds a list as JSON text (`sweeps.config.space.param`)."""
    found: Any = OPTIONS[name].read(value) if isinstance(value, str) else value
    return OPTIONS[name].cast(found)


def _is_named(source: str) -> bool:
    return source == "file" or source.startswith("environment (")


def baseline_text(config: SweepConfig) -> str:
    """The baseline's options by source: `from the file: temperature 0.35; set by sweeps: num_predict 512`."""
    groups: dict[str, list[str]] = {}
    for name, value in config.baseline.options.items():
        groups.setdefault(config.sources.get(name, OURS), []).append(f"{name} {option_text(value)}")
    first = {"file": "from the file", MODEL: "from the model"}
    order = sorted(groups, key=lambda source: (source not in first, source))
    return "; ".join(f"{first.get(source) or source_text(source)}: {', '.join(groups[source])}" for source in order)


def _value_of(name: str, served: ServedModel, config: SweepConfig) -> tuple[Value, str] | None:
    """The value of an open option, and its source; None for an option that is not sent."""
    if name in config.engine.options:
        return None  # sent with every request already
    found = served.unset(name)
    ours = default_options().get(name)
    if ours is None and served.own(name) is None:  # sent only where somebody asks for it
        return (found or (_NEUTRAL[name], OURS)) if name in _NEUTRAL and name in config.space else None
    if found is not None:
        return found
    if ours is None:
        return None
    return ours, _NO_LIMIT if name == "num_predict" and served.engine in SERVERS else OURS


def _smallest(served: Sequence[ServedModel]) -> int | None:
    sizes = [each.num_ctx for each in served if each.name == served[0].name and each.num_ctx is not None]
    return min(sizes, default=None)


def _own_values(name: str, served: Sequence[ServedModel]) -> str:
    """The unequal values that the models of the first host have of an option; "" where all have the same."""
    models = {each.name: each.own(name) for each in served if each.host == served[0].host}
    if len(set(models.values())) == 1:
        return ""
    return ", ".join(f"{model}: {'none' if value is None else option_text(value)}" for model, value in models.items())


def _unusable(served: ServedModel, config: SweepConfig) -> list[str]:
    """Sentences on parameters of the model that no request may send."""
    if served.engine not in SERVERS:
        return []
    return [
        f"{name} {served.parameters[name]} of model {served.name} {why}; the baseline does not take it"
        for name in config.open_options
        if name in served.parameters and (why := served.unusable(name))
    ]


def _differences(served: Sequence[ServedModel], config: SweepConfig) -> list[str]:
    """Sentences on models and hosts that use other values where a request leaves an option out."""
    several = len({each.host for each in served}) > 1
    sent = {name: value for name, value in config.baseline.options.items() if not _is_named(config.sources[name])}
    lines = []
    for each in served:
        other = [
            f"{name} {option_text(found[0])} (the baseline has {option_text(sent[name])})"
            for name in sent
            if (found := each.unset(name)) is not None and found[0] != sent[name]
        ]
        if other:
            where = f"model {each.name}" + (f" on {each.host}" if several else "")
            lines.append(
                f"{where} uses other values where a request leaves them out: {', '.join(other)}; the sweep sends the"
                " baseline's to all, so name the values that you want in [baseline]"
            )
    return lines
