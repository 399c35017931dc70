"""Texts of some configurations, without reading the others."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sweeps.results.kept_answers import KeptAnswer, KeptAnswers, Packer, answers_of

PLAIN = {"stage": "explore", "host": "h", "case": "c", "covered": ["[1] It is red."], "missed": ["gone"]}
TEXTS: list[dict[str, Any]] = [
    {"configuration": key, "seed": seed, "score": score, "text": f"Text \ud800 of {key}\0, seed {seed}", **PLAIN}
    | {"detail": {"covered": ["red"], "missed": ["gone"], "forbidden": []}}
    for seed, score in enumerate([1 / 3, float("inf")])
    for key in "abc"
]
"""Answers, whose texts and scores any generation may have."""


def test_a_part_reads_its_own_texts_once_and_its_parts_come_from_it() -> None:
    asked: list[Collection[str] | None] = []

    def read(only: Collection[str] | None) -> list[KeptAnswer]:
        asked.append(only)
        packer = Packer({"c": {"red": "[1] It is red."}})
        return [packer.pack(text) for text in TEXTS if only is None or text["configuration"] in only]

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
