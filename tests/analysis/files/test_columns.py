"""Mappings of columns."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.files.columns import ColumnsError, joined, parse_columns, their_columns

OURS = ("configuration", "case", "seed", "score")


def test_a_mapping_is_read() -> None:
    assert parse_columns("configuration=model, case=sample_id,seed=epoch,score=score, match", OURS) == {
        "configuration": "model",
        "case": "sample_id",
        "seed": "epoch",
        "score": "score, match",
    }


@given(
    st.dictionaries(st.sampled_from(OURS), st.from_regex(r"[A-Za-z_./ ()0-9-]*[A-Za-z_.]", fullmatch=True), min_size=1)
)
def test_any_mapping_comes_back(mapping: dict[str, str]) -> None:
    mapping = {ours: theirs.strip() for ours, theirs in mapping.items()}
    assert parse_columns(",".join(f"{ours}={theirs}" for ours, theirs in mapping.items()), OURS) == mapping


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("model", "'model' is no OURS=THEIRS"),
        ("case=", "'case=' is no OURS=THEIRS"),
        ("cas=x", "did you mean 'case'?"),
        ("zzzz=x", "one of configuration, case, seed, score"),
        ("case=a,case=b", "case is there twice"),
    ],
)
def test_a_wrong_mapping_is_refused(text: str, says: str) -> None:
    with pytest.raises(ColumnsError, match=says.replace("?", r"\?")):
        parse_columns(text, OURS)


def test_columns_are_found_in_the_table() -> None:
    present = ["model", "a+b", "prompt"]
    assert their_columns({"case": "a+b", "configuration": "model + prompt"}, present) == {
        "case": ["a+b"],
        "configuration": ["model", "prompt"],
    }
    assert joined(["model", "prompt"], ["x", "y"]) == "model=x, prompt=y"
    assert joined(["model"], ["x"]) == "x"
    with pytest.raises(ColumnsError, match="columns case=modl: the table has no column 'modl'; did you mean 'model'"):
        their_columns({"case": "modl"}, present)
