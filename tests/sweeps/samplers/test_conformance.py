"""Optuna's own sampler conformance tests, run on ours."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator

import optuna
import pytest
from optuna.exceptions import ExperimentalWarning
from optuna.samplers import BaseSampler
from optuna.testing.pytest_samplers import BasicSamplerTestCase, RelativeSamplerTestCase, SingleOnlySamplerTestCase

from sweeps.samplers import gp, posterior
from sweeps.samplers.acquisition import augmented_expected_improvement as improvement
from sweeps.samplers.gp import NoiseAwareSampler


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        warnings.filterwarnings("ignore", "the range of parameter")  # some of the suite's objectives change it
        yield


class TestNoiseAwareSampler(BasicSamplerTestCase, RelativeSamplerTestCase, SingleOnlySamplerTestCase):
    @pytest.fixture
    def sampler(self) -> Callable[[], BaseSampler]:
        return lambda: NoiseAwareSampler(seed=0, n_startup_trials=2)


class TestItsAcquisition(BasicSamplerTestCase, RelativeSamplerTestCase, SingleOnlySamplerTestCase):
    """The same, with a surface from the second trial on: the suite's studies end before one is fitted."""

    @pytest.fixture
    def sampler(self, monkeypatch: pytest.MonkeyPatch) -> Callable[[], BaseSampler]:
        for module in (gp, posterior):
            monkeypatch.setattr(module, "MIN_POINTS", 2)
        return lambda: NoiseAwareSampler(seed=0, n_startup_trials=1)

    def test_a_surface_is_asked(self, sampler: Callable[[], BaseSampler], monkeypatch: pytest.MonkeyPatch) -> None:
        asked = []
        monkeypatch.setattr(gp, "augmented_expected_improvement", lambda *given: asked.append(1) or improvement(*given))
        study = optuna.create_study(sampler=sampler())
        study.optimize(lambda trial: trial.suggest_float("x", 0, 1), n_trials=5)
        assert len(asked) == 3
