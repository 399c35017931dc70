"""Addresses of engines: local or remote, without passwords, and ids that tell hosts apart without naming them."""

from __future__ import annotations

import hashlib
import ipaddress
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any
from urllib.parse import SplitResult, unquote, urlsplit

import psutil

OLLAMA_PORT = 11434
_PORTS = {"http": 80, "https": 443}
_API_PATH = re.compile(
    r"(?:^|/)(?:api|v1)(?:/(?:chat(?:/completions)?|completions|generate|tags|version|models|embed))?$"
)
"""The end of an address copied from another program's settings: an engine adds its own paths."""


@dataclass(frozen=True)
class ServerAddress:
    """The address of an Ollama server.

    Attributes:
        scheme: `http` or `https`.
        host: Name or IP address, without brackets.
        port: Port.
        path: The path before `/api`, such as `/ollama`; "" for none.
        user, password: For basic authentication; "" for none.
    """

    scheme: str
    host: str
    port: int
    path: str = ""
    user: str = field(default="", repr=False)
    password: str = field(default="", repr=False)

    @property
    def url(self) -> str:
        """The URL without user and password."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}{self.path}"

    @property
    def is_loopback(self) -> bool:
        """Whether it can only be this machine."""
        try:
            ip = ipaddress.ip_address(self.host)
        except ValueError:
            return self.host.rstrip(".") == "localhost"
        return ip.is_loopback or bool(
            isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped and ip.ipv4_mapped.is_loopback
        )


def server_address(text: str) -> ServerAddress:
    """Read an address by the rules of Ollama's server and clients for `OLLAMA_HOST`.

    Blanks and quotes around it do not matter. Without a scheme it is http on port 11434; with one, the scheme's own
    port. No host, `0.0.0.0` and `::` mean this machine. A path stays, without `/api` or `/v1` at its end.

    Args:
        text: The address, such as `box`, `:11434`, `::1`, `[::1]:8080` or `https://user:word@box/ollama`.

    Raises:
        ValueError: If it is no address.
    """
    text = unquoted(text)
    scheme, separator, rest = text.rpartition("://")
    scheme = scheme.lower() or "http"
    if scheme not in _PORTS:
        raise ValueError(f"{scheme}:// is no scheme of a server, write http:// or https://")
    user, _, rest = rest.rpartition("@")
    user, _, password = user.partition(":")
    authority, _, path = rest.partition("/")
    host, port = _host_and_port(authority, _PORTS[scheme] if separator else OLLAMA_PORT)
    if separator and not host:
        raise ValueError("the host is missing")
    if not separator and host == "ollama.com":
        scheme, port = "https", port if ":" in authority else 443
    path = "/".join(part for part in re.split(r"[?#]", path)[0].split("/") if part)
    path = _API_PATH.sub("", path)
    return ServerAddress(scheme, _connectable(host), port, f"/{path}" if path else "", unquote(user), unquote(password))


def unquoted(text: str) -> str:
    """Return a text without blanks and quotes around it, as Ollama reads variables."""
    return text.strip().strip("\"'").strip()


def _host_and_port(authority: str, default: int) -> tuple[str, int]:
    """Split `host`, `host:port`, `[v6]:port` or a bare IPv6 address."""
    if authority.startswith("["):
        host, bracket, rest = authority[1:].partition("]")
        if not bracket or not _is_ip(host) or (rest and not rest.startswith(":")):
            raise ValueError("Invalid IPv6 address")
        return host.lower(), _port(rest[1:], default)
    if _is_ip(authority):
        return authority.lower(), default
    host, _, port = authority.partition(":")
    if ":" in port:
        raise ValueError("an IPv6 address with a port needs brackets, like [::1]:11434")
    if re.search(r"[\s,;?#\\<>{}|^`\"']", host):
        raise ValueError(f"{host!r} is no host name")
    return host.lower(), _port(port, default)


def _port(text: str, default: int) -> int:
    if not text:
        return default
    if not re.fullmatch(r"\d{1,9}", text, re.ASCII):
        raise ValueError(f"{text!r} is no port")
    if not 0 < int(text) < 65536:
        raise ValueError(f"Port out of range 1-65535: {text}")
    return int(text)


def _is_ip(text: str) -> bool:
    try:
        ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return False
    return True


def _connectable(host: str) -> str:
    """Turn an address to listen on into one to connect to."""
    if not host:
        return "127.0.0.1"
    return {"0.0.0.0": "127.0.0.1", "::": "::1", "::0": "::1"}.get(host, host)


def _split(address: str) -> SplitResult:
    return urlsplit(address if "://" in address else f"http://{address}")


def port_of(address: str) -> int:
    """Read the port of an engine's address; without one, Ollama's default (or the scheme's)."""
    try:
        port = _split(address).port
    except ValueError:
        port = None
    return ollama_port(address) if port is None else port


def address_id(address: str) -> str:
    """Return 12 hex digits for an address's host and port, which tell hosts apart without naming them."""
    return hashlib.sha256(f"slm-sweeps host {_split(address).hostname}:{port_of(address)}".encode()).hexdigest()[:12]


_USERINFO = re.compile(
    r"""(?P<before>[A-Za-z][A-Za-z0-9+.-]*://|(?<=["'])(?=[^"'/\s@:]*:)|^(?=[^"'/\s@:]*:))(?P<who>[^/\s"']+)@"""
)
"""Name and password before a host: after a scheme, or, with a colon between them, where an address begins."""


_VARIABLE = re.compile(r"\$(?:(\w+)|\{(\w+)\})")


def without_password(text: str, *, variables: bool = False) -> str:
    """Return a text without the user names and passwords of the addresses in it.

    Args:
        text: The text.
        variables: Keep a user with a password that is only the name of an environment variable, such as `me:$PASSWORD`.
    """

    def shown(found: re.Match[str]) -> str:
        secret = found["who"].rpartition(":")[2]
        return found[0] if variables and _VARIABLE.fullmatch(secret) else found["before"]

    return _USERINFO.sub(shown, text)


def variable_in(text: str) -> str | None:
    """Return the environment variable that a text consists of (`$NAME` or `${NAME}`); None if it is no such text."""
    found = _VARIABLE.fullmatch(text)
    return None if found is None else found[1] or found[2]


def database_address(url: str) -> str:
    """Return a database's URL with its host, port and database only: other parts, options included, can be secret.

    Raises:
        ValueError: If it is no URL of a database; the message does not repeat it.
    """
    import sqlalchemy as sa

    try:
        parts = sa.make_url(url)
    except (sa.exc.ArgumentError, ValueError):
        raise ValueError("cannot be read; write postgresql+psycopg://USER:PASSWORD@HOST:PORT/DATABASE") from None
    host = parts.host or ""
    if "@" in host:
        raise ValueError("has an @ in its user name or password; write it as %40")
    host = f"[{host}]" if ":" in host else host
    port = "" if parts.port is None else f":{parts.port}"
    return f"{parts.drivername}://{host}{port}" + (f"/{parts.database}" if parts.database else "")


def is_open(url: str) -> bool:
    """Say whether a database's URL may be shown as it is: with neither a password nor options, which can be secret."""
    import sqlalchemy as sa

    try:
        parts = sa.make_url(url)
    except (sa.exc.ArgumentError, ValueError):
        return False
    return parts.password is None and not parts.query


def is_local(address: str) -> bool:
    """Tell whether an engine's address is this machine: in process, loopback, or one of its own interfaces' addresses.

    A tunnel (`ssh -L 11434:...`) makes a remote engine look local: see `sweeps.fingerprints.machine.tunnel_on`.

    Args:
        address: `in process`, a URL, or `host:port`; a name other than localhost never counts as this machine.
    """
    if address.strip() in ("in process", ""):
        return True
    try:
        host = (_split(address.strip()).hostname or "").rstrip(".")
    except ValueError:
        return False
    if host == "localhost":
        return True
    try:
        ip = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped:
        ip = ip.ipv4_mapped
    return ip.is_loopback or ip.is_unspecified or str(ip) in _own_addresses()


def _own_addresses() -> set[str]:
    try:
        interfaces = psutil.net_if_addrs()
    except (OSError, psutil.Error):
        return set()
    return {entry.address.partition("%")[0] for entries in interfaces.values() for entry in entries}


def scrub(value: Any) -> Any:
    """Remove from JSON-like facts everything that could name a person or a machine.

    An absolute path keeps its last part only. A host in a URL becomes its `address_id`, unless it is this machine. The
    home directory becomes `~`. Values under the key `api` are API paths and stay.
    """
    if isinstance(value, Mapping):
        return {str(key): entry if key == "api" else scrub(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [scrub(entry) for entry in value]
    return _scrub_text(value) if isinstance(value, str) else value


def _scrub_text(text: str) -> str:
    text = re.sub(r"\b([A-Za-z][A-Za-z0-9+.-]*://)([^/\s]*)", lambda url: url.group(1) + _hide_host(url.group()), text)
    if re.match(r"/|~", text):
        return PurePosixPath(text).name
    if re.match(r"[A-Za-z]:[\\/](?!/)|\\\\", text):
        return PureWindowsPath(text).name
    home = os.path.expanduser("~")
    return text.replace(home, "~") if len(home) > 1 else text


def _hide_host(url: str) -> str:
    try:
        location = urlsplit(url).netloc.rpartition("@")[2]  # a name and password may stand before the @
    except ValueError:  # no address, such as a bracket without its pair
        return "..."
    return location if not location or is_local(url) else address_id(url)


def ollama_port(address: str) -> int:
    """Read the port from a value of OLLAMA_HOST, by Ollama's rules (11434 unless a scheme or port says otherwise)."""
    try:
        return server_address(address).port
    except ValueError:
        return OLLAMA_PORT
