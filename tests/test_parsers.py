"""Every parser of files, answers and words gets damaged inputs: only the errors that it documents escape.

Inputs are near valid ones: samples with bytes changed, cut out or doubled, and with what breaks parsers put in. By
default each parser gets 30 inputs, with `-m long` 10,000. None may take 2 s of processor time or 300 MB.
"""

from __future__ import annotations

import json
import os
import random
import struct
import time
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import click
import httpx
import pytest
from hypothesis import HealthCheck, given, settings

from analysis import read_table
from analysis.files.columns import ColumnsError, parse_columns
from analysis.observations.table import TableError
from objectives import CaseError, load_cases
from objectives.chats.transcript import transcript
from objectives.compare.summaries import read_summaries
from objectives.reasoning import split
from objectives.regexes import copies_in
from objectives.rubrics.item_lists import read_items
from sweeps.addresses import database_address, is_local, scrub, server_address, without_password
from sweeps.audits.bisection.hosts import read_changes
from sweeps.audits.hosts import parse_host
from sweeps.audits.record import read_record
from sweeps.cli.probe import read_values
from sweeps.cli.rescore import _weights
from sweeps.config.file import load_config
from sweeps.engines import gguf
from sweeps.engines.base import EngineError, EngineProtocolError, Prompt
from sweeps.engines.gguf import NoGguf
from sweeps.engines.json_answers import parse_json_object
from sweeps.engines.model_parameters import parse_parameters
from sweeps.engines.ollama import OllamaEngine
from sweeps.engines.openai import OpenAIEngine
from sweeps.engines.server_defaults import parse_version
from sweeps.engines.spec import EngineSpec
from sweeps.errors import ConfigError, SweepError
from sweeps.fingerprints.fingerprint import Fingerprint, FingerprintError
from sweeps.fingerprints.system import parse_cpuinfo, parse_lscpu, parse_system_profiler
from sweeps.results.labels import _COLUMNS, _read
from tests.damaged_inputs import damage, damaged
from tests.sweeps.audits.test_record import a_record
from tests.sweeps.engines.test_gguf import METADATA, file_of
from tests.sweeps.sweep_files import BASE, toml

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]

DATA = Path(__file__).parent / "data"
WIRE = DATA / "ollama-wire"
Call = Callable[[bytes, Path], object]


@dataclass(frozen=True)
class Parser:
    """A parser with valid inputs and the errors that it documents."""

    samples: Callable[[], list[bytes]]
    call: Call
    errors: tuple[type[Exception], ...] = ()
    tokens: tuple[bytes, ...] = field(default=())


def texts(*samples: str) -> Callable[[], list[bytes]]:
    return lambda: [sample.encode() for sample in samples]


def stored(*names: str, head: int = 6000) -> Callable[[], list[bytes]]:
    """Files of the tests' data; of JSON lines and tables the first lines."""

    def read(name: str) -> bytes:
        data = next(DATA.glob(name)).read_bytes()
        return data if name.endswith((".json", ".eval")) else data[:head].rpartition(b"\n")[0]

    return lambda: [read(name) for name in names]


def of_file(name: str, read: Callable[[Path], object]) -> Call:
    """A parser of a file of this name."""

    def call(data: bytes, folder: Path) -> object:
        path = folder / name
        path.write_bytes(data)
        return read(path)

    return call


def of_text(read: Callable[[str], object]) -> Call:
    """A parser of a text, which a terminal or a file has decoded already."""
    return lambda data, _: read(data.decode("utf-8", "replace"))


def rubric(name: str) -> Call:
    """A rubric or its log, with the other one valid."""

    def call(data: bytes, folder: Path) -> object:
        (folder / "c.txt").write_text("Ann: the plan was chosen.\n")
        (folder / "c.toml").write_text(RUBRIC)
        (folder / name).write_bytes(data)
        return load_cases(folder)

    return call


def summaries(data: bytes, folder: Path) -> object:
    (folder / "c.txt").write_bytes(data)
    return read_summaries(folder, ["c"])


def imported(source: str, name: str, score: str | None) -> Call:
    return of_file(name, lambda path: read_table(path, source=source, score=score))


def answered(path: str, ask: Callable[[Any], object], kind: type[Any] = OllamaEngine) -> Call:
    """An engine whose server gives one answer, and good ones at the other paths."""

    def call(data: bytes, _: Path) -> object:
        def answer(request: httpx.Request) -> httpx.Response:
            body = data if request.url.path == path else GOOD[request.url.path]
            return httpx.Response(200, content=body, headers={"Content-Type": "application/json"})

        engine = kind("http://127.0.0.1:9", attempts=1)
        client = (engine if kind is OllamaEngine else engine._native).client
        client._client._transport = httpx.MockTransport(answer)
        return ask(engine)

    return call


@cache
def body(name: str) -> bytes:
    """The body of a recorded answer."""
    response = json.loads((WIRE / f"{name}.json").read_text())["response"]
    if "body" in response:
        return json.dumps(response["body"]).encode()
    return b"\n".join(json.dumps(line["data"]).encode() for line in response["lines"])


EMBEDDED = b'{"model":"m","embeddings":[[0.1,-0.2],[1e-3,0.5]],"total_duration":1}'
MODEL, HELLO = "smollm2:135m", Prompt("Give me three colours.")
GOOD = {
    "/api/version": body("01_version"), "/api/tags": body("02_tags"), "/api/show": body("03_show"),
    "/api/ps": body("08_ps_loaded"), "/api/chat": body("10_chat_stream"), "/api/embed": EMBEDDED,
    "/v1/chat/completions": body("11_openai_chat"), "/v1/models": body("13_openai_models"),
}  # fmt: skip


def generate(engine: Any) -> object:
    return engine.generate(HELLO, {"temperature": 0.5, "num_predict": 9}, model=MODEL)


SWEEP = "\n".join(f"{name} = {toml(table)}" for name, table in BASE.items())
RUBRIC = """title = "t"\nlog = "c.txt"
[[items]]\nid = "plan"\ntext = "The plan was chosen."\nlevel = 1\nany = ["plan", "re:pl[a-z]{1,3}n"]
[[items]]\ntext = "No rain."\nlevel = 2\nforbidden = true\nall = ["rain", "3.5 km"]\n[meta]\nx = 1\n"""
CHATS = (
    "[10:02] <ann> hi\n[10:03] <bob> yes, at 9\n", "1\n00:00:01,000 --> 00:00:02,000\nAnn: hello\n",
    "12/31/23, 10:15 - Ann: hello\n12/31/23, 10:16 - Bob: <Media omitted>\n",
    "**Ann**: hi\n**Bob**: ho\n", '[{"type":"message","user":"U1","text":"hi <@U2|b>","ts":"1.0"}]',
    "WEBVTT\n\n00:01.000 --> 00:02.000\n<v Ann>hello\n",
)  # fmt: skip
TABLE = "configuration,case,seed,score\nbase,a,1,0.5\nnew,a,1,0.7\nnew,b,2,yes\n"
JSON_ROWS = json.dumps({"rows": [{"configuration": "a", "case": "c", "seed": 1, "score": 0.5, "more": {"x": [1]}}] * 2})
HOST = Fingerprint({"host": {"cpu": "x"}, "engine": {"name": "ollama"}, "model": {}, "client": {}}).to_json()
LABELS = ",".join(_COLUMNS) + "\n" + ",".join(["f", "p", "c", "q", "0.5", "yes"][: len(_COLUMNS)]) + "\n"

PARSERS = {
    "sweep file": Parser(texts(SWEEP), of_file("s.toml", load_config), (ConfigError,)),
    "rubric": Parser(texts(RUBRIC), rubric("c.toml"), (CaseError,)),
    "log": Parser(texts(*CHATS), rubric("c.txt"), (CaseError,)),
    "chat": Parser(
        texts(*CHATS), of_text(lambda text: (found := transcript(text)) and (found.text, found.for_programs))
    ),
    "summary": Parser(texts("<think>hm</think>Three colours.", "x"), summaries, (CaseError,)),
    "reasoning": Parser(texts("<think>hm</think>Three", "Thinking...\na\n...done thinking.\nb"), of_text(split)),
    "regex": Parser(texts("a{1,9}(b|c)*?[^d-f]", r"(?i)\bx{2}(?P<n>.)(?=y)\1"), of_text(copies_in)),
    "items in Markdown": Parser(
        texts("# T\n- [1] The plan.\n- [!2] No rain.\n## Level 3\n* x\n"), of_file("i.md", read_items), (CaseError,)
    ),
    "items in CSV": Parser(
        texts("id,text,level,forbidden\na,The plan.,1,\nb,No rain.,2,yes\n"), of_file("i.csv", read_items), (CaseError,)
    ),
    "items in JSON": Parser(
        texts('[{"text":"The plan.","level":1},{"text":"b","level":"vital"}]'),
        of_file("i.json", read_items),
        (CaseError,),
    ),
    **{
        f"table .{ending}": Parser(texts(sample), of_file(f"t.{ending}", read_table), (TableError,))
        for ending, sample in {
            "csv": TABLE,
            "tsv": TABLE.replace(",", "\t"),
            "json": JSON_ROWS,
            "jsonl": '{"configuration":"a","case":"c","seed":1,"score":true}\n' * 2,
        }.items()
    },
    "inspect": Parser(stored("tables/inspect/capitals-1.json"), imported("inspect", "l.json", "match"), (TableError,)),
    "inspect, packed": Parser(
        stored("tables/inspect/capitals-2.eval"), imported("inspect", "l.eval", "match"), (TableError,)
    ),
    "lm-eval": Parser(
        stored("tables/lm-eval/tiny-a/samples_capitals_2*.jsonl"),
        imported("lm-eval", "samples_x_1.jsonl", "acc"),
        (TableError,),
    ),
    "promptfoo": Parser(
        stored("tables/promptfoo/results.json"), imported("promptfoo", "results.json", "pass"), (TableError,)
    ),
    "mlflow": Parser(stored("tables/mlflow/runs.csv"), imported("mlflow", "r.csv", "accuracy"), (TableError,)),
    "optuna": Parser(stored("tables/optuna/trials*.csv"), imported("optuna", "t.csv", None), (TableError,)),
    "helm": Parser(
        stored("tables/helm/suffix-no/per_instance_stats.json"),
        imported("helm", "per_instance_stats.json", "exact_match"),
        (TableError,),
    ),
    "gguf": Parser(
        lambda: [file_of(METADATA, [(3, 4), (5,)])],
        of_file("m.gguf", lambda path: vars(gguf.read_header(path))),
        (NoGguf,),
    ),
    "gguf's content": Parser(
        lambda: [file_of(METADATA, [(3, 4)]) + bytes(80)], of_file("m.gguf", gguf.content_sha256), (NoGguf,)
    ),
    "audit": Parser(lambda: [a_record().to_json().encode()], of_file("a.json", read_record), (SweepError,)),
    "host file": Parser(
        texts(HOST),
        of_file("h.json", lambda path: (found := Fingerprint.load(path)) and (found.digest, found.summary)),
        (FingerprintError,),
    ),
    "labels": Parser(texts(LABELS), of_file("labels.csv", _read), (SweepError,)),
    "answer of chat": Parser(lambda: [GOOD["/api/chat"]], answered("/api/chat", generate), (EngineError,)),
    "answer of embed": Parser(
        lambda: [GOOD["/api/embed"]],
        answered("/api/embed", lambda engine: engine.embed(["a"], model=MODEL)),
        (EngineError,),
    ),
    **{
        f"answer of {name}": Parser(
            lambda name=name: [GOOD[f"/api/{name}"]],
            answered(f"/api/{name}", lambda engine: engine.identify(MODEL)),
            (EngineError,),
        )
        for name in ("version", "tags", "show", "ps")
    },
    "answer of /v1": Parser(
        lambda: [GOOD["/v1/chat/completions"]], answered("/v1/chat/completions", generate, OpenAIEngine), (EngineError,)
    ),
    "list of /v1": Parser(
        lambda: [GOOD["/v1/models"]],
        answered("/v1/models", lambda engine: engine.models(), OpenAIEngine),
        (EngineError,),
    ),
    "a judge's answer": Parser(
        texts('{"covered": [true, false]}'),
        of_text(lambda text: parse_json_object(text, "judge")),
        (EngineProtocolError,),
    ),
    "parameters of a model": Parser(texts('stop "<|a|>"\ntemperature 0.7\nnum_ctx 10\n'), of_text(parse_parameters)),
    "version": Parser(texts("0.12.3-rc1", "v1.2"), of_text(parse_version)),
    "cpuinfo": Parser(texts("model name : x\nHardware : y\n"), of_text(parse_cpuinfo)),
    "lscpu": Parser(texts('{"lscpu":[{"field":"Model name:","data":"x","children":[]}]}'), of_text(parse_lscpu)),
    "system_profiler": Parser(
        texts('{"SPDisplaysDataType":[{"sppci_model":"M1","sppci_cores":"8"}]}'),
        of_text(lambda text: parse_system_profiler(text)),
    ),
    "address": Parser(
        texts("https://me:pw@host:1234/x/api", "[::1]:11434", ":80"), of_text(server_address), (ValueError,)
    ),
    "address, shown": Parser(
        texts("https://me:pw@host:1234/x", "a postgresql://u:p@h/db b"),
        of_text(lambda text: (without_password(text), is_local(text), scrub({"x": text}))),
    ),
    "database's address": Parser(
        texts("postgresql+psycopg://u:p@h:1/db?x=1"), of_text(database_address), (ValueError,)
    ),
    "host of an audit": Parser(
        texts("wk-1=http://wk-1:11434/v1"), of_text(lambda text: parse_host(text, EngineSpec("ollama"))), (ConfigError,)
    ),
    "names of columns": Parser(
        texts("case=id,score=acc,seed=a+b"),
        of_text(lambda text: parse_columns(text, ("case", "score", "seed"))),
        (ColumnsError,),
    ),
    "changed settings": Parser(
        texts("num_thread=2", 'stop=["a"]'), of_text(lambda text: read_changes([text])), (ConfigError,)
    ),
    "settings of a probe": Parser(
        texts("top_k=3", "stop=a"), of_text(lambda text: read_values([text])), (ConfigError,)
    ),
    "weights": Parser(texts("16,8,4,2,1"), of_text(_weights), (click.ClickException,)),
}


def memory() -> float:
    """The largest memory of this process so far, in MB; 0 where the system does not say."""
    if resource is None:
        return 0.0
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024 if os.uname().sysname == "Linux" else 1024**2)


def check(parser: Parser, data: bytes, folder: Path) -> None:
    """One input, with nothing but documented errors, in little time."""
    started = time.process_time()
    try:
        parser.call(data, folder)
    except parser.errors as error:
        said = str(error).strip()
    else:
        said = "read"
    assert said
    assert time.process_time() - started < 2


@pytest.mark.parametrize("name", PARSERS)
def test_only_documented_errors_escape(name: str, tmp_path: Path) -> None:
    parser = PARSERS[name]
    parser.call(parser.samples()[0], tmp_path)  # imports, and a sample that is valid
    before = memory()

    @settings(
        max_examples=30, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck)
    )  # fmt: skip
    @given(damaged(parser.samples()))
    def attacked(data: bytes) -> None:
        check(parser, data, tmp_path)

    attacked()
    assert memory() - before < 300


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("name", PARSERS)
def test_only_documented_errors_escape_10_000_inputs(name: str, tmp_path: Path) -> None:
    """Other inputs each time, without hypothesis, which takes longer than most parsers; the first failure is shown."""
    parser, chance, samples = PARSERS[name], random.Random(), PARSERS[name].samples()
    parser.call(samples[0], tmp_path)
    before = memory()
    for _ in range(10_000):
        data = damage(
            samples, chance.randint, lambda low, high: chance.randbytes(chance.randint(low, high))
        )  # fmt: skip
        try:
            check(parser, data, tmp_path)
        except Exception as error:
            error.add_note(f"for the input {data!r}")
            raise
    assert memory() - before < 300


def _damaged_at(data: bytes, place: int) -> bytes:
    return data[:place] + bytes([data[place] ^ 0xFF]) + data[place + 1 :]


BROKE = [
    ("rubric", RUBRIC.replace("c.txt", "c" * 5000).encode()),
    ("gguf's content", b"GGUF" + struct.pack("<IQQQ", 3, 0, 1, 1) + b"a" + struct.pack("<IIQ", 9, 4, 2**60)),
    ("answer of ps", b'{"models": [{"name": "smollm2:135m", "size": 9}]}'),
    ("answer of ps", b'{"models": 5}'),
    ("items in CSV", b"\xff\xfeid,text,level\n1"),
    ("items in JSON", b"\xff\xfe[{}] "),
    ("answer of chat", b'{"message": {"content": 1.5}, "done": true}'),
    ("answer of chat", b'{"message": {"content": "x"}, "done": true, "eval_count": "many", "prompt_eval_count": []}'),
    ("version", b"9" * 5000 + b".1"),
    ("system_profiler", b'{"SPDisplaysDataType":[{"sppci_cores":"%s"}]}' % (b"8" * 5000)),
    ("system_profiler", '{"SPDisplaysDataType":[{"sppci_cores":"\u00b2"}]}'.encode()),
    ("system_profiler", b'{"SPDisplaysDataType":[{"spdisplays_vram":"%s GB"}]}' % (b"8" * 5000)),
    ("address, shown", b"https://me:[x"),
    ("inspect, packed", _damaged_at(stored("tables/inspect/capitals-2.eval")()[0], 28_826)),
]
"""Inputs that escaped once: names too long, half a character, other types, sizes beyond the file, endless numbers."""


@pytest.mark.parametrize(("name", "data"), BROKE)
def test_an_input_that_once_escaped(name: str, data: bytes, tmp_path: Path) -> None:
    check(PARSERS[name], data, tmp_path)


def test_a_packed_log_that_unpacks_to_gigabytes_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "bomb.eval"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as log, log.open("header.json", "w") as file:
        for _ in range(300):
            file.write(b" " * (1 << 20))
    with pytest.raises(TableError, match=r"bomb\.eval: .*unpacks to 300 MB"):
        read_table(path, source="inspect")
