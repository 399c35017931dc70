"""Ollama's official client, imported nowhere else, the address given to it, and its streamed answers."""

from __future__ import annotations

import base64
import json
import math
import os
import re
import ssl
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

import httpx

from sweeps.addresses import ServerAddress, server_address, unquoted, variable_in, without_password
from sweeps.engines._proxies import proxy_of
from sweeps.engines.base import Generation, Timing, thinking_share
from sweeps.engines.spec import API_KEY
from sweeps.errors import ConfigError
from sweeps.options import OptionValue

HOST = "OLLAMA_HOST"
"""The variable that names the server if neither file nor command does."""

DEFAULT_HOST = "127.0.0.1:11434"
CONNECT_SECONDS = 10.0
"""Longest wait for a connection."""

_SHORT_SECONDS = 30.0
_MOST_TOKENS = 1 << 40
_HIDDEN = "***"


@contextmanager
def _environment(**values: str | None) -> Iterator[None]:
    """Set variables within the context; None removes one."""
    before = {name: os.environ.pop(name, None) for name in values}
    os.environ.update({name: value for name, value in values.items() if value is not None})
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value


# The package makes a client on import, which fails if a variable holds something that it cannot use.
_ON_IMPORT = {HOST: None, API_KEY: None, "SSL_CERT_FILE": None, "SSL_CERT_DIR": None, "NO_PROXY": "*", "no_proxy": "*"}

with _environment(**_ON_IMPORT):
    from ollama import Client, ResponseError

__all__ = ["CONNECT_SECONDS", "NativeClient", "ResponseError", "StatusError"]


class StatusError(Exception):
    """An answer with a status of 400 or more.

    Attributes:
        status: HTTP status.
        text: The body, without the secrets that were sent.
        headers: The answer's headers.
    """

    def __init__(self, status: int, text: str, headers: Mapping[str, str]) -> None:
        super().__init__(f"status {status}")
        self.status, self.text, self.headers = status, text, headers


class NativeClient(Client):
    """The official client, with the request fields that its typed methods do not have.

    Its `chat` knows no `truncate`, and its typed options drop `min_p`. User and password of the address are sent as
    basic authentication, otherwise `OLLAMA_API_KEY` as a bearer token.

    Args:
        host: Address by the rules of `OLLAMA_HOST`; None or empty for that variable, else 127.0.0.1:11434.
        headers: Further headers; an `Authorization` among them wins.

    Raises:
        ConfigError: If the host, or the variable where no host is given, is no address; if the proxy of the environment
            cannot be used, or a header cannot be sent.
    """

    def __init__(self, host: str | None, headers: Mapping[str, str] | None = None) -> None:
        given = unquoted(host or "")
        place = _place(given or unquoted(os.environ.get(HOST, "")) or DEFAULT_HOST, of_variable=not given)
        self.address = place.url
        self._headers = _all_headers(place, headers or {})
        self._secrets = sorted(_secrets(place, self._headers), key=len, reverse=True)
        self._origin = httpx.URL(self.address)
        super().__init__(
            self.address,
            timeout=_limits(_SHORT_SECONDS),
            headers=self._headers,
            trust_env=False,
            verify=_certificates(place),
            proxy=proxy_of(place),
            event_hooks={"request": [self._keep_headers_here], "response": [self._raise_status]},
        )

    def hidden(self, text: str) -> str:
        """Return a text without the secrets that this client sends."""
        for secret in self._secrets:
            text = text.replace(secret, _HIDDEN)
        return text

    def _keep_headers_here(self, request: httpx.Request) -> None:
        """Send the user's headers to the named server alone, not to where it redirects."""
        upgraded = request.url.host == self._origin.host and request.url.scheme == "https"
        if not upgraded and _origin_of(request.url) != _origin_of(self._origin):
            for name in self._headers:
                request.headers.pop(name, None)

    def _raise_status(self, response: httpx.Response) -> None:
        """Raise the client's own error with the headers, which the official client drops."""
        if response.status_code >= 400:
            response.read()
            raise StatusError(response.status_code, self.hidden(response.text), response.headers)

    def get(self, path: str) -> dict[str, Any]:
        """Get a JSON object."""
        return self._request(dict, "GET", path)

    def post(self, path: str, body: Mapping[str, Any], timeout: float = _SHORT_SECONDS) -> dict[str, Any]:
        """Post a JSON object and return the JSON object answered within `timeout` seconds."""
        return self._request(dict, "POST", path, json=dict(body), timeout=_limits(timeout))

    def stream(self, path: str, body: Mapping[str, Any], timeout: float) -> Iterator[dict[str, Any]]:
        """Post a JSON object and return a stream of them; `timeout` is the longest silence in seconds."""
        body = {**body, "stream": True}
        with self._client.stream("POST", path, json=body, timeout=_limits(timeout)) as response:
            if not response.is_success:  # a redirect; errors are raised before
                response.read()
                raise ResponseError(response.text, response.status_code)
            for line in _lines(response.iter_bytes()):
                record = json.loads(line)
                if error := record.get("error"):
                    raise ResponseError(error)
                yield dict(record)


def _lines(pieces: Iterable[bytes]) -> Iterator[str]:
    """Yield the lines of a stream, which end at a line feed alone.

    The official client ends them at U+0085 as well, which a text may contain, and which JSON does not escape.
    """
    rest = b""
    for piece in pieces:
        *whole, rest = (rest + piece).split(b"\n")
        yield from (line.decode("utf-8", "replace") for line in whole if line.strip())
    if rest.strip():
        yield rest.decode("utf-8", "replace")


def _limits(seconds: float) -> httpx.Timeout:
    return httpx.Timeout(seconds, connect=min(seconds, CONNECT_SECONDS))


def _origin_of(url: httpx.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port


def _place(named: str, *, of_variable: bool) -> ServerAddress:
    try:
        if len(_parts(named)) > 1:
            raise ValueError("it is more than one")
        place = server_address(named)
        httpx.URL(place.url)
        place = replace(place, user=_value_of(place.user), password=_value_of(place.password))
    except (ValueError, httpx.InvalidURL) as error:
        raise ConfigError(_no_address(named, error, of_variable=of_variable)) from None
    return place


def _value_of(text: str) -> str:
    """Return the value of the environment variable that a text names, or else the text."""
    name = variable_in(text)
    if name is None:
        return text
    if not (value := os.environ.get(name, "").strip()):
        raise ConfigError(f"the address of the engine's host names the variable {name}, which is not set; set it")
    return value


def _certificates(place: ServerAddress) -> ssl.SSLContext:
    """Return the certificates to trust, those that SSL_CERT_FILE or SSL_CERT_DIR names included.

    Raises:
        ConfigError: If such a file cannot be used.
    """
    named = [name for name in ("SSL_CERT_FILE", "SSL_CERT_DIR") if os.environ.get(name)]
    try:
        return httpx.create_ssl_context() if named and place.scheme == "https" else _bundled_certificates()
    except OSError as error:
        name = next(iter(named), "SSL_CERT_FILE")
        reason = error.strerror or str(error)
        raise ConfigError(f"{name}={os.environ.get(name, '')}: cannot be used as certificates ({reason})") from None


@cache
def _bundled_certificates() -> ssl.SSLContext:
    """Read the certificates that are installed with httpx, which takes longer than all else of a new client."""
    return httpx.create_ssl_context(trust_env=False)


def _all_headers(place: ServerAddress, given: Mapping[str, str]) -> dict[str, str]:
    """Return the headers to send, in lower case: those given, and one with the user or key for the server."""
    headers = {name.lower(): value for name, value in given.items()}
    key = os.environ.get(API_KEY, "").strip()
    user = f"{place.user}:{place.password}"
    sources = {name.lower(): f"engine.headers.{name}" for name in given}
    if user != ":" and "authorization" in headers:
        raise ConfigError(f"{place.url}: the address has a user name, and engine.headers an Authorization; keep one")
    if user != ":":
        headers["authorization"] = f"Basic {base64.b64encode(user.encode()).decode()}"
    elif key and "authorization" not in headers:
        headers["authorization"], sources["authorization"] = f"Bearer {key}", API_KEY
    for name, value in headers.items():
        if not re.fullmatch(r"[!#$%&'*+.^_`|~0-9a-z-]+", name):
            raise ConfigError(f"engine.headers: {name!r} is no name of a header; use letters, digits and -")
        if not (value.isascii() and value.isprintable()):  # the value is a secret, and not shown
            raise ConfigError(f"{sources[name]}: its value has a character that headers cannot have; use plain ASCII")
    return headers


def _secrets(place: ServerAddress, headers: Mapping[str, str]) -> set[str]:
    """Return the texts that must not be shown, where a server repeats them; words of a few letters are none."""
    words = [place.password, *(word for value in headers.values() for word in (value, *value.split()))]
    return {word for word in words if len(word) > 3 and word.lower() not in ("basic", "bearer", "token")}


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


@dataclass
class Streamed:
    """The pieces of a streamed answer, about one token each, and its last record."""

    thought: list[str] = field(default_factory=list)
    text: list[str] = field(default_factory=list)
    last: Mapping[str, Any] = field(default_factory=dict)

    @property
    def no_answer(self) -> str:
        """The reason if the server loaded or unloaded the model and asked it nothing; else ""."""
        reason = self.last.get("done_reason")
        return str(reason) if reason in ("load", "unload") and not self.text else ""


def generation(streamed: Streamed, total: float, effective: Mapping[str, OptionValue]) -> Generation:
    """Return the answer that was streamed.

    Args:
        streamed: Its pieces and last record.
        total: Seconds from request to end.
        effective: Options as the server applied them.

    Raises:
        TypeError: A piece is no text, or a count or duration no number.
        ValueError: A count or duration is out of range.
    """
    last = streamed.last
    counts = {name: _count(last.get(name)) for name in ("prompt_eval_count", "eval_count")}
    load, prefill, decode = (
        max(0.0, last.get(f"{part}_duration") or 0) / 1e9 for part in ("load", "prompt_eval", "eval")
    )
    if not math.isfinite(load + prefill + decode):
        raise ValueError("a duration without end")
    reason = last.get("done_reason")
    finish = "length" if reason == "length" else "stop" if last.get("done") else "repeat"
    return Generation(
        text="".join(streamed.text),
        finish=finish,
        prompt_tokens=counts["prompt_eval_count"],
        output_tokens=counts["eval_count"],
        timing=Timing(total, max(0.0, total - load - prefill - decode), load, prefill, decode),
        effective=effective,
        thought="".join(streamed.thought),
        thinking_tokens=thinking_share(counts["eval_count"], len(streamed.thought), len(streamed.text)),
    )


def _count(value: object) -> int | None:
    """Return a number of tokens as the server reports it; None where it does not."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{value!r} is no number of tokens")
    if not 0 <= value < _MOST_TOKENS:
        raise ValueError(f"{value} is no number of tokens")
    return value
