"""Answers for people: one word and one sentence per purpose."""

import pytest

from sweeps.audits.report.answers import actions, causes, differences, headline, purposes, repeats
from tests.sweeps.audits.findings.test_attribution import DEFAULTS
from tests.sweeps.audits.records import fingerprint, host, three_machines
from tests.sweeps.audits.report.compared import levels, report

MET, NOT, OPEN = "met", "not met", "not shown"


@pytest.mark.parametrize(
    ("found", "words"),
    [
        ({"identical": (MET, MET), "equivalent": (MET, MET), "same_quality": (MET, MET)}, "The same texts, word for"),
        ({"identical": (NOT, MET), "equivalent": (OPEN, MET), "same_quality": (OPEN, OPEN)}, "for measuring, not in"),
        ({"identical": (NOT, NOT), "equivalent": (MET, MET), "same_quality": (OPEN, OPEN)}, "the same content"),
        ({"identical": (NOT, NOT), "equivalent": (NOT, NOT), "same_quality": (MET, MET)}, "Other texts, the same qual"),
        ({"identical": (NOT, NOT), "equivalent": (NOT, NOT), "same_quality": (NOT, OPEN)}, "the quality differs"),
        ({"identical": (OPEN, OPEN), "equivalent": (OPEN, OPEN), "same_quality": (OPEN, OPEN)}, "nor to differ"),
        ({"identical": (NOT, OPEN), "equivalent": (OPEN, OPEN), "same_quality": (OPEN, OPEN)}, "quality is not shown"),
    ],
)
def test_the_headline_is_the_strictest_level_that_holds(found, words):
    assert words in headline(report(three_machines(), levels=levels(**found)))[0]


def test_pairs_with_unlike_answers_are_named_and_one_no_decides():
    table = levels(identical=(NOT, MET), equivalent=(MET, MET), same_quality=(OPEN, OPEN))
    table.loc[(table["host_b"] == "mbp") & (table["mode"] == "baseline") & (table["level"] == "identical"), "met"] = NOT
    identical, equivalent, quality = purposes(report(three_machines(), levels=table))

    assert identical.word == "no"
    assert identical.sentence == "As used: no; at temperature 0: no for wk-01 and mbp, yes for wk-01 and wk-02."
    assert (equivalent.word, equivalent.sentence) == ("yes", "Yes.")
    assert (quality.word, quality.sentence) == ("not shown", "Not shown.")


def test_few_texts_that_all_agree_are_no_proof_and_an_open_difference_has_its_interval():
    table = levels(identical=(NOT, OPEN), equivalent=(NOT, OPEN), same_quality=(OPEN, OPEN))
    table = table[(table["level"] != "same-quality") | (table["mode"] == "production")].assign(
        share=1.0, low=-1.3, high=0.031, bound=0.05
    )
    found = report(three_machines(), levels=table)
    identical, _, quality = purposes(found)

    assert identical.sentence == "As used: no; at temperature 0: all 6 texts agree, too few to be sure."
    assert headline(found)[0] == "Other texts as used; at temperature 0 the same, as far as tested"
    assert quality.sentence == (
        "Coverage: wk-02 minus wk-01 -1.00 to +0.03, not shown; mbp minus wk-01 -1.00 to +0.03, not shown. A difference"
        " below 0.05 would not matter."
    )


def test_hosts_whose_texts_all_agree_have_no_other_texts_and_a_yes_has_its_numbers():
    """A default audit has two texts at temperature 0: too few for a yes. Such hosts had "Other texts"."""
    table = levels(identical=(MET, OPEN), equivalent=(MET, OPEN), same_quality=(MET, MET))
    table = table[(table["level"] != "same-quality") | (table["mode"] == "production")].assign(
        share=1.0, low=0.806, high=1.0, n=16
    )
    table.loc[table["mode"] == "baseline", ["n", "low"]] = [2, 0.342]
    found = report(three_machines(), levels=table)

    assert headline(found) == ("All texts agree, as far as tested", "equivalent")
    assert purposes(found)[0].sentence == (
        "As used: yes, 100% of 16 requests, so at least 81% of all such requests; at temperature 0: all 2 texts agree,"
        " too few to be sure."
    )


def test_one_host_has_no_purposes_but_an_answer_about_itself():
    one = report(three_machines(hosts=(host("wk-01"),)))
    assert purposes(one) == []
    assert headline(one)[0] == "wk-01 repeats its own texts once they are warm, not right after a load"
    warm = [each for each in host("wk-01").answers if each.experiment != "first run"]
    steady = report(three_machines(hosts=(host("wk-01", answers=tuple(warm)),)))
    assert headline(steady) == ("wk-01 repeats its own texts", "better")
    few = [each for each in warm if (each.experiment, each.mode) != ("repeat", "production")]
    assert headline(report(three_machines(hosts=(host("wk-01", answers=tuple(few)),)))) == (
        "wk-01 repeated all 2 of its own texts that were sent again, too few to be sure",
        "none",
    )
    assert repeats(one.record) == [
        "wk-01: sent again, all 20 texts are the same; after a load, 2 of 4 texts differ; two or four at once, 2 of 2"
        " texts differ."
    ]


def test_what_differs_is_what_can_change_texts():
    names = [fact.name for fact in differences(three_machines())]
    assert "Memory" not in names
    assert names[:2] == ["Server", "API path"]
    facts = fingerprint("wk-01")
    other = {**facts, "model": {**facts["model"], "weights_sha256": "9" * 64, "tensors_sha256": "a" * 64}}
    same = {**facts, "model": {**facts["model"], "tensors_sha256": "a" * 64}}
    pair = (host("wk-01", fingerprint=same), host("wk-01", label="twin", fingerprint=other))
    assert differences(three_machines(hosts=pair)) == []


def test_actions_begin_with_what_was_isolated_and_are_few():
    before, after = actions(three_machines()), actions(three_machines(bisections=(DEFAULTS,)))
    assert before[0].endswith("it drops num_ctx and top_k, and has other defaults.")
    assert after[0] == "Use /api instead of /v1 on mbp, and send every option: isolated as a cause."
    assert "One version of Ollama on all hosts; no unattended upgrades." in after
    assert len(after) == len(set(after)) <= 5


def test_causes_are_not_called_isolated_without_a_bisection():
    assert not any("isolated to" in sentence for sentence in causes(three_machines()))
    assert "software versions" in causes(three_machines())[-1]
    assert causes(three_machines(bisections=(DEFAULTS,)))[0].startswith("wk-01 and mbp: isolated to temperature (0.8")
