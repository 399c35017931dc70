"""The verdict on a configuration: better than the baseline, worse, equivalent, or not distinguishable."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal

from analysis.comparison.claim import Claim
from analysis.formatting import arms_text, cases_text, decimals, level_text, p_text
from analysis.html_table import html_table
from analysis.observations.scale import UNIT, Scale

Outcome = Literal["better", "worse", "equivalent", "not distinguishable"]


@dataclass(frozen=True)
class Verdict:
    """A verdict on one configuration against the baseline.

    All scores, effects, margins and standard deviations are in units of the score; see `scale`. Effects are gains:
    above 0 where the configuration is better, also where less is better. A number that does not
    exist (no test was possible) is NaN here and None in `as_dict`.

    Attributes:
        configuration: Label of the configuration.
        baseline: Label of the baseline.
        outcome: "better" or "worse" if the adjusted p is at most `alpha`; else "equivalent" if the effect is shown to
            lie within the margin; else "not distinguishable".
        claim: The cases that the outcome is about: "these-cases" or "new-cases".
        effect: Mean over cases of the difference of the mean scores.
        ci_low: Lower end of the interval; see `level`.
        ci_high: Upper end.
        level: Confidence level of the interval: 1 - alpha, higher where several configurations or looks share alpha.
        p_value: Two-sided, adjusted for several configurations and looks.
        p_raw: Two-sided, of this comparison alone.
        p_equivalence: Of the two one-sided tests against the margin.
        alpha: Level of the verdict.
        equality_low: Lower end of the interval that is compared with the margin; NaN where equality was not judged.
        equality_high: Upper end.
        equality_level: Its confidence level, 1 - 2 * alpha: each end is a one-sided test at alpha, or its even share.
        margin: Differences smaller than this count as none; NaN where nobody named one: equality is not judged then.
        margin_from: Where the margin comes from: "margin" or "min_gain" as given, or "".
        test: Name of the test.
        dof: Its degrees of freedom.
        standard_error: Of the effect.
        n_per_arm: Observations that count in the smaller arm (a greedy arm has one per case).
        n_baseline: The same of the baseline.
        n_finalist: The same of the configuration.
        cases: Number of cases compared.
        mde: Smallest true gain that a comparison like this one finds with 80% probability; if it left early, by its
            planned end.
        baseline_mean: Mean score of the baseline over these cases.
        finalist_mean: Mean score of the configuration.
        noise_sd: Standard deviation over seeds within a case, both arms together.
        min_gain: Smallest gain of interest, if given.
        comparisons: Number of configurations that were compared with the baseline at once.
        look: Number of the sequential look, or None.
        looks: Planned number of looks, or None.
        given_up: Whether that look ended the comparison because a claim was improbable.
        overtaken: Whether it left at that look, the end of a run-off, because other configurations were ahead.
        failed_baseline: Rows of the baseline without a score.
        failed_finalist: Rows of the configuration without a score.
        effect_with_failures: The effect if those had the score 0. Where that turns a gain into none, a loss into none,
            or goes beyond the margin, nothing is claimed: failed generations are no random sample.
        gaining: Number of cases in which the configuration scores more.
        losing: Number of cases in which it scores less.
        decided_by: The case without which little or nothing of a claimed difference is left; "" if there is none.
        effect_without: The effect over the other cases; the effect itself if no case decides.
        missing_baseline: Rows that the baseline lacks for even numbers per case; see `comparison.missing_rows`.
        missing_finalist: Rows that the configuration lacks.
        effect_with_missing: The effect with the least favourable scores for them.
        effect_without_drift: The effect adjusted to equal times, where arms did not run at the same time and the table
            has their order; see `noise.drift`. Otherwise the effect.
        withheld: The reason why a difference with a small enough p is not claimed: "failures", "missing rows",
            "drift", or "".
        look_rescored: Whether the scores have changed since that look.
        sentence: The verdict in words.
        advice: The next step.
        notes: Data left out, and assumptions.
        optimism: Expected distance of the best of several equal configurations above its true mean; 0 of a single one.
        cautions: The notes to repeat wherever the difference is shown: it was picked on the same data, so that new
            generations will show less, or a single case decides.
        text_notes: The notes on texts that are cut off, much longer or copied, so that scores mean something else, and
            on scores that repeat as copied rows do.
        data_notes: The notes on rows that do not count, so that an arm has fewer than were generated.
        scale: The ends of the scores, and whether less is better.
    """

    configuration: str
    baseline: str
    outcome: Outcome
    claim: Claim
    effect: float
    ci_low: float
    ci_high: float
    level: float
    p_value: float
    p_raw: float
    p_equivalence: float
    equality_low: float
    equality_high: float
    equality_level: float
    alpha: float
    margin: float
    margin_from: str
    test: str
    dof: float
    standard_error: float
    n_per_arm: int
    n_baseline: int
    n_finalist: int
    cases: int
    mde: float
    baseline_mean: float
    finalist_mean: float
    noise_sd: float
    min_gain: float | None
    comparisons: int
    look: int | None
    looks: int | None
    given_up: bool
    failed_baseline: int
    failed_finalist: int
    effect_with_failures: float
    gaining: int
    losing: int
    decided_by: str
    effect_without: float
    missing_baseline: int
    missing_finalist: int
    effect_with_missing: float
    effect_without_drift: float
    withheld: str
    look_rescored: bool
    sentence: str
    advice: str
    notes: tuple[str, ...]
    optimism: float
    cautions: tuple[str, ...]
    text_notes: tuple[str, ...] = ()
    data_notes: tuple[str, ...] = ()
    scale: Scale = UNIT
    overtaken: bool = False

    def __eq__(self, other: object) -> bool:
        """Whether all fields are equal, where NaN equals NaN: from Python 3.13 on, dataclasses do not say so."""
        return self._comparable() == other._comparable() if isinstance(other, Verdict) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._comparable())

    def _comparable(self) -> tuple[Any, ...]:
        values = (getattr(self, field.name) for field in fields(self))
        return tuple(None if isinstance(value, float) and math.isnan(value) else value for value in values)

    @property
    def facts(self) -> dict[str, str]:
        """The numbers behind the outcome in words, by name; "" for numbers that do not exist."""
        d = decimals(self.effect, self.ci_low, self.ci_high)
        tested = not math.isnan(self.p_value)
        interval = f", {level_text(self.level)} interval {self.ci_low:+.{d}f} to {self.ci_high:+.{d}f}"
        return {
            "effect": f"{self.effect:+.{d}f}{interval if tested else ''}",
            "p value": p_text(self.p_value, self.alpha).removeprefix("p = ").removeprefix("p ") if tested else "",
            "mean score": f"{self.finalist_mean:.{d}f}, baseline {self.baseline_mean:.{d}f}",
            "based on": f"{arms_text(self.n_per_arm, self.n_finalist, self.n_baseline)}, {cases_text(self.cases)}",
        }

    def __str__(self) -> str:
        """The outcome with its sentence, what to do, and each doubt on a line of its own."""
        doubts = [f"! {doubt}" for doubt in (*self.cautions, *self.text_notes)]
        return "\n".join(filter(None, [f"{self.outcome}: {self.sentence}", self.advice, *doubts]))

    def _repr_html_(self) -> str:
        return html_table(f"{self.configuration}: {self.outcome}", self.facts, self.sentence, self.advice)

    @property
    def left_early(self) -> bool:
        """Whether a look ended the comparison before it could show much."""
        return self.given_up or self.overtaken

    @property
    def ended_early(self) -> bool:
        """Whether a look before the last settled it by a significant difference."""
        early = self.look is not None and self.looks is not None and self.look < self.looks
        return early and not self.left_early and self.p_value <= self.alpha

    def as_dict(self) -> dict[str, Any]:
        """Return the fields, ready for JSON: numbers that do not exist are None; `verdict` repeats the outcome."""
        fields = {
            name: None if isinstance(value, float) and not math.isfinite(value) else value
            for name, value in asdict(self).items()
        }
        return {
            "verdict": self.outcome,
            **fields,
            "notes": list(self.notes),
            "cautions": list(self.cautions),
            "text_notes": list(self.text_notes),
            "data_notes": list(self.data_notes),
        }
