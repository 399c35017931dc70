"""Notes of a sweep to its user."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from analysis.formatting import as_sentence
from sweeps.budget.allocation import left_out
from sweeps.budget.detectable_gain import DetectableGain, KnownFloor, detectable_gain
from sweeps.budget.plan import Plan, plan_text
from sweeps.config.resolved_baseline import baseline_text
from sweeps.config.sweep_config import SweepConfig
from sweeps.hosts.host import Host
from sweeps.hosts.sweep_hosts import host_differences
from sweeps.options import whole
from sweeps.probes.capacity import Capacity
from sweeps.progress import Progress

if TYPE_CHECKING:
    from sweeps.results.result import SweepResult


def announce(
    progress: Progress,
    config: SweepConfig,
    plan: Plan,
    capacity: Capacity,
    hosts: Sequence[Host],
    *,
    known: KnownFloor | None = None,
    stored: bool = False,
) -> DetectableGain:
    """Announce the plan, the hosts and the smallest gain to find; `known` and `stored` as for `detectable_gain`.

    Returns:
        The smallest gain to find.
    """
    progress.plan(plan.floor, plan.explore, plan.confirm)
    for host in hosts:
        name = f"{host.label}: " if len(hosts) > 1 else ""
        if host.dropped:
            progress.note(f"{name}set aside: {host.dropped}", warning=True)
        for fingerprint in host.fingerprints.values():
            progress.note(name + fingerprint.summary)
            for warning in fingerprint.warnings:
                progress.note(name + warning, warning=True)
    for line in host_differences(hosts):
        progress.note(line, warning=True)
    for name, value in config.environment.items():
        progress.note(f"{name}={value} in the environment sets the baseline, since the file does not", warning=True)
    progress.note(f"baseline: {baseline_text(config)}")
    progress.note(plan_text(plan))
    partial = "; ".join(filter(None, left_out(plan, config, stored=stored)))
    if partial:
        progress.note(partial, warning=True)
    sight = detectable_gain(config, plan, known, stored=stored)
    progress.note(sight.text, warning=bool(sight.todo))
    wanted = whole(config.baseline.options, "num_predict")
    if capacity.room < wanted:
        progress.note(
            f"the prompt of case {capacity.case} has {capacity.longest} tokens, so num_ctx {capacity.smallest_ctx}"
            f" leaves {capacity.room} for the answer, fewer than num_predict {wanted}",
            warning=True,
        )
    return sight


def announce_floor(progress: Progress, result: SweepResult, before: DetectableGain) -> None:
    """Announce a smallest gain that the measured floor changes, and a baseline that differs from itself.

    Args:
        progress: Gets the notes.
        result: The study, with its floor.
        before: The smallest gain as announced before.
    """
    config, known = result.config, KnownFloor(result.floor, result.name) if result.floor else None
    sight = detectable_gain(config, result.plan, known, stored=True)
    if sight.found != before.found:
        progress.note(sight.text, warning=bool(sight.todo))
    if result.aa is not None and not result.aa.passed:
        progress.note(as_sentence(result.aa.sentence, {config.baseline.key: "the baseline"}), warning=True)
