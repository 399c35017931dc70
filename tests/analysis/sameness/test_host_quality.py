"""Quality of hosts and the three levels: against the verdict of `judge`, and by hand."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from analysis import judge
from analysis.noise.text_agreement import text_agreement
from analysis.observations.table import TableError
from analysis.sameness.host_quality import host_quality
from analysis.sameness.levels import is_met, sameness


def scores(shift: float = 0.0, hosts: str = "ab", seeds: int = 8, noise: float = 0.05) -> pd.DataFrame:
    """Hosts with seeds of their own; the last scores more by `shift`."""
    rng = np.random.default_rng(7)
    return pd.DataFrame(
        [
            (
                host,
                case,
                seed,
                float(np.clip(level + shift * (host == hosts[-1]) + rng.normal(0, noise), 0.05, 1)),
                f"{host}{case}{seed}",
            )
            for host in hosts
            for case, level in (("c1", 0.3), ("c2", 0.6), ("c3", 0.5))
            for seed in range(seeds)
        ],
        columns=["host", "case", "seed", "score", "text_sha256"],
    )


def test_a_pair_is_what_judge_finds_of_two_configurations() -> None:
    rows = scores(0.08)
    (found,) = host_quality(rows, 0.1)
    (verdict,) = judge(rows.rename(columns={"host": "configuration"}), baseline="a", margin=0.1, claim="these-cases")
    assert (found.effect, found.low, found.high) == pytest.approx((verdict.effect, verdict.ci_low, verdict.ci_high))
    assert found.p_value == pytest.approx(verdict.p_value)
    assert (found.outcome, found.cases, found.n) == ("differs", 3, 24)
    assert "b scores" in found.sentence
    assert "more than a" in found.sentence


def test_the_same_quality_takes_a_margin() -> None:
    rows = scores()
    assert [each.outcome for each in host_quality(rows, 0.1)] == ["same"]
    assert [each.outcome for each in host_quality(rows)] == ["not shown"]
    with pytest.raises(ValueError, match="margin must be above 0"):
        host_quality(rows, 0)
    with pytest.raises(TableError, match="single host"):
        host_quality(rows[rows["host"] == "a"], 0.1)


def test_pairs_share_alpha() -> None:
    """The smallest of three p values counts three times, and so does that of an equality."""
    rows = scores(0.2, hosts="abc")
    found = host_quality(rows, 0.1)
    assert [(each.host_a, each.host_b) for each in found] == [("a", "b"), ("a", "c"), ("b", "c")]
    assert [each.outcome for each in found] == ["same", "differs", "differs"]
    alone = host_quality(rows, 0.1, pairs=[("a", "c")])[0]
    assert alone.p_value < found[1].p_value <= 3 * alone.p_value + 1e-15
    same = host_quality(rows, 0.1, pairs=[("a", "b")])[0]
    assert found[0].p_equivalence == pytest.approx(3 * same.p_equivalence)


def test_hosts_with_the_same_texts_are_compared_within_seeds() -> None:
    """Seeds that coincide share their noise, so a small loss on a few of them is judged by its own size."""
    rows = scores(noise=0.2)
    twin = rows[rows["host"] == "a"].assign(host="b")
    changed = twin["seed"] == 1
    twin.loc[changed, "text_sha256"] += "!"
    twin.loc[changed, "score"] -= 0.02
    (found,) = host_quality(pd.concat([rows[rows["host"] == "a"], twin]), 0.1)
    assert found.equal_texts == pytest.approx(7 / 8)
    assert found.outcome == "same"
    assert found.high - found.low < 0.02
    (apart,) = host_quality(rows, 0.1)
    assert apart.outcome == "not shown"


def test_equal_texts_alone_prove_equality_from_enough_requests() -> None:
    """p is (1 - margin / spread) ** requests, where spread is the largest difference of two texts of a case."""
    rows = scores(noise=0.1)
    rows = rows[rows["host"] == "a"]
    both = pd.concat([rows, rows.assign(host="b")])
    (found,) = host_quality(both, 0.1)
    spread = rows.groupby("case")["score"].agg(np.ptp).max()
    assert found.p_equivalence == pytest.approx((1 - 0.1 / spread) ** 24)
    assert (found.outcome, found.p_value, found.effect) == ("same", 1, 0)
    (few,) = host_quality(both[both["seed"] < 2], 0.01)
    assert few.outcome == "not shown"
    assert "of others may differ" in few.notes[-1]


def test_hosts_without_a_shared_case() -> None:
    rows = scores()
    rows.loc[rows["host"] == "b", "case"] += "x"
    (found,) = host_quality(rows, 0.1)
    assert found.outcome == "not shown"
    assert math.isnan(found.effect)
    assert "no case" in found.sentence


# ---- the three levels


def pairs(differing: int, n: int = 20, covered: bool = True) -> pd.DataFrame:
    rows = [
        ("c", seed, "the gateway fails on monday", "the gateway fails on Monday" if seed < differing else None)
        for seed in range(n)
    ]
    frame = pd.DataFrame(rows, columns=["case", "seed", "text_a", "text_b"])
    frame["text_b"] = frame["text_b"].fillna(frame["text_a"])
    return frame.assign(covered_a=[["i", "j"]] * n, covered_b=[["j", "i"] if covered else ["i"]] * n)


def levels(rows: pd.DataFrame, **options: object) -> list[str]:
    return [each.met for each in sameness(rows, text_agreement(rows), **options)]


def test_identical_texts_meet_the_first_two_levels() -> None:
    assert levels(pairs(0)) == ["met", "met", "not shown"]
    assert levels(pairs(0, n=6)) == ["not shown", "not shown", "not shown"]
    assert levels(pairs(0).head(0)) == ["not shown", "not shown", "not shown"]


def test_near_texts_with_the_same_items_are_equivalent() -> None:
    assert levels(pairs(20), similarity=0.7) == ["not met", "met", "not shown"]
    assert levels(pairs(20), similarity=0.99) == ["not met", "not met", "not shown"]
    assert levels(pairs(20, covered=False), similarity=0.7) == ["not met", "not met", "not shown"]


def test_vectors_replace_characters() -> None:
    assert levels(pairs(20), embed=lambda texts: np.ones((len(texts), 3)), similarity=0.99)[1] == "met"


def test_a_stricter_level_includes_the_looser_ones() -> None:
    rows = pairs(0)
    results = sameness(rows, text_agreement(rows), host_quality(scores(0.2), 0.1)[0])
    assert [each.met for each in results] == ["met", "met", "not met"]
    assert is_met(results, "identical")
    assert is_met(results, "same-quality")
    with pytest.raises(ValueError, match="no level 'alike'"):
        is_met(results, "alike")
