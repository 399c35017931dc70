"""What can go wrong on the wire while a sweep runs, against the double of an Ollama server.

Whatever happens, the table is in the end the one of an undisturbed run: nothing lost, nothing twice, no false score.
Restarts, other versions and a network that is cut are in `test_server.py`.
"""

from __future__ import annotations

import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from sweeps.engines.base import EngineUnreachable
from sweeps.errors import ConfigError
from sweeps.hosts.host import HostChangedError, RunStoppedError
from sweeps.progress import Silent
from sweeps.results.result import SweepResult
from tests.chaos.wire import MIDDLES, MODEL, VERSION, Server, assert_part, assert_same, write
from tests.doubles import ollama_records
from tests.doubles.ollama import Fault
from tests.doubles.ollama_model import Refusal
from tests.marks import long
from tests.sweeps.sweep_files import run, steady, write_cases

pytestmark = pytest.mark.slow

# ---- the connection


def test_nobody_answers_at_the_start(tmp_path: Path, cases: Path, server: Server, whole: SweepResult) -> None:
    path = write(tmp_path, cases, server.url)
    server.stop()
    with pytest.raises(EngineUnreachable) as caught:
        run(path)
    assert caught.value.exit_code == 3
    assert server.url in str(caught.value)
    assert "ollama serve" in str(caught.value)
    server.start()
    assert_same(tmp_path, run(path), whole)


@pytest.mark.parametrize("where", ["explore", long("confirm")])
def test_nobody_answers_any_more(tmp_path: Path, cases: Path, server: Server, whole: SweepResult, where: str) -> None:
    path = write(tmp_path, cases, server.url)
    server.at(MIDDLES[where], server.stop)
    with pytest.raises(RunStoppedError) as caught:
        run(path)
    assert caught.value.exit_code == 3
    for words in (server.url, "ollama serve", "kept", "run the same command again"):
        assert words in str(caught.value)
    assert len(assert_part(tmp_path, whole).observations) == MIDDLES[where]
    server.meanwhile = None
    server.start()
    assert_same(tmp_path, run(path), whole)
    assert len(server.sent) == whole.plan.total + 1  # the one that was under way
    assert len(set(server.sent)) == whole.plan.total


def test_a_model_that_is_unloaded_meanwhile(tmp_path: Path, cases: Path, server: Server, whole: SweepResult) -> None:
    path = write(tmp_path, cases, server.url)
    server.at(MIDDLES["explore"], server.unload)
    assert_same(tmp_path, run(path), whole)
    assert server.loads == 2
    assert len(server.sent) == whole.plan.total + 1  # the answer of the cold model is not used


@pytest.mark.parametrize(
    "kinds",
    [["refuse", "drop", "end", "busy"], ["truncate", "html", "proxy", "text", "shape"], ["crash", "error"]],
    ids=["broken connections", "answers that are none", "failures"],
)
def test_single_faults_leave_no_trace(
    tmp_path: Path, cases: Path, server: Server, whole: SweepResult, kinds: list[str]
) -> None:
    path = write(tmp_path, cases, server.url)
    server.faults = [Fault(kind, after=6) for kind in kinds]
    assert_same(tmp_path, run(path), whole)
    assert [fault.kind for fault in server.faults if fault.times] == []


def test_faults_of_the_questions_beside_the_requests(
    tmp_path: Path, cases: Path, server: Server, whole: SweepResult
) -> None:
    path = write(tmp_path, cases, server.url)
    questions = ["/api/version", "/api/tags", "/api/show", "/api/ps"]
    # never three at a time, which would be the end; the last two are asked between batches alone
    server.faults = [Fault("refuse", question, after=n) for question, n in zip(questions, (4, 7, 1, 1), strict=True)]
    server.faults += [
        Fault(kind, question, after=n)
        for kind, question, n in zip(["html", "truncate"] * 2, questions, (9, 9, 1, 1), strict=True)
    ]
    assert_same(tmp_path, run(path), whole)
    assert not any(fault.times for fault in server.faults)


def test_after_each_answer_two_questions_are_asked_and_no_more(tmp_path: Path, cases: Path, server: Server) -> None:
    result = run(write(tmp_path, cases, server.url))
    asked = Counter(path for path, _ in server.requests)
    whole = asked["/api/show"]  # a whole identity asks this once, as nothing else does
    assert whole < result.plan.total / 2
    assert asked["/api/version"] == asked["/api/tags"] == result.plan.total + whole


def test_a_proxy_that_answers_from_now_on(tmp_path: Path, cases: Path, server: Server, whole: SweepResult) -> None:
    path = write(tmp_path, cases, server.url)
    server.faults = [Fault("html", "/", after=40, times=10**6)]
    with pytest.raises(RunStoppedError, match="a proxy in front of it"):
        run(path)
    assert len(assert_part(tmp_path, whole).observations) > 0
    server.faults = []
    assert_same(tmp_path, run(path), whole)


def test_slow_answers(tmp_path: Path, cases: Path, server: Server, whole: SweepResult) -> None:
    path = write(tmp_path, cases, server.url, timeout=1.5)  # a busy machine must not add a fault of its own
    server.faults = [Fault("slow", after=8, seconds=1.9), Fault("stall", after=8, seconds=1.9)]
    assert_same(tmp_path, run(path), whole)
    assert not any(fault.times for fault in server.faults)


def test_an_answer_that_never_comes_is_an_error_and_stays_one_once_there_is_a_verdict(
    tmp_path: Path, cases: Path, server: Server, whole: SweepResult
) -> None:
    path = write(tmp_path, cases, server.url, timeout=0.7)
    late = whole.stage("confirm").iloc[0]

    def wait(_: int, body: dict[str, Any]) -> None:
        options, log = body["options"], body["messages"][-1]["content"]
        if (options["seed"], options["temperature"]) == (late["seed"], late["temperature"]) and "case 1" in log:
            time.sleep(0.9)

    server.meanwhile = wait
    result = run(path)
    errors = result.observations[result.observations["finish"] == "error"]
    assert len(errors) == 1
    assert tuple(errors.iloc[0][["case", "seed", "temperature"]]) == ("c1", late["seed"], late["temperature"])
    assert errors["score"].isna().all()
    assert errors["error"].str.startswith("EngineTimeout: ").all()
    assert len(result.observations) == whole.plan.total
    server.meanwhile = None
    again = run(path)
    assert steady(again.observations) == steady(result.observations)
    assert again.verdicts == result.verdicts


# ---- the model and the version


def test_a_model_that_is_deleted_meanwhile(tmp_path: Path, cases: Path, server: Server, whole: SweepResult) -> None:
    path = write(tmp_path, cases, server.url)
    digest = server.models[MODEL]
    server.models["other:1b"] = "0" * 64
    server.at(MIDDLES["explore"], lambda: server.models.pop(MODEL))
    with pytest.raises(RunStoppedError) as caught:
        run(path)
    for words in (f"has no model '{MODEL}'", "other:1b", f"ollama pull {MODEL}", "run the same command again"):
        assert words in str(caught.value)
    assert len(assert_part(tmp_path, whole).observations) == MIDDLES["explore"]
    server.meanwhile = None
    server.models[MODEL] = digest
    assert_same(tmp_path, run(path), whole)


def test_a_model_that_changes_stops_the_sweep(tmp_path: Path, cases: Path, server: Server, whole: SweepResult) -> None:
    path = write(tmp_path, cases, server.url)
    digest = server.models[MODEL]
    server.at(MIDDLES["explore"], lambda: server.models.update({MODEL: "1" * 64}))
    with pytest.raises(HostChangedError) as caught:
        run(path)
    assert f"model.digest: was {digest}, is 1111" in str(caught.value)
    assert "Earlier generations are kept" in str(caught.value)
    assert len(assert_part(tmp_path, whole).observations) == MIDDLES["explore"]
    server.meanwhile = None
    with pytest.raises(ConfigError, match=r"model\.digest"):
        run(path)
    server.models[MODEL] = digest
    assert_same(tmp_path, run(path), whole)


def test_a_host_that_changed_after_the_search_confirms_nothing(
    tmp_path: Path, cases: Path, server: Server, whole: SweepResult
) -> None:
    class Upgrade(Silent):
        def stage(self, name: str) -> None:
            if name == "confirm":
                server.version = "0.33.0"

    path = write(tmp_path, cases, server.url)
    with pytest.raises(HostChangedError, match=r"engine\.version: was 0\.32\.15, is 0\.33\.0"):
        run(path, progress=Upgrade())
    assert len(server.sent) == whole.plan.floor + whole.plan.explore
    assert max(body["options"].get("seed", 0) for body in server.bodies()) < whole.stage("confirm")["seed"].min()
    server.version = VERSION
    assert_same(tmp_path, run(path), whole)


def test_going_on_at_another_address(tmp_path: Path, cases: Path, server: Server, whole: SweepResult) -> None:
    server.at(MIDDLES["explore"], server.stop)
    with pytest.raises(RunStoppedError):
        run(write(tmp_path, cases, server.url))
    other = Server()
    other.version = "0.33.0"
    with other:
        path = write(tmp_path, cases, other.url)
        with pytest.raises(ConfigError, match=r"engine\.version: was 0\.32\.15, is 0\.33\.0"):
            run(path)
        other.version = VERSION
        assert_same(tmp_path, run(path), whole)
    assert len({*server.sent, *other.sent}) == whole.plan.total


# ---- answers that are refusals, or degenerate


@pytest.mark.parametrize(
    ("status", "body", "told"),
    [
        (500, 'option "top_k" must be of type integer', "must be of type integer"),
        (
            400,
            '{"error":{"code":400,"message":"Field \'top_k\': Value must be lower","type":"invalid_request_error"}}',
            "Field 'top_k': Value must be lower",
        ),
    ],
)
def test_a_refused_option_is_no_score_and_not_tried_again(
    tmp_path: Path, cases: Path, server: Server, whole: SweepResult, status: int, body: str, told: str
) -> None:
    path = write(tmp_path, cases, server.url)
    assert whole.finalist is not None
    needed = {each.options["top_k"] for each in (whole.baseline, whole.finalist.configuration)}
    refused = next(p for p in whole.proposals if p.configuration.options["top_k"] not in needed)

    def refuse(_: int, sent: dict[str, Any]) -> None:
        if sent["options"]["top_k"] == refused.configuration.options["top_k"]:
            raise Refusal(status, body)

    server.meanwhile = refuse
    result = run(path)
    errors = result.observations[result.observations["finish"] == "error"]
    assert set(errors["trial"]) == {refused.number}
    assert len(errors) == 2
    assert errors["score"].isna().all()
    assert errors["error"].str.startswith("OptionRefused: ").all()
    assert errors["error"].str.contains(told, regex=False).all()
    assert not errors["error"].str.contains('{"', regex=False).any()
    assert len(server.sent) == len(set(server.sent)) == whole.plan.total
    rest = [row for row in steady(whole.observations) if (row["stage"], row["trial"]) != ("explore", refused.number)]
    assert [row for row in steady(result.observations) if not row["error"]] == rest
    server.meanwhile = None
    assert_same(tmp_path, run(path), whole)


def test_a_repetition_that_the_server_stops_is_scored_and_marked(tmp_path: Path, server: Server) -> None:
    cases = write_cases(tmp_path / "cases", 2)
    with (cases / "c2.txt").open("a") as log:
        log.write("\n" + "ha " * 25)
    path = write(tmp_path, cases, server.url)
    result = run(path)
    table = result.observations.set_index("case")
    degenerate = table.loc["c2"]
    assert (degenerate["finish"] == "repeat").all()
    assert (degenerate["score"] == 0).all()
    assert (degenerate["error"] == "").all()
    assert degenerate["output_tokens"].isna().all()
    assert (degenerate["words"] > 20).all()
    assert (table.loc["c1"]["finish"] == "stop").all()
    assert len(server.sent) == len(table) == result.plan.total  # an answer, not a fault: sent once
    again = run(path)
    assert steady(again.observations) == steady(result.observations)
    assert len(server.sent) == result.plan.total


# ---- the clock


def test_clocks_that_go_backwards(
    tmp_path: Path, cases: Path, server: Server, whole: SweepResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    hours = iter(range(10**6))

    class Backwards(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> datetime:
            return datetime(2030, 1, 1, tzinfo=tz or UTC) - timedelta(hours=next(hours))

    real = time.time()
    monkeypatch.setattr("sweeps.ledger.records.datetime", Backwards)
    monkeypatch.setattr(time, "time", lambda: real - 3600 * next(hours))
    monkeypatch.setattr(ollama_records, "now", lambda: Backwards.now().isoformat())
    server.faults = [Fault("backwards", times=10**6)]
    path = write(tmp_path, cases, server.url)
    server.at(MIDDLES["explore"], server.stop)
    with pytest.raises(RunStoppedError):
        run(path)
    assert_part(tmp_path, whole)
    server.meanwhile = None
    server.start()
    result = run(path)
    assert_same(tmp_path, result, whole)
    times = result.observations[["seconds", "queue_seconds", "load_seconds", "prefill_seconds", "decode_seconds"]]
    assert (times >= 0).all(axis=None)
    assert (times["seconds"] > 0).all()


# ---- several hosts


@pytest.fixture(scope="module")
def on_two(tmp_path_factory: pytest.TempPathFactory, cases: Path) -> SweepResult:
    """The sweep on two hosts that nothing disturbs."""
    with Server() as one, Server() as other:
        return run(write(tmp_path_factory.mktemp("two"), cases, one.url, other.url))


@pytest.mark.parametrize("where", ["floor", long("between batches")])
def test_a_host_that_drops_out_is_set_aside(
    tmp_path: Path, cases: Path, server: Server, on_two: SweepResult, where: str
) -> None:
    other = Server()
    with other:
        path = write(tmp_path, cases, server.url, other.url)
        other.at(MIDDLES[where] // 2, other.stop)
        result = run(path)
    table = result.observations
    assert result.status == "done"
    assert len(table) == result.plan.total == 32
    assert table["score"].notna().all()
    assert not table.duplicated(["stage", "trial", "case", "seed"]).any()
    assert steady(table) == steady(on_two.observations)
