"""The search by itself: proposals, what is told, what is kept."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from sweeps.config.space_table import parse_space
from sweeps.errors import SweepError
from sweeps.options import Configuration, default_options
from sweeps.samplers.gp import NoiseAwareSampler
from sweeps.search import explorer as explorer_module
from sweeps.search.explorer import Explorer
from sweeps.search.trial import Penalty, Proposal, TrialResult
from sweeps.search.trial_scores import trial_result
from sweeps.search.trial_store import StoredTrials
from tests.sweeps.sweep_files import optuna_trials

if TYPE_CHECKING:
    import optuna

BASELINE = Configuration("m", "p", {**default_options(), "temperature": 0.8})
RAW: dict[str, Any] = {
    "temperature": {"low": 0.1, "high": 1.2},
    "mirostat": [0, 2],
    "mirostat_tau": {"low": 1.0, "high": 9.0},
}
SPACE, _ = parse_space(RAW, prompts=["p"], baseline=BASELINE.values)


def explorer(folder: Path | None, sampler: str = "gp", **more: Any) -> Explorer:
    storage = None if folder is None else f"sqlite:///{folder / 'optuna.db'}"
    settings = {"space": SPACE, "baseline": BASELINE, "sampler": sampler, "seed": 5, "trials": 12}
    return Explorer("t", storage, **{**settings, **more})


def score(proposal: Proposal) -> TrialResult:
    """Better the lower the temperature."""
    value = 1 - float(proposal.configuration.options["temperature"]) / 2
    return TrialResult(value, 6, [value, value], 0.05)


def search(made: Explorer, batches: int = 3) -> list[Proposal]:
    made.tell_baseline(TrialResult(0.6, 6, [0.6, 0.6], 0.05))
    proposals: list[Proposal] = []
    for _ in range(batches):
        batch = made.ask(4)
        proposals += batch
        for proposal in batch:
            made.tell(proposal, score(proposal))
        made.flush(replace=False)
    return proposals


@pytest.mark.parametrize("sampler", ["gp", "tpe", "random", "qmc"])
def test_the_same_seed_proposes_the_same(sampler: str) -> None:
    assert search(explorer(None, sampler)) == search(explorer(None, sampler))
    assert search(explorer(None, sampler)) != search(explorer(None, sampler, seed=6))


def test_every_second_set_of_the_start_design_changes_one_option_of_the_baseline_to_an_end() -> None:
    start, before = (search(explorer(None, start=start), batches=2) for start in ("ends", "near"))
    changed = [{k: v for k, v in each.params.items() if v != BASELINE.options.get(k)} for each in start]
    assert changed[1] == {"temperature": 0.1}
    assert changed[3]["mirostat"] == 2  # with its tau, which acts only now
    assert changed[5] == {"temperature": 1.2}
    assert [each.params for each in start[:7:2]] == [each.params for each in before[:7:2]]
    assert start[1:6:2] != before[1:6:2]


@pytest.mark.parametrize("sampler", ["gp", "tpe"])
def test_a_resumed_search_goes_on_as_the_whole_one(tmp_path: Path, sampler: str) -> None:
    whole = search(explorer(None, sampler))
    first = search(explorer(tmp_path, sampler), batches=1)
    records = [proposal.as_record() for proposal in first]
    again = [Proposal.from_record(number, record) for number, record in enumerate(records)]
    assert again == first
    assert search(explorer(tmp_path, sampler, proposals=again)) == whole
    assert [number for number, *_ in optuna_trials(tmp_path)] == list(range(12))


def test_the_default_sampler_is_not_asked_for_what_an_earlier_run_proposed(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = search(explorer(None))
    asked: list[int] = []
    propose = NoiseAwareSampler.sample_relative

    def counted(self: NoiseAwareSampler, study: Any, trial: Any, space: Any) -> dict[str, Any]:
        asked.append(trial.number)
        return propose(self, study, trial, space)

    monkeypatch.setattr(NoiseAwareSampler, "sample_relative", counted)
    resumed = explorer(None, proposals=whole[:6])  # an earlier run in batches of 3, say
    assert search(resumed) == whole
    assert asked == [*range(5, 13)]  # Optuna's numbers; the baseline has 0
    asked.clear()
    finished = explorer(None, proposals=whole)
    assert search(finished) == whole
    assert asked == []
    assert finished.picks(2) == explorer_after(whole).picks(2)


def test_the_default_sampler_is_not_asked_for_what_another_coordinator_proposed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first, other = explorer(None), explorer(None)
    for _ in range(3):
        batch = first.ask(4)
        other.learn(batch)
        with monkeypatch.context() as patch:
            patch.setattr("sweeps.samplers.gp.NoiseAwareSampler.sample_relative", None)
            assert other.ask(4) == batch
        for each in batch:
            first.tell(each, score(each))
            other.tell(each, score(each))
    assert first.ask(4) == other.ask(4)  # it could have gone on alone


def explorer_after(proposals: Sequence[Proposal]) -> Explorer:
    """A search that made these proposals itself."""
    made = explorer(None)
    assert search(made) == proposals
    return made


def test_stored_proposals_win_over_another_sampler(tmp_path: Path) -> None:
    stored = search(explorer(None, "random"), batches=1)
    made = explorer(tmp_path, "tpe", proposals=stored)
    proposals = search(made, batches=2)
    assert proposals[:4] == stored
    assert [params for _, _, _, params, _ in optuna_trials(tmp_path)] == [dict(p.params) for p in proposals]
    assert made.picks(1)


@pytest.mark.parametrize("sampler", ["gp", "random"])
def test_a_search_that_has_ended_keeps_its_proposals_its_belief_and_its_storage(sampler: str, tmp_path: Path) -> None:
    whole = explorer(tmp_path, sampler)
    proposals = search(whole)
    stored = optuna_trials(tmp_path)
    ended = explorer(tmp_path, sampler, proposals=proposals, ended=True)
    assert search(ended) == proposals
    ended.flush()
    assert optuna_trials(tmp_path) == stored
    assert [ended.home(each) for each in proposals] == [whole.home(each) for each in proposals]
    finalist = proposals[whole.picks(1)[0]]
    assert ended.prior_of(finalist) == whole.prior_of(finalist)
    assert ended.picks(1) == whole.picks(1)
    assert ended.scored


def test_the_pick_is_a_good_trial_and_never_the_baseline() -> None:
    made = explorer(None)
    proposals = search(made)
    (number,) = made.picks(1)
    temperatures = sorted(float(p.configuration.options["temperature"]) for p in proposals)
    assert proposals[number].configuration.options["temperature"] <= temperatures[2]


def test_what_the_search_believes_of_its_finalist() -> None:
    made = explorer(None)
    proposals = search(made)
    (number,) = made.picks(1)
    believed = made.prior_of(proposals[number])
    assert believed is not None
    gain = score(proposals[number]).value - 0.6  # told without noise, so the belief is near the truth, and shrunk
    assert 0.6 * gain < believed.mean < 1.1 * gain
    assert 0 < believed.sd < 0.05


def test_a_baseline_without_noise_is_not_believed_to_the_last_digit(tmp_path: Path) -> None:
    made = explorer(tmp_path)
    made.tell_baseline(TrialResult(0.6, 9, [0.6, 0.6], 0.0))
    (proposal, other) = made.ask(2)
    made.tell(proposal, TrialResult(0.5, 4, [0.5, 0.5], 0.0))
    made.tell(other, TrialResult(0.5, 4, [0.5, 0.5], 0.2))
    errors = [trial.user_attrs["noise_sd"] / math.sqrt(trial.user_attrs["n"]) for trial in made.study.trials]
    assert errors == pytest.approx([1e-3, 1e-3, 0.1])
    # what is kept is what was measured
    made.flush()
    assert [attributes["noise_sd"] for *_, attributes in optuna_trials(tmp_path)] == [0.0, 0.2]


def test_a_baseline_outside_the_space_is_believed_by_its_floor() -> None:
    made = explorer(None, baseline=replace(BASELINE, options={**BASELINE.options, "temperature": 2.0}))
    proposals = search(made)
    finalist = proposals[made.picks(1)[0]]
    believed = made.prior_of(finalist)
    (mean,), (sd,) = made.posterior().at([finalist.params])
    assert believed is not None
    assert believed.mean == pytest.approx(mean - 0.6)
    assert believed.sd == pytest.approx(math.hypot(sd, 0.05 / math.sqrt(6)))


def test_too_few_trials_believe_nothing() -> None:
    made = explorer(None)
    assert made.prior_of(search(made, batches=1)[0]) is None


def test_the_score_is_believed_in_without_its_penalty() -> None:
    plain, limited = explorer(None, "random"), explorer(None, "random")
    for made, penalty in ((plain, None), (limited, 0.3)):
        made.tell_baseline(TrialResult(0.6, 6, [0.6, 0.6], 0.05))
        for proposal in made.ask(12):
            told = score(proposal)
            if penalty is not None and proposal.number % 2:
                held = Penalty(told.value, told.noise_sd, {"words": 20.0}, penalty, 1.0)
                told = replace(told, value=told.value - penalty, penalty=held)
            made.tell(proposal, told)
        finalist = proposal
    assert limited.prior_of(finalist) == plain.prior_of(finalist)
    assert limited.posterior().means().tolist() != plain.posterior().means().tolist()


def test_nothing_to_pick() -> None:
    made = explorer(None)
    made.tell_baseline(TrialResult(0.6, 6, [0.6, 0.6], 0.05))
    assert made.picks(1) == []
    assert not made.scored  # the baseline is no trial
    for proposal in made.ask(3):
        made.tell(proposal, TrialResult(math.nan, 0, [math.nan, math.nan], 0.05))
    assert made.picks(1) == []
    assert not made.scored


def test_a_trial_without_a_score_is_failed_and_not_zero(tmp_path: Path) -> None:
    made = explorer(tmp_path)
    made.tell_baseline(TrialResult(0.6, 6, [0.6, 0.6], 0.05))
    one, other = made.ask(2)
    made.tell(one, TrialResult(math.nan, 0, [math.nan, math.nan], 0.05))
    made.tell(other, TrialResult(0.7, 3, [0.7, math.nan], 0.05))
    made.flush()
    trials = optuna_trials(tmp_path)
    assert [(number, state, value) for number, state, value, _, _ in trials] == [
        (0, "FAIL", None),
        (1, "COMPLETE", 0.7),
    ]
    assert trials[1][4]["case_scores"] == [0.7, None]


def test_trials_that_all_changed_are_written_anew_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A study scored anew: to write all of it again for every trial takes minutes from a hundred trials on."""
    stored = search(explorer(tmp_path))
    before = [value for _, _, value, _, _ in optuna_trials(tmp_path)]
    replaced: list[str] = []
    replace_study = explorer_module.replace_stored_study

    def counted(name: str, storage: str, trials: Sequence[optuna.trial.FrozenTrial]) -> StoredTrials:
        replaced.append(name)
        return replace_study(name, storage, trials)

    monkeypatch.setattr(explorer_module, "replace_stored_study", counted)

    def walk(batches: int, share: float) -> Explorer:
        made = explorer(tmp_path, proposals=stored)
        made.tell_baseline(TrialResult(0.6, 6, [0.6, 0.6], 0.05))
        for _ in range(batches):
            for proposal in made.ask(4):
                made.tell(proposal, replace(score(proposal), value=score(proposal).value * share))
            made.flush(replace=False)
        return made

    made = walk(3, share=0.5)
    assert replaced == []
    made.flush()
    made.flush()
    assert replaced == ["t"]
    assert [value for _, _, value, _, _ in optuna_trials(tmp_path)] == pytest.approx([each / 2 for each in before])
    walk(4, share=0.25)  # new trials come after those that changed, and write all that was told until then
    assert replaced == ["t", "t"]
    values = [value for _, _, value, _, _ in optuna_trials(tmp_path)]
    assert values[:12] == pytest.approx([each / 4 for each in before])
    assert len(values) == 16


def test_a_storage_that_cannot_be_used(tmp_path: Path) -> None:
    (tmp_path / "optuna.db").write_text("no database" * 200)
    with pytest.raises(SweepError, match=r"optuna.db is damaged .*not a database"):
        explorer(tmp_path)


def rows(**scores: list[float]) -> list[dict[str, Any]]:
    return [{"case": case, "score": value} for case, values in scores.items() for value in values]


def test_the_mean_of_case_means_by_hand() -> None:
    result = trial_result(rows(a=[0.2, 0.4], b=[0.9]), ["a", "b"])
    assert result.value == pytest.approx((0.3 + 0.9) / 2)  # and not the mean of three scores, 0.5
    assert result.case_scores == pytest.approx([0.3, 0.9])
    assert result.n == 3
    assert result.noise_sd == pytest.approx(math.sqrt(0.02))  # 2 x 0.1^2 over 1 degree of freedom


def test_missing_scores_are_left_out_and_half_of_the_cases_is_too_few() -> None:
    nan = math.nan
    assert trial_result(rows(a=[0.2, nan], b=[0.4], c=[nan]), ["a", "b", "c"]).value == pytest.approx(0.3)
    assert math.isnan(trial_result(rows(a=[0.2], b=[nan]), ["a", "b"]).value)
    assert math.isnan(trial_result(rows(a=[nan], b=[nan]), ["a", "b"]).value)
    assert trial_result(rows(a=[0.2], b=[0.2]), ["a", "b"], noise_sd=0.07).noise_sd == 0.07
