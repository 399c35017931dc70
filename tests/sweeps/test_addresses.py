"""Addresses of engines."""

import psutil
import pytest

from sweeps.addresses import address_id, is_local, ollama_port, port_of, scrub


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


def test_scrubbing_keeps_local_urls_and_hub_names():
    assert scrub("http://127.0.0.1:11434") == "http://127.0.0.1:11434"
    assert scrub("hf.co/someone/model:Q4") == "hf.co/someone/model:Q4"
    assert scrub("http://box:11434/api") == f"http://{address_id('box:11434')}/api"
