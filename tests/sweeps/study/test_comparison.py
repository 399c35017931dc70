"""Tests of comparisons: named sets against the baseline, without a search."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from sweeps.config.file import load_config
from sweeps.errors import ConfigError, SweepError
from sweeps.ledger.ledger import Ledger
from sweeps.progress import Silent
from sweeps.results.reader import load_result
from sweeps.results.result import SweepResult
from sweeps.study.identity import StudyChangedError
from sweeps.study.sweep import Sweep
from tests.sweeps.sweep_files import optuna_trials, run, steady, write_sweep

CANDIDATES = {"cool": {"temperature": 0.4}, "narrow": {"top_p": 0.5}, "hot": {"temperature": 1.15}}
BUDGET = {"generations": 120}


def compare(path: Path, **options: Any) -> SweepResult:
    settings = {"mlruns": path.parent / "mlruns", "tracking": False, "report": False, "progress": None, **options}
    return Sweep(load_config(path), **settings).compare()


def write(folder: Path, candidates: Mapping[str, Any] = CANDIDATES, **changes: Any) -> Path:
    return write_sweep(folder, **{"space": None, "candidates": candidates, "budget": BUDGET, **changes})


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, SweepResult]:
    path = write(tmp_path_factory.mktemp("comparison"))
    return path, compare(path)


def test_a_comparison_may_be_looked_at_after_every_seed(tmp_path: Path) -> None:
    cool = {"cool": CANDIDATES["cool"], "hot": CANDIDATES["hot"]}
    path = write(tmp_path, cool, confirm={"looks": "anytime"}, budget={"generations": 150})
    result = compare(path)
    plan = result.plan
    assert list(plan.look_seeds) == list(range(3, plan.confirm_seeds))
    outcomes = {result.called[each.configuration]: each for each in result.verdicts}
    assert outcomes["cool"].outcome == "better"
    assert outcomes["cool"].looks == len(plan.looks)
    assert any("valid at any look" in note for note in outcomes["cool"].notes)
    assert len(result.stage("confirm")) < plan.confirm
    assert len(result.looks_told) <= len(cool)


class TestVerdicts:
    """One comparison on the demo surface, which is best at temperature 0.35."""

    def test_each_candidate_has_a_verdict_by_name(self, made: tuple[Path, SweepResult]) -> None:
        _, result = made
        outcomes = {result.called[verdict.configuration]: verdict.outcome for verdict in result.verdicts}
        assert set(outcomes) == set(CANDIDATES)
        assert outcomes["cool"] == "better"
        assert outcomes["hot"] == "not distinguishable"
        assert result.called[result.verdicts[0].configuration] == "cool", "the best one is first"
        assert result.verdict is not None
        assert result.verdict.comparisons == 3
        assert result.verdict.sentence.startswith("cool is better than the baseline on these 3 cases")

    def test_arms_have_equal_numbers_of_fresh_seeds_and_decided_ones_stop(self, made: tuple[Path, SweepResult]) -> None:
        _, result = made
        rows = result.stage("confirm")
        counts = Counter(rows["configuration"])
        settled = {number: look.seeds for look in result.looks for number in look.settled}
        for arm in result.finalists:
            assert counts[arm.configuration.key] == 3 * settled[arm.number]
        assert counts[result.baseline.key] == 3 * max(settled.values())
        assert set(settled.values()) <= {5, 9}
        assert settled[0] == 5, "cool is decided at the first look"
        first = set(result.stage("floor")["seed"])
        assert not first & set(rows["seed"]), "the seeds are fresh"
        assert set(result.observations["stage"]) == {"floor", "confirm"}

    def test_it_is_read_again_and_resumed_without_a_generation(self, made: tuple[Path, SweepResult]) -> None:
        path, result = made
        read = load_result(path.parent / "mlruns", "t")
        assert read.is_comparison
        assert read.candidates == result.candidates
        assert steady(read.observations) == steady(result.observations)
        before = _generations(path)
        again = compare(path)
        assert _generations(path) == before
        assert [verdict.as_dict() for verdict in again.verdicts] == [verdict.as_dict() for verdict in result.verdicts]

    def test_a_search_cannot_take_its_name(self, made: tuple[Path, SweepResult]) -> None:
        path, _ = made
        text = path.read_text()
        search = path.with_name("search.toml")
        search.write_text(text + "\nspace = {temperature = [1.2, 0.4, 1.15], top_p = [0.5, 0.9]}")
        with pytest.raises(
            StudyChangedError, match=r"is a comparison \(made by: sweeps compare\), and cannot become a"
        ):
            run(search)
        with pytest.raises(ConfigError, match=r"space: is missing.*sweeps compare .*sweep.toml"):
            run(path)


def _generations(path: Path) -> int:
    ledger = Ledger(path.parent / "mlruns" / "ledger.db")
    try:
        return ledger.generations.newest()
    finally:
        ledger.close()


def test_a_stopped_comparison_goes_on_to_the_same_numbers(tmp_path: Path, made: tuple[Path, SweepResult]) -> None:
    path = write(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        compare(path, progress=_StopAt("confirm", 48))
    assert load_result(tmp_path / "mlruns", "t").status == "stopped"
    result = compare(path)
    assert [v.outcome for v in result.verdicts] == [v.outcome for v in made[1].verdicts]
    assert list(result.stage("confirm")["score"]) == list(made[1].stage("confirm")["score"])


@pytest.mark.parametrize(
    ("candidates", "changes", "message"),
    [
        (
            {"tau": {"mirostat": 2}},
            {"engine": {"options": {"inert": ["mirostat", "mirostat_tau", "mirostat_eta"]}}},
            "candidates.tau: differs from the baseline only in options that do nothing here (mirostat is inert",
        ),
        (
            {"k": {"top_k": 5}, "warm": {"temperature": 0.8}},
            {"baseline": {"temperature": 0.0}},
            "candidates.k: differs from the baseline only in options that do nothing here (top_k is hidden",
        ),
        ({"other": {"model": "missing"}}, {}, "missing"),
        ({"x": {"top_k": 5}}, {"budget": {"generations": 20}}, "20 is too small to compare 1 candidate with the"),
    ],
)
def test_what_cannot_be_compared_is_refused(
    tmp_path: Path, candidates: Mapping[str, Any], changes: Mapping[str, Any], message: str
) -> None:
    with pytest.raises(SweepError) as caught:
        compare(write(tmp_path, candidates, **changes))
    assert message in str(caught.value)


def test_candidates_are_the_first_trials_of_a_search(tmp_path: Path) -> None:
    space = {"temperature": {"low": 0.1, "high": 1.2}, "top_p": {"low": 0.5, "high": 1.0}}
    candidates = {"cool": {"temperature": 0.4}, "narrow": {"top_p": 0.5}}
    path = write(tmp_path, candidates, space=space, budget={"generations": 84}, search={"sampler": "gp"})
    result = run(path)
    first = result.proposals[:2]
    assert [(each.title, each.configuration.differences(result.baseline)) for each in first] == [
        ("cool", {"temperature": (0.4, 1.2)}),
        ("narrow", {"top_p": (0.5, 0.9)}),
    ]
    assert result.proposals[2].title == "trial 2"
    assert [trial[3]["temperature"] for trial in optuna_trials(tmp_path / "mlruns")[:2]] == [0.4, 1.2]
    assert run(path).proposals == result.proposals


def test_a_search_refuses_candidates_outside_its_space(tmp_path: Path) -> None:
    space = {"temperature": {"low": 0.1, "high": 1.2}}
    path = write(tmp_path, {"wide": {"temperature": 0.4, "top_k": 200}}, space=space)
    with pytest.raises(
        ConfigError, match=r"candidates.wide: \[space\] does not allow top_k 200, so a search cannot try"
    ):
        run(path)


def test_a_grid_is_complete_beside_its_candidates(tmp_path: Path) -> None:
    space = {"temperature": [0.2, 0.4, 1.2], "top_p": [0.5, 0.9]}
    path = write(tmp_path, {"cool": {"temperature": 0.4}}, space=space, search={"sampler": "grid"})
    tried = {each.configuration.key for each in run(path).proposals}
    assert len(tried) == 6


class TestRaisedBudget:
    """`budget.generations` larger than before goes on with the same study until its confirmation has begun."""

    def test_a_search_makes_more_trials_before_its_confirmation(self, tmp_path: Path) -> None:
        before = {"budget": {"generations": 60}}
        path = write_sweep(tmp_path, **before)
        with pytest.raises(KeyboardInterrupt):
            run(path, progress=_StopAt("explore", 20))
        made = load_result(tmp_path / "mlruns", "t")
        notes = _Notes()
        result = run(write_sweep(tmp_path, budget={"generations": 90}), progress=notes)
        assert result.plan.trials > made.plan.trials
        assert result.plan.confirm_seeds >= made.plan.confirm_seeds
        assert result.proposals[: len(made.proposals)] == made.proposals
        assert len(result.proposals) >= result.plan.trials
        assert result.config.budget.generations == 90
        assert result.stored.identity["budget.generations"] == 90
        assert f"was raised: {made.plan.total} generations were planned, now {result.plan.total}" in notes.text
        assert result.verdict is not None

        with pytest.raises(StudyChangedError) as caught:
            run(write_sweep(tmp_path, budget={"generations": 120}))
        text = str(caught.value)
        assert "cannot get a larger budget any more: it has its verdict" in text
        assert "budget.generations: stored 90, now 120" in text
        assert "name = 't-2'" in text
        explored = (result.observations["stage"] == "explore").sum()
        assert f"It reuses the floor's 12 texts, and of the {explored} texts of the search those of trials" in text

    def test_it_stays_with_its_looks_once_they_have_begun(self, tmp_path: Path) -> None:
        path = write(tmp_path)
        with pytest.raises(KeyboardInterrupt):
            compare(path, progress=_StopAt("confirm", 5))
        with pytest.raises(StudyChangedError, match="its confirmation has begun, whose looks were planned"):
            compare(write(tmp_path, budget={"generations": 200}))
        with pytest.raises(StudyChangedError) as caught:
            compare(write(tmp_path, budget={"generations": 70}))
        assert "cannot get a smaller budget; it has 17 generations so far" in str(caught.value)
        assert "budget.generations: 70, below the 120 that it was planned with" in str(caught.value)

    def test_a_comparison_takes_it_before_the_first_fresh_seed(self, tmp_path: Path) -> None:
        with pytest.raises(KeyboardInterrupt):
            compare(write(tmp_path), progress=_StopAt("floor", 6))
        result = compare(write(tmp_path, budget={"generations": 160}))
        assert result.plan.confirm_seeds == (160 - 12) // 12
        assert len(result.verdicts) == 3


class _Notes(Silent):
    """Keeps all notes."""

    text = ""

    def note(self, text: str, *, warning: bool = False) -> None:
        self.text += text + "\n"


class _StopAt(Silent):
    """Stops a study, as Ctrl-C does, at a generation of a stage."""

    def __init__(self, stage: str, count: int) -> None:
        self.at, self.left = stage, count

    def advance(self, stage: str, *, seconds: float | None) -> None:
        self.left -= stage == self.at
        if not self.left:
            raise KeyboardInterrupt
