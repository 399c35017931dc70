"""Messages about Optuna's storage."""

from __future__ import annotations

from pathlib import Path

import pytest

from sweeps.errors import SweepError
from sweeps.search.trial_store import open_stored_study


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("unknown://me:sec/secret@db:1/x?password=secret", "Optuna's storage unknown://db:1/x cannot be used"),
        ("unknown://me:secret@db:port/x", r"Optuna's storage \(whose URL cannot be read; write postgresql"),
    ],
)
def test_a_password_is_not_shown(url: str, shown: str) -> None:
    with pytest.raises(SweepError, match=shown) as caught:
        open_stored_study("t", url)
    assert "secret" not in str(caught.value)


def test_the_value_of_a_trial_has_a_name(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'optuna.db'}"
    for _ in range(2):  # made, and opened again
        assert open_stored_study("t", url).metric_names == ["score"]
