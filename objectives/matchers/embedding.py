"""Matcher by sentence embeddings: the cosine between an item and the nearest one or two sentences.

Cost: one embedding per sentence and pair of sentences of the text, and one per item, cached. As deterministic as the
model. Agreement with people depends on the model; on news summaries a small sentence encoder does worse than the
lexical matcher. `benchmarks/matchers/human_agreement.py FILE --embedding MODEL.gguf` measures a model. Cosines mean
something else in every model, so set `midpoint` and `slope` for it: the benchmark prints them, as `calibrate` finds
them from judgements.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections import OrderedDict
from collections.abc import Sequence
from itertools import pairwise
from typing import Final

import numpy as np
import regex
from numpy.typing import NDArray
from scipy.optimize import minimize

from objectives.case import Item
from objectives.markup import plain
from objectives.matchers.base import Match, ObjectiveError
from objectives.matchers.model_access import Embed
from objectives.text import normalise

MIDPOINT: Final = 0.6
"""Default cosine at which an item is covered with probability one half."""
SLOPE: Final = 12.0
"""Default steepness: log-odds per unit of cosine."""
_CACHE: Final = 20_000
_SENTENCE_END: Final = regex.compile(r"(?<=[.!?]['\")\]]?)\s+|(?<=[。!?」])|\n+")


class EmbeddingMatcher:
    """Cosine of an item with the nearest one or two sentences, turned into a probability by a logistic curve.

    Args:
        embed: Called with a list of new texts; returns a vector for each.
        model: Name of the model, part of the digest.
        midpoint: Cosine at which the probability is one half.
        slope: Log-odds per unit of cosine, above 0.
        threshold: Probability in (0, 1) from which an item counts as covered.

    Raises:
        ObjectiveError: Threshold or slope is out of range.
    """

    name = "embedding"

    def __init__(
        self, embed: Embed, *, model: str = "", midpoint: float = MIDPOINT, slope: float = SLOPE, threshold: float = 0.5
    ) -> None:
        if not 0 < threshold < 1:
            raise ObjectiveError(f"threshold = {threshold!r}: must be a number between 0 and 1.")
        if not slope > 0:
            raise ObjectiveError(f"slope = {slope!r}: must be above 0; the default is {SLOPE}.")
        self._embed = embed
        self.midpoint, self.slope, self.threshold = midpoint, slope, threshold
        settings = json.dumps(["embedding-2", model, midpoint, slope, threshold])
        self.digest = hashlib.sha256(settings.encode()).hexdigest()[:12]
        self._vectors: OrderedDict[str, NDArray[np.float64]] = OrderedDict()

    def match(self, items: Sequence[Item], text: str, *, context: str | None = None) -> list[Match]:  # noqa: ARG002
        """See `objectives.matchers.base.Matcher.match`.

        Raises:
            ObjectiveError: `embed` did not return one finite vector per text.
        """
        windows = sentence_windows(text)
        vectors = self._lookup([item.text for item in items] + windows)
        cosines = np.zeros((len(items), 0))
        if windows and len(items):
            cosines = vectors[: len(items)] @ vectors[len(items) :].T
        return [self._one(item, row, windows) for item, row in zip(items, cosines, strict=True)]

    def _one(self, item: Item, cosines: NDArray[np.float64], windows: list[str]) -> Match:
        if not windows:
            return Match(item.id, False, 0.0, 0.0, self.threshold, "the text is empty", None, (), self.name)
        best = int(cosines.argmax())
        cosine = float(cosines[best])
        chance = 1 / (1 + math.exp(-self.slope * (cosine - self.midpoint)))
        why = f"cosine {cosine:.2f} with the nearest sentence; one half from {self.midpoint:.2f} on"
        score = min(1.0, max(0.0, cosine))
        return Match(
            item.id, chance >= self.threshold, chance, score, self.threshold, why, windows[best], (), self.name
        )

    def _lookup(self, texts: list[str]) -> NDArray[np.float64]:
        new = [text for text in dict.fromkeys(texts) if text not in self._vectors]
        fresh = dict(zip(new, self._unit_vectors(new), strict=True)) if new else {}
        found = [fresh[text] if text in fresh else self._vectors[text] for text in texts]
        self._vectors.update(fresh)
        while len(self._vectors) > _CACHE:
            self._vectors.popitem(last=False)
        return np.array(found) if found else np.zeros((0, 0))

    def _unit_vectors(self, texts: list[str]) -> NDArray[np.float64]:
        vectors = np.asarray(self._embed(texts), dtype=np.float64)
        if vectors.ndim != 2 or len(vectors) != len(texts) or not np.isfinite(vectors).all():
            raise ObjectiveError(
                f"the embedding model answered {len(texts)} texts with an array of shape {vectors.shape}, not with "
                "one finite vector per text. Check that it is an embedding model."
            )
        return np.asarray(vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12))


def sentence_windows(text: str) -> list[str]:
    """Return the sentences of a text, and every two successive sentences joined."""
    sentences = [part.strip() for part in _SENTENCE_END.split(normalise(plain(text))) if part and part.strip()]
    return sentences + [f"{one} {other}" for one, other in pairwise(sentences)]


def calibrate(cosines: Sequence[float], covered: Sequence[bool]) -> tuple[float, float]:
    """Return midpoint and slope of the logistic curve that fits judgements best (Platt 1999).

    Args:
        cosines: The matcher's `score` of each judged item.
        covered: People's judgements; both answers must occur.

    Raises:
        ObjectiveError: The lengths differ, or only one answer occurs.
    """
    x, y = np.asarray(cosines, dtype=float), np.asarray(covered, dtype=float)
    if len(x) != len(y) or len(set(y.tolist())) < 2:
        raise ObjectiveError(
            "calibration needs as many cosines as judgements, and both covered and missed items: add judgements."
        )

    def loss(parameters: NDArray[np.float64]) -> float:
        score = np.exp(parameters[1]) * (x - parameters[0])
        return float((np.logaddexp(0, score) - y * score).sum() + 1e-6 * parameters[1] ** 2)

    midpoint, log_slope = minimize(loss, np.array([float(x.mean()), math.log(SLOPE)]), method="Nelder-Mead").x
    return float(midpoint), float(math.exp(min(log_slope, 7.0)))
