"""Judge configurations against a baseline."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from analysis.comparison.claim import Claim, usual_claim
from analysis.comparison.compare import Answer, Test, claim_of_test, compare
from analysis.comparison.equivalence import show_equivalence
from analysis.comparison.estimate import Estimate
from analysis.comparison.holm import holm
from analysis.comparison.pair import FEWEST_CASES, Pair, is_greedy, pair
from analysis.comparison.paired_seeds import sharing_note, within_seeds
from analysis.comparison.selection_bias import optimism
from analysis.observations.scale import Scale
from analysis.observations.table import Cells, TableError, summarize
from analysis.observations.views import ByConfiguration
from analysis.sequential.design import SequentialDesign
from analysis.verdict.advice import Known, advice_for
from analysis.verdict.copied_rows import copied_row_notes
from analysis.verdict.doubts import Doubts, doubts_about
from analysis.verdict.sentences import sentence_for
from analysis.verdict.single_case import case_balance
from analysis.verdict.terms import Asked, check_arguments
from analysis.verdict.texts import text_notes
from analysis.verdict.verdict import Verdict


def judge(
    observations: pd.DataFrame,
    *,
    baseline: str,
    finalists: Sequence[str] | None = None,
    claim: Claim | None = None,
    alpha: float = 0.05,
    margin: float | None = None,
    min_gain: float | None = None,
    test: Test = "auto",
    design: SequentialDesign | None = None,
    look: int | Mapping[str, int] | None = None,
    given_up: Collection[str] = (),
    overtaken: Collection[str] = (),
    assume_missing_at_random: bool = False,
    paired_seeds: bool = False,
    cluster: str | None = None,
    range: tuple[float, float] = (0.0, 1.0),
    lower_is_better: bool = False,
    seed: int = 0,
) -> list[Verdict]:
    """Judge configurations against the baseline.

    Args:
        observations: See `analysis.observations.table`; rows of fresh seeds only, not the rows of the search.
        baseline: Label of the baseline.
        finalists: Labels to judge; by default every other one in the table. Several share `alpha` by Holm's method.
        claim: "these-cases", or "new-cases" (from 6 cases on); by default see `claim.usual_claim`.
        alpha: Two-sided level for all of them together.
        margin: Differences smaller than this count as none; by default `min_gain`. Equality is judged only if one of
            the two is given.
        min_gain: Smallest gain of interest; it is the default margin, and the advice aims at it.
        test: "auto", or one of `compare.TESTS`.
        design: The plan of looks, if the confirmation has or may get several. Then p is the repeated p value and the
            interval the repeated confidence interval (see `SequentialDesign`). So a verdict at any look errs with at
            most `alpha`, whatever made it the last.
        look: Number of this look, from 1; by default the last of the design. A mapping by label where finalists were
            settled at different looks: a finalist that left early is compared with the baseline's seeds until then,
            taken in ascending order.
        given_up: Labels of finalists that an early look ended because a claim was improbable. The verdict says so; p,
            interval and outcome stay the same.
        overtaken: Labels of finalists that left at the end of a run-off, because others were ahead; likewise.
        assume_missing_at_random: Take rows that an arm lacks to be missing for reasons that have nothing to do with
            their scores. Otherwise nothing is claimed where they could make the difference; see `missing_rows`.
        paired_seeds: Say that a seed is one run that both arms share: a claim for these cases then compares them within
            seeds, and seeds that one arm lacks do not count. A note offers it where a test finds shared seeds.
        cluster: Name of a column with the cluster of each case, for a claim for new cases; see
            `case_clusters.clustered_t`.
        range: Smallest and largest possible score, such as (0, 100) for percent or (1, 5) for grades. For a quantity
            without an end, such as seconds, take ends that no row reaches: rows without a score count as the worst end.
        lower_is_better: Whether less is better. Effects are gains all the same: above 0 is better.
        seed: Of the random permutations, where a permutation test is used.

    Returns:
        A verdict per finalist, in the order of `finalists` (or of the labels). A finalist that cannot be judged has no
        verdict, and the notes of the others say why.

    Raises:
        TableError: If the table cannot be judged, or none of the finalists; see `table.summarize`, `pair.pair` and
            `compare.compare`.
        ValueError: If an argument is out of its range.
    """
    scale = Scale(*range, lower_is_better)
    check_arguments(claim, alpha, margin, min_gain, scale)
    baseline = str(baseline)  # labels are texts, whatever type a table's column has
    cells = summarize(observations, cluster=cluster, scale=scale)
    claim = claim or (usual_claim(cells, FEWEST_CASES) if test == "auto" else claim_of_test(test))
    chosen = _labels(cells, baseline, finalists)
    looks = {label: _look_of(label, look, design) for label in chosen}
    whole: dict[str, Pair] = {}
    found: dict[str, tuple[Pair, Answer]] = {}
    refused: list[TableError] = []
    for label in chosen:
        try:
            whole[label] = two = _pair(observations, cells, baseline, label, design, looks)
            if paired_seeds and claim == "these-cases" and len(two.noisy) == 2:
                found[label] = within_seeds(observations, two, test=test, seed=seed)
            else:
                found[label] = two, _with_offer(two, compare(two, claim=claim, test=test, seed=seed), seed)
        except TableError as error:
            refused.append(error)
    if not found:
        raise refused[0]
    raw = [_p_value(found[label][1] if label in found else None, looks[label], design) for label in chosen]
    adjusted, levels = holm(raw, alpha)
    notes = tuple(f"Not judged: {str(error).removesuffix('.')}." for error in refused)
    luck, rows = optimism(found.values()), ByConfiguration(observations)
    return [
        _verdict(
            doubts_about(
                both := rows.of(baseline, label), found[label][0], whole[label], at_random=assume_missing_at_random
            ),
            (*copied_row_notes(both, whole[label]), *text_notes(both, whole[label])),
            *found[label],
            p_value,
            level,
            Asked(
                alpha,
                margin,
                min_gain,
                len(chosen),
                design,
                looks[label],
                label in given_up,
                notes,
                luck,
                label in overtaken,
            ),
        )
        for label, p_value, level in zip(chosen, adjusted, levels, strict=True)
        if label in found
    ]


def _labels(cells: Cells, baseline: str, finalists: Sequence[str] | None) -> list[str]:
    """Return the labels to judge; `TableError` if there are none, or the baseline is one of them."""
    cells.index(baseline, "baseline")
    others = [label for label in cells.configurations if label != baseline]
    chosen = others if finalists is None else [str(label) for label in finalists]
    if not chosen:
        raise TableError(f"nothing to judge: the table has no configuration besides the baseline {baseline!r}")
    if baseline in chosen:
        raise TableError(f"the baseline {baseline!r} cannot be judged against itself")
    return chosen


def _pair(
    observations: pd.DataFrame,
    cells: Cells,
    baseline: str,
    label: str,
    design: SequentialDesign | None,
    looks: Mapping[str, int | None],
) -> Pair:
    """Pair a finalist with the baseline; where it left at an early look, with the baseline's seeds until then."""
    base, at = cells.index(baseline), looks[label]
    if at is None or design is None or at == design.looks or is_greedy(cells, base):
        return pair(cells, base, cells.index(label))
    return _pair_until_left(observations, cells, baseline, label, _share(design, at, list(looks.values())))


def _with_offer(two: Pair, answer: Answer, seed: int) -> Answer:
    """Add the offer to pair seeds, where a claim for these cases could have less noise by it."""
    if answer.claim == "new-cases" or answer.estimate is None:
        return answer
    return replace(answer, notes=(*answer.notes, *sharing_note(two, seed=seed)))


def _p_value(comparison: Answer | None, look: int | None, design: SequentialDesign | None) -> float:
    """Return the p value of one finalist alone; NaN where none exists, which keeps its share of alpha."""
    estimate = None if comparison is None else comparison.estimate
    p_value = math.nan if estimate is None else estimate.p_value
    return p_value if design is None else design.repeated_p(look or design.looks, p_value)


def _look_of(label: str, look: int | Mapping[str, int] | None, design: SequentialDesign | None) -> int | None:
    """Return the look that a finalist is judged at; None without a design."""
    if design is None:
        return None
    at = look.get(label) if isinstance(look, Mapping) else look
    return design.looks if at is None else at


def _share(design: SequentialDesign, look: int, looks: Sequence[int | None]) -> float:
    """Return the share of the baseline's seeds that existed at a look; all of them go up to the latest look."""
    latest = max(at or design.looks for at in looks)
    return design.fraction(look) / design.fraction(latest)


def _pair_until_left(observations: pd.DataFrame, whole: Cells, baseline: str, label: str, share: float) -> Pair:
    """Pair a finalist with the seeds, in ascending order, that the baseline had when the finalist left."""
    names = observations["configuration"].astype(str)
    base = observations[names == baseline]
    seeds = np.unique(base["seed"])
    until = base[base["seed"].isin(seeds[: math.ceil(share * len(seeds) - 1e-9)])]
    cells = summarize(pd.concat([until, observations[names == label]]), scale=whole.scale)
    if whole.cluster is not None:
        cells = replace(cells, cluster=whole.cluster[[whole.cases.index(case) for case in cells.cases]])
    return pair(cells, cells.index(baseline, "baseline"), cells.index(label))


def judge_one(observations: pd.DataFrame, *, baseline: str, finalist: str | None = None, **options: Any) -> Verdict:
    """Judge one configuration against the baseline, with the other arguments of `judge`.

    Raises:
        TableError: As for `judge`, or if no finalist is named and the table has several.
    """
    if finalist is None:
        labels = {str(label) for label in observations.get("configuration", ())}
        others = labels - {str(baseline)}
        if 1 < len(others) < len(labels):
            raise TableError(f"the table has {len(others)} configurations besides the baseline; name the one to judge")
    return judge(observations, baseline=baseline, finalists=None if finalist is None else [finalist], **options)[0]


def _verdict(
    doubts: Doubts,
    texts: tuple[str, ...],
    two: Pair,
    comparison: Answer,
    p_value: float,
    level: float,
    asked: Asked,
) -> Verdict:
    """Put a verdict together from one comparison; `level` is its share of alpha."""
    estimate, tail, equal_tail = comparison.estimate, asked.tail(level), asked.equal_tail
    margin = asked.margin or asked.min_gain or math.nan
    p_equivalence, unsure = show_equivalence(two, comparison, margin, equal_tail)
    outcome, withheld = doubts.outcome(
        estimate, p_value, p_equivalence, margin, alpha=asked.alpha, tail=tail, equal_tail=equal_tail
    )
    balance = case_balance(two)
    lopsided = balance.note(two.effect) if outcome in ("better", "worse") else ""
    cautions = (*asked.cautions, *filter(None, [lopsided]))
    verdict = Verdict(
        outcome=outcome,
        gaining=balance.gaining,
        losing=balance.losing,
        decided_by=balance.case if lopsided else "",
        effect_without=balance.effect_without if lopsided else two.effect,
        withheld=withheld,
        missing_baseline=doubts.missing.baseline,
        missing_finalist=doubts.missing.finalist,
        effect_with_missing=doubts.effect_with_missing,
        effect_without_drift=doubts.effect_without_drift,
        claim=comparison.claim,
        level=1 - level,
        p_value=p_value,
        p_equivalence=p_equivalence,
        alpha=asked.alpha,
        margin=margin,
        margin_from="margin" if asked.margin else "min_gain" if asked.min_gain else "",
        min_gain=asked.min_gain,
        comparisons=asked.comparisons,
        look=asked.look,
        looks=None if asked.design is None else asked.design.looks,
        given_up=asked.given_up,
        overtaken=asked.overtaken,
        look_rescored=False,
        sentence="",
        advice="",
        notes=(
            *cautions,
            *two.notes,
            *doubts.notes(estimate, tail),
            *texts,
            *asked.notes_on(estimate, level, p_value, two.cells.scale),
            *comparison.notes,
            *(unsure if p_value > asked.alpha else ()),
        ),
        optimism=asked.optimism,
        cautions=cautions,
        text_notes=texts,
        data_notes=two.notes,
        **_of_arms(two),
        **_of_estimate(estimate, tail, two.cells.scale),
        **_of_equality(estimate, equal_tail, p_equivalence),
        mde=asked.mde(two, comparison, estimate, level) if estimate else math.nan,
    )
    interaction = two.interaction() if comparison.claim == "new-cases" and estimate else None
    noise = two.noise_sd
    if comparison.paired and estimate is not None:  # of the difference within seeds, as if both arms were as noisy
        noise = estimate.standard_error * math.sqrt(two.cases * two.seeds / 2)
    advice = advice_for(
        verdict, Known(noise, len(two.noisy), two.seeds, interaction, two.left_out, doubts.drift is not None)
    )
    return replace(verdict, sentence=sentence_for(verdict), advice=advice)


def _of_arms(two: Pair) -> dict[str, Any]:
    """Return the fields of a verdict that describe both arms."""
    return {
        "configuration": two.cells.configurations[two.finalist.row],
        "baseline": two.cells.configurations[two.baseline.row],
        "effect": two.effect,
        "effect_with_failures": two.effect_with_failures,
        "n_per_arm": min(two.baseline.informative, two.finalist.informative),
        "n_baseline": two.baseline.informative,
        "n_finalist": two.finalist.informative,
        "cases": two.cases,
        "baseline_mean": two.cells.scale.shown(float(two.weights @ two.baseline.mean)),
        "finalist_mean": two.cells.scale.shown(float(two.weights @ two.finalist.mean)),
        "scale": two.cells.scale,
        "noise_sd": two.noise_sd,
        "failed_baseline": two.failed[0],
        "failed_finalist": two.failed[1],
    }


def _of_estimate(estimate: Estimate | None, tail: float, scale: Scale) -> dict[str, Any]:
    """Return the fields of a verdict that a test gives; NaN without one."""
    if estimate is None:
        none = dict.fromkeys(("ci_low", "ci_high", "p_raw", "dof", "standard_error"), math.nan)
        return {**none, "test": "none"}
    low, high = scale.bounded(estimate.interval(1 - tail))
    return {
        "ci_low": low,
        "ci_high": high,
        "p_raw": estimate.p_value,
        "test": estimate.test,
        "dof": estimate.dof,
        "standard_error": estimate.standard_error,
    }


def _of_equality(estimate: Estimate | None, tail: float, p_equivalence: float) -> dict[str, Any]:
    """Return the interval that two one-sided tests compare with the margin; NaN where equality was not judged."""
    judged = estimate is not None and not math.isnan(p_equivalence)
    low, high = estimate.interval(1 - 2 * tail) if estimate is not None and judged else (math.nan, math.nan)
    return {"equality_low": low, "equality_high": high, "equality_level": 1 - 2 * tail}
