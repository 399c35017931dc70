"""The suite for samplers (`sweeps.samplers`)."""

from __future__ import annotations

import random
import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import optuna
import pytest
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.samplers import BaseSampler
from optuna.trial import Trial, TrialState, create_trial

SPACE: Mapping[str, BaseDistribution] = {
    "temperature": FloatDistribution(0.0, 1.2, step=0.1),
    "top_p": FloatDistribution(0.5, 1.0),
    "top_k": IntDistribution(10, 1000, log=True),
    "num_predict": IntDistribution(64, 256, step=64),
    "mirostat": CategoricalDistribution((0, 2)),
    "num_ctx": IntDistribution(2048, 2048),
}
CONDITIONAL: Mapping[str, BaseDistribution] = {"mirostat_tau": FloatDistribution(1.0, 9.0)}
"""Asked for where mirostat is on."""


class SamplerSuite:
    """The contract of a sampler, for any Optuna study with one objective.

    - Every value lies in its distribution: bounds, steps, choices, and ranges of a single value.
    - The same seed gives the same proposals, another seed gives others. Any whole number from 0 on is a seed.
    - The global random states of Python and NumPy stay as they are.
    - Trials may be asked in batches: several before the first of them is scored.
    - Parameters that only some trials have, trials that failed, trials of other processes and enqueued trials do not
      stop it. An enqueued trial has its own values.
    - A study that is replayed through the same asks and tells goes on with the same proposals: there is no state
      outside of the study.

    A subclass supplies the fixture `make`: a new sampler of a seed.
    """

    @pytest.fixture
    def make(self) -> Callable[[int], BaseSampler]:
        raise NotImplementedError

    @pytest.fixture(autouse=True)
    def _quiet(self) -> Iterator[None]:
        verbosity = optuna.logging.get_verbosity()
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # a sampler says nothing that a person cannot act on
            yield
        optuna.logging.set_verbosity(verbosity)

    def study(self, sampler: BaseSampler) -> optuna.Study:
        return optuna.create_study(direction="maximize", sampler=sampler)

    def ask(self, study: optuna.Study) -> Trial:
        """A trial with a value for every parameter that acts."""
        trial = study.ask()
        for name, distribution in SPACE.items():
            trial._suggest(name, distribution)
        if trial.params["mirostat"]:
            for name, distribution in CONDITIONAL.items():
                trial._suggest(name, distribution)
        return trial

    def score(self, params: Mapping[str, Any]) -> float:
        return 0.8 - (params["temperature"] - 0.4) ** 2 - (params["top_p"] - 0.9) ** 2 - 0.1 * params["mirostat"]

    def proposals(self, study: optuna.Study, count: int, batch: int = 1) -> list[dict[str, Any]]:
        """Ask, score and tell; the parameters of all trials."""
        found: list[dict[str, Any]] = []
        while len(found) < count:
            asked = [self.ask(study) for _ in range(min(batch, count - len(found)))]
            for trial in asked:
                found.append(trial.params)
                study.tell(trial, self.score(trial.params))
        return found

    def test_it_is_a_sampler_of_optuna(self, make: Callable[[int], BaseSampler]) -> None:
        assert isinstance(make(1), BaseSampler)

    @pytest.mark.parametrize("batch", [1, 4])
    def test_values_lie_in_their_distributions(self, make: Callable[[int], BaseSampler], batch: int) -> None:
        found = self.proposals(self.study(make(3)), 16, batch)
        for params in found:
            for name, value in params.items():
                distribution = {**SPACE, **CONDITIONAL}[name]
                assert distribution._contains(distribution.to_internal_repr(value)), (name, value)
            assert params.keys() == {*SPACE, *(CONDITIONAL if params["mirostat"] else ())}
            assert params["num_ctx"] == 2048
            assert params["num_predict"] % 64 == 0
        assert len({params["top_k"] for params in found}) > 1

    @pytest.mark.parametrize("batch", [1, 4])
    def test_a_seed_repeats_its_proposals(self, make: Callable[[int], BaseSampler], batch: int) -> None:
        first, again, other = (self.proposals(self.study(make(seed)), 10, batch) for seed in (11, 11, 12))
        assert first == again
        assert first != other

    def test_any_whole_number_is_a_seed(self, make: Callable[[int], BaseSampler]) -> None:
        for seed in (0, 2**32 + 5, 10**18):
            assert len(self.proposals(self.study(make(seed)), 3)) == 3

    def test_global_random_states_stay_as_they_are(self, make: Callable[[int], BaseSampler]) -> None:
        python, numpy = random.getstate(), np.random.get_state()  # noqa: NPY002
        self.proposals(self.study(make(5)), 10, 2)
        assert random.getstate() == python
        assert all(np.array_equal(one, two) for one, two in zip(numpy, np.random.get_state(), strict=True))  # noqa: NPY002

    def test_failed_and_foreign_trials_do_not_stop_it(self, make: Callable[[int], BaseSampler]) -> None:
        study = self.study(make(7))
        self.proposals(study, 6)
        study.tell(self.ask(study), state=TrialState.FAIL)
        study.ask()  # stays without parameters and without a value
        study.add_trial(
            create_trial(params={"elsewhere": 1}, distributions={"elsewhere": IntDistribution(0, 3)}, value=0.9)
        )
        study.add_trial(create_trial(state=TrialState.FAIL))
        assert len(self.proposals(study, 6)) == 6

    def test_an_enqueued_trial_has_its_own_values(self, make: Callable[[int], BaseSampler]) -> None:
        study = self.study(make(9))
        wanted = {"temperature": 0.8, "top_p": 0.9, "top_k": 40, "num_predict": 128, "mirostat": 0, "num_ctx": 2048}
        study.enqueue_trial(wanted)
        assert self.proposals(study, 1) == [wanted]
        self.proposals(study, 5)
        study.enqueue_trial(wanted)  # also in the middle of a study
        assert self.proposals(study, 1) == [wanted]

    @pytest.mark.parametrize("batch", [1, 3])
    def test_a_replayed_study_goes_on_the_same_way(self, make: Callable[[int], BaseSampler], batch: int) -> None:
        whole = self.proposals(self.study(make(13)), 12, batch)
        study = self.study(make(13))
        assert self.proposals(study, 6, batch) == whole[:6]
        assert self.proposals(study, 6, batch) == whole[6:]
