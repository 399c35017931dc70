"""Addresses of engines."""

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweeps.addresses import address_id, is_local, ollama_port, port_of, scrub, server_address


@pytest.mark.parametrize(
    "address",
    [
        "in process",
        "http://127.0.0.1:11434",
        "http://127.8.9.1",
        "http://localhost:11434/",
        "LOCALHOST:11434",
        "http://localhost.:1",
        "http://[::1]:11434",
        "http://[::ffff:127.0.0.1]:11434",
        "http://0.0.0.0:11434",
        "0.0.0.0",
        "http://user:word@127.0.0.1:11434",
    ],
)
def test_addresses_that_are_this_machine(address):
    assert is_local(address)


@pytest.mark.parametrize(
    "address",
    [
        "http://192.0.2.7:11434",
        "http://128.0.0.1",
        "http://box:11434",
        "https://localhost.example.com",
        "http://127.0.0.1.example.com",
        "http://localhost@box:11434",
        "http://[2001:db8::1]:11434",
        "http://[broken",
    ],
)
def test_addresses_that_are_not_this_machine(address):
    assert not is_local(address)


def test_an_address_of_an_own_interface_is_this_machine(monkeypatch):
    entry = type("Entry", (), {"address": "192.0.2.7"})
    monkeypatch.setattr(psutil, "net_if_addrs", lambda: {"en0": [entry]})
    assert is_local("http://192.0.2.7:11434")
    assert not is_local("http://192.0.2.8:11434")


def test_ports_follow_ollamas_rules():
    assert port_of("localhost") == 11434
    assert port_of("http://localhost") == 80
    assert port_of("http://localhost:8080/x") == 8080
    assert ollama_port("") == 11434
    assert ollama_port("https://box") == 443
    assert ollama_port("[::1]:9") == 9


@pytest.mark.parametrize("text", ["https://me:[secret", "see http://[secret] and"])
def test_scrubbing_hides_what_is_no_address(text: str):
    assert "secret" not in scrub(text)


def test_scrubbing_keeps_local_urls_and_hub_names():
    assert scrub("http://127.0.0.1:11434") == "http://127.0.0.1:11434"
    assert scrub("hf.co/someone/model:Q4") == "hf.co/someone/model:Q4"
    assert scrub("http://box:11434/api") == f"http://{address_id('box:11434')}/api"


SERVERS = {
    # as Ollama's own client and server read them
    "": "http://127.0.0.1:11434",
    "1.2.3.4": "http://1.2.3.4:11434",
    ":56789": "http://127.0.0.1:56789",
    "1.2.3.4:56789": "http://1.2.3.4:56789",
    "http://1.2.3.4": "http://1.2.3.4:80",
    "https://1.2.3.4": "https://1.2.3.4:443",
    "https://1.2.3.4:56789": "https://1.2.3.4:56789",
    "example.com/": "http://example.com:11434",
    "example.com:56789/path/": "http://example.com:56789/path",
    "[0001:002:003:0004::1]": "http://[0001:002:003:0004::1]:11434",
    "https://[0001:002:003:0004::1]:56789/path": "https://[0001:002:003:0004::1]:56789/path",
    # what people set
    "0.0.0.0": "http://127.0.0.1:11434",
    "http://0.0.0.0:8080": "http://127.0.0.1:8080",
    "::": "http://[::1]:11434",
    "[::]:9": "http://[::1]:9",
    "::1": "http://[::1]:11434",
    "[::1]:11434": "http://[::1]:11434",
    '"127.0.0.1:11434"': "http://127.0.0.1:11434",
    "'http://box:1/'": "http://box:1",
    " box \n": "http://box:11434",
    "HTTP://Box:1": "http://box:1",
    "http://box:1//": "http://box:1",
    "http://box:1/v1": "http://box:1",
    "http://box:1/v1/": "http://box:1",
    "http://box:1/api": "http://box:1",
    "http://box:1/api/generate": "http://box:1",
    "https://gate/ollama/v1/chat/completions": "https://gate:443/ollama",
    "https://gate/api-v1": "https://gate:443/api-v1",
    "ollama.com": "https://ollama.com:443",
}


@pytest.mark.parametrize("text", SERVERS)
def test_an_address_is_read_as_ollamas_client_and_server_do(text: str) -> None:
    assert server_address(text).url == SERVERS[text]
    assert server_address(SERVERS[text]).url == SERVERS[text]


@pytest.mark.parametrize("text", [text for text in SERVERS if "/v1" not in text and "/api" not in text])
def test_the_official_client_reads_what_we_give_it_in_the_same_way(text: str) -> None:
    from ollama._client import _parse_host

    assert _parse_host(server_address(text).url) == SERVERS[text]


@pytest.mark.parametrize(
    "text",
    [
        "http://",
        "ftp://box",
        "box:abc",
        "box:0",
        "box:99999",
        "[::1",
        "[::1]:1x",
        "::1:11434",
        "a b",
        "http://me:x@",
        "b?x=1",
    ],
)
def test_what_is_no_address_of_a_server(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        server_address(text)
    assert ollama_port(text) == 11434


def test_user_and_password_stand_apart() -> None:
    place = server_address("https://me:se%40cret@more@box/x")
    assert (place.user, place.password, place.url) == ("me", "se@cret@more", "https://box:443/x")
    assert "cret" not in repr(place)


@given(st.text("abc:/@[].%0129 ", max_size=30) | st.text(max_size=30))
def test_any_text_is_an_address_or_a_value_error(text: str) -> None:
    try:
        place = server_address(text)
    except ValueError:
        return
    assert server_address(place.url).url == place.url
    assert "@" not in place.url.partition("/")[0]
