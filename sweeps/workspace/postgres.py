"""PostgreSQL for libraries that make their own tables: a schema for each of them, in the database of the ledger."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

_SEARCH_PATH = "-csearch_path="

MAKING_TABLES = 7_305_617
"""Number of PostgreSQL's advisory lock for making tables."""


def is_postgres(url: str) -> bool:
    """Whether a URL names a PostgreSQL database."""
    return url.partition("://")[0].partition("+")[0] in ("postgresql", "postgres")


def with_driver(url: str) -> str:
    """Return a URL with the driver that the extra `postgres` installs, where it names none."""
    scheme, separator, rest = url.partition("://")
    return f"postgresql+psycopg://{rest}" if separator and scheme in ("postgresql", "postgres") else url


def in_schema(url: str, schema: str) -> str:
    """Return the URL of a PostgreSQL database whose unqualified tables are in a schema."""
    import sqlalchemy as sa

    parsed = sa.make_url(url)
    given = parsed.query.get("options", ())
    options = [given] if isinstance(given, str) else list(given)
    whole = " ".join([*options, f"{_SEARCH_PATH}{schema}"])
    return parsed.update_query_dict({"options": whole}).render_as_string(hide_password=False)


@contextmanager
def making_tables(url: str) -> Iterator[None]:
    """Make the schema of a URL, and let one process at a time make tables in it.

    Libraries make their tables without a lock: of two processes that begin at once, one fails. A URL without a schema,
    or of another kind of database, needs nothing.

    Args:
        url: A URL as `in_schema` returns it.
    """
    import sqlalchemy as sa

    schema = _schema_of(url)
    if schema is None:
        yield
        return
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    with engine.connect() as connection:
        connection.exec_driver_sql(f"SELECT pg_advisory_lock({MAKING_TABLES})")
        connection.exec_driver_sql(f'CREATE SCHEMA IF NOT EXISTS "{schema}"')
        connection.commit()
        yield  # the lock is the connection's, and ends with it


def _schema_of(url: str) -> str | None:
    import sqlalchemy as sa

    if not is_postgres(url):
        return None
    options = sa.make_url(url).query.get("options", "")
    found = options if isinstance(options, str) else " ".join(options)
    return found.rpartition(_SEARCH_PATH)[2] if _SEARCH_PATH in found else None
