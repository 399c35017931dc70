"""Messages about Optuna's storage."""

from __future__ import annotations

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
