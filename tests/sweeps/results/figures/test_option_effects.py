"""Importances, slices and contours against functions whose shares are known."""

from __future__ import annotations

import tarfile
from pathlib import Path

import numpy as np
import pytest

from benchmarks.search.importances import AT, CONDITIONS, fitted, measure, points, space
from sweeps.results.figures.look_effects import look_effects
from sweeps.results.figures.option_effects import contour_of, importances, option_effects, slice_along
from sweeps.results.reader import load_result
from sweeps.results.result import SweepResult
from sweeps.samplers.posterior import Posterior

ARCHIVE = Path(__file__).parents[3] / "data" / "version-0.1.0" / "folder.tar.xz"


@pytest.fixture(scope="module")
def posterior() -> Posterior:
    """The score is .2 + .1 temperature + .1 where the prompt is long: variances .04 / 12 and .01 / 4, shares 4 : 3."""
    return fitted(80, 0.02, seed=2)


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
    flat = Posterior(space(), tried, values, np.full(len(tried), 0.1**2), active_when=CONDITIONS)
    table, _ = importances(flat)
    assert (table["low"] < 0.1).all()  # nothing is known to matter
    assert (table["high"] > 0.2).sum() >= 2


def test_slices_follow_the_function_and_leave_out_what_does_not_act(posterior: Posterior) -> None:
    found = {axis.name: slice_along(posterior, axis, AT) for axis in posterior.encoding.axes}
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


def test_bands_hold_the_true_curve_and_nothing_without_effect_is_clear() -> None:
    found = measure(40, 0.05, 6)
    assert found["band holds the curve"] > 0.85  # of 24 such searches they held 98%
    assert found["called clear without effect"] == 0


def test_a_contour_has_the_two_that_matter_most(posterior: Posterior) -> None:
    names = importances(posterior)[0]["share"].sort_values(ascending=False).index.tolist()
    plane = contour_of(posterior, names, AT)
    assert plane is not None
    assert (plane.x.name, plane.y.name) == ("temperature", "prompt")
    assert plane.mean.shape == (2, len(plane.x.values))
    assert not plane.is_smooth
    assert plane.mean[1, -1] == pytest.approx(0.5, abs=0.04)  # the highest: temperature 2, the long prompt
    assert contour_of(posterior, ["mirostat_tau", "prompt"], AT) is None


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
