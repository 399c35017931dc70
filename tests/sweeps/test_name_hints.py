"""Hints for mistyped names."""

from __future__ import annotations

from objectives.hints import did_you_mean, nearest_name
from sweeps.errors import name_hint
from sweeps.options import OPTIONS


def test_a_name_like_the_given_one_or_the_list_of_all() -> None:
    assert name_hint("temprature", OPTIONS) == "did you mean 'temperature'?"
    assert name_hint("zzz", ["a", "b"]) == "valid: a, b"
    assert name_hint("zzz", iter(["a", "b"])) == "valid: a, b"


def test_the_sentence_ends_where_the_next_one_begins() -> None:
    assert did_you_mean("temprature", OPTIONS) + "Valid: ..." == "Did you mean 'temperature'? Valid: ..."
    assert did_you_mean("zzz", ["a", "b"]) == ""


def test_what_is_no_text_is_compared_as_one() -> None:
    assert nearest_name(1234, ["12345", "x"]) == "12345"
    assert nearest_name(None, []) is None
