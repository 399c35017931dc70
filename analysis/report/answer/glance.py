"""The report's answers in a few lines, each with a link to its part of the page."""

from __future__ import annotations

from dataclasses import dataclass

from analysis.formatting import cases_text, count_text
from analysis.report.costs import duration_text
from analysis.report.hosts import hosts_text
from analysis.report.numbers import number, percent
from analysis.report.tables import Tables


@dataclass(frozen=True)
class Glance:
    """One answer.

    Attributes:
        question: The question that a reader has.
        answer: The answer.
        link: Id of the part of the page that shows more.
    """

    question: str
    answer: str
    link: str


def at_a_glance(tables: Tables) -> list[Glance]:
    """Return the answers that the data allow, in the order of the questions."""
    found = [
        Glance("On which cases?", _cases(tables), "coverage"),
        Glance("What does it cost?", _cost(tables), "cost"),
        Glance("Which option mattered?", _options(tables), "search"),
        Glance("What did it gain and lose?", tables.item_changes.text, "gains"),
        Glance("Which machine?", hosts_text(tables.data), "hosts"),
    ]
    return [each for each in found if each.answer]


def _cases(tables: Tables) -> str:
    effects = {row["case"]: row["effect"] for row in tables.case_rows if row["effect"] is not None}
    known = {case: effect for case, effect in effects.items() if effect == effect}
    if not known:
        return ""
    higher = sum(effect > 0 for effect in known.values())
    lower = sorted((case for case, effect in known.items() if effect < 0), key=lambda case: known[case])
    text = f"{tables.data.finalist_name} higher in {higher} of {cases_text(len(known))}"
    most = max(known, key=lambda case: known[case])
    text += f", most in {most} ({known[most]:+.3f})" if known[most] > 0 else ""
    if lower:
        named = ", ".join(f"{case} ({known[case]:+.3f})" for case in lower[:3])
        text += f"; lower in {named}" + (f" and {len(lower) - 3} more" if len(lower) > 3 else "")
    return text


def _cost(tables: Tables) -> str:
    costs = tables.costs
    if costs is None:
        return ""
    parts = []
    for name, unit, digits in (("words", "words", 0), ("answer_tokens", "answer tokens", 0), ("seconds", "s", 1)):
        values = [getattr(cost, name) for cost in costs["arms"]]
        if all(value == value for value in values):
            parts.append(f"{' → '.join(number(value, digits) for value in values)} {unit}")
    if not parts:
        return ""
    # Not the time that a person waited: some engines answer several requests at once.
    where = " on the host that took longest" if len(tables.host_rows) > 1 else ""
    made = count_text(costs["generations"], "generation")
    whole = f"all {made}: {duration_text(costs['seconds'])} of requests{where}"
    if costs["tokens"]:
        whole += f", {costs['tokens']} tokens of answers"
    return f"{', '.join(parts)} per text; {whole}"


def _options(tables: Tables) -> str:
    surface = tables.data.surface
    if surface is None or surface.importances.empty:
        return ""
    if surface.clear:
        return surface.importance_title
    first = surface.importances.sort_values("share", ascending=False).iloc[0]
    share, low, high = (percent(float(first[name])) for name in ("share", "low", "high"))
    most = f"{first.name} has the largest share of the variation, {share} (95% interval {low} to {high})"
    return f"none is known to; {most}"
