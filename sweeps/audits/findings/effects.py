"""Effects of the experiments on each host: texts that changed with one thing, and their coverage."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING

from sweeps.audits.experiments import HOST_EXPERIMENTS, HostExperiment
from sweeps.audits.record import Answer, AuditRecord, HostRecord, Mode

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ("host", "experiment", "arm", "mode", "n", "changed", "scored", "score_change", "source")


@dataclass(frozen=True)
class Effect:
    """One arm of an experiment against its reference, on one host at one mode.

    Attributes:
        host: The host's label.
        experiment: Name of the experiment.
        arm: The changed arm.
        mode: The mode.
        source: The source of differences that the experiment tests.
        n: Texts that were compared: pairs of equal case and seed.
        changed: Those that differ.
        scored: Pairs of which both texts have a score.
        score_change: Mean change of coverage over these pairs; None without one.
    """

    host: str
    experiment: str
    arm: str
    mode: Mode
    source: str
    n: int
    changed: int
    scored: int
    score_change: float | None


def effects(record: AuditRecord) -> list[Effect]:
    """Return the effects of all experiments, by host, experiment, mode and arm, in the order of the record."""
    return [effect for host in record.hosts for each in HOST_EXPERIMENTS for effect in _effects(host, each)]


def effects_table(record: AuditRecord) -> pd.DataFrame:
    """Return a row per effect, with the fields of `Effect`."""
    import pandas as pd

    return pd.DataFrame([vars(effect) for effect in effects(record)], columns=list(COLUMNS))


def experiment_pairs(
    host: HostRecord, experiment: HostExperiment
) -> dict[tuple[Mode, str], list[tuple[Answer, Answer]]]:
    """Return the answers of an experiment, each with its reference of equal case and seed, by (mode, arm)."""
    usable = [each for each in host.answers if not each.error]
    own = [each for each in usable if each.experiment == experiment.name]
    # a reference of the experiment itself counts before one that another experiment sent
    references = _first([each for each in (*own, *usable) if each.arm == experiment.reference])
    groups: dict[tuple[Mode, str], list[tuple[Answer, Answer]]] = {}
    for each in own:
        reference = references.get((each.mode, each.case, each.seed))
        if each.arm != experiment.reference and reference is not None and each is not reference:
            groups.setdefault((each.mode, each.arm), []).append((reference, each))
    return dict(sorted(groups.items(), key=lambda group: group[0][0] != "production"))


def _effects(host: HostRecord, experiment: HostExperiment) -> list[Effect]:
    return [
        _effect(host.label, experiment, arm, mode, pairs)
        for (mode, arm), pairs in experiment_pairs(host, experiment).items()
    ]


def _first(answers: list[Answer]) -> dict[tuple[Mode, str, int], Answer]:
    found: dict[tuple[Mode, str, int], Answer] = {}
    for each in answers:
        found.setdefault((each.mode, each.case, each.seed), each)
    return found


def _effect(host: str, experiment: HostExperiment, arm: str, mode: Mode, pairs: list[tuple[Answer, Answer]]) -> Effect:
    changes = [b.score - a.score for a, b in pairs if a.score is not None and b.score is not None]
    return Effect(
        host=host,
        experiment=experiment.name,
        arm=arm,
        mode=mode,
        source=experiment.source,
        n=len(pairs),
        changed=sum((a.text, a.thought) != (b.text, b.thought) for a, b in pairs),
        scored=len(changes),
        score_change=fmean(changes) if changes else None,
    )
