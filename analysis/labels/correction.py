"""An effect corrected by labels, with the matcher's error inside its interval.

Prediction-powered inference (Angelopoulos et al., Science 382, 2023; PPI++, arXiv 2311.01453): the matcher answers
every question, a person a random few. The mean difference between the two, weighted by the probabilities of the draws,
corrects the matcher's effect. A tuned weight says how much the matcher's answers count: near 1 where they are good,
near 0 where the labels alone are better. With any fixed weight the corrected effect is unbiased.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import special

from analysis.arrays import FloatArray, IntArray
from analysis.comparison.claim import Claim
from analysis.labels.draws import arms_of, sizes, sizes_of

FEWEST = 10
"""Below this many labels of an arm nothing is corrected."""

_PRIOR_DOF = 4.0
_WIDER = 1.25
"""Labels are enough for an open comparison where they make its interval at most this many times as wide."""


@dataclass(frozen=True)
class Correction:
    """An effect corrected by labels.

    Effects and errors are in units of the score; what cannot be computed (too few labels) is NaN.

    Attributes:
        effect: The corrected effect.
        ci_low: Lower end of its interval.
        ci_high: Upper end.
        level: Confidence level of the interval.
        standard_error: Of the corrected effect.
        label_error: The part of it that more labels would lower.
        dof: Degrees of freedom (Satterthwaite).
        measured: The effect by the matcher alone.
        power: Weight of the matcher's answers, in [0, 1].
        error_baseline: How much the matcher scores the baseline too high, by the labels.
        error_finalist: The same of the configuration.
        labels: Number of questions that were answered, each counted once.
        n_baseline: Number of draws of the baseline with an answer; a question may be drawn again.
        n_finalist: The same of the configuration.
        needed: About how many labels it takes; see `corrected_effect`. None where no number is enough.
    """

    effect: float
    ci_low: float
    ci_high: float
    level: float
    standard_error: float
    label_error: float
    dof: float
    measured: float
    power: float
    error_baseline: float
    error_finalist: float
    labels: int
    n_baseline: int
    n_finalist: int
    needed: int | None

    @property
    def is_made(self) -> bool:
        """Whether there are labels enough for an interval."""
        return not math.isnan(self.effect)

    @property
    def is_open(self) -> bool:
        """Whether the interval contains 0."""
        return self.ci_low <= 0 <= self.ci_high

    @property
    def enough(self) -> bool:
        """Whether more labels are not needed."""
        return self.is_made and self.needed is not None and self.needed <= self.labels

    def as_dict(self) -> dict[str, Any]:
        """Return the fields and `enough`, ready for JSON: numbers that do not exist are None."""
        fields = {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in asdict(self).items()}
        return {**fields, "enough": self.enough}


@dataclass(frozen=True)
class _Arm:
    """Labels of one arm, each as its share of the effect: shape (labels,)."""

    answer: FloatArray
    credit: FloatArray
    share: FloatArray
    case: IntArray
    prior: float

    def residual(self, power: float) -> FloatArray:
        return self.answer - power * self.credit

    def variance(self, power: float) -> float:
        """Return the variance of one draw, moderated: a few labels without an error do not show that there is none."""
        dof = len(self.answer) - 1
        own = float(self.residual(power).var(ddof=1))
        return (_PRIOR_DOF * self.prior + dof * own) / (_PRIOR_DOF + dof)

    def drawn(self, power: float) -> float:
        """Return the variance that comes from the texts being a sample themselves."""
        return float((self.residual(power) ** 2 * self.share).mean())


def corrected_effect(
    questions: pd.DataFrame,
    labels: pd.DataFrame,
    *,
    baseline: str,
    finalist: str,
    effect: float,
    standard_error: float,
    dof: float,
    level: float = 0.95,
    claim: Claim = "these-cases",
    shown: bool = False,
) -> Correction:
    """Correct the effect of a comparison by labels.

    Args:
        questions: All questions of both arms; see `draws.QUESTIONS`.
        labels: A row per draw that was answered, in any order: `configuration`, `question`, `share` (see `draws.draw`)
            and `answer` in [0, 1].
        baseline: Label of the baseline.
        finalist: Label of the configuration.
        effect: The effect by the matcher's scores, configuration minus baseline.
        standard_error: Of that effect; 0 where it is exact.
        dof: Its degrees of freedom.
        level: Confidence level of the interval.
        claim: The cases that the interval is about. For new cases its error is that of the corrected effects of cases.
        shown: Whether the verdict claims a difference. Then as many labels are needed as would keep the interval from
            0. Otherwise they are those with which it is at most a quarter wider than without the matcher's error.

    Raises:
        ValueError: A label is about no question of the table.
    """
    arms = {name: _arm(questions, labels, name, sign) for name, sign in ((baseline, -1.0), (finalist, 1.0))}
    sizes, answered = [len(arms[name].answer) for name in (baseline, finalist)], int(labels["question"].nunique())
    if min(sizes) < FEWEST or not math.isfinite(standard_error):
        return _too_few(questions, answered, sizes, effect, standard_error, level)
    power = _power(list(arms.values()), standard_error)
    errors = {name: float((arm.credit - arm.answer).mean()) for name, arm in arms.items()}
    corrected = power * effect + sum(float(arm.residual(power).mean()) for arm in arms.values())
    by_label = [arm.variance(power) / len(arm.answer) for arm in arms.values()]
    rest = [(power * standard_error) ** 2, *(arm.drawn(power) for arm in arms.values())]
    if claim == "new-cases":
        variance, own_dof = _over_cases(questions, list(arms.values()), power, baseline, finalist)
        rest = [max(0.0, variance - sum(by_label))]
    else:
        parts = [(part, size - 1.0) for part, size in zip(by_label, sizes, strict=True)]
        variance = sum(by_label) + sum(rest)
        own_dof = _satterthwaite([(rest[0], dof), *parts], variance)
    spread = math.sqrt(variance)
    reach = float(special.stdtrit(own_dof, (1 + level) / 2))
    return Correction(
        effect=corrected,
        ci_low=corrected - reach * spread,
        ci_high=corrected + reach * spread,
        level=level,
        standard_error=spread,
        label_error=math.sqrt(sum(by_label)),
        dof=own_dof,
        measured=effect,
        power=power,
        error_baseline=-errors[baseline],
        error_finalist=errors[finalist],
        labels=answered,
        n_baseline=sizes[0],
        n_finalist=sizes[1],
        needed=_needed(answered, sum(by_label), sum(rest), corrected if shown else math.nan, reach, effect),
    )


def _arm(questions: pd.DataFrame, labels: pd.DataFrame, name: str, sign: float) -> _Arm:
    """The labels of one arm; the sign of its part in the effect is in answers and credits."""
    own, given = arms_of(questions) == name, arms_of(labels) == name
    asked, share, answer = (labels[column].to_numpy()[given] for column in ("question", "share", "answer"))
    row = pd.Index(questions["question"].to_numpy()[own]).get_indexer(pd.Index(asked))
    if (row < 0).any():
        raise ValueError(f"labels of {name}: no question {str(asked[row < 0][0])!r}; give labels of these questions")
    weight, probability, credit = (
        questions[column].to_numpy(float)[own] for column in ("weight", "probability", "credit")
    )
    scale, share = sign * weight[row] / share.astype(float), share.astype(float)
    cases = pd.factorize(questions["case"], sort=True)[0][own]
    prior = float(sizes(weight, probability, credit).sum()) ** 2
    return _Arm(scale * answer.astype(float), scale * credit[row], share, cases[row], prior)


def _power(arms: list[_Arm], standard_error: float) -> float:
    """Return the weight of the matcher's answers with which the corrected effect varies least, in [0, 1]."""
    together = sum(float(np.cov(arm.answer, arm.credit)[0, 1]) / len(arm.answer) for arm in arms)
    alone = sum(float(arm.credit.var(ddof=1)) / len(arm.answer) for arm in arms) + standard_error**2
    return min(1.0, max(0.0, together / alone)) if alone > 0 else 1.0


def _over_cases(
    questions: pd.DataFrame, arms: list[_Arm], power: float, baseline: str, finalist: str
) -> tuple[float, float]:
    """Return the variance of the corrected effect over cases, and its degrees of freedom."""
    case, names = pd.factorize(questions["case"], sort=True)
    sign = questions["configuration"].map({baseline: -1.0, finalist: 1.0}).to_numpy(float)
    parts = power * np.bincount(case, weights=sign * questions["weight"] * questions["credit"], minlength=len(names))
    for arm in arms:
        parts += np.bincount(arm.case, weights=arm.residual(power) / len(arm.answer), minlength=len(names))
    return len(names) * float(parts.var(ddof=1)), len(names) - 1.0


def _satterthwaite(parts: list[tuple[float, float]], variance: float) -> float:
    squares = sum(part**2 / dof for part, dof in parts if part > 0 and dof > 0)
    return variance**2 / squares if squares > 0 else math.inf


def _needed(count: int, by_label: float, rest: float, corrected: float, reach: float, effect: float) -> int | None:
    """Return the number of labels that is enough; `corrected` is NaN where the verdict claims no difference."""
    if math.isnan(corrected):
        room = (_WIDER**2 - 1) * rest
    elif corrected * effect <= 0:
        return None
    else:
        room = (corrected / reach) ** 2 - rest
    return math.ceil(count * by_label / room - 1e-9) if room > 0 else None


def planned_error(questions: pd.DataFrame, count: int) -> float:
    """Return the standard error of the correction that so many labels should have; see `draws.sizes`."""
    _, arm = np.unique(arms_of(questions), return_inverse=True)
    return math.sqrt(float((np.bincount(arm, weights=sizes_of(questions)) ** 2).sum()) / (count / 2))


def planned_labels(questions: pd.DataFrame, effect: float, standard_error: float, reach: float = 2.0) -> int | None:
    """Return the number of labels that should keep the interval of an effect from 0; None where none does."""
    one = planned_error(questions, 1) ** 2
    return _needed(1, one, standard_error**2, effect, reach, effect)


def _too_few(
    questions: pd.DataFrame, answered: int, sizes: list[int], effect: float, standard_error: float, level: float
) -> Correction:
    """The answer where labels are too few: no interval, and a number of labels."""
    known = math.isfinite(standard_error)
    planned = planned_labels(questions, effect, standard_error) if known else None
    none = dict.fromkeys(
        ("effect", "ci_low", "ci_high", "standard_error", "label_error", "dof", "power", "error_baseline",
         "error_finalist"), math.nan,
    )  # fmt: skip
    return Correction(
        **none,
        level=level,
        measured=effect,
        labels=answered,
        n_baseline=sizes[0],
        n_finalist=sizes[1],
        needed=None if planned is None else max(2 * FEWEST, planned),
    )
