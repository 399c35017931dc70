"""Boundaries against published constants, spending against simulation."""

from __future__ import annotations

import numpy as np
import pytest

from analysis.sequential.boundaries import boundaries, exits, spent


def even(looks):
    return tuple((k + 1) / looks for k in range(looks))


@pytest.mark.parametrize(
    ("looks", "published"),
    [
        (2, (2.797, 1.977)),
        (3, (3.471, 2.454, 2.004)),
        (4, (4.049, 2.863, 2.337, 2.024)),
        (5, (4.562, 3.226, 2.634, 2.281, 2.040)),
    ],
)
def test_obrien_and_flemings_constants(looks, published):
    assert boundaries(even(looks), 0.05, "obrien-fleming") == pytest.approx(published, abs=6e-4)


@pytest.mark.parametrize(
    ("looks", "published"),
    [
        (2, (2.9626, 1.9686)),
        (3, (3.7103, 2.5114, 1.9930)),
        (5, (4.8769, 3.3569, 2.6803, 2.2898, 2.0310)),
    ],
)
def test_lan_and_demets_constants(looks, published):
    assert boundaries(even(looks), 0.05) == pytest.approx(published, abs=1.5e-4)


@pytest.mark.parametrize("fractions", [even(4), (0.2, 0.5, 1.0), (0.6, 1.0)])
@pytest.mark.parametrize("alpha", [0.05, 0.01])
def test_what_is_spent_adds_up(fractions, alpha):
    cumulative = np.cumsum(exits(fractions, boundaries(fractions, alpha)))
    assert cumulative == pytest.approx([spent(alpha, each) for each in fractions], abs=1e-7)
    assert cumulative[-1] == pytest.approx(alpha)


def test_spending_in_simulated_normal_walks():
    fractions = (0.3, 0.6, 1.0)
    steps = np.sqrt(np.diff((0.0, *fractions)))
    walks = np.cumsum(np.random.default_rng(0).normal(size=(200_000, 3)) * steps, axis=1) / np.sqrt(fractions)
    crossed = np.abs(walks) >= boundaries(fractions, 0.05)
    first = [crossed[:, 0].mean(), (crossed[:, 1] & ~crossed[:, 0]).mean(), (crossed.any(axis=1)).mean()]
    assert first[0] == pytest.approx(spent(0.05, 0.3), abs=3e-4)
    assert first[1] == pytest.approx(spent(0.05, 0.6) - spent(0.05, 0.3), abs=8e-4)
    assert first[2] == pytest.approx(0.05, abs=1.5e-3)
