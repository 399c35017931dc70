"""Probes, which find out whether an option acts on this host, with this model and through this API path.

At a fixed seed and a warm prompt an option is moved from its reference to an extreme; if the option acts, the text
changes. The user's own context is tried first. If no text changes, a context follows in which no option hides it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace

from sweeps.config.space import Space
from sweeps.engines.base import Engine
from sweeps.errors import ConfigError, name_hint
from sweeps.fingerprints.fingerprint import Fingerprint
from sweeps.ledger.ledger import Ledger
from sweeps.options import OPTIONS
from sweeps.probes.contexts import TEXT_OPTIONS, Level, Options, complete, levels
from sweeps.probes.experiment import Experiment
from sweeps.probes.known_facts import explain
from sweeps.probes.result import DEAD, PROBEABLE, ProbeCost, ProbeResult, probe_cost

__all__ = ["DEAD", "PROBEABLE", "ProbeCost", "ProbeResult", "probe", "probe_cost"]

VERSION = 1
"""Version of prompts and contexts; a new one keeps older results from being reused."""


def probe(
    engine: Engine,
    model: str,
    options: Sequence[str],
    baseline: Options,
    *,
    space: Space | None = None,
    fingerprint: Fingerprint | None = None,
    ledger: Ledger | None = None,
    again: bool = False,
    timeout: float | None = None,
    announce: Callable[[str], None] | None = None,
) -> list[ProbeResult]:
    """Find out which options act on a host.

    Args:
        engine: The open engine.
        model: The model.
        options: Options to probe, of `PROBEABLE`.
        baseline: The options in use; missing ones get the defaults that a sweep would send.
        space: The options that a sweep would change. An option hidden by the baseline acts if the sweep can reveal it.
        fingerprint: Of this engine and model. With a ledger, results are stored under it and reused.
        ledger: Store of the results.
        again: Probe again the options whose results the ledger has.
        timeout: Seconds per request.
        announce: Called with the cost before the first request, and with the time after the first generation.

    Returns:
        One result per option, in the order asked.

    Raises:
        ConfigError: If a name is no option.
        EngineError: If the engine fails; a refusal of an option's value is a result, not a failure.
    """
    for name in options:
        if name not in PROBEABLE:
            raise ConfigError(f"{name!r} cannot be probed; {name_hint(name, PROBEABLE)}")
    space = space or Space(())
    plans = {name: _levels(name, baseline, space) for name in dict.fromkeys(options)}
    store = _Store(engine, model, fingerprint, ledger, plans)
    found = {} if again else store.kept()
    for name in plans:
        if name not in engine.honours:
            found[name] = ProbeResult(name, "inert", why=f"the {engine.name} engine does not send it")
    wanted = {name: plan for name, plan in plans.items() if name not in found}
    if wanted:
        experiment = Experiment(engine, model, timeout, probe_cost(wanted), announce)
        for name, result in experiment.run(wanted, complete(baseline), space):
            found[name] = result
            store.keep(result)
    version = fingerprint.facts["engine"].get("version") if fingerprint else None
    return [_explained(found[name], engine.name, version) for name in plans]


def _explained(result: ProbeResult, engine: str, version: object) -> ProbeResult:
    """Add the known fact to a result; an option hidden by others needs no further explanation."""
    if result.verdict == "inert" and result.context in ("baseline", "sweep"):
        return result
    return replace(result, fact=explain(result.option, result.verdict, engine=engine, version=version))


def _levels(option: str, baseline: Options, space: Space) -> list[Level]:
    return levels(option, baseline, space) if option in TEXT_OPTIONS or option == "seed" else []


class _Store:
    """Results in the ledger, under their fingerprint and contexts."""

    def __init__(
        self,
        engine: Engine,
        model: str,
        fingerprint: Fingerprint | None,
        ledger: Ledger | None,
        plans: Mapping[str, list[Level]],
    ) -> None:
        self.ledger = ledger if fingerprint is not None else None
        self.place = (fingerprint.digest if fingerprint else "", _api(engine, fingerprint), model)
        self.contexts = {name: _digest(name, plan) for name, plan in plans.items()}

    def kept(self) -> dict[str, ProbeResult]:
        rows = self.ledger.probes.of_host(*self.place) if self.ledger else {}
        found = {name: rows[name, context] for name, context in self.contexts.items() if (name, context) in rows}
        return {name: ProbeResult(**record, cached=True) for name, record in found.items()}

    def keep(self, result: ProbeResult) -> None:
        if self.ledger is None:
            return
        record = {name: value for name, value in asdict(result).items() if name not in ("cached", "fact")}
        self.ledger.probes.add(*self.place, option=result.option, context=self.contexts[result.option], record=record)


def _api(engine: Engine, fingerprint: Fingerprint | None) -> str:
    api = fingerprint.facts["engine"].get("api") if fingerprint else None
    return f"{engine.name} {api or ''}".strip()


def _digest(option: str, plan: Sequence[Level]) -> str:
    """Return a digest of the sampling options of a result's contexts, without the reload options."""
    contexts = [{k: v for k, v in level.options.items() if not OPTIONS[k].reload} for level in plan]
    text = json.dumps([VERSION, option, [level.name for level in plan], contexts], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]
