"""Log probabilities of each host beside its own warm ones: which settings change its numbers, and by how much?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sweeps.audits.experiments import WARM
from sweeps.audits.record import Alternatives, AuditRecord, HostRecord

if TYPE_CHECKING:
    import pandas as pd

COLD = "cold"
"""Arm of prompts that are not cached: plain rounding, by which other arms are judged."""


@dataclass(frozen=True)
class OwnNumbers:
    """The shift of one arm from the host's warm log probabilities.

    Attributes:
        host: Label of the host.
        arm: The arm, such as `cold` or `num_batch 64`.
        mean: Mean absolute shift of a log probability.
        largest: Largest one.
        changed: Prompts whose likeliest token changed.
        prompts: Number of prompts.
        sentence: What it says, beside cold against warm.
    """

    host: str
    arm: str
    mean: float
    largest: float
    changed: int
    prompts: int
    sentence: str


def own_numbers(record: AuditRecord) -> list[OwnNumbers]:
    """Return the shifts of each host that gives log probabilities, arm by arm; plain repeats are not listed."""
    return [each for host in record.hosts for each in _of(host)]


def _of(host: HostRecord) -> Iterator[OwnNumbers]:
    from analysis.noise.logprob_shift import judge_shift, logprob_shift

    runs = {arm: _run(host, arm) for arm in dict.fromkeys(each.arm for each in host.first_tokens)}
    warm = runs.pop(WARM, None)
    if warm is None:
        return
    shifts = {arm: logprob_shift(warm, run) for arm, run in runs.items() if set(run["prompt"]) & set(warm["prompt"])}
    cold = shifts.get(COLD)
    again = _run(host, WARM, repeat=True)
    repeat = logprob_shift(warm, again) if set(again["prompt"]) & set(warm["prompt"]) else None
    floor = None if repeat is None else repeat.largest
    for arm, shift in shifts.items():
        if shift.largest <= (floor or 0.0):
            sentence = "Moves no log probability further than a repeat does."
        elif repeat is not None and floor and (beside := judge_shift(shift, [repeat])).numerics != "beyond own shifts":
            sentence = f"Repeats move them as well; it is not shown to move them more (p = {beside.p_value:.2g})."
        elif arm == COLD or cold is None:
            sentence = "Plain rounding: the prompt was evaluated at once, not taken from the cache."
        else:
            judged = judge_shift(shift, [cold])
            repeated = "" if floor is None else f"Changes the numbers: repeats move them by at most {floor:.2g}. "
            sentence = repeated + {
                "beyond own shifts": f"More than plain rounding, cold against warm (p = {judged.p_value:.2g}).",
                "within own shifts": f"Plain rounding, cold against warm, can explain it (p = {judged.p_value:.2g}).",
            }.get(judged.numerics, "Too few prompts to tell it from plain rounding.")
        yield OwnNumbers(host.label, arm, shift.mean, shift.largest, shift.argmax_changed, len(shift.prompts), sentence)


def _run(host: HostRecord, arm: str, *, repeat: bool = False) -> pd.DataFrame:
    """Return the first run of an arm, or its first repeat."""
    import pandas as pd

    first: dict[str, Alternatives] = {}
    for each in host.first_tokens:
        if each.arm == arm and (each.repeat > 0) is repeat:
            first.setdefault(each.prompt, each)
    rows = [(name, token, value) for name, each in first.items() for token, value in each.logprobs.items()]
    return pd.DataFrame(rows, columns=["prompt", "token", "logprob"])
