"""The settings to use now, as the commands say them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from sweeps.results.reader import load_result
from tests.sweeps.cli.reading import Capture, answer, text


def test_current_settings_stay_where_nothing_is_shown_better(null: Path, capsys: Capture) -> None:
    from sweeps.cli.run import show

    result = load_result(null / "mlruns")
    show(result)
    panel = capsys.readouterr().out
    record = answer(capsys, "judge", "--json", "--mlruns", null / "mlruns")["use_now"]
    assert panel.splitlines()[1].strip("│ ").startswith("Keep your current settings: ")
    assert record["text"].startswith("Keep your current settings: ")
    assert (record["settings"], record["change"]) == ("current", [])
    assert text(capsys, "judge", "--mlruns", null / "mlruns").splitlines()[0] == record["text"]
    assert "--force" not in panel
    assert "use the finalist" not in panel.lower()
    assert ("If you want to gamble" in panel) == bool(record["gamble"]) == (result.recommended != result.baseline)
    chance = answer(capsys, "judge", "--json", "--mlruns", null / "mlruns")["probability_better"]
    for bar in (0, chance / 2, (1 + chance) / 2):
        asked = answer(capsys, "judge", "--json", "--recommend", bar, "--mlruns", null / "mlruns")
        assert (asked["recommended"] == "finalist") == (asked["effect"] > 0 and chance >= bar)
        assert bool(asked["use_now"]["gamble"]) == (asked["recommended"] == "finalist")


def test_a_study_without_a_verdict_says_why_and_keeps_the_settings(copy: Path) -> None:
    result = load_result(copy / "mlruns", "t")
    kept = replace(result.stored.record, confirmed=None)
    same = "every trial with a score has these same settings, so there was nothing to confirm"
    open_ = "there is no verdict yet, because the confirmation is not complete (status: stopped)"
    for finalists, status, why in (((), "done", same), (None, "stopped", open_)):
        stored = replace(result.stored, record=replace(kept, finalists=finalists), status=status)
        assert replace(result, stored=stored).use_now.text == f"Keep your current settings: {why}"
    unscored = [{**row, "score": None} for row in result.rows]
    stored = replace(result.stored, record=replace(kept, finalists=()))
    none = replace(result, rows=unscored, stored=stored)
    assert none.use_now.why == "no trial of the search has a score, so there was nothing to confirm"
