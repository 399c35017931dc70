"""Texts for simulated scores: cases and a writer with which the scripted engine follows a response surface.

What is written is scored by the product's own objective, so that a simulated sweep takes the whole way from the request
to the verdict.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from objectives.case import Case, Item
from sweeps.engines.scripted.surfaces import Options, Surface


def synthetic_cases(n: int, *, items: int = 20) -> list[Case]:
    """Cases for simulated texts: no two items, of any case, share a word, so that exactly what is written is covered.

    Args:
        n: Number of cases, named `case-01` and so on.
        items: Items of each case; levels 1 to 5 take turns.
    """
    made = []
    for c in range(1, n + 1):
        rubric = []
        for i in range(items):
            words = " ".join(_word(((c * items) + i) * 4 + w) for w in range(4))
            rubric.append(Item(f"item-{i + 1:02d}", words.capitalize() + ".", i % 5 + 1))
        log = f"Log of case {c:02d}.\n" + "\n".join(item.text for item in rubric)
        made.append(Case(f"case-{c:02d}", log, tuple(rubric)))
    return made


def writer(surface: Surface, cases: Sequence[Case]) -> Callable[[Case, Options, np.random.Generator], str]:
    """What makes the scripted engine write texts that score as a surface says.

    Args:
        surface: The surface; its cases are taken in the order of `cases`.
        cases: As many cases as the surface has.

    Returns:
        A function of case, options and generator that returns the text: a choice of the case's item texts whose weights
        (5 to 1 for levels 1 to 5) add up to the drawn score, rounded at random without bias to what weights can make.

    Raises:
        ValueError: If the numbers of cases differ.
    """
    if len(cases) != surface.cases:
        raise ValueError(f"the surface has {surface.cases} cases, not {len(cases)}")
    position = {case.name: index for index, case in enumerate(cases)}

    def write(case: Case, options: Options, rng: np.random.Generator) -> str:
        said = covering(case, surface.draw_one(options, position[case.name], rng), rng)
        return " ".join([*said, f"Draft {rng.integers(1_000_000)}."])

    return write


def covering(case: Case, score: float, rng: np.random.Generator) -> list[str]:
    """Texts of a random choice of items whose weights make up a score; the mean over draws is the score."""
    items = [case.items[i] for i in rng.permutation(len(case.items)) if not case.items[i].forbidden]
    weights = [6 - item.level for item in items]
    reachable = [1]  # per number of items left, the sums that they can make, as bits
    for weight in reversed(weights):
        reachable.append(reachable[-1] | reachable[-1] << weight)
    target = math.floor(score * sum(weights) + rng.random())
    left = min((s for s in range(sum(weights) + 1) if reachable[-1] >> s & 1), key=lambda s: abs(s - target))
    said = []
    for i, (item, weight) in enumerate(zip(items, weights, strict=True)):
        rest = reachable[len(items) - i - 1]
        can_take, can_skip = weight <= left and rest >> (left - weight) & 1, rest >> left & 1
        if can_take and (not can_skip or rng.random() * sum(weights[i:]) < left):
            said.append(item.text)
            left -= weight
    return said


def _word(number: int) -> str:
    """A word of its own for each number, of syllables that no stemmer cuts."""
    syllables = [c + v for c in "bdfgklmnprtvz" for v in "aou"]
    text = ""
    for _ in range(3):
        number, digit = divmod(number, len(syllables))
        text += syllables[digit]
    return text + "x"
