"""The baseline as its hosts use it: options that the file leaves out, asked of model and server."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace

from sweeps.config.baseline import OPEN
from sweeps.config.candidates import FirstSet, equal_candidates
from sweeps.config.first_sets import known_sets
from sweeps.config.resolved_baseline import OURS, ServedModel, kept_baseline, resolved_baseline
from sweeps.config.sweep_config import SweepConfig
from sweeps.engines.base import Engine, EngineError
from sweeps.engines.model_parameters import parse_parameters
from sweeps.errors import ConfigError
from sweeps.fingerprints.fingerprint import Fingerprint
from sweeps.hosts.host import Host
from sweeps.hosts.thinking import ABILITY
from sweeps.ledger.study_record import StoredStudy

_CONTEXT = "OLLAMA_CONTEXT_LENGTH"


def settled_baseline(
    config: SweepConfig, hosts: Sequence[Host], stored: StoredStudy | None = None
) -> tuple[SweepConfig, tuple[str, ...]]:
    """Settle what the file leaves out of the baseline. A stored study keeps the baseline that it began with.

    Args:
        config: The sweep as its file gives it.
        hosts: Its hosts; at least one answers.
        stored: The study that the sweep continues; None for a new one.

    Returns:
        The sweep with every option of the baseline explicit, and findings as sentences (`resolved_baseline`).

    Raises:
        ConfigError: If a candidate has the settings of the baseline or of another candidate.
    """
    if stored is not None and not stored.damage:
        with suppress(ConfigError):  # which is reported when the study is read
            config = kept_baseline(config, stored.identity, config_as_begun(stored).sources)
    if stored is not None and not config.open_options:
        return config, ()
    settled, findings = resolved_baseline(config, served_models(config, hosts))
    if problems := equal_candidates(settled.candidates, settled.baseline):
        raise ConfigError([f"{config.path or '<text>'}: {problem}" for problem in problems])
    return settled, findings


def served_models(config: SweepConfig, hosts: Sequence[Host]) -> list[ServedModel]:
    """Describe the models of a sweep as its hosts serve them."""
    return [
        served_model(host.engine, model, fingerprint, config, host.name)
        for host in hosts
        for model, fingerprint in host.fingerprints.items()
    ]


def with_first_sets(
    config: SweepConfig,
    hosts: Sequence[Host],
    stored: StoredStudy | None = None,
    earlier: Callable[[Sequence[Host]], Sequence[FirstSet]] = lambda _: (),
) -> tuple[SweepConfig, tuple[str, ...]]:
    """Add the sets that a search tries first; a stored study keeps the sets that it began with.

    Args:
        config: The sweep, with its whole baseline.
        hosts: Its hosts; at least one answers.
        stored: The study that the sweep continues; None for a new one.
        earlier: Finds the sets of earlier studies with these hosts' models; asked with `first = ["earlier"]` only.

    Returns:
        The sweep, and sentences on the sets of a new study (`known_sets`).
    """
    if config.is_comparison or config.search.sampler == "grid":  # a grid tries each of its points
        return config, ()
    if stored is not None:
        return replace(config, first_sets=tuple(map(FirstSet.from_record, stored.record.first_sets))), ()
    found = earlier(hosts) if "earlier" in config.search.first else ()
    sets, lines = known_sets(config, served_models(config, hosts), found)
    return replace(config, first_sets=sets), lines


def served_model(
    engine: Engine, model: str, fingerprint: Fingerprint, config: SweepConfig, host: str = ""
) -> ServedModel:
    """Describe a model as a host serves it. Where the baseline's num_ctx depends on the host, it is measured."""
    facts, environment = fingerprint.facts, fingerprint.facts["host"].get("environment") or {}
    found = ServedModel(
        name=model,
        engine=str(facts["engine"].get("name") or engine.name),
        version=facts["engine"].get("version"),
        parameters=parse_parameters(facts["model"].get("parameters_text")),
        host=host,
        thinks=_thinks(engine, model),
        family=str(facts["model"].get("family") or ""),
    )
    if model != config.baseline.model or "num_ctx" not in config.open_options or "num_ctx" in found.parameters:
        return found
    measured = None
    with suppress(EngineError):  # without an answer the version's default counts
        measured = getattr(engine, "unset_num_ctx", lambda _: None)(model)
    if measured is not None:
        return replace(found, num_ctx=measured)
    with suppress(KeyError, TypeError, ValueError):
        return replace(found, num_ctx=int(environment[_CONTEXT]), num_ctx_from=_CONTEXT)
    return found


def _thinks(engine: Engine, model: str) -> bool:
    """Whether a model thinks where a request leaves `think` out; a server that does not answer does not tell."""
    with suppress(EngineError):
        return ABILITY in (engine.capabilities(model) or ())
    return False


def config_as_begun(stored: StoredStudy) -> SweepConfig:
    """Return a study's configuration with the baseline that it began with; variables of this process change nothing.

    Raises:
        ConfigError: If its text cannot be read.
    """
    record = stored.record
    written = SweepConfig.from_text(stored.config, base=record.base, environment=record.environment, stored=True)
    sources = record.baseline_sources
    if sources is None:  # older versions had defaults of their own for whatever file and environment left out
        sources = {name: OURS if source == OPEN else source for name, source in written.sources.items()}
    sets = tuple(map(FirstSet.from_record, record.first_sets))
    return replace(kept_baseline(written, stored.identity, sources), first_sets=sets)
