"""The ladder: each rung's own result, and one level for all of them."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from analysis.comparison.holm import holm
from analysis.noise.kernel_test import kernel_test
from analysis.observations.table import TableError
from analysis.sameness.ladder import RUNGS, ladder, ladder_table
from analysis.sameness.same_request import same_request


def texts_of(changed: dict[str, int], *, modes: tuple[str, ...] = ("production", "baseline")) -> pd.DataFrame:
    """Texts of 2 cases x 4 seeds x 2 repeats; a host's first `changed` requests differ from the others'."""
    return pd.DataFrame(
        [
            (mode, host, f"c{case}", seed, repeat, f"text {case} {seed} {'other' * (4 * case + seed < changes)}")
            for mode in modes
            for host, changes in changed.items()
            for case in range(2)
            for seed in range(4)
            for repeat in range(2)
        ],
        columns=["mode", "host", "case", "seed", "repeat", "text"],
    )


def runs_of(shift: float) -> pd.DataFrame:
    """Log probabilities of 6 prompts: both hosts shift by .1 when cold, b by `shift` besides."""
    return pd.DataFrame(
        [
            (host, arm, repeat, f"p{prompt}", token, -1.0 - place + (arm == "cold") * 0.1 + (host == "b") * shift)
            for host in "ab"
            for arm, repeat in (("warm", 0), ("warm", 1), ("cold", 0))
            for prompt in range(6)
            for place, token in enumerate("xyz")
        ],
        columns=["host", "arm", "repeat", "prompt", "token", "logprob"],
    )


def scores_of() -> pd.DataFrame:
    rng = np.random.default_rng(1)
    return pd.DataFrame(
        [(host, f"c{case}", seed, rng.uniform(0.4, 0.6)) for host in "ab" for case in range(2) for seed in range(8)],
        columns=["host", "case", "seed", "score"],
    )


def test_every_rung_with_its_own_test_and_one_level() -> None:
    texts = texts_of({"a": 0, "b": 8})
    rungs = ladder(texts, observations=scores_of(), first_tokens=runs_of(0.3), margin=0.2)
    assert [(rung.mode, rung.rung) for rung in rungs] == [
        ("production", "same-seed texts"),
        ("production", "distribution of texts"),
        ("baseline", "same-seed texts"),
        ("", "numerics"),
        ("", "quality"),
    ]
    assert {rung.rung for rung in rungs} == set(RUNGS)
    production = texts[texts["mode"] == "production"]
    assert rungs[0].p_value == same_request(production, "a", "b").p_value == pytest.approx(2 / 7**8)
    once = production[production["repeat"] == 0]
    x, y = (once[once["host"] == host] for host in "ab")
    assert rungs[1].p_value == kernel_test(list(x["text"]), list(y["text"]), list(x["case"]), list(y["case"])).p_value
    assert [rung.p_adjusted for rung in rungs] == holm([rung.p_value for rung in rungs])[0]
    assert [rung.finding for rung in rungs][2:] == ["differs", "differs", "same"]
    table = ladder_table(rungs)
    assert list(table["finding"]) == [rung.finding for rung in rungs]
    assert "result" not in table


def test_a_difference_at_the_level_of_one_test_is_none_at_the_audits() -> None:
    """Two requests that differ have p = 2 / 49 = .041 alone; beside one more test that is not enough."""
    texts = texts_of({"a": 0, "b": 2}, modes=("production",))
    alone = same_request(texts.drop(columns="mode"), "a", "b")
    assert alone.verdict == "differs"
    first = ladder(texts)[0]
    assert (first.p_value, first.finding) == (alone.p_value, "not shown")


def test_a_difference_of_quality_that_is_none_at_the_audits_level_is_none_in_its_sentence_and_result() -> None:
    """Before, levels and headline said "the quality differs" where the ladder did not show it."""
    scores = scores_of()
    texts = texts_of({"a": 0, "b": 2})
    alone = next(
        found
        for gain in np.arange(0.01, 0.2, 0.005)
        for moved in [scores.assign(score=scores["score"] + gain * (scores["host"] == "b"))]
        for found in ladder(texts, observations=moved, margin=0.05)
        if found.rung == "quality" and found.p_value <= 0.05
    )
    assert alone.p_adjusted > 0.05
    assert (alone.finding, alone.result.outcome) == ("not shown", "not shown")
    assert alone.sentence == alone.result.sentence
    assert alone.sentence.startswith("b scores ")
    assert alone.sentence.endswith(f" With all tests of the audit that is not shown (p = {alone.p_adjusted:.2g}).")


def test_hosts_that_are_the_same() -> None:
    rungs = ladder(texts_of({"a": 0, "b": 0, "c": 0}), first_tokens=runs_of(0.0))
    assert [rung.host_b for rung in rungs] == ["b"] * 5 + ["c"] * 5
    assert not any(rung.finding == "differs" for rung in rungs)
    assert rungs[3].finding == "same"
    undone = [rung for rung in rungs if rung.finding == "not done"]
    assert {rung.sentence for rung in undone} == {"The texts have no scores.", "No log probabilities of c."}
    assert all(math.isnan(rung.p_adjusted) for rung in undone)


def test_a_shift_within_the_hosts_own_is_the_same() -> None:
    numerics = ladder(texts_of({"a": 0, "b": 0}), first_tokens=runs_of(0.05))[3]
    assert (numerics.rung, numerics.finding) == ("numerics", "same")
    assert numerics.result.numerics == "within own shifts"


def test_one_host_is_no_audit() -> None:
    with pytest.raises(TableError, match="single host"):
        ladder(texts_of({"a": 0}))
    apart = texts_of({"a": 0, "b": 0})
    apart.loc[apart["host"] == "b", "case"] += "!"
    assert ladder(apart)[0].sentence.startswith("Not compared: 'a' and 'b' have no request in common")
