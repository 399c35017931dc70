"""Values that a host has no memory for leave the space aloud, and the study goes on without them."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from objectives import load_cases
from sweeps.cli import run_command
from sweeps.config.file import load_config
from sweeps.config.narrowed_space import Narrowing, TooLarge, between, parse_drop
from sweeps.config.space import Dimension
from sweeps.engines.base import Generation, OutOfMemory, Prompt
from sweeps.engines.scripted.engine import ScriptedEngine
from sweeps.errors import ConfigError, SweepError
from sweeps.ledger.ledger import Ledger
from sweeps.results.reader import load_result
from sweeps.results.result import SweepResult
from tests.sweeps.sweep_files import optuna_trials, run, steady, write_sweep

NO_MEMORY = "failed with status 500: 'model requires more system memory (5.6 GiB) than is available (3.2 GiB)'"
SPACE = {"temperature": {"low": 0.1, "high": 1.2}, "num_ctx": {"choices": [2048, 4096, 8192]}}


class Small(ScriptedEngine):
    """A host without memory for num_ctx above `room`, or num_batch above `batch`."""

    room, batch = 4096, 10**6

    def __init__(self, folder: Path, **settings: Any) -> None:
        super().__init__(load_cases(folder / "cases"), noise=0.1, **settings)
        self.refused: list[Mapping[str, Any]] = []

    def generate(self, prompt: Prompt, options: Mapping[str, Any], **given: Any) -> Generation:
        if options["num_ctx"] > self.room or (options.get("num_batch") or 0) > self.batch:
            self.refused.append(options)
            raise OutOfMemory(f"{self.address} {NO_MEMORY}")
        return super().generate(prompt, options, **given)

    def count_tokens(self, prompt: Prompt, *, model: str, options: Mapping[str, Any]) -> int:
        self.generate(prompt, {**options, "num_predict": 1, "seed": 1}, model=model)  # as a server does
        return super().count_tokens(prompt, model=model, options=options)


class Notes:
    """A progress that keeps warnings and counts."""

    def __init__(self) -> None:
        self.warnings: list[str] = []
        self.counted = 0

    def plan(self, floor: int, explore: int, confirm: int) -> None: ...
    def stage(self, name: str) -> None: ...
    def standing(self, standing: object) -> None: ...

    def advance(self, stage: str, *, seconds: float | None) -> None:
        self.counted += 1

    def note(self, text: str, *, warning: bool = False) -> None:
        self.warnings += [text] * warning


def write(folder: Path, **changes: Any) -> Path:
    given = {"space": SPACE, "search": {"sampler": "random", "probe": False}, "budget": {"generations": 90}, **changes}
    return write_sweep(folder, **given)


def contexts(result: SweepResult) -> set[int]:
    return set(result.observations["num_ctx"])


def test_a_num_ctx_without_memory_for_it_is_left_out_before_the_start(tmp_path: Path) -> None:
    path, notes = write(tmp_path), Notes()
    engine = Small(tmp_path)
    result = run(path, engine=engine, progress=notes)
    assert contexts(result) <= {2048, 4096}
    assert result.verdict is not None
    (said,) = [text for text in notes.warnings if "num_ctx" in text]
    assert "8192 is removed, left: 2048, 4096" in said
    assert "with model scripted" in said
    assert "5.6 GiB" in said
    assert len(engine.refused) == 1
    again = run(path, engine=Small(tmp_path))
    assert steady(again.observations) == steady(result.observations)


@pytest.mark.parametrize("name", ["num_ctx", "num_batch"])
def test_a_value_that_fails_in_the_run_leaves_the_space(tmp_path: Path, name: str) -> None:
    space = {"temperature": SPACE["temperature"], name: {"choices": [2048, 4096, 8192]}}
    path = write(tmp_path, space=space, baseline={name: 4096})
    notes, engine = Notes(), Small(tmp_path)
    engine.batch = 4096
    if name == "num_ctx":  # the memory shrinks after the check
        engine.room = 8192
        advance = notes.advance

        def shrink(stage: str, *, seconds: float | None) -> None:
            engine.room = 4096
            advance(stage, seconds=seconds)

        notes.advance = shrink  # type: ignore[method-assign]
    result = run(path, engine=engine, progress=notes)
    table = result.observations
    assert set(table[name]) == {2048, 4096}
    assert table["score"].notna().all()
    assert result.verdict is not None
    assert len([text for text in notes.warnings if f"space.{name}: 8192 is removed" in text]) == 1
    assert notes.counted == len(table) == result.plan.total
    assert len(engine.refused) == 2  # the request and its repeat; other tasks with the value are not sent
    stored = optuna_trials(tmp_path / "mlruns")
    assert {trial[3].get(name, 4096) for trial in stored} <= {2048, 4096}
    again = run(path, engine=Small(tmp_path))
    assert steady(again.observations) == steady(table)
    assert again.verdict == result.verdict


def test_a_range_ends_where_the_memory_does(tmp_path: Path) -> None:
    path = write(tmp_path, space={**SPACE, "num_ctx": {"low": 2048, "high": 32768, "step": 1024}})
    notes, engine = Notes(), Small(tmp_path)
    engine.room = 12_000
    result = run(path, engine=engine, progress=notes)
    assert 4096 < max(contexts(result)) <= 11_264
    assert any("space.num_ctx: the range ends at 11264" in text for text in notes.warnings)
    assert load_result(tmp_path / "mlruns").verdict == result.verdict


@pytest.mark.parametrize("room", [4095, 100])
def test_a_baseline_without_memory_for_it_is_an_error(tmp_path: Path, room: int) -> None:
    path = write(tmp_path)
    engine = Small(tmp_path)
    engine.room = room
    with pytest.raises(
        ConfigError, match=r"baseline\.num_ctx 4096: the baseline \(num_ctx 4096, model scripted\)"
    ) as said:
        run(path, engine=engine)
    assert "5.6 GiB" in str(said.value)
    with closing(Ledger(tmp_path / "mlruns" / "ledger.db")) as ledger:
        assert ledger.studies.get("t") is None


def test_memory_that_is_short_for_a_moment_takes_nothing_out_of_the_space(tmp_path: Path) -> None:
    path, engine, notes = write(tmp_path), Small(tmp_path), Notes()
    engine.room = 8192
    before, calls = engine.generate, [0]

    def generate(prompt: Prompt, options: Mapping[str, Any], **given: Any) -> Generation:
        if options["num_ctx"] == 8192:
            calls[0] += 1
            if calls[0] == 12:
                raise OutOfMemory(NO_MEMORY)
        return before(prompt, options, **given)

    engine.generate = generate  # type: ignore[method-assign]
    result = run(path, engine=engine, progress=notes)
    assert contexts(result) == {2048, 4096, 8192}
    assert result.observations["score"].notna().all()
    assert not [text for text in notes.warnings if "removed" in text]


@pytest.mark.usefixtures("no_report")
def test_a_stored_study_goes_on_without_a_value(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, engine = write(tmp_path), Small(tmp_path)
    engine.room, engine.ends = 8192, 40

    def killed(prompt: Prompt, options: Mapping[str, Any], **given: Any) -> Generation:
        if engine.counts.calls > 60:
            raise RuntimeError("killed")
        return Small.generate(engine, prompt, options, **given)

    engine.generate = killed  # type: ignore[method-assign]
    with pytest.raises(RuntimeError, match="killed"):
        run(path, engine=engine)
    before = load_result(tmp_path / "mlruns").observations
    assert (before["num_ctx"] == 8192).any()
    arguments = ["run", str(path), "--mlruns", str(tmp_path / "mlruns"), "--no-tracking", "--quiet"]
    assert run_command([*arguments, "--drop", "num_ctx=8192"]) == 0
    said = " ".join(capsys.readouterr().err.split())
    assert "space.num_ctx: 8192 is removed, left: 2048, 4096. It was dropped with --drop" in said
    result = load_result(tmp_path / "mlruns")
    kept, new = result.observations.iloc[: len(before)], result.observations.iloc[len(before) :]
    assert steady(kept) == steady(before)
    assert set(new["num_ctx"]) <= {2048, 4096}
    assert result.finalist is not None
    assert result.finalist.configuration.options["num_ctx"] != 8192
    assert all(trial[3].get("num_ctx", 0) != 8192 for trial in optuna_trials(tmp_path / "mlruns"))
    assert run_command(arguments) == 0  # the study remembers it
    assert steady(load_result(tmp_path / "mlruns").observations) == steady(result.observations)
    held = result.finalist.configuration.options["num_ctx"]
    capsys.readouterr()
    assert run_command([*arguments, "--drop", f"num_ctx={held}"]) == 2
    assert f"num_ctx={held}" in capsys.readouterr().err.replace(" = ", "=")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("num_ctx", "write NAME=VALUE with one of temperature, num_ctx"),
        ("top_k=3", "'top_k' is not searched"),
        ("num_ctx=5", "space.num_ctx has no 5; it has 2048, 4096, 8192"),
        ("temperature=0.5", "space.temperature is a range, from which only memory takes values; narrow [space]"),
        ("num_ctx=4096", "baseline.num_ctx = 4096 cannot be dropped"),
    ],
)
def test_a_value_that_cannot_be_dropped(tmp_path: Path, text: str, said: str) -> None:
    path = write(tmp_path)
    with pytest.raises(ConfigError) as caught:
        run(path, engine=Small(tmp_path), drop=[text])
    assert said in str(caught.value)


def test_nothing_left_to_search(tmp_path: Path) -> None:
    path = write(tmp_path, space={"num_ctx": {"choices": [4096, 8192]}})
    with pytest.raises(SweepError, match="nothing is left to search"):
        run(path, engine=Small(tmp_path), drop=["num_ctx=8192"])


def test_a_value_that_a_range_lacks_cannot_be_dropped(tmp_path: Path) -> None:
    config = load_config(write(tmp_path, space={**SPACE, "num_batch": {"low": 64, "high": 4096}}))
    for text, said in (("num_batch=x", "'x' is no number"), ("num_batch=3", "space.num_batch has no 3")):
        with pytest.raises(ConfigError, match=said):
            parse_drop(text, config)


def test_narrowings_survive_the_record(tmp_path: Path) -> None:
    config = load_config(write(tmp_path, space={**SPACE, "num_batch": {"low": 64, "high": 4096}}))
    found = [
        TooLarge("num_ctx", 8192, "No room."),
        TooLarge("num_batch", 4000, "No room.", 1024),
        parse_drop("num_batch=512", config),
    ]
    narrowing = Narrowing()
    for each in found:
        narrowing = narrowing.without(each, config)
    assert Narrowing.from_record(narrowing.as_record()) == narrowing
    space = narrowing.apply(config).space
    assert (space["num_ctx"].choices, space["num_batch"].high) == ((2048, 4096), 511)
    assert Narrowing.from_record({"dropped": {}, "removed": {"num_ctx": [2048]}}).lines(config) == [
        "space.num_ctx: 2048 would cut a prompt and is removed; left: 4096, 8192"
    ]


def test_the_middle_of_a_range() -> None:
    assert between(Dimension("num_ctx", 2048, 32768, step=1024), 4096, 32768) == 18432
    assert between(Dimension("num_ctx", 1024, 65536, log=True), 4096, 16384) == 8192
    assert between(Dimension("num_ctx", 1024, 65536), 4096, 4097) == 4096
