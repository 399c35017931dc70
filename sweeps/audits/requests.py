"""One request of an audit: a setting, and the sending of it to a host. Answers are kept as they arrive."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from sweeps.audits.experiments import SEEDS, WARM
from sweeps.audits.hosts import AuditHost
from sweeps.audits.prompts import PROMPTS
from sweeps.audits.record import Answer, Mode
from sweeps.engines.base import (
    EngineFailure,
    EngineProtocolError,
    EngineTimeout,
    Generation,
    OptionRefused,
    PromptTooLong,
)
from sweeps.engines.inspection import PLAIN, Way
from sweeps.options import OptionValue, as_number
from sweeps.scoring.answers import answer_of

Warmth = Literal["warm", "after a load", "after another prompt", "after another num_ctx"]
"""The state in which a request meets the server. Warm: its prompt was sent just before."""

OF_ONE_ANSWER = (PromptTooLong, OptionRefused, EngineTimeout, EngineFailure, EngineProtocolError)
"""Failures that are an answer of their own: the host could not do this, and the audit goes on."""

OTHER_PROMPT = next(iter(PROMPTS))


class AuditStoppedError(Exception):
    """The audit was stopped by the user; what was measured is kept."""


@dataclass(frozen=True)
class Setting:
    """Everything about a request but its case and seed.

    Attributes:
        mode: The mode.
        options: Options to send, without the seed. What is left out keeps the default of model and server.
        way: API path, stream, and settings of the engine.
        in_flight: Requests at once; the others are the same request with other seeds.
        warmth: The state in which it meets the server.
    """

    mode: Mode
    options: Mapping[str, OptionValue] = field(hash=False)
    way: Way = PLAIN
    in_flight: int = 1
    warmth: Warmth = "warm"


def send(
    host: AuditHost,
    setting: Setting,
    case: str,
    seed: int,
    repeat: int = 0,
    *,
    experiment: str = SEEDS,
    arm: str = WARM,
) -> Answer:
    """Send one request, or return its answer from an earlier, interrupted run of the same audit.

    Args:
        host: The host.
        setting: The setting.
        case: Name of the case, whose prompt is in `host.prompts`.
        seed: The seed.
        repeat: 0, or the index of a deliberate repeat: only with another index the same request is sent again.
        experiment: The experiment that it belongs to.
        arm: Its side of the experiment.

    Returns:
        The answer. `Answer.error` says why there is none, where the host could not do this.

    Raises:
        Unsupported: If the engine has no such way.
        EngineError: If the host cannot be used any more.
        AuditStoppedError: If the user stopped the audit.
    """
    if setting.in_flight > 1:
        others = [(case, seed + 1 + number) for number in range(setting.in_flight - 1)]
        return send_together(host, setting, [(case, seed), *others], repeat, experiment=experiment, arm=arm)[0]
    part = part_of(setting, [(case, seed)], repeat, experiment, arm)
    if (kept := _kept(host, part)) is not None:
        return kept[0]
    options = {**setting.options, "seed": seed}
    try:
        found: Generation | str = _generated(host, setting, case, options)
    except OF_ONE_ANSWER as error:
        host.cool()
        found = str(error)
    answer = _answer(host, setting, case, seed, repeat, experiment, arm, found)
    _keep(host, part, [answer])
    return answer


def send_together(
    host: AuditHost,
    setting: Setting,
    requests: Sequence[tuple[str, int]],
    repeat: int = 0,
    *,
    experiment: str,
    arm: str,
) -> list[Answer]:
    """Send requests at once, as `send` does with one; unless the setting is warm, right after the model was unloaded.

    Args:
        host: The host.
        setting: The setting of all of them.
        requests: (case, seed) of each.
        repeat: See `send`.
        experiment: See `send`.
        arm: See `send`.

    Raises:
        Unsupported: If the engine takes one request at a time.
        EngineError: See `send`.
        AuditStoppedError: See `send`.
    """
    part = part_of(setting, requests, repeat, experiment, arm)
    if (kept := _kept(host, part)) is not None:
        return kept
    asked = [(host.prompts[case], {**setting.options, "seed": seed}) for case, seed in requests]
    host.cool()
    found: Sequence[Generation | str]
    warm = setting.warmth == "warm"
    try:
        if not warm:
            host.unload()
        found = host.inspector.together(asked, model=host.model, timeout=host.timeout, warm=warm)
    except OF_ONE_ANSWER as error:
        found = [str(error)] * len(requests)
    answers = [
        _answer(host, setting, case, seed, repeat, experiment, arm, each)
        for (case, seed), each in zip(requests, found, strict=True)
    ]
    _keep(host, part, answers)
    return answers


def part_of(setting: Setting, requests: Sequence[tuple[str, int]], repeat: int, experiment: str, arm: str) -> str:
    """Return the digest under which answers are kept: of everything that tells one request from another."""
    way = setting.way
    parts = [
        experiment,
        arm,
        setting.mode,
        sorted(setting.options.items()),
        [way.path, way.stream, way.kv_type, way.cuts, setting.warmth, setting.in_flight],
        list(requests),
        repeat,
    ]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _generated(host: AuditHost, setting: Setting, case: str, options: Mapping[str, OptionValue]) -> Generation:
    if setting.warmth == "warm":
        return host.warm(case, options, setting.way)
    if setting.warmth == "after a load":
        host.unload()
    elif setting.warmth == "after another prompt":
        host.as_it_is(OTHER_PROMPT, {**options, "num_predict": 1}, setting.way)
    else:
        other = other_num_ctx(options)
        host.as_it_is(case, {**options, "num_ctx": other, "num_predict": 1}, setting.way)
    return host.as_it_is(case, options, setting.way)


def other_num_ctx(options: Mapping[str, OptionValue], longest: int | None = None) -> int:
    """Return another context window: twice as large, or half where the model has no room for that."""
    now = int(as_number(options.get("num_ctx", 4096)))
    return 2 * now if longest is None or 2 * now <= longest else now // 2


def _kept(host: AuditHost, part: str) -> list[Answer] | None:
    if host.stopped():
        raise AuditStoppedError
    kept = host.parts.get(part)
    if kept is None:
        return None
    answers = [Answer.model_validate(each) for each in kept["answers"]]
    host.order = max(host.order, *(answer.order + 1 for answer in answers))
    for _ in answers:
        host.sent(None)
    return answers


def _keep(host: AuditHost, part: str, answers: Sequence[Answer]) -> None:
    host.parts.add(part, {"answers": [answer.model_dump(mode="json") for answer in answers]})
    for answer in answers:
        host.fresh += 1
        host.sent(answer.seconds)


def _answer(
    host: AuditHost,
    setting: Setting,
    case: str,
    seed: int,
    repeat: int,
    experiment: str,
    arm: str,
    found: Generation | str,
) -> Answer:
    place = Answer(
        mode=setting.mode,
        experiment=experiment,
        arm=arm,
        case=case,
        seed=seed,
        repeat=repeat,
        order=host.order,
        path=setting.way.path,
        options=dict(setting.options),
    )
    host.order += 1
    if isinstance(found, str):
        return place.model_copy(update={"error": found})
    answer = answer_of(found)
    return place.model_copy(
        update={
            "text": answer.text,
            "thought": answer.thought,
            "finish": found.finish,
            "prompt_tokens": found.prompt_tokens,
            "output_tokens": found.output_tokens,
            "cached_tokens": found.cached_tokens,
            "seconds": found.timing.total,
            "load_seconds": found.timing.load,
            "truncated": found.truncated,
        }
    )
