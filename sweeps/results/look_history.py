"""The looks of a confirmation, as the study's record keeps them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sweeps.options import Configuration
from sweeps.search.trial import Proposal

if TYPE_CHECKING:
    from analysis import Prior


def stored_finalists(record: Mapping[str, Any]) -> list[int]:
    """Trial numbers of the finalists that a study keeps; [] before there are any."""
    if "finalists" in record:
        return list(record["finalists"])
    one = record.get("finalist")  # what studies kept when there was always one
    return [] if one is None else [one]


def stored_priors(record: Mapping[str, Any]) -> dict[int, Prior]:
    """What the search believed of the finalists that a study keeps, by trial number; none of an older study."""
    from analysis import Prior

    return {int(number): Prior(**belief) for number, belief in record.get("priors", {}).items()}


def settled_at(looks: Sequence[Mapping[str, Any]]) -> dict[int, int]:
    """At which look each finalist was settled, by trial number."""
    return {trial: decision["look"] for decision in looks for trial in decision["settled"]}


def given_up(looks: Sequence[Mapping[str, Any]], finalists: Sequence[Proposal]) -> list[str]:
    """Keys of the finalists that a look gave up; none in what an older version decided."""
    numbers = {trial for decision in looks for trial in decision.get("given_up", [])}
    return [arm.configuration.key for arm in finalists if arm.number in numbers]


def scoring_of(record: Mapping[str, Any]) -> dict[str, Any]:
    """By what the texts of a study are scored now, as its record has it."""
    return {key: record.get(key) for key in ("case_digests", "objective_digest")}


def scorings_of(record: Mapping[str, Any]) -> int:
    """In how many ways the generations of a study's confirmation have been scored so far, that of now included.

    One that was replaced before there were any does not count, nor does one twice that was gone back to. Of older
    records it is not known which these are: all count.
    """
    before = [scoring for scoring in record.get("scorings", []) if scoring.get("fresh", True)]
    return len({json.dumps(scoring_of(each), sort_keys=True) for each in (*before, record)})


def _is_outdated(decision: Mapping[str, Any], scoring: Mapping[str, Any]) -> bool:
    """Whether a look was taken under another scoring than this one."""
    return bool(decision.get("scoring", scoring) != scoring)


def outdated(
    looks: Sequence[Mapping[str, Any]], scoring: Mapping[str, Any], finalists: Sequence[Proposal]
) -> list[str]:
    """Keys of the finalists that a look ended by other scores than those of now."""
    # Of the last look, which ends whatever is left, nothing is told.
    before = [decision for decision in looks if decision["told"] and _is_outdated(decision, scoring)]
    numbers = {trial for decision in before for trial in decision["settled"]}
    return [arm.configuration.key for arm in finalists if arm.number in numbers]


def told_at(looks: Sequence[Mapping[str, Any]], scoring: Mapping[str, Any]) -> list[str]:
    """What was told at the looks; behind what was told of other scores than those of now, that it was."""
    return [line + _mark(decision, scoring) for decision in looks for line in decision["told"]]


def last_told(looks: Sequence[Mapping[str, Any]], scoring: Mapping[str, Any], trial: int | None) -> str:
    """What was told of a finalist at its last look, marked as in `told_at`; "" where nothing was.

    Args:
        looks: Decisions so far. Of older ones it is not known which trials they told of; there was mostly one.
        scoring: See `scoring_of`.
        trial: Number of the finalist's trial.
    """
    own = [
        line + _mark(decision, scoring)
        for decision in looks
        for line, of in zip(decision["told"], decision.get("told_of", [trial] * len(decision["told"])), strict=True)
        if of == trial
    ]
    return own[-1] if own else ""


def _mark(decision: Mapping[str, Any], scoring: Mapping[str, Any]) -> str:
    return " (As scored then: the study has been scored anew since.)" if _is_outdated(decision, scoring) else ""


def judged_at(
    looks: Sequence[Mapping[str, Any]], baseline: Configuration, finalists: Sequence[Proposal], look: int | None = None
) -> dict[str, int]:
    """At which look each finalist is judged, by key; one that is not there is judged as at the last.

    Args:
        looks: Decisions so far.
        baseline: The baseline.
        finalists: The finalists.
        look: Where those that no look has settled stand; by default they are at the last one.
    """
    settled = settled_at(looks)
    # Two greedy arms had all there is to have at the first look.
    draws = [arm for arm in finalists if not (baseline.is_greedy and arm.configuration.is_greedy)]
    found = {arm.configuration.key: settled.get(arm.number, look) for arm in draws}
    return {key: at for key, at in found.items() if at is not None}
