"""Candidate items: of the log, and of a model."""

from __future__ import annotations

from collections.abc import Mapping

from hypothesis import given
from hypothesis import strategies as st

from objectives.rubrics import candidates_from_model, find_candidates
from tests.objectives.rubrics.kiln import LOG


def test_candidates_are_facts_of_the_log_in_its_order() -> None:
    found = find_candidates(LOG, 4)
    texts = [candidate.text for candidate in found]
    assert len(texts) == 4
    assert [LOG.index(text) for text in texts] == sorted(LOG.index(text) for text in texts)
    assert not any(text.endswith("?") for text in texts)
    assert "Fine, I tell the customer in Graz that delivery moves to 4 June." in texts
    assert sorted(candidate.level for candidate in found) == [1, 2, 3, 4]
    assert {candidate.note for candidate in found} <= {"said by Petra", "said by Jonas"}


def test_candidates_skip_what_was_said_before() -> None:
    twice = LOG + "Jonas: We fire them again on Thursday with the slow program.\n"
    texts = [candidate.text for candidate in find_candidates(twice, 20)]
    assert len([text for text in texts if "slow program" in text]) == 1


@given(st.text(max_size=300), st.integers(1, 20))
def test_candidates_of_any_text_are_repeatable_and_bounded(log: str, count: int) -> None:
    found = find_candidates(log, count)
    assert found == find_candidates(log, count)
    assert len(found) <= count
    assert all(1 <= candidate.level <= 5 and candidate.text for candidate in found)


def test_model_proposals_are_cleaned() -> None:
    asked = []

    def chat_json(prompt: str, schema: Mapping) -> dict:
        asked.append((prompt, schema))
        return {
            "items": [
                {"text": " The kiln  tripped at night. ", "level": 1},
                {"text": "The kiln tripped at night", "level": 2},
                {"text": "Plates are fired again.", "level": "9"},
                {"text": "", "level": 1},
                "nonsense",
                {"text": "Graz is told.", "level": None},
                {"text": "One too many here.", "level": 5},
            ]
        }

    found = candidates_from_model(LOG, chat_json, 3)
    assert [(c.text, c.level) for c in found] == [
        ("The kiln tripped at night.", 1),
        ("Plates are fired again.", 5),
        ("Graz is told.", 3),
    ]
    ((prompt, schema),) = asked
    assert LOG in prompt
    assert schema["properties"]["items"]["maxItems"] == 3
    assert candidates_from_model(LOG, lambda prompt, schema: {"items": "none"}) == []
    assert candidates_from_model("braces {here} {0}", lambda prompt, schema: {}) == []


def test_dots_of_ordinals_and_abbreviations_end_no_sentence() -> None:
    log = (
        "Jürgen: Samstag, der 6. Juni, geht bei mir leider nicht. "
        "Der Beitrag von 15 Euro muss bis 31. Mai bei mir sein.\n"
        "Anna: Im Gasthof Krone sind am 7. nur noch Plätze frei. "
        "Wir zahlen im 2. Quartal den Bus, sagt Dr. Özlem Kaya.\n"
        "Ben: The seed of every summary run is set to 42. Then temperature stays at 0 for all machines.\n"
    )
    texts = [candidate.text for candidate in find_candidates(log, 20)]
    assert "Samstag, der 6. Juni, geht bei mir leider nicht." in texts
    assert "Der Beitrag von 15 Euro muss bis 31. Mai bei mir sein." in texts
    assert "Im Gasthof Krone sind am 7. nur noch Plätze frei." in texts
    assert "Wir zahlen im 2. Quartal den Bus, sagt Dr. Özlem Kaya." in texts
    assert "The seed of every summary run is set to 42." in texts
