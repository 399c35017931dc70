"""The ledger: what is written once is there for good, and nothing stands in for anything else."""

from __future__ import annotations

import dataclasses
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sweeps.engines.base import Generation, Prompt, Timing
from sweeps.ledger import schema as tables
from sweeps.ledger.database import LedgerError
from sweeps.ledger.ledger import Ledger
from sweeps.ledger.records import Key, Place, generation_of
from sweeps.ledger.study_record import StudyRecord
from tests.sweeps.forks import fail_at_once, needs_fork

KEY = Key("f1", "m1", Prompt("user", "system"), {"temperature": 0.5, "top_k": 40}, seed=7)


def generation(text: str = "text", **changes: Any) -> Generation:
    made = Generation(text, "stop", 12, 3, Timing(1.0, 0.1, 0.2, 0.3, 0.4), 11, {"num_ctx": 512}, False)
    return dataclasses.replace(made, **changes)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    made = Ledger(tmp_path / "ledger.db")
    yield made
    made.close()


def rows(path: Path, table: str) -> int:
    with sqlite3.connect(path) as connection:
        return int(connection.execute(f"SELECT COUNT(*) FROM {table}").fetchone()[0])


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.text(max_size=30), st.integers(0, 2**40), st.sampled_from(["stop", "length", "repeat"]), st.none() | st.just(3)
)
def test_what_is_kept_comes_back(ledger: Ledger, text: str, seed: int, finish: str, tokens: int | None) -> None:
    key = dataclasses.replace(KEY, seed=seed, prompt=Prompt(text))
    known = ledger.generations.find([key])
    given_generation = generation(text, finish=finish, output_tokens=tokens)
    entry = ledger.generations.add(key, given_generation, model="m")
    assert entry.generation == (known[key.sha256].generation if known else given_generation)
    assert ledger.generations.find([key]) == {key.sha256: entry}


@pytest.mark.parametrize("text", ["\ud83d", "a\udfffb"])
def test_half_a_character_from_a_cut_stream_is_kept_as_text(ledger: Ledger, text: str) -> None:
    entry = ledger.generations.add(KEY, generation(text), model="m")
    assert entry.generation.text == text.encode("utf-8", "replace").decode()
    assert ledger.generations.find([KEY])[KEY.sha256] == entry


def test_the_key_holds_all_that_the_text_depends_on() -> None:
    others = [
        dataclasses.replace(KEY, **change)
        for change in (
            {"fingerprint": "f2"},
            {"model_digest": "m2"},
            {"prompt": Prompt("user")},
            {"prompt": Prompt("user2", "system")},
            {"options": {"temperature": 0.6, "top_k": 40}},
            {"options": {"temperature": 0.5}},
            {"seed": 8},
            {"repeat": 1},
        )
    ]
    assert len({key.sha256 for key in [KEY, *others]}) == 9
    assert dataclasses.replace(KEY, options={"top_k": 40, "temperature": 0.5}).sha256 == KEY.sha256


def test_a_text_is_never_replaced_nor_passed_off_as_a_repeat(ledger: Ledger, tmp_path: Path) -> None:
    first = ledger.generations.add(KEY, generation("one"), model="m")
    assert ledger.generations.add(KEY, generation("two"), model="m") == first
    repeat = ledger.generations.add(dataclasses.replace(KEY, repeat=1), generation("three"), model="m")
    assert repeat.id != first.id
    assert rows(tmp_path / "ledger.db", "generations") == 2
    assert rows(tmp_path / "ledger.db", "prompts") == 1


def test_two_processes_may_keep_the_same_generation(tmp_path: Path) -> None:
    one, other = Ledger(tmp_path / "ledger.db"), Ledger(tmp_path / "ledger.db")
    kept = one.generations.add(KEY, generation("one"), model="m")
    assert kept == other.generations.add(KEY, generation("two"), model="m")
    one.close()
    other.close()


def test_many_keys_are_found_at_once(ledger: Ledger) -> None:
    keys = [dataclasses.replace(KEY, seed=seed) for seed in range(1200)]
    kept = [ledger.generations.add(key, generation(str(key.seed)), model="m") for key in keys[::100]]
    assert ledger.generations.find(keys) == {key.sha256: entry for key, entry in zip(keys[::100], kept, strict=True)}
    assert ledger.generations.find([]) == {}


PLACE = Place("floor", -1, "h", "case", 7)


def observation(ledger: Ledger, place: Place = PLACE, **given: Any) -> None:
    ledger.observations.add("s", place, **({"configuration": "k", "generation": None} | given))


def test_an_error_makes_room_for_a_generation_but_a_generation_stays(ledger: Ledger) -> None:
    entry = ledger.generations.add(KEY, generation(), model="m")
    observation(ledger, error="EngineTimeout: late")
    assert [row["error"] for row in ledger.observations.of_study("s")] == ["EngineTimeout: late"]
    observation(ledger, generation=entry.id)
    observation(ledger, error="EngineTimeout: later")
    (row,) = ledger.observations.of_study("s")
    assert (row["error"], row["generation"]) == ("", entry.id)
    assert generation_of(row) == entry.generation
    assert (row["seed"], row["repeat"]) == (7, 0)
    assert ledger.observations.of_study("other") == []


def test_what_a_host_makes_of_a_place_takes_the_error_of_another_away(ledger: Ledger) -> None:
    entry = ledger.generations.add(KEY, generation(), model="m")
    others = [
        dataclasses.replace(PLACE, **change) for change in ({"case": "d"}, {"seed": 8}, {"trial": 0}, {"repeat": 1})
    ]
    for place in (PLACE, *others):
        observation(ledger, place, error="OptionRefused: no")
    elsewhere = dataclasses.replace(PLACE, host="h2")
    observation(ledger, elsewhere, error="EngineTimeout: late")
    observation(ledger, elsewhere, generation=entry.id)
    found = {
        Place(**{f: row[f] for f in Place.__dataclass_fields__}): row["error"]
        for row in ledger.observations.of_study("s")
    }
    assert found == {elsewhere: ""} | dict.fromkeys(others, "OptionRefused: no")
    (seen,) = ledger.observations.answered("s", ["floor"], [-1, 0])
    assert (seen.place, seen.configuration, seen.entry, seen.error) == (elsewhere, "k", entry, "")
    assert (
        ledger.observations.answered("s", ["explore"], [-1]) == ledger.observations.answered("s", ["floor"], [0]) == []
    )


def test_what_was_asked_with_a_seed_is_known_whatever_host_it_was_asked_on(ledger: Ledger) -> None:
    for change in ({}, {"fingerprint": "f2"}, {"repeat": 1}, {"seed": 8, "model_digest": "m2"}, {"seed": 10}):
        ledger.generations.add(dataclasses.replace(KEY, **change), generation(), model="m")
    asked = (KEY.prompt_sha256, KEY.options_json, "m")
    assert ledger.generations.asked_with(range(6, 7)) == set()
    assert ledger.generations.asked_with(range(5, 8)) == {(*asked, "m1")}
    assert ledger.generations.asked_with(range(7, 10)) == {(*asked, "m1"), (*asked, "m2")}


def test_scores_are_kept_per_objective_and_rubric(ledger: Ledger) -> None:
    entry = ledger.generations.add(KEY, generation(), model="m")
    ledger.observations.add_scores([(entry.id, "o", "r", 0.5, {"covered": ["ä"]}), (entry.id, "o", "r2", 0.6, {})])
    ledger.observations.add_scores([(entry.id, "o", "r", 0.9, {}), (entry.id, "p", "r", 0.7, {})])
    assert ledger.observations.scores([entry.id], "o") == {
        (entry.id, "r"): (0.5, {"covered": ["ä"]}),
        (entry.id, "r2"): (0.6, {}),
    }
    assert ledger.observations.scores([entry.id + 1], "o") == {}


def test_a_study_and_its_changes(ledger: Ledger) -> None:
    assert ledger.studies.get("s") is None
    made = ledger.studies.add("s", identity={"a": 1}, config="text", record=StudyRecord(plan={"trials": 1}))
    assert (made.status, made.identity, made.record) == ("running", {"a": 1}, StudyRecord(plan={"trials": 1}))
    changed = ledger.studies.update("s", lambda record: replace(record, finalists=(3,)), status="done")
    assert (changed.status, changed.record) == ("done", StudyRecord(plan={"trials": 1}, finalists=(3,)))
    assert ledger.studies.update("s", lambda record: replace(record, finalists=None)).status == "done"
    ledger.studies.update("s", identity={"a": 2})
    assert [study.identity for study in ledger.studies.all()] == [{"a": 2}]
    with pytest.raises(LedgerError):
        ledger.studies.add("s", identity={}, config="", record=StudyRecord())


def test_failures_are_remembered_apart(ledger: Ledger) -> None:
    ledger.generations.add_failure(KEY, study="s", kind="EngineTimeout", message="late")
    ledger.generations.add_failure(KEY, study="t", kind="EngineTimeout", message="late")
    (failure,) = ledger.generations.failures("s")
    assert {key: failure[key] for key in ("kind", "message")} == {"kind": "EngineTimeout", "message": "late"}
    assert ledger.generations.find([KEY]) == {}


def test_a_file_that_is_no_ledger(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    path.write_text("this is not a database, however long the text is" * 50)
    with pytest.raises(LedgerError, match="could not be opened: file is not a database"):
        Ledger(path)
    assert path.read_text().startswith("this is not")


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(LedgerError, match="check that its folder exists"):
        Ledger(tmp_path / "nowhere" / "ledger.db")


def test_odd_characters_in_the_folder(tmp_path: Path) -> None:
    folder = tmp_path / "a b#c%20d"
    folder.mkdir()
    ledger = Ledger(folder / "ledger.db")
    ledger.generations.add(KEY, generation(), model="m")
    ledger.close()
    assert rows(folder / "ledger.db", "generations") == 1


def test_a_newer_schema_is_refused(tmp_path: Path) -> None:
    Ledger(tmp_path / "ledger.db").close()
    with sqlite3.connect(tmp_path / "ledger.db") as connection:
        connection.execute("UPDATE info SET value = ?", [str(tables.SCHEMA_VERSION + 1)])
    with pytest.raises(LedgerError, match="newer slm-sweeps"):
        Ledger(tmp_path / "ledger.db")


def test_a_full_disk_is_told_and_keeps_what_is_there(ledger: Ledger, tmp_path: Path) -> None:
    ledger.generations.add(KEY, generation("kept"), model="m")
    with ledger._database._engine.connect() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar()
    ledger.close()
    full = Ledger(tmp_path / "ledger.db")
    sa_event(full, f"PRAGMA max_page_count = {pages}")
    words = r"could not be written: database or disk is full; .* free space"
    with pytest.raises(LedgerError, match=words) as caught:
        full.generations.add(dataclasses.replace(KEY, seed=100), generation("x" * 1_000_000), model="m")
    assert caught.value.exit_code == 2
    full.close()
    again = Ledger(tmp_path / "ledger.db")
    assert again.generations.find([KEY])[KEY.sha256].generation.text == "kept"
    again.close()


def sa_event(ledger: Ledger, pragma: str) -> None:
    """Run a pragma on every connection that the ledger opens."""
    import sqlalchemy as sa

    ledger._database._engine.dispose()
    sa.event.listen(ledger._database._engine, "connect", lambda connection, _: connection.execute(pragma))


@needs_fork
def test_processes_that_open_a_new_ledger_at_once(tmp_path: Path) -> None:
    for attempt in range(10):
        path = tmp_path / f"{attempt}.db"
        assert fail_at_once(lambda _, path=path: Ledger(path).close()) == []
        assert rows(path, "info") == 1


def test_the_disk_is_waited_for_with_texts_and_not_with_what_follows_from_them(tmp_path: Path) -> None:
    """FULL waits for the disk at each commit, NORMAL leaves it to the next commit that does."""
    ledger = Ledger(tmp_path / "ledger.db")
    at_commit: list[int] = []
    sa.event.listen(
        ledger._database._engine, "commit", lambda c: at_commit.append(c.exec_driver_sql("PRAGMA synchronous").scalar())
    )
    normal, full = 1, 2

    def waited(write: Callable[[], object]) -> int:
        at_commit.clear()
        write()
        return at_commit[-1]

    entry = ledger.generations.add(KEY, generation(), model="m")
    assert at_commit == [full]
    place = Place("floor", -1, "h", "c", 1)
    assert waited(lambda: ledger.observations.add_scores([(entry.id, "o", "r", 0.5, {})])) == normal
    assert waited(lambda: ledger.observations.add("s", place, configuration="k", generation=entry.id)) == normal
    assert waited(lambda: ledger.studies.add("s", identity={}, config="", record=StudyRecord())) == full
    assert waited(lambda: ledger.studies.update("s", lambda record: record)) == full
    assert waited(lambda: ledger.generations.add_failure(KEY, study="s", kind="x", message="y")) == full
    ledger.close()


def test_a_changed_study_is_returned_as_it_is_read(ledger: Ledger) -> None:
    ledger.studies.add("s", identity={"a": 1}, config="text", record=StudyRecord(plan={"trials": 1}))
    changed = ledger.studies.update(
        "s", lambda record: replace(record, priors={3: {"mean": 0.5}}), status="stopped", identity={"a": (2,)}
    )
    assert changed == ledger.studies.get("s")
    assert changed.record == StudyRecord(plan={"trials": 1}, priors={3: {"mean": 0.5}})
