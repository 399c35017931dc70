"""The simulated response surfaces: their truth, their noise, and texts that score as they say."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from objectives.case import Case, Item
from objectives.coverage import CoverageObjective
from sweeps.engines.scripted.surfaces import DEFAULTS, KINDS, RANGES, Surface, make_surface, search_space, unit
from sweeps.engines.scripted.texts import covering, synthetic_cases, writer


def random_options(n: int, seed: int = 0) -> list[dict[str, float]]:
    rng = np.random.default_rng(seed)
    points = []
    for _ in range(n):
        point = {name: float(rng.uniform(low, high)) for name, (low, high, _) in RANGES.items()}
        points.append(point | {"mirostat": int(rng.integers(3))})
    return points


def gains(surface: Surface, points: list[dict[str, float]]) -> np.ndarray:
    return surface.means(points).mean(axis=1) - surface.mean(surface.baseline)


@pytest.mark.parametrize(("kind", "seed", "gain"), [*itertools.product(("smooth", "rough"), range(3), (0.02, 0.08))])
def test_the_best_is_better_by_the_gain_and_nothing_beats_it(kind: str, seed: int, gain: float) -> None:
    surface = make_surface(kind, seed=seed, gain=gain)  # type: ignore[arg-type]
    assert gains(surface, [dict(surface.best)])[0] == pytest.approx(gain, abs=1e-6)
    assert surface.regret(surface.best) == pytest.approx(0.0, abs=1e-6)
    assert surface.regret(surface.baseline) == pytest.approx(gain)
    assert gains(surface, random_options(3000)).max() <= gain * 1.02


@pytest.mark.parametrize("seed", range(4))
def test_on_null_surfaces_nothing_is_better_than_the_baseline(seed: int) -> None:
    points = random_options(2000, seed)
    flat = make_surface("flat", seed=seed)
    np.testing.assert_allclose(gains(flat, points), 0.0, atol=1e-12)
    hill = make_surface("default-best", seed=seed)
    assert gains(hill, points).max() <= 1e-9
    assert np.median(gains(hill, points)) < -0.005
    assert hill.gain == flat.gain == 0.0
    assert hill.best == hill.baseline


def test_surfaces_have_what_they_are_said_to_have() -> None:
    surfaces = [make_surface("smooth", seed=seed) for seed in range(12)]
    for surface in surfaces:
        assert 3 <= (surface.shape.heights > 0).sum() <= 5  # few options matter
        assert surface.shape.cliffs
        assert 0.08 * 0.85 <= surface.noise.min() <= surface.noise.max() <= 0.15 * 1.15
        assert surface.case_means.std() > 0
        reactions = surface.means([surface.best, surface.baseline])
        assert np.ptp(reactions[0] - reactions[1]) > 0  # cases react differently
    fallen = [gains(surface, random_options(500)).min() for surface in surfaces]
    assert np.median(fallen) < -0.1


@pytest.mark.parametrize("seed", range(6))
def test_mirostat_is_conditional(seed: int) -> None:
    surface = make_surface("rough", seed=seed)
    off = [DEFAULTS | {"mirostat": 0, "mirostat_tau": tau} for tau in (1.0, 9.0)]
    np.testing.assert_allclose(*surface.means(off), rtol=1e-12)
    on = [DEFAULTS | {"mirostat": 2, "mirostat_tau": 3.0, "top_k": k, "top_p": p} for k, p in ((5, 0.5), (90, 1.0))]
    np.testing.assert_allclose(*surface.means(on), rtol=1e-12)
    without = {name: value for name, value in DEFAULTS.items() if name != "mirostat_tau"}
    np.testing.assert_allclose(*surface.means([without, dict(DEFAULTS)]), rtol=1e-12)


@pytest.mark.parametrize("discrete", [None, 12])
def test_scores_have_the_mean_and_noise_of_the_truth(discrete: int | None) -> None:
    surface = make_surface("smooth", seed=5, noise=0.1, discrete=discrete)
    scores = surface.draw([surface.baseline, surface.best], 8_000, np.random.default_rng(0))
    assert scores.shape == (2, 6, 8_000)
    np.testing.assert_allclose(scores.mean(axis=2), surface.means([surface.baseline, surface.best]), atol=0.006)
    assert ((scores >= 0) & (scores <= 1)).all()
    if discrete is None:
        np.testing.assert_allclose(scores.std(axis=2)[0], surface.noise, rtol=0.04)
    else:
        np.testing.assert_allclose(scores * discrete, np.round(scores * discrete), atol=1e-9)


def test_one_score_is_the_same_everywhere_and_another_elsewhere() -> None:
    surface, again = make_surface("rough", seed=9), make_surface("rough", seed=9)
    score = surface.score({"temperature": 0.5}, 2, seed=11)
    assert again.score({"temperature": 0.5, "top_k": 40}, 2, seed=11) == score  # 40 is what a missing top_k means
    others = [
        surface.score({"temperature": 0.5}, 2, seed=12),
        surface.score({"temperature": 0.5}, 2, seed=11, repeat=1),
        surface.score({"temperature": 0.6}, 2, seed=11),
        surface.score({"temperature": 0.5}, 3, seed=11),
        make_surface("rough", seed=10).score({"temperature": 0.5}, 2, seed=11),
    ]
    assert len({score, *others}) == 6


def test_single_scores_follow_the_truth() -> None:
    surface = make_surface("smooth", seed=1)
    scores = [surface.score(surface.baseline, 1, seed) for seed in range(2000)]
    assert np.mean(scores) == pytest.approx(surface.means([surface.baseline])[0, 1], abs=4 * 0.15 / np.sqrt(2000))
    assert np.std(scores) == pytest.approx(surface.noise[1], rel=0.1)


def test_positions_are_the_ranges_from_end_to_end() -> None:
    low = {name: low for name, (low, _, _) in RANGES.items()}
    high = {name: high + 1000 for name, (_, high, _) in RANGES.items()}
    positions, modes = unit([low, high | {"mirostat": 2}, {"top_k": np.sqrt(500)}])
    np.testing.assert_allclose(positions[0], 0.0)
    np.testing.assert_allclose(positions[1], 1.0)
    assert positions[2, list(RANGES).index("top_k")] == pytest.approx(0.5)
    assert modes.tolist() == [0, 2, 0]


def test_the_space_holds_the_defaults() -> None:
    for name, distribution in search_space().items():
        assert distribution._contains(distribution.to_internal_repr(DEFAULTS[name]))


@pytest.mark.parametrize(
    ("changes", "message"),
    [({"kind": "wavy"}, "unknown kind of surface 'wavy'"), ({"cases": 0}, "cases=0"), ({"gain": 0.0}, "gain=0.0")],
)
def test_impossible_surfaces_are_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make_surface(**{"kind": "smooth", "seed": 0, **changes})  # type: ignore[arg-type]


def test_all_kinds_can_have_any_number_of_cases() -> None:
    for kind, cases in itertools.product(KINDS, (1, 4, 12)):
        assert make_surface(kind, seed=0, cases=cases).means([DEFAULTS]).shape == (1, cases)


def test_what_the_writer_writes_scores_as_the_surface_says() -> None:
    surface = make_surface("smooth", seed=3, cases=2)
    cases, objective = synthetic_cases(2), CoverageObjective(score="counted")
    write, rng = writer(surface, cases), np.random.default_rng(0)
    for index, case in enumerate(cases):
        scores = [objective.score(case, write(case, surface.best, rng)).score for _ in range(150)]
        mean = surface.means([surface.best])[0, index]
        assert np.mean(scores) == pytest.approx(mean, abs=4 * surface.noise[index] / np.sqrt(150))
    with pytest.raises(ValueError, match="2 cases, not 3"):
        writer(surface, synthetic_cases(3))


levels = st.lists(st.integers(1, 5), min_size=1, max_size=20)


@settings(max_examples=40)
@given(levels, st.floats(0, 1), st.integers(0, 1000))
def test_covering_reaches_the_nearest_sum_that_weights_can_make(sizes: list[int], score: float, seed: int) -> None:
    case = Case("c", "log", tuple(Item(str(i), f"text {i}", level) for i, level in enumerate(sizes)))
    said = covering(case, score, np.random.default_rng(seed))
    assert len(set(said)) == len(said)
    weights = {item.text: 6 - item.level for item in case.items}
    total, reached = sum(weights.values()), sum(weights[text] for text in said)
    sums = {0}
    for weight in weights.values():
        sums |= {s + weight for s in sums}
    # The target is one of the two whole numbers around the score; the nearest sum to it is reached.
    targets = {int(score * total), int(score * total) + 1}
    assert abs(reached - score * total) <= 1 + max(min(abs(s - target) for s in sums) for target in targets)
    assert reached in sums


def test_covering_takes_every_item_now_and_then() -> None:
    case = synthetic_cases(1)[0]
    rng = np.random.default_rng(0)
    draws = [covering(case, 0.5, rng) for _ in range(300)]
    shares = [sum(item.text in said for said in draws) / 300 for item in case.items]
    assert min(shares) > 0.25
    assert max(shares) < 0.75
    assert len(covering(case, 1.0, rng)) == len(case.items)
    assert covering(case, 0.0, rng) == []
