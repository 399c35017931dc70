"""Databases and servers that a sweep's file names as places of its data, and which of them need permission."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

from objectives.permission import HOW, permitted
from sweeps.addresses import database_address, is_local, without_password
from sweeps.errors import ConfigError

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):")
_SERVERS = ("http", "https")
_DATABASES = ("postgresql", "postgres", "mysql", "mssql")
_HARMLESS = frozenset({"application_name", "connect_timeout", "sslmode"})
"""Options of a database's URL that name no host, file or further options."""


def require_permission(url: str, folder: Path, place: str) -> None:
    """Refuse a place that a file names, unless it is in the folder of sweeps, on this machine, or permitted.

    Args:
        url: URL of a database or a server, or a path, as SQLAlchemy and MLflow take it.
        folder: The folder of sweeps.
        place: File and key of the URL for the error's message.

    Raises:
        ConfigError: If it is not permitted.
    """
    if _is_own(url, folder):
        return
    what = f"write the study, its texts included, to {_shown(url)}"
    if not permitted(what):
        raise ConfigError(f"{place}: would {what}. If that place is yours, {HOW}")


def _is_own(url: str, folder: Path) -> bool:
    """Whether a place is in a folder, or a server of this machine; False where parsers could read it differently."""
    if re.search(r"[\\\s\0-\x1f]", url):
        return False
    found = _SCHEME.match(url)
    scheme = found[1].lower().partition("+")[0] if found else "file"
    try:
        if scheme in _SERVERS:
            return is_local(url)
        if scheme in ("sqlite", *_DATABASES):
            return _is_own_database(url, scheme, folder)
        return scheme == "file" and not (found and _has_host(url)) and _is_inside(_path(url), folder)
    except (ValueError, OSError):
        return False


def _is_own_database(url: str, scheme: str, folder: Path) -> bool:
    import sqlalchemy as sa

    try:
        parts = sa.make_url(url)
    except sa.exc.ArgumentError:
        return False
    name = parts.database or ""
    if scheme == "sqlite":
        return not parts.query and not name.startswith("file:") and (name == ":memory:" or _is_inside(name, folder))
    return (
        set(parts.query) <= _HARMLESS and re.fullmatch(r"[\w.-]*", name) is not None and is_local(_server(parts.host))
    )


def _server(host: str | None) -> str:
    return f"[{host}]" if host and ":" in host else host or "localhost"


def _is_inside(path: str, folder: Path) -> bool:
    return Path(path).resolve().is_relative_to(folder.resolve())


def _has_host(url: str) -> bool:
    """Whether a file's URL has a host; for Python from 3.14 on, `file:////host/path` has."""
    parts = urlsplit(url)
    return bool(parts.netloc) or parts.path.startswith("//")


def _path(url: str) -> str:
    return url2pathname(urlsplit(url).path) if url.lower().startswith("file:") else url


def _shown(url: str) -> str:
    scheme = url.partition("://")[0].partition("+")[0].lower()
    if scheme in ("sqlite", *_DATABASES):
        try:
            return database_address(url)
        except ValueError:
            return f"a database of {scheme}"
    return without_password(url).partition("?")[0]
