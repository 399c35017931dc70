"""Thinking models of each family: a sweep ends with true scores, or stops with what to do."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from analysis.report.page import terminal_summary
from sweeps.cli import run_command
from sweeps.config.file import load_config
from sweeps.errors import ConfigError
from sweeps.results.reader import load_result
from sweeps.results.report_files import report_data
from sweeps.study.floor import NoAnswersError
from sweeps.study.rescore import rescore_study
from sweeps.study.sweep import Sweep
from tests.doubles.ollama import Model, OllamaDouble, Thought
from tests.sweeps.sweep_files import run, toml, write_cases, write_sweep
from tests.thinking import CHINESE, JAPANESE

NAME = "thinker:1b"
CAPABLE = ("completion", "thinking")


def before(opening: str, closing: str, text: str = "", *, parsed: bool = False) -> Any:
    """A way of thinking: a copy of the whole prompt, whose items would all be covered, or a given text."""

    def thinks(prompt: str, wanted: bool | str, chance: object) -> Thought | None:
        del chance
        return Thought(text or prompt, opening, closing, parsed) if wanted else None

    return thinks


WAYS = {
    "separate field": Model(capabilities=CAPABLE, thinks=before("<think>", "</think>", parsed=True)),
    "tags": Model(thinks=before("<think>\n", "\n</think>\n\n")),
    "tags, opening in the template": Model(thinks=before("", "\n</think>\n\n")),
    "channels": Model(
        thinks=before("<|channel|>analysis<|message|>", "<|end|><|start|>assistant<|channel|>final<|message|>")
    ),
    "brackets": Model(thinks=before("[THINK]", "[/THINK]")),
    "sentences": Model(thinks=before("Here is my thought process:\n", "\n\nHere is my response:\n")),
    "special tokens": Model(thinks=before("<|START_THINKING|>", "<|END_THINKING|>")),
    "Chinese": Model(thinks=before("<think>", "</think>", CHINESE)),
    "Japanese": Model(thinks=before("<think>", "</think>", JAPANESE)),
}


@pytest.fixture
def server() -> Iterator[OllamaDouble]:
    with OllamaDouble(version="0.33.0-rc2") as double:
        yield double


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_cases(tmp_path_factory.mktemp("inputs") / "cases", 2)


def write(folder: Path, cases: Path, server: OllamaDouble, model: Model, **baseline: Any) -> Path:
    """A sweep of 24 requests, of which 4 are the floor."""
    server.models[NAME] = replace(model, digest="d" * 64)
    tables = {
        "study": {"name": "t", "seed": 7},
        "engine": {"kind": "ollama", "host": server.url, "timeout": 5},
        "prompts": {"brief": "Summarise:\n{log}"},
        "objective": {"cases": str(cases)},
        "baseline": {"model": NAME, "num_ctx": 2048, "num_predict": 1500, **baseline},
        "space": {"temperature": {"low": 0.1, "high": 1.2}},
        "search": {"sampler": "random", "batch": 2, "probe": False},
        "budget": {"generations": 24, "floor_seeds": 2, "seeds": 1},
    }
    path = folder / "sweep.toml"
    path.write_text("\n".join(f"{name} = {toml(table)}" for name, table in tables.items()))
    return path


@pytest.fixture(scope="module")
def true_scores(tmp_path_factory: pytest.TempPathFactory, cases: Path) -> list[float]:
    """The scores of the same answers by a model that does not think."""
    with OllamaDouble(version="0.33.0-rc2") as double:
        result = run(write(tmp_path_factory.mktemp("plain"), cases, double, Model()))
    scores = list(result.observations["score"])
    assert len(set(scores)) > 4
    assert sum(score < 0.9 for score in scores) > 10  # a copy of the log has 1
    assert set(result.observations["thinking_tokens"]) == {0}
    return scores


@pytest.mark.parametrize("way", WAYS)
def test_a_sweep_ends_with_the_scores_of_the_answers(
    way: str, tmp_path: Path, cases: Path, server: OllamaDouble, true_scores: list[float]
) -> None:
    result = run(write(tmp_path, cases, server, WAYS[way]))
    table = result.observations
    assert list(table["score"]) == true_scores
    assert (table["thinking_tokens"] > 10).all()
    assert (table["answer_tokens"] > 50).all()
    assert (table["thinking_tokens"] + table["answer_tokens"] == table["output_tokens"]).all()
    assert set(table["finish"]) == {"stop"}
    assert result.texts["thought"].str.len().min() > 10
    assert not result.texts["text"].str.contains("think|THINK|analysis|process", regex=True).any()
    assert list(load_result(tmp_path / "mlruns").observations["score"]) == true_scores


@pytest.mark.parametrize("way", ["separate field", "tags", "channels"])
def test_a_thought_cut_by_num_predict_stops_the_sweep_with_what_to_do(
    way: str, tmp_path: Path, cases: Path, server: OllamaDouble
) -> None:
    path = write(tmp_path, cases, server, WAYS[way], num_predict=20)
    with pytest.raises(NoAnswersError) as stopped:
        run(path)
    assert stopped.value.exit_code == 2
    assert "4 of 4 texts have no answer (empty); in 4 of them the model only thought, 20 tokens" in str(stopped.value)
    if way == "separate field":
        todo = "set think = false, or a larger num_predict (now 20)"
    else:  # these think whatever is asked for
        todo = "set a larger num_predict (now 20), or think = false if the model's abilities include thinking"
    assert f"In [baseline], {todo}; give the changed sweep another study.name" in str(stopped.value)
    kept = load_result(tmp_path / "mlruns")
    assert list(kept.observations["finish"]) == ["empty"] * 4
    assert list(kept.observations["stage"]) == ["floor"] * 4
    sent = len(server.requests)
    with pytest.raises(NoAnswersError):
        run(path)
    assert not [body for at, body in server.requests[sent:] if at == "/api/chat" and body["options"]["num_predict"] > 1]


def test_a_cut_thought_without_any_mark_is_named(tmp_path: Path, cases: Path, server: OllamaDouble) -> None:
    way = Model(thinks=before("", "\n</think>\n\n", "so maybe " * 500))
    result = run(write(tmp_path, cases, server, way, num_predict=20), report=True)
    assert (result.observations["score"] == 0).all()
    note = (
        "of the baseline are cut off at num_predict 20 and score 0. If the model thinks first, they may be thought "
        "alone; set a larger num_predict."
    )
    assert note in (result.folder / "report.html").read_text()
    shown = StringIO()
    Console(file=shown, width=200).print(*terminal_summary(report_data(result)))
    assert note in " ".join(shown.getvalue().replace("│", " ").split())


def test_without_the_cut_a_copy_of_the_log_in_the_thought_scores_as_the_summary(
    tmp_path: Path, cases: Path, server: OllamaDouble, true_scores: list[float]
) -> None:
    path = write(tmp_path, cases, server, WAYS["tags"])
    path.write_text(path.read_text().replace("objective = {", 'objective = {"reasoning" = "keep", '))
    result = run(path)
    assert (result.observations["score"] > max(true_scores) - 1e-9).all()
    done = rescore_study(tmp_path / "mlruns", "t", settings={"reasoning": "cut"}, keep=False)
    assert list(done.new.observations["score"]) == true_scores


def test_a_model_that_cannot_think_is_not_asked_to(tmp_path: Path, cases: Path, server: OllamaDouble) -> None:
    path = write(tmp_path, cases, server, Model(), think=True)
    with pytest.raises(
        ConfigError, match=r"baseline\.think is true: model thinker:1b .* \(its abilities: completion\)"
    ):
        run(path)
    assert not server.bodies()


def test_a_candidate_that_a_model_cannot_follow_is_named(tmp_path: Path, cases: Path, server: OllamaDouble) -> None:
    path = write(tmp_path, cases, server, Model())
    lines = [line for line in path.read_text().splitlines() if not line.startswith(("space", "search"))]
    path.write_text("\n".join([*lines, "candidates = { deep = { think = true } }"]))
    with pytest.raises(ConfigError, match=r"candidates\.deep: model thinker:1b .* cannot think"):
        Sweep(load_config(path).as_comparison(), directory=tmp_path / "mlruns", tracking=False).run()
    assert not server.bodies()


def test_think_is_sent_explicitly_and_shown_as_the_servers_default(
    tmp_path: Path, cases: Path, server: OllamaDouble
) -> None:
    path = write(tmp_path, cases, server, WAYS["separate field"])
    result = run(path)
    assert result.baseline.options["think"] is True
    assert result.config.sources["think"] == "server default (0.33.0-rc2)"
    assert {body.get("think") for body in server.bodies() if body["options"].get("num_predict", 1) > 1} == {True}
    assert set(result.observations["think"]) == {"true"}
    sent = len(server.bodies())
    assert run(path).status == "done"
    assert len([body for body in server.bodies()[sent:] if body["options"].get("num_predict", 1) > 1]) == 0


def test_models_of_which_one_thinks_are_asked_by_their_abilities(
    tmp_path: Path, cases: Path, server: OllamaDouble
) -> None:
    server.models["plain:1b"] = Model(digest="e" * 64)
    path = write(tmp_path, cases, server, WAYS["separate field"])
    path.write_text(path.read_text().replace("space = {", f'space = {{"model" = ["{NAME}", "plain:1b"], '))
    run(path)
    sent = {(body["model"], body.get("think")) for body in server.bodies() if body["options"]["num_predict"] > 1}
    assert sent == {(NAME, True), ("plain:1b", None)}


def test_some_empty_texts_are_counted_and_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write_sweep(
        tmp_path,
        engine={"options": {"thought_words": 30}},
        baseline={"think": True},
        space={"num_predict": [20, 300, 301, 302]},
        search={"sampler": "grid", "probe": False},
        budget={"generations": 54},
    )
    result = run(path, report=True)
    table = result.observations
    empty = table[table["finish"] == "empty"]
    assert set(empty["num_predict"]) == {20}
    assert 0 < len(empty) < len(table)
    assert (empty["score"] == 0).all()
    assert (empty["thinking_tokens"] == 20).all()
    note = f"{len(empty)} of {len(table)} texts have no answer (empty); in {len(empty)} of them the model only thought"
    for name in ("report.html", "note.md"):
        assert note in (result.folder / name).read_text()
    shown = StringIO()
    Console(file=shown, width=100).print(*terminal_summary(report_data(result)))
    assert f"{len(empty)} of {len(table)} texts" in " ".join(shown.getvalue().replace("│", " ").split())
    assert run_command(["status", "t", "--json", "--mlruns", str(tmp_path / "mlruns")]) == 0
    assert f'"empty": {len(empty)}' in capsys.readouterr().out
    assert {"thought", "text"} <= set(result.texts.columns)
