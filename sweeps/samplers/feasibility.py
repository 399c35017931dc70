"""How probable it is that a configuration keeps the constraints that trials tell.

One surface per constraint, and the product of the probabilities that each is kept: constrained expected improvement
(Schonlau 1997, *Computer Experiments and Global Optimization*; Gardner et al. 2014, *Bayesian Optimization with
Inequality Constraints*). Constraints are taken to break independently of each other and of the score.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr

from sweeps.samplers.encoding import Encoding
from sweeps.samplers.posterior import fit_surrogate
from sweeps.samplers.surrogate import Surrogate

Array = npt.NDArray[np.float64]

_REACH = 4.5
"""Values are clipped at this multiple of their median size: three standard deviations, were they normal around 0."""


class Feasibility:
    """The surfaces behind constraints.

    Args:
        encoding: The space.
        codes: Evaluated points, shape (n, n_axes).
        constraints: Values by name, each of shape (n,): kept where not above 0, NaN where a trial has none.
        checkpoint: To how many of the first points the hyperparameters are fitted when there are so many.

    Attributes:
        surfaces: Surfaces of the values with their sign turned: kept where not below 0. A constraint of which too
            little is known, or that always has the same value, has none.
    """

    def __init__(
        self, encoding: Encoding, codes: Array, constraints: Mapping[str, Array], checkpoint: Callable[[int], int]
    ) -> None:
        self.surfaces: list[Surrogate] = []
        for values in constraints.values():
            told = ~np.isnan(values)
            slack, first = -values[told], checkpoint(int(told.sum()))
            unknown = np.full(len(slack), np.nan)
            early = (_clipped(slack[:first]), unknown[:first])
            surface = fit_surrogate(encoding, codes[told], _clipped(slack), unknown, early, cliffs=False)
            if surface is not None:
                self.surfaces.append(surface)

    def probability(self, features: Array, pending: Array | None = None) -> Array:
        """Probability that all constraints are kept, shape (len(features),).

        Args:
            features: Configurations, shape (n, n_features).
            pending: Points under way, which count as if they had been found to be what is expected of them.
        """
        found = np.ones(len(features))
        for surface in self.surfaces:
            noise = surface.hyperparameters.noise
            believing = surface if pending is None else surface.believing(pending, noise)
            mean, sd = believing.posterior(features)
            found *= ndtr(mean / sd)
        return found


def _clipped(slack: Array) -> Array:
    """Values without the far ones: what counts is on which side of 0 they are, and how they run near it."""
    sizes = np.abs(slack[np.isfinite(slack) & (slack != 0.0)])
    reach = _REACH * float(np.median(sizes)) if len(sizes) else 1.0
    return np.clip(slack, -reach, reach)
