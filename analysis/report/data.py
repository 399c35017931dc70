"""The data of a report."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

import pandas as pd

from analysis.comparison.estimate import ROUNDING
from analysis.formatting import as_sentence
from analysis.observations import views
from analysis.verdict.use_now import UseNow, changes, use_now_for, without_verdict

if TYPE_CHECKING:
    from analysis.noise.aa_check import AACheck
    from analysis.noise.floor import NoiseFloor
    from analysis.pass_rates import Reliability
    from analysis.report.limits import LimitColumn
    from analysis.report.surface import Surface
    from analysis.verdict.recommendation import Recommendation
    from analysis.verdict.verdict import Verdict

Value = int | float | str


class Piece(Protocol):
    """A stretch of a text."""

    @property
    def text(self) -> str:
        """The stretch."""
        ...

    @property
    def items(self) -> Sequence[str]:
        """Names of the items that it covers; empty for plain text."""
        ...

    @property
    def forbidden(self) -> bool:
        """Whether one of them must not appear."""
        ...


@dataclass(frozen=True)
class ReportData:
    """Everything that a report shows. What is missing is left out of it.

    Attributes:
        study: Name of the study.
        created: When the report is made, ISO 8601.
        observations: See `analysis.observations.table`.
        baseline: Key of the baseline.
        baseline_sources: Where each option of the baseline comes from: `file`, `model`, `server default (...)`, `ours`.
        finalist: Key of the finalist; None if the study ended without one.
        verdicts: Verdicts on the fresh generations; the finalist's is the headline.
        no_verdict: Why there is no verdict, as a clause; not read where there is one.
        fresh_effects: By key of a finalist, how far its fresh mean lies above that of all fresh generations of the
            baseline. A verdict on one that left early knows the baseline's until then only; where a key is missing,
            the verdict's effect is taken.
        recommendations: By key of a finalist, whether it is recommended; where a key is missing, as
            `recommendation` has it without a search's belief.
        configurations: By key: `{"model": ..., "prompt": ..., "options": {...}}`.
        floor: Noise floor of the baseline.
        aa: Check of the baseline against itself.
        ranking: Columns `configuration`, `effect`, `ci_low`, `ci_high`: simultaneous intervals of the differences from
            the baseline. None: plain intervals of the means.
        expected: Score and output tokens to expect from fresh generations, by configuration; see `pareto.expected`.
            The Pareto front of plot and table is that of these rows.
        constraints: A row per limit, columns `constraint`, `limit`, `baseline`, `finalist` (means with their intervals)
            and `outcome` (the finalist's), all as texts; None without limits.
        limits: The limited quantities of all configurations.
        broken: Limits that the finalist's fresh means lie above, as `breaks words: 171 on average, limit 150`.
        baseline_broken: The same of the baseline.
        reliability: How often the fresh generations of each case reach a bar; None without a bar.
        robustness: Any table; shown as it is, one row per way to score (a column `outcome` is coloured).
        fingerprints: Facts by digest of the host: `{digest: {"host": {...}, "engine": {...}, "model": {...}}}`.
        host_labels: Names of the hosts for people, by digest.
        texts: Columns `configuration`, `case`, `seed`, `text`, `covered`, `missed` (lists of item names or texts).
        items: A row per item of each scored text: `configuration`, `case`, `seed`, `item`, `level`, `text`,
            `forbidden`, `said`, `probability`, and `stage` where there are several.
        marked: Texts in pieces, by configuration, case and seed; pieces with `items` cover these.
        config: The sweep's configuration, as a nested dict.
        commands: Commands by what they do, such as `{"resume": "sweeps run quickstart.toml"}`.
        exports: Paths of the exports.
        notes: Warnings to the reader.
        is_comparison: Whether named candidates are compared, without a search.
        start_trials: Number of the first trials that are the start design of the search; 0 where it is not known.
        names: Names of the candidates, by key.
        looks: The sentence from each look at the confirmation, in their order.
        last_look: The sentence of the look that settled the finalist before the end; "" where none did.
        version: Version of slm-sweeps.
        surface: The search's estimate of the score over its space; None without a search.
        score_text: What a score is, in a sentence or two; "" where nobody says.
        prompts: Texts of the prompts, by name.
        look_effects: Effect on the finalist after each look: columns `look`, `seeds` (per case and arm), `effect`,
            `ci_low` and `ci_high`; None without a confirmation.
    """

    study: str
    created: str
    observations: pd.DataFrame
    baseline: str
    finalist: str | None = None
    verdicts: Sequence[Verdict] = ()
    baseline_sources: Mapping[str, str] = field(default_factory=dict)
    no_verdict: str = "there is no verdict yet"
    fresh_effects: Mapping[str, float] = field(default_factory=dict)
    recommendations: Mapping[str, Recommendation] = field(default_factory=dict)
    configurations: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    floor: NoiseFloor | None = None
    aa: AACheck | None = None
    ranking: pd.DataFrame | None = None
    expected: pd.DataFrame | None = None
    constraints: pd.DataFrame | None = None
    limits: Sequence[LimitColumn] = ()
    broken: Sequence[str] = ()
    baseline_broken: Sequence[str] = ()
    reliability: Reliability | None = None
    robustness: pd.DataFrame | None = None
    fingerprints: Mapping[str, Mapping[str, Mapping[str, Any]]] = field(default_factory=dict)
    host_labels: Mapping[str, str] = field(default_factory=dict)
    texts: pd.DataFrame | None = None
    items: pd.DataFrame | None = None
    marked: Mapping[tuple[Any, ...], Sequence[Piece]] = field(default_factory=dict)
    config: Mapping[str, Any] = field(default_factory=dict)
    commands: Mapping[str, str] = field(default_factory=dict)
    exports: Sequence[str] = ()
    notes: Sequence[str] = ()
    is_comparison: bool = False
    start_trials: int = 0
    names: Mapping[str, str] = field(default_factory=dict)
    looks: Sequence[str] = ()
    last_look: str = ""
    version: str = ""
    surface: Surface | None = None
    score_text: str = ""
    prompts: Mapping[str, str] = field(default_factory=dict)
    look_effects: pd.DataFrame | None = None

    @property
    def verdict(self) -> Verdict | None:
        """The headline: the finalist's verdict, else the first one."""
        own = [verdict for verdict in self.verdicts if verdict.configuration == self.finalist]
        return next(iter([*own, *self.verdicts]), None)

    @property
    def use_now(self) -> UseNow:
        """The settings to use now."""
        verdict = self.verdict
        if verdict is None:
            return without_verdict(self.no_verdict)
        return use_now_for(
            verdict,
            changes(self.values(self.baseline), self.values(verdict.configuration)),
            effect=self.fresh_effect(verdict),
            broken=self.broken,
            baseline_broken=self.baseline_broken,
            name=self.called(verdict.configuration) if self.is_comparison else "",
            recommended=self.recommendations.get(verdict.configuration),
        )

    def fresh_effect(self, verdict: Verdict) -> float:
        """Distance of a finalist's fresh mean above the mean of all fresh generations of the baseline."""
        return self.fresh_effects.get(verdict.configuration, verdict.effect)

    def expected_gain(self, verdict: Verdict) -> float | None:
        """The gain over the baseline to expect from new generations of a finalist, at most the measured one.

        None for a single finalist, which was not picked by these scores, and where nothing is known. The best of
        several owes part of its difference to luck; the spread of all trials says how much (`pareto.expected`). The
        baseline's own mean counts as it is: drawn towards worse trials it would make them look better.
        """
        if self.expected is None or not verdict.optimism:
            return None
        known = self.expected.set_index("configuration")
        if not {verdict.configuration, self.baseline} <= set(known.index):
            return None
        gain = float(known["score"][verdict.configuration] - known["mean"][self.baseline])
        return min(gain, self.fresh_effect(verdict)) if math.isfinite(gain) else None

    def left_early(self, verdict: Verdict) -> bool:
        """Whether the baseline has fresh generations that are not part of a verdict."""
        return abs(self.fresh_effect(verdict) - verdict.effect) > ROUNDING

    @cached_property
    def baseline_by_stage(self) -> dict[str, pd.Series[Any]]:
        """The baseline's summary (see `views.summary`) by stage; {} without stages."""
        rows = self.observations
        if "stage" not in rows:
            return {}
        own = views.usable(rows[rows["configuration"] == self.baseline])
        return {str(stage): views.summary(part).iloc[0] for stage, part in own.groupby("stage", observed=True)}

    @property
    def noise_sd(self) -> float:
        """Within-case standard deviation of a score: the floor's, else the verdict's, else 0 (nothing is known)."""
        if self.floor is not None and self.floor.sd:
            return self.floor.sd
        known = self.verdict.noise_sd if self.verdict is not None else 0.0
        return known if math.isfinite(known) else 0.0

    def values(self, key: str | None) -> dict[str, Value]:
        """Model, prompt and options of a configuration, flat; empty if nothing is known of it."""
        known = self.configurations.get(key or "", {})
        named = {name: known[name] for name in ("model", "prompt") if known.get(name) is not None}
        return {**named, **known.get("options", {})}

    def differences(self, key: str) -> dict[str, Value]:
        """The values in which a configuration differs from the baseline."""
        base = self.values(self.baseline)
        return {name: value for name, value in self.values(key).items() if base.get(name) != value}

    def role(self, key: str) -> str:
        """`the baseline`, `the finalist`, a candidate's name, or the key."""
        if key == self.baseline:
            return "the baseline"
        if key == self.finalist and not self.is_comparison:
            return "the finalist"
        return self.names.get(key, key)

    def host_label(self, digest: str) -> str:
        """A host's name for people; the digest is part of it only where nobody named the host."""
        return self.host_labels.get(digest) or f"host {digest}"

    @property
    def finalist_name(self) -> str:
        """`finalist`, or the candidate's name in a comparison: the head of columns and legends."""
        return self.role(self.finalist or "").removeprefix("the ") or "finalist"

    def trial(self, key: str) -> int | None:
        """Number of the trial that found a configuration; None where the table does not say."""
        rows = self.observations
        if "trial" not in rows:
            return None
        numbers = rows.loc[rows["configuration"] == key, "trial"]
        return int(numbers.min()) if len(numbers) and numbers.notna().all() else None

    def called(self, key: str) -> str:
        """`the baseline`, `the finalist`, a candidate's name, `trial 28` for another finalist, else the key."""
        if key in self.names and self.role(key) == self.names[key]:
            return self.names[key]
        others = {verdict.configuration for verdict in self.verdicts} - {self.baseline, self.finalist}
        trial = self.trial(key) if key in others else None
        return self.role(key) if trial is None else f"trial {trial}"

    def in_words(self, text: str) -> str:
        """A sentence with the names of baseline and finalists in place of their keys."""
        keys = (self.baseline, self.finalist, *(verdict.configuration for verdict in self.verdicts))
        return as_sentence(text, {key: self.called(key) for key in keys if key})
