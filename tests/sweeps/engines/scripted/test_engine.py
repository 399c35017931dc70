"""The scripted engine: its surface, its clock, and its faults."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from objectives.case import Case, Item
from sweeps.engines import open_engine
from sweeps.engines.base import (
    EngineError,
    EngineProtocolError,
    EngineTimeout,
    EngineUnreachable,
    ModelMissing,
    OptionRefused,
    Prompt,
    PromptTooLong,
)
from sweeps.engines.scripted.engine import FAULTS, SURFACES, Fault, ScriptedEngine, demo_surface
from sweeps.engines.spec import EngineSpec
from sweeps.errors import ConfigError
from sweeps.fingerprints.capture import take
from tests.sweeps.sweep_files import write_cases

ITEMS = tuple(Item(f"i{n}", f"Fact number {n} was told", 1 + n % 5) for n in range(40))
CASE = Case("pump", "The log of the pump.", (*ITEMS, Item("no", "Never said", 1, forbidden=True)))
PROMPT = Prompt("Summarise: The log of the pump.")
OTHER = Prompt("Summarise: something else. With two sentences.")
OPTIONS = {"temperature": 0.8, "num_ctx": 512, "num_predict": -1, "seed": 1}


def share(text: str) -> float:
    return sum(item.text in text for item in ITEMS) / len(ITEMS)


def ask(engine: ScriptedEngine, prompt: Prompt = PROMPT, **changes: float) -> str:
    return engine.generate(prompt, {**OPTIONS, **changes}, model="scripted").text


def test_texts_reach_the_surfaces_coverage() -> None:
    engine = ScriptedEngine([CASE], surface=lambda options: 0.25 + 0.5 * (options["temperature"] < 0.5))
    for temperature, expected in ((0.3, 0.75), (0.8, 0.25)):
        mean = np.mean([share(ask(engine, temperature=temperature, seed=seed)) for seed in range(60)])
        # The mean of 60 x 40 draws: five standard errors.
        assert mean == pytest.approx(expected, abs=5 * np.sqrt(expected * (1 - expected) / 2400))
    assert "Never said" not in " ".join(ask(engine, seed=seed) for seed in range(20))


def test_noise_widens_the_spread_between_texts() -> None:
    spreads = [
        np.std(
            [share(ask(ScriptedEngine([CASE], surface=lambda _: 0.5, noise=noise), seed=seed)) for seed in range(60)]
        )
        for noise in (0.0, 0.3)
    ]
    assert spreads[1] > 1.5 * spreads[0]


def test_a_case_may_be_written_by_a_function() -> None:
    engine = ScriptedEngine(
        [CASE], write=lambda case, options, rng: f"{case.name} {options['temperature']} {rng.random() < 2}"
    )
    assert ask(engine) == "pump 0.8 True"


def test_a_prompt_without_a_case_is_answered_with_its_own_sentences() -> None:
    text = ask(ScriptedEngine(surface=lambda _: 1.0), OTHER)
    assert text.startswith("Summarise: something else. With two sentences.")


def test_options_that_cannot_act_do_not() -> None:
    engine = ScriptedEngine([CASE], surface=lambda _: 0.5, inert=["top_p"])
    reference = ask(engine)
    assert ask(engine, num_ctx=256) == reference  # reloads, but the text stays
    assert ask(engine, top_p=0.1) == reference
    assert ask(engine, top_k=1) != reference
    assert ask(engine, mirostat_tau=1.0) == reference
    assert ask(engine, mirostat=2) != reference
    assert ask(engine, mirostat=2, top_k=1) == ask(engine, mirostat=2)
    assert ask(engine, temperature=0, seed=1) == ask(engine, temperature=0, seed=2)


def test_num_predict_cuts_the_same_text_off() -> None:
    engine = ScriptedEngine([CASE], surface=lambda _: 1.0)
    whole = ask(engine)
    answer = engine.generate(PROMPT, {**OPTIONS, "num_predict": 7}, model="scripted")
    assert (answer.finish, answer.output_tokens) == ("length", 7)
    assert whole.startswith(answer.text)


def test_loads_and_prefill_are_counted() -> None:
    engine = ScriptedEngine([CASE])
    tokens = engine.count_tokens(PROMPT, model="scripted", options=OPTIONS)
    other = engine.count_tokens(OTHER, model="scripted", options=OPTIONS)
    assert (tokens, other) == (6 + 8, 6 + 8)
    for prompt, num_ctx in ((PROMPT, 512), (PROMPT, 512), (OTHER, 512), (PROMPT, 512), (PROMPT, 1024), (PROMPT, 512)):
        ask(engine, prompt, num_ctx=num_ctx)
    assert engine.counts.calls == 6
    assert engine.counts.loads == 3
    # Cold, warm, cold, cold again, reloaded, reloaded.
    assert engine.counts.prefill_tokens == tokens + 1 + other + tokens + tokens + tokens
    timing = engine.generate(PROMPT, OPTIONS, model="scripted").timing
    assert timing.load == 0
    assert timing.prefill == pytest.approx(1 / 500)


def test_delay_is_slept() -> None:
    slept: list[float] = []
    engine = ScriptedEngine(delay=0.05, sleep=slept.append)
    ask(engine)
    ask(engine)
    assert slept == [0.05, 0.05]


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("unreachable", EngineUnreachable),
        ("timeout", EngineTimeout),
        ("protocol", EngineProtocolError),
        ("model-missing", ModelMissing),
        ("option-refused", OptionRefused),
        ("prompt-too-long", PromptTooLong),
    ],
)
def test_faults_that_raise(kind: str, error: type[EngineError]) -> None:
    engine = ScriptedEngine([CASE], faults=[Fault.parse(f"{kind}@1")])
    first = ask(engine)
    with pytest.raises(error):
        ask(engine)
    assert ask(engine) == first
    assert engine.counts.faults == {kind: 1}


def test_faults_that_answer() -> None:
    engine = ScriptedEngine(
        [CASE], faults=[Fault.parse("empty@0"), Fault.parse("repeat@1"), Fault.parse("cut-prompt@2")]
    )
    answers = [engine.generate(PROMPT, OPTIONS, model="scripted") for _ in range(4)]
    assert (answers[0].text, answers[0].output_tokens) == ("", 0)
    assert (answers[1].finish, answers[1].output_tokens) == ("repeat", None)
    assert [answer.truncated for answer in answers] == [False, False, True, False]


def test_faults_that_change_the_identity() -> None:
    engine = ScriptedEngine(faults=[Fault("version-change", frozenset({1})), Fault("digest-change", frozenset({2}))])
    seen = []
    for _ in range(3):
        ask(engine)
        facts = engine.identify("scripted")
        seen.append((facts["engine"]["version"], facts["model"]["digest"]))
    assert len({version for version, _ in seen}) == 2
    assert seen[0][1] == seen[1][1] != seen[2][1]


def test_a_fault_may_ask_for_a_condition_and_end() -> None:
    hot = Fault("unreachable", when=lambda request: request.options["temperature"] > 1, times=2)
    engine = ScriptedEngine([CASE], faults=[hot])
    ask(engine)
    for _ in range(2):
        with pytest.raises(EngineUnreachable):
            ask(engine, temperature=1.5)
    assert ask(engine, temperature=1.5)


def test_faults_are_read_from_text() -> None:
    assert Fault.parse("timeout@3, 5-7").at == frozenset({3, 5, 6, 7})
    assert Fault.parse("timeout").at is None
    assert all(Fault.parse(kind).kind == kind for kind in FAULTS)
    for text in ("nonsense@1", "timeout@x", "timeout@"):
        with pytest.raises(ConfigError):
            Fault.parse(text)


def test_from_a_spec(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("surface_of_mine")

    def always(options: Mapping[str, float]) -> float:
        return 1.0

    module.always = always  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "surface_of_mine", module)
    options = {"surface": "surface_of_mine:always", "noise": 0.0, "faults": ["empty@0"], "load_seconds": 2.0}
    engine = open_engine(EngineSpec("scripted", model="m", options=options))
    assert isinstance(engine, ScriptedEngine)
    assert engine.models() == ["m"]
    assert engine.generate(OTHER, OPTIONS, model="m").text == ""
    assert "With two sentences." in engine.generate(OTHER, OPTIONS, model="m").text
    json.dumps(engine.identify("m"))


@pytest.mark.parametrize("surface", ["demmo", "no_such_module:f", "json:no_such_function"])
def test_a_surface_that_is_none(surface: str) -> None:
    with pytest.raises(ConfigError, match="surface"):
        open_engine(EngineSpec("scripted", options={"surface": surface}))


def digest(**settings: object) -> str:
    """The fingerprint's digest of an engine as a file names it."""
    return take(open_engine(EngineSpec("scripted", options=settings)), "scripted").digest


def test_what_changes_texts_is_in_the_fingerprint(tmp_path: Path) -> None:
    """Two engines may share texts and probes if, and only if, they write the same texts."""
    cases = [write_cases(tmp_path / name, count) for name, count in (("a", 1), ("b", 2))]
    writing: list[dict[str, object]] = [
        {}, {"surface": "flat"}, {"noise": 0.1}, {"noise": 0.2}, {"inert": ["top_p"]}, {"inert": ["top_p", "top_k"]},
        {"cases": str(cases[0])}, {"cases": str(cases[1])},
    ]  # fmt: skip
    assert len({digest(**settings) for settings in writing}) == len(writing)
    same: list[dict[str, object]] = [
        {"surface": "demo"}, {"noise": 0}, {"delay": 0.1}, {"load_seconds": 1}, {"faults": ["timeout@3"]},
        {"models": ["scripted", "other"]},
    ]  # fmt: skip
    assert {digest(**settings) for settings in same} == {digest()}
    assert digest(inert=["top_k", "top_p"]) == digest(inert=["top_p", "top_k"])
    copy = write_cases(tmp_path / "copy", 1)
    assert digest(cases=str(copy)) == digest(cases=str(cases[0]))
    rubric = copy / "c1.toml"
    rubric.write_text(rubric.read_text().replace("level = 2", "level = 3"))  # a level is no part of a text
    assert digest(cases=str(copy)) == digest(cases=str(cases[0]))


def test_functions_are_known_by_name() -> None:
    def settings(**functions: Any) -> Any:
        return ScriptedEngine(**functions).identify("scripted")["engine"]["settings"]

    class Always:
        def __call__(self, options: object) -> float:
            return 1.0

    assert settings(surface=SURFACES["flat"]) == {"surface": "flat"}
    assert settings(surface=demo_surface) == {}
    assert settings(surface=share)["surface"] == f"{__name__}:share"
    assert settings(surface=Always())["surface"].endswith("Always")
    assert settings(write=lambda case, options, rng: "x")["write"].startswith(__name__)


BAD: list[tuple[dict[str, Any], str]] = [
    ({"noise": "x"}, "noise must be a number from 0, not 'x'"),
    ({"noise": True}, "noise must be a number from 0, not True"),
    ({"noise": float("nan")}, "noise must be a number from 0, not nan"),
    ({"delay": -1}, "delay must be a number from 0, not -1"),
    ({"load_seconds": float("inf")}, "load_seconds must be a number from 0, not inf"),
    ({"inert": "top_p"}, "inert must be a list of texts, not 'top_p'"),
    ({"inert": ["topp"]}, "inert names 'topp', which is no option; did you mean 'top_p'?"),
    ({"models": [1]}, "models must be a list of texts"),
    ({"models": []}, "models must name at least one model"),
    ({"faults": [3]}, "faults must be a list of texts"),
    ({"faults": ["empty@x"]}, "faults: fault 'empty@x'"),
    ({"faults": ["nonsense"]}, "faults: fault 'nonsense' is unknown"),
    ({"cases": 5}, "cases must be the folder of the cases, not 5"),
    ({"cases": "nowhere"}, "cases cannot be read: "),
    ({"surface": 3}, "surface must be one of demo, flat"),
    ({"surface": "math:pi"}, "pi is no function"),
]


@pytest.mark.parametrize(("settings", "message"), BAD)
def test_settings_that_cannot_be(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        open_engine(EngineSpec("scripted", options=settings, source="s.toml: engine.options"))
    assert message in str(caught.value)
    assert str(caught.value).startswith("s.toml: engine.options.")


def test_all_settings_that_cannot_be_are_told_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        open_engine(EngineSpec("scripted", options={"noise": "x", "delay": -1}))
    assert [problem.partition(" must")[0] for problem in caught.value.problems] == [
        "engine scripted: noise",
        "engine scripted: delay",
    ]


def test_the_demo_surface_has_something_to_find() -> None:
    engine = ScriptedEngine([CASE])
    means = {
        temperature: np.mean(
            [share(ask(engine, temperature=temperature, repeat_penalty=1.05, seed=seed)) for seed in range(20)]
        )
        for temperature in (0.35, 1.5)
    }
    assert means[0.35] - means[1.5] > 0.4
