"""The proxy between this machine and a server, from the environment (or the system's settings)."""

from __future__ import annotations

import ipaddress
import os
import re
import urllib.request
from importlib.util import find_spec

import httpx

from sweeps.addresses import ServerAddress, server_address, unquoted, without_password
from sweeps.errors import ConfigError

SCHEMES = ("http", "https", "socks5", "socks5h")


def proxy_of(address: ServerAddress) -> httpx.Proxy | None:
    """Return the proxy to a server; None for a server of this machine, and for those that NO_PROXY names.

    NO_PROXY is read as by curl and Go: names with their subdomains, IP addresses, networks such as `10.0.0.0/8`, `*`.

    Raises:
        ConfigError: If the proxy's address cannot be used, or is a SOCKS proxy and `socksio` is not installed.
    """
    if address.is_loopback:
        return None
    proxies = urllib.request.getproxies()
    kind = next((kind for kind in (address.scheme, "all") if unquoted(proxies.get(kind, ""))), None)
    if kind is None or _bypassed(address, proxies.get("no", "")):
        return None
    return _proxy(unquoted(proxies[kind]), _variable(kind), address)


def through(address: str) -> str:
    """Return ` through the proxy ...` for the message of a server that does not answer; "" without a proxy."""
    try:
        proxy = proxy_of(server_address(address))
    except (ValueError, ConfigError):
        return ""
    return "" if proxy is None else f" through the proxy {proxy.url}"


def _proxy(value: str, variable: str, address: ServerAddress) -> httpx.Proxy:
    scheme, separator, rest = value.partition("://")
    scheme = scheme.lower() if separator else "http"
    scheme = "socks5h" if scheme == "socks" else scheme  # desktops write it for any version
    shown = without_password(value)
    needed = f"{variable}={shown}: the proxy for {address.url}"
    without = f"or name {address.host} in NO_PROXY if it needs no proxy"
    if scheme not in SCHEMES:
        raise ConfigError(f"{needed} has the scheme {scheme}://; use one of {', '.join(SCHEMES)}, {without}")
    try:
        proxy = httpx.Proxy(f"{scheme}://{rest if separator else value}")
        if not proxy.url.host or re.search(r"[\s%]", value.rpartition("@")[2]):
            raise httpx.InvalidURL("no host name")
    except (httpx.InvalidURL, ValueError) as error:
        reason = without_password(str(error))
        raise ConfigError(f"{needed} has no valid address ({reason}); correct {variable}, {without}") from None
    if scheme.startswith("socks") and find_spec("socksio") is None:
        todo = 'install it with pip install "slm-sweeps[socks]"'
        raise ConfigError(f"{needed} is a SOCKS proxy, which needs the package socksio; {todo}, {without}")
    return proxy


def _bypassed(address: ServerAddress, no_proxy: str) -> bool:
    """Whether NO_PROXY, or the system's settings, name the server."""
    if urllib.request.proxy_bypass(f"{address.host}:{address.port}"):
        return True
    return any(_names(entry.strip().lower(), address.host) for entry in no_proxy.split(","))


def _names(entry: str, host: str) -> bool:
    """Whether an entry of NO_PROXY names a host, where the standard library does not see it."""
    if entry == "*" or (entry.startswith("*.") and host.endswith(entry[1:])):
        return True
    try:
        return ipaddress.ip_address(host) in ipaddress.ip_network(entry.strip("[]"), strict=False)
    except ValueError:
        return False  # a name, or another port's


def _variable(kind: str) -> str:
    """Return the variable that names a proxy; lower case wins, as in the standard library."""
    name = f"{kind}_proxy"
    return name if os.environ.get(name) else name.upper()
