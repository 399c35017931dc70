"""The probability that a configuration meets the constraints of the trials.

Each constraint has a surface; the probabilities that each is met are multiplied: constrained expected improvement
(Schonlau 1997, *Computer Experiments and Global Optimization*; Gardner et al. 2014, *Bayesian Optimization with
Inequality Constraints*). Constraints are assumed to break independently of each other and of the score.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from scipy.special import ndtr

from analysis.arrays import FloatArray
from sweeps.samplers.encoding import Encoding
from sweeps.samplers.posterior import Surface, fit_surrogate

_REACH = 4.5
"""Values are clipped at this multiple of their median size: three standard deviations of normal values around 0."""


class Feasibility:
    """The surfaces behind constraints.

    Args:
        encoding: The space.
        codes: Evaluated points, shape (n, n_axes).
        constraints: Values by name, each of shape (n,): met where not above 0, NaN where a trial has none.
        checkpoint: Function from the number of points to the number of first points for fitting hyperparameters.

    Attributes:
        surfaces: Surfaces of the values with their sign reversed: met where not below 0. A constraint has none with
            too few or always equal values.
    """

    def __init__(
        self,
        encoding: Encoding,
        codes: FloatArray,
        constraints: Mapping[str, FloatArray],
        checkpoint: Callable[[int], int],
    ) -> None:
        self.surfaces: list[Surface] = []
        for values in constraints.values():
            present = ~np.isnan(values)
            slack, first = -values[present], checkpoint(int(present.sum()))
            unknown = np.full(len(slack), np.nan)
            early = (_clipped(slack[:first]), unknown[:first])
            surface = fit_surrogate(encoding, codes[present], _clipped(slack), unknown, early, cliffs=False)
            if surface is not None:
                self.surfaces.append(surface)

    def probability(self, features: FloatArray, pending: FloatArray | None = None) -> FloatArray:
        """Return the probability that all constraints are met, shape (len(features),).

        Args:
            features: Configurations, shape (n, n_features).
            pending: Points of running trials, which count with their expected values.
        """
        found = np.ones(len(features))
        for surface in self.surfaces:
            noise = surface.hyperparameters.noise
            believing = surface if pending is None else surface.believing(pending, noise)
            mean, sd = believing.posterior(features)
            found *= ndtr(mean / sd)
        return found


def _clipped(slack: FloatArray) -> FloatArray:
    """Clip far values: only their side of 0 and their course near it matter."""
    sizes = np.abs(slack[np.isfinite(slack) & (slack != 0.0)])
    reach = _REACH * float(np.median(sizes)) if len(sizes) else 1.0
    return np.clip(slack, -reach, reach)
