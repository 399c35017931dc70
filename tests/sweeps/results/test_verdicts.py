"""Verdicts and recommendation where finalists leave at different looks, and after a rescore."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from analysis import Verdict
from sweeps.cli.judge import verdict_record
from sweeps.config.tables import ConstraintsTable
from sweeps.ledger.study_record import Look, PastScoring, Scoring
from sweeps.results.reader import load_result
from sweeps.results.report_files import report_data
from sweeps.results.result import SweepResult
from sweeps.study.rescore import rescore_study
from tests.sweeps.sweep_files import run, write_sweep

SPREAD = (-0.06, 0.0, 0.06)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> SweepResult:
    """A study with two finalists and two looks, for its plan and its finalists; its scores are made up below."""
    folder = tmp_path_factory.mktemp("two")
    result = run(write_sweep(folder, budget={"generations": 200}, confirm={"finalists": 2, "futility": 0.0}))
    assert len(result.plan.looks) == 2
    return result


def made_up(result: SweepResult, *, baseline: tuple[float, float], first: float, second: float) -> SweepResult:
    """The study with other scores: the baseline's means before and after the look, those of the finalists.

    The first finalist was given up at the look, the second one stayed to the end.
    """
    half, whole = result.plan.looks
    one, other = result.finalists
    template = result.rows[0]
    rows = [row for row in result.rows if row["stage"] != "confirm"]
    arms: list[tuple[int, Any, tuple[float, float], int]] = [
        (-1, result.baseline, baseline, whole),
        (one.number, one.configuration, (first, first), half),
        (other.number, other.configuration, (second, second), whole),
    ]
    for trial, configuration, means, seeds in arms:
        for case in ("c1", "c2", "c3"):
            for seed in range(seeds):
                score = means[seed >= half] + SPREAD[seed % 3]
                place = {"trial": trial, "case": case, "seed": seed, "stage": "confirm", "score": score, "error": ""}
                rows.append({**template, **place, "configuration": configuration.key, "finish": "stop"})
    told = f"Trial {one.number}: Look 1 of 2: stop."
    looks = [
        Look(1, half, settled=(one.number,), given_up=(one.number,), sentences=(told,), trials=None),
        Look(2, whole, settled=(other.number,)),
    ]
    return anew(replace(result, rows=rows, answers=()), looks=tuple(looks))


def anew(result: SweepResult, **changes: Any) -> SweepResult:
    """The result with a changed record, and nothing kept from before."""
    return replace(result, stored=replace(result.stored, record=replace(result.stored.record, **changes)))


def test_the_rule_goes_by_all_fresh_generations_of_the_baseline(finished: SweepResult) -> None:
    """Given up with .378 against .366, while the baseline has .39 in all; the other one has less than either."""
    result = made_up(finished, baseline=(0.366, 0.414), first=0.378, second=0.35)
    one, other = (finalist.configuration.key for finalist in result.finalists)
    share = result.plan.looks[0] / result.plan.looks[1]
    in_all = 0.366 * share + 0.414 * (1 - share)
    assert result.fresh_effects[one] == pytest.approx(0.378 - in_all, abs=0.03)
    assert result.fresh_effects[one] < 0
    verdicts = {verdict.configuration: verdict for verdict in result.verdicts}
    assert verdicts[one].effect == pytest.approx(0.012)
    assert verdicts[one].given_up
    assert result.recommended == result.baseline
    assert verdict_record(result)["recommended"] == "baseline"
    (note,) = [note for note in verdicts[one].notes if "the recommendation uses this difference" in note]
    assert f"and the difference from that is {result.fresh_effects[one]:+.3f}" in note
    assert not any("what is recommended" in note for note in verdicts[other].notes)
    data = report_data(result)
    assert (data.use_now.settings, data.use_now.gamble) == ("current", "")
    assert data.fresh_effects == result.fresh_effects
    assert not result.exportable


def test_a_recommendation_weighs_the_belief_of_the_search_with_fresh_generations(finished: SweepResult) -> None:
    """The belief counts by its bar, and not after the study was scored again."""
    result = made_up(finished, baseline=(0.36, 0.36), first=0.30, second=0.37)
    other = result.finalists[1]
    believed = {
        hope: anew(result, priors={other.number: {"mean": mean, "sd": 0.01}})
        for hope, mean in (("none", 0.0), ("good", 0.05), ("bad", -0.05))
    }
    probability = {hope: each.probability_better for hope, each in believed.items()}
    assert probability["bad"] < 0.1 < probability["none"] < 0.7 < probability["good"]
    assert believed["good"].recommended.key == other.configuration.key
    assert believed["bad"].recommended == result.baseline
    assert believed["bad"].recommend(0).key == other.configuration.key
    assert verdict_record(believed["bad"])["recommended"] == "baseline"
    assert verdict_record(believed["bad"], recommend=0)["recommended"] == "finalist"
    assert (believed["bad"].use_now.gamble, report_data(believed["bad"]).use_now.gamble) == ("", "")
    assert "If you want to gamble" in report_data(believed["good"]).use_now.gamble
    past = PastScoring(Scoring({}, "before"), "2026-01-01")
    without = anew(result, priors={}).probability_better
    assert anew(believed["bad"], scorings=(past,)).probability_better == without


def test_one_that_is_still_above_is_recommended_before_one_that_was_given_up(finished: SweepResult) -> None:
    result = made_up(finished, baseline=(0.36, 0.36), first=0.40, second=0.37)
    one, other = (finalist.configuration.key for finalist in result.finalists)
    assert [verdict.configuration for verdict in result.verdicts] == [other, one]
    assert {verdict.outcome for verdict in result.verdicts} == {"not distinguishable"}
    assert result.verdicts[0].effect < result.verdicts[1].effect
    assert result.recommended.key == other
    assert verdict_record(result)["recommended"] == "finalist"
    assert [each["configuration_key"] for each in verdict_record(result)["others"]] == [one]
    # One that is below does not come before it, whatever became of the other.
    below = made_up(finished, baseline=(0.36, 0.36), first=0.40, second=0.35)
    assert [verdict.configuration for verdict in below.verdicts] == [one, other]
    assert below.recommended.key == one


def test_what_is_shown_better_comes_first_and_a_limit_stands_above_it(finished: SweepResult) -> None:
    result = made_up(finished, baseline=(0.2, 0.2), first=0.21, second=0.6)
    other = result.finalists[1].configuration.key
    assert (result.verdicts[0].configuration, result.verdicts[0].outcome) == (other, "better")
    assert result.exportable
    assert result.recommended.key == other
    limited = replace(result, config=replace(result.config, constraints=ConstraintsTable(words=1)))
    assert limited.recommended == limited.baseline
    assert not limited.exportable


# ---- looks under an earlier scoring


def without(verdicts: Sequence[Verdict], caution: str) -> list[Verdict]:
    """The verdicts as they would be without a caution."""
    kept = [[tuple(x for x in told if x != caution) for told in (own.notes, own.cautions)] for own in verdicts]
    return [replace(own, notes=left[0], cautions=left[1]) for own, left in zip(verdicts, kept, strict=True)]


@pytest.mark.slow
def test_looks_at_old_scores_are_marked(tmp_path: Path) -> None:
    result = run(write_sweep(tmp_path, budget={"generations": 160}, engine={"options": {"surface": "flat"}}))
    directory = tmp_path / "mlruns"
    (look,) = result.looks[:1]
    assert look.given_up, "the seed of this study is one whose look gives up"
    assert "as the texts were scored then" not in result.verdicts[0].sentence
    mark = "(By the scores at that time, which differ from these.)"
    assert not any(mark in line for line in result.looks_told)
    dry = rescore_study(directory, "t", settings={"weights": [1, 2, 3, 4, 5]}, keep=False)
    assert mark in dry.new.looks_told[0]
    assert load_result(directory).looks == result.looks
    new = rescore_study(directory, "t", settings={"weights": [1, 2, 3, 4, 5]}).new
    assert new.looks_told == [f"{line} {mark}" for line in result.looks_told]
    verdict = new.verdicts[0]
    assert "since going on would hardly have shown a gain as the texts were scored then" in verdict.sentence
    assert any("gave the comparison up by the previous scores" in note for note in verdict.notes)
    assert mark in report_data(new).last_look
    assert mark in (new.folder / "note.md").read_text().replace("\\", "")
    # Scored as before, the looks are of the scores that there are.
    rescore_study(directory, "t", settings={"weights": [5, 5, 3, 2, 1]})
    back = rescore_study(directory, "t", settings={"weights": [5, 4, 3, 2, 1]}).new
    assert back.looks_told == result.looks_told
    (caution,) = back.verdicts[0].cautions
    assert caution.startswith("The study has had 3 scorings")
    assert without(back.verdicts, caution) == result.verdicts
