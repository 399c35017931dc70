"""Search spaces as points of the unit cube, and back.

There are two coordinate systems. *Codes* have one number in [0, 1] per parameter; designs, perturbations and candidates
use them. A discrete parameter has one cell of equal width per value, so a uniform code is a uniform value. *Features*
are the input of a kernel: ordered parameters keep their code, unordered ones become one column per category. An
inactive parameter is at its centre whatever its value, so it can neither attract nor repel.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from analysis.arrays import BoolArray, FloatArray

Params = Mapping[str, Any]
ActiveWhen = Mapping[str, Mapping[str, Iterable[Any]]]

MODE_OPTIONS = frozenset({"mirostat"})
"""Options whose numbers are modes, not a scale."""

_MOST_MODES = 8
_KEY_DIGITS = 9
_DECIMALS = (
    12  # of numbers on a step's grid up to 1000; below 1 relative to the range, above 1000 what a float can hold
)
_FLOAT_DIGITS = 15
_MOST_DECIMALS = 300


@dataclass(frozen=True)
class Axis:
    """One parameter of the space.

    Attributes:
        name: The parameter's name.
        distribution: Its Optuna distribution.
        cells: Number of its values; 0 if it is continuous.
        nominal: Whether its values have no order and become one column each.
    """

    name: str
    distribution: BaseDistribution
    cells: int
    nominal: bool

    @property
    def columns(self) -> int:
        """Number of feature columns."""
        return self.cells if self.nominal else 1

    def codes(self, values: Sequence[Any]) -> FloatArray:
        """Return codes of values in [0, 1], shape (len(values),).

        NaN stands for None and for values without a place; numbers beyond the range go to its end.
        """
        if isinstance(self.distribution, CategoricalDistribution):
            choices = self.distribution.choices
            return np.array([_centre(_position(choices, value), self.cells) for value in values], dtype=float)
        numbers = np.array([_number(value) for value in values], dtype=float)
        low, high = self._ends
        numbers = np.clip(numbers, self.distribution.low, self.distribution.high)  # type: ignore[attr-defined]
        return ((np.log(numbers) if self.log else numbers) - low) / (high - low)

    def holds(self, value: Any) -> bool:
        """Whether a value lies in the range or among the choices (a step's grid aside)."""
        if isinstance(self.distribution, CategoricalDistribution):
            return _position(self.distribution.choices, value) is not None
        assert isinstance(self.distribution, (FloatDistribution, IntDistribution))
        return isinstance(value, (int, float)) and self.distribution.low <= value <= self.distribution.high

    def value(self, code: float) -> Any:
        """Return the value at a code: of the parameter's own type, in its range and on its grid."""
        distribution = self.distribution
        if isinstance(distribution, CategoricalDistribution):
            return distribution.choices[min(int(code * self.cells), self.cells - 1)]
        number = float(self._numbers(np.array([code]))[0])
        return round(number) if isinstance(distribution, IntDistribution) else number

    def snap(self, codes: FloatArray) -> FloatArray:
        """Move codes to the centre of their cell, with the same values; codes of continuous parameters stay."""
        codes = np.clip(codes, 0.0, 1.0)
        if not self.cells:
            return codes
        if self.log:
            low, high = self._ends
            return np.asarray((np.log(self._numbers(codes)) - low) / (high - low))
        cell: FloatArray = np.minimum(np.floor(codes * self.cells), self.cells - 1)
        return (cell + 0.5) / self.cells

    def grid(self) -> FloatArray:
        """Return the codes of all values of a discrete parameter."""
        if self.log:
            return self.codes(range(self.distribution.low, self.distribution.high + 1))  # type: ignore[attr-defined]
        return (np.arange(self.cells) + 0.5) / self.cells

    @cached_property
    def log(self) -> bool:
        """Whether the parameter is searched on a log scale."""
        return bool(getattr(self.distribution, "log", False))

    @cached_property
    def _ends(self) -> tuple[float, float]:
        """Both ends on the parameter's scale; for a discrete one, half a step beyond the range."""
        distribution = self.distribution
        assert isinstance(distribution, (FloatDistribution, IntDistribution))
        half = 0.5 * (distribution.step or 0.0) if self.cells else 0.0
        low, high = distribution.low - half, distribution.high + half
        return (math.log(low), math.log(high)) if distribution.log else (low, high)

    @cached_property
    def _decimals(self) -> int:
        """Decimals to round numbers on a step's grid to, since sums of steps are inexact."""
        distribution = self.distribution
        assert isinstance(distribution, (FloatDistribution, IntDistribution))
        largest = max(abs(distribution.low), abs(distribution.high))
        digits = math.floor(math.log10(largest)) if largest else 0
        if digits < 0:
            return min(_DECIMALS - digits, _MOST_DECIMALS)
        return max(min(_DECIMALS, _FLOAT_DIGITS - digits), 0)

    def _numbers(self, codes: FloatArray) -> FloatArray:
        """Return the numbers at codes, on the parameter's grid."""
        distribution = self.distribution
        assert isinstance(distribution, (FloatDistribution, IntDistribution))
        low, high = self._ends
        if self.log:
            numbers = np.exp(low + codes * (high - low))
            numbers = np.rint(numbers) if self.cells else numbers
        elif self.cells:
            steps = np.minimum(np.floor(codes * self.cells), self.cells - 1)
            numbers = distribution.low + steps * (distribution.step or 1)
            numbers = np.array([round(float(number), self._decimals) for number in numbers])
        else:
            numbers = low + codes * (high - low)
        return np.asarray(np.clip(numbers, distribution.low, distribution.high))


class Encoding:
    """The unit cube of a search space.

    Args:
        space: Distributions by name. Those with a single value are left out of the cube.
        active_when: For each parameter, its parents and the parents' values at which it acts, such as
            `{"mirostat_tau": {"mirostat": (1, 2)}}`. A parent that is not in the space is looked up in `fixed`.
        fixed: Values outside the space (the baseline's) that conditions may use.

    Attributes:
        axes: The parameters in the order of the code columns: as in `space`.
        columns: For each feature column the index of its axis, shape (n_features,).
    """

    def __init__(
        self,
        space: Mapping[str, BaseDistribution],
        active_when: ActiveWhen | None = None,
        fixed: Params | None = None,
    ) -> None:
        conditions = active_when or {}
        parents = {parent for child in space for parent in conditions.get(child, {})}
        self.space = dict(space)
        self.axes = tuple(
            _axis(name, distribution, mode=name in parents or name in MODE_OPTIONS)
            for name, distribution in space.items()
            if not distribution.single()
        )
        self.columns = np.repeat(np.arange(len(self.axes)), [axis.columns for axis in self.axes]).astype(np.intp)
        self._index = {axis.name: i for i, axis in enumerate(self.axes)}
        known = {**(fixed or {}), **{name: _only(d) for name, d in space.items() if d.single()}}
        self._never: list[int] = []
        self._rules: list[tuple[int, int, FloatArray]] = []
        for child in self._parents_first(conditions):
            self._add_rules(child, conditions[child], known)

    def __len__(self) -> int:
        return len(self.axes)

    @property
    def size(self) -> float:
        """Number of configurations, counting inactive parameters; infinite with a continuous one."""
        return math.prod(axis.cells or math.inf for axis in self.axes)

    def _parents_first(self, conditions: ActiveWhen) -> list[str]:
        """Return the cube's conditional parameters, parents before children; a circle is cut at its first repeat."""
        order: list[str] = []

        def visit(name: str, path: tuple[str, ...]) -> None:
            if name in order or name in path or name not in self._index or name not in conditions:
                return
            for parent in conditions[name]:
                visit(parent, (*path, name))
            order.append(name)

        for axis in self.axes:
            visit(axis.name, ())
        return order

    def _add_rules(self, child: str, parents: Mapping[str, Iterable[Any]], known: Params) -> None:
        index = self._index[child]
        for parent, values in parents.items():
            if parent in self._index:
                axis = self.axes[self._index[parent]]
                codes = axis.codes([value for value in values if axis.holds(value)])
                self._rules.append((index, self._index[parent], codes))
            elif parent in known and known[parent] not in tuple(values):
                self._never.append(index)

    def codes(self, points: Sequence[Params]) -> FloatArray:
        """Return codes of configurations.

        Args:
            points: Values by name; a missing parameter was inactive.

        Returns:
            Shape (len(points), n_axes), NaN where a parameter is missing (or None) or has no place.
        """
        columns = [axis.codes([point.get(axis.name) for point in points]) for axis in self.axes]
        return np.column_stack(columns) if columns else np.zeros((len(points), 0))

    def active(self, codes: FloatArray) -> BoolArray:
        """Return the parameters that act, shape of `codes`. Missing ones do not; a missing parent decides nothing."""
        acting = ~np.isnan(codes)
        acting[:, self._never] = False
        for child, parent, allowed in self._rules:
            value = codes[:, parent]
            holds = np.isclose(value[:, None], allowed[None, :], atol=1e-9).any(axis=1) & acting[:, parent]
            acting[:, child] &= holds | np.isnan(value)
        return acting

    def canonical(self, codes: FloatArray) -> FloatArray:
        """Snap codes to their cells and put inactive parameters at their centre: equal settings give equal rows."""
        if not self.axes:
            return np.zeros((len(codes), 0))
        snapped = np.column_stack([axis.snap(codes[:, j]) for j, axis in enumerate(self.axes)])
        centre = np.array([axis.snap(np.array([0.5]))[0] for axis in self.axes])
        result: FloatArray = np.where(self.active(snapped), snapped, centre[None, :])
        return result

    def features(self, codes: FloatArray) -> FloatArray:
        """Return the kernel's input, shape (n, n_features): inactive parameters are 0.5, inactive categories 1/k."""
        acting = self.active(codes)
        parts = []
        for j, axis in enumerate(self.axes):
            on = acting[:, j : j + 1]
            if axis.nominal:
                cell = np.minimum(np.nan_to_num(codes[:, j]) * axis.cells, axis.cells - 1).astype(int)
                parts.append(np.where(on, np.eye(axis.cells)[cell], 1.0 / axis.cells))
            else:
                parts.append(np.where(on, codes[:, j : j + 1], 0.5))
        return np.hstack(parts) if parts else np.zeros((len(codes), 0))

    def params(self, codes: FloatArray) -> dict[str, Any]:
        """Return one row of codes as values by name, single-valued parameters included."""
        values = {axis.name: axis.value(float(code)) for axis, code in zip(self.axes, codes, strict=True)}
        return {name: values[name] if name in values else _only(d) for name, d in self.space.items()}

    def keys(self, codes: FloatArray) -> list[bytes]:
        """Return a hashable key per row, equal for rows of the same configuration."""
        rounded = np.round(self.canonical(codes), _KEY_DIGITS) + 0.0  # + 0.0 turns -0.0 into 0.0
        return [row.tobytes() for row in rounded]

    def grid(self) -> FloatArray:
        """Return all configurations of a finite space as canonical codes without duplicates, shape (n, n_axes)."""
        if not self.axes:
            return np.zeros((1, 0))
        mesh = np.meshgrid(*(axis.grid() for axis in self.axes), indexing="ij")
        rows = self.canonical(np.column_stack([part.ravel() for part in mesh]))
        return np.unique(rows, axis=0)


def _axis(name: str, distribution: BaseDistribution, *, mode: bool) -> Axis:
    if isinstance(distribution, CategoricalDistribution):
        choices = distribution.choices
        scale = _is_scale(choices) and len(choices) > 2 and not mode
        return Axis(name, distribution, len(choices), nominal=not scale)
    if isinstance(distribution, IntDistribution):
        cells = (distribution.high - distribution.low) // distribution.step + 1
        return Axis(name, distribution, cells, nominal=mode and cells <= _MOST_MODES)
    if not isinstance(distribution, FloatDistribution):
        raise TypeError(f"parameter {name!r} has a distribution of an unknown kind: {distribution!r}")
    step = distribution.step
    cells = 0 if step is None else round((distribution.high - distribution.low) / step) + 1
    return Axis(name, distribution, cells, nominal=False)


def _is_scale(choices: Sequence[Any]) -> bool:
    """Whether choices are numbers in ascending order: a scale rather than names."""
    if any(isinstance(choice, bool) or not isinstance(choice, (int, float)) for choice in choices):
        return False
    return all(a < b for a, b in pairwise(choices))


def _number(value: Any) -> float:
    placed = isinstance(value, (int, float, np.number)) and not isinstance(value, bool)
    return float(value) if placed else math.nan


def _only(distribution: BaseDistribution) -> Any:
    """Return the value of a distribution with a single one."""
    return distribution.choices[0] if isinstance(distribution, CategoricalDistribution) else distribution.low  # type: ignore[attr-defined]


def _position(choices: Sequence[Any], value: Any) -> int | None:
    """Return the index of a choice; types are compared as well, so True is not 1."""
    for i, choice in enumerate(choices):
        if choice == value and isinstance(choice, bool) == isinstance(value, bool):
            return i
    return None


def _centre(index: int | None, cells: int) -> float:
    return math.nan if index is None else (index + 0.5) / cells
