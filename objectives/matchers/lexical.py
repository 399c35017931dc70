"""The default matcher: whether a text has an item's telling words, close together.

A logistic model with a handful of sign-constrained weights over the measures of `objectives.matchers.features`. The
weights were fitted to people's judgements of news summaries (REALSumm, Bhandari et al. 2020) by
`benchmarks/matchers/fit_lexical.py` and ship in `objectives/data/lexical.json`.

An item that a text contradicts in nearly its own words (`objectives.matchers.contradiction`) is not covered.

Cost: about 200 microseconds per item. Deterministic: no randomness, no model to load, and texts scored earlier change
nothing. Agreement with people, cross-validated by document: see `benchmarks/matchers/human_agreement.py`.
"""

from __future__ import annotations

import hashlib
import json
from collections import OrderedDict
from collections.abc import Sequence
from functools import lru_cache
from importlib import resources
from itertools import islice
from typing import Any, Final

import numpy as np

from objectives.case import Item
from objectives.languages import language_of_rubric
from objectives.matchers.base import Match, ObjectiveError
from objectives.matchers.content import words_of_text
from objectives.matchers.contradiction import contradiction
from objectives.matchers.features import FEATURES, NEAR_WORDS, Array, Measured, Rubric, rubrics
from objectives.matchers.words import WORD_STEP
from objectives.text import Token

_VERSION: Final = 4
"""Increased whenever the measures change, so that scores of different versions differ in their digest."""
_RUBRICS_KEPT: Final = 128
_CONTRADICTED: Final = 0.3
"""Factor of the probability of an item that a text contradicts; too few judged texts do so to fit it."""
_WORTH_A_CHECK: Final = 0.25
"""Probability from which a text is searched for contradictions; one that is found does not lower it below this."""

_FORMER: Final = (
    1,
    "55eeb01e105946eb0ce56ac2764a17edac62eb276fbf7c9fb4fe9c9069b87cf3",
    -1.152,
    (0.794, 0.96, 0.822, 0.413, 0.346, -0.257, -0.967, -0.874),
    0.5,
)
"""Version 0.1.0: number of the measures, digest of the data, intercept, weights, threshold."""


@lru_cache(maxsize=1)
def shipped_model() -> dict[str, Any]:
    """Return the fitted weights: `intercept`, `weights` (by measure) and `threshold`."""
    model: dict[str, Any] = json.loads(resources.files("objectives").joinpath("data/lexical.json").read_text("utf-8"))
    return model


@lru_cache(maxsize=1)
def _data_digest() -> str:
    data = resources.files("objectives").joinpath("data")
    names = ("lexical.json", "lexicon.json", "first_names.txt", "opposites.txt", "abbreviations.txt")
    return hashlib.sha256(b"".join(data.joinpath(name).read_bytes() for name in names)).hexdigest()


def probability(intercept: float, weights: Array, values: Array) -> Array:
    """Return the probability that each item is covered, from its measures.

    An item with a number that the text lacks gets half of it, and so is never covered at the shipped threshold: people
    called 11% of such items covered. An item of which nothing is found gets 0.
    """
    chance = 1.0 / (1.0 + np.exp(-(intercept + (values * weights).sum(axis=1))))
    chance = np.where(values[:, FEATURES.index("near")] > 0, chance, 0.0)
    return np.asarray(np.where(values[:, FEATURES.index("numbers_missing")] > 0, 0.5 * chance, chance))


class LexicalMatcher:
    """Learned lexical coverage. Deterministic; about 200 microseconds per item.

    Args:
        threshold: Probability in (0, 1) from which an item counts as covered; the shipped one if None.
        model: Weights to use instead of the shipped ones, in the form of `shipped_model()`.

    Raises:
        ObjectiveError: The threshold is not between 0 and 1.
    """

    name = "lexical"

    def __init__(self, threshold: float | None = None, model: dict[str, Any] | None = None) -> None:
        used = shipped_model() if model is None else model
        self.threshold = float(used["threshold"] if threshold is None else threshold)
        if not 0 < self.threshold < 1:
            raise ObjectiveError(f"threshold = {threshold!r}: must be a number between 0 and 1.")
        self._intercept = float(used["intercept"])
        self._weights = np.array([used["weights"][name] for name in FEATURES])
        settings = [_VERSION, _data_digest(), self.threshold, self._intercept, self._weights.tolist()]
        self.digest = hashlib.sha256(json.dumps(settings).encode()).hexdigest()[:12]
        self.former_digests = () if model is not None else (_former_digest(threshold),)
        """Digests of the same settings in earlier versions, whose answers may differ."""
        self._prepared: OrderedDict[tuple[str, ...], list[Rubric]] = OrderedDict()

    def match(self, items: Sequence[Item], text: str, *, context: str | None = None) -> list[Match]:  # noqa: ARG002
        """See `objectives.matchers.base.Matcher.match`. The log is not used."""
        texts = tuple(item.text for item in items)
        blocks, language = self._rubrics(texts), language_of_rubric(texts)
        normal, tokens, words = words_of_text(text)
        matches: list[Match] = []
        left = iter(items)
        for block in blocks:
            measured = block.measure(words)
            some = list(islice(left, len(block.words)))
            matches.extend(
                self._explain(some, block, measured, self._probability(measured.values), normal, tokens, language)
            )
        return matches

    def _probability(self, values: Array) -> Array:
        return probability(self._intercept, self._weights, values)

    def _rubrics(self, texts: tuple[str, ...]) -> list[Rubric]:
        prepared = self._prepared.get(texts)
        if prepared is None:
            prepared = self._prepared[texts] = rubrics(texts)
            if len(self._prepared) > _RUBRICS_KEPT:
                self._prepared.popitem(last=False)
        return prepared

    def _explain(
        self,
        items: list[Item],
        block: Rubric,
        measured: Measured,
        probability: Array,
        normal: str,
        tokens: Sequence[Token],
        language: str,
    ) -> list[Match]:
        matches = []
        rows = zip(
            items, block.words, measured.found.tolist(), measured.recall.tolist(), probability.tolist(),
            measured.start.tolist(), block.columns, block.order, strict=True,
        )  # fmt: skip
        for item, words, found, recall, chance, start, columns, order in rows:
            said_otherwise = contradiction(item.text, normal, language) if chance >= _WORTH_A_CHECK else ""
            decided = max(chance * _CONTRADICTED, _WORTH_A_CHECK) if said_otherwise else chance
            missing = tuple([words[place] for place in order if found[place] == 0.0])
            total = len(words)
            why = f"{total - len(missing)} of {total} telling words found" if total else "the item has no words"
            if missing:
                why += f", missing {', '.join(missing[:4])}"
            if said_otherwise:
                why += f", but the text says otherwise ({said_otherwise})"
            span = _span(measured, start, columns, normal, tokens) if start >= 0 and len(missing) < total else None
            matches.append(
                Match(
                    item.id,
                    decided >= self.threshold,
                    decided,
                    min(recall, 1.0),
                    self.threshold,
                    why,
                    span,
                    missing,
                    self.name,
                )
            )
        return matches


def _former_digest(threshold: float | None) -> str:
    version, data, intercept, weights, default = _FORMER
    settings = [version, data, default if threshold is None else float(threshold), intercept, list(weights)]
    return hashlib.sha256(json.dumps(settings).encode()).hexdigest()[:12]


def _span(measured: Measured, start: int, columns: frozenset[int], normal: str, tokens: Sequence[Token]) -> str | None:
    """Return the text from the first to the last word of an item within its best window."""
    position, column, token = measured.events
    stop = position[start] + NEAR_WORDS * WORD_STEP
    first = last = -1
    for event in range(start, len(position)):
        if position[event] >= stop:
            break
        if column[event] in columns:
            last = token[event]
            if first < 0:
                first = last
    return normal[tokens[first].start : tokens[last].end] if first >= 0 else None
