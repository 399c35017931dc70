"""The sampler's knowledge and its belief in a finalist, with penalties and after a change of the sampler."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from sweeps.samplers.gp import evaluated
from sweeps.search.trial import Penalty, TrialResult
from tests.sweeps.search.test_explorer import BASELINE, explorer, score, search


def test_a_baseline_outside_the_space_that_breaks_a_limit_is_believed_by_its_score() -> None:
    outside = replace(BASELINE, options={**BASELINE.options, "temperature": 2.0})
    made = explorer(None, baseline=outside)
    held = Penalty(0.6, 0.05, {"words": 200.0}, 0.3, 1.0)
    made.tell_baseline(TrialResult(0.3, 6, [0.3, 0.3], 0.05, held))
    proposals = []
    for _ in range(3):
        batch = made.ask(4)
        proposals += batch
        for proposal in batch:
            made.tell(proposal, score(proposal))
    finalist = proposals[made.picks(1)[0]]
    (mean,), (sd,) = made.posterior().at([finalist.params])
    believed = made.prior_of(finalist)
    assert believed is not None
    assert believed.mean == pytest.approx(mean - 0.6)  # and not less 0.3, which has the penalty in it
    assert believed.sd == pytest.approx(math.hypot(sd, 0.05 / math.sqrt(6)))


def test_what_another_version_proposed_is_learnt_under_its_own_values() -> None:
    stored = search(explorer(None, "random", seed=9), batches=2)
    made = explorer(None, "tpe", proposals=stored)
    assert search(made, batches=2) == stored
    known = {trial.user_attrs["number"]: trial for trial in evaluated(made.study).trials}
    for proposal in stored:
        assert known[proposal.number].params == dict(proposal.params)
        assert known[proposal.number].value == score(proposal).value
    assert len(known) == 1 + len(stored)  # and the baseline
