"""`sweeps audit --against` as a watch: its exit status says whether a host is the same as before."""

import pytest

from sweeps.cli import run_command
from tests.sweeps.audits.records import CASES, answer, host, three_machines


@pytest.mark.parametrize(
    ("wording", "status", "words"),
    [("", 0, ""), ("New: ", 1, "wk-01 in production mode: Identical texts for 0 of 6 requests")],
)
def test_one_host_is_required_to_be_as_it_was(tmp_path, monkeypatch, capsys, wording, status, words):
    monkeypatch.chdir(tmp_path)
    texts = [answer("production", case, 3, seed, wording=wording) for case in CASES for seed in (1, 2, 3)]
    before = [each.model_copy(update={"text": each.text.removeprefix("New: ")}) for each in texts]
    for name, answers in (("last", before), ("now", texts)):
        record = three_machines(hosts=(host("wk-01", answers=tuple(answers)),))
        (tmp_path / f"{name}.json").write_text(record.to_json(), encoding="utf-8")

    command = ["audit", "--from", "now.json", "--against", "last.json", "--require", "identical", "--no-tracking"]
    assert run_command(command) == status
    assert words in capsys.readouterr().err


def test_the_first_audit_of_a_watch_has_nothing_to_compare_with(tmp_path, monkeypatch, capsys):
    from sweeps.tracking import audit_runs

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(audit_runs, "last_audit", lambda uri, record: None)
    (tmp_path / "now.json").write_text(three_machines(hosts=(host("wk-01"),)).to_json(), encoding="utf-8")
    command = ["audit", "--from", "now.json", "--against", "last", "--require", "identical", "--no-tracking"]
    assert run_command(command) == 0
    assert "no earlier audit" in capsys.readouterr().err
