"""The confirmation as a stage: its seeds, and the record that it keeps."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from objectives import load_cases
from sweeps.budget.allocation import plan_for
from sweeps.budget.plan import Plan
from sweeps.config.file import load_config
from sweeps.engines.scripted.engine import Fault, ScriptedEngine, demo_surface
from sweeps.engines.scripted.settings import SURFACES
from sweeps.hosts.host import RunStoppedError
from sweeps.ledger.ledger import Ledger
from sweeps.ledger.study_record import StudyRecord
from sweeps.options import Configuration
from sweeps.progress import Silent
from sweeps.results.reader import load_result
from sweeps.search.trial import Proposal
from sweeps.study import confirmation as confirming
from sweeps.study.confirmation import CONFIRM_SEEDS, CONFIRM_STEP, Confirmation, _seeds_of
from sweeps.study.stages import Stages
from sweeps.workspace.workspace import Workspace
from tests.sweeps.sweep_files import run, write_sweep

GREEDY, WARM = (Configuration("m", "p", {"temperature": t}) for t in (0.0, 0.5))


def test_a_greedy_arm_gets_one_seed_per_host_and_no_more_at_later_looks() -> None:
    assert _seeds_of(GREEDY, range(10, 16), 0, hosts=2) == range(10, 12)
    assert len(_seeds_of(GREEDY, range(16, 22), 6, hosts=2)) == 0
    assert _seeds_of(WARM, range(16, 22), 6, hosts=2) == range(16, 22)


@pytest.mark.parametrize("used", [0, 1, 5])
def test_a_single_seed_that_was_used_moves_all_of_them(tmp_path: Path, used: int) -> None:
    config = load_config(write_sweep(tmp_path))
    first = config.study.seed + CONFIRM_SEEDS
    asked: list[Sequence[Configuration]] = []

    def has_any(arms: Sequence[Configuration], seeds: Sequence[int]) -> bool:
        asked.append(arms)
        return first + used in seeds

    plan = Plan(cases=3, floor_seeds=4, seeds=2, trials=5, confirm_seeds=6)
    with closing(Ledger(tmp_path / "ledger.db")) as ledger:
        ledger.studies.add("t", identity={}, config="", record=StudyRecord())
        measurer: Any = SimpleNamespace(has_any=has_any)
        logbook: Any = None
        stage = Confirmation(Stages(config, Workspace.at(tmp_path), ledger, measurer, logbook, Silent(), plan))
        arms = [Proposal(0, GREEDY, {}), Proposal(1, WARM, {})]
        assert stage._first_seed(arms) == first + CONFIRM_STEP
        assert asked[0] == [config.baseline, WARM]  # of a greedy one there is but one text
        assert stage._first_seed(arms) == first + CONFIRM_STEP  # kept
        assert len(asked) == 2


class Stopped(ScriptedEngine):
    """Stops at the first request with one of some seeds."""

    stop_at = range(0)

    def generate(self, *args: Any, **options: Any) -> Any:
        if args[1]["seed"] in self.stop_at:
            raise KeyboardInterrupt
        return super().generate(*args, **options)


def test_what_a_look_decided_stays_when_a_request_is_made_good(tmp_path: Path) -> None:
    looks = {"looks": 2, "futility": 0.0}
    path = write_sweep(tmp_path, search={"sampler": "random"}, budget={"generations": 120}, confirm=looks)
    config, cases = load_config(path), load_cases(tmp_path / "cases")
    (seeds,) = plan_for(config, cases=3, hosts=1).look_seeds
    first = config.study.seed + CONFIRM_SEEDS
    lost = Fault("prompt-too-long", when=lambda request: request.options["seed"] == first)
    engine = Stopped(cases, surface=SURFACES["flat"], noise=0.1, faults=[lost])
    engine.stop_at = range(first + seeds, first + CONFIRM_STEP)  # the second look's
    with pytest.raises(KeyboardInterrupt):
        run(path, engine=engine)
    (told,) = load_result(tmp_path / "mlruns", "t").stored.record.looks
    result = run(path, engine=Stopped(cases, surface=SURFACES["flat"], noise=0.1))
    confirmed = result.stage("confirm")
    assert confirmed["score"].notna().all()
    assert first in set(confirmed["seed"])  # which makes another difference of the first look
    assert result.stored.record.looks[0] == told


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each time that the time is asked for, it is another."""
    times: Iterator[int] = iter(range(100))
    monkeypatch.setattr(confirming, "now", lambda: f"time {next(times)}")


@pytest.mark.usefixtures("clock")
def test_when_it_was_confirmed_stays_as_it_was(tmp_path: Path) -> None:
    path = write_sweep(tmp_path)
    refused = Fault("option-refused", when=lambda request: request.options["seed"] >= CONFIRM_SEEDS)
    cases = load_cases(tmp_path / "cases")
    first = run(path, engine=ScriptedEngine(cases, surface=demo_surface, noise=0.1, faults=[refused]))
    assert first.verdict is None
    run(path, engine=ScriptedEngine(cases, surface=demo_surface, noise=0.1))
    again = load_result(tmp_path / "mlruns", "t")
    assert again.verdict is not None
    assert again.stored.record.confirmed == first.stored.record.confirmed == "time 0"


class Told(Silent):
    """Keeps the notes."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, text: str, warning: bool = False) -> None:
        self.notes.append(text)


def test_texts_are_not_fresh_because_the_engine_has_another_version(tmp_path: Path) -> None:
    """The same file under another name: a new version of the engine would write the same texts again."""
    cases = load_cases(write_sweep(tmp_path).parent / "cases")
    texts: dict[str, set[str]] = {}
    for name, version in (("a", "1.0"), ("b", "1.1"), ("c", "1.1")):
        engine, told = ScriptedEngine(cases, surface=demo_surface, noise=0.1), Told()
        engine.version = version
        path = write_sweep(tmp_path, study={"name": name})
        result = run(path, engine=engine, progress=told)
        first = 7 + CONFIRM_SEEDS + "abc".index(name) * CONFIRM_STEP
        assert result.stored.record.confirm_seed == min(result.stage("confirm")["seed"]) == first
        assert any("generations of another study" in note for note in told.notes) is (name != "a")
        texts[name] = set(result.stage("confirm")["text_sha256"])
        run(path, engine=engine)  # its own seeds are its own
        assert load_result(tmp_path / "mlruns", name).stored.record.confirm_seed == first
    assert not texts["a"] & texts["b"] | texts["b"] & texts["c"] | texts["a"] & texts["c"]


def test_a_study_goes_on_with_its_seeds_where_it_stopped(tmp_path: Path) -> None:
    path, cases = write_sweep(tmp_path), load_cases(tmp_path / "cases")
    later = Fault("protocol", when=lambda request: request.options["seed"] > 7 + CONFIRM_SEEDS)
    with pytest.raises(RunStoppedError):
        run(path, engine=ScriptedEngine(cases, surface=demo_surface, noise=0.1, faults=[later]))
    with closing(Ledger(tmp_path / "mlruns" / "ledger.db")) as ledger:
        assert ledger.generations.asked_with(range(7 + CONFIRM_SEEDS, 8 + CONFIRM_SEEDS))
    result = run(path, engine=ScriptedEngine(cases, surface=demo_surface, noise=0.1))
    assert min(result.stage("confirm")["seed"]) == 7 + CONFIRM_SEEDS
