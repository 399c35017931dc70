"""Every sampler against the suite for samplers, and ours against Optuna's own suites as well."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator

import optuna
import pytest
from optuna.exceptions import ExperimentalWarning
from optuna.samplers import BaseSampler
from optuna.testing.pytest_samplers import BasicSamplerTestCase, RelativeSamplerTestCase, SingleOnlySamplerTestCase

from sweeps.samplers import SAMPLERS, gp, make_sampler, posterior
from sweeps.samplers.acquisition import augmented_expected_improvement as improvement
from sweeps.samplers.gp import NoiseAwareSampler
from tests.conformance.samplers import CONDITIONAL, SPACE, SamplerSuite


@pytest.fixture(params=SAMPLERS)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


class TestByName(SamplerSuite):
    """Each name that a sweep's file can give."""

    @pytest.fixture
    def make(self, name: str) -> Callable[[int], BaseSampler]:
        return lambda seed: make_sampler(name, seed=seed, space={**SPACE, **CONDITIONAL})


class TestGaussianProcess(SamplerSuite):
    """The default sampler with the conditions and the baseline that a sweep gives it, and a surface from trial 3 on."""

    @pytest.fixture
    def make(self, monkeypatch: pytest.MonkeyPatch) -> Callable[[int], BaseSampler]:
        monkeypatch.setattr(posterior, "MIN_POINTS", 2)
        baseline = {"temperature": 0.8, "top_p": 0.9, "top_k": 40, "num_predict": 128, "mirostat": 0, "num_ctx": 2048}
        return lambda seed: make_sampler(
            "gp",
            seed=seed,
            space={**SPACE, **CONDITIONAL},
            active_when={"mirostat_tau": {"mirostat": (2,)}},
            baseline=baseline,
            n_trials=20,
            n_startup_trials=2,
        )


class OptunaSuites(BasicSamplerTestCase, RelativeSamplerTestCase, SingleOnlySamplerTestCase):
    """All of Optuna's own suites for a sampler that does not model several objectives."""

    @pytest.fixture(autouse=True)
    def _quiet(self) -> Iterator[None]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)
            warnings.filterwarnings("ignore", "the range of parameter")  # some of the suite's objectives change it
            yield


class TestNoiseAwareSampler(OptunaSuites):
    @pytest.fixture
    def sampler(self) -> Callable[[], BaseSampler]:
        return lambda: NoiseAwareSampler(seed=0, n_startup_trials=2)


class TestItsAcquisition(OptunaSuites):
    """The same, with a surface from the second trial on: the suite's studies end before one is fitted."""

    @pytest.fixture
    def sampler(self, monkeypatch: pytest.MonkeyPatch) -> Callable[[], BaseSampler]:
        monkeypatch.setattr(posterior, "MIN_POINTS", 2)
        return lambda: NoiseAwareSampler(seed=0, n_startup_trials=1)

    def test_a_surface_is_asked(self, sampler: Callable[[], BaseSampler], monkeypatch: pytest.MonkeyPatch) -> None:
        asked = []
        monkeypatch.setattr(gp, "augmented_expected_improvement", lambda *given: asked.append(1) or improvement(*given))
        study = optuna.create_study(sampler=sampler())
        study.optimize(lambda trial: trial.suggest_float("x", 0, 1), n_trials=5)
        assert len(asked) == 3
