"""Fixtures of the sweeps' tests."""

from __future__ import annotations

import pytest


@pytest.fixture
def no_report(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sweeps end without report and plots, which have tests of their own and take longer than the sweep."""
    from sweeps import reporting

    def nothing(result: object) -> reporting.Outputs:
        folder = result.folder  # type: ignore[attr-defined]
        return reporting.Outputs(folder / "report.html", "", "", folder / "observations.csv")

    monkeypatch.setattr(reporting, "write_outputs", nothing)
