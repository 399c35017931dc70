"""Log probabilities of a host beside its own warm ones."""

import numpy as np
import pytest

from sweeps.audits.findings.numbers import own_numbers
from sweeps.audits.record import Alternatives
from tests.sweeps.audits.records import host, three_machines

PROMPTS = [f"text {n}" for n in range(6)]


def alternatives(arm, shift, repeat=0):
    return tuple(
        Alternatives(prompt=name, arm=arm, repeat=repeat, logprobs={"a": -0.5 - shift * n, "b": -1.0 + shift * n})
        for n, name in enumerate(PROMPTS, 1)
    )


def test_a_setting_that_moves_more_than_rounding_is_told_from_one_that_does_not():
    tokens = (
        *alternatives("warm", 0.0), *alternatives("warm", 0.0, repeat=1), *alternatives("cold", 0.01),
        *alternatives("KV cache q8_0", 0.03), *alternatives("num_batch 64", 0.005), *alternatives("num_batch 512", 0.0),
    )  # fmt: skip
    one = host("wk-01").model_copy(update={"first_tokens": tokens})
    found = {each.arm: each for each in own_numbers(three_machines(hosts=(one,)))}

    assert list(found) == ["cold", "KV cache q8_0", "num_batch 64", "num_batch 512"]
    assert (found["cold"].mean, found["cold"].largest) == (pytest.approx(0.035), pytest.approx(0.06))
    assert (found["cold"].changed, found["cold"].prompts) == (0, 6)
    # the larger of two shifts on each of 6 prompts: 1/2 to the power of 6
    assert found["KV cache q8_0"].sentence == (
        "Changes the numbers: repeats move them by at most 0. More than plain rounding, cold against warm (p = 0.016)."
    )
    assert found["num_batch 64"].sentence.endswith(
        "by at most 0. Plain rounding, cold against warm, can explain it (p = 1)."
    )
    assert found["num_batch 512"].sentence == "Moves no log probability further than a repeat does."


def test_what_repeats_move_as_well_is_no_change_by_the_setting():
    """Paths at random: a setting that does nothing "changed the numbers" in 45 to 49 of 100, "plain rounding" in 51."""
    rng = np.random.default_rng(6)

    def run(arm, repeat=0, more=0.0):
        moved = rng.normal(0, 0.1, (6, 20)) * (rng.random((6, 1)) < 0.5) + rng.normal(0, more, (6, 20))
        rows = zip(PROMPTS, moved, strict=True)
        return [
            Alternatives(prompt=name, arm=arm, repeat=repeat, logprobs={f"t{n}": x - n for n, x in enumerate(row)})
            for name, row in rows
        ]

    said = []
    for _ in range(50):
        tokens = (*run("warm"), *run("warm", 1), *run("cold"), *run("num_batch 64"), *run("KV cache q8_0", more=0.5))
        one = host("wk-01").model_copy(update={"first_tokens": tokens})
        said.append({each.arm: each.sentence for each in own_numbers(three_machines(hosts=(one,)))})
    assert sum("Changes the numbers" in each["num_batch 64"] for each in said) <= 3
    assert sum("Plain rounding: " in each["cold"] for each in said) <= 3
    assert sum("not shown to move them more (p = " in each["num_batch 64"] for each in said) >= 15
    assert all("Changes the numbers" in each["KV cache q8_0"] for each in said)


def test_a_host_without_log_probabilities_has_none():
    assert own_numbers(three_machines(hosts=(host("wk-01").model_copy(update={"first_tokens": ()}),))) == []
