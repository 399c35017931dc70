"""Texts of some configurations, without reading the others."""

from __future__ import annotations

from collections.abc import Collection
from functools import partial
from typing import Any

from sweeps.results.kept_answers import Decoder, KeptAnswers, answers_of

TEXTS: list[dict[str, Any]] = [{"configuration": key, "seed": seed} for seed in range(2) for key in "abc"]


def test_a_part_reads_its_own_texts_once_and_its_parts_come_from_it() -> None:
    asked: list[Collection[str] | None] = []

    def read(only: Collection[str] | None) -> list[tuple[str, Decoder]]:
        asked.append(only)
        return [(t["configuration"], partial(dict, t)) for t in TEXTS if only is None or t["configuration"] in only]

    answers = KeptAnswers(read)
    two = answers_of(answers, ["a", "c"])
    one = answers_of(answers, ["c"])
    assert list(one) == [text for text in TEXTS if text["configuration"] == "c"]
    assert list(two) == [text for text in TEXTS if text["configuration"] != "b"]
    assert list(two.of(["a", "b"])) == answers_of(TEXTS, ["a"])  # type: ignore[attr-defined]
    assert asked == [{"a", "c"}]
    assert list(answers) == TEXTS
    assert list(answers.of(["b"])) == answers_of(TEXTS, ["b"])
    assert asked == [{"a", "c"}, None]
