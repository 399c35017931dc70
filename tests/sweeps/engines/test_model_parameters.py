"""The parameters of a model, as `/api/show` prints them."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweeps.engines.model_parameters import parse_parameters
from tests.doubles.ollama import RECORDINGS


@pytest.mark.parametrize("version", ["0.33.0-rc2", "0.6.8"])
def test_recorded_parameters(version: str) -> None:
    text = json.loads((RECORDINGS / version / "52_show_with_parameters.json").read_text())["response"]["body"]
    assert parse_parameters(text["parameters"]) == {
        "temperature": 0.2,
        "top_k": 10,
        "repeat_penalty": 1.3,
        "num_thread": 1,
        "stop": ("<|im_end|>",),
    }


def test_several_stops_escapes_and_other_types() -> None:
    text = 'stop    "<|end|>"\nnum_ctx  8192\nuse_mmap   true\nstop  "\\nUser:\\t\\"x\\" \\u00e9"\nmin_p 1e-05\n\nodd'
    assert parse_parameters(text) == {
        "stop": ('\nUser:\t"x" é', "<|end|>"),
        "num_ctx": 8192,
        "use_mmap": True,
        "min_p": 1e-5,
    }
    assert parse_parameters(None) == parse_parameters("") == {}


def test_an_escape_that_go_does_not_write_stays_as_it_is(recwarn: pytest.WarningsRecorder) -> None:
    assert parse_parameters(r'stop "\|\x7c"' + "\n" + r'top_k "\|"') == {"stop": (r"\|\x7c",), "top_k": r"\|"}
    assert not recwarn.list


@given(st.dictionaries(st.from_regex(r"[a-z_]{1,20}", fullmatch=True).filter(lambda name: name != "stop"),
                       st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.booleans(), max_size=5),
       st.sets(st.text(st.characters(codec="utf-8"), min_size=1), max_size=4), st.randoms())  # fmt: skip
def test_whatever_a_server_prints_is_read_back_in_any_order(values, stops, random) -> None:
    lines = [f"{name:30} {json.dumps(value)}" for name, value in values.items()]
    lines += [f"{'stop':30} {json.dumps(stop, ensure_ascii=False)}" for stop in stops]
    random.shuffle(lines)
    assert parse_parameters("\n".join(lines)) == values | ({"stop": tuple(sorted(stops))} if stops else {})


@given(st.text())
def test_no_text_raises(text: str) -> None:
    parse_parameters(text)
