"""A pipeline that reads an export sends what the sweep sent, field by field, on every path and by every file."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import subprocess
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any
from unittest import mock

import pandas as pd
import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from analysis.export.formats import ExportError, render, write_exports
from sweeps.config.sweep_config import SweepConfig
from sweeps.engines import open_engine
from sweeps.engines.base import EngineError
from sweeps.fingerprints.capture import take
from sweeps.hosts.sweep_hosts import engine_specs
from sweeps.options import NUMBERS, OPTIONS, Configuration, NumberSpec, OptionValue
from sweeps.results.finalist_export import export_set, modelfile_options
from sweeps.results.reader import load_result
from sweeps.search.trial import Proposal
from tests.analysis.export.test_export import docker_env, parse_modelfile, sourced
from tests.doubles.ollama import Fault, Model, OllamaDouble
from tests.sweeps.sweep_files import BASE, run, toml, write_cases

PIPELINE = Path(__file__).parents[3] / "examples" / "pipeline"
LOG = "Ann: the pump failed at 7:45, 40 % of $5.\n\nBen: «Ventil» tauschen, {x} \\n ~ ü."
PLAIN, THINKER = "smollm2:135m", "registry.example:5000/team/deep-model.v2:7b-q4_K_M"
VERSIONS = ("0.6.8", "0.32.15", "0.33.0-rc2")
RELAXED = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])


@cache
def summarise() -> ModuleType:
    """The example's script as a module."""
    spec = importlib.util.spec_from_file_location("summarise", PIPELINE / "summarise.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@dataclass(frozen=True)
class Played:
    """What a sweep sent for a configuration, and the study as an export sees it."""

    body: Mapping[str, Any]
    study: Any
    arm: Proposal

    @property
    def sent(self) -> dict[str, Any]:
        """The body without what a pipeline chooses for itself: the seed, the stream, the default `keep_alive`."""
        body = {name: value for name, value in self.body.items() if name not in ("seed", "stream")}
        if "options" in body:
            body["options"] = {name: value for name, value in body["options"].items() if name != "seed"}
        if "keep_alive" not in self.study.config.engine.options:
            body.pop("keep_alive", None)
        return body


@pytest.fixture(scope="module", params=VERSIONS)
def server(request: pytest.FixtureRequest) -> Iterator[OllamaDouble]:
    with OllamaDouble(version=request.param) as double:
        double.models[THINKER] = Model(digest="d" * 64, capabilities=("completion", "thinking"))
        yield double


def values(spec: Any) -> st.SearchStrategy[OptionValue]:
    """Values of an option; ends of ranges, tiny and whole floats, and negative numbers among them."""
    if spec.name == "stop":
        return st.lists(st.text(st.characters(codec="utf-8"), min_size=1, max_size=8), max_size=3).map(tuple)
    if not isinstance(spec, NumberSpec):
        return st.sampled_from(spec.values)
    high = 1e7 if spec.high is None else spec.high
    drawn = st.floats(spec.low, high) if spec.kind is float else st.integers(int(spec.low), int(high))
    known = [each for each in (1e-05, 0.1, 1.0, -1, 0, spec.low, high) if spec.problem(each) is None]
    return (drawn | st.sampled_from(known)).filter(lambda value: spec.problem(spec.cast(value)) is None).map(spec.cast)


texts = st.text(st.characters(codec="utf-8") | st.sampled_from("\r\n\"'$`\\{}%#äß\u0085\u2028"), max_size=30)
texts = texts.filter(lambda text: "{log}" not in text)
with_log = st.tuples(texts, texts).map("{log}".join)
prompts = st.one_of(
    st.fixed_dictionaries({"user": with_log}, optional={"system": texts}),
    st.fixed_dictionaries({"user": texts, "system": with_log}),
)
option_sets = st.fixed_dictionaries({}, optional={name: values(spec) for name, spec in OPTIONS.items()})
own_settings = st.fixed_dictionaries(
    {},
    optional={name: values(NUMBERS[name]) for name in ("num_gpu", "num_thread", "num_batch", "draft_num_predict")}
    | {"keep_alive": st.sampled_from(["15m", "1h", -1, 0, 300])},
)


def played(
    server: OllamaDouble,
    kind: str,
    model: str,
    prompt: Mapping[str, str],
    options: Mapping[str, OptionValue],
    own: Mapping[str, Any],
) -> Played:
    """Send one request as a sweep does; the double refuses it, so that nothing is generated."""
    tables = {**BASE, "engine": {"kind": kind, "host": server.url, "options": dict(own)}, "prompts": {"it's": prompt}}
    config = SweepConfig.from_dict({**tables, "baseline": {"model": model}})
    arm = Proposal(3, Configuration(model, "it's", options), {})
    (spec,) = engine_specs(config)
    with open_engine(spec) as engine:
        print_ = take(engine, model)
        start = len(server.requests)
        server.faults.append(Fault("crash", path="/v1/chat" if kind == "openai" else "/api/chat"))
        with suppress(EngineError):
            request = {**arm.configuration.options, "seed": 7}
            engine.generate(config.prompts["it's"].fill(LOG), request, model=model)
    (body,) = [body for path, body in server.requests[start:] if "chat" in path]
    rows = pd.DataFrame({"configuration": [arm.configuration.key], "host": [print_.digest], "seed": [7]})
    record = SimpleNamespace(honoured=tuple(engine.honours), confirmed="2026-03-02T10:00:00")
    study = SimpleNamespace(
        name="t",
        config=config,
        baseline=config.baseline,
        hosts={"h": {model: print_}},
        stage=lambda _: rows,
        fresh_rows=[],
        limits=SimpleNamespace(broken=lambda _: []),
        stored=SimpleNamespace(record=record, updated="2026-03-02T10:00:00"),
        is_comparison=False,
    )
    return Played(body, study, arm)


@contextmanager
def variables(found: Mapping[str, str | None], folder: Path) -> Iterator[None]:
    named = {name: value for name, value in found.items() if value is not None} | {"OLLAMA_EXPORT_DIR": str(folder)}
    kept = {name: value for name, value in os.environ.items() if not name.startswith("OLLAMA_")}
    with mock.patch.dict(os.environ, {**kept, **named}, clear=True):
        yield


def filled(request: Mapping[str, Any]) -> dict[str, Any]:
    """A request of the pipeline, as its script fills and sends it."""
    messages = [{**each, "content": each["content"].replace("{log}", LOG)} for each in request["messages"]]
    return {name: value for name, value in {**request, "messages": messages}.items() if name != "stream"}


def of_json(folder: Path) -> dict[str, Any]:
    return filled(summarise().request_from_json(folder / "production.json"))


def of_env(folder: Path, found: Mapping[str, str | None]) -> dict[str, Any]:
    with variables(found, folder):
        return filled(summarise().request_from_environment())


def exported(sent: Played, folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    export = export_set(sent.study, sent.arm, None)
    write_exports(export, folder, formats=("env", "json", "toml"), force=True)


def check_files(sent: Played, folder: Path) -> None:
    """Each file, read in each way, is the request that was measured."""
    exported(sent, folder)
    env = folder / "production.env"
    assert of_json(folder) == sent.sent
    assert of_env(folder, sourced(env)) == sent.sent
    assert of_env(folder, docker_env(env.read_bytes().decode())) == sent.sent
    dotenv = pytest.importorskip("dotenv")
    assert of_env(folder, dotenv.dotenv_values(env)) == sent.sent
    table = tomllib.loads((folder / "production.toml").read_text(encoding="utf-8"))
    following = SweepConfig.from_dict({**BASE, "prompts": {"it's": "{log}"}, **table}).baseline
    wire = sent.body.get("options", {})
    for name, value in following.options.items():
        if name in table["baseline"] and name in wire:
            assert (list(value) if isinstance(value, tuple) else value) == wire[name]
    assert set(wire) - {"seed", "mirostat_tau", "mirostat_eta"} <= set(table["baseline"])


@RELAXED
@given(
    model=st.sampled_from([PLAIN, THINKER]),
    kind=st.sampled_from(["ollama", "openai"]),
    prompt=prompts,
    options=option_sets,
    own=own_settings,
)
def test_a_pipeline_sends_what_the_sweep_sent(tmp_path, server, model, kind, prompt, options, own) -> None:
    check_files(played(server, kind, model, prompt, options, own), tmp_path / "out")


@RELAXED
@given(prompt=prompts, options=option_sets, own=own_settings)
def test_a_model_made_of_the_modelfile_has_the_options_that_were_sent(server, prompt, options, own) -> None:
    sent = played(server, "ollama", PLAIN, prompt, options, own)
    export = export_set(sent.study, sent.arm, None)
    honoured = modelfile_options(sent.study, sent.arm.configuration)
    try:
        text = render(replace(export, forced=True), "modelfile", honoured=honoured)
    except ExportError:
        event("a text that a Modelfile cannot hold")
        return
    head = text.partition("\nFROM ")[0]
    stops = [value for name, value in parse_modelfile(text.replace("PARAMETER stop", "stop")) if name == "stop"]
    made = dict(value.split(" ", 1) for name, value in parse_modelfile(text) if name == "PARAMETER")
    made.pop("stop", None)
    wanted = dict(sent.sent["options"])
    assert stops == wanted.pop("stop", [])
    left = re.search("left out, because Ollama ignores them here: (.*)", head)
    ignored = set(left[1].split(", ")) if left else set()
    assert ignored <= {"mirostat", "mirostat_tau", "mirostat_eta"}
    assert {name: float(value) for name, value in made.items()} == {
        name: value for name, value in wanted.items() if name not in ignored
    }
    messages = {each["role"]: each["content"] for each in sent.sent["messages"]}
    systems = [value for name, value in parse_modelfile(text) if name == "SYSTEM"]
    if "system" not in messages or not messages["system"]:
        assert not systems
        assert ("cannot take away the system prompt" in head) == ("system" in messages)
    elif LOG in messages["system"]:
        assert not systems
        assert "{log} stands in the system prompt" in head
    elif "drops these characters" not in head:
        assert systems == [messages["system"]]


LOG_IN_SYSTEM = {"system": 'ü {log} "x" \r\n $A\n"q"', "user": "Summarise $HOME {x}.\r\n"}
ODD = {
    "user": "Ä \"q\" 's' $HOME ${HOME} {x} %s \\n \r\n {log} `x` #c\u0085\u2028\ttab\n\n",
    "system": 'ü "x" \r\n $A\n"q"',
}
STOPS = ["it's", '"q"', "a\\b", "$HOME ${HOME}", "\n\n", "\u200b", "。\u3000", "#x", "`ls`"]


@pytest.mark.parametrize(("kind", "prompt"), [("ollama", ODD), ("openai", LOG_IN_SYSTEM)])
def test_a_whole_sweep_and_the_shell_script_ask_for_the_same(tmp_path: Path, kind: str, prompt: dict[str, str]) -> None:
    with OllamaDouble(version="0.33.0-rc2") as server:
        server.models[THINKER] = Model(digest="d" * 64, capabilities=("completion", "thinking"))
        cases = write_cases(tmp_path / "cases", 2)
        tables = {
            "study": {"name": "t", "seed": 7},
            "engine": {"kind": kind, "host": server.url, "options": {"num_thread": 2, "keep_alive": "1h"}},
            "prompts": {"it's $HOME": prompt},
            "objective": {"cases": str(cases)},
            "baseline": {"model": PLAIN, "num_predict": 900, "stop": STOPS, "presence_penalty": -1.0},
            "space": {"model": [THINKER, PLAIN], "top_p": [0.5, 1.0]},
            "search": {"sampler": "random", "batch": 2, "probe": False},
            "budget": {"generations": 24, "floor_seeds": 2, "seeds": 1},
        }
        if kind == "ollama":
            tables["baseline"]["num_ctx"] = 2048
        path = tmp_path / "sweep.toml"
        path.write_text("\n".join(f"{name} = {toml(table)}" for name, table in tables.items()), encoding="utf-8")
        run(path)
        result = load_result(tmp_path / "mlruns")
        result.export(("env", "json"), out=tmp_path / "out", force=True)
        log = tmp_path / "log.txt"
        log.write_bytes(b"\xef\xbb\xbf" + (cases / "c1.txt").read_bytes().replace(b"\n", b"\r\n"))
        measured = len(server.requests)
        environment = {name: value for name, value in os.environ.items() if not name.startswith("OLLAMA_")}
        environment |= {"OLLAMA_HOST": server.url, "OUT": str(tmp_path / "summaries")}
        command = [PIPELINE / "run_bundle.sh", tmp_path / "out" / "production.env", log]
        done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
        assert (done.returncode, done.stderr) == (0, "")
    arm = result.finalist.configuration
    where = "/v1/chat/completions" if kind == "openai" else "/api/chat"
    ((path_asked, asked),) = server.requests[measured:]
    assert path_asked == where
    text = json.dumps(asked["messages"])
    (*_, last) = [
        body
        for at, body in server.requests[:measured]
        if at == where and body["model"] == arm.model and json.dumps(body["messages"]) == text
        and body.get("options", body)["top_p"] == arm.options["top_p"]
        and body.get("options", {}).get("num_predict") != 1
    ]  # fmt: skip
    known = Played(last, SimpleNamespace(config=result.config), result.finalist).sent
    assert {name: value for name, value in asked.items() if name != "stream"} == known
