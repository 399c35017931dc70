"""Addresses of engines: local or remote, without passwords, and ids that tell hosts apart without naming them."""

from __future__ import annotations

import hashlib
import ipaddress
import os
import re
from collections.abc import Mapping
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any
from urllib.parse import SplitResult, urlsplit

import psutil


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


def without_password(text: str) -> str:
    """Return a text without the user names and passwords of the addresses in it."""
    return _USERINFO.sub(r"\g<before>", text)


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
    location = urlsplit(url).netloc.rpartition("@")[2]  # a name and password may stand before the @
    return location if not location or is_local(url) else address_id(url)


def ollama_port(address: str) -> int:
    """Read the port from a value of OLLAMA_HOST, by Ollama's rules (11434 unless a scheme or port says otherwise)."""
    scheme, separator, rest = address.strip().rpartition("://")
    default = {"http": 80, "https": 443}.get(scheme, 11434) if separator else 11434
    found = re.search(r":(\d{1,5})$", rest.split("/")[0])
    return int(found.group(1)) if found else default
