"""Ollama's official client, imported nowhere else, and the address given to it."""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import httpx

from sweeps.addresses import without_password
from sweeps.errors import ConfigError

HOST = "OLLAMA_HOST"
"""The variable that names the server if neither file nor command does."""

DEFAULT_HOST = "127.0.0.1:11434"
CONNECT_SECONDS = 10.0
"""Longest wait for a connection."""

_SHORT_SECONDS = 30.0


@contextmanager
def _unset(name: str) -> Iterator[None]:
    """Remove a variable from the environment within the context."""
    value = os.environ.pop(name, None)
    try:
        yield
    finally:
        if value is not None:
            os.environ[name] = value


with _unset(HOST):  # the package makes a client on import, which fails if the variable is no address
    from ollama import Client, ResponseError

__all__ = ["CONNECT_SECONDS", "NativeClient", "ResponseError", "is_loopback"]


class NativeClient(Client):
    """The official client, with the request fields that its typed methods do not have.

    Its `chat` knows no `truncate`, and its typed options drop `min_p`.

    Args:
        host: Address by the rules of `OLLAMA_HOST`; None or empty for that variable, else 127.0.0.1:11434.

    Raises:
        ConfigError: If the host, or the variable where no host is given, is no address.
    """

    def __init__(self, host: str | None) -> None:
        given = (host or "").strip()
        named = given or os.environ.get(HOST, "").strip() or DEFAULT_HOST
        try:
            if len(_parts(named)) > 1:
                raise ValueError("it is more than one")
            # A proxy from the environment is not meant for a server on this machine.
            super().__init__(named, timeout=_limits(_SHORT_SECONDS))
            if is_loopback(self._client.base_url):
                self._client.close()
                super().__init__(named, timeout=_limits(_SHORT_SECONDS), trust_env=False)
        except (ValueError, httpx.InvalidURL) as error:
            raise ConfigError(_no_address(named, error, of_variable=not given)) from None

    @property
    def address(self) -> str:
        """The server's URL."""
        return str(self._client.base_url).rstrip("/")

    def get(self, path: str) -> dict[str, Any]:
        """Get a JSON object."""
        return self._request(dict, "GET", path)

    def post(self, path: str, body: Mapping[str, Any], timeout: float = _SHORT_SECONDS) -> dict[str, Any]:
        """Post a JSON object and return the JSON object answered within `timeout` seconds."""
        return self._request(dict, "POST", path, json=dict(body), timeout=_limits(timeout))

    def stream(self, path: str, body: Mapping[str, Any], timeout: float) -> Iterator[dict[str, Any]]:
        """Post a JSON object and return a stream of them; `timeout` is the longest silence in seconds."""
        body = {**body, "stream": True}
        return self._request(dict, "POST", path, json=body, stream=True, timeout=_limits(timeout))


def _limits(seconds: float) -> httpx.Timeout:
    return httpx.Timeout(seconds, connect=min(seconds, CONNECT_SECONDS))


def _no_address(host: str, error: Exception, *, of_variable: bool) -> str:
    """Return the message for a host that is no address."""
    shown = repr(without_password(host))
    subject = f"the variable {HOST} holds {shown}, which" if of_variable else f"host {shown}"
    parts = [without_password(part) for part in _parts(host)]
    listed = ", ".join(f'"{part}"' for part in parts)
    todo = f"write it like {DEFAULT_HOST}" if len(parts) == 1 else f"several go into engine.hosts = [{listed}]"
    return f"{subject} is no address ({without_password(str(error))}); {todo}"


def _parts(host: str) -> list[str]:
    """Split a text that may list several addresses; one with an @ stays whole, since a password may hold separators."""
    return [host] if "@" in host else [part for part in re.split(r"[,;\s]+", host) if part]


def is_loopback(url: httpx.URL) -> bool:
    """Whether the address is this machine's own."""
    try:
        return ipaddress.ip_address(url.host).is_loopback
    except ValueError:
        return url.host == "localhost"
