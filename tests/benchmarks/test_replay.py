"""The table of real generations, and sweeps replayed on it (`benchmarks/replay/replay.py`)."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks.replay import replay, table
from objectives import CoverageObjective
from sweeps.engines.scripted.engine import Fault, ScriptedEngine
from sweeps.hosts.host import RunStoppedError
from sweeps.ledger.ledger import Ledger

NAMES = ("app-release-plan", "slow-nightly-load")
TEXTS = 3  # of the ten per configuration and case: enough for the properties, and soon scored
needs_table = pytest.mark.skipif(
    not table.PARQUET.exists(),
    reason="benchmarks/data/replay.parquet is absent; `python -m benchmarks.replay.replay --generate` makes it",
)


# ---- making it


def work(seeds: int) -> table.Work:
    return table.Work(model="scripted", seeds=seeds, names=NAMES, combinations=table.grid()[:3])


def made(
    folder: Path, seeds: int, faults: tuple[Fault, ...] = ()
) -> tuple[ScriptedEngine, int, list[dict[str, object]]]:
    """Generate into a folder's ledger; returns the engine, what is missing, and the rows of the whole seeds."""
    engine, ledger = ScriptedEngine(work(1).cases, noise=0.1, faults=faults), Ledger(folder / "ledger.db")
    host = table.open_host(engine, "scripted")
    try:
        missing = table.generate(host, ledger, work(seeds), report=lambda _: None)
    except RunStoppedError:
        missing = -1
    rows = table.rows_of(host, ledger, work(seeds))
    ledger.close()
    return engine, missing, rows


def test_generation_goes_on_where_it_stopped(tmp_path):
    for name in ("once", "stopped"):
        (tmp_path / name).mkdir()
    whole, missing, rows = made(tmp_path / "once", seeds=3)
    assert missing == 0
    assert len(rows) == 3 * len(NAMES) * 3
    assert whole.counts.calls == len(rows) + 3 * len(NAMES)  # one warm-up per prompt and seed

    broken, missing, before = made(tmp_path / "stopped", 3, (Fault("unreachable", frozenset(range(12, 99))),))
    assert missing == -1
    assert before == rows[:6]  # of whole seeds only: the second was stopped half way
    resumed, missing, after = made(tmp_path / "stopped", seeds=3)
    assert missing == 0
    assert after == rows
    kept = 6 + 3  # the first seed, and the second's first case
    assert sum(request.options["num_predict"] != 1 for request in resumed.requests) == len(rows) - kept
    again, _, _ = made(tmp_path / "stopped", seeds=3)
    assert again.counts.calls == 0
    assert broken.counts.calls > 12


def test_prompt_is_sent_case_by_case_within_a_seed(tmp_path):
    engine, _, _ = made(tmp_path, seeds=2)
    places = [(request.options["seed"], request.prompt) for request in engine.requests]
    changes = [places[0], *(b for a, b in itertools.pairwise(places) if a != b)]
    assert len(changes) == 2 * len(NAMES)
    assert [seed for seed, _ in changes if seed] == sorted(seed for seed, _ in changes)


def test_time_limit_ends_at_once(tmp_path):
    ledger = Ledger(tmp_path / "ledger.db")
    host = table.open_host(ScriptedEngine(work(1).cases, noise=0.1), "scripted")
    assert table.generate(host, ledger, work(1), minutes=0.0) == work(1).total
    with pytest.raises(SystemExit, match="no seed is whole"):
        table.export(table.rows_of(host, ledger, work(1)), table.ON_GRID, {}, tmp_path / "table.parquet")
    ledger.close()


def test_export_keeps_rows_and_provenance(tmp_path):
    import pyarrow.parquet as pq

    _, _, rows = made(tmp_path, seeds=2)
    ledger, path = Ledger(tmp_path / "ledger.db"), tmp_path / "data" / "table.parquet"
    host = table.open_host(ScriptedEngine(work(1).cases, noise=0.1), "scripted")
    facts = table.provenance(host, work(2))
    assert table.export(table.rows_of(host, ledger, work(2)), table.ON_GRID, facts, path) == len(rows)
    ledger.close()
    frame = table.load(path)
    assert tuple(frame.columns) == table.COLUMNS
    order = [*table.GRID, "case", "seed"]
    expected = pd.DataFrame(rows).sort_values(order, ignore_index=True)
    pd.testing.assert_frame_equal(frame, expected[list(frame.columns)], check_dtype=False)
    metadata = {name.decode(): value.decode() for name, value in pq.read_schema(path).metadata.items()}
    assert metadata["model"] == "scripted"
    assert metadata["prompt_user"].startswith("{log}")
    assert json.loads(metadata["options"])["num_predict"] == 96


def test_absent_table_is_named(tmp_path):
    with pytest.raises(SystemExit, match=r"none\.parquet is absent.*--generate"):
        table.load(tmp_path / "none.parquet")


# ---- what it holds


@needs_table
def test_table_is_complete():
    frame = table.load()
    counts = frame.groupby([*table.GRID, "case"])["seed"].agg(["nunique", "size"])
    assert len(counts) == len(table.grid()) * 6 == 48 * 6
    assert (counts == table.SEEDS).all(axis=None)
    for name, values in table.GRID.items():
        assert set(frame[name]) == set(values)
    assert set(frame["case"]) == set(table.recorded_sweep()["objective"]["names"])
    assert frame["finish"].isin(["stop", "length"]).all()
    assert frame["output_tokens"].between(1, table.FIXED["num_predict"]).all()
    assert (frame["text"].str.split().str.len() <= table.FIXED["num_predict"]).all()  # else the engine would cut it
    assert table.PARQUET.stat().st_size < 10_000_000


@needs_table
def test_table_names_engine_model_prompt_and_date_but_no_place():
    import pyarrow.parquet as pq

    metadata = {name.decode(): value.decode() for name, value in pq.read_schema(table.PARQUET).metadata.items()}
    assert metadata["model"] == table.MODEL
    assert len(metadata["model_digest"]) >= 12
    assert json.loads(metadata["engine"])["name"] == "llamacpp"
    assert metadata["date"][:2] == "20"
    assert not any(str(Path.home()) in value or str(table.ROOT) in value for value in metadata.values())


# ---- replaying it


@pytest.fixture(scope="module")
def replayed() -> replay.Replay:
    if not table.PARQUET.exists():
        pytest.skip(
            "benchmarks/data/replay.parquet is absent; `python -m benchmarks.replay.replay --generate` makes it"
        )
    frame = table.load()
    return replay.Replay.of(frame[frame["seed"] <= TEXTS])


def test_truth_is_the_mean_of_the_texts_scores(replayed):
    problem, objective = replayed.problems[False], CoverageObjective()
    frame = table.load()
    cases = {case.name: case for case in replayed.cases}
    for index in (0, 17, 47):
        values = table.grid()[index]
        mine = frame[(frame["seed"] <= TEXTS) & np.all([frame[k] == v for k, v in values.items()], axis=0)]
        assert len(mine) == 6 * TEXTS
        scores = [
            objective.score(cases[case], text).score for case, text in zip(mine["case"], mine["text"], strict=True)
        ]
        assert problem.truth(values) == pytest.approx(np.mean(scores), abs=1e-12)
    assert problem.best == max(problem.truth(values) for values in table.grid())
    assert problem.scores.shape == (48, 6, TEXTS)
    assert ((problem.scores >= 0) & (problem.scores <= 1)).all()
    assert len(replayed.objective._scores) == len(
        set(zip(*(frame[frame["seed"] <= TEXTS][n] for n in ("case", "text")), strict=True))
    )


def test_draws_come_from_the_configurations_own_texts(replayed):
    problem, rng = replayed.problems[False], np.random.default_rng(1)
    values = table.grid()[20]
    block = problem.draw_block(values, 500, rng)
    for case in range(6):
        assert set(block[case]) == set(problem.scores[20, case])
        assert problem.draw(values, case, rng) in problem.scores[20, case]
        assert problem.write(replayed.cases[case], values, rng) in problem.texts[20, case]
    with pytest.raises(KeyError):
        problem.truth({**values, "top_p": 0.6})


def test_null_makes_all_configurations_the_same(replayed):
    problem, null = (replayed.problems[key] for key in (False, True))
    assert {null.truth(values) for values in table.grid()} == {null.best}
    assert null.best == pytest.approx(problem.means.mean(), abs=1e-12)
    assert null.scores.shape == (1, 6, 48 * TEXTS)
    rng = np.random.default_rng(1)
    drawn = null.draw_block(table.grid()[0], 2000, rng)
    assert drawn.mean(axis=1) == pytest.approx(null.scores[0].mean(axis=1), abs=0.02)


@pytest.mark.parametrize("null", [False, True])
def test_replayed_sweep_stays_in_the_table(replayed, tmp_path, null):
    result = replayed.sweep(150, 7, null=null, directory=tmp_path)
    grid = {tuple(values.values()) for values in table.grid()}
    assert {tuple(c.options[name] for name in table.GRID) for c in result.trials.values()} <= grid
    problem = replayed.problems[null]
    position = {case.name: index for index, case in enumerate(replayed.cases)}
    assert len(result.answers) == len(result.rows) <= 150
    for answer in result.answers:
        options = result.configurations[answer["configuration"]].options
        texts, scores = (
            part[problem.place(options), position[answer["case"]]] for part in (problem.texts, problem.scores)
        )
        assert answer["score"] in {score for text, score in zip(texts, scores, strict=True) if text == answer["text"]}


def test_a_stopped_run_goes_on_although_its_last_line_was_cut(replayed, tmp_path):
    out, records = tmp_path / "records.jsonl", [{"number": number, "budgets": [150, 300]} for number in range(2)]
    out.write_text("".join(json.dumps(record) + "\n" for record in records) + '{"number": 2, "bud')
    assert replay.run(range(2), [150, 300], replayed, 1, out) == records
    assert out.read_text().endswith("\n")
    with pytest.raises(SystemExit, match="holds budgets"):
        replay.run(range(2), [150], replayed, 1, out)


def test_measures_are_those_of_the_truth(replayed):
    problem = replayed.problems[False]
    row = replayed.swept(150, 7)
    truths = [problem.truth(values) for values in table.grid()]
    assert min(abs(problem.best - row["regret"] - truth) for truth in truths) < 1e-12
    assert row["gain"] == pytest.approx(1 - row["regret"] / (problem.best - problem.truth(problem.baseline)))
    assert row["used"] <= 150
    assert replayed.swept(150, 7) == row
    assert replayed.swept(150, 7, null=True)["regret"] == 0


def test_budgets_in_tokens_are_spent_by_the_tokens_of_the_texts(replayed, tmp_path):
    problem = replayed.problems[False]
    in_tokens = replace(replayed, unit="tokens")
    result = in_tokens.sweep(12_000, 7, directory=tmp_path)
    for row, answer in zip(result.rows, result.answers, strict=True):
        assert row["output_tokens"] == problem.lengths[answer["text"]]
    assert in_tokens.swept(12_000, 7)["used"] == sum(row["output_tokens"] for row in result.rows) <= 12_000
    # A rival's trial of 6 cases and 1 seed costs six times the mean tokens of its texts.
    least = 6 * problem.tokens.min()
    (row,) = in_tokens.peer("tpe-1", [3_000], 7)
    assert 3_000 - 6 * problem.tokens.max() < row["used"] <= 3_000
    assert problem.tokens_of(table.grid()[3]) == pytest.approx(problem.tokens[3])
    with pytest.raises(ValueError, match="does not hold one trial"):
        in_tokens.peer("tpe-1", [int(least) - 1], 7)
    with pytest.raises(ValueError, match="race plans in generations"):
        in_tokens.peer("race", [3_000], 7)
    with pytest.raises(SystemExit):
        replay.arguments(["--tokens", "--methods", "race"])
