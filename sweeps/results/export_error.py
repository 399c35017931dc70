"""The error of an export, as scripts catch it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from analysis.export import export_set
from sweeps.errors import SweepError


class ExportError(SweepError, export_set.ExportError):
    """The finalist is not shown better, or breaks a limit; or its files cannot be written."""


@contextmanager
def export_errors() -> Iterator[None]:
    """Raise errors of `analysis.export` as a `SweepError`.

    Raises:
        ExportError: Instead of `analysis.export.export_set.ExportError`.
    """
    try:
        yield
    except export_set.ExportError as error:
        raise ExportError(str(error)) from error
