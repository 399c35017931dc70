"""Response surfaces over Ollama's options, with known truth.

A `Surface` gives two scores of a configuration on each case: the true mean, and the noisy score of one generation,
which a sweep sees. It serves trials of search strategies and the scripted engine. Like real surfaces it has few options
that matter, interactions, cliffs (settings that break the text) and options that act only at certain values of others
(mirostat). Cases differ in difficulty and in their reaction. Scores lie in [0, 1], with beta noise that depends on the
mean.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from scipy.special import betaincinv

from analysis.arrays import FloatArray, IntArray

Options = Mapping[str, Any]
Kind = Literal["smooth", "rough", "flat", "default-best"]

KINDS: tuple[Kind, ...] = ("smooth", "rough", "flat", "default-best")
"""Two kinds with a gain to find, and two without: no option matters, or every change is worse."""

RANGES: Mapping[str, tuple[float, float, bool]] = {
    "temperature": (0.1, 1.5, False),
    "top_k": (5, 100, True),
    "top_p": (0.5, 1.0, False),
    "min_p": (0.0, 0.2, False),
    "repeat_penalty": (0.9, 1.4, False),
    "presence_penalty": (-0.5, 1.5, False),
    "repeat_last_n": (16, 512, True),
    "mirostat_tau": (1.0, 9.0, False),
}
"""Range of each option that a surface reacts to, and whether its scale is logarithmic; `mirostat` comes in addition."""

DEFAULTS: Mapping[str, float] = {
    "temperature": 0.8,
    "top_k": 40,
    "top_p": 0.9,
    "min_p": 0.0,
    "repeat_penalty": 1.1,
    "presence_penalty": 0.0,
    "repeat_last_n": 64,
    "mirostat": 0,
    "mirostat_tau": 5.0,
}
"""The baseline of every surface, and the values of options that a configuration does not name."""

_NAMES = tuple(RANGES)
_TAU = _NAMES.index("mirostat_tau")
_REPLACED = tuple(_NAMES.index(name) for name in ("top_k", "top_p", "min_p"))
_LOWEST, _HIGHEST = 0.02, 0.98
_STEEPEST = 0.2
_POOL, _TOP, _NEAR = 4096, 96, 12
_SPREADS = (0.25, 0.2, 0.15, 0.12, 0.1, 0.08, 0.06, 0.04, 0.03, 0.02, 0.01)


def search_space() -> dict[str, Any]:
    """Return the surfaces' options as Optuna distributions; `mirostat_tau` acts only when `mirostat` is 1 or 2."""
    from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

    space: dict[str, BaseDistribution] = {}
    for name, (low, high, log) in RANGES.items():
        whole = name in ("top_k", "repeat_last_n")
        space[name] = IntDistribution(int(low), int(high), log=log) if whole else FloatDistribution(low, high, log=log)
    space["mirostat"] = CategoricalDistribution((0, 1, 2))
    return space


def unit(options: Sequence[Options]) -> tuple[FloatArray, IntArray]:
    """Return configurations in the surfaces' own coordinates.

    Args:
        options: Options by Ollama's names; a missing one has its default, an unknown one is ignored.

    Returns:
        Positions in [0, 1], shape (n, 8), in the order of `RANGES` (values outside a range at its end), and the
        mirostat mode, shape (n,).
    """
    positions = np.empty((len(options), len(_NAMES)))
    for j, (name, (low, high, log)) in enumerate(RANGES.items()):
        values = np.array([float(point.get(name, DEFAULTS[name])) for point in options])
        values = np.clip(values, low, high)
        positions[:, j] = np.log(values / low) / math.log(high / low) if log else (values - low) / (high - low)
    return positions, np.array([int(point.get("mirostat", 0)) for point in options], dtype=np.int64)


@dataclass(frozen=True)
class _Shape:
    """The random parts of a surface before scaling; arrays as drawn by `_draw_shape`."""

    peaks: FloatArray  # (8,) position of each option's best value
    widths: FloatArray  # (8,) width of each peak
    heights: FloatArray  # (8,) size of each main effect; 0 for options that do not matter
    pairs: tuple[tuple[int, int, float], ...]  # interactions: two options and a size
    cliffs: tuple[tuple[FloatArray, float, float], ...]  # direction, threshold and depth of each cliff
    modes: FloatArray  # (3,) effect of the mirostat mode
    waves: FloatArray  # (n_waves, 8) frequencies of the rough part
    phases: FloatArray  # (n_waves,)
    roughness: float  # standard deviation of the rough part, in units of the gain
    case_slopes: FloatArray  # (cases, 8) how cases differ in their reaction, columns sum to 0


@dataclass(frozen=True)
class Surface:
    """A response surface with known truth.

    Attributes:
        kind: One of `KINDS`.
        seed: Seed that the surface was drawn with.
        gain: True mean score of the best configuration minus the baseline's.
        baseline: The baseline's options.
        best: A configuration that reaches `gain` (the baseline itself on surfaces without a gain).
        case_means: The baseline's mean score on each case before clipping, shape (cases,).
        noise: Within-case standard deviation of one generation, on each case, shape (cases,).
        scale: Factor on the shape's smooth and rough parts.
        discrete: If given, scores are multiples of 1/discrete, as with a rubric of that many equal items.
    """

    kind: Kind
    seed: int
    gain: float
    baseline: Options
    best: Options
    case_means: FloatArray
    noise: FloatArray
    scale: float
    discrete: int | None
    shape: _Shape = field(repr=False)

    @property
    def cases(self) -> int:
        """Number of cases."""
        return len(self.case_means)

    def means(self, options: Sequence[Options]) -> FloatArray:
        """Return the true mean score of each configuration on each case, shape (len(options), cases)."""
        return _combine(self.case_means, self.scale, _parts(self.shape, *unit(options)))

    def mean(self, options: Options) -> float:
        """Return a configuration's true mean score over the cases."""
        return float(self.means([options]).mean())

    def regret(self, options: Options) -> float:
        """Return the distance in score from the best configuration; 0 for the best."""
        return self.mean(self.baseline) + self.gain - self.mean(options)

    def draw(self, options: Sequence[Options], repeats: int, rng: np.random.Generator) -> FloatArray:
        """Draw independent noisy scores, shape (len(options), cases, repeats)."""
        means = self.means(options)[:, :, None]
        uniforms = rng.random((len(options), self.cases, repeats, 2))
        return self._noisy(np.broadcast_to(means, uniforms.shape[:3]), self.noise[None, :, None], uniforms)

    def draw_one(self, options: Options, case: int, rng: np.random.Generator) -> float:
        """Draw one noisy score of a configuration on the case of that index."""
        mean = self.means([options])[0, case : case + 1]
        return float(self._noisy(mean, self.noise[case : case + 1], rng.random((1, 2)))[0])

    def score(self, options: Options, case: int, seed: int, repeat: int = 0) -> float:
        """Return the score of one generation, equal for equal arguments in every process.

        Args:
            options: Options by Ollama's names.
            case: Index of the case.
            seed: The generation's seed.
            repeat: Index of the repeat of a request; each repeat has its own noise.

        Returns:
            A score in [0, 1].
        """
        named = {name: float(options.get(name, default)) for name, default in DEFAULTS.items()}
        text = json.dumps([self.kind, self.seed, named, case, seed, repeat], sort_keys=True)
        digest = hashlib.blake2b(text.encode(), digest_size=16).digest()
        uniforms = np.frombuffer(digest, dtype="<u8") / 2.0**64
        mean = self.means([options])[0, case]
        return float(self._noisy(np.array([mean]), self.noise[case : case + 1], uniforms[None, :])[0])

    def _noisy(self, means: FloatArray, sd: FloatArray, uniforms: FloatArray) -> FloatArray:
        """Return beta quantiles at the first uniforms, rounded at random and without bias by the second ones."""
        variance = np.minimum(sd**2, 0.8 * means * (1 - means))
        precision = means * (1 - means) / variance - 1
        scores = betaincinv(means * precision, (1 - means) * precision, uniforms[..., 0])
        if self.discrete:
            scores = np.floor(scores * self.discrete + uniforms[..., 1]) / self.discrete
        return np.asarray(np.clip(scores, 0.0, 1.0))


def make_surface(
    kind: Kind,
    *,
    seed: int,
    gain: float = 0.05,
    cases: int = 6,
    noise: float | None = None,
    level: float | None = None,
    discrete: int | None = None,
) -> Surface:
    """Draw a surface.

    Args:
        kind: `smooth` or `rough` (with a gain), `flat` (nothing matters) or `default-best` (every change is worse).
        seed: Seed of everything drawn: the options that matter, peaks, cliffs, cases and noise.
        gain: True gain of the best configuration over the baseline; ignored for the kinds without one.
        cases: Number of cases.
        noise: Within-case standard deviation of one generation; drawn from .08 to .15 if not given.
        level: Mean score of the baseline; drawn from .30 to .50 if not given.
        discrete: Make scores multiples of 1/discrete.

    Returns:
        The surface. Its `gain` is exact for the configuration in `best`, found by search over many thousand
        configurations. Any better configuration is better by less than about 3% of the gain.

    Raises:
        ValueError: If `kind` is unknown, or `cases` or `gain` is not positive.
    """
    if kind not in KINDS:
        raise ValueError(f"unknown kind of surface {kind!r}; use one of {', '.join(KINDS)}")
    if cases < 1 or gain <= 0:
        raise ValueError(f"a surface needs at least one case and a positive gain, not cases={cases}, gain={gain}")
    rng = np.random.default_rng([KINDS.index(kind), seed])
    shape = _draw_shape(kind, cases, rng)
    level = rng.uniform(0.30, 0.50) if level is None else level
    spread = rng.normal(0.0, 0.08, cases)
    case_means = np.clip(level + spread - spread.mean(), 0.1, 0.9)
    noise = rng.uniform(0.08, 0.15) if noise is None else noise
    case_noise = noise * rng.uniform(0.85, 1.15, cases)
    best, scale = dict(DEFAULTS), gain
    if kind in ("flat", "default-best"):
        gain = 0.0
    else:
        best, scale = _find_best(shape, case_means, gain, rng)
        while scale > _STEEPEST:  # the baseline is nearly the best by chance: draw other effects
            shape = _draw_shape(kind, cases, rng)
            best, scale = _find_best(shape, case_means, gain, rng)
    return Surface(kind, seed, gain, dict(DEFAULTS), best, case_means, case_noise, scale, discrete, shape)


def _draw_shape(kind: Kind, cases: int, rng: np.random.Generator) -> _Shape:
    d = len(_NAMES)
    start = unit([DEFAULTS])[0][0]
    heights = np.zeros(d)
    matter = rng.choice(d, size=int(rng.integers(3, 6)), replace=False)
    heights[matter] = rng.exponential(1.0, len(matter)) + 0.2
    peaks = rng.uniform(0.05, 0.95, d)
    widths = rng.uniform(0.25, 0.6, d)
    pairs = tuple(
        (int(a), int(b), float(rng.normal(0.0, 1.0)))
        for a, b in (rng.choice(matter, size=2, replace=False) for _ in range(2))
    )
    modes = np.array([0.0, *rng.normal(-0.2, 0.4, 2)])
    slopes = rng.normal(0.0, 0.25, (cases, d)) * (heights > 0)
    slopes -= slopes.mean(axis=0)
    rough = 0.0
    if kind == "rough":
        rough = float(rng.uniform(0.25, 0.5))
    if kind == "default-best":
        peaks, pairs, slopes, modes = start, (), slopes * 0, -np.abs(modes)
    if kind == "flat":
        heights, pairs, slopes, modes = heights * 0, (), slopes * 0, modes * 0
    cliffs = () if kind == "flat" else tuple(_draw_cliff(start, rng) for _ in range(int(rng.integers(1, 3))))
    waves = rng.normal(0.0, 1.0, (24, d)) * rng.uniform(6.0, 14.0, (24, 1)) * (rng.random((24, d)) < 0.35)
    phases = rng.uniform(0, 2 * math.pi, 24)
    return _Shape(peaks, widths, heights, pairs, cliffs, modes, waves, phases, rough, slopes)


def _draw_cliff(start: FloatArray, rng: np.random.Generator) -> tuple[FloatArray, float, float]:
    """Draw a half space, well away from the baseline, in which the score collapses."""
    reach = 0.0
    while reach < 0.4:  # distance from the baseline to the space's end in that direction
        direction = np.zeros(len(start))
        chosen = rng.choice([i for i in range(len(start)) if i != _TAU], size=int(rng.integers(1, 3)), replace=False)
        direction[chosen] = rng.choice([-1.0, 1.0], len(chosen)) / math.sqrt(len(chosen))
        reach = float(np.sum(np.maximum(direction, 0.0)) - direction @ start)
    return direction, float(direction @ start + rng.uniform(0.55, 0.8) * reach), float(rng.uniform(0.1, 0.25))


def _effects(shape: _Shape, positions: FloatArray, modes: IntArray) -> tuple[FloatArray, FloatArray]:
    """Return the effect (smooth plus rough) before scaling and the cliffs' loss in score, each of shape (n,)."""
    x = _acting(positions, modes)
    bumps = np.exp(-0.5 * ((x - shape.peaks) / shape.widths) ** 2)
    value = bumps @ shape.heights + shape.modes[np.clip(modes, 0, 2)]
    for a, b, size in shape.pairs:
        value = value + size * (x[:, a] - 0.5) * (x[:, b] - 0.5) * 2.0
    if shape.roughness:
        value = value + shape.roughness * math.sqrt(2 / len(shape.phases)) * np.cos(
            x @ shape.waves.T + shape.phases
        ).sum(1)
    loss = np.zeros(len(x))
    for direction, threshold, depth in shape.cliffs:
        loss += depth / (1.0 + np.exp(-np.clip((x @ direction - threshold) / 0.02, -60, 60)))
    return value, loss


def _acting(positions: FloatArray, modes: IntArray) -> FloatArray:
    """Return positions with inactive options at their centre: mirostat replaces top_k, top_p and min_p."""
    x = positions.copy()
    on = modes > 0
    x[~on, _TAU] = 0.5
    for j in _REPLACED:
        x[on, j] = 0.5
    return x


def _parts(shape: _Shape, positions: FloatArray, modes: IntArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return differences to the baseline: common effect before scaling (n,), loss (n,), effect by case (n, cases)."""
    start, off = unit([DEFAULTS])
    value, loss = _effects(shape, np.vstack([start, positions]), np.concatenate([off, modes]))
    moved = _acting(positions, modes) - _acting(start, off)
    return value[1:] - value[0], loss[1:] - loss[0], moved @ shape.case_slopes.T


def _combine(case_means: FloatArray, scale: float, parts: tuple[FloatArray, FloatArray, FloatArray]) -> FloatArray:
    """Return mean scores, shape (n, cases)."""
    value, loss, own = parts
    means = case_means[None, :] + (scale * value - loss)[:, None] + scale * own
    return np.asarray(np.clip(means, _LOWEST, _HIGHEST))


def _find_best(
    shape: _Shape, case_means: FloatArray, gain: float, rng: np.random.Generator
) -> tuple[dict[str, float], float]:
    """Find the scale at which the best configuration beats the baseline by `gain`, and that configuration."""
    d = len(_NAMES)
    start, _ = unit([DEFAULTS])
    positions = np.vstack([start, rng.random((_POOL, d))])
    modes = np.concatenate([[0], rng.integers(0, 3, _POOL)])
    for spread in _SPREADS:
        parts = _parts(shape, positions, modes)
        means = _combine(case_means, _scale_for(gain, case_means, parts), parts).mean(axis=1)
        top = np.argsort(-means)[:_TOP]
        steps = rng.normal(0.0, spread, (_TOP, _NEAR, d)) * (rng.random((_TOP, _NEAR, d)) < 0.5)
        near = np.clip(positions[top][:, None, :] + steps, 0.0, 1.0).reshape(-1, d)
        positions = np.vstack([positions[top], near])
        modes = np.concatenate([modes[top], np.repeat(modes[top], _NEAR)])
    parts = _parts(shape, positions, modes)
    scale = _scale_for(gain, case_means, parts)
    winner = int(np.argmax(_combine(case_means, scale, parts).mean(axis=1)))
    return _options(positions[winner], int(modes[winner])), scale


def _scale_for(gain: float, case_means: FloatArray, parts: tuple[FloatArray, FloatArray, FloatArray]) -> float:
    """Find the scale by bisection: the largest gain over the positions grows with it."""
    origin = float(case_means.mean())
    low, high = 0.0, 1.0
    for _ in range(30):
        middle = 0.5 * (low + high)
        reached = float(_combine(case_means, middle, parts).mean(axis=1).max()) - origin
        low, high = (middle, high) if reached < gain else (low, middle)
    return 0.5 * (low + high)


def _options(position: FloatArray, mode: int) -> dict[str, float]:
    options: dict[str, float] = {"mirostat": mode}
    for u, (name, (low, high, log)) in zip(position, RANGES.items(), strict=True):
        options[name] = float(low * (high / low) ** u if log else low + u * (high - low))
    return options
