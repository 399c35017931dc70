"""The search: an Optuna study that proposes configurations in batches and learns their mean scores.

The sampler works on a study in memory, which every run of a sweep takes through the same asks and tells. A resumed
sweep therefore proposes the same configurations as an uninterrupted one. The ledger keeps the proposals, before their
first request. Optuna's own storage keeps each completed trial, written in one piece.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sweeps.config.space import Space, params
from sweeps.options import Configuration
from sweeps.search.trial import Proposal, TrialResult
from sweeps.search.trial_store import StoredTrials, frozen_trial, readable_errors, replace_stored_study

if TYPE_CHECKING:
    import optuna
    from optuna.distributions import BaseDistribution

    from analysis import Prior
    from sweeps.samplers.earlier import EarlierScores
    from sweeps.samplers.posterior import Posterior


class Explorer:
    """Search of a space with Optuna's ask-and-tell interface.

    Args:
        study: The study's name.
        storage: URL of Optuna's storage for completed trials; None to store none.
        space: The searched space.
        baseline: The configuration in use today; its score is the first one that the sampler learns.
        sampler: Name of the sampler (`sweeps.samplers.make_sampler`).
        seed: Seed of the sampler.
        trials: Number of planned trials.
        proposals: Proposals of an earlier run of the same study, by number.
        first: Params of the candidates, which are the first trials, by name. They lie inside the space.
        earlier: Scores of earlier studies, for a Gaussian process.
        may_store: Whether this process is the one that writes to the storage now, where several share a study.
        start: Start design of the sampler `gp`; see `sweeps.samplers.acquisition.start_design`.
        ended: Whether the search has ended, so that the earlier run's proposals are all that is asked for. The sampler
            then gets its trials only where somebody needs its surrogate.

    Attributes:
        known: The proposals of the earlier run, by number.
    """

    def __init__(
        self,
        study: str,
        storage: str | None,
        *,
        space: Space,
        baseline: Configuration,
        sampler: str,
        seed: int,
        trials: int,
        proposals: Sequence[Proposal] = (),
        first: Mapping[str, Mapping[str, Any]] | None = None,
        earlier: EarlierScores | None = None,
        may_store: Callable[[], bool] | None = None,
        start: str = "near",
        ended: bool = False,
    ) -> None:
        import optuna

        from sweeps.samplers import make_sampler

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self.space, self.baseline, self._earlier = space, baseline, earlier
        self.known = {proposal.number: proposal for proposal in proposals}
        self._asked: dict[int, optuna.Trial] = {}
        self._keeps_no_state = sampler == "gp"
        self._floor: TrialResult | None = None
        self._next = 0
        self._homes: dict[str, int] = {}
        # The baseline's trial shifts Optuna's own numbers in the study in memory, never in the stored one.
        self._late: list[tuple[Mapping[str, Any], TrialResult, Proposal]] = []
        self._ended, self._name = ended, study
        self._study = optuna.create_study(
            study_name=study,
            direction="maximize",
            sampler=make_sampler(
                sampler,
                seed=seed,
                space=space.distributions(),
                active_when=space.conditions(),
                baseline=params(baseline.values),
                n_trials=trials,
                **({} if earlier is None else {"earlier": earlier}),
                **({"start": start} if sampler == "gp" else {}),
            ),
        )
        self._names = list(first or {})
        self._first = list((first or {}).values())
        self._stored: StoredTrials | None = None
        self._outdated = False
        self._new: list[optuna.trial.FrozenTrial] = []
        self._storage = storage or ""
        self._stored_trials: dict[int, optuna.trial.FrozenTrial] = {}
        self._may_store = may_store or (lambda: True)
        self._storing()

    @property
    def study(self) -> optuna.Study:
        """The sampler's study, in memory."""
        late, self._late = self._late, []
        for values, learned, proposal in late:
            self._study.add_trial(self._frozen(values, learned, proposal.configuration, proposal.number))
        return self._study

    def _storing(self) -> bool:
        """Whether trials are stored by this process now, which then opens the storage."""
        if not self._storage or not self._may_store():
            return False
        if self._stored is None:
            self._stored = StoredTrials(self._name, self._storage)
            with readable_errors(self._storage):
                there = self._stored.study.get_trials(deepcopy=False)
            stored = {int(trial.user_attrs["number"]): trial for trial in there}
            void = {number for number, proposal in self.known.items() if self.is_void(proposal)}
            told, kept = self._stored_trials, {n: trial for n, trial in stored.items() if n not in void}
            self._stored_trials = kept | told
            self._outdated = bool(told) or len(kept) < len(stored)
        return True

    def tell_baseline(self, result: TrialResult) -> None:
        """Let the sampler learn the floor's mean, where the baseline lies inside the space."""
        self._floor = result
        inside = self.space.params_of(self.baseline)
        if inside is not None:
            self.study.add_trial(self._frozen(inside, result.for_sampler(), self.baseline, number=-1))

    def ask(self, count: int) -> list[Proposal]:
        """The next `count` proposals; an earlier run's proposals are repeated.

        Where a sampler's proposals depend on the study's trials alone, it is not asked for those of an earlier run.
        """
        numbers = range(self._next, self._next + count)
        if (self._keeps_no_state or self._ended) and all(number in self.known for number in numbers):
            proposals = [self.known[number] for number in numbers]
            if self._ended or not any(map(self.is_void, proposals)):
                self._next += count
                for proposal in proposals:
                    self._homes.setdefault(proposal.configuration.key, proposal.number)
                return proposals
        if not self._keeps_no_state:
            return [self._ask(number) for number in numbers]
        from sweeps.samplers.surrogate import one_thread

        with one_thread():  # once for the batch: it takes as long as a part of a proposal
            return [self._ask(number) for number in numbers]

    def _ask(self, number: int) -> Proposal:
        """Ask the sampler for one trial; an earlier run's proposal of the same number counts instead of its own."""
        name = ""
        if number < len(self._first):
            name = self._names[number]
            self.study.enqueue_trial(dict(self._first[number]))
        trial = self.study.ask()
        configuration = self.space.suggest(trial, self.baseline)
        self._asked[number] = trial
        proposal = self.known.get(number) or Proposal(number, configuration, trial.params, name)
        self._homes.setdefault(proposal.configuration.key, number)
        self._next = number + 1
        return proposal

    def learn(self, proposals: Sequence[Proposal]) -> None:
        """Let `ask` repeat another coordinator's next proposals, as those of an earlier run."""
        self.known.update((proposal.number, proposal) for proposal in proposals)

    def adopt(self, first: int, proposals: Sequence[Proposal]) -> None:
        """Put another coordinator's proposals in the place of the last ones that were asked for.

        Args:
            first: Number of the first one.
            proposals: The proposals, which may be fewer.
        """
        from optuna.trial import TrialState

        self._next = first + len(proposals)
        for number in [number for number in self._asked if number >= self._next]:
            self.study.tell(self._asked.pop(number), state=TrialState.FAIL)
        self._homes = {key: number for key, number in self._homes.items() if number < first}
        for proposal in proposals:
            self.known[proposal.number] = proposal
            self._homes.setdefault(proposal.configuration.key, proposal.number)

    def is_void(self, proposal: Proposal) -> bool:
        """Whether a proposal lies outside the space, which has lost a value since it was made."""
        return self._params(proposal) is None

    def _params(self, proposal: Proposal) -> Mapping[str, Any] | None:
        """Return a proposal's params in the present space, whose dimensions may be fewer; None outside of it."""
        if proposal.number not in self.known:
            return proposal.params
        if not self._was_narrowed(proposal):
            return proposal.params
        values, before = proposal.configuration.values, self.baseline.values
        if any(name not in self.space and values.get(name) != before.get(name) for name in proposal.params):
            return None
        return self.space.params_of(proposal.configuration)

    def _was_narrowed(self, proposal: Proposal) -> bool:
        """Whether the space no longer holds a proposal's params as they are."""
        distributions = self.space.distributions()
        return any(
            name not in distributions or not _holds(distributions[name], value)
            for name, value in proposal.params.items()
        )

    def home(self, proposal: Proposal) -> int:
        """Number of the first trial with the proposal's configuration, to which its generations belong."""
        return self._homes[proposal.configuration.key]

    def tell(self, proposal: Proposal, result: TrialResult) -> None:
        """Tell the sampler a trial's score; `flush` stores it."""
        from optuna.trial import TrialState

        trial = self._asked.pop(proposal.number, None)
        params = self._params(proposal)
        if params is None:
            if trial is not None:
                self.study.tell(trial, state=TrialState.FAIL)
            return
        failed = math.isnan(result.value)
        learned = result.for_sampler()
        if trial is None and self._ended:
            self._late.append((params, learned, proposal))
        elif trial is None:  # an earlier run's proposal
            self.study.add_trial(self._frozen(params, learned, proposal.configuration, proposal.number))
        elif trial.params == dict(params):
            attrs = learned.user_attrs(proposal.configuration) | {"number": proposal.number}
            for name, value in attrs.items():
                trial.set_user_attr(name, value)
            self.study.tell(trial, None if failed else result.value, state=TrialState.FAIL if failed else None)
        else:  # another version of the sampler made the proposal that was run
            self.study.tell(trial, state=TrialState.FAIL)
            self.study.add_trial(self._frozen(params, learned, proposal.configuration, proposal.number))
        self._store(self._frozen(params, result, proposal.configuration, proposal.number))

    def _store(self, trial: optuna.trial.FrozenTrial) -> None:
        """Take a trial for Optuna's storage, once; `flush` writes it.

        A stored trial is outdated if a later run repeated a failed request, or if texts were rescored. Optuna cannot
        change a finished trial, so the whole stored study is then replaced.
        """
        if not self._storage:
            return
        number = trial.user_attrs["number"]
        if not self._storing():
            self._stored_trials[number] = trial
            return
        assert self._stored is not None
        before = self._stored_trials.get(number)
        self._stored_trials[number] = trial
        if before is None:
            self._new.append(trial)
        elif _content(before) != _content(trial):
            self._outdated = True

    def chances(self, trials: Sequence[tuple[Proposal, TrialResult]]) -> list[float] | None:
        """Chance of each unfinished trial to be better than the best known one; None where the search has no surface.

        Args:
            trials: The trials with their scores so far, as if they had all cases. Without a score the chance is 1.
        """
        import numpy as np

        from sweeps.samplers.gp import NoiseAwareSampler
        from sweeps.samplers.pruning import chances
        from sweeps.samplers.surrogate import one_thread

        sampler = self.study.sampler
        if not isinstance(sampler, NoiseAwareSampler):
            return None
        encoding, surface = sampler.surface(self.study, self.space.distributions())
        if surface is None:
            return None
        known = {i: params for i, (each, _) in enumerate(trials) if (params := self._params(each)) is not None}
        found = np.ones(len(trials))
        places = [i for i in known if not math.isnan(trials[i][1].value)]
        if places:
            features = encoding.features(encoding.codes([known[i] for i in places]))
            scores, noise = (np.array([getattr(trials[i][1], k) for i in places]) for k in ("value", "variance"))
            with one_thread():
                found[places] = chances(surface, features, scores, noise)
        return [float(chance) for chance in found]

    def flush(self, *, replace: bool = True) -> None:
        """Bring Optuna's storage up to date with the trials of this run, in one transaction.

        Args:
            replace: Whether to replace outdated trials as well where no trial is new, which writes all of them.
        """
        if not self._storing():
            return
        new, self._new = self._new, []
        if self._stored is None or not (new or (self._outdated and replace)):
            return
        if not self._outdated:
            self._stored.add(new)
            return
        trials = [self._stored_trials[number] for number in sorted(self._stored_trials)]
        self._stored = replace_stored_study(self._name, self._storage, trials)
        self._outdated = False

    @property
    def scored(self) -> bool:
        """Whether any trial has a score, apart from the baseline."""
        return any(trial.user_attrs["number"] >= 0 for trial in self._scored())

    def _scored(self) -> Sequence[optuna.trial.FrozenTrial]:
        from sweeps.samplers.gp import evaluated

        return evaluated(self.study).trials

    def picks(self, count: int) -> list[int]:
        """Numbers of `count` trials to confirm, or fewer if there are not as many configurations.

        The first has the best posterior mean; see `Posterior.finalists` for the others. The best raw mean is not used,
        since the best of many noisy means overstates its own score. A trial that repeats the baseline is no finalist.
        """
        trials = self._scored()
        keys = [str(trial.user_attrs["configuration"]) for trial in trials]
        others = [i for i, key in enumerate(keys) if key != self.baseline.key]
        chosen = others
        if len(others) > 1:  # one configuration is too few for a surrogate
            posterior = self.posterior()
            different = {keys[i]: i for i in reversed(posterior.ranked(others))}
            chosen = posterior.finalists(count, list(different.values()))
        return [self._homes[keys[i]] for i in chosen]

    def prior_of(self, finalist: Proposal) -> Prior | None:
        """The search's belief about a finalist's gain in score; None without a surrogate.

        The belief is about the score without the penalty for limits, which is also what the confirmation judges.
        """
        from analysis import Prior
        from sweeps.samplers.gp import evaluated

        done = evaluated(self.study)
        scores = [trial.user_attrs.get("score", value) for trial, value in zip(done.trials, done.values, strict=True)]
        posterior = self.posterior(scores)
        keys = [trial.user_attrs["configuration"] for trial in done.trials]
        key = finalist.configuration.key
        if posterior.surrogate is None or self._floor is None or key not in keys:
            return None
        finalist_at = done.points[keys.index(key)]
        baseline_at = self.space.params_of(self.baseline)
        if baseline_at is not None:
            return Prior(*posterior.difference(finalist_at, baseline_at))
        (mean,), (sd,) = posterior.at([finalist_at])
        return Prior(float(mean) - self._floor.score, math.hypot(sd, self._floor.noise_sd / math.sqrt(self._floor.n)))

    def posterior(self, values: Sequence[float] | None = None) -> Posterior:
        """The posterior over the space from the trials so far, with their scores without penalties if given."""
        from sweeps.samplers.gp import study_posterior

        earlier = self._earlier
        return study_posterior(
            self.study,
            self.space.distributions(),
            active_when=self.space.conditions(),
            fixed=params(self.baseline.values),
            values=values,
            earlier=earlier.without_penalty if earlier is not None and values is not None else earlier,
        )

    def _frozen(
        self, params: Mapping[str, Any], result: TrialResult, configuration: Configuration, number: int
    ) -> optuna.trial.FrozenTrial:
        return frozen_trial(self.space, params, result, configuration, number)


def _content(trial: optuna.trial.FrozenTrial) -> tuple[object, ...]:
    return trial.state, trial.values, trial.params, trial.user_attrs, trial.distributions


def _holds(distribution: BaseDistribution, value: Any) -> bool:
    return value in getattr(distribution, "choices", ()) or (
        isinstance(value, (int, float)) and getattr(distribution, "low", math.inf) <= value <= distribution.high  # type: ignore[attr-defined]
    )
