"""The suite for ledgers (`sweeps.ledger.ledger.Ledger`)."""

from __future__ import annotations

import dataclasses
import itertools
import random
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from sweeps.engines.base import Generation, Prompt, Timing
from sweeps.ledger import schema as tables
from sweeps.ledger.database import LedgerError
from sweeps.ledger.ledger import Ledger
from sweeps.ledger.records import Key, Place, generation_of
from sweeps.ledger.study_record import StudyRecord
from tests.sweeps.forks import fail_at_once, needs_fork

KEY = Key("f1", "m1", Prompt("user", "system"), {"temperature": 0.5, "top_k": 40}, seed=7)
PLACE = Place("floor", -1, "h", "case", 7)


def generation(text: str = "text", **changes: Any) -> Generation:
    made = Generation(text, "stop", 12, 3, Timing(1.0, 0.1, 0.2, 0.3, 0.4), 11, {"num_ctx": 512}, False)
    return dataclasses.replace(made, **changes)


def place_of(row: dict[str, Any]) -> Place:
    return Place(**{name: row[name] for name in Place.__dataclass_fields__})


class Ledgers:
    """The fixtures of the suites; a subclass supplies `url`: the URL (or path) of a database that is empty."""

    @pytest.fixture
    def url(self) -> str:
        raise NotImplementedError

    @pytest.fixture
    def ledger(self, url: str) -> Iterator[Ledger]:
        made = Ledger(url)
        yield made
        made.close()

    @pytest.fixture
    def other(self, ledger: Ledger, url: str) -> Iterator[Ledger]:
        """A second ledger at the same place, as another process has it."""
        made = Ledger(url)
        yield made
        made.close()


class LedgerSuite(Ledgers):
    """The contract of a ledger.

    - A write is there for good when its call returns, also for another ledger at the same place.
    - A generation comes back as it was given. It is never replaced, and never stands for a repeat. Texts of every kind
      are kept; only NUL and half characters are replaced, in the same way in every database.
    - An observation replaces an error, not another observation. Observations come in the order of their places, the
      same order at every place (no language's). Scores are kept per objective and rubric.
    - Several processes may open a new ledger at the same moment. Readers do not wait for a writer. Writes of the
      threads of one process take turns, and a write that fails gives its turn away.
    - A failure of the database is a `LedgerError`; neither its message nor `Ledger.url` has a password.

    Studies have a suite of their own, `tests/conformance/ledger_studies.py`.
    """

    def observe(self, ledger: Ledger, place: Place = PLACE, study: str = "s", **given: Any) -> None:
        ledger.observations.add(study, place, **({"configuration": "k", "generation": None} | given))

    # ---- generations

    def test_a_generation_comes_back_as_it_was_given(self, ledger: Ledger) -> None:
        texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=30)

        @settings(max_examples=25, deadline=None)
        @given(
            text=texts, seed=st.integers(0, 2**62), finish=st.sampled_from(["stop", "length", "repeat"]),
            tokens=st.none() | st.integers(0, 2**31 - 1), seconds=st.floats(0, 1e6), truncated=st.booleans(),
        )  # fmt: skip
        def check(text: str, seed: int, finish: str, tokens: int | None, seconds: float, truncated: bool) -> None:
            key = dataclasses.replace(KEY, seed=seed, prompt=Prompt(text))
            known = ledger.generations.find([key])
            made = generation(text, finish=finish, output_tokens=tokens, timing=Timing(seconds), truncated=truncated)
            entry = ledger.generations.add(key, made, model="m")
            assert entry.generation == (known[key.sha256].generation if known else made)
            assert ledger.generations.find([key]) == {key.sha256: entry}
            assert ledger.generations.having([key, dataclasses.replace(key, repeat=1)]) == {key.sha256}

        check()

    @pytest.mark.parametrize(
        ("text", "kept"),
        [
            ("", ""), ("\ud83d", "?"), ("a\udfffb", "a?b"), ("NUL \0 and \x1f", "NUL \ufffd and \x1f"),
            ("🌧️ ディスク", "🌧️ ディスク"), ("x" * 1_000_000, "x" * 1_000_000),
        ],
        ids=["empty", "half", "half inside", "NUL", "other scripts", "long"],
    )  # fmt: skip
    def test_texts_of_every_kind_are_kept(self, ledger: Ledger, other: Ledger, text: str, kept: str) -> None:
        key = replace(KEY, prompt=Prompt(f"user {text}", f"system {text}"))
        entry = ledger.generations.add(key, generation(text), model="m")
        assert entry.generation.text == kept
        assert list(other.generations.find([key]).values()) == [entry]
        assert other.generations.add(key, generation("another"), model="m") == entry
        self.observe(ledger, error=f"EngineFailure: {text}")
        ledger.generations.add_failure(key, study="s", kind="EngineFailure", message=text)
        ledger.observations.add_unscored("s", entry.id, kind="judge", message=text)
        assert [row["error"] for row in other.observations.of_study("s")] == [f"EngineFailure: {kept}"]
        assert [failure["message"] for failure in other.generations.failures("s")] == [kept, kept]

    def test_a_text_is_never_replaced_nor_passed_off_as_a_repeat(self, ledger: Ledger, other: Ledger) -> None:
        first = ledger.generations.add(KEY, generation("one"), model="m")
        assert ledger.generations.add(KEY, generation("two"), model="m") == first
        assert other.generations.add(KEY, generation("three"), model="m") == first
        repeat = ledger.generations.add(dataclasses.replace(KEY, repeat=1), generation("four"), model="m")
        assert repeat.id != first.id
        found = other.generations.find([KEY, dataclasses.replace(KEY, repeat=1)])
        assert sorted(entry.generation.text for entry in found.values()) == ["four", "one"]
        with ledger._database.reading() as connection:
            for table, rows in ((tables.generations, 2), (tables.prompts, 1)):
                assert connection.scalar(sa.select(sa.func.count()).select_from(table)) == rows

    def test_many_keys_are_found_at_once(self, ledger: Ledger) -> None:
        keys = [dataclasses.replace(KEY, seed=seed) for seed in range(1200)]
        kept = [ledger.generations.add(key, generation(str(key.seed)), model="m") for key in keys[::100]]
        expected = {key.sha256: entry for key, entry in zip(keys[::100], kept, strict=True)}
        assert ledger.generations.find(keys) == expected
        assert ledger.generations.find([]) == {}
        numbers = [entry.id for entry in kept]
        assert numbers == sorted(set(numbers))
        assert ledger.generations.newest() == numbers[-1]

    def test_an_empty_ledger_has_no_newest_generation(self, ledger: Ledger) -> None:
        assert ledger.generations.newest() == 0
        assert ledger.studies.all() == []
        assert ledger.observations.of_study("s") == []

    def test_requests_with_a_seed_are_known_on_every_host(self, ledger: Ledger) -> None:
        for change in ({}, {"fingerprint": "f2"}, {"repeat": 1}, {"seed": 8, "model_digest": "m2"}, {"seed": 10}):
            ledger.generations.add(dataclasses.replace(KEY, **change), generation(), model="m")
        asked = (KEY.prompt_sha256, KEY.options_json, "m")
        assert ledger.generations.asked_with(range(6, 7)) == set()
        assert ledger.generations.asked_with(range(5, 8)) == {(*asked, "m1")}
        assert ledger.generations.asked_with(range(7, 10)) == {(*asked, "m1"), (*asked, "m2")}

    def test_failures_are_kept_apart(self, ledger: Ledger, other: Ledger) -> None:
        for study in ("s", "t"):
            for message in ("first", "second"):
                ledger.generations.add_failure(KEY, study=study, kind="EngineTimeout", message=message)
        failures = other.generations.failures("s")
        assert [failure["message"] for failure in failures] == ["first", "second"]
        assert {failure["kind"] for failure in failures} == {"EngineTimeout"}
        assert ledger.generations.find([KEY]) == {}

    def test_seconds_after_a_generation_are_summed_by_host(self, ledger: Ledger) -> None:
        entries = [
            ledger.generations.add(replace(KEY, seed=seed), generation(timing=Timing(2.0**seed)), model="m")
            for seed in range(4)
        ]
        for entry, host in zip(entries, ("a", "a", "b", "a"), strict=True):
            self.observe(ledger, Place("floor", -1, host, "case", entry.id), generation=entry.id)
        assert ledger.generations.seconds_after("s", 0) == {"a": 1.0 + 2.0 + 8.0, "b": 4.0}
        assert ledger.generations.seconds_after("s", entries[1].id) == {"a": 8.0, "b": 4.0}
        assert ledger.generations.seconds_after("t", 0) == {}

    # ---- observations and scores

    def test_an_error_makes_room_for_a_generation_but_a_generation_stays(self, ledger: Ledger, other: Ledger) -> None:
        entry = ledger.generations.add(KEY, generation(), model="m")
        self.observe(ledger, error="EngineTimeout: late")
        assert [row["error"] for row in other.observations.of_study("s")] == ["EngineTimeout: late"]
        assert other.observations.count("s") == 0
        self.observe(ledger, generation=entry.id)
        self.observe(ledger, error="EngineTimeout: later")
        (row,) = other.observations.of_study("s")
        assert (row["error"], row["generation"]) == ("", entry.id)
        assert generation_of(row) == entry.generation
        assert place_of(row) == PLACE
        assert other.observations.count("s") == 1
        assert ledger.observations.of_study("other") == []

    def test_an_answer_of_one_host_removes_the_error_of_another(self, ledger: Ledger) -> None:
        entry = ledger.generations.add(KEY, generation(), model="m")
        changes: tuple[dict[str, Any], ...] = ({"case": "d"}, {"seed": 8}, {"trial": 0}, {"repeat": 1})
        others = [dataclasses.replace(PLACE, **change) for change in changes]
        for place in (PLACE, *others):
            self.observe(ledger, place, error="OptionRefused: no")
        elsewhere = dataclasses.replace(PLACE, host="h2")
        self.observe(ledger, elsewhere, error="EngineTimeout: late")
        self.observe(ledger, elsewhere, generation=entry.id)
        found = {place_of(row): row["error"] for row in ledger.observations.of_study("s")}
        assert found == {elsewhere: ""} | dict.fromkeys(others, "OptionRefused: no")
        (seen,) = ledger.observations.answered("s", ["floor"], [-1, 0])
        assert (seen.place, seen.configuration, seen.entry, seen.error) == (elsewhere, "k", entry, "")
        assert ledger.observations.answered("s", ["explore"], [-1]) == []
        assert ledger.observations.answered("s", ["floor"], [0]) == []

    def test_observations_come_in_the_order_of_their_places(self, ledger: Ledger) -> None:
        entry = ledger.generations.add(KEY, generation(), model="m")
        names = ["b", "B", "a-b", "ab", "a b", "_a", "Ä", "10", "9", "é", "ディスク"]
        places = [
            Place(stage, trial, host, case, seed)
            for stage, trial, host, case, seed in itertools.product(
                ("confirm", "floor"), (-1, 10, 9), "hH", names, (1,)
            )
        ]
        for place in random.Random(1).sample(places, len(places)):
            self.observe(ledger, place, generation=entry.id)
        expected = sorted(places, key=dataclasses.astuple)
        assert [place_of(row) for row in ledger.observations.of_study("s")] == expected
        found = ledger.observations.answered("s", ["floor", "confirm"], range(-1, 1000))
        assert [observed.place for observed in found] == expected

    def test_long_names_are_kept(self, ledger: Ledger) -> None:
        long = "".join(
            map(chr, range(0x4E00, 0x4E00 + 9000))
        )  # no index of PostgreSQL takes so much, compressed or not
        entry = ledger.generations.add(replace(KEY, fingerprint="f" * 300, model_digest=long), generation(), model=long)
        place = replace(PLACE, case=long, host="h" * 300)
        self.observe(ledger, place, study="s" * 300, generation=None, error="e" * 5000)
        for _ in range(2):
            self.observe(ledger, place, study="s" * 300, generation=entry.id)
        self.observe(ledger, replace(place, case=long + "x"), study="s" * 300, generation=entry.id)
        rows = ledger.observations.of_study("s" * 300)
        assert [place_of(row).case for row in rows] == [long, long + "x"]
        assert (rows[0]["generation"], rows[0]["error"]) == (entry.id, "")
        model = "/models/" + "m" * 400 + ".gguf"
        ledger.probes.add("f", "llamacpp", model, option="top_k", context="c", record={"acts": True})
        assert ledger.probes.of_host("f", "llamacpp", model) == {("top_k", "c"): {"acts": True}}

    def test_scores_are_kept_per_objective_and_rubric(self, ledger: Ledger, other: Ledger) -> None:
        entry = ledger.generations.add(KEY, generation(), model="m")
        ledger.observations.add_scores([(entry.id, "o", "r", 0.1 + 0.2, {"covered": ["ä\x00"]})])
        ledger.observations.add_scores([(entry.id, "o", "r2", 0.6, {})])
        ledger.observations.add_scores([(entry.id, "o", "r", 0.9, {}), (entry.id, "p", "r", 0.7, {})])
        ledger.observations.add_scores([])
        assert other.observations.scores([entry.id], "o") == {
            (entry.id, "r"): (0.1 + 0.2, {"covered": ["ä\x00"]}),
            (entry.id, "r2"): (0.6, {}),
        }
        assert ledger.observations.scores([entry.id + 1], "o") == {}

    def test_texts_that_could_not_be_scored_are_counted(self, ledger: Ledger) -> None:
        entry = ledger.generations.add(KEY, generation(), model="m")
        self.observe(ledger, generation=entry.id)
        assert ledger.observations.times_unscored(entry.id, kind="judge") == 0
        for study in ("s", "t"):
            ledger.observations.add_unscored(study, entry.id, kind="judge", message="no JSON")
        assert ledger.observations.times_unscored(entry.id, kind="judge") == 2
        assert ledger.observations.times_unscored(entry.id, kind="other") == 0
        assert [row["error"] for row in ledger.observations.of_study("s")] == ["judge: no JSON"]
        assert [failure["message"] for failure in ledger.generations.failures("t")] == ["no JSON"]

    # ---- processes, threads, failures

    @needs_fork
    def test_processes_may_open_a_new_ledger_at_once(self, url: str) -> None:
        assert fail_at_once(lambda _: Ledger(url).close()) == []
        ledger = Ledger(url)
        with ledger._database.reading() as connection:
            assert connection.scalar(sa.select(sa.func.count()).select_from(tables.info)) == 1
        ledger.close()

    @needs_fork
    def test_processes_may_keep_the_same_generations_at_once(self, url: str) -> None:
        def work(number: int) -> None:
            ledger = Ledger(url)
            for seed in range(10):
                text = ledger.generations.add(replace(KEY, seed=seed), generation(str(number)), model="m")
                assert ledger.generations.find([replace(KEY, seed=seed)]).popitem()[1] == text
            ledger.close()

        Ledger(url).close()
        assert fail_at_once(work) == []
        ledger = Ledger(url)
        assert len(ledger.generations.find([replace(KEY, seed=seed) for seed in range(10)])) == 10
        ledger.close()

    def test_a_reader_does_not_wait_for_a_writer(self, ledger: Ledger, other: Ledger) -> None:
        ledger.studies.add("s", identity={}, config="", record=StudyRecord(began=1))
        seen: list[int] = []

        def change(record: StudyRecord) -> StudyRecord:
            study = other.studies.get("s")
            assert study is not None
            seen.append(study.record.began)
            return replace(record, began=2)

        ledger.studies.update("s", change)
        assert seen == [1]

    def test_writes_of_threads_take_turns_and_reads_go_on(self, ledger: Ledger) -> None:
        inside: list[int] = []
        most: list[int] = []

        def write(number: int) -> None:
            with ledger._database.writing():
                inside.append(number)
                most.append(len(inside))
                ledger.studies.all()
                time.sleep(0.005)
                inside.remove(number)

        threads = [threading.Thread(target=write, args=(number,)) for number in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert most == [1] * 6

    def test_a_failed_write_gives_its_turn_away(self, ledger: Ledger) -> None:
        with ledger._database.writing() as connection:
            connection.exec_driver_sql("DROP TABLE failures")
        with pytest.raises(LedgerError, match="could not be written") as caught:
            ledger.generations.add_failure(KEY, study="s", kind="k", message="m")
        assert caught.value.exit_code == 2
        added = threading.Thread(target=lambda: ledger.studies.add("s", identity={}, config="", record=StudyRecord()))
        added.start()
        added.join(timeout=30)
        assert [study.name for study in ledger.studies.all()] == ["s"]

    def test_a_newer_schema_is_refused(self, url: str) -> None:
        ledger = Ledger(url)
        with ledger._database.writing() as connection:
            connection.execute(sa.update(tables.info).values(value=str(tables.SCHEMA_VERSION + 1)))
        ledger.close()
        with pytest.raises(LedgerError, match="newer slm-sweeps"):
            Ledger(url)

    def test_a_closed_ledger_may_be_closed_again_and_has_kept_everything(self, ledger: Ledger, url: str) -> None:
        entry = ledger.generations.add(KEY, generation(), model="m")
        ledger.close()
        ledger.close()
        again = Ledger(url)
        assert again.generations.find([KEY]) == {KEY.sha256: entry}
        again.close()
