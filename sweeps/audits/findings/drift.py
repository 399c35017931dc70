"""Drift: what changed on a host since an earlier audit, and whether its texts and their coverage changed with it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from analysis.noise.text_agreement import TextAgreement, pairs_between, text_agreement
from analysis.sameness.host_quality import HostQuality, host_quality
from analysis.sameness.levels import Level, LevelResult, sameness
from sweeps.audits.findings.evidence import evidence
from sweeps.audits.findings.levels_table import compared_answers
from sweeps.audits.record import MODES, AuditRecord, HostRecord, Mode, require_alike
from sweeps.fingerprints.changes import fingerprint_changes
from sweeps.fingerprints.fingerprint import Fingerprint

if TYPE_CHECKING:
    import pandas as pd

BEFORE, NOW = "before", "now"

ALPHA = 0.05
"""Probability of any false change of coverage; hosts and modes share it (Bonferroni)."""


@dataclass(frozen=True)
class TextDrift:
    """Texts of one mode, before and now.

    Attributes:
        mode: The mode.
        agreement: Agreement of texts of equal seeds.
        quality: Difference of coverage; None without scores.
        levels: The three levels of sameness.
        own_changed: Texts that differed when the host sent a request again within one of the two audits.
        own_n: Texts that were sent again so.
    """

    mode: Mode
    agreement: TextAgreement
    quality: HostQuality | None
    levels: tuple[LevelResult, ...]
    own_changed: int = 0
    own_n: int = 0

    @property
    def own_noise(self) -> str:
        """The host's own noise, beside which its changed texts stand; "" where it repeats its texts."""
        if not self.own_changed:
            return ""
        return f" (sent again within one audit, {self.own_changed} of {self.own_n} differ as well)"


@dataclass(frozen=True)
class Drift:
    """One host, before and now.

    Attributes:
        host: The host's label.
        since: When it was audited before, as ISO text; "" where that is not known.
        changes: A line for each fact of the fingerprint that changed and can change texts.
        texts: The texts of each mode that both audits have.
    """

    host: str
    since: str
    changes: tuple[str, ...]
    texts: tuple[TextDrift, ...]

    @property
    def texts_changed(self) -> bool:
        """Whether any text of equal case and seed differs."""
        return any(each.agreement.identical < each.agreement.n for each in self.texts)

    @property
    def quality_changed(self) -> bool:
        """Whether the mean coverage is shown to differ in any mode."""
        return any(each.quality is not None and each.quality.outcome == "differs" for each in self.texts)

    def broken(self, level: Level) -> list[str]:
        """Return a sentence for each mode in which the host is shown not to be the same as before at a level."""
        return [
            f"{self.host} in {each.mode} mode: {found.sentence.removesuffix('.')}{each.own_noise}."
            for each in self.texts
            for found in each.levels
            if found.level == level and found.met == "not met"
        ]

    @property
    def sentence(self) -> str:
        """The host's drift in one or two sentences."""
        since = f" since {self.since[:10]}" if self.since else ""
        changed = f"{len(self.changes)} facts changed{since}" if len(self.changes) > 1 else f"a fact changed{since}"
        if not self.changes:
            changed = f"no recorded fact changed{since}"
        parts = [_texts_sentence(each) for each in self.texts] or ["no text can be compared"]
        return f"{self.host}: {changed}; {'; '.join(parts)}."


def drift(last: AuditRecord, now: AuditRecord) -> list[Drift]:
    """Compare each host of an audit with itself in an earlier one, by its label.

    Hosts that only one of the audits has are left out.

    Raises:
        ConfigError: If model, options, cases or objective differ, since texts could not be compared.
    """
    require_alike(last, now)
    both = [host for host in now.hosts if host.label in last.labels]
    alpha = ALPHA / max(1, len(both) * len(MODES))
    return [_host_drift(last.host(host.label), host, now.model, now.margin, alpha) for host in both]


def _texts_sentence(found: TextDrift) -> str:
    agreement = found.agreement
    different = agreement.n - agreement.identical
    texts = f"in {found.mode} mode {different} of {agreement.n} texts differ{found.own_noise}"
    if not different:
        texts = f"in {found.mode} mode all {agreement.n} texts are the same"
    quality = found.quality
    if quality is None or not different:
        return texts
    words = {"differs": "coverage differs", "same": "coverage is the same within the margin"}
    effect = "" if np.isnan(quality.effect) else f" ({quality.effect:+.3f})"
    return f"{texts}, {words.get(quality.outcome, 'a change of coverage is not shown')}{effect}"


def _host_drift(before: HostRecord, now: HostRecord, model: str, margin: float, alpha: float) -> Drift:
    old, new = ({model: Fingerprint(host.fingerprint)} for host in (before, now))
    changes = fingerprint_changes(old, new)
    if before.path != now.path:
        changes.append(f"API path: was {before.path}, is {now.path}")
    if before.num_ctx != now.num_ctx:
        changes.append(f"effective num_ctx: was {before.num_ctx or 'not known'}, is {now.num_ctx or 'not known'}")
    return Drift(now.label, before.taken, tuple(changes), tuple(_text_drifts(before, now, margin, alpha)))


def _text_drifts(before: HostRecord, now: HostRecord, margin: float, alpha: float) -> Iterator[TextDrift]:
    for mode in MODES:
        rows = _rows([(BEFORE, before), (NOW, now)], mode)
        if not len(rows):
            continue
        pairs = pairs_between(rows, BEFORE, NOW)
        if not len(pairs):
            continue
        scored = rows[rows["score"].notna()]
        quality = None
        if set(scored["host"]) == {BEFORE, NOW}:
            (quality,) = host_quality(scored, margin, pairs=[(BEFORE, NOW)], alpha=alpha)
        greedy = mode == "baseline"
        agreement = text_agreement(pairs, greedy=greedy)
        levels = sameness(pairs, agreement, quality, greedy=greedy)
        own = [evidence(host, mode=mode) for host in (before, now)]
        changed, n = sum(each.own_changed for each in own), sum(each.own_n for each in own)
        yield TextDrift(mode, agreement, quality, levels, changed, n)


def _rows(hosts: Sequence[tuple[str, HostRecord]], mode: Mode) -> pd.DataFrame:
    import pandas as pd

    rows = [
        {"host": name, "configuration": "used", "case": each.case, "seed": each.seed, "repeat": 0, "text": each.text,
         "score": each.score}
        for name, host in hosts
        for each in compared_answers(host, mode)
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=["host", "configuration", "case", "seed", "repeat", "text", "score"])
