"""Faults of a host while a sweep runs, and stops by its user."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from sweeps.engines.scripted.engine import Fault, ScriptedEngine
from sweeps.errors import ConfigError
from sweeps.hosts.host import RunStoppedError
from sweeps.results.reader import load_result
from sweeps.results.result import SweepResult
from tests.sweeps.scripted_sweeps import Listener, engine, measured
from tests.sweeps.sweep_files import optuna_trials, run, steady, write_cases, write_sweep


def test_one_timeout_is_tried_again_and_leaves_no_trace_in_the_scores(tmp_path: Path, clean: SweepResult) -> None:
    path = write_sweep(tmp_path)
    late = engine(tmp_path, [Fault("timeout", frozenset({15, 31, 50}))])
    result = run(path, engine=late)
    assert late.counts.faults == {"timeout": 3}
    assert steady(result.observations) == steady(clean.observations)
    assert result.verdict == clean.verdict


def test_a_request_that_always_times_out_is_an_error_and_never_a_zero(tmp_path: Path) -> None:
    path = write_sweep(tmp_path)
    slow = Fault("timeout", when=lambda request: request.options["seed"] == 8 and "case 2" in request.prompt.user)
    listener = Listener()
    result = run(path, engine=engine(tmp_path, [slow]), progress=listener)
    errors = result.observations[result.observations["finish"] == "error"]
    assert list(zip(errors["case"], errors["seed"], strict=True)) == [("c2", 8)]
    assert math.isnan(errors["score"].iloc[0])
    assert errors["error"].iloc[0].startswith("EngineTimeout: ")
    assert len(result.observations) == result.plan.total
    assert result.floor is not None
    assert result.floor.n == result.plan.floor - 1
    assert any(warning and "case c2, seed 8" in text for text, warning in listener.notes)


@pytest.mark.parametrize(
    ("kind", "first"), [("unreachable", 12), ("timeout", 30), ("protocol", 60), ("unreachable", 74)]
)
def test_three_faults_in_a_row_stop_and_the_same_command_goes_on(
    tmp_path: Path, clean: SweepResult, home: Path, kind: str, first: int
) -> None:
    path = write_sweep(tmp_path)
    lost = engine(tmp_path, [Fault(kind, frozenset(range(first, 1000)))])
    listener = Listener()
    with pytest.raises(RunStoppedError, match="3 requests in a row failed") as caught:
        run(path, engine=lost, progress=listener)
    assert not [text for text, _ in listener.notes if "set aside" in text]  # there is no other host to do its work
    assert caught.value.exit_code == 3
    assert "run the same command again" in str(caught.value)
    before = load_result(tmp_path / "mlruns")
    assert before.status == "failed"
    back = engine(tmp_path)
    result = run(path, engine=back)
    assert steady(result.observations) == steady(clean.observations)
    assert result.verdict == clean.verdict
    assert optuna_trials(tmp_path / "mlruns") == optuna_trials(home / "mlruns")
    sent = measured(lost.requests) + measured(back.requests)
    assert len(sent) <= clean.plan.total + 3  # those that failed, and no more


def test_a_connection_lost_at_the_very_end_is_no_missing_score(tmp_path: Path, clean: SweepResult) -> None:
    path = write_sweep(tmp_path)
    undisturbed = engine(tmp_path)
    run(path, engine=undisturbed, directory=tmp_path / "undisturbed")
    last = len(undisturbed.requests) - 1
    dying = DeadAfter(engine(tmp_path, [Fault("unreachable", frozenset(range(last, 1000)))]), last)
    with pytest.raises(RunStoppedError):
        run(path, engine=dying)
    result = run(path, engine=engine(tmp_path))
    assert steady(result.observations) == steady(clean.observations)
    assert result.verdict == clean.verdict


class DeadAfter(ScriptedEngine):
    """Once requests fail, nothing else answers either."""

    def __init__(self, inner: ScriptedEngine, last: int) -> None:
        self.__dict__ = inner.__dict__
        self._last = last

    def identify(self, model: str) -> dict[str, Any]:
        from sweeps.engines.base import EngineUnreachable

        if self.counts.calls > self._last:
            raise EngineUnreachable("nothing answers")
        return super().identify(model)


@pytest.mark.parametrize("kind", ["option-refused", "prompt-too-long", "cut-prompt"])
def test_what_is_refused_is_an_error_with_nan_and_is_not_tried_again(tmp_path: Path, kind: str) -> None:
    path = write_sweep(tmp_path)
    refused = engine(tmp_path, [Fault(kind, when=lambda r: r.options["temperature"] < 0.6 and bool(measured([r])))])
    result = run(path, engine=refused)
    errors = result.observations[result.observations["finish"] == "error"]
    assert len(errors) > 0
    assert errors["score"].isna().all()
    assert (errors["temperature"] < 0.6).all()
    assert errors["truncated"].all() == (kind != "option-refused")
    assert refused.counts.faults == {kind: len(errors)}
    states = {number: state for number, state, *_ in optuna_trials(tmp_path / "mlruns")}
    assert {number for number, state in states.items() if state == "FAIL"} == set(errors["trial"])
    assert sorted(states) == list(range(result.plan.trials))


def test_a_baseline_that_is_always_refused_stops_with_a_reason(tmp_path: Path) -> None:
    path = write_sweep(tmp_path)
    with pytest.raises(RunStoppedError, match="the baseline has no scored generation"):
        run(path, engine=engine(tmp_path, [Fault("option-refused", when=lambda r: bool(measured([r])))]))


@pytest.mark.parametrize(
    ("kind", "word"), [("version-change", "engine.version: was 1.0, is 1.0.1"), ("digest-change", "model.digest")]
)
def test_a_host_that_changes_in_mid_sweep_stops_it(tmp_path: Path, kind: str, word: str) -> None:
    path = write_sweep(tmp_path)
    changing = engine(tmp_path, [Fault(kind, frozenset({33}))])
    with pytest.raises(RunStoppedError) as caught:
        run(path, engine=changing)
    assert word in str(caught.value)
    assert "Earlier generations are kept" in str(caught.value)
    kept = load_result(tmp_path / "mlruns")
    assert kept.status == "failed"
    assert len(kept.observations) >= kept.plan.floor
    with pytest.raises(ConfigError, match=r"(?s)exists with other settings.*sweeps audit FILE --against last"):
        run(path, engine=changing)  # the new version goes on as it is now
    assert run(path, engine=engine(tmp_path)).status == "done"  # back on the old one


def test_a_model_that_is_gone_stops_at_once(tmp_path: Path) -> None:
    path = write_sweep(tmp_path)
    gone = engine(tmp_path, [Fault("model-missing", frozenset({40}))], models=["scripted"])
    with pytest.raises(RunStoppedError, match="has no model 'scripted'"):
        run(path, engine=gone)


def test_ctrl_c_keeps_everything_and_says_stopped(tmp_path: Path) -> None:
    path = write_sweep(tmp_path)

    def interrupt(_: float) -> None:
        if stopping.counts.calls == 50:
            raise KeyboardInterrupt

    write_cases(tmp_path / "cases")
    stopping = engine(tmp_path, delay=1e-9, sleep=interrupt)
    with pytest.raises(KeyboardInterrupt):
        run(path, engine=stopping)
    kept = load_result(tmp_path / "mlruns")
    assert kept.status == "stopped"
    before = measured(stopping.requests[:-1])
    assert len(kept.observations) == len(before)
    used = engine(tmp_path)
    result = run(path, engine=used)
    assert result.status == "done"
    again, new = (
        {(r.options["seed"], r.prompt, r.options["temperature"]) for r in part}
        for part in (before, measured(used.requests))
    )
    assert not again & new
