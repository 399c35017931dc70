"""Servers behind proxies and gateways: keys, refusals, busy servers and usage limits, all on real sockets."""

from __future__ import annotations

import base64
import shutil
import ssl
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import certifi
import pytest

from sweeps.cli import run_command
from sweeps.engines import _http, _ollama_client, _proxies, open_engine
from sweeps.engines.base import (
    AccessRefused,
    EngineBusy,
    EngineFailure,
    EngineUnreachable,
    OutOfMemory,
    Prompt,
    UsageLimit,
)
from sweeps.engines.ollama import OllamaEngine
from sweeps.engines.openai import OpenAIEngine
from sweeps.engines.spec import EngineSpec
from sweeps.errors import ConfigError
from sweeps.scoring.engine_models import EngineModels
from tests.doubles.gateway import Answer, Gateway
from tests.doubles.ollama import OllamaDouble
from tests.sweeps.sweep_files import write_sweep

MODEL = "smollm2:135m"
PROMPT = Prompt("Ann: the pump failed.")
OPTIONS = {"temperature": 0.8, "num_ctx": 1024, "num_predict": 5, "seed": 3}
REMOTE = "http://192.0.2.1:11434"  # an address that is nobody's; no test sends anything there
BASIC = "Basic " + base64.b64encode(b"me:se@cret").decode()


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    monkeypatch.delenv("OLLAMA_API_KEY", raising=False)
    monkeypatch.delenv("OLLAMA_HOST", raising=False)


@pytest.fixture(scope="module")
def server():
    with OllamaDouble(embeddings=True) as double:
        yield double


@pytest.fixture
def gateway(server: OllamaDouble):
    with Gateway(server.url) as gateway:
        yield gateway


# ---- proxies

PROXIES = (
    "socks5://127.0.0.1:1080",
    "socks5h://127.0.0.1:1080",
    "socks://me:word@127.0.0.1:1080",
    "ftp://x",
    "http://[::1",
)


@pytest.mark.parametrize("proxy", PROXIES)
@pytest.mark.parametrize("host", ["http://127.0.0.1:9", "localhost:9", "::1", "0.0.0.0:9"])
def test_a_server_on_this_machine_needs_no_proxy(proxy: str, host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", proxy)
    assert OllamaEngine(host).client._client._mounts == {}


@pytest.mark.parametrize("named", ["192.0.2.1", "192.0.2.0/24", "*", "box, 192.0.2.1", "192.0.2.1:11434"])
def test_a_server_that_no_proxy_names_needs_none(named: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", "socks5://127.0.0.1:1080")
    monkeypatch.setenv("NO_PROXY", named)
    assert OllamaEngine(REMOTE).client._client._mounts == {}


@pytest.mark.parametrize(
    ("named", "host"), [(".lab", "gpu.lab"), ("lab", "gpu.lab"), ("*.lab", "gpu.lab"), ("lab", "lab")]
)
def test_no_proxy_names_domains(named: str, host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.setenv("no_proxy", named)
    assert OllamaEngine(host).client._client._mounts == {}
    assert OllamaEngine(f"{host}x").client._client._mounts != {}


@pytest.mark.parametrize("proxy", PROXIES[:3])
def test_a_socks_proxy_needs_a_package(proxy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_proxies, "find_spec", lambda name: None)
    monkeypatch.setenv("all_proxy", proxy)
    with pytest.raises(ConfigError, match=r'pip install "slm-sweeps\[socks\]"') as caught:
        OllamaEngine(REMOTE)
    assert REMOTE in str(caught.value)
    assert str(caught.value).startswith("all_proxy=socks")
    assert "word" not in str(caught.value)
    assert caught.value.exit_code == 2


def test_socks_without_a_version_is_the_one_that_resolves_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_proxies, "find_spec", lambda name: object())
    monkeypatch.setenv("ALL_PROXY", "socks://me:word@127.0.0.1:1080")
    proxy = _proxies.proxy_of(_proxies.ServerAddress("https", "box", 443))
    assert proxy is not None
    assert (proxy.url.scheme, proxy.url.host, proxy.auth) == ("socks5h", "127.0.0.1", ("me", "word"))


@pytest.mark.parametrize(
    "proxy", ["http://[::1", "http://box:abc", "foo bar", "socks4://box:1", "http://", "ftp://box"]
)
@pytest.mark.parametrize("command", ["init", "check", "run", "probe", "fingerprint"])
def test_a_proxy_that_cannot_be_used_ends_a_command_with_a_message(
    command: str, proxy: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HTTP_PROXY", proxy)
    monkeypatch.setenv("http_proxy", proxy)
    path = write_sweep(tmp_path, engine={"kind": "ollama", "host": REMOTE, "options": None}, baseline={"model": MODEL})
    mlruns = ["--mlruns", str(tmp_path / "mlruns")]
    arguments = {
        "init": [str(tmp_path / "new"), "--host", REMOTE],
        "check": [str(path), *mlruns],
        "run": [str(path), *mlruns],
        "probe": [str(path), *mlruns],
        "fingerprint": ["--host", REMOTE],
    }
    assert run_command([command, *arguments[command]]) == 2
    shown = " ".join("".join(capsys.readouterr()).split())
    assert "http_proxy=" in shown.replace(" ", "")
    assert "Traceback" not in shown
    assert not (tmp_path / "new").exists()


def test_a_remote_server_is_asked_through_the_proxy(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", gateway.place)
    with OllamaEngine("http://me:se%40cret@box.invalid:11434") as engine:
        assert engine.models() == [MODEL]
    assert [path for path, _ in gateway.requests] == ["http://box.invalid:11434/api/tags"]
    assert gateway.sent("Authorization") == [BASIC]


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_proxy_that_wants_a_password(gateway: Gateway, scheme: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"{scheme.upper()}_PROXY", gateway.url)
    gateway.answers = [Answer.page(407, "Proxy Authentication Required", path="")]
    wanted = f"the proxy before {scheme}://box"
    with OllamaEngine(f"{scheme}://box.invalid") as engine, pytest.raises(AccessRefused, match=wanted):
        engine.models()
    assert len(gateway.requests) == 1


def test_a_proxy_is_named_where_nothing_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://me:word@127.0.0.1:9")
    with OllamaEngine("http://box.invalid", attempts=1) as engine, pytest.raises(EngineUnreachable) as caught:
        engine.models()
    assert str(caught.value).startswith("no answer from http://box.invalid:80 through the proxy http://127.0.0.1:9 (")


# ---- keys


@pytest.mark.parametrize("kind", ["ollama", "openai"])
def test_user_and_password_go_with_every_request(gateway: Gateway, kind: str) -> None:
    spec = EngineSpec(kind, host=f"http://me:se%40cret@{gateway.place}")
    gateway.lets_in = lambda headers: headers.get("authorization") == BASIC
    with open_engine(spec) as engine:
        assert engine.generate(PROMPT, OPTIONS, model=MODEL).text
        engine.identify(MODEL)
        engine.models()
        assert "cret" not in engine.address
    with EngineModels(EngineSpec("ollama", host=f"http://me:se%40cret@{gateway.place}")) as models:
        assert models.embedder(MODEL, None)(["one"])
        models.chat_json(MODEL, None)("Say yes.", {"type": "object"}, 0)
    paths = {path for path, _ in gateway.requests}
    chat = "/api/chat" if kind == "ollama" else "/v1/chat/completions"
    assert {chat, "/api/chat", "/api/embed", "/api/show", "/api/tags"} <= paths
    assert set(gateway.sent("Authorization")) == {BASIC}


def test_a_key_goes_as_a_bearer_token_unless_something_else_is_named(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OLLAMA_API_KEY", " key-1 \n")
    OllamaEngine(gateway.url).models()
    OllamaEngine(f"http://me:se%40cret@{gateway.place}").models()
    OllamaEngine(gateway.url, headers={"Authorization": "Token abc"}).models()
    assert gateway.sent("Authorization") == ["Bearer key-1", BASIC, "Token abc"]
    with pytest.raises(ConfigError, match="keep one"):
        OllamaEngine(f"http://me:se@{gateway.place}", headers={"authorization": "Token abc"})


def test_headers_come_from_the_environment(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATE_KEY", "k-123456 ")
    headers = {"X-Key": "$GATE_KEY", "X-Team": "lab", "X-Cost": "$$5", "Authorization": "Bearer ${GATE_KEY}"}
    with open_engine(EngineSpec("ollama", host=gateway.url, headers=headers)) as engine:
        engine.models()
    sent = [gateway.sent(name)[0] for name in headers]
    assert sent == ["k-123456", "lab", "$5", "Bearer k-123456"]
    for value in ("", " "):
        monkeypatch.setenv("GATE_KEY", value)
        with pytest.raises(ConfigError, match=r"engine\.headers\.X-Key: the variable GATE_KEY is not set"):
            open_engine(EngineSpec("ollama", host=gateway.url, headers=headers, source="sweep.toml: engine.options"))
    with pytest.raises(ConfigError, match=r"write \$NAME"):
        open_engine(EngineSpec("ollama", host=gateway.url, headers={"X-Key": "5 $"}))


@pytest.mark.parametrize(("name", "value"), [("X Key", "v"), ("X-Key", "a\nb"), ("X-Key", "schlüssel")])
def test_a_header_that_cannot_be_sent_is_refused_without_its_value(name: str, value: str) -> None:
    with pytest.raises(ConfigError) as caught:
        OllamaEngine("127.0.0.1:9", headers={name: value})
    assert "schl" not in str(caught.value)


def test_a_password_can_be_a_variable(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATE_WORD", "se@cret")
    OllamaEngine(f"http://me:$GATE_WORD@{gateway.place}").models()
    assert gateway.sent("Authorization") == [BASIC]
    monkeypatch.delenv("GATE_WORD")
    with pytest.raises(ConfigError, match="GATE_WORD, which is not set"):
        OllamaEngine(f"http://me:${{GATE_WORD}}@{gateway.place}")


def test_headers_do_not_follow_a_redirect_to_another_server(server: OllamaDouble, gateway: Gateway) -> None:
    with Gateway(server.url) as other:
        gateway.answers = [Answer(302, headers={"Location": f"{other.url}/api/tags"})]
        with OllamaEngine(gateway.url, headers={"X-Key": "k-123456", "Authorization": "Bearer k-123456"}) as engine:
            assert engine.models() == [MODEL]
        assert gateway.sent("X-Key") == ["k-123456"]
        assert other.sent("X-Key") == other.sent("Authorization") == [None]


def test_a_judge_on_another_server_gets_no_headers_of_the_engine(server: OllamaDouble, gateway: Gateway) -> None:
    spec = EngineSpec("ollama", host=gateway.url, headers={"X-Team": "lab"})
    with Gateway(server.url) as other, EngineModels(spec) as models:
        models.embedder(MODEL, other.url)(["one"])
        models.embedder(MODEL, f"{gateway.url}/v1")(["one"])
        assert set(other.sent("X-Team")) == {None}
        assert set(gateway.sent("X-Team")) == {"lab"}


@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.parametrize("body", ["page", '{"error": "unauthorized, got key-123456"}', ""])
def test_a_refusal_says_how_keys_are_set(status: int, body: str, gateway: Gateway) -> None:
    refusal = Answer.page(status, "Authorization Required") if body == "page" else Answer(status, body)
    gateway.answers = [refusal]
    engine = OllamaEngine(gateway.url, headers={"X-Key": "key-123456"})
    with pytest.raises(AccessRefused, match=rf"refused access \(status {status}") as caught:
        engine.models()
    message = str(caught.value)
    assert "OLLAMA_API_KEY" in message
    assert "engine.headers" in message
    assert "key-123456" not in message  # servers like to repeat what they were sent
    assert "<" not in message
    assert len(gateway.requests) == 1
    assert caught.value.exit_code == 2


# ---- busy servers


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_a_server_that_is_busy_for_a_moment_is_asked_again(status: int, gateway: Gateway) -> None:
    with OllamaEngine(gateway.url, wait=0.01) as engine:
        for path in ("/api/version", "/api/tags", "/api/show", "/api/ps", "/api/chat", "/api/embed"):
            gateway.answers.append(Answer.page(status, "Busy", path=path, times=2))
        engine.identify(MODEL)
        assert engine.generate(PROMPT, OPTIONS, model=MODEL).text
        assert engine.embed(["one"], model=MODEL)
    assert not any(answer.times for answer in gateway.answers)
    with OpenAIEngine(gateway.url, wait=0.01) as openai:
        gateway.answers = [Answer.page(status, "Busy", path="/v1", times=2)]
        assert openai.models() == [MODEL]


def test_a_server_that_stays_busy_is_an_error(gateway: Gateway) -> None:
    gateway.answers = [Answer.page(502, "Bad Gateway", times=99)]
    with OllamaEngine(gateway.url, attempts=3, wait=0.01) as engine, pytest.raises(EngineBusy) as caught:
        engine.models()
    assert "status 502: '502 Bad Gateway'" in str(caught.value)
    assert len(gateway.requests) == 3


@pytest.mark.parametrize("form", ["seconds", "date"])
def test_the_time_that_a_server_names_is_kept_to(form: str, gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float] = []
    monkeypatch.setattr("time.sleep", waited.append)
    later = format_datetime(datetime.now(UTC) + timedelta(seconds=7), usegmt=True)
    value = "7" if form == "seconds" else later
    gateway.answers = [Answer(503, headers={"Retry-After": value}, path="/api/tags", times=2)]
    OllamaEngine(gateway.url, wait=0.01).models()
    named = [seconds for seconds in waited if seconds > 1]
    assert named == pytest.approx([7, 7], abs=2.5)


@pytest.mark.parametrize(
    "answer",
    [
        Answer(429, '{"error": "you have reached your hourly usage limit, please upgrade to continue"}', times=9),
        Answer(429, '{"error": {"message": "You exceeded your current quota", "code": "insufficient_quota"}}', times=9),
        Answer(429, '{"error": "slow down"}', headers={"Retry-After": "3600"}, times=9),
        Answer(402, '{"error": "payment required"}', times=9),
        Answer(503, "maintenance", headers={"Retry-After": "7200"}, times=9),
    ],
)
def test_a_usage_limit_is_not_hammered(answer: Answer, gateway: Gateway) -> None:
    gateway.answers = [answer]
    with OllamaEngine(gateway.url, wait=0.01) as engine, pytest.raises(UsageLimit) as caught:
        engine.generate(PROMPT, OPTIONS, model=MODEL)
    assert len(gateway.requests) == 1
    assert caught.value.retry_after == (float(answer.headers["Retry-After"]) if answer.headers else None)
    if answer.headers:
        assert ("60 minutes" if "3600" in answer.headers.values() else "2.0 hours") in str(caught.value)


@pytest.mark.parametrize(("value", "seconds"), [("5", 5.0), ("0", 0.0), ("", None), ("soon", None), ("-3", None),
                                                ("Wed, 21 Oct 2015 07:28:00 GMT", 0.0), ("1" * 30, None)])  # fmt: skip
def test_retry_after(value: str, seconds: float | None) -> None:
    assert _http.retry_after({"retry-after": value}) == seconds


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ("model requires more system memory (5.6 GiB) than is available (3.2 GiB)", OutOfMemory),
        ("llama runner process has terminated: cudaMalloc failed: out of memory", OutOfMemory),
        ("llama runner process has terminated: signal: killed", OutOfMemory),
        ("memory layout cannot be allocated with num_gpu = 99", OutOfMemory),
        ("unable to allocate CUDA0 buffer", OutOfMemory),
        ("model runner has unexpectedly stopped", EngineFailure),
        ("memory of the chat was lost", EngineFailure),
    ],
)
def test_a_lack_of_memory_is_an_error_of_its_own(body: str, kind: type[EngineFailure], gateway: Gateway) -> None:
    gateway.answers = [Answer(500, f'{{"error": "{body}"}}')]
    with OllamaEngine(gateway.url) as engine, pytest.raises(EngineFailure) as caught:
        engine.generate(PROMPT, OPTIONS, model=MODEL)
    assert type(caught.value) is kind
    assert body[:20] in str(caught.value)


def test_certificates_that_are_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "none.pem"))
    with pytest.raises(ConfigError, match="SSL_CERT_FILE="):
        OllamaEngine("https://box.invalid")
    assert OllamaEngine("http://127.0.0.1:9").address == "http://127.0.0.1:9"


def test_certificates_are_read_once_unless_somebody_names_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    load = ssl.SSLContext.load_verify_locations

    def loaded(context: ssl.SSLContext, cafile: str, *rest: None) -> None:
        read.append(cafile)
        load(context, cafile, *rest)

    monkeypatch.setattr(ssl.SSLContext, "load_verify_locations", loaded)
    for name in ("SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)
    _ollama_client._bundled_certificates.cache_clear()
    for address in ("http://127.0.0.1:9", "https://box.invalid", "https://box.invalid"):
        OllamaEngine(address).close()
    assert read == [certifi.where()]
    own = Path(shutil.copyfile(certifi.where(), tmp_path / "own.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(own))
    OllamaEngine("https://box.invalid").close()
    assert read[1:] == [str(own)]
