"""Whom an audit informs."""

from __future__ import annotations

from collections.abc import Mapping


class AuditProgress:
    """Is informed while an audit runs. This base shows nothing.

    Its methods may be called from several threads, one per machine.
    """

    def plan(self, generations: Mapping[str, int], tokens: int) -> None:
        """Take the number of generations by host, and of requests for one token, before any is sent."""

    def advance(self, host: str, seconds: float | None) -> None:
        """Take one generation of a host; `seconds` is None if it was measured before."""

    def note(self, text: str, *, warning: bool = False) -> None:
        """Take a message for a person."""
