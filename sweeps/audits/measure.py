"""The measurement of one host: its plan carried out, and the record of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sweeps.audits.hosts import AuditHost, fingerprint_of
from sweeps.audits.plan import HostPlan, Step, TokenStep
from sweeps.audits.prompts import PROMPTS
from sweeps.audits.record import Alternatives, Answer, HostRecord, NotDone, RenderedPrompt
from sweeps.audits.requests import OF_ONE_ANSWER, OTHER_PROMPT, AuditStoppedError, send, send_together
from sweeps.engines.base import EngineError, OutOfMemory, Unsupported
from sweeps.fingerprints.changes import fingerprint_changes
from sweeps.ledger.records import now
from sweeps.options import OptionValue

TOKENS = "log probabilities"
RENDERED = "rendered prompt"
"""Measurements that are no experiments, as names in `NotDone`."""

_LOADED = ("num_ctx", "gpu_share")
"""Facts of the engine that are known only of a loaded model."""


class HostChangedError(EngineError):
    """Engine or model changed during the audit, so that its texts cannot be compared with each other."""

    exit_code = 2


def measure_host(host: AuditHost, plan: HostPlan) -> HostRecord:
    """Carry out a host's plan, and return its record. Answers of an earlier, interrupted run are reused.

    What the host cannot do is named in `HostRecord.not_done`, with the reason.

    Raises:
        EngineError: If the host cannot be used any more; what it answered is kept.
        HostChangedError: If engine or model changed meanwhile.
        AuditStoppedError: If the user stopped the audit.
    """
    missing = list(plan.not_done)
    answers: list[Answer] = []
    loaded: Mapping[str, Any] = {}
    for step in plan.steps:
        answers += _answers(host, step, missing)
        loaded = loaded or _loaded(host)
    tokens = _first_tokens(host, plan, missing)
    rendered = _rendered(host, plan.steps[0].setting.options, answers, missing)
    _require_unchanged(host)
    facts = {**host.fingerprint.facts, "engine": {**host.fingerprint.facts["engine"], **loaded}}
    num_ctx = loaded.get("num_ctx")
    return HostRecord(
        label=host.label,
        fingerprint=facts,
        digest=host.fingerprint.digest,
        path=host.path,
        num_ctx=num_ctx if isinstance(num_ctx, int) else None,
        taken=now(),
        answers=tuple(answers),
        first_tokens=tuple(tokens),
        rendered=tuple(rendered),
        not_done=tuple(missing),
    )


def _answers(host: AuditHost, step: Step, missing: list[NotDone]) -> list[Answer]:
    """Send a step; note why the host cannot do its experiment."""
    mode = step.setting.mode
    if any(each.experiment == step.experiment and each.mode in (None, mode) for each in missing):
        return []
    try:
        if step.setting.in_flight > 1:
            return send_together(
                host, step.setting, step.requests, step.repeat, experiment=step.experiment, arm=step.arm
            )
        ((case, seed),) = step.requests
        return [send(host, step.setting, case, seed, step.repeat, experiment=step.experiment, arm=step.arm)]
    except (Unsupported, OutOfMemory) as error:
        host.cool()
        missing.append(NotDone(experiment=step.experiment, reason=str(error), mode=mode))
        return []


def _loaded(host: AuditHost) -> Mapping[str, Any]:
    """Return the facts that only a loaded model has, at the reference setting."""
    kept = host.parts.get("loaded")
    if kept is None:
        engine = host.inspector.engine.identify(host.model)["engine"]
        kept = {name: engine.get(name) for name in _LOADED}
        host.parts.add("loaded", kept)
    return kept


def _first_tokens(host: AuditHost, plan: HostPlan, missing: list[NotDone]) -> list[Alternatives]:
    found: list[Alternatives] = []
    lacking: set[str] = set()
    for step in plan.tokens:
        if step.arm in lacking or any(each.experiment == TOKENS for each in missing):
            continue
        part = f"{TOKENS} {step.prompt} {step.arm} {step.repeat}"
        kept = host.parts.get(part)
        if kept is None:
            if host.stopped():
                raise AuditStoppedError
            try:
                kept = {"logprobs": _alternatives(host, step)}
            except (Unsupported, *OF_ONE_ANSWER) as error:
                host.cool()
                lacking.add(step.arm)
                if step.arm in ("cold", "warm"):
                    missing.append(NotDone(experiment=TOKENS, reason=str(error)))
                continue
            host.parts.add(part, kept)
        found.append(Alternatives(prompt=step.prompt, arm=step.arm, repeat=step.repeat, logprobs=kept["logprobs"]))
    return found


def _alternatives(host: AuditHost, step: TokenStep) -> dict[str, float]:
    """Send a request for log probabilities in the state that it asks for."""
    setting, options = step.setting, {**step.setting.options, "num_predict": 1}
    if setting.warmth == "after a load":
        host.unload()
    elif setting.warmth == "after another prompt":
        host.as_it_is(OTHER_PROMPT, options, setting.way)
    else:
        host.warm_up(step.prompt, options, setting.way)
    return host.first_token(step.prompt, options, setting.way)


def _rendered(
    host: AuditHost, options: Mapping[str, OptionValue], answers: list[Answer], missing: list[NotDone]
) -> list[RenderedPrompt]:
    """Return the prompts of cases and fixed texts as the host renders them, else their numbers of tokens."""
    kept = host.parts.get(RENDERED)
    if kept is None:
        texts, reason = _texts(host, options)
        tokens: dict[str, int | None] = {}
        for answer in answers:
            if not answer.error and not answer.truncated:
                tokens.setdefault(answer.case, answer.prompt_tokens)
        if reason:
            tokens |= {name: _tokens(host, name, options) for name in PROMPTS}
        kept = {"texts": texts, "tokens": tokens, "reason": reason}
        host.parts.add(RENDERED, kept)
    if kept["reason"]:
        missing.append(NotDone(experiment=RENDERED, reason=f"{kept['reason']}; tokens of fixed texts are counted"))
    names = dict.fromkeys([*kept["texts"], *kept["tokens"]])
    return [
        RenderedPrompt(prompt=name, text=kept["texts"].get(name), tokens=kept["tokens"].get(name)) for name in names
    ]


def _texts(host: AuditHost, options: Mapping[str, OptionValue]) -> tuple[dict[str, str], str]:
    try:
        return {
            name: host.inspector.rendered(prompt, options, model=host.model) for name, prompt in host.prompts.items()
        }, ""
    except (Unsupported, *OF_ONE_ANSWER) as error:
        return {}, str(error)
    finally:
        host.cool()


def _tokens(host: AuditHost, name: str, options: Mapping[str, OptionValue]) -> int | None:
    try:
        return host.inspector.engine.count_tokens(host.prompts[name], model=host.model, options=options)
    except OF_ONE_ANSWER:
        return None


def _require_unchanged(host: AuditHost) -> None:
    """Refuse a host whose engine or model changed while it was measured."""
    after = fingerprint_of(host.address, host.inspector, host.model)
    if lines := fingerprint_changes({host.model: host.fingerprint}, {host.model: after}, host.label):
        raise HostChangedError(
            f"{host.label} changed during the audit ({'; '.join(lines)}), so its texts cannot be compared with each"
            " other; audit it again"
        )
