"""A draw that was only made again counts once."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from analysis import judge_one, noise_floor, variance_components
from analysis.observations.table import summarize


def table(rng, *, cases=6, seeds=5, arms="bf"):
    """Scores of arms that are equally good."""
    rows = [(arm, f"c{c}", s, rng.normal(0.5, 0.12)) for arm in arms for c in range(cases) for s in range(seeds)]
    frame = pd.DataFrame(rows, columns=["configuration", "case", "seed", "score"])
    return frame.assign(score=frame["score"].clip(0, 1))


def again(frame, column, times, **changes):
    """The same rows on several hosts or as repeats."""
    names = range(times) if column == "repeat" else [f"h{k}" for k in range(times)]
    return pd.concat([frame.assign(**{column: name}, **changes) for name in names], ignore_index=True)


@pytest.mark.parametrize("column", ["host", "repeat"])
def test_copies_change_nothing_but_the_notes(column):
    frame = table(np.random.default_rng(0))
    once, copied = judge_one(frame, baseline="b"), judge_one(again(frame, column, 3), baseline="b")
    assert (copied.p_value, copied.effect, copied.n_per_arm) == (once.p_value, once.effect, once.n_per_arm)
    assert "60 rows of the baseline do not count: their seeds are in the table more than once" in copied.notes[0]
    assert noise_floor(again(frame, column, 3), "b").dof == noise_floor(frame, "b").dof


@pytest.mark.slow
def test_equal_arms_of_which_every_text_stands_there_three_times_err_as_often_as_alpha_allows():
    rng = np.random.default_rng(1)
    found = sum(judge_one(again(table(rng), "repeat", 3), baseline="b").p_value <= 0.05 for _ in range(150))
    assert found <= 150 * 0.05 + 2 * (150 * 0.05 * 0.95) ** 0.5


def test_repeats_that_differ_are_repeats():
    rng = np.random.default_rng(2)
    frame = again(table(rng), "repeat", 3)
    frame["score"] = rng.uniform(0.2, 0.8, len(frame))
    cells = summarize(frame)
    assert cells.n.sum() == len(frame)
    assert not cells.merged.any()
    # So are other texts, unless the scores of a seed go together all the same.
    texts = frame.assign(text_sha256=[f"text {k}" for k in range(len(frame))])
    assert summarize(texts).n.sum() == len(frame)
    equal = again(table(rng), "repeat", 3)
    assert summarize(equal.assign(text_sha256=texts["text_sha256"])).n.sum() == len(equal) // 3
    assert summarize(equal).n.sum() == len(equal) // 3
    assert summarize(equal.assign(text_sha256="")).n.sum() == len(equal) // 3


def test_where_half_of_the_seeds_recur_alike_the_others_count_with_their_mean():
    frame = again(table(np.random.default_rng(3), cases=1, seeds=4, arms="b"), "repeat", 2)
    frame.loc[(frame["repeat"] == 1) & (frame["seed"] < 2), "score"] += 0.1
    cells = summarize(frame.sample(frac=1, random_state=0))
    assert cells.n.tolist() == [[4]]
    first = frame.loc[frame["repeat"] == 0, "score"].to_numpy()
    assert sorted(cells.scores) == pytest.approx(sorted([*(first[:2] + 0.05), *first[2:]]))
    far = np.argsort(-np.abs(first - first.mean()))[:3]
    frame.loc[4 + far, "score"] = 2 * first.mean() - first[far]  # one in four alike, and the others the other way round
    assert summarize(frame).n.tolist() == [[8]]


@pytest.mark.slow
@pytest.mark.parametrize("hosts", [2, 3])
@pytest.mark.usefixtures("fewer_permutations")
def test_seeds_that_go_together_over_hosts_count_once(hosts):
    """A seed begins alike on all hosts, and its texts part later on: the same score half of the way, none the same."""
    wrong = merged = alone = 0
    for number in range(120):
        rng = np.random.default_rng([number, hosts])
        frame = again(table(rng, cases=4, seeds=4), "host", hosts)
        own = rng.normal(0.5, 0.12, len(frame))
        apart = frame.assign(score=own.clip(0, 1))
        together = frame.assign(score=(0.5 + 0.8 * (frame["score"] - 0.5) + 0.6 * (own - 0.5)).clip(0, 1))
        verdict = judge_one(together, baseline="b")
        wrong += verdict.p_value <= 0.05
        merged += verdict.n_per_arm == 16
        alone += judge_one(apart, baseline="b").n_per_arm == 16 * hosts
    assert merged > 115
    assert wrong <= 120 * 0.05 + 2 * (120 * 0.05 * 0.95) ** 0.5
    assert alone > 120 * 0.75 - 2 * (120 * 0.75 * 0.25) ** 0.5


def test_greedy_arms_are_on_every_host_and_count_once_per_case_anyhow():
    frame = again(table(np.random.default_rng(4)), "host", 2)
    frame.loc[frame["configuration"] == "b", "score"] = 0.5
    frame["temperature"] = np.where(frame["configuration"] == "b", 0.0, 0.8)
    frame.loc[frame["configuration"] == "f", "seed"] += 100 * (frame["host"] == "h1")
    cells = summarize(frame)
    assert cells.n.sum() == len(frame)
    assert judge_one(frame, baseline="b").n_finalist == 60


def test_hosts_that_give_the_same_texts_are_hosts_in_the_components():
    parts = variance_components(again(table(np.random.default_rng(5)), "host", 2))
    assert (parts.hosts, parts.host) == (2, 0.0)


# ---- one text under several seeds


def with_texts(rng, *, ignored, words, temperature, kinds=None, cases=6, seeds=6):
    """Return equal arms; of the seeds of a case a share was ignored, so that one text stands under several of them.

    With `kinds`, texts come from so many different ones, as short answers do.
    """
    rows = []
    for arm in "bf":
        for case in range(cases):
            many = kinds or (2 if ignored else seeds)
            level = rng.normal(0.5, 0.12, many).clip(0, 1)
            drawn = rng.permutation(np.arange(seeds) % many) if ignored else rng.integers(many, size=seeds)
            if not ignored and kinds is None:
                drawn = np.arange(seeds)
            rows += [(arm, case, seed, level[kind], f"{arm}{case}{kind}") for seed, kind in enumerate(drawn)]
    frame = pd.DataFrame(rows, columns=["configuration", "case", "seed", "score", "text_sha256"])
    return frame.assign(words=words, temperature=temperature)


@pytest.mark.slow
@pytest.mark.usefixtures("fewer_permutations")
def test_one_long_text_under_several_seeds_counts_once():
    """Two texts in six seeds: taken for six draws, equal arms differed in .36 of tables."""
    rng = np.random.default_rng(5)
    made = [with_texts(rng, ignored=True, words=120, temperature=0.8) for _ in range(200)]
    found = [judge_one(each, baseline="b") for each in made]
    assert sum(each.p_value <= 0.05 for each in found) <= 200 * 0.05 + 2 * (200 * 0.05 * 0.95) ** 0.5
    assert {(each.n_baseline, each.n_finalist) for each in found} == {(12, 12)}
    assert "24 rows of the baseline repeat the long text of another seed" in found[0].notes[0]
    assert found[0].notes[0] in found[0].data_notes  # they stand beside n, not in the list far below
    unlike = with_texts(rng, ignored=True, words=120, temperature=0.8).drop(columns="text_sha256")
    assert judge_one(unlike, baseline="b").n_baseline == 36


@pytest.mark.parametrize(
    ("words", "settings"),
    [(3, {"temperature": 0.8}), (120, {"temperature": 0.2}), (120, {"temperature": 0.8, "top_p": 0.5})],
)
def test_short_answers_and_narrow_draws_repeat_by_right(words, settings):
    frame = with_texts(np.random.default_rng(6), ignored=False, words=words, temperature=0.0, kinds=2)
    verdict = judge_one(frame.assign(**settings), baseline="b")
    assert (verdict.n_baseline, verdict.n_finalist) == (36, 36)
    assert not any("seed" in note and "repeat" in note for note in verdict.notes)


def test_where_nobody_says_how_long_texts_are_they_are_draws_and_a_note_asks():
    frame = with_texts(np.random.default_rng(7), ignored=True, words=120, temperature=0.8)
    verdict = judge_one(frame.drop(columns="words"), baseline="b")
    assert verdict.n_baseline == 36
    assert "36 of 36 texts of the baseline are those of other seeds." in verdict.notes[0]
    tokens = frame.drop(columns="words").assign(output_tokens=150)
    assert judge_one(tokens, baseline="b").n_baseline == 12


def test_texts_count_once_in_any_order_and_on_several_hosts():
    frame = with_texts(np.random.default_rng(8), ignored=True, words=120, temperature=0.8)
    hosts = again(frame, "host", 2)
    expected = judge_one(hosts, baseline="b", seed=1)
    assert expected.n_baseline == 12
    assert judge_one(hosts.sample(frac=1, random_state=0), baseline="b", seed=1) == expected
