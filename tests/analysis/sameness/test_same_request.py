"""The rule for same-seed texts: p by hand, the bound behind it, and its rates of error."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.observations.table import TableError
from analysis.sameness.family import audit_family
from analysis.sameness.same_request import _Requests, _test, same_request


def table(texts: dict[str, list[list[str]]]) -> pd.DataFrame:
    """Texts by host, request and repeat."""
    return pd.DataFrame(
        [
            (host, f"c{request % 2}", request, repeat, text)
            for host, requests in texts.items()
            for request, repeats in enumerate(requests)
            for repeat, text in enumerate(repeats)
        ],
        columns=["host", "case", "seed", "repeat", "text"],
    )


def test_hosts_that_repeat_themselves() -> None:
    """Each request that differs with two repeats on each host multiplies p by 1 / 7, with three by 1 / 31."""
    two = table({"a": [["x", "x"]] * 6, "b": [["y", "y"]] * 3 + [["x", "x"]] * 3})
    found = same_request(two, "a", "b")
    assert (found.verdict, found.clean, found.mixed, found.repeated) == ("differs", 3, 0, 6)
    assert found.p_value == pytest.approx(2 / 7**3)
    assert found.between.share == 0.5
    assert found.own_a.share == found.own_b.share == 1
    three = table({"a": [["x"] * 3] * 2, "b": [["y"] * 3] * 2})
    assert same_request(three, "a", "b").p_value == pytest.approx(2 / 31**2)


def test_without_repeats_nothing_is_shown() -> None:
    """A host's own agreement is unknown then."""
    found = same_request(table({"a": [["x"]] * 20, "b": [["y"]] * 20}), "a", "b")
    assert (found.verdict, found.p_value, found.clean) == ("not shown", 1, 0)
    assert math.isnan(found.loss)


def test_single_requests_are_held_against_repeated_ones() -> None:
    """All 10 differ and none of 4 is mixed: Fisher's p is 1 / C(14, 4), and it is doubled."""
    many = [["x", "x"]] * 4
    found = same_request(table({"a": [*many, *[["x"]] * 10], "b": [*many, *[["y"]] * 10]}), "a", "b")
    assert (found.repeated, found.clean, found.single, found.differing) == (4, 0, 10, 10)
    assert found.p_value == pytest.approx(2 / math.comb(14, 4))
    assert found.verdict == "differs"
    own = [["x", "z"]] * 4  # hosts that do not repeat themselves differ from each other, too
    loose = same_request(table({"a": [*own, *[["x"]] * 10], "b": [*own, *[["y"]] * 10]}), "a", "b")
    assert (loose.mixed, loose.verdict) == (4, "not shown")


def test_same_needs_enough_requests() -> None:
    """No differing request of n leaves a loss of at most z² / (n + z²): .19 for 16 requests, .24 for 12."""
    many, few = (same_request(table({host: [["x", "x"]] * n for host in "ab"}), "a", "b") for n in (16, 12))
    assert (many.verdict, few.verdict) == ("same", "not shown")
    assert many.loss_high == pytest.approx(3.8415 / (16 + 3.8415), abs=1e-4)


def test_hosts_that_do_not_repeat_themselves_are_compared_with_themselves() -> None:
    rng = np.random.default_rng(3)

    def noisy(letters: str) -> list[list[str]]:
        return [list(rng.choice(list(letters), size=3)) for _ in range(24)]

    same = same_request(table({"a": noisy("xyz"), "b": noisy("xyz")}), "a", "b")
    assert same.mixed > 10
    assert same.p_value > 0.05
    other = same_request(table({"a": noisy("xyz"), "b": noisy("uvw")}), "a", "b")
    assert other.verdict == "differs"
    assert other.p_value <= 0.001


def test_seeds_of_greedy_texts_are_repeats() -> None:
    rows = table({"a": [["x"]] * 4, "b": [["y"]] * 4})
    found = same_request(rows, "a", "b", greedy=True)
    assert (found.between.n, found.repeated) == (2, 2)
    assert found.p_value == pytest.approx(2 / 49)


def test_hosts_without_a_common_request() -> None:
    rows = pd.concat([table({"a": [["x"]]}), table({"b": [["x"]]}).assign(seed=7)])
    with pytest.raises(TableError, match="no request in common"):
        same_request(rows, "a", "b")


@given(st.lists(st.floats(0.001, 1), min_size=1, max_size=8), st.integers(2, 5))
def test_the_factor_is_an_e_value(weights: list[float], repeats: int) -> None:
    """For any distribution of a request's text, its expectation is at most 1."""
    p = np.array(weights) / sum(weights)
    same = (p ** (2 * repeats)).sum()
    differing = (p**repeats).sum() ** 2 - same
    assert (2 ** (2 * repeats - 1) - 1) * differing + same <= 1 + 1e-12


@pytest.mark.parametrize("sure", [0.5, 0.9])
def test_false_alarms_by_simulation(sure: float) -> None:
    """Hosts whose text of a request is one of two, the first with probability `sure`."""
    rng = np.random.default_rng(11)
    alarms = 0
    for _ in range(200):
        text = (rng.random(32) >= sure).astype(np.int64)
        requests = _Requests(text, np.tile([True, True, False, False], 8), np.repeat(np.arange(8), 4), np.full(8, 2))
        alarms += _test(requests, 0, permutations=199).p_value <= 0.05
    assert alarms / 200 <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / 200)


@settings(max_examples=5, deadline=None)
@given(st.permutations(range(12)))
def test_rows_and_hosts_may_be_in_any_order(order: list[int]) -> None:
    rows = table({"a": [["x", "x"], ["x", "x"], ["z", "z"]], "b": [["y", "y"], ["x", "x"], ["w", "w"]]})
    one, other = same_request(rows, "a", "b"), same_request(rows.iloc[order], "b", "a")
    assert (one.p_value, one.clean, one.between.share) == (other.p_value, other.clean, other.between.share)


def test_an_audit_shares_one_level() -> None:
    """Holm by hand: .01 * 3, then .02 * 2; the test that could not be made keeps its share."""
    found = audit_family({"texts": 0.01, "weights": math.nan, "quality": 0.02})
    assert found["p_adjusted"].tolist() == pytest.approx([0.03, math.nan, 0.04], nan_ok=True)
    assert found["significant"].tolist() == [True, False, True]
