"""The noise-aware sampler inside Optuna studies."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import optuna
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.samplers import RandomSampler
from optuna.trial import TrialState, create_trial

from sweeps.samplers import LEAST_START, gp
from sweeps.samplers.encoding import Encoding
from sweeps.samplers.gp import NoiseAwareSampler, checkpoint, pick, study_posterior, union_space
from sweeps.samplers.posterior import MIN_POINTS
from sweeps.samplers.surrogate import Surrogate

SPACE: dict[str, BaseDistribution] = {
    "temperature": FloatDistribution(0.0, 1.5, step=0.05),
    "top_k": IntDistribution(5, 100, log=True),
    "top_p": FloatDistribution(0.5, 1.0),
    "mirostat": CategoricalDistribution((0, 1, 2)),
    "mirostat_tau": FloatDistribution(1.0, 9.0),
}
CONDITIONS = {"mirostat_tau": {"mirostat": (1, 2)}}
BASELINE = {"temperature": 0.8, "top_k": 40, "top_p": 0.9, "mirostat": 0, "seed": 7}
NOISE = 0.1


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    yield
    optuna.logging.set_verbosity(before)


def make(**changes: Any) -> NoiseAwareSampler:
    given_ = {"seed": 3, "space": SPACE, "active_when": CONDITIONS, "baseline": BASELINE, "n_startup_trials": 10}
    return NoiseAwareSampler(**{**given_, **changes})


def suggest(trial: optuna.Trial, space: Mapping[str, BaseDistribution] = SPACE) -> dict[str, Any]:
    """Define-by-run: the conditional parameter is asked for only where it acts."""
    params = {name: trial._suggest(name, d) for name, d in space.items() if name != "mirostat_tau"}
    if params.get("mirostat") and "mirostat_tau" in space:
        params["mirostat_tau"] = trial._suggest("mirostat_tau", space["mirostat_tau"])
    return params


def truth(params: Mapping[str, Any]) -> float:
    hill = -0.3 * (params["temperature"] - 0.4) ** 2 - 0.05 * abs(math.log(params["top_k"] / 20))
    return 0.6 + hill - 0.1 * (params["mirostat"] > 0)


def run(study: optuna.Study, n: int, batch: int = 4, fresh: bool = False) -> list[dict[str, Any]]:
    """Ask and tell up to `n` trials; with `fresh`, through a new sampler object and a copied study per batch."""
    proposals = []
    while len(study.trials) < n:
        if fresh:
            trials = study.get_trials()
            study = optuna.create_study(direction=study.direction, sampler=make())
            study.add_trials(trials)
        asked = [study.ask() for _ in range(min(batch, n - len(study.trials)))]
        proposals += [suggest(trial) for trial in asked]
        for trial in asked:
            trial.set_user_attr("n", 6)
            trial.set_user_attr("noise_sd", NOISE)
            noise = np.random.default_rng(trial.number).normal(0, NOISE / math.sqrt(6))
            study.tell(trial, truth(trial.params) + noise)
    return proposals


def test_a_resumed_study_proposes_what_an_uninterrupted_one_does() -> None:
    uninterrupted = optuna.create_study(direction="maximize", sampler=make())
    resumed = optuna.create_study(direction="maximize", sampler=make())
    first = run(uninterrupted, 37)
    assert run(resumed, 37, fresh=True) == first
    assert len(first) == 37


def test_other_seeds_propose_other_configurations() -> None:
    studies = [optuna.create_study(direction="maximize", sampler=make(seed=seed)) for seed in (1, 2)]
    one, two = (run(study, 14) for study in studies)
    assert one[0] == two[0]  # the baseline
    assert all(a != b for a, b in zip(one[1:], two[1:], strict=True))


def test_the_baseline_comes_first_and_never_again() -> None:
    proposals = run(optuna.create_study(direction="maximize", sampler=make()), 24)
    expected = {name: BASELINE[name] for name in ("temperature", "top_k", "top_p", "mirostat")}
    assert proposals[0] == expected
    assert expected not in proposals[1:]


def test_a_baseline_that_the_study_has_is_not_proposed() -> None:
    study = optuna.create_study(direction="maximize", sampler=make())
    known = {name: BASELINE[name] for name in ("temperature", "top_k", "top_p", "mirostat")}
    study.add_trial(create_trial(value=0.5, params=known, distributions={n: SPACE[n] for n in known}))
    assert known not in run(study, 15)


@pytest.mark.parametrize("beyond", [{"temperature": 3.0}, {"top_k": 4}, {"mirostat": 5}])
def test_a_baseline_outside_the_space_is_not_proposed(beyond: dict[str, Any]) -> None:
    study = optuna.create_study(direction="maximize", sampler=make(baseline=BASELINE | beyond))
    first = suggest(study.ask())
    assert {name: first.get(name) for name in beyond} != beyond
    assert first["temperature"] != 0.8 or first["top_p"] != 0.9


def test_batches_are_diverse() -> None:
    study = optuna.create_study(direction="maximize", sampler=make())
    run(study, 20)
    asked = [study.ask() for _ in range(6)]
    points = [suggest(trial) for trial in asked]
    encoding = Encoding(SPACE, CONDITIONS)
    features = encoding.features(encoding.codes(points))
    distances = np.linalg.norm(features[:, None] - features[None], axis=2)[np.triu_indices(6, 1)]
    assert distances.min() > 0.02
    # Without the trials under way, the model would propose nearly the same again and again.
    assert len({tuple(p.items()) for p in points}) == 6


def test_the_search_goes_where_the_scores_are() -> None:
    study = optuna.create_study(direction="maximize", sampler=make())
    run(study, 50)
    scores = [truth(t.params) for t in study.trials]
    assert np.mean(scores[30:]) > np.mean(scores[1:10]) + 0.05


def test_the_next_score_is_expected_to_be_as_noisy_as_the_median_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """A floor with many generations is known far better than a trial, a trial that was short of some far worse."""
    noises: list[float] = []
    improvement = gp.augmented_expected_improvement

    def noted(surrogate: Surrogate, features: Any, noise: float, among: Any = None) -> Any:
        noises.append(noise)
        return improvement(surrogate, features, noise, among)

    monkeypatch.setattr(gp, "augmented_expected_improvement", noted)
    space = {"top_p": FloatDistribution(0.5, 1.0)}
    study = optuna.create_study(direction="maximize", sampler=NoiseAwareSampler(seed=1, space=space))
    for number in range(11):
        n = {0: 60, 5: 1}.get(number, 6)
        attributes = {"n": n, "noise_sd": NOISE}
        at = {"top_p": 0.5 + number / 20}
        study.add_trial(create_trial(value=at["top_p"], params=at, distributions=space, user_attrs=attributes))
    suggest(study.ask(), space)
    assert noises == [pytest.approx(NOISE**2 / 6)]


def test_minimising_is_maximising_the_negative() -> None:
    up = optuna.create_study(direction="maximize", sampler=make())
    down = optuna.create_study(direction="minimize", sampler=make())
    for _ in range(20):
        one, two = up.ask(), down.ask()
        assert suggest(one) == suggest(two)
        score = truth(one.params)
        up.tell(one, score)
        down.tell(two, -score)
    assert pick(up).params == pick(down).params


@st.composite
def distributions(draw: st.DrawFn) -> BaseDistribution:
    count = draw(st.integers(1, 30))
    low, step = draw(st.integers(1, 20)), draw(st.integers(1, 16))
    return draw(
        st.sampled_from(
            [
                FloatDistribution(-low, step),
                FloatDistribution(low / 1000, low * step, log=True),
                FloatDistribution(0.0, round(0.05 * step * count, 10), step=round(0.05 * step, 10)),
                IntDistribution(-low, -low + count * step, step=step),
                IntDistribution(low, low + count * step, log=True),
                CategoricalDistribution(list("abcd")[: 2 + count % 3]),
            ]
        )
    )


@settings(max_examples=15, deadline=None)
@given(
    st.dictionaries(st.sampled_from("uvwxyz"), distributions(), min_size=1, max_size=4),
    st.integers(0, 1000),
    st.booleans(),
)
def test_proposals_lie_in_the_space_and_repeat_only_when_it_is_exhausted(
    space: dict[str, BaseDistribution], seed: int, given: bool
) -> None:
    sampler = NoiseAwareSampler(seed=seed, space=space if given else None, n_startup_trials=8)
    study = optuna.create_study(direction="maximize", sampler=sampler)
    rng = np.random.default_rng(seed)
    seen = set()
    for _ in range(14):
        trial = study.ask(dict(space))
        for name, value in trial.params.items():
            assert space[name]._contains(space[name].to_internal_repr(value))
        seen.add(tuple(sorted(trial.params.items())))
        study.tell(trial, rng.random())
    # The very first trial of an unknown space is drawn parameter by parameter; from then on all are foreseen.
    assert len(seen) == min(14, Encoding(space).size)


def test_an_exhausted_space_is_proposed_again() -> None:
    space: dict[str, BaseDistribution] = {"a": IntDistribution(0, 2), "b": CategoricalDistribution(("x", "y"))}
    study = optuna.create_study(direction="maximize", sampler=NoiseAwareSampler(seed=0, space=space))
    for _ in range(16):
        trial = study.ask(dict(space))
        study.tell(trial, float(trial.params["a"]) + np.random.default_rng(trial.number).normal(0, 0.1))
    points = [tuple(t.params.values()) for t in study.trials]
    assert len(set(points[:6])) == 6
    assert len(set(points)) == 6
    assert sum(a == 2 for a, _ in points[6:]) >= 6  # repeats go to the best


def test_failed_configurations_are_not_tried_again() -> None:
    space: dict[str, BaseDistribution] = {"a": IntDistribution(0, 9)}
    study = optuna.create_study(direction="maximize", sampler=NoiseAwareSampler(seed=0, space=space))
    for _ in range(10):
        trial = study.ask(dict(space))
        failed = trial.params["a"] % 2 == 0
        study.tell(trial, None if failed else 0.5, state=TrialState.FAIL if failed else None)
    assert sorted(t.params["a"] for t in study.trials) == list(range(10))


def test_without_a_space_conditional_parameters_are_learnt_from_the_trials() -> None:
    study = optuna.create_study(direction="maximize", sampler=NoiseAwareSampler(seed=1, n_startup_trials=8))
    study.optimize(lambda trial: truth(suggest(trial)), n_trials=25)
    assert union_space(study).keys() == SPACE.keys()
    assert {"mirostat_tau" in t.params for t in study.trials} == {True, False}


def test_studies_of_other_samplers_have_a_posterior_too() -> None:
    study = optuna.create_study(direction="maximize", sampler=RandomSampler(seed=0))
    run(study, 60)
    best = pick(study, SPACE, active_when=CONDITIONS)
    assert best.state == TrialState.COMPLETE
    assert truth(best.params) > np.quantile([truth(t.params) for t in study.trials], 0.85)
    model = study_posterior(study, SPACE, active_when=CONDITIONS)
    mean, sd = model.at([best.params])
    assert mean[0] == pytest.approx(model.means().max())
    assert 0 < sd[0] < NOISE


def test_the_samplers_own_posterior_and_pick_agree_with_the_functions() -> None:
    study = optuna.create_study(direction="maximize", sampler=make())
    run(study, 20)
    assert make().pick(study).number == pick(study, SPACE, active_when=CONDITIONS, fixed=BASELINE).number
    assert make().posterior(study).at([BASELINE])[0][0] == pytest.approx(0.55, abs=0.1)


def test_a_study_without_scores_has_nothing_to_pick() -> None:
    with pytest.raises(ValueError, match="no trial is complete with a finite score"):
        pick(optuna.create_study(), SPACE)


def test_refits_happen_at_fixed_numbers_of_trials() -> None:
    reached = [checkpoint(n, 10) for n in range(301)]
    assert reached[:10] == list(range(10))
    assert all(r <= n for n, r in enumerate(reached))
    steps = sorted(set(reached[10:]))
    gaps = np.diff(steps)
    assert steps[0] == 10
    assert gaps.min() == 12
    assert (np.diff(gaps) >= 0).all()
    assert len(steps) < 20


def test_a_planned_number_of_trials_bounds_the_start_design() -> None:
    assert make(n_startup_trials=None).n_startup(5) == 12
    assert make(n_startup_trials=None, n_trials=40).n_startup(9) == 10
    assert make(n_startup_trials=None, n_trials=10).n_startup(9) == 8 == LEAST_START == MIN_POINTS


def test_trials_in_threads_do_not_propose_the_same() -> None:
    study = optuna.create_study(direction="maximize", sampler=make(n_startup_trials=8))
    study.optimize(lambda trial: truth(suggest(trial)), n_trials=16, n_jobs=2)
    assert len({tuple(t.params.items()) for t in study.trials}) == 16
