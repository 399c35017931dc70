"""Evidence that a change acts on a host: more texts change with it than when nothing is changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sweeps.audits.experiments import HOST_EXPERIMENTS, WARM, HostExperiment
from sweeps.audits.findings.effects import experiment_pairs
from sweeps.audits.record import HostRecord, Mode

REPEAT = "repeat"
"""The experiment that changes nothing."""

LEVEL = 0.05
"""Largest p at which a change is said to act: one source on one host."""


@dataclass(frozen=True)
class Evidence:
    """Texts of one host that changed with one thing, beside those that changed with nothing.

    Attributes:
        host: The host's label.
        changed: Texts that changed.
        n: Texts that were compared.
        steady_changed: Of these that changed, the ones of requests that the host repeats, as far as it was asked.
        steady: All compared texts of such requests.
        own_changed: Texts that changed although the same request was sent again.
        own_n: Texts that were sent again.
    """

    host: str
    changed: int
    n: int
    steady_changed: int
    steady: int
    own_changed: int
    own_n: int

    @property
    def acts(self) -> bool:
        """Whether more texts changed than by the host's own noise (Fisher's exact test)."""
        import numpy as np
        from scipy import stats

        if not self.steady_changed:
            return False
        own = [self.own_changed, self.own_n - self.own_changed]
        table = np.array([[self.steady_changed, self.steady - self.steady_changed], own])
        return float(stats.fisher_exact(table, alternative="greater").pvalue) <= LEVEL + 1e-9


def evidence(host: HostRecord, *, source: str = "", experiment: str = "", mode: str = "") -> Evidence:
    """Return the evidence on a host for a source of differences, or for one experiment; of one mode or both.

    A request whose text the host does not repeat says nothing about a change: all changes of it would seem to act.
    """
    asked = [
        each
        for each in HOST_EXPERIMENTS
        if each.name != REPEAT and source in ("", each.source) and experiment in ("", each.name)
    ]
    own = _changes(host, [each for each in HOST_EXPERIMENTS if each.name == REPEAT], mode)
    unsteady = {request for request, _, changed in own if changed}
    found = _changes(host, asked, mode)
    steady = [changed for request, arm, changed in found if arm != WARM or request not in unsteady]
    return Evidence(
        host.label,
        changed=sum(changed for *_, changed in found),
        n=len(found),
        steady_changed=sum(steady),
        steady=len(steady),
        own_changed=sum(changed for *_, changed in own),
        own_n=len(own),
    )


def _changes(
    host: HostRecord, experiments: Sequence[HostExperiment], mode: str
) -> list[tuple[tuple[Mode, str, int], str, bool]]:
    """Return the compared texts: mode, case and seed, the arm of the reference, and whether they differ."""
    return [
        ((a.mode, a.case, a.seed), each.reference, (a.text, a.thought) != (b.text, b.thought))
        for each in experiments
        for (of_mode, _), pairs in experiment_pairs(host, each).items()
        if mode in ("", of_mode)
        for a, b in pairs
    ]
