"""Findings of a check in words: one function per part, from data to a sentence and a state."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path

from analysis.formatting import cases_text, count_text, option_text
from objectives import Case
from sweeps.budget.allocation import left_out
from sweeps.budget.detectable_gain import DetectableGain
from sweeps.budget.pace import TimeEstimate
from sweeps.budget.plan import Plan, plan_text
from sweeps.check.report import BLOCKED, READY, WARNING, Finding, ReadinessReport
from sweeps.config.narrowed_space import Narrowing
from sweeps.config.resolved_baseline import baseline_text
from sweeps.config.sweep_config import SweepConfig
from sweeps.engines.base import Generation
from sweeps.hosts.host import Host
from sweeps.hosts.sweep_hosts import host_differences
from sweeps.options import NUMBERS, OPTIONS, as_number, whole
from sweeps.probes.capacity import Capacity
from sweeps.scoring.answers import CUT, answer_of
from sweeps.scoring.empty_texts import room_for_thought
from sweeps.scoring.quantities import QUANTITIES

FRACTIONS = frozenset(name for name, spec in NUMBERS.items() if spec.kind is float)
"""Options that any value between two others makes sense for."""


def file_finding(config: SweepConfig) -> Finding:
    """Study, searched options and limits of a sweep's file."""
    names = ", ".join(dimension.name for dimension in config.space) or "nothing"
    limits = ", ".join(f"{name} {QUANTITIES[name].text(limit)}" for name, limit in config.constraints.limits.items())
    named = ", ".join(candidate.name for candidate in config.candidates)
    parts = [f"study {config.study.name}", f"{'compared' if config.is_comparison else 'searched'}: {names}"]
    parts += [f"candidates: {named}"] if named else []
    return Finding("; ".join(parts + ([f"limits: {limits}"] if limits else [])), todo="; ".join(_pairs(config)))


def _pairs(config: SweepConfig) -> Iterator[str]:
    """Say how to search a range, for each number of which two values are listed: `[0.1, 1.2]` may be meant as one."""
    for dimension in config.space:
        ends = sorted(as_number(value) for value in dimension.choices) if dimension.name in FRACTIONS else []
        if len(ends) == 2:
            form = f"{{ low = {ends[0]:g}, high = {ends[1]:g} }}"
            yield f"only two values of {dimension.name} are tried; to search between them: {dimension.name} = {form}"


def cases_finding(cases: Sequence[Case], config: SweepConfig) -> Finding:
    """Number of cases and of their items."""
    items = sum(len(case.items) for case in cases)
    return Finding(f"{cases_text(len(cases))} with {count_text(items, 'item')}, from {config.objective.cases}")


def engine_finding(hosts: Sequence[Host]) -> Finding:
    """Engine and model of each host; a host that does not answer is a warning."""
    about = [next(iter(host.fingerprints.values())).summary for host in hosts if not host.dropped]
    missing = [f"{host.label} is out: {host.dropped}" for host in hosts if host.dropped]
    found = "; ".join([*about, *missing])
    return Finding(found, WARNING, "mend the host, or let the others do its work") if missing else Finding(found)


def hosts_finding(hosts: Sequence[Host]) -> Finding:
    """Fingerprints of the hosts; warnings where they differ, or where a fingerprint is incomplete."""
    working = [host for host in hosts if not host.dropped]
    differences = host_differences(hosts)
    warnings = [text for host in working for fingerprint in host.fingerprints.values() for text in fingerprint.warnings]
    digests = ", ".join(f"{host.label} {host.digest}" for host in working)
    if differences:
        todo = "bring the hosts to the same version and model, or name one"
        return Finding(f"{digests}; {'; '.join(differences)}", WARNING, todo)
    if warnings:
        return Finding(f"{digests}; {'; '.join(dict.fromkeys(warnings))}", WARNING, "name a host_file in [engine]")
    return Finding(f"fingerprint {digests}")


def baseline_finding(config: SweepConfig, lines: Sequence[str], sets: Sequence[str] = ()) -> Finding:
    """The source of each value of the baseline; a warning where models, hosts or values do not fit together.

    Args:
        config: The sweep, with its whole baseline.
        lines: What does not fit together, as sentences.
        sets: Sentences on the sets that the search tries first.
    """
    found = "; ".join([baseline_text(config), *sets])
    if lines:
        return Finding("; ".join([found, *lines]), WARNING, "name these values in [baseline]")
    return Finding(found)


def study_finding(name: str, directory: Path, status: str | None, earlier: Sequence[str] | None) -> Finding:
    """Whether the study is new, or continues.

    Args:
        name: Name of the study.
        directory: The workspace.
        status: Its stored status; None for a new one.
        earlier: Names of the earlier studies whose scores the search knows; None unless the file asks for them.
    """
    if status == "done":
        return Finding(f"{name!r} is done; to run it again generates nothing, and writes its report again")
    found = (
        f"{name!r} is new in {directory}"
        if status is None
        else f"{name!r} exists ({status}) and goes on from what it has"
    )
    if earlier:
        found += (
            f"; where they are inside the space, its search knows the scores of earlier studies: {', '.join(earlier)}"
        )
    elif earlier is not None and status is None:
        same = "the same model, prompt, cases, objective and kind of engine"
        found += f"; no other search for {same} has ended in this ledger, so no earlier scores are known"
    elif earlier is not None:
        found += "; it began without earlier scores"
    return Finding(found)


def capacity_finding(capacity: Capacity, config: SweepConfig) -> Finding:
    """The longest prompt, held against the smallest num_ctx and the largest num_predict of the sweep."""
    per_model = ", ".join(f"{tokens} tokens ({model})" for model, tokens in capacity.models.items())
    found = f"longest prompt, case {capacity.case}: {per_model}; smallest num_ctx {capacity.smallest_ctx}"
    wanted = whole(config.baseline.options, "num_predict")
    if "num_predict" in config.space:
        wanted = max(wanted, *(int(as_number(value)) for value in config.space["num_predict"].extremes()))
    if capacity.removed:
        found += f"; num_ctx {', '.join(map(str, capacity.removed))} would cut it and is left out"
    if 0 <= capacity.room < wanted:
        todo = f"use num_ctx {capacity.longest + wanted} or more, or a smaller num_predict"
        return Finding(f"{found} leaves {capacity.room} for num_predict {wanted}", WARNING, todo)
    if capacity.too_large:
        large = "; ".join(f"{each.name} {option_text(each.value)}: {each.reason}" for each in capacity.too_large)
        return Finding(f"{found}; {large}", WARNING, "free memory, or go on without these values")
    if capacity.removed:
        return Finding(found, WARNING, "take these values out of space.num_ctx")
    return Finding(found)


def options_finding(report: ReadinessReport, narrowing: Narrowing, config: SweepConfig) -> Finding:
    """Searched options that do nothing on this host, which is a warning, or else those that were probed."""
    lines = [*narrowing.lines(config), *narrowing.notes]
    if lines:
        remedy = "take them out of [space]; the sweep goes on without them"
        if config.is_comparison:
            remedy = "take them out of the candidates; they are compared as they are written"
        return Finding("; ".join(lines), WARNING, remedy)
    if report.probes:
        reused = any(result.cached for results in report.probes.values() for result in results.values())
        return Finding(f"{', '.join(report.probes)}: alive" + (" (probed earlier)" if reused else ""))
    return Finding("no option is searched" if config.search.probe else "not probed (search.probe is false)")


def answers_finding(
    answers: Sequence[Generation],
    reused: int,
    scores: Sequence[float],
    scorer: str,
    num_predict: object,
    reasoning: str = CUT,
    think: object = None,
) -> Finding:
    """The baseline's answers: how long they are, and how many are cut off, repetitive or empty.

    Args:
        answers: One answer per case.
        reused: How many of them the ledger had.
        scores: Their scores by a user's own objective; empty for other objectives.
        scorer: Name of the objective.
        num_predict: The baseline's limit of an answer in tokens.
        reasoning: See `sweeps.scoring.answers.answer_of`.
        think: The baseline's `think`; None where it is not sent.
    """
    parted = [answer_of(answer, reasoning) for answer in answers]
    words = sorted(len(answer.text.split()) for answer in parted)
    thinking = sorted(answer.thinking_tokens for answer in parted if answer.thinking_tokens)
    parts = [f"{cases_text(len(answers))} answered, {words[0]} to {words[-1]} words"]
    parts += [f"{reused} from the ledger"] if reused else []
    inside = sum(answer.reasons_inside for answer in parted)
    parts += [f"reasoning inside {inside} of them is {'cut off' if reasoning == CUT else 'scored as well'}"] * bool(
        inside
    )
    parts += [f"{len(thinking)} with a thought, of {thinking[0]} to {thinking[-1]} tokens"] if thinking else []
    parts += [f"scored {min(scores):.3f} to {max(scores):.3f} by {scorer}"] if scores else []
    cut_off = sum(answer.finish == "length" for answer in answers)
    faults = {
        f"cut off at num_predict {num_predict}": cut_off,
        "stopped for repeating itself": sum(answer.finish == "repeat" for answer in answers),
        "empty": (empty := sum(answer.is_empty for answer in parted)),
    }
    faulty = [f"{count} {fault}" for fault, count in faults.items() if count]
    todo = ""
    if empty and thinking:
        todo = room_for_thought(thinks=bool(think), now=f" (now {num_predict})")
    elif cut_off:
        todo = "raise num_predict, or ask for a shorter answer in the prompt"
    elif faulty:
        todo = "look at the prompt and the model: such answers score low"
    state = BLOCKED if 2 * empty > len(answers) else WARNING if faulty else READY
    return Finding("; ".join(parts + faulty), state, todo)


def budget_finding(
    plan: Plan, config: SweepConfig, *, stored: bool, kept: int = 0, tokens_each: float | None = None
) -> Finding:
    """The plan, and what is kept of it; a grid that it does not complete is a warning.

    Args:
        plan: The plan.
        config: The sweep.
        stored: As for `left_out`.
        kept: Generations that are kept.
        tokens_each: Tokens of an answer of the baseline, where the engine counts them.
    """
    partial, todo = left_out(plan, config, stored=stored)
    found = plan_text(plan) + (f"; {kept} of them are kept already" if kept else "")
    if config.budget.tokens is not None and tokens_each is not None:
        found += f"; about {plan.total * tokens_each:.0f} tokens of answers (budget.tokens {config.budget.tokens})"
    if partial:
        return Finding(f"{found}; {partial}", WARNING, todo)
    return Finding(found)


def done_finding(name: str, kept: int) -> Finding:
    """The cost of going on with a study that is done: nothing."""
    return Finding(f"none: the study is done, and its {kept} generations are kept; see: sweeps judge {name}")


def time_finding(left: TimeEstimate, whole: float, config: SweepConfig) -> Finding:
    """The expected time; a warning where the plan of an existing study takes longer than `budget.minutes`.

    Args:
        left: Time of the generations that are not kept yet.
        whole: Seconds of the whole plan.
        config: The sweep.
    """
    minutes = config.budget.minutes
    uncertain = "; num_predict is searched, so generations may take longer or shorter"
    found = left.text + (uncertain if "num_predict" in config.space else "")
    if minutes is None or whole <= 60 * minutes:
        return Finding(found)
    loading = {"model", *(name for name, spec in OPTIONS.items() if spec.reload)}
    reloads = [dimension.name for dimension in config.space if dimension.name in loading]
    todo = "the exploration will end early, to leave time for the confirmation"
    if reloads:
        todo += f"; fewer values of {' and '.join(reloads)}, under another study.name, would load the model less"
    return Finding(found, WARNING, f"its plan takes longer than budget.minutes {minutes:g} by now: {todo}")


def sight_finding(sight: DetectableGain) -> Finding:
    """The smallest gain that the confirmation can find; blocked where no gain could be claimed at all."""
    if not sight.todo:
        return Finding(sight.found)
    return Finding(sight.found, BLOCKED if math.isinf(sight.gain) else WARNING, sight.todo)
