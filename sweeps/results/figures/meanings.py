"""What a study's scores mean, and the prompts behind their names, for a reader of the report alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sweeps.results.robustness import used_weights
from sweeps.scoring.inputs import stored_score

if TYPE_CHECKING:
    from sweeps.results.study_data import StudyData


def score_text(study: StudyData) -> str:
    """What a score is, in a few sentences."""
    objective, identity = study.config.objective, study.stored.identity
    if objective.kind != "coverage":
        return f"A score is what {objective.kind} gives a text, from 0 to 1; more is better."
    first, *_, last = used_weights(study)
    weigh = (
        "" if first == last else f"; an essential fact (level 1) weighs {first:g}, an incidental one (level 5) {last:g}"
    )
    text = f"A score is the share of a case's facts that a text covers, from 0 (none) to 1 (all){weigh}."
    if stored_score(identity) == "expected":
        text += " A half-matched fact counts with the probability that a person would call it covered."
    if any(item.forbidden for case in study.cases for item in case.items):
        text += " A fact that must not appear takes its weight away."
    budget = identity.get("objective.budget_words", objective.budget_words)
    return text if budget is None else f"{text} Only the first {budget} words of a text count."


def prompt_texts(study: StudyData) -> dict[str, str]:
    """The texts of the prompts by name; a system message stands before the user's."""
    return {
        name: prompt.user if prompt.system is None else f"System message:\n{prompt.system}\n\nUser:\n{prompt.user}"
        for name, prompt in study.config.prompts.items()
    }
