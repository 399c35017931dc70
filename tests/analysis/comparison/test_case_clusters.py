"""Cases in clusters: the standard error against a jackknife and by simulation."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from analysis import TableError, judge, rank
from analysis.comparison.case_clusters import clustered_t
from analysis.comparison.pair import pair
from analysis.observations.table import summarize
from tests.analysis import simulate
from tests.marks import long


def table_of(arms, cluster):
    """A table of two arms with one score for each case."""
    parts = [
        pd.DataFrame(
            {"configuration": name, "case": range(len(scores)), "seed": 0, "score": scores, "document": cluster}
        )
        for name, scores in zip("bf", arms, strict=True)
    ]
    return pd.concat(parts, ignore_index=True)


def two_of(table):
    cells = summarize(table, cluster="document")
    return pair(cells, 0, 1)


def test_clusters_of_one_case_give_the_paired_t_test():
    rng = np.random.default_rng(1)
    arms = rng.uniform(0.2, 0.8, (2, 9))
    found = clustered_t(two_of(table_of(arms, range(9))))
    expected = stats.ttest_rel(arms[1], arms[0])
    assert found.p_value == pytest.approx(expected.pvalue)
    assert found.dof == pytest.approx(8)


def test_equal_clusters_give_the_paired_t_test_of_their_means():
    rng = np.random.default_rng(2)
    arms = rng.uniform(0.2, 0.8, (2, 21))
    found = clustered_t(two_of(table_of(arms, np.repeat(range(7), 3))))
    expected = stats.ttest_rel(*(each.reshape(7, 3).mean(axis=1) for each in arms[::-1]))
    assert found.p_value == pytest.approx(expected.pvalue)


@pytest.mark.parametrize("sizes", [long((10,) * 8), (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12)])
@pytest.mark.parametrize("shared", [0.0, 0.5])
def test_equal_arms_differ_at_the_nominal_rate(sizes, shared):
    rng = np.random.default_rng([len(sizes), int(10 * shared)])
    cluster, count = np.repeat(range(len(sizes)), sizes), 500
    own = rng.normal(0, math.sqrt(shared), (count, len(sizes)))[:, cluster]
    own += rng.normal(0, math.sqrt(1 - shared), own.shape)
    scores = np.stack([np.full_like(own, 0.5), 0.5 + 0.05 * own], axis=1)[..., None]
    cells = simulate.cells_of(scores, cluster)
    rejected = sum(clustered_t(pair(cells, 2 * each, 2 * each + 1)).p_value <= 0.05 for each in range(count))
    assert 0.02 <= rejected / count <= 0.08


def test_a_verdict_on_questions_of_documents_is_for_new_cases():
    rng = np.random.default_rng(3)
    cluster = np.repeat(range(10), 6)
    level = rng.normal(0.5, 0.05, 10)[cluster]
    arms = np.stack([level + rng.normal(0, 0.05, 60), level + 0.2 + rng.normal(0, 0.05, 60)])
    (verdict,) = judge(table_of(arms, cluster), baseline="b", cluster="document")
    assert (verdict.outcome, verdict.claim) == ("better", "new-cases")
    assert verdict.test == "paired t, clusters as units"
    found = rank(table_of(arms, cluster), cluster="document")
    assert list(found["rank_high"]) == [1, 2]


def test_one_generation_for_each_question_is_paired_by_question():
    rng = np.random.default_rng(4)
    arms = (
        rng.uniform(0.2, 0.6, (1, 300)) + np.stack([np.zeros(300), np.full(300, 0.05)]) + rng.normal(0, 0.05, (2, 300))
    )
    (verdict,) = judge(table_of(np.clip(arms, 0, 1), 0).drop(columns="document"), baseline="b")
    assert (verdict.outcome, verdict.claim, verdict.test) == ("better", "new-cases", "paired t on case means")


def test_a_test_by_name_keeps_its_own_claim():
    arms = np.random.default_rng(5).uniform(0.2, 0.8, (2, 8))
    table = table_of(arms, 0)
    table = pd.concat([table, table.assign(seed=1, score=table["score"] * 0.9)])
    assert judge(table, baseline="b", test="pooled")[0].claim == "these-cases"
    assert judge(table, baseline="b", test="paired")[0].claim == "new-cases"


def test_a_case_in_two_clusters_is_refused():
    table = table_of(np.full((2, 8), 0.5), range(8))
    table.loc[0, "document"] = 7
    with pytest.raises(TableError, match=r"case '0' is in two clusters: column 'document' has '0' and '7'"):
        judge(table, baseline="b", cluster="document")


def test_a_missing_cluster_column_is_named():
    with pytest.raises(TableError, match=r"missing column 'documents' \(is it 'document' here\?\)"):
        judge(table_of(np.full((2, 8), 0.5), range(8)), baseline="b", cluster="documents")


def test_few_clusters_claim_nothing():
    arms = np.random.default_rng(6).uniform(0.2, 0.8, (2, 20))
    with pytest.raises(TableError, match="takes at least 6 clusters with both arms; there are 5"):
        judge(table_of(arms, np.repeat(range(5), 4)), baseline="b", cluster="document")
