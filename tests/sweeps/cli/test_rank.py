"""`sweeps rank`, and the flags of scales and clusters that it shares with `sweeps judge`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from sweeps.cli import run_command

Capture = pytest.CaptureFixture[str]


def write(path: Path, gains: dict[str, float], cases: int = 6, seeds: int = 4, noise: float = 4.0) -> Path:
    """Scores from 0 to 100; every two cases are of one document."""
    rng = np.random.default_rng(1)
    rows = [
        {
            "configuration": name, "case": case, "seed": seed, "document": case // 2,
            "score": 20 + gain + 3 * (case % 7) + rng.normal(0, noise),
        }
        for name, gain in gains.items() for case in range(cases) for seed in range(seeds)
    ]  # fmt: skip
    pd.DataFrame(rows).to_csv(path, index=False)
    return path


def printed(capsys: Capture, *arguments: object, code: int = 0) -> Any:
    capsys.readouterr()
    assert run_command([*map(str, arguments)]) == code
    out, err = capsys.readouterr()
    return err if code else out


def test_configurations_are_printed_in_order(tmp_path: Path, capsys: Capture) -> None:
    path = write(tmp_path / "scores.csv", {"a": 0.0, "b [x]": 20.0, "c": 10.0})
    lines = printed(capsys, "rank", path, "--range", "0,100").splitlines()
    assert [line.split("  ")[0].strip() for line in lines[1:4] if line[0] != " "][:1] == ["b [x]"]
    assert lines[-1] == "Effects are gains against b [x], on these cases."


def test_json_has_intervals_of_ranks(tmp_path: Path, capsys: Capture) -> None:
    path = write(tmp_path / "scores.csv", {"a": 0.0, "b": 20.0})
    found = json.loads(printed(capsys, "rank", path, "--range", "0,100", "--baseline", "a", "--json"))
    assert (found["baseline"], found["claim"]) == ("a", "these-cases")
    first, second = found["ranking"]
    assert (first["configuration"], first["rank_low"], first["rank_high"]) == ("b", 1, 1)
    assert first["effect"] == pytest.approx(first["mean"] - second["mean"])
    assert second["effect"] is None


def test_less_can_be_better(tmp_path: Path, capsys: Capture) -> None:
    path = write(tmp_path / "seconds.csv", {"slow": 20.0, "fast": 0.0})
    found = json.loads(printed(capsys, "rank", path, "--range", "0,100", "--lower-is-better", "--json"))
    assert [row["configuration"] for row in found["ranking"]] == ["fast", "slow"]
    (verdict,) = json.loads(
        printed(capsys, "judge", path, "--baseline", "slow", "--range", "0,100", "--lower-is-better", "--json")
    )
    assert verdict["verdict"] == "better"
    assert verdict["scale"] == {"low": 0.0, "high": 100.0, "lower_is_better": True}


def test_clusters_are_the_units(tmp_path: Path, capsys: Capture) -> None:
    path = write(tmp_path / "questions.csv", {"a": 0.0, "b": 20.0}, cases=24, seeds=1)
    flags = ("--range", "0,100", "--cluster", "document", "--json")
    (verdict,) = json.loads(printed(capsys, "judge", path, "--baseline", "a", *flags))
    assert (verdict["verdict"], verdict["claim"]) == ("better", "new-cases")
    assert verdict["test"] == "paired t, clusters as units"
    assert json.loads(printed(capsys, "rank", path, *flags))["claim"] == "new-cases"


def test_several_verdicts_are_one_table(tmp_path: Path, capsys: Capture) -> None:
    path = write(tmp_path / "scores.csv", {"a": 0.0, "b [x]": 20.0, "c": 10.0})
    lines = printed(capsys, "judge", path, "--baseline", "a", "--range", "0,100").splitlines()
    assert lines[0] == "Use b [x] instead of a"
    assert lines[1].split() == ["configuration", "verdict", "mean", "gain", "interval", "p", "n"]
    assert [line.split("  ")[0] for line in lines[2:5]] == ["b [x]", "c", "a"]
    assert "baseline" in lines[4]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--range", "5,1"], "'5,1' is no range; write two numbers, the smaller first: 0,100"),
        (["--range", "x"], "'x' is no range"),
        (["--range", "0,10"], "score outside 0 to 10 in rows"),
        ([], "Name the scale's ends with --range LOW,HIGH"),
        (["--range", "0,100", "--cluster", "doc"], "missing column 'doc'"),
        (["--range", "0,100", "--baseline", "z"], "no baseline 'z' in the table"),
    ],
)
def test_bad_input_is_refused(tmp_path: Path, capsys: Capture, arguments: list[str], message: str) -> None:
    path = write(tmp_path / "scores.csv", {"a": 0.0, "b": 20.0})
    assert message in " ".join(printed(capsys, "rank", path, *arguments, code=2).split())


def test_flags_of_files_do_not_fit_a_study(tmp_path: Path, capsys: Capture) -> None:
    for command in ("rank", "judge"):
        said = printed(capsys, command, "study", "--mlruns", tmp_path, "--range", "0,100", "--cluster", "x", code=2)
        assert "--range, --cluster: belongs to a file" in " ".join(said.split())


def test_a_study_is_ranked_by_its_fresh_generations(finished: Path, capsys: Capture) -> None:
    found = json.loads(printed(capsys, "rank", "t", "--mlruns", finished / "mlruns", "--json"))
    assert found["baseline"] == "baseline"
    assert [(row["configuration"], row["n"]) for row in found["ranking"]] == [("finalist", 9), ("baseline", 9)]
    assert found["ranking"][0]["rank_high"] == 1
