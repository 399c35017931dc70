"""Drift: a host against itself in an earlier audit."""

import pytest

from sweeps.audits.findings.drift import drift
from sweeps.errors import ConfigError
from tests.sweeps.audits.records import CASES, answer, fingerprint, host, three_machines


def upgraded(label="wk-01", version="0.15.6", **changes):
    facts = fingerprint(label)
    return host(label, fingerprint={**facts, "engine": {**facts["engine"], "version": version}}, **changes)


def test_nothing_changed():
    for found in drift(three_machines(), three_machines()):
        assert found.changes == ()
        assert not found.texts_changed
        assert not found.quality_changed
        assert found.broken("identical") == found.broken("equivalent") == found.broken("same-quality") == []
        assert "no recorded fact changed since 2026-03-02" in found.sentence
        assert (
            "in production mode all 6 texts are the same; in baseline mode all 2 texts are the same" in found.sentence
        )


def test_an_upgrade_that_changes_texts_and_coverage():
    worse = [answer("production", case, 0, seed, wording="New: ") for case in CASES for seed in (1, 2, 3)]
    now = three_machines(hosts=(upgraded(answers=tuple(worse)),))
    (found,) = drift(three_machines(), now)

    assert found.changes == ("engine.version: was 0.13.5, is 0.15.6",)
    (texts,) = found.texts
    assert (texts.mode, texts.agreement.identical, texts.agreement.n) == ("production", 0, 6)
    before = (3 + 2 + 4) / 15 + (5 + 4 + 6) / 18
    assert texts.quality.effect == pytest.approx(-before / 2)
    assert texts.quality.outcome == "differs"
    assert found.texts_changed
    assert found.quality_changed
    assert len(found.broken("identical")) == len(found.broken("same-quality")) == 1
    assert found.broken("identical")[0].startswith("wk-01 in production mode: Identical texts for 0 of 6")
    assert found.sentence.startswith("wk-01: a fact changed since 2026-03-02; in production mode 6 of 6 texts differ, ")


def test_an_upgrade_without_an_effect():
    (found,) = drift(three_machines(), three_machines(hosts=(upgraded(),)))
    assert found.changes
    assert not found.texts_changed


def test_a_changed_path_and_window_are_changes_and_hosts_of_one_audit_are_left_out():
    now = three_machines(hosts=(host("wk-01", path="openai", num_ctx=2048), host("wk-02", label="new")))
    (found,) = drift(three_machines(), now)
    assert found.changes == ("API path: was native, is openai", "effective num_ctx: was 4096, is 2048")


def test_other_cases_cannot_be_compared():
    with pytest.raises(ConfigError, match="not the same cases"):
        drift(three_machines(), three_machines(cases=CASES[:1]))
