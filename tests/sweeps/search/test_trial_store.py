"""Messages about Optuna's storage."""

from __future__ import annotations

from pathlib import Path

import optuna
import pytest
import sqlalchemy as sa
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import FrozenTrial, TrialState, create_trial

from sweeps.errors import SweepError
from sweeps.search.trial_store import StoredTrials


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("unknown://me:sec/secret@db:1/x?password=secret", "Optuna's storage unknown://db:1/x cannot be used"),
        ("unknown://me:secret@db:port/x", r"Optuna's storage \(whose URL cannot be read; write postgresql"),
    ],
)
def test_a_password_is_not_shown(url: str, shown: str) -> None:
    with pytest.raises(SweepError, match=shown) as caught:
        StoredTrials("t", url)
    assert "secret" not in str(caught.value)


def test_opening_a_storage_prints_none_of_optunas_lines(tmp_path: Path, caplog) -> None:
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.INFO)
    optuna.logging.enable_propagation()
    try:
        for _ in range(2):  # made, then opened again
            StoredTrials("study", f"sqlite:///{tmp_path / 'optuna.db'}")
        assert not caplog.records
        optuna.create_study()
        assert caplog.records  # the user's own studies log as before
    finally:
        optuna.logging.disable_propagation()
        optuna.logging.set_verbosity(before)


def test_the_value_of_a_trial_has_a_name(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'optuna.db'}"
    for _ in range(2):  # made, and opened again
        assert StoredTrials("t", url).study.metric_names == ["score"]


DISTRIBUTIONS = {
    "temperature": FloatDistribution(0.0, 2.0, log=False),
    "top_k": IntDistribution(1, 100, log=True),
    "prompt": CategoricalDistribution(["brief", "long"]),
}


def trial(number: int) -> FrozenTrial:
    """A trial as a sweep stores it; every third one has failed, and every second one has a param less."""
    params = {"temperature": number / 7, "top_k": number + 1, "prompt": "long"}
    params = dict(list(params.items())[: 2 + number % 2])
    failed = number % 3 == 2
    return create_trial(
        state=TrialState.FAIL if failed else TrialState.COMPLETE,
        value=None if failed else number / 11,
        params=params,
        distributions={name: DISTRIBUTIONS[name] for name in params},
        user_attrs={"number": number, "case_scores": [None, 0.1 + number], "configuration": "\u2028 'x'"},
    )


def content(study: optuna.Study) -> list[dict[str, object]]:
    """All that Optuna reads of a study's trials, apart from their ids."""
    return [{name: value for name, value in vars(each).items() if name != "_trial_id"} for each in study.get_trials()]


def test_trials_of_a_batch_are_those_that_optuna_adds_one_by_one(tmp_path: Path) -> None:
    urls = [f"sqlite:///{tmp_path / name}.db" for name in ("ours", "theirs")]
    trials = [trial(number) for number in range(9)]
    StoredTrials("another", urls[0]).add(trials[:2])  # ids and numbers differ then
    ours = StoredTrials("t", urls[0])
    for first in range(0, 9, 4):
        ours.add(trials[first : first + 4])
    theirs = optuna.create_study(study_name="t", storage=urls[1], direction="maximize")
    theirs.add_trials(trials)
    again = optuna.load_study(study_name="t", storage=urls[0])
    assert content(again) == content(ours.study) == content(theirs)
    again.add_trial(trials[0])  # Optuna goes on with them
    assert [each.number for each in again.get_trials()] == list(range(10))


def test_a_batch_takes_as_many_statements_whatever_its_size(tmp_path: Path) -> None:
    counts = []
    stored = StoredTrials("t", f"sqlite:///{tmp_path / 'optuna.db'}")
    statements: list[str] = []
    sa.event.listen(sa.Engine, "before_cursor_execute", count := lambda *given: statements.append(given[2]))
    try:
        for size in (1, 3, 12, 12):
            statements.clear()
            stored.add([trial(number) for number in range(size)])
            counts.append(len(statements))
    finally:
        sa.event.remove(sa.Engine, "before_cursor_execute", count)
    assert set(counts) == {counts[0]}
    assert counts[0] < 12


def test_trials_that_the_tables_are_not_known_for_are_added_by_optuna(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored = StoredTrials("t", f"sqlite:///{tmp_path / 'optuna.db'}")
    stored.add([create_trial(value=0.5, system_attrs={"a": 1}), create_trial(value=0.4, intermediate_values={1: 0.5})])
    monkeypatch.setattr("sweeps.search.trial_rows.SCHEMA", "another")
    StoredTrials("t", f"sqlite:///{tmp_path / 'optuna.db'}").add([trial(0)])
    assert [each.value for each in stored.study.get_trials()] == [0.5, 0.4, 0.0]


def test_a_batch_is_there_whole_or_not_at_all(tmp_path: Path) -> None:
    stored = StoredTrials("t", f"sqlite:///{tmp_path / 'optuna.db'}")
    bad = trial(1)
    bad.user_attrs["number"] = object()
    with pytest.raises(SweepError, match="Optuna's storage"):
        stored.add([trial(0), bad])
    assert stored.study.get_trials() == []
