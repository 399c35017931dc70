"""Samplers by name."""

from __future__ import annotations

import subprocess
import sys
import warnings

import optuna
import pytest
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from sweeps.errors import ConfigError
from sweeps.samplers import SAMPLERS, grid_values, make_sampler

SPACE: dict[str, BaseDistribution] = {
    "temperature": FloatDistribution(0.0, 1.0),
    "top_k": IntDistribution(10, 1000, log=True),
    "mirostat": CategoricalDistribution((0, 1, 2)),
    "num_ctx": IntDistribution(2048, 2048),
}


def proposals(name: str, n: int = 6, **settings: object) -> list[dict[str, object]]:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        study = optuna.create_study(sampler=make_sampler(name, space=SPACE, **settings))  # type: ignore[arg-type]
        found = []
        for _ in range(n):
            trial = study.ask(dict(SPACE))
            found.append(trial.params)
            study.tell(trial, 0.5)
    return found


@pytest.mark.parametrize("name", SAMPLERS)
def test_every_sampler_proposes_and_repeats_itself_by_seed(name: str) -> None:
    first = proposals(name, seed=11)
    assert first == proposals(name, seed=11)
    assert first != proposals(name, seed=12)
    for point in first:
        assert point.keys() == SPACE.keys()
        assert point["num_ctx"] == 2048


def test_unknown_names_are_told_with_the_valid_ones() -> None:
    with pytest.raises(ConfigError, match=r"sampler: unknown 'bayes'; valid: gp, tpe, random, qmc, grid"):
        make_sampler("bayes", seed=1)


def test_a_grid_needs_a_space() -> None:
    with pytest.raises(ConfigError, match="needs a search space"):
        make_sampler("grid", seed=1)


def test_options_reach_the_sampler() -> None:
    assert make_sampler("gp", seed=1, n_startup_trials=5).n_startup(9) == 5  # type: ignore[attr-defined]
    with pytest.raises(TypeError):
        make_sampler("random", seed=1, flavour="sour")


def test_grid_values_span_the_ranges() -> None:
    values = grid_values(SPACE, 3)
    assert values == {
        "temperature": [0.0, 0.5, 1.0],
        "top_k": [10, 100, 1000],
        "mirostat": [0, 1, 2],
        "num_ctx": [2048],
    }
    assert grid_values({"n": IntDistribution(1, 4)}, 5) == {"n": [1, 2, 3, 4]}


def test_importing_the_package_imports_nothing_heavy() -> None:
    code = (
        "import sys, sweeps.samplers; print([m for m in ('optuna', 'sklearn', 'scipy', 'numpy') if m in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
