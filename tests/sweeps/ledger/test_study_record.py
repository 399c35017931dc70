"""The record of a study: every older form is read, nothing is lost on the way through JSON."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweeps.ledger.study_record import Look, PastScoring, Scoring, StudyRecord

NAMES = st.text(max_size=8)
JSON = st.dictionaries(NAMES, st.one_of(st.integers(), st.booleans(), NAMES, st.lists(st.integers(), max_size=3)))
NUMBERS = st.lists(st.integers(-1, 99), max_size=4).map(tuple)
SCORINGS = st.builds(Scoring, st.none() | st.dictionaries(NAMES, NAMES), st.none() | NAMES)
LOOKS = st.builds(
    Look,
    st.integers(1, 4),
    st.integers(0, 50),
    settled=NUMBERS,
    given_up=NUMBERS,
    sentences=st.lists(NAMES, max_size=3).map(tuple),
    trials=st.none() | NUMBERS,
    scoring=st.none() | SCORINGS,
)
RECORDS = st.builds(
    StudyRecord,
    plan=JSON,
    hosts=JSON,
    finalists=st.none() | NUMBERS,
    priors=st.dictionaries(st.integers(0, 99), JSON),
    honoured=st.none() | st.lists(NAMES).map(tuple),
    spent=st.none() | st.floats(0, 1e6),
    spent_until=st.none() | st.integers(0, 99),
    began=st.integers(0, 99),
    confirm_seed=st.none() | st.integers(),
    confirmed=st.none() | NAMES,
    looks=st.lists(LOOKS, max_size=2).map(tuple),
    scorings=st.lists(st.builds(PastScoring, SCORINGS, NAMES, st.booleans()), max_size=2).map(tuple),
    more=st.dictionaries(st.just("of a newer version"), JSON),
)


@given(RECORDS)
def test_a_record_comes_back_from_json_as_it_was(record: StudyRecord) -> None:
    assert StudyRecord.from_json(json.loads(json.dumps(record.as_json()))) == record


@pytest.mark.parametrize(
    ("kept", "expected"),
    [
        ({}, StudyRecord()),
        ({"finalist": 3}, StudyRecord(finalists=(3,))),
        ({"finalist": None}, StudyRecord()),
        ({"finalists": []}, StudyRecord(finalists=())),
        ({"proposals": [{"values": {}, "params": {}}]}, StudyRecord()),  # they are in a table since schema 2
        ({"spent": 2.5}, StudyRecord(spent=2.5, spent_until=None)),
        ({"path": None, "honoured": None, "environment": None}, StudyRecord()),
        (
            {"looks": [{"look": 1, "settled": [4], "told": ["Look 1 of 2: stop."]}]},
            StudyRecord(looks=(Look(1, 0, settled=(4,), sentences=("Look 1 of 2: stop.",), trials=None),)),
        ),
        (
            {"scorings": [{"until": "2026-01-01", "objective_digest": "o"}], "objective_digest": "p"},
            StudyRecord(objective_digest="p", scorings=(PastScoring(Scoring(None, "o"), "2026-01-01", fresh=True),)),
        ),
        ({"proposed by": "a newer version"}, StudyRecord(more={"proposed by": "a newer version"})),
    ],
)
def test_older_forms(kept: dict[str, Any], expected: StudyRecord) -> None:
    assert StudyRecord.from_json(kept) == expected


@pytest.mark.parametrize("kept", [{"looks": [{}]}, {"looks": 3}, {"priors": {"one": {}}}, {"priors": []}])
def test_what_is_no_record_is_refused(kept: dict[str, Any]) -> None:
    with pytest.raises((LookupError, AttributeError, TypeError, ValueError)):
        StudyRecord.from_json(kept)
