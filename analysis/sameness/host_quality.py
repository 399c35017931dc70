"""Quality of hosts: differences of mean scores between hosts, with cases as blocks, and equality within a margin."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from analysis.comparison.compare import Answer, compare
from analysis.comparison.equivalence import show_equivalence
from analysis.comparison.holm import holm
from analysis.comparison.pair import Pair, pair
from analysis.comparison.paired_seeds import within_seeds
from analysis.formatting import gain_text, p_text
from analysis.noise.text_agreement import wilson
from analysis.observations.scale import UNIT, Scale
from analysis.observations.table import Cells, TableError, require_columns, summarize

QualityOutcome = Literal["same", "differs", "not shown"]

_PAIR_FROM = 0.5
"""From this share of equal texts for a seed on, hosts are compared within seeds."""


@dataclass(frozen=True)
class HostQuality:
    """The quality of two hosts, on these cases.

    Attributes:
        host_a: Label of one host.
        host_b: Label of the other.
        outcome: "differs" if p is at most alpha; "same" if the difference is shown to lie within the margin; else "not
            shown".
        effect: Mean over cases of the difference of mean scores, `host_b` minus `host_a`; NaN without a shared case.
        low: Lower end of its interval; NaN where no noise was seen.
        high: Upper end.
        level: Confidence level of the interval: 1 - alpha, higher where several pairs share alpha.
        p_value: Two-sided p of a difference, adjusted for all pairs of hosts (Holm).
        p_raw: The same of this pair alone.
        p_equivalence: p of two one-sided tests (TOST), times the number of pairs; NaN where equality is not judged.
        margin: Differences smaller than this count as none; NaN without one.
        test: Name of the test; "" without one.
        n: Scores of the host with fewer.
        cases: Number of shared cases.
        equal_texts: Share of shared seeds of a case with the same text on both; NaN where texts are not known.
        notes: Data left out, and assumptions.
        sentence: The result in words.
    """

    host_a: str
    host_b: str
    outcome: QualityOutcome
    effect: float
    low: float
    high: float
    level: float
    p_value: float
    p_raw: float
    p_equivalence: float
    margin: float
    test: str
    n: int
    cases: int
    equal_texts: float
    notes: tuple[str, ...]
    sentence: str

    def as_dict(self) -> dict[str, Any]:
        """Return the fields, ready for JSON."""
        return asdict(self)


@dataclass(frozen=True)
class _Compared:
    """Two hosts, compared as if they were two configurations."""

    two: Pair
    answer: Answer
    equal_texts: float
    requests: int


def host_quality(
    observations: pd.DataFrame,
    margin: float | None = None,
    *,
    pairs: Sequence[tuple[str, str]] | None = None,
    alpha: float = 0.05,
    scale: Scale = UNIT,
    seed: int = 0,
) -> list[HostQuality]:
    """Compare the quality of each pair of hosts, on these cases.

    A host is the factor and a case the block: the tests are those of `comparison.compare`. Hosts that give the same
    text for most seeds share their noise, so they are compared within seeds. All pairs share alpha: differences by
    Holm's method, equalities by Bonferroni's, whose level is known before the noise is looked at.

    Args:
        observations: See `analysis.observations.table`; one configuration, with `host` as a column. With `text_sha256`
            equal texts are known.
        margin: Differences smaller than this count as none; without one equality is not judged.
        pairs: Labels of the hosts to compare; by default each pair of the table.
        alpha: Level of all pairs together.
        scale: The scale of the scores.
        seed: Seed of random rearrangements.

    Returns:
        One result per pair, in their order.

    Raises:
        TableError: The table lacks a column, or names a single host.
        ValueError: The margin is not above 0.
    """
    if margin is not None and not margin > 0:
        raise ValueError(f"margin must be above 0, not {margin}")
    require_columns(observations, ("host", "case", "seed", "score"))
    if pairs is None:
        labels = list(dict.fromkeys(observations["host"].astype(str)))
        pairs = list(itertools.combinations(labels, 2))
    if not pairs:
        raise TableError("the table names a single host, so there is nothing to compare: add another")
    rows = observations.assign(configuration=observations["host"].astype(str)).drop(columns="host")
    cells = summarize(rows, scale=scale)
    found = [_compared(rows, cells, *names, seed) for names in pairs]
    adjusted, levels = holm([_p_of(each) for each in found], alpha)
    bound = math.nan if margin is None else float(margin)
    equal = [_equality(each, bound, scale, alpha / len(pairs)) for each in found]
    return [
        _result(names, each, p_value, float(np.minimum(p_equal * len(pairs), 1.0)), level, bound, notes, alpha)
        for names, each, p_value, level, (p_equal, notes) in zip(pairs, found, adjusted, levels, equal, strict=True)
    ]


def _compared(rows: pd.DataFrame, cells: Cells, host_a: str, host_b: str, seed: int) -> _Compared | str:
    """Compare two hosts; return the reason where nothing can be compared."""
    share, requests = _equal_texts(rows, host_a, host_b)
    try:
        two = pair(cells, cells.index(host_a, "host"), cells.index(host_b, "host"))
        if share >= _PAIR_FROM and len(two.noisy) == 2:
            two, answer = within_seeds(rows, two, seed=seed)
        else:
            answer = compare(two, claim="these-cases", seed=seed)
    except TableError as error:
        return f"Not compared: {error}."
    return _Compared(two, answer, share, requests)


def _equal_texts(rows: pd.DataFrame, host_a: str, host_b: str) -> tuple[float, int]:
    """Return the share of shared requests with the same texts on both hosts, and the number of shared requests."""
    if "text_sha256" not in rows:
        return math.nan, 0
    keys = ["case", "seed"]
    texts = [
        rows[rows["configuration"] == host].groupby(keys, observed=True)["text_sha256"].agg(frozenset)
        for host in (host_a, host_b)
    ]
    both = texts[0].to_frame("a").join(texts[1].to_frame("b"), how="inner")
    return (float((both["a"] == both["b"]).mean()), len(both)) if len(both) else (math.nan, 0)


def _p_of(found: _Compared | str) -> float:
    """Return the p of a difference; 1 where all shared texts are the same, NaN where nothing was tested."""
    if isinstance(found, str):
        return math.nan
    estimate = found.answer.estimate
    if estimate is None:
        return 1.0 if found.equal_texts == 1 else math.nan
    return estimate.p_value


def _equality(found: _Compared | str, margin: float, scale: Scale, tail: float) -> tuple[float, tuple[str, ...]]:
    """Return the p of equality within the margin, and notes; NaN where it is not judged."""
    if isinstance(found, str) or math.isnan(margin):
        return math.nan, ()
    if found.equal_texts == 1:
        return _equality_of_equal_texts(found, margin, scale, tail)
    return show_equivalence(found.two, found.answer, margin, tail)


def _equality_of_equal_texts(
    found: _Compared, margin: float, scale: Scale, tail: float
) -> tuple[float, tuple[str, ...]]:
    """Judge equality where no text differs: what rare differences could cost must lie within the margin.

    A rare differing text may cost as much as two texts of one case differed at most.
    """
    spread = max(
        (float(np.ptp(scores)) for row in (found.two.baseline.row, found.two.finalist.row)
         for stratum in found.two.strata.tolist()
         if len(scores := found.two.cells.cell_scores(row, stratum))),
        default=scale.width,
    )  # fmt: skip
    if spread == 0:
        return 0.0, ()
    # the share of differing texts for which none in so many requests has this probability
    allowed = min(margin / spread, 1.0)
    p_value = (1 - allowed) ** found.requests
    if p_value <= tail:
        return p_value, ()
    missed = wilson(0.0, found.requests, 1 - 2 * tail)[1]
    return p_value, (f"All {found.requests} shared texts are the same; up to {missed:.0%} of others may differ.",)


def _result(
    names: tuple[str, str],
    found: _Compared | str,
    p_value: float,
    p_equal: float,
    level: float,
    margin: float,
    unsure: tuple[str, ...],
    alpha: float,
) -> HostQuality:
    if isinstance(found, str):
        none = math.nan
        return HostQuality(
            *names, "not shown", none, none, none, 1 - level, none, none, none, margin, "", 0, 0, none, (found,), found
        )
    two, estimate = found.two, found.answer.estimate
    low, high = (math.nan, math.nan) if estimate is None else two.cells.scale.bounded(estimate.interval(1 - level))
    if p_value <= alpha:
        outcome: QualityOutcome = "differs"
    else:
        outcome = "same" if p_equal <= alpha else "not shown"
    result = HostQuality(
        *names,
        outcome=outcome,
        effect=two.effect,
        low=low,
        high=high,
        level=1 - level,
        p_value=p_value,
        p_raw=_p_of(found),
        p_equivalence=p_equal,
        margin=margin,
        test="" if estimate is None else estimate.test,
        n=min(two.baseline.informative, two.finalist.informative),
        cases=two.cases,
        equal_texts=found.equal_texts,
        notes=(*two.notes, *found.answer.notes, *(unsure if outcome == "not shown" else ())),
        sentence="",
    )
    return HostQuality(**{**asdict(result), "sentence": _sentence(result)})


def _sentence(found: HostQuality) -> str:
    """Return the result in words."""
    names, effect = f"{found.host_b} and {found.host_a}", gain_text(abs(found.effect))
    if found.outcome == "differs":
        word = "more" if found.effect > 0 else "less"
        return f"{found.host_b} scores {effect} {word} than {found.host_a} ({p_text(found.p_value)})."
    if found.outcome == "same":
        return f"{names} have the same quality within {gain_text(found.margin)} (difference {effect})."
    if math.isnan(found.margin):
        return f"{names} do not differ clearly (difference {effect}); name a margin to judge whether they are the same."
    return f"{names}: neither a difference nor the same quality within {gain_text(found.margin)} is shown."
