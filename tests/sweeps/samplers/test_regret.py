"""A small seeded comparison of samplers on simulated surfaces."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import optuna
import pytest

from sweeps.engines.scripted.surfaces import Surface, make_surface, search_space
from sweeps.samplers import make_sampler
from sweeps.samplers.gp import pick

SPACE = search_space()
CONDITIONS = {"mirostat_tau": {"mirostat": (1, 2)}}
TRIALS, REPLICATIONS, GAIN = 48, 12, 0.08


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    yield
    optuna.logging.set_verbosity(before)


def search(name: str, surface: Surface, seed: int) -> optuna.Study:
    """A study of one generation per case and trial, the baseline first."""
    baseline = {option: value for option, value in surface.baseline.items() if option != "mirostat_tau"}
    sampler = make_sampler(name, seed=seed, space=SPACE, active_when=CONDITIONS, baseline=baseline, n_trials=TRIALS)
    study = optuna.create_study(direction="maximize", sampler=sampler)
    study.enqueue_trial(baseline)
    rng = np.random.default_rng([seed, 1])

    def objective(trial: optuna.Trial) -> float:
        params = {option: trial._suggest(option, d) for option, d in SPACE.items() if option != "mirostat_tau"}
        if params["mirostat"]:
            params["mirostat_tau"] = trial._suggest("mirostat_tau", SPACE["mirostat_tau"])
        scores = surface.draw([params], 1, rng)[0, :, 0]
        trial.set_user_attr("case_scores", scores.tolist())
        return float(scores.mean())

    study.optimize(objective, n_trials=TRIALS)
    return study


@pytest.mark.slow
def test_the_search_regrets_less_than_tpe_and_random_search() -> None:
    regrets: dict[str, list[float]] = {"gp": [], "tpe": [], "random": []}
    for seed in range(REPLICATIONS):
        surface = make_surface("smooth", seed=seed, gain=GAIN)
        ours = search("gp", surface, seed)
        chosen = pick(ours, SPACE, active_when=CONDITIONS)
        regrets["gp"].append(surface.regret(chosen.params))
        for name in ("tpe", "random"):
            regrets[name].append(surface.regret(search(name, surface, seed).best_trial.params))
    means = {name: float(np.mean(values)) for name, values in regrets.items()}
    assert means["gp"] < means["tpe"] - 0.003, means
    assert means["gp"] < means["random"] - 0.005, means
    assert means["gp"] < GAIN / 2, means
