"""Importances, slices and contours against functions whose shares are known."""

from __future__ import annotations

import tarfile
from pathlib import Path

import numpy as np
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from sweeps.results.figures.look_effects import look_effects
from sweeps.results.figures.option_effects import contour_of, importances, option_effects, slice_along
from sweeps.results.reader import load_result
from sweeps.results.result import SweepResult
from sweeps.samplers.posterior import Posterior

ARCHIVE = Path(__file__).parents[3] / "data" / "version-0.1.0" / "folder.tar.xz"
SPACE = {
    "temperature": FloatDistribution(0, 2),
    "top_k": IntDistribution(1, 100, log=True),
    "prompt": CategoricalDistribution(("short", "long")),
    "mirostat": CategoricalDistribution((0, 1)),
    "mirostat_tau": FloatDistribution(0, 10),
}


def points(n: int) -> list[dict[str, object]]:
    rng = np.random.default_rng(1)
    drawn = []
    for _ in range(n):
        mode = int(rng.integers(2))
        point = {"temperature": rng.uniform(0, 2), "top_k": int(np.exp(rng.uniform(0, np.log(100)))), "mirostat": mode}
        point |= {
            "prompt": str(rng.choice(["short", "long"])),
            **({"mirostat_tau": rng.uniform(0, 10)} if mode else {}),
        }
        drawn.append(point)
    return drawn


@pytest.fixture(scope="module")
def posterior() -> Posterior:
    """The score is .2 + .1 temperature + .1 where the prompt is long: variances .04 / 12 and .01 / 4, shares 4 : 3."""
    tried = points(80)
    truth = np.array([0.2 + 0.1 * p["temperature"] + 0.1 * (p["prompt"] == "long") for p in tried])
    values = truth + np.random.default_rng(2).normal(0, 0.02, len(tried))
    noise = np.full(len(tried), 0.02**2)
    return Posterior(SPACE, tried, values, noise, active_when={"mirostat_tau": {"mirostat": (1,)}})


def test_shares_are_those_of_the_function_and_lie_in_their_intervals(posterior: Posterior) -> None:
    table, spread = importances(posterior)
    assert table["share"]["temperature"] == pytest.approx(4 / 7, abs=0.1)
    assert table["share"]["prompt"] == pytest.approx(3 / 7, abs=0.1)
    assert (table.loc[["top_k", "mirostat", "mirostat_tau"], "high"] < 0.05).all()
    assert ((table["low"] <= table["share"]) & (table["share"] <= table["high"])).all()
    for name, share in (("temperature", 4 / 7), ("prompt", 3 / 7)):
        assert table["low"][name] < share < table["high"][name]
    assert spread == pytest.approx((0.04 / 12 + 0.01 / 4) ** 0.5, rel=0.1)


def test_noise_alone_leaves_the_shares_open() -> None:
    tried = points(30)
    values = np.random.default_rng(3).normal(0.5, 0.1, len(tried))
    flat = Posterior(
        SPACE, tried, values, np.full(len(tried), 0.1**2), active_when={"mirostat_tau": {"mirostat": (1,)}}
    )
    table, _ = importances(flat)
    assert (table["low"] < 0.1).all()  # nothing is known to matter
    assert (table["high"] > 0.2).sum() >= 2


def test_slices_follow_the_function_and_leave_out_what_does_not_act(posterior: Posterior) -> None:
    at = {"temperature": 1.0, "top_k": 10, "prompt": "short", "mirostat": 0}
    found = {axis.name: slice_along(posterior, axis, at) for axis in posterior.encoding.axes}
    assert found["mirostat_tau"] is None
    along = found["temperature"]
    assert along is not None
    x = np.array(along.scale.values)
    assert (x[0], x[-1]) == (0, 2)
    truth = 0.2 + 0.1 * x
    assert np.abs(along.mean - truth).max() < 0.03
    assert found["top_k"] is not None
    assert found["top_k"].scale.log
    assert found["prompt"] is not None
    assert list(found["prompt"].scale.labels) == ["short", "long"]
    assert np.diff(found["prompt"].mean)[0] == pytest.approx(0.1, abs=0.03)


def test_bands_hold_the_true_curve() -> None:
    tried, at = points(40), {"temperature": 1.0, "top_k": 10, "prompt": "short", "mirostat": 0}
    truth = np.array([0.2 + 0.1 * p["temperature"] + 0.1 * (p["prompt"] == "long") for p in tried])
    held = []
    for seed in range(6):
        values = truth + np.random.default_rng(seed).normal(0, 0.05, len(tried))
        conditions = {"mirostat_tau": {"mirostat": (1,)}}
        fitted = Posterior(SPACE, tried, values, np.full(len(tried), 0.05**2), active_when=conditions)
        along = slice_along(fitted, fitted.encoding.axes[0], at)
        assert along is not None
        curve = 0.2 + 0.1 * np.array(along.scale.values)
        held.append(float(((along.low <= curve) & (curve <= along.high)).mean()))
    assert np.mean(held) > 0.85  # of 16 such fits they held 98%


def test_a_contour_has_the_two_that_matter_most(posterior: Posterior) -> None:
    at = {"temperature": 1.0, "top_k": 10, "prompt": "short", "mirostat": 0}
    names = importances(posterior)[0]["share"].sort_values(ascending=False).index.tolist()
    plane = contour_of(posterior, names, at)
    assert plane is not None
    assert (plane.x.name, plane.y.name) == ("temperature", "prompt")
    assert plane.mean.shape == (2, len(plane.x.values))
    assert not plane.is_smooth
    assert plane.mean[1, -1] == pytest.approx(0.5, abs=0.04)  # the highest: temperature 2, the long prompt
    assert contour_of(posterior, ["mirostat_tau", "prompt"], at) is None


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> SweepResult:
    folder = tmp_path_factory.mktemp("stored")
    with tarfile.open(ARCHIVE) as archive:
        archive.extractall(folder, filter="data")
    return load_result(folder / "mlruns", "done")


def test_the_last_look_has_the_effect_of_the_verdict(stored: SweepResult) -> None:
    table, verdict = look_effects(stored), stored.verdict
    assert table is not None
    assert verdict is not None
    assert table["look"].tolist() == [1]  # which settled the finalist
    assert table["seeds"].tolist() == [stored.looks[0].seeds]
    assert table["effect"].iloc[-1] == pytest.approx(verdict.effect)
    assert table["ci_low"].iloc[-1] < verdict.effect < table["ci_high"].iloc[-1]


def test_a_study_has_the_surface_of_its_own_search(stored: SweepResult) -> None:
    surface = option_effects(stored)
    assert surface is not None
    assert set(surface.importances.index) == {dimension.name for dimension in stored.config.space}
    assert {"fANOVA", "PED-ANOVA"} == set(surface.by_optuna)
    assert surface.at == "the finalist"
    assert {each.scale.name for each in surface.slices} <= set(stored.observations.columns)
