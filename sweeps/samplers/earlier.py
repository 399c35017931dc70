"""Scores of earlier studies of the same surface, as further knowledge of a search."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from analysis.arrays import FloatArray
from sweeps.samplers.encoding import Params

MORE_NOISE = 1.5
"""Factor on the variances of earlier scores: a study of before had another time and machine."""

OFFSET_SHARE = 0.1
"""Variance of the offset that the scores of one study share, as a share of the median variance of a score."""


@dataclass(frozen=True)
class EarlierScores:
    """Scored configurations of earlier studies.

    Attributes:
        points: The configurations as values by name, as `Encoding.codes` takes them.
        values: Their scores, larger is better, shape (n,).
        scores: The same without penalties, shape (n,).
        noise: Variance of each score around the truth, shape (n,), positive.
        studies: The study of each score, as numbers from 1, shape (n,).
    """

    points: Sequence[Params]
    values: FloatArray
    scores: FloatArray
    noise: FloatArray
    studies: npt.NDArray[np.intp]

    def __len__(self) -> int:
        return len(self.points)

    @property
    def without_penalty(self) -> EarlierScores:
        """The same with the scores in the place of the values."""
        return replace(self, values=self.scores)

    @property
    def widened(self) -> FloatArray:
        """The variances that count in another study, without the shared offset, shape (n,)."""
        return MORE_NOISE * self.noise

    def shared(self, before: int) -> FloatArray:
        """Return the covariance of the errors that scores of one study share.

        Args:
            before: Number of the search's own scores, which come first and share nothing.

        Returns:
            Shape (before + n, before + n).
        """
        found = np.zeros((before + len(self), before + len(self)))
        offset = OFFSET_SHARE * float(np.median(self.noise))
        found[before:, before:] = offset * (self.studies[:, None] == self.studies[None, :])
        return found
