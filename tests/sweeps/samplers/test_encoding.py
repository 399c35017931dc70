"""The unit cube and back."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from sweeps.samplers.encoding import Encoding

CONDITIONS = {"tau": {"mode": (1, 2)}}


@st.composite
def distributions(draw: st.DrawFn) -> BaseDistribution:
    kind = draw(st.sampled_from(["float", "log", "step", "int", "int-log", "int-step", "names", "numbers", "flags"]))
    if kind in ("float", "log"):
        low = draw(st.floats(1e-4, 10)) if kind == "log" else draw(st.floats(-10, 10))
        return FloatDistribution(low, low + draw(st.floats(0.01, 100)), log=kind == "log")
    if kind == "step":
        low, step, count = (
            draw(st.integers(-20, 20)),
            draw(st.sampled_from([0.05, 0.1, 0.25, 2.0])),
            draw(st.integers(1, 40)),
        )
        return FloatDistribution(low / 4, round(low / 4 + step * count, 10), step=step)
    if kind == "int-log":
        low = draw(st.integers(1, 50))
        return IntDistribution(low, low + draw(st.integers(1, 1000)), log=True)
    if kind in ("int", "int-step"):
        low, step = draw(st.integers(-50, 50)), draw(st.integers(1, 16)) if kind == "int-step" else 1
        return IntDistribution(low, low + step * draw(st.integers(1, 60)), step=step)
    choices: dict[str, Any] = {"names": ["a", "b", "c"], "numbers": [10, 20, 40, 80], "flags": [True, False, None, 1.5]}
    return CategoricalDistribution(choices[kind])


spaces = st.dictionaries(st.sampled_from("abcdef"), distributions(), min_size=1, max_size=5)


@given(spaces, st.integers(0, 2**32 - 1))
def test_what_is_decoded_lies_in_the_space_and_encodes_to_itself(space: dict[str, BaseDistribution], seed: int) -> None:
    encoding = Encoding(space)
    codes = encoding.canonical(np.random.default_rng(seed).random((8, len(encoding))))
    points = [encoding.params(row) for row in codes]
    for point in points:
        assert point.keys() == space.keys()
        for name, value in point.items():
            assert space[name]._contains(space[name].to_internal_repr(value))
            assert type(value) in (int, float, str, bool, type(None))
    again = encoding.canonical(encoding.codes(points))
    np.testing.assert_allclose(again, codes, atol=1e-9)
    assert [encoding.params(row) for row in again] == [pytest.approx(point, nan_ok=True) for point in points]
    assert encoding.keys(again) == encoding.keys(codes)


@given(spaces)
def test_the_corners_of_the_cube_are_the_ends_of_the_ranges(space: dict[str, BaseDistribution]) -> None:
    encoding = Encoding(space)
    ends = [encoding.params(np.full(len(encoding), corner)) for corner in (0.0, 1.0)]
    for axis in encoding.axes:
        first, last = (
            axis.distribution.choices[:: len(axis.distribution.choices) - 1]
            if isinstance(axis.distribution, CategoricalDistribution)
            else (axis.distribution.low, axis.distribution.high)  # type: ignore[attr-defined]
        )
        assert ends[0][axis.name] == pytest.approx(first)
        assert ends[1][axis.name] == pytest.approx(last)


@pytest.mark.parametrize(
    ("distribution", "count"),
    [
        (IntDistribution(1, 5), 5),
        (IntDistribution(0, 12, step=4), 4),
        (FloatDistribution(0.0, 1.0, step=0.1), 11),
        (CategoricalDistribution(["a", "b", "c"]), 3),
    ],
)
def test_every_discrete_value_owns_an_equal_share_of_the_cube(distribution: BaseDistribution, count: int) -> None:
    encoding = Encoding({"x": distribution})
    fine = (np.arange(100 * count) + 0.5) / (100 * count)
    values = [encoding.params(np.array([code]))["x"] for code in fine]
    assert {values.count(value) for value in set(values)} == {100}
    assert len(set(values)) == count == encoding.size
    assert [encoding.params(row)["x"] for row in encoding.grid()] == sorted(set(values))


def test_log_scales_are_even_in_the_logarithm() -> None:
    encoding = Encoding({"x": FloatDistribution(0.01, 100, log=True)})
    np.testing.assert_allclose(encoding.codes([{"x": 0.1}, {"x": 1.0}, {"x": 10.0}])[:, 0], [0.25, 0.5, 0.75])


def test_steps_come_out_as_they_are_written() -> None:
    encoding = Encoding({"x": FloatDistribution(0.0, 1.0, step=0.05)})
    assert [encoding.params(row)["x"] for row in encoding.grid()] == [i / 20 for i in range(21)]


def test_numbers_beyond_the_range_go_to_its_end_and_strangers_nowhere() -> None:
    encoding = Encoding({"x": FloatDistribution(1, 2, log=True), "c": CategoricalDistribution(["a", "b"])})
    codes = encoding.codes([{"x": 5.0, "c": "a"}, {"x": -1, "c": "z"}, {"x": "much"}])
    np.testing.assert_array_equal(codes, [[1.0, 0.25], [0.0, math.nan], [math.nan, math.nan]])


def test_true_is_not_one() -> None:
    encoding = Encoding({"x": CategoricalDistribution([1, True])})
    assert encoding.codes([{"x": 1}, {"x": True}])[:, 0].tolist() == [0.25, 0.75]


def test_names_and_modes_become_columns_but_ascending_numbers_a_scale() -> None:
    encoding = Encoding(
        {
            "name": CategoricalDistribution(["b", "a"]),
            "size": CategoricalDistribution([10, 20, 80]),
            "mirostat": CategoricalDistribution([0, 1, 2]),
            "mode": IntDistribution(0, 2),
            "tau": FloatDistribution(0, 1),
        },
        CONDITIONS,
    )
    assert encoding.columns.tolist() == [0, 0, 1, 2, 2, 2, 3, 3, 3, 4]
    codes = encoding.codes([{"name": "a", "size": 20, "mirostat": 2, "mode": 1, "tau": 0.3}])
    np.testing.assert_allclose(encoding.features(codes), [[0, 1, 0.5, 0, 0, 1, 0, 1, 0, 0.3]])


def test_inactive_parameters_sit_at_their_centre_whatever_their_value() -> None:
    space = {"mode": CategoricalDistribution([0, 1, 2]), "tau": FloatDistribution(1, 9), "x": FloatDistribution(0, 1)}
    encoding = Encoding(space, CONDITIONS)
    points = [{"mode": 0, "x": 0.2}, {"mode": 0, "tau": 8.0, "x": 0.2}, {"mode": 1, "tau": 3.0, "x": 0.2}]
    codes = encoding.codes(points)
    assert encoding.active(codes).tolist() == [[True, False, True], [True, False, True], [True, True, True]]
    np.testing.assert_allclose(encoding.features(codes)[:, 3], [0.5, 0.5, 0.25])
    keys = encoding.keys(codes)
    assert keys[0] == keys[1] != keys[2]
    assert encoding.params(encoding.canonical(codes)[1]) == {"mode": 0, "tau": 5.0, "x": 0.2}


def test_an_inactive_category_is_equally_far_from_all() -> None:
    encoding = Encoding(
        {"mode": IntDistribution(0, 1), "kind": CategoricalDistribution(["a", "b", "c", "d"])}, {"kind": {"mode": [1]}}
    )
    np.testing.assert_allclose(encoding.features(encoding.codes([{"mode": 0}])), [[1, 0, 0.25, 0.25, 0.25, 0.25]])


def test_conditions_chain_whichever_stands_first() -> None:
    space = {"c": FloatDistribution(0, 1), "b": IntDistribution(0, 1), "a": IntDistribution(0, 1)}
    encoding = Encoding(space, {"c": {"b": [1]}, "b": {"a": [1]}})
    on = {"a": 1, "b": 1, "c": 0.9}
    assert encoding.active(encoding.codes([on, on | {"a": 0}, on | {"b": 0}])).tolist() == [
        [True, True, True],
        [False, False, True],
        [False, True, True],
    ]


def test_parents_outside_the_space_are_looked_up() -> None:
    space = {"tau": FloatDistribution(1, 9)}
    assert Encoding(space, CONDITIONS, {"mode": 1}).active(np.array([[0.3]])).item()
    assert not Encoding(space, CONDITIONS, {"mode": 0}).active(np.array([[0.3]])).item()
    single = {"mode": CategoricalDistribution([0]), **space}
    assert not Encoding(single, CONDITIONS, {"mode": 1}).active(np.array([[0.3]])).item()


def test_the_grid_has_each_configuration_once() -> None:
    space = {"mode": CategoricalDistribution([0, 1, 2]), "tau": IntDistribution(1, 5), "x": IntDistribution(0, 3)}
    encoding = Encoding(space, CONDITIONS)
    assert len(encoding.grid()) == 4 * (1 + 2 * 5)
    assert encoding.size == 60


def test_single_valued_parameters_are_fixed() -> None:
    encoding = Encoding(
        {"x": FloatDistribution(0, 1), "k": IntDistribution(7, 7), "c": CategoricalDistribution(["only"])}
    )
    assert len(encoding) == 1
    assert encoding.params(np.array([0.5])) == {"x": 0.5, "k": 7, "c": "only"}
