"""What is said before a sweep of what its confirmation can see."""

from __future__ import annotations

import math
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from scipy import stats

from analysis import NoiseFloor, aa_check
from sweeps.budget.allocation import make_plan, smallest_budget
from sweeps.budget.detectable_gain import (
    KnownFloor,
    detectable_gain,
    final_level,
    is_all_greedy,
    smallest_gain,
    sufficient_budget,
)
from sweeps.budget.plan import Plan
from sweeps.check.checker import check_sweep
from sweeps.check.report import CheckRow, ReadinessReport
from sweeps.config.file import load_config
from sweeps.config.sweep_config import SweepConfig
from sweeps.engines.scripted.engine import ScriptedEngine
from sweeps.errors import ConfigError
from sweeps.progress import Silent
from sweeps.results.reader import load_result
from sweeps.results.study_status import status_of
from sweeps.scoring.inputs import load_inputs
from sweeps.study.announcements import announce_floor
from tests.sweeps.sweep_files import run, write_sweep

PLAN = Plan(cases=6, floor_seeds=4, seeds=1, trials=8, confirm_seeds=10)
GREEDY_FLOOR = KnownFloor(NoiseFloor(0.0, 0.0, 0.0, 18, 24, 6, 4.0, 0.5, True, "base"), "t")
FLOOR = KnownFloor(NoiseFloor(0.1, 0.08, 0.13, 18, 24, 6, 4.0, 0.5, False, "base"), "t")


def config(folder: Path, **changes: Any) -> SweepConfig:
    return load_config(write_sweep(folder, **changes))


def sight_row(report: ReadinessReport) -> CheckRow:
    (found,) = [row for row in report.rows if row.name == "precision"]
    return found


class Notes(Silent):
    """Keeps what is said."""

    def __init__(self) -> None:
        super().__init__()
        self.said: list[tuple[str, bool]] = []

    def note(self, text: str, *, warning: bool = False) -> None:
        self.said.append((text, warning))

    def about(self, word: str) -> tuple[str, bool]:
        (found,) = [each for each in self.said if word in each[0]]
        return found


class Stopped(Notes):
    """Keeps what is said, and ends the run after the floor, as Ctrl-C does."""

    def stage(self, name: str) -> None:
        if name == "explore":
            raise KeyboardInterrupt


def stopped(path: Path, **options: Any) -> Stopped:
    """Run a sweep until its floor is done."""
    notes = Stopped()
    with pytest.raises(KeyboardInterrupt):
        run(path, progress=notes, **options)
    return notes


# ---- the claim


def test_the_gain_is_that_of_the_claim() -> None:
    error, critical = math.sqrt(2 * 0.12**2 / 10 / 6), stats.t.isf(0.025, 5)
    new = smallest_gain(PLAN, 0.12, alpha=0.05, claim="new-cases")
    assert new == pytest.approx(0.077, abs=5e-4)
    assert stats.nct.sf(critical, 5, new / error) == pytest.approx(0.8, abs=2e-3)
    assert smallest_gain(PLAN, 0.12, alpha=0.05) == pytest.approx(0.062, abs=5e-4)
    assert smallest_gain(replace(PLAN, cases=5), 0.12, alpha=0.05, claim="new-cases") == math.inf


def test_finalists_share_the_level_of_a_claim_for_new_cases() -> None:
    two = replace(PLAN, finalists=2)
    error, critical = math.sqrt(2 * 0.12**2 / 10 / 6), stats.t.isf(0.0125, 5)
    gain = smallest_gain(two, 0.12, alpha=0.05, claim="new-cases")
    assert stats.nct.sf(critical, 5, gain / error) == pytest.approx(0.8, abs=2e-3)


def test_a_gain_between_the_claims_is_seen_for_one_only(tmp_path: Path) -> None:
    these = config(tmp_path, verdict={"min_gain": 0.07})
    new = config(tmp_path, verdict={"min_gain": 0.07, "claim": "new-cases"})
    assert detectable_gain(these, PLAN).todo == ""
    sight = detectable_gain(new, PLAN)
    assert "verdict.min_gain 0.07 would be missed" in sight.todo
    assert "or more" in sight.todo
    assert "if these cases respond alike" in sight.found
    assert "larger" in sight.found


@pytest.mark.parametrize("claim", ["these-cases", "new-cases"])
def test_the_budget_that_is_named_is_enough_and_no_more_than_it_takes(tmp_path: Path, claim: str) -> None:
    swept = config(tmp_path, verdict={"min_gain": 0.05, "claim": claim})
    needed = int(sufficient_budget(swept, PLAN, 0.12).split()[2])

    def gain(generations: int) -> float:
        made = make_plan(swept.budget.model_copy(update={"generations": generations}), cases=6)
        return smallest_gain(made, 0.12, alpha=0.05, claim=swept.verdict.claim)

    assert gain(needed) <= 0.05
    assert gain(needed - 2 * 6 * 4) > 0.05  # a seed less on each case of both arms, with its share of the search


def test_the_budget_that_is_named_counts_the_finalist_that_leaves_a_run_off_in_part(tmp_path: Path) -> None:
    swept = config(tmp_path, verdict={"min_gain": 0.05})

    def made(generations: int) -> Plan:
        budget = swept.budget.model_copy(update={"generations": generations})
        return make_plan(budget, cases=6, looks="auto", runoff=2)

    needed = int(sufficient_budget(swept, made(96), 0.12).split()[2])  # of the smallest plan it leaves late
    assert smallest_gain(made(needed), 0.12, alpha=0.05) <= 0.05 < smallest_gain(made(needed - 60), 0.12, alpha=0.05)


def test_too_few_cases_for_the_claim_are_refused_before_anything_is_spent(tmp_path: Path) -> None:
    path = write_sweep(tmp_path, verdict={"claim": "new-cases"})
    report = check_sweep(path, mlruns=tmp_path / "mlruns")
    assert (report.state, report.mde) == ("blocked", None)
    assert any("at least 6 cases, and there are 3" in row.found for row in report.rows)
    with pytest.raises(ConfigError, match=r"sweep\.toml: verdict\.claim: .* there are 3: name more"):
        run(path)
    assert not (tmp_path / "mlruns").exists()


# ---- a greedy floor


def test_the_prior_stands_in_after_a_floor_without_noise(tmp_path: Path) -> None:
    swept = config(tmp_path)
    before, greedy, measured = (detectable_gain(swept, PLAN, known) for known in (None, GREEDY_FLOOR, FLOOR))
    assert (before.noise_sd, greedy.noise_sd, measured.noise_sd) == (0.12, 0.12, 0.1)
    assert (before.assumed, greedy.assumed, measured.assumed) == (True, True, False)
    assert "assumed until the floor is measured" in before.found
    assert "assumed: in the floor of study 't' all texts of a case have the same score" in greedy.found
    assert "floor of study 't'" in measured.found
    assert greedy.gain == pytest.approx(0.062, abs=5e-4)


def test_check_and_run_say_so_of_a_greedy_baseline(tmp_path: Path) -> None:
    path = write_sweep(tmp_path, baseline={"temperature": 0.0}, verdict={"min_gain": 0.01})
    text, warning = stopped(path).about("assumed")
    assert "one text varies by ±0.120 (assumed: a greedy baseline shows none)" in text
    assert "min_gain 0.01 would be missed" in text
    assert warning
    report = check_sweep(path, mlruns=tmp_path / "mlruns")
    assert report.noise_sd == 0.12
    assert "assumed: a greedy baseline shows none" in sight_row(report).found
    assert sight_row(report).state == "warning"  # a prior blocks nothing
    assert run(path).floor.greedy


def test_check_after_a_floor_that_did_not_vary(tmp_path: Path) -> None:
    path = write_sweep(tmp_path, search={"sampler": "random", "probe": False})
    # Every item is covered by every text, at a temperature above 0.
    engine = ScriptedEngine(load_inputs(load_config(path))[0], noise=0.0, surface=lambda options: 1.0)
    stopped(path, engine=engine)
    report = check_sweep(path, mlruns=tmp_path / "mlruns", engine=engine)
    assert report.noise_sd == 0.12
    assert "in the floor of study 't' all texts of a case have the same score" in sight_row(report).found
    assert run(path, engine=engine).floor.sd == 0


# ---- nothing but greedy sets

ONLY_GREEDY: dict[str, Any] = {
    "baseline": {"temperature": 0.0},
    "space": {"repeat_penalty": {"low": 0.9, "high": 1.4}},
    "search": {"sampler": "random", "probe": False},
}


@pytest.mark.parametrize(
    ("space", "all_greedy"),
    [
        ({"top_k": [5, 60]}, True),
        ({"top_k": [5, 60], "temperature": [0]}, True),
        ({"temperature": [0, 0.7]}, False),
        ({"temperature": {"low": 0.0, "high": 1.0}}, False),
        ({"mirostat": [0, 2]}, False),
    ],
)
def test_what_can_only_be_greedy(tmp_path: Path, space: dict[str, Any], all_greedy: bool) -> None:
    assert is_all_greedy(config(tmp_path, baseline={"temperature": 0.0}, space=space)) == all_greedy
    assert not is_all_greedy(config(tmp_path, baseline={"temperature": 0.5}, space={"top_k": [5, 60]}))


def test_too_few_greedy_cases_are_blocked_by_check_and_warned_of_by_run(tmp_path: Path) -> None:
    path = write_sweep(tmp_path, **ONLY_GREEDY)
    report = check_sweep(path, mlruns=tmp_path / "mlruns")
    found = sight_row(report)
    assert (found.state, report.mde) == ("blocked", None)
    assert "no gain can be claimed: for new cases it takes 6, and there are 3" in found.found
    assert found.todo == "name 6 cases or more, or a temperature above 0 in [baseline] or [space]"
    text, warning = stopped(path).about("no gain can be claimed")
    assert warning
    assert text == f"{found.found}; {found.todo}"
    assert sight_row(check_sweep(path, mlruns=tmp_path / "mlruns")).todo.endswith(" under another study.name")
    result = run(path)
    assert math.isnan(result.verdict.p_value) or result.verdict.outcome == "equivalent"


def test_enough_greedy_cases_are_told_what_will_be_claimed(tmp_path: Path) -> None:
    path, notes = write_sweep(tmp_path, cases=6, budget={"generations": 120}, **ONLY_GREEDY), Notes()
    report = check_sweep(path, mlruns=tmp_path / "mlruns")
    found = sight_row(report)
    assert (found.state, found.todo, report.mde) == ("ready", "", None)
    assert "the claim is for new cases like these 6" in found.found
    assert "detects a real gain of" not in found.found
    result = run(path, progress=notes)
    assert notes.about("the claim is for new cases") == (found.found, False)
    assert not any("detects a real gain of" in text for text, _ in notes.said)
    record = status_of(result)
    assert record["done"] == record["planned"]
    assert record["done"]["explore"] < result.plan.explore or record["done"]["confirm"] < result.plan.confirm


# ---- a study that exists


def test_check_and_run_say_the_same_of_a_study_that_exists(tmp_path: Path) -> None:
    path, again = write_sweep(tmp_path, verdict={"min_gain": 0.01}), Notes()
    before = sight_row(check_sweep(path, mlruns=tmp_path / "mlruns"))
    first = stopped(path)
    at_first, at_the_floor = (each for each in first.said if "min_gain 0.01 would be missed" in each[0])
    assert at_first == (f"{before.found}; {before.todo}", True)
    assert "study.name" not in before.todo
    report = check_sweep(path, mlruns=tmp_path / "mlruns")
    found = sight_row(report)
    assert (report.state, found.state) == ("warning", "warning")
    assert "floor of study 't'" in found.found
    assert found.todo.startswith("verdict.min_gain 0.01 would be missed more often; it takes budget.generations = ")
    assert found.todo.endswith(" under another study.name")
    run(path, progress=again)
    assert again.about("min_gain 0.01 would be missed") == (f"{found.found}; {found.todo}", True) == at_the_floor
    done = check_sweep(path, mlruns=tmp_path / "mlruns")
    assert done.done
    assert not any(row.name == "precision" for row in done.rows)  # nothing is left to plan


# ---- when the floor is known


def test_what_can_be_seen_is_said_again_by_the_measured_floor(tmp_path: Path) -> None:
    path = write_sweep(tmp_path, engine={"options": {"noise": 0.5}}, verdict={"min_gain": 0.2})
    first, again = Notes(), Notes()
    result = run(path, progress=first)
    assert result.floor is not None
    before, after = (each for each in first.said if "detects a real gain of" in each[0])
    assert before == (detectable_gain(result.config, result.plan).text, False)
    gain = smallest_gain(result.plan, result.floor.sd, alpha=0.05)
    assert gain > 0.2 > smallest_gain(result.plan, 0.12, alpha=0.05)
    ends = f"95% interval {result.floor.ci_low:.3f} to {result.floor.ci_high:.3f}"
    assert f"one text varies by ±{result.floor.sd:.3f} ({ends}, floor of study 't'); the confirmation" in after[0]
    assert f"detects a real gain of {gain:.3f} or more in 8 of 10 sweeps; verdict.min_gain 0.2 would" in after[0]
    assert after[1]
    run(path, progress=again)
    assert [each for each in again.said if "detects a real gain of" in each[0]] == [after]


@pytest.mark.parametrize(
    ("changes", "known"),
    [
        ({"space": {"top_k": {"low": 10, "high": 90}}, "budget": {"generations": 80}}, True),
        ({"prompts": {"brief": "Summarise:\n{log}", "long": "Summarise at length:\n{log}"}}, True),
        ({"prompts": {"brief": "Summarise in a poem:\n{log}"}}, False),
        ({"engine": {"options": {"noise": 0.3}}}, False),
        ({"baseline": {"temperature": 1.1}}, False),
        ({"cases": 4, "budget": {"generations": 80}}, False),
    ],
)
def test_a_floor_is_known_of_the_same_pipeline(
    tmp_path: Path, plain_folder: Path, changes: dict[str, Any], known: bool
) -> None:
    shutil.copytree(plain_folder, tmp_path, dirs_exist_ok=True)
    options = {"cases": str(plain_folder / "cases"), **changes.get("engine", {}).get("options", {})}
    changes = {**changes, "engine": {"options": options}}
    row = sight_row(
        check_sweep(write_sweep(tmp_path, file="u.toml", study={"name": "u"}, **changes), mlruns=tmp_path / "mlruns")
    )
    assert ("floor of study 't'" in row.found) == known
    assert ("assumed until the floor is measured" in row.found) != known


def test_a_baseline_that_differs_from_itself_is_told_of_at_the_floor(plain_folder: Path) -> None:
    result, notes = load_result(plain_folder / "mlruns"), Notes()
    before = detectable_gain(result.config, result.plan, KnownFloor(result.floor, "t"), stored=True)  # type: ignore[arg-type]
    announce_floor(notes, result, before)
    assert notes.said == []
    assert result.aa is not None
    drifting = [
        {**row, "score": 0.3 * row["score"] + 0.04 * (row["seed"] - 7)}
        for row in result.rows
        if row["stage"] == "floor"
    ]
    table = pd.DataFrame(drifting).rename(columns={"seed": "order"}).assign(seed=lambda rows: rows["order"])
    result.__dict__["aa"] = aa_check(table, configuration=result.baseline.key, alpha=0.05)
    announce_floor(notes, result, before)
    text, warning = notes.about(" drift: ")
    assert text.startswith("The scores of the baseline drift: +")
    assert warning


# ---- what docs/reference/configuration.md says of the file


def test_the_level_lies_below_one_half(tmp_path: Path) -> None:
    assert config(tmp_path, verdict={"alpha": 0.49}).verdict.alpha == 0.49
    assert final_level(PLAN, 0.49) == 0.49
    with pytest.raises(ConfigError, match=r"verdict\.alpha: should be less than 0\.5, not 0\.5"):
        config(tmp_path, verdict={"alpha": 0.5})


@pytest.mark.parametrize(
    ("cases", "parts"),
    [(6, (24, 24, 36)), (12, (48, 24, 72)), (18, (72, 24, 108))],
)
def test_the_smallest_budget_is_the_sum_that_the_page_gives(
    tmp_path: Path, cases: int, parts: tuple[int, int, int]
) -> None:
    budget = config(tmp_path).budget
    least = smallest_budget(budget, cases)
    assert least == sum(parts)
    plan = make_plan(budget.model_copy(update={"generations": least}), cases=cases)
    assert (plan.floor, plan.explore, plan.confirm) == parts
    page = (Path(__file__).parents[3] / "docs/reference/configuration.md").read_text()
    assert f"{parts[0]} + {parts[1]} + {parts[2]} = {least}" in page
