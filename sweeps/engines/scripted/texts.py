"""Texts for simulated scores: cases, and a writer that lets the scripted engine follow a response surface.

The product's own objective scores these texts, so a simulated sweep takes the whole way from request to verdict.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from objectives.case import Case, Item
from sweeps.engines.scripted.surfaces import Options, Surface


def synthetic_cases(n: int, *, items: int = 20) -> list[Case]:
    """Make cases for simulated texts. No two items of any case share a word, so exactly the written items are covered.

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
    """Make a function that writes texts with the scores of a surface.

    Args:
        surface: The surface; its cases are in the order of `cases`.
        cases: As many cases as the surface has.

    Returns:
        A function of case, options and generator that returns the text: some of the case's item texts. Their weights (5
        to 1 for levels 1 to 5) add up to the drawn score, rounded at random and without bias to a possible sum.

    Raises:
        ValueError: If the numbers of cases differ.
    """
    if len(cases) != surface.cases:
        raise ValueError(f"the surface has {surface.cases} cases, not {len(cases)}")
    position = {case.name: index for index, case in enumerate(cases)}

    def write(case: Case, options: Options, rng: np.random.Generator) -> str:
        chosen = covering(case, surface.draw_one(options, position[case.name], rng), rng)
        return " ".join([*chosen, f"Draft {rng.integers(1_000_000)}."])

    return write


def covering(case: Case, score: float, rng: np.random.Generator) -> list[str]:
    """Choose random items whose weights make up a score, and return their texts; the mean over draws is the score."""
    items = [case.items[i] for i in rng.permutation(len(case.items)) if not case.items[i].forbidden]
    weights = [6 - item.level for item in items]
    reachable = [1]  # for each number of items left, the possible sums as bits
    for weight in reversed(weights):
        reachable.append(reachable[-1] | reachable[-1] << weight)
    target = math.floor(score * sum(weights) + rng.random())
    left = min((s for s in range(sum(weights) + 1) if reachable[-1] >> s & 1), key=lambda s: abs(s - target))
    chosen = []
    for i, (item, weight) in enumerate(zip(items, weights, strict=True)):
        rest = reachable[len(items) - i - 1]
        possible_with, possible_without = weight <= left and rest >> (left - weight) & 1, rest >> left & 1
        if possible_with and (not possible_without or rng.random() * sum(weights[i:]) < left):
            chosen.append(item.text)
            left -= weight
    return chosen


def _word(number: int) -> str:
    """Return a word that belongs to this number alone, of syllables that no stemmer cuts."""
    syllables = [c + v for c in "bdfgklmnprtvz" for v in "aou"]
    text = ""
    for _ in range(3):
        number, digit = divmod(number, len(syllables))
        text += syllables[digit]
    return text + "x"
