"""Optuna's own sampler conformance tests, run on ours."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator

import pytest
from optuna.exceptions import ExperimentalWarning
from optuna.samplers import BaseSampler
from optuna.testing.pytest_samplers import BasicSamplerTestCase, RelativeSamplerTestCase, SingleOnlySamplerTestCase

from sweeps.samplers.gp import NoiseAwareSampler


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        yield


class TestNoiseAwareSampler(BasicSamplerTestCase, RelativeSamplerTestCase, SingleOnlySamplerTestCase):
    @pytest.fixture
    def sampler(self) -> Callable[[], BaseSampler]:
        return lambda: NoiseAwareSampler(seed=0, n_startup_trials=2)
