"""What a table must be, and that its summary is right whatever the order of the rows."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis import judge
from analysis.observations.table import TableError, summarize


def table(**changes):
    base = {
        "configuration": ["a", "a", "a", "a", "b", "b", "b", "b"],
        "case": ["x", "x", "y", "y", "x", "x", "y", "y"],
        "seed": [1, 2, 1, 2, 1, 2, 1, 2],
        "score": [0.1, 0.3, 0.5, 0.5, 0.2, 0.2, 0.6, 0.8],
    }
    return pd.DataFrame(base | changes)


def test_cells_by_hand():
    cells = summarize(table())
    assert cells.configurations == ("a", "b")
    assert cells.cases == ("x", "y")
    np.testing.assert_allclose(cells.mean, [[0.2, 0.5], [0.2, 0.7]])
    np.testing.assert_allclose(cells.m2, [[0.02, 0], [0, 0.02]])
    assert cells.n.tolist() == [[2, 2], [2, 2]]
    assert cells.cell_scores(1, 1).tolist() == [0.6, 0.8]


def test_missing_columns_are_named_with_the_nearest():
    with pytest.raises(TableError, match=r"missing column 'configuration' \(is it 'configuratoin' here\?\), 'seed'"):
        summarize(table().rename(columns={"configuration": "configuratoin", "seed": "zzz"}))


def test_a_column_that_is_needed_itself_is_not_taken_for_another():
    with pytest.raises(TableError, match=r"missing column 'seed'; the table has 'configuration', 'case'"):
        summarize(table().drop(columns="seed"))


def test_a_row_that_stands_twice_is_named_as_the_table_has_it():
    twice = pd.concat([table(), table().iloc[2:3]], ignore_index=True)
    row = twice.iloc[2]
    message = rf"configuration '{row['configuration']}', case '{row['case']}', seed {int(row['seed'])} in rows 3, 9 "
    with pytest.raises(TableError, match=message):
        summarize(twice)


@pytest.mark.parametrize(
    ("score", "message"),
    [
        ([0.1, 0.3, "much", 0.5, 0.2, 0.2, 0.6, 0.8], r"not a number in row 3 .*'much'"),
        ([0.1, 0.3, 1.5, 0.5, 0.2, 0.2, 0.6, -0.8], r"outside 0 to 1 in rows 3, 8 .*1\.5"),
        ([10, 30, 50, 50, 20, 20, 60, 80], r"Name the scale's ends with --range LOW,HIGH"),
        ([0.1, 0.3, np.inf, 0.5, 0.2, 0.2, 0.6, 0.8], r"outside 0 to 1 in row 3"),
    ],
)
def test_bad_scores_are_refused_with_their_rows(score, message):
    with pytest.raises(TableError, match=message):
        summarize(table(score=score))


@pytest.mark.parametrize("column", ["configuration", "case", "seed"])
def test_empty_labels_are_refused(column):
    frame = table().astype({column: object})
    frame.loc[4, column] = None
    with pytest.raises(TableError, match=rf"{column} is empty in row 5"):
        summarize(frame)


def test_empty_table_is_refused():
    with pytest.raises(TableError, match="no rows"):
        summarize(table().iloc[:0])


def test_duplicates_are_refused_unless_numbered():
    twice = pd.concat([table(), table().iloc[[2]]], ignore_index=True)
    with pytest.raises(TableError, match=r"more than once: configuration 'a', case 'y', seed .* in rows 3, 9"):
        summarize(twice)
    twice.loc[8, "score"] += 0.1
    assert summarize(twice.assign(repeat=[0] * 8 + [1])).n.sum() == 9
    assert summarize(twice.assign(host=["h"] * 8 + ["i"])).n.sum() == 9


@pytest.mark.parametrize(
    ("copied", "rows", "more"),
    [([2], "3, 9", ""), ([2, 2], "3, 9, 10", ""), ([5, 2], "3, 10", ", and 1 more such generation"),
     ([2, 5, 0, 5], "1, 11", ", and 2 more such generations")],
)  # fmt: skip
def test_only_rows_of_the_generation_that_is_named_are_listed(copied, rows, more):
    twice = pd.concat([table(), table().iloc[copied]], ignore_index=True)
    with pytest.raises(TableError) as error:
        summarize(twice)
    assert f" in rows {rows} (the first row after the header is 1){more}. Drop the copies" in str(error.value)


def test_errors_and_missing_scores_do_not_count():
    frame = table(score=[0.1, None, 0.5, 0.5, 0.2, 0.2, 0.6, 0.8]).assign(finish=["stop"] * 7 + ["error"])
    cells = summarize(frame)
    assert cells.excluded.tolist() == [1, 1]
    assert cells.n.tolist() == [[1, 2], [2, 1]]


def test_an_error_that_was_made_good_is_no_duplicate():
    again = pd.concat([table(score=[None, 0.3, 0.5, 0.5, 0.2, 0.2, 0.6, 0.8]), table().iloc[[0]]], ignore_index=True)
    assert summarize(again).n.sum() == 8


def test_unknown_labels_are_answered_with_what_there_is():
    cells = summarize(table(configuration=["base"] * 4 + ["other"] * 4))
    with pytest.raises(
        TableError, match=r"no baseline 'bse' in the table; it has 'base', 'other'. Did you mean 'base'"
    ):
        cells.index("bse", "baseline")


def test_an_arm_of_errors_only_is_refused():
    cells = summarize(table(score=[None] * 4 + [0.2] * 4))
    with pytest.raises(TableError, match=r"'a' has no usable observation \(4 rows"):
        cells.index("a")


def test_labels_may_be_numbers_and_categories():
    cells = summarize(table(configuration=[10] * 4 + [9] * 4).astype({"case": "category"}))
    assert cells.configurations == ("10", "9")
    assert cells.mean[0].tolist() == pytest.approx([0.2, 0.5])


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2), st.floats(0, 1)), min_size=1, max_size=40), st.randoms()
)
def test_summary_agrees_with_numpy_and_does_not_know_the_order_of_rows(rows, random):
    frame = pd.DataFrame(
        [(f"c{c}", f"k{k}", seed, score) for seed, (c, k, score) in enumerate(rows)],
        columns=["configuration", "case", "seed", "score"],
    )
    order = list(range(len(frame)))
    random.shuffle(order)
    one, other = summarize(frame), summarize(frame.iloc[order])
    for name in ("n", "mean", "m2", "scores"):
        assert np.array_equal(getattr(one, name), getattr(other, name))
    for row, configuration in enumerate(one.configurations):
        for column, case in enumerate(one.cases):
            scores = frame.score[(frame.configuration == configuration) & (frame.case == case)].to_numpy()
            assert one.n[row, column] == len(scores)
            if len(scores):
                assert one.mean[row, column] == pytest.approx(scores.mean())
                assert one.m2[row, column] == pytest.approx(((scores - scores.mean()) ** 2).sum(), abs=1e-12)


@pytest.mark.parametrize("column", ["score", "configuration", "seed", "finish"])
def test_a_column_that_is_there_twice_is_refused(column):
    data = table(finish="stop")
    with pytest.raises(TableError, match=f"2 columns of the table are named '{column}'"):
        summarize(pd.concat([data, data[[column]]], axis=1))
    assert summarize(pd.concat([data, data[["finish"]].set_axis(["note"], axis=1)], axis=1)).n.sum() == 8


@pytest.mark.parametrize("data", [[{"score": 1}], {"score": [1]}, None])
def test_what_is_no_table_is_refused(data):
    with pytest.raises(TableError, match="must be a pandas DataFrame"):
        summarize(data)


@pytest.mark.parametrize("dtype", ["string", "str", "object"])
def test_an_empty_finish_or_stage_says_nothing(dtype):
    finish = pd.array(["error", None, "stop", None] * 2, dtype=dtype)
    stage = pd.array(["explore", None, "confirm", None] + [None] * 4, dtype=dtype)
    cells = summarize(table(finish=finish, stage=stage))
    assert cells.excluded.tolist() == [1, 1]
    assert cells.searched.tolist() == [True, False]


def test_labels_of_mixed_types_that_are_equal_stay_apart():
    mixed = pd.Series([1, 1, 1, 1, 1.0, 1.0, 1.0, 1.0], dtype=object)
    cells = summarize(table(configuration=mixed))
    assert cells.configurations == ("1", "1.0")
    assert summarize(table(case=pd.Series([1, 1, True, True] * 2, dtype=object))).cases == ("1", "True")


def test_a_label_is_named_as_the_text_that_it_is():
    data = table(configuration=[1] * 4 + [2] * 4)
    assert summarize(data).index("2") == 1
    with pytest.raises(TableError, match="labels are texts: name the configuration as '2', not as 2"):
        summarize(data).index(2)
    for baseline in (1, "1"):
        assert [each.configuration for each in judge(data, baseline=baseline)] == ["2"]


def test_seeds_that_are_no_numbers_or_texts_are_refused():
    with pytest.raises(TableError, match="seed must hold numbers or texts"):
        summarize(table(seed=[[1]] * 8))
