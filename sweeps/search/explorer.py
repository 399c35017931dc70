"""The search: an Optuna study, asked in batches and told means.

The sampler works on a study in memory that is driven through the same asks and tells every time, so a resumed sweep
proposes what the uninterrupted one would have. What is kept are the proposals (in the ledger, before their first
request) and, one by one as they complete, the trials in Optuna's own storage, each written in one piece.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sweeps.config.space import Space
from sweeps.options import Configuration
from sweeps.search.trial import Proposal, TrialResult
from sweeps.search.trial_store import _delete_study, _open_study, _told

if TYPE_CHECKING:
    import optuna

    from analysis import Prior
    from sweeps.samplers.posterior import Posterior


class Explorer:
    """Asks Optuna for configurations and tells it their scores.

    Args:
        study: The study's name.
        storage: URL of Optuna's storage, where completed trials are kept; None to keep none.
        space: What is searched.
        baseline: The configuration in use today; with its score it is the first thing that the sampler learns.
        sampler: Name of the sampler (`sweeps.samplers.make_sampler`).
        seed: Seed of the sampler.
        trials: How many trials are planned.
        proposals: Proposals of an earlier run of the same study, by number.

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
    ) -> None:
        import optuna

        from sweeps.samplers import make_sampler

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self.space, self.baseline = space, baseline
        self.known = {proposal.number: proposal for proposal in proposals}
        self._asked: dict[int, optuna.Trial] = {}
        self._floor: TrialResult | None = None
        self._next = 0
        self._homes: dict[str, int] = {}
        # "-1" trial of the baseline shifts Optuna's own numbers in the study in memory, never in the kept one.
        self.study = optuna.create_study(
            study_name=study,
            direction="maximize",
            sampler=make_sampler(
                sampler,
                seed=seed,
                space=space.distributions(),
                active_when={d.name: d.when for d in space if d.when},
                baseline=baseline.values,
                n_trials=trials,
            ),
        )
        self._kept: optuna.Study | None = None
        self._outdated = False
        self._storage = storage or ""
        if storage is not None:
            self._kept = _open_study(study, storage)
            self._kept_trials = {int(trial.user_attrs["number"]): trial for trial in self._kept.get_trials()}

    def tell_baseline(self, result: TrialResult) -> None:
        """Let the sampler learn the floor's mean, where the baseline lies inside the space."""
        self._floor = result
        params = self.space.params_of(self.baseline)
        if params is not None:
            self.study.add_trial(self._frozen(params, result.as_believed(), self.baseline, number=-1))

    def ask(self, count: int) -> list[Proposal]:
        """The next `count` proposals; those of an earlier run again where there are any."""
        proposals = []
        for number in range(self._next, self._next + count):
            trial = self.study.ask()
            configuration = self.space.suggest(trial, self.baseline)
            proposal = Proposal(number, configuration, trial.params)
            self._asked[number] = trial
            proposals.append(self.known.get(number, proposal))
            self._homes.setdefault(proposals[-1].configuration.key, number)
        self._next += count
        return proposals

    def home(self, proposal: Proposal) -> int:
        """Number of the trial that a proposal's generations belong to: the first one with its configuration."""
        return self._homes[proposal.configuration.key]

    def tell(self, proposal: Proposal, result: TrialResult) -> None:
        """Tell a trial's score, and keep the trial."""
        from optuna.trial import TrialState

        trial = self._asked.pop(proposal.number)
        failed = math.isnan(result.value)
        believed = result.as_believed()
        if trial.params == dict(proposal.params):
            attrs = believed.user_attrs(proposal.configuration) | {"number": proposal.number}
            for name, value in attrs.items():
                trial.set_user_attr(name, value)
            self.study.tell(trial, None if failed else result.value, state=TrialState.FAIL if failed else None)
        else:  # another version of the sampler proposed it: the proposal that was run counts
            self.study.tell(trial, state=TrialState.FAIL)
            self.study.add_trial(self._frozen(proposal.params, believed, proposal.configuration, proposal.number))
        self._keep(self._frozen(proposal.params, result, proposal.configuration, proposal.number))

    def _keep(self, trial: optuna.trial.FrozenTrial) -> None:
        """Write a trial to Optuna's storage, once.

        Where a request that had failed was made good by a later run, or the texts were scored anew, the trial that is
        kept has another value. Optuna cannot change a finished trial, so its study is then written anew: by the next
        new trial or `flush`, since a study that is walked through may have changed in every trial.
        """
        if self._kept is None:
            return
        number = trial.user_attrs["number"]
        before = self._kept_trials.get(number)
        self._kept_trials[number] = trial
        if before is None and not self._outdated:
            with _told(self._storage):
                self._kept.add_trial(trial)
        elif before is None:
            self.flush()
        elif (before.values, before.params, before.user_attrs) != (trial.values, trial.params, trial.user_attrs):
            self._outdated = True

    def flush(self) -> None:
        """Bring Optuna's storage up to date with what was told."""
        if not self._outdated:
            return
        with _told(self._storage):
            _delete_study(self.study.study_name, self._storage)
            self._kept = _open_study(self.study.study_name, self._storage)
            self._kept.add_trials([self._kept_trials[n] for n in sorted(self._kept_trials)])
        self._outdated = False

    @property
    def scored(self) -> bool:
        """Whether any trial has a score; the baseline's own is none."""
        return any(trial.user_attrs["number"] >= 0 for trial in self._scored())

    def _scored(self) -> Sequence[optuna.trial.FrozenTrial]:
        from sweeps.samplers.gp import evaluated

        return evaluated(self.study).trials

    def picks(self, count: int) -> list[int]:
        """Numbers of the trials to confirm, of different configurations; fewer where there are.

        The first has the best posterior mean; see `Posterior.finalists` for the others.

        Never the raw best: the best of many noisy means overstates its own score. A trial that is the baseline over
        again is no finalist either.
        """
        trials = self._scored()
        keys = [str(trial.user_attrs["configuration"]) for trial in trials]
        others = [i for i, key in enumerate(keys) if key != self.baseline.key]
        chosen = others
        if len(others) > 1:  # a space of one configuration has nothing to fit a surface over
            posterior = self.posterior()
            different = {keys[i]: i for i in reversed(posterior.ranked(others))}
            chosen = posterior.finalists(count, list(different.values()))
        return [self._homes[keys[i]] for i in chosen]

    def prior_of(self, finalist: Proposal) -> Prior | None:
        """What the search believes of a finalist's gain in score; None where there is no surface to ask.

        The score is believed in without the penalty for limits, since the confirmation judges it so.
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
        """What the told trials say about the whole space; of other values than those told, if given."""
        from sweeps.samplers.gp import study_posterior

        return study_posterior(
            self.study,
            self.space.distributions(),
            active_when={d.name: d.when for d in self.space if d.when},
            fixed=self.baseline.values,
            values=values,
        )

    def _frozen(
        self, params: Mapping[str, Any], result: TrialResult, configuration: Configuration, number: int
    ) -> optuna.trial.FrozenTrial:
        from optuna.trial import TrialState, create_trial

        distributions = self.space.distributions()
        failed = math.isnan(result.value)
        return create_trial(
            state=TrialState.FAIL if failed else TrialState.COMPLETE,
            value=None if failed else result.value,
            params=dict(params),
            distributions={name: distributions[name] for name in params},
            user_attrs=result.user_attrs(configuration) | {"number": number},
        )
