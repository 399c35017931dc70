"""Every benchmark runs, in this process, with the smallest sizes."""

from __future__ import annotations

import argparse
import importlib
import json
import pkgutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import benchmarks
from benchmarks import command
from benchmarks.matchers import build_lexicon, fit_lexical
from benchmarks.replay import table as replay_table
from benchmarks.speed import analysis_scale, overhead
from benchmarks.verdicts import label_coverage
from objectives.matchers.features import SIGNS

SMALLEST: dict[str, list[str]] = {
    "audits.bisect": ["--rounds", "1"],
    "audits.false_alarms": ["--audits", "4", "--limit", "1", "--real", "0"],
    "audits.power": ["--replications", "1"],
    "matchers.human_agreement": ["LABELS"],
    "replay.replay": ["--replications", "1", "--budget", "90", "--file", "TABLE", "--methods", "sweep", "tpe-3"],
    "replay.other_starts": [
        "--replications",
        "1",
        "--budget",
        "90",
        "--file",
        "RANDOM",
        "--methods",
        "one-factor",
        "sweep",
    ],
    "replay.shares": ["--table", "grid", "--file", "TABLE"],
    "search.batch_regret": ["--replications", "4", "--trials", "12"],
    "search.earlier": ["--replications", "1", "--budget", "84", "--relations", "related"],
    "search.earlier_scores": ["--replications", "1", "--budget", "84", "--problems", "unrelated"],
    "search.importances": ["--replications", "1"],
    "search.racing": ["--replications", "1", "--budgets", "54", "--problems", "rough", "--ways", "uniform,drop,late"],
    "search.recommendation": ["--replications", "2", "--budget", "80"],
    "search.sampler_scale": ["--trials", "60", "--here"],
    "search.small_budgets": ["--replications", "1", "--problem", "rough", "--budget", "120", "--ways", "base,prune"],
    "search.selection": ["--replications", "1", "--budgets", "80", "--kinds", "smooth"],
    "search.tokens": ["--replications", "1", "--tokens", "9000"],
    "speed.analysis_scale": ["--here", "--shape", "20 x 4 x 3"],
    "speed.coordinators": ["--coordinators", "2", "--delay", "0.1", "--trials", "8"],
    "speed.hosts": ["--hosts", "2", "--delay", "0.1", "--configurations", "2", "--trials", "8"],
    "speed.overhead": ["--quick", "--engine", "scripted", "--no-tracking"],
    "speed.scale": ["--here", "--generations", "200"],
    "speed.startup": ["--quick", "--only", "run, first text", "help"],
    "speed.report_page": ["--configurations", "8"],
    "speed.request_order": ["--quick", "--engine", "scripted"],
    "speed.tracking": ["--observations", "4", "--configurations", "1"],
    "speed.waiting": ["--only", "startup", "--commands", "help", "--rounds", "1"],
    "verdicts.anytime": ["--tables", "20", "--sizes", "4x6"],
    "verdicts.calibration": ["--replications", "2"],
    "verdicts.floor_interval": ["--tables", "2"],
    "verdicts.looks": ["--tables", "4", "--sizes", "4x5"],
    "verdicts.misled": ["--tables", "2"],
    "verdicts.label_coverage": ["--tables", "2"],
    "verdicts.limits": ["--replications", "2", "--trials", "12", "--sampler", "random"],
    "verdicts.peers": ["--replications", "2", "--only", "null", "search-20"],
}
MAKERS = {"matchers.build_lexicon", "matchers.fit_lexical"}
"""They make the shipped matcher's data and have tests of their own below."""


@pytest.fixture(scope="module")
def small_table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two of the ten texts of the replay's table, since scoring them all takes seconds."""
    if not replay_table.PARQUET.exists():
        pytest.skip(f"{replay_table.PARQUET.name} is absent")
    frame = replay_table.load()
    path = tmp_path_factory.mktemp("table") / "table.parquet"
    frame[frame["seed"] <= 2].to_parquet(path)
    return path


@pytest.fixture(scope="module")
def small_random(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two of the six texts of the baseline and 30 other sets of the random table."""
    if not replay_table.AT_RANDOM.file.exists():
        pytest.skip(f"{replay_table.AT_RANDOM.file.name} is absent")
    frame = replay_table.load(None, replay_table.AT_RANDOM)
    sets = pd.DataFrame(replay_table.random_sets()[:31])
    path = tmp_path_factory.mktemp("random") / "random.parquet"
    frame[frame["seed"] <= 2].merge(sets).to_parquet(path)
    return path


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[tuple[dict[str, Any], list[str]]]:
    """Figures, as JSON gives them back, and lines of the table of each benchmark that ran."""
    kept: list[tuple[dict[str, Any], list[str]]] = []

    def show(given: argparse.Namespace, figures: Mapping[str, Any], table: Iterable[str]) -> int:
        kept.append((json.loads(json.dumps(figures)), "\n".join(table).splitlines()))
        return 0

    monkeypatch.setattr(command, "show", show)
    return kept


def main_of(name: str) -> Any:
    return getattr(importlib.import_module(f"benchmarks.{name}"), "main", None)


def test_every_benchmark_has_a_smoke_test() -> None:
    modules = pkgutil.walk_packages(benchmarks.__path__, "benchmarks.")
    names = {module.name.removeprefix("benchmarks.") for module in modules}
    assert {name for name in names if main_of(name)} == set(SMALLEST) | MAKERS


@pytest.mark.slow
@pytest.mark.parametrize("name", SMALLEST)
def test_it_runs(name: str, shown: list, labels: Path, request: pytest.FixtureRequest) -> None:
    places = {
        "LABELS": lambda: str(labels),
        "TABLE": lambda: str(request.getfixturevalue("small_table")),
        "RANDOM": lambda: str(request.getfixturevalue("small_random")),
    }
    if name == "speed.coordinators":
        request.getfixturevalue("postgres_server")  # skips where PostgreSQL's binaries are absent
    argv = [places[argument]() if argument in places else argument for argument in SMALLEST[name]]
    assert main_of(name)(argv) == 0
    ((figures, lines),) = shown
    CHECKS[name](figures)
    assert any(character.isdigit() for line in lines for character in line)


def bisected(figures: dict[str, Any]) -> None:
    assert [hosts["planted"] for hosts in figures.values()] == [50, 50]
    assert [hosts["wrong"] for hosts in figures.values()] == [0, 0]


def agreement(figures: dict[str, Any]) -> None:
    assert figures["lexical"]["auc"] > 0.95


def raced(figures: dict[str, Any]) -> None:
    ways = figures["problems"]["rough"]["54"]
    assert ways["uniform"]["saved"] == 0.0
    assert ways["uniform"]["shares"] == 1.0
    assert ways["drop"]["shares"] <= 1.0
    assert all(row["regret"] > -1e-3 for row in ways.values())


def large_studies(figures: dict[str, Any]) -> None:
    ((row,), losses) = figures["cost"], figures["loss"]
    assert row["trials"] == 60
    assert 0 < row["ask"] <= row["ask_fit"]
    assert row["picks"] > 0
    assert losses == []


def replayed(figures: dict[str, Any]) -> None:
    assert figures["table"]["generations"] == 48 * 6 * 2
    assert figures["sweep"]["90"]["used"] <= 90


def batches(figures: dict[str, Any]) -> None:
    assert (figures["replications"], figures["trials"]) == (4, 12)
    whole, parts = figures["regret_4"], [figures[kind]["regret_4"] for kind in ("smooth", "rough")]
    assert whole == pytest.approx(sum(parts) / 2)
    assert figures["cost_4"] == pytest.approx(whole / figures["regret_1"] - 1)


def per_token(figures: dict[str, Any]) -> None:
    row = figures["9000"]
    assert 0 < min(row["ei"], row["per-token"]) <= max(row["ei"], row["per-token"]) < 1
    assert row["saved"] == pytest.approx(row["per-token"] - row["ei"])


def gained(figures: dict[str, Any]) -> None:
    assert figures["replications"] == 1
    assert -1 < figures["related"]["gained"] < 1


def shares(figures: dict[str, Any]) -> None:
    assert len(figures) == 4
    assert all(0 <= share <= 1 for row in figures.values() for share in row["share"].values())


def recommended(figures: dict[str, Any]) -> None:
    """On a default-best surface every recommendation is wrong, and a higher bar gives no more of them."""
    assert (figures["replications"], figures["budget"]) == (2, 80)
    for way in ("with", "without"):
        bars = [bar["default-best"] for bar in figures["redrawn"][way].values()]
        assert [bar["wrong"] for bar in bars] == [bar["recommended"] for bar in bars]
        assert [bar["wrong"] for bar in bars] == sorted((bar["wrong"] for bar in bars), reverse=True)
        assert bars[0]["cost"] == 0
        assert all(bar["cost"] <= 0 for bar in bars)


def selected(figures: dict[str, Any]) -> None:
    assert figures["smooth"]["replications"] == 1
    assert figures["smooth"]["generations"]["80"] <= 80


def any_look(figures: dict[str, Any]) -> None:
    rates = figures["rates"]
    assert 0 <= rates["4x6, beta: claimed at any look"] <= 0.3
    assert 2 * 4 * 3 <= rates["4x6, pass .5: anytime, none: generations"] <= 2 * 4 * 7


def early_looks(figures: dict[str, Any]) -> None:
    rates = figures["rates"]
    assert rates["4x5, beta: claimed before the end"] <= rates["4x5, beta: claimed at any look"]
    assert 0.4 <= rates["4x5: 2 x MDE, auto: generations"] <= 1 == rates["4x5: 2 x MDE, end: generations"]
    assert rates["4x5: 2 x MDE, end: better"] >= 0.5


def scale(figures: dict[str, Any]) -> None:
    row = figures["20 x 4 x 3"]
    assert (row["observations"], row["verdicts"], row["ranked"]) == (240, 19, 20)
    assert row["peak_megabytes"] > 10


def logged(figures: dict[str, Any]) -> None:
    took = figures["milliseconds"]
    assert (figures["configurations"], figures["observations"]) == (1, 4)
    assert figures["ratio"] == pytest.approx(took["plain"] / took["ours"])
    assert took["loop"] > 0


def report_page(figures: dict[str, Any]) -> None:
    sizes = figures["bytes"]
    assert sizes["page"] == pytest.approx(sum(size for name, size in sizes.items() if name != "page"), rel=0.01)
    assert sizes["library"] > 1_000_000
    assert figures["figures"] == 10  # no looks here
    assert set(figures["seconds"]) >= {"surface and importances", "static figures", "page with these"}


def speedup(figures: dict[str, Any]) -> None:
    assert (figures["hosts"], figures["requests"]) == (2, 12)
    assert figures["speedup"] == pytest.approx(figures["seconds"]["1"] / figures["seconds"]["2"])


def share(figures: dict[str, Any]) -> None:
    made = figures["generations"]
    assert 28 <= made <= 36  # the smallest sweep of two cases: 40 with the floor's four, less after an early look
    assert 0 < figures["engine_share"] < 1
    own = figures["wall_seconds"] - figures["engine_seconds"]
    assert figures["own_seconds_per_generation"] == pytest.approx(own / made)


def order(figures: dict[str, Any]) -> None:
    plain, ours = figures["runs"]["plain"], figures["runs"]["ours"]
    assert ours["loads"] == 2  # one per value of num_ctx
    assert plain["loads"] > 2
    assert figures["ratio_prefill_tokens"] == pytest.approx(plain["prefill_tokens"] / ours["prefill_tokens"])
    assert figures["ratio_prefill_tokens"] > 1


def waited(figures: dict[str, Any]) -> None:
    assert set(figures) == {"load", "startup"}
    assert 0 < figures["startup"]["help"]["processor"] < 10


def started(figures: dict[str, Any]) -> None:
    assert set(figures) == {"run, first text", "help"}
    assert all(found["processor"] > 0 for found in figures.values())


def coordinated(figures: dict[str, Any]) -> None:
    assert figures["seconds"].keys() == figures["seconds_of_stages"].keys() == {"1", "2"}
    assert figures["share"] == figures["seconds"]["2"] / figures["seconds"]["1"] > 0


def rates(figures: dict[str, Any]) -> None:
    assert len(figures["rates"]) > 100
    assert all(0 <= rate <= 1 for rate in figures["rates"].values())


def labelled(figures: Mapping[str, Any]) -> None:
    assert set(figures) == set(label_coverage.SETTINGS)
    for kind in figures.values():
        assert {kind["matcher"], kind["corrected"]} <= {0, 0.5, 1}
        assert 0.02 < kind["half_width"] < 0.6


def floors(figures: dict[str, Any]) -> None:
    assert len(figures) == 7
    assert all(share in (0, 0.5, 1) for sizes in figures.values() for pair in sizes.values() for share in pair)


def misled(figures: dict[str, Any]) -> None:
    assert figures["worst 30% of rows missing"]["with"] == 0
    assert all(found[name] in (0, 0.5, 1) for found in figures.values() for name in ("without", "with"))


def limited(figures: dict[str, Any]) -> None:
    assert figures["within_words"] in (0, 0.5, 1)
    assert figures["raw_flat"] > 0  # the best of noisy scores is too high


def peers(figures: dict[str, Any]) -> None:
    assert set(figures["kinds"]) == {"null", "search-20"}
    for by_rival in figures["kinds"].values():
        assert {"ours", "paired t on case means"} <= set(by_rival)
        assert all(share in (0, 0.5, 1) for each in by_rival.values() for share in each.values())


def alarmed(figures: dict[str, Any]) -> None:
    assert figures["simulated"]["audits"] == 4
    assert figures["simulated"]["share"] in (0, 0.25, 0.5)
    assert figures["real"] == {"audits": 0}


def powered(figures: dict[str, Any]) -> None:
    assert figures["generations"]["audit"] <= figures["generations"]["audit, 48"] == 48
    assert figures["simulated"]["none"]["audit"] == figures["recorded"]["none"].get("audit", 0) == 0
    assert figures["simulated"]["/v1 defaults"]["audit, 48"] == 1


def grown(figures: dict[str, Any]) -> None:
    assert figures["generations"] == figures["again"]
    assert len(figures["tenths"]) == 10
    assert 0 < figures["own_first"] < figures["before"]["own_first"] * 10
    assert set(figures["before"]) <= set(figures)


def options_that_matter(figures: dict[str, Any]) -> None:
    assert figures["sets"] == 48
    assert figures["change_temperature"] < 0  # see the table of docs/benchmarks.md: hotter covers less
    assert len(figures["items"]) == 81


def elsewhere(figures: dict[str, Any]) -> None:
    problems = figures["problems"]
    assert list(problems) == ["random", "random-elsewhere", "surface", "surface-elsewhere"]
    assert all(-1e-3 < row["90"]["regret"] < 0.2 for methods in problems.values() for row in methods.values())


def small_sweeps(figures: dict[str, Any]) -> None:
    base, pruned = figures["ways"]["base"], figures["ways"]["prune"]
    assert base["saved_recommended"] == 0
    assert 0 <= base["tried"] <= base["finalist"]
    assert base["trials"] <= pruned["trials"]


def known_scores(figures: dict[str, Any]) -> None:
    found = figures["unrelated"]
    assert found["regret"] - found["regret_with"] == pytest.approx(found["gained"])
    assert found["regret"] >= -0.01 <= found["regret_with"]


CHECKS = {
    "audits.bisect": bisected, "audits.false_alarms": alarmed, "audits.power": powered,
    "matchers.human_agreement": agreement, "replay.replay": replayed, "replay.other_starts": elsewhere,
    "replay.shares": options_that_matter, "search.batch_regret": batches,
    "search.earlier": gained, "search.earlier_scores": known_scores,
    "search.importances": shares, "search.sampler_scale": large_studies,
    "search.racing": raced,
    "search.small_budgets": small_sweeps,
    "search.recommendation": recommended, "search.selection": selected, "search.tokens": per_token,
    "speed.analysis_scale": scale,
    "speed.coordinators": coordinated,
    "speed.hosts": speedup, "speed.overhead": share, "speed.report_page": report_page, "speed.request_order": order,
    "speed.scale": grown, "speed.startup": started,
    "speed.tracking": logged, "speed.waiting": waited,
    "verdicts.anytime": any_look, "verdicts.calibration": rates, "verdicts.floor_interval": floors,
    "verdicts.label_coverage": labelled,
    "verdicts.limits": limited, "verdicts.looks": early_looks, "verdicts.misled": misled, "verdicts.peers": peers,
}  # fmt: skip


# ---- the command line


def test_json_is_one_line_and_the_table_is_text(capsys: pytest.CaptureFixture[str]) -> None:
    parser = command.parser("A benchmark.", quick="smaller")
    figures, lines = {"a": [1, 2], "b": {"c": 0.5}}, ["first", "second"]
    assert command.show(parser.parse_args(["--json"]), figures, lines) == 0
    assert capsys.readouterr().out == '{"a": [1, 2], "b": {"c": 0.5}}\n'
    assert command.show(parser.parse_args(["--quick"]), figures, lines) == 0
    assert capsys.readouterr().out == "first\nsecond\n"


@pytest.mark.slow
def test_a_table_is_measured_in_a_process_of_its_own() -> None:
    assert analysis_scale.measure_alone("5 x 4 x 3")["observations"] == 60


@pytest.mark.parametrize("name", ["speed.overhead", "speed.request_order"])
def test_an_absent_model_skips_the_benchmark(name: str, monkeypatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("sweeps.engines.embedded_model.embedded_model_path", lambda: None)
    assert main_of(name)(["--quick", "--json"]) == 0
    assert "embedded model is not installed" in json.loads(capsys.readouterr().out)["skipped"]


def test_the_quick_overhead_sweep_is_one_that_a_sweep_takes() -> None:
    from benchmarks.sweep_file import toml_text
    from sweeps.config.file import parse_config

    quick, whole = (overhead.tables(quick=quick) for quick in (True, False))
    assert parse_config(toml_text(quick), overhead.QUICKSTART).engine.kind == "llamacpp"
    assert quick["budget"]["generations"] < whole["budget"]["generations"]
    assert toml_text(whole).count("app-release-plan") == 1


# ---- the shipped matcher's data


def test_weights_are_fitted_with_their_signs_and_written(labels: Path, tmp_path: Path, capsys) -> None:
    assert fit_lexical.main([str(labels), "--out", str(tmp_path / "lexical.json")]) == 0
    model = json.loads((tmp_path / "lexical.json").read_text())
    assert json.loads(capsys.readouterr().out) == model
    assert all(weight * SIGNS[name] >= 0 for name, weight in model["weights"].items())
    assert any(model["weights"].values())


def test_a_lexicon_of_three_words(tmp_path: Path) -> None:
    (tmp_path / "words.json").write_text(json.dumps({"words": ["the", "error", "fault"]}))
    for part in ("noun", "verb", "adj", "adv"):
        (tmp_path / f"index.{part}").write_text("")
        (tmp_path / f"data.{part}").write_text("")
    # WordNet's own formats: lemma, part, senses, pointers, senses, tagged, offsets; and a synset of both words
    (tmp_path / "index.noun").write_text("error n 1 0 1 0 00000001\nfault n 1 0 1 0 00000001\n")
    (tmp_path / "data.noun").write_text("  1 licence\n00000001 04 n 02 error 0 fault 0 000 | a gloss\n")
    out = tmp_path / "lexicon.json"
    assert build_lexicon.main([str(tmp_path / "words.json"), str(tmp_path), "--out", str(out)]) == 0
    lexicon = json.loads(out.read_text())
    assert lexicon["synonyms"] == {"0": "error:fault"}
    # shares by 1 / (rank + 2.7): .439, .321, .240; their logs .82, 1.14, 1.43 to the next quarter
    assert lexicon["rarity"] == {"0.75": "the", "1.25": "error", "1.5": "fault"}


def test_settings_of_a_sweep_from_a_command_line() -> None:
    found = [command.setting(text) for text in ("confirm.runoff=2", 'search.start="near"', "search.prune=true")]
    assert command.tables_of(found) == {"confirm": {"runoff": 2}, "search": {"start": "near", "prune": True}}
    with pytest.raises(argparse.ArgumentTypeError, match=r"no TABLE\.KEY=VALUE"):
        command.setting("search.start=near")
