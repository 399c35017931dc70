"""`sweeps plan`: with a study's design, and with other numbers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from sweeps.cli import run_command
from tests.sweeps.sweep_files import run, write_sweep

Capture = pytest.CaptureFixture[str]
BARE = ("--gain", "0.05", "--noise-sd", "0.12", "--cases", "6")


def plan(capsys: Capture, *arguments: object) -> Any:
    capsys.readouterr()
    assert run_command(["plan", *map(str, arguments), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def text(capsys: Capture, *arguments: object) -> str:
    capsys.readouterr()
    assert run_command(["plan", *map(str, arguments)]) == 0
    return capsys.readouterr().out


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The ledger of a study with three finalists."""
    folder = tmp_path_factory.mktemp("three")
    path = write_sweep(
        folder,
        cases=6,
        budget={"generations": 240, "confirm_share": 0.4},
        confirm={"finalists": 3},
        verdict={"alpha": 0.01},
        search={"sampler": "random", "probe": False},
    )
    run(path)
    return folder / "mlruns"


def test_the_design_is_the_studys(study: Path, capsys: Capture) -> None:
    # 28 seeds x 6 cases x 4 arms = 672, of a share of .4: 1,680. Without the study's design it is 16 seeds and 768.
    made = plan(capsys, "t", "--gain", "0.05", "--noise-sd", "0.12", "--mlruns", study)
    assert (made["seeds"], made["generations"], made["budget"]) == (28, 672, 1680)
    assert made["curve"][0]["generations"] == 4 * 6 * 2
    measured = plan(capsys, "t", "--gain", "0.05", "--mlruns", study)
    assert (measured["alpha"], measured["finalists"], measured["cases"]) == (0.01, 3, 6)
    assert measured["budget"] == -(-measured["generations"] * 10 // 4)
    told = text(capsys, "--gain", "0.05", "--mlruns", study)
    assert "With alpha 0.01, 3 finalists and a confirm_share of 0.4 of study 't'" in told


def test_flags_override_the_study(study: Path, capsys: Capture) -> None:
    flags = ("--alpha", "0.05", "--finalists", "1", "--confirm-share", "0.25", "--cases", "6")
    made = plan(capsys, "t", "--gain", "0.05", "--noise-sd", "0.12", *flags, "--mlruns", study)
    assert (made["seeds"], made["generations"], made["budget"]) == (16, 192, 768)
    assert plan(capsys, "t", "--gain", "0.05", "--claim", "new-cases", "--mlruns", study)["claim"] == "new-cases"


def test_without_a_study_the_defaults_count(capsys: Capture) -> None:
    made = plan(capsys, *BARE)
    assert (made["seeds"], made["generations"], made["budget"], made["claim"]) == (16, 192, 640, "these-cases")
    more = plan(capsys, *BARE, "--finalists", "3", "--alpha", "0.01", "--confirm-share", "0.4")
    assert (more["seeds"], more["generations"], more["budget"]) == (28, 672, 1680)


def test_new_cases(capsys: Capture) -> None:
    least, guess = plan(capsys, *BARE, "--claim", "new-cases"), plan(capsys, *BARE, "--interaction-sd", "0.01")
    assert least["interaction_sd"] == 0
    assert "the least" in least["sentence"]
    assert guess["claim"] == "new-cases"
    assert guess["seeds"] > least["seeds"] > 16
    few = plan(capsys, "--gain", "0.15", "--noise-sd", "0.12", "--cases", "4", "--interaction-sd", "0.05")
    assert (few["seeds"], few["cases_needed"]) == (None, 6)
    assert few["curve"][0]["mde"] is None


def test_a_greedy_floor_is_no_noise_to_plan_with(tmp_path: Path, capsys: Capture) -> None:
    run(write_sweep(tmp_path, baseline={"temperature": 0.0}, search={"sampler": "random", "probe": False}))
    made = plan(capsys, "t", "--gain", "0.05", "--cases", "6", "--mlruns", tmp_path / "mlruns")
    assert (made["noise_sd"], made["assumed"], made["seeds"]) == (0.12, True, 16)
    assert "assumed" in made["sentence"]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ((*BARE, "--alpha", "0.5"), "--alpha"),
        ((*BARE, "--interaction-sd", "0.05", "--claim", "these-cases"), "new cases"),
        ((*BARE, "--power", "0.04"), "power must lie between"),
        ((*BARE, "--power", "0.9999999"), "'--power': 0.9999999 is not in the range 0<x<=0.9999"),
        ((*BARE, "--gain", "0,03"), "'--gain': '0,03' is not a number (write 0.03)"),
        ((*BARE, "--gain", "much"), "'--gain': 'much' is not a number\n"),
        ((*BARE, "--finalists", "2,0"), "'--finalists': '2,0' is not a whole number (write 2)"),
        ((*BARE, "--power", "nan"), "'--power': nan is not in the range"),
        ((*BARE, "--alpha", "1e-300"), "'--alpha': 1e-300 is not in the range 1e-06<=x<0.5"),
        ((*BARE, "--alpha", "nan"), "'--alpha': nan is not in the range"),
        ((*BARE, "--gain", "nan"), "'--gain': nan is not in the range 1e-09<=x<=1"),
        ((*BARE, "--noise-sd", "nan"), "'--noise-sd': nan is not in the range 1e-09<=x<=1"),
        ((*BARE, "--interaction-sd", "nan"), "'--interaction-sd': nan is not in the range 0<=x<=1"),
        ((*BARE, "--confirm-share", "1e-300"), "'--confirm-share': 1e-300 is not in the range 0.001<=x<1"),
        (("--gain", "0.05", "--noise-sd", "0.12"), "--cases"),
    ],
)
def test_what_makes_no_sense_is_refused(arguments: tuple[str, ...], told: str, capsys: Capture) -> None:
    assert run_command(["plan", *arguments]) == 2
    assert told in capsys.readouterr().err


def test_judge_refuses_the_level_that_the_file_refuses(capsys: Capture) -> None:
    assert run_command(["judge", "--alpha", "0.5"]) == 2
    assert "--alpha" in capsys.readouterr().err


def test_the_sentence_has_digits_enough_and_counts_one_case_as_one(capsys: Capture) -> None:
    few = text(capsys, "--gain", "0.0001", "--noise-sd", "0.0003", "--cases", "1", "--power", "0.9999")
    assert "To see a true gain of 0.00010 on this one case with 99.99% probability takes" in few
    # From hand: 0.0003 * sqrt(2 / 100) = 4.2e-5, times 2.8 standard errors and a little for 198 degrees of freedom.
    assert text(capsys, "--gain", "0.0001", "--noise-sd", "0.0003", "--cases", "1").split()[-2] == "0.00012"
    new = text(capsys, "--gain", "0.1", "--noise-sd", "0.1", "--cases", "1", "--claim", "new-cases")
    assert "on new cases like this one: a claim for new cases takes at least 6 cases" in new


def test_plan_from_a_study_and_from_numbers(finished: Path, capsys: Capture) -> None:
    made = plan(capsys, "t", "--gain", "0.1", "--mlruns", finished / "mlruns")
    assert made
    small = plan(capsys, "--gain", "0.2", "--noise-sd", "0.1", "--cases", "6")
    large = plan(capsys, "--gain", "0.05", "--noise-sd", "0.1", "--cases", "6")
    assert large["generations"] > small["generations"]
    assert "generations" in text(capsys, "--gain", "0.1", "--noise-sd", "0.1", "--cases", "6")
