"""JSON objects in what models write."""

from __future__ import annotations

import json

import pytest

from objectives.matchers.judge import SCHEMA
from sweeps.engines.base import EngineProtocolError
from sweeps.engines.json_answers import parse_json_object

VALUE = {"answers": [{"item": 1, "quote": "it's {full}", "covered": True}]}
GOOD = json.dumps(VALUE)


@pytest.mark.parametrize(
    "text",
    [
        GOOD,
        f"```json\n{GOOD}\n```",
        f"Here is my answer:\n\n{GOOD}\n\nI hope that it helps {{or not}}.",
        f'<think>First {{"answers": []}}?</think>\n{GOOD}',
        f"The set {{1, 2}} is small.\n{GOOD}",
        GOOD.replace("}]}", "},]}"),
        str(VALUE),
        f"Sure: {VALUE}",
        GOOD[GOOD.index("[") : -1],
        "```\n" + GOOD[GOOD.index("[") : -1] + "\n```",
    ],
)
def test_an_object_is_found_in_what_stands_around_it(text: str) -> None:
    assert parse_json_object(text, "judge", SCHEMA) == VALUE


@pytest.mark.parametrize("text", ["", "no", "[1]", "true", '{"answers": [{"item": 1, "cov', "{" * 200_000, "[" * 5000])
def test_what_has_no_whole_object_is_refused(text: str) -> None:
    with pytest.raises(EngineProtocolError, match="judge: the answer is no JSON object"):
        parse_json_object(text, "judge")
