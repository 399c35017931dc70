"""Notes on texts that have no answer, or no score above 0."""

from __future__ import annotations

import pytest

from sweeps.scoring.empty_texts import unfinished_notes


def rows(*texts: tuple[str, float]) -> list[dict[str, object]]:
    return [{"finish": finish, "score": score, "num_predict": 60} for finish, score in texts]


@pytest.mark.parametrize(
    ("texts", "words"),
    [
        ([("stop", 0.0), ("length", 0.0)], "beside the rubric"),
        ([("length", 0.0), ("length", 0.0)], "set a larger num_predict"),
        ([("stop", 0.0), ("stop", 0.1)], ""),
        ([("empty", 0.0), ("stop", 0.0)], ""),  # named as texts without an answer
        ([("error", float("nan"))], ""),
    ],
)
def test_a_baseline_whose_texts_all_score_0_has_a_note(texts: list[tuple[str, float]], words: str) -> None:
    notes = unfinished_notes(rows(*texts))
    assert len(notes) == bool(words)
    assert words in "".join(notes)
