"""Earlier studies of the same thing that found no gain: with each further one, luck alone finds one more easily."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sweeps.errors import SweepError
from sweeps.ledger.existing import open_existing
from sweeps.ledger.study_record import StoredStudy
from sweeps.results.result import SweepResult

_SAME = ("baseline.", "case ", "objective.", "engine.kind")


def earlier_tries_note(study: SweepResult) -> str:
    """Say how easily luck finds a gain in so many studies; "" unless this is the first of several that is better.

    Args:
        study: A study with a verdict. Others count that had theirs before it began, about the same baseline, cases,
            objective and kind of engine.
    """
    verdict = study.verdict
    if verdict is None or verdict.outcome != "better":
        return ""
    try:
        ledger = open_existing(study.workspace)
    except SweepError:
        return ""
    thing = _thing(study.stored)
    try:
        found = [
            str(outcome)
            for each in ledger.studies.all()
            if each.name != study.name and each.created < study.stored.created and not each.damage
            if (outcome := (each.record.judged or {}).get("verdict")) and _thing(each) == thing
        ]
    finally:
        ledger.close()
    if not found or "better" in found:
        return ""
    luck = 1 - (1 - study.config.verdict.alpha / 2) ** (len(found) + 1)
    before = "An earlier study" if len(found) == 1 else f"{len(found)} earlier studies"
    return (
        f"{before} of the same baseline and cases found no gain. In {len(found) + 1} such studies luck alone finds one"
        f" with a probability of up to {luck:.0%}: confirm this one again with other seeds (study.seed)."
    )


def _thing(study: StoredStudy) -> Mapping[str, Any]:
    """Return what two studies must share to be tries of the same thing."""
    prompt = f"prompts.{study.identity.get('baseline.prompt')}"
    return {name: value for name, value in study.identity.items() if name.startswith(_SAME) or name == prompt}
