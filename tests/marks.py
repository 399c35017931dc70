"""Marks for parameters of tests."""

from __future__ import annotations

from typing import Any

import pytest


def long(*values: object) -> Any:
    """Parameters that run only with `-m long`: others of the same test show the same in less time."""
    return pytest.param(*values, marks=pytest.mark.long)
