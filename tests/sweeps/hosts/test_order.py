"""The order of requests, held against every other order."""

from __future__ import annotations

import itertools
from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from sweeps.engines.base import Prompt
from sweeps.hosts.order import Warmth, order, warmth
from sweeps.hosts.task import Task
from sweeps.ledger.records import Place
from sweeps.options import Configuration

RELOAD = ("num_ctx", "num_thread")


@st.composite
def tasks(draw: st.DrawFn) -> Task:
    case, prompt = draw(st.sampled_from("ab")), draw(st.sampled_from("pq"))
    options = {"temperature": draw(st.sampled_from([0.1, 0.9]))}
    if draw(st.booleans()):
        options["num_ctx"] = draw(st.sampled_from([512, 1024]))
    if draw(st.booleans()):
        options["num_thread"] = draw(st.sampled_from([1, 2]))
    place = Place("explore", draw(st.integers(0, 3)), "h", case, draw(st.integers(0, 9)))
    configuration = Configuration(draw(st.sampled_from(["m", "n"])), prompt, options)
    return Task(place, configuration, Prompt(f"{prompt} {case}"))


def warm_ups(sequence: list[Task], current: Warmth | None) -> tuple[int, int]:
    """Count loads and warm-ups along the sequence, as a server would see them."""
    loads = warmed = 0
    model = None if current is None else (current.model, current.reload)
    prompt = None if current is None else current.prompt
    for task in sequence:
        wanted = (task.configuration.model, tuple(task.configuration.options.get(name) for name in RELOAD))
        if wanted != model:
            loads, model, prompt = loads + 1, wanted, None
        if task.prompt != prompt:
            warmed, prompt = warmed + 1, task.prompt
    return loads, warmed


@settings(deadline=None)
@given(st.lists(tasks(), max_size=5), st.none() | tasks())
def test_no_other_order_loads_or_prefills_less(given_tasks: list[Task], before: Task | None) -> None:
    current = None if before is None else warmth(before, RELOAD)
    ordered = order(given_tasks, RELOAD, current)
    best = min(warm_ups(list(other), current) for other in itertools.permutations(given_tasks))
    assert warm_ups(ordered, current) == best
    fewest = min(warm_ups(list(other), current)[1] for other in itertools.permutations(given_tasks))
    assert warm_ups(ordered, current)[1] == fewest


@given(st.lists(tasks(), max_size=30), st.none() | tasks(), st.randoms(use_true_random=False))
def test_the_order_is_a_permutation_that_does_not_depend_on_the_input(
    given_tasks: list[Task], before: Task | None, random: object
) -> None:
    current = None if before is None else warmth(before, RELOAD)
    ordered = order(given_tasks, RELOAD, current)
    assert Counter(ordered) == Counter(given_tasks)
    shuffled = list(given_tasks)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert order(shuffled, RELOAD, current) == ordered


@given(st.lists(tasks(), max_size=30), st.none() | tasks())
def test_what_is_warm_together_runs_together(given_tasks: list[Task], before: Task | None) -> None:
    current = None if before is None else warmth(before, RELOAD)
    ordered = order(given_tasks, RELOAD, current)
    needs = [warmth(task, RELOAD) for task in ordered]
    assert len(list(itertools.groupby(needs))) == len(set(needs))
    loads = [(need.model, need.reload) for need in needs]
    assert len(list(itertools.groupby(loads))) == len(set(loads))
    if current in needs:
        assert needs[0] == current
    assert warm_ups(ordered, None) == (len(set(loads)), len(set(needs)))


def test_a_task_sends_every_option_and_its_seed() -> None:
    task = Task(Place("floor", -1, "h", "c", 7), Configuration("m", "p", {"temperature": 0.5}), Prompt("x"))
    assert task.options == {"temperature": 0.5, "seed": 7}
