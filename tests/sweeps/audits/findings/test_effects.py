"""Effects on a host, counted by hand."""

from sweeps.audits.findings.effects import effects, effects_table
from tests.sweeps.audits.records import CASES, answer, host, three_machines


def by_arm(record):
    return {(each.experiment, each.mode, each.arm): each for each in effects(record)}


def test_the_first_run_changes_texts_in_production_only():
    found = by_arm(three_machines(hosts=(host("wk-01"),)))

    cold, steady = (found["first run", mode, "cold"] for mode in ("production", "baseline"))
    assert (cold.n, cold.changed, steady.n, steady.changed) == (2, 2, 2, 0)
    assert cold.score_change == -(1 / 5 + 1 / 6) / 2
    assert (found["repeat", "baseline", "again"].changed, found["repeat", "baseline", "again"].score_change) == (0, 0.0)
    assert cold.source == "first run"


def test_a_reference_of_another_experiment_serves_and_failures_do_not_count():
    warm = answer("baseline", CASES[0], 3, 42, experiment="repeat")
    rows = (
        warm,
        answer("baseline", CASES[0], 3, 42, experiment="num_ctx", arm="other", wording="Otherwise: "),
        answer("baseline", CASES[0], 3, 42, experiment="num_ctx", arm="unset", error="timed out"),
        answer("baseline", CASES[1], 3, 42, experiment="num_ctx", arm="other"),  # no reference
    )
    (only,) = effects(three_machines(hosts=(host("wk-01", answers=rows),)))
    assert (only.arm, only.n, only.changed, only.score_change) == ("other", 1, 1, 0.0)


def test_the_table_has_a_column_for_each_field():
    table = effects_table(three_machines(hosts=(host("wk-01", answers=()),)))
    assert set(table.columns) == set(vars(effects(three_machines())[0]))
