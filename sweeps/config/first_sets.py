"""Sets that a search tries first: earlier finalists, the model's own parameters, its vendor's recommendation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from analysis.formatting import option_text
from sweeps.config.candidates import Candidate, FirstSet
from sweeps.config.recommended import recommendation_for
from sweeps.config.resolved_baseline import THINK, ServedModel
from sweeps.config.space import Param, Space, Value
from sweeps.config.sweep_config import SweepConfig
from sweeps.options import NUMBERS, OPTIONS, as_number

OWN, VENDORS = "own parameters", "recommended set"
"""Names of such sets; no candidate's name has a space."""


def known_sets(
    config: SweepConfig, served: Sequence[ServedModel], earlier: Sequence[FirstSet] = ()
) -> tuple[tuple[FirstSet, ...], tuple[str, ...]]:
    """Sets of the model's own parameters and of its vendor's recommendation, as far as the space holds them.

    A number outside of a range becomes the nearest value that the space has. Options that are not searched keep the
    baseline's value. A set that is then the baseline, a candidate or another set is left out.

    Args:
        config: The sweep, with its whole baseline.
        served: The sweep's models, as hosts serve them; of a model on several hosts the first one counts.
        earlier: Sets of earlier studies, which come first.

    Returns:
        The sets, and a sentence on each set for people.
    """
    taken = {config.baseline: "the baseline"}
    for candidate in config.candidates:
        taken.setdefault(candidate.configuration(config.baseline, config.space), f"the candidate {candidate.name}")
    found: list[FirstSet] = []
    lines: list[str] = []
    for wanted in (*earlier, *_wanted(config, served)):
        fitted, remarks = _inside(wanted, config.space, config.baseline.values)
        if not fitted.values:
            if remarks:
                lines.append(_sentence(f"{wanted.origin} is no trial of its own", remarks))
            continue
        if fitted.params_in(config.space, config.baseline) is None:
            lines.append(f"{wanted.origin} is no first trial: the space does not hold it")
            continue
        same = taken.get(fitted.configuration(config.baseline, config.space))
        if same is not None:
            if same != "the baseline" or remarks:
                lines.append(_sentence(f"{wanted.origin} is no trial of its own: here it is {same}", remarks))
            continue
        taken[fitted.configuration(config.baseline, config.space)] = wanted.origin
        text = ", ".join(f"{name} {option_text(value)}" for name, value in fitted.values.items())
        lines.append(_sentence(f"tried first: {wanted.origin}: {text}", remarks))
        found.append(fitted)
    return tuple(found), tuple(lines)


def _sentence(text: str, remarks: Sequence[str]) -> str:
    return "; ".join([text, *remarks])


def _wanted(config: SweepConfig, served: Sequence[ServedModel]) -> Iterator[FirstSet]:
    """Yield the sets as model and vendor name them."""
    searched = _models(config)
    first = {model.name: model for model in reversed(served) if model.name in searched}
    for number, name in enumerate(name for name in searched if name in first):
        model = first[name]
        more = {} if name == config.baseline.model else {"model": name}
        which, of = (f" {number + 1}", f" ({name})") if number else ("", "")
        if "model" in config.search.first:
            own = {key: OPTIONS[key].cast(value) for key, value in model.parameters.items() if _usable(key, model)}
            if own:
                yield FirstSet(f"{OWN}{which}", {**own, **more}, f"the model's own parameters{of}")
        thinks = bool(config.baseline.options.get(THINK, model.thinks))
        advice = recommendation_for(name, model.family, thinks=thinks)
        if "vendor" in config.search.first and advice is not None:
            values, source = advice
            yield FirstSet(f"{VENDORS}{which}", {**values, **more}, f"the vendor's recommendation ({source}){of}")


def _usable(name: str, model: ServedModel) -> bool:
    return name in OPTIONS and name != "seed" and not model.unusable(name)


def _models(config: SweepConfig) -> list[str]:
    """The baseline's model, then further models of the space."""
    others = config.space["model"].choices if "model" in config.space else ()
    return list(dict.fromkeys([config.baseline.model, *map(str, others)]))


def _inside(wanted: FirstSet, space: Space, baseline: Mapping[str, Value]) -> tuple[FirstSet, list[str]]:
    """Fit a set into the space; returns it with a remark on each value that the search cannot try as it is."""
    kept: dict[str, Value] = {}
    remarks = []
    for name, value in wanted.values.items():
        if name not in space:
            if baseline.get(name) != value:
                remarks.append(f"{name} {option_text(value)} is not searched")
            continue
        nearest = nearest_value(space, name, value)
        if nearest is None:
            remarks.append(f"{name} {option_text(value)} is not in the space, and is left out")
            continue
        if nearest != value:
            remarks.append(f"{name} {option_text(value)} is not in the space, the nearest value is tried")
        kept[name] = nearest
    if not kept:  # nothing of the set is searched: the baseline moved into the space is not that set
        return replace(wanted, values={}), remarks
    for dimension in space:  # a baseline outside of the space has values that no trial may have
        there = baseline.get(dimension.name)
        if dimension.name not in kept and there is not None and not dimension.has(there):
            inside = nearest_value(space, dimension.name, there)
            if inside is not None:
                kept[dimension.name] = inside
                outside = f"{dimension.name} {option_text(there)} of the baseline"
                remarks.append(f"{outside} is not in the space, the nearest value is tried")
    return replace(wanted, values=kept), remarks


def nearest_value(space: Space, name: str, value: Value) -> Value | None:
    """The value of the space that is nearest to a value; None for a word or a list that it does not have."""
    dimension = space[name]
    if dimension.has(value):
        return value
    if isinstance(value, (str, tuple)) or name not in NUMBERS:
        return None
    wanted = as_number(value)
    if dimension.choices:
        if any(isinstance(choice, (str, tuple)) for choice in dimension.choices):
            return None
        return min(dimension.choices, key=lambda choice: abs(as_number(choice) - wanted))
    clipped = min(max(wanted, dimension.low), dimension.high)
    if dimension.step is not None:
        steps = min(round((clipped - dimension.low) / dimension.step), int(dimension.size) - 1)
        clipped = round(dimension.low + steps * dimension.step, 12)
    return NUMBERS[name].cast(clipped)


def first_params(config: SweepConfig, trials: int) -> dict[str, dict[str, Param]]:
    """Params of the first trials by name: all candidates, then first sets, as far as the space holds them.

    First sets take at most a quarter of the planned trials, but at least one.

    Args:
        config: The sweep with the space that is searched; the check before the run has refused candidates outside.
        trials: Number of planned trials.
    """
    sets: list[Candidate] = [*config.candidates, *config.first_sets[: max(1, trials // 4)]]
    found = {each.name: each.params_in(config.space, config.baseline) for each in sets}
    return {name: values for name, values in found.items() if values is not None}
