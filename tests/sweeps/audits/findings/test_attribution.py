"""Attribution: isolated only after an experiment that removed the difference."""

import pytest

from sweeps.audits.experiments import HOST_EXPERIMENTS
from sweeps.audits.findings.attribution import attribution_table, attributions, bisection_sentence, unexplained_pairs
from sweeps.audits.findings.sources import SOURCES
from sweeps.audits.record import Bisected
from tests.sweeps.audits.records import host, three_machines

DEFAULTS = Bisected(
    hosts=("wk-01", "mbp"),
    mode="production",
    status="isolated",
    factors=("temperature", "top_p", "top_k", "num_ctx"),
    values={"temperature": ("0.8", "1.0"), "top_p": ("0.9", "1.0")},
    differing=6,
    n=6,
    fresh=6,
)


def by_source(record):
    return {each.source.name: each for each in attributions(record)}


def test_the_nine_sources_are_rows_and_every_experiment_has_one():
    assert sum(each.of_report for each in SOURCES) == 9
    assert {each.source for each in HOST_EXPERIMENTS} <= {each.name for each in SOURCES}
    assert len(attribution_table(three_machines())) == len(SOURCES)


def test_nothing_is_isolated_without_a_bisection():
    found = by_source(three_machines())

    assert all("isolated to" not in each.sentence for each in found.values())
    assert found["versions"].finding == "consistent with"
    assert "not isolated: no machine has servers of two versions" in found["versions"].sentence
    assert "wk-01 Ollama 0.13.5" in found["versions"].why
    assert found["api path"].finding == "acts on a host"
    assert "not isolated" in found["api path"].sentence
    assert found["quantisation"].finding == "not possible here"
    assert found["offload"].why == "the whole model is on the GPU everywhere"
    assert found["draft"].tested == "not tested: the model has no draft head"
    assert found["think"].possible is False
    assert found["first run"].texts == ("first run, production: 6 of 6 changed; first run, baseline: 0 of 6 changed")
    assert found["first run"].coverage.startswith("first run, production: -0.183 (n 6)")


def test_a_bisection_isolates_the_defaults_of_v1_and_versions_stay_open():
    found = by_source(three_machines(bisections=(DEFAULTS,)))

    assert {name for name, each in found.items() if each.finding == "isolated"} == {"defaults", "num_ctx"}
    assert found["defaults"].sentence == "Isolated between wk-01 and mbp: temperature, top_p, top_k and num_ctx."
    assert found["rounding"].tested == "not tested: the bisection of wk-01 and mbp isolated other settings"
    assert bisection_sentence(DEFAULTS) == (
        "wk-01 and mbp: isolated to temperature (0.8 against 1.0), top_p (0.9 against 1.0), top_k and num_ctx. Made"
        " alike, they removed the difference, which was in 6 of 6 texts; 6 fresh texts confirm it."
    )
    assert "not isolated" in found["versions"].sentence
    # wk-01 and wk-02, which no bisection explains, have one path, chip and number of cores
    assert {name for name, each in found.items() if each.is_open} == {"versions", "kernels"}


def test_servers_of_two_versions_on_one_machine_isolate_the_version():
    values = {"version": ("a", "b")}
    one = Bisected(hosts=("a", "b"), status="isolated", factors=("version",), values=values, differing=4, n=6, fresh=6)
    found = by_source(three_machines(bisections=(one,)))["versions"]
    assert (found.finding, found.sentence) == ("isolated", "Isolated between a and b: version.")
    assert bisection_sentence(one).startswith("a and b: isolated to version. Made alike, it removed the difference")


def test_a_bisection_on_another_path_than_the_used_one_says_so_and_does_not_explain_that_path():
    values = {"version": ("0.13.5", "0.15.6")}
    one = Bisected(hosts=("wk-01", "mbp"), status="isolated", factors=("version",), values=values, path="native")
    record = three_machines(bisections=(one,))

    assert bisection_sentence(one).startswith(
        "wk-01 and mbp, both asked on /api: isolated to version (0.13.5 against 0.15.6)."
    )
    assert by_source(record)["versions"].sentence == "Isolated between wk-01 and mbp, both asked on /api: version."
    assert by_source(record)["defaults"].is_open
    own = DEFAULTS.model_copy(update={"hosts": ("mbp", "mbp")})
    assert not by_source(three_machines(bisections=(one, own)))["api path"].is_open


def test_servers_of_two_versions_on_this_machine_are_told_to_be_bisected():
    here = {"source": "this machine"}
    hosts = tuple(
        each.model_copy(update={"fingerprint": {**each.fingerprint, "host": {**each.fingerprint["host"], **here}}})
        for each in three_machines().hosts
    )
    found = by_source(three_machines(hosts=hosts))["versions"]
    assert found.sentence.endswith("not isolated: no bisection was made; add --bisect.")


def test_a_bisection_of_one_host_at_other_settings_is_about_that_host():
    one = DEFAULTS.model_copy(update={"hosts": ("mbp", "mbp")})
    found = by_source(three_machines(bisections=(one,)))["defaults"]
    assert found.sentence.startswith("Isolated on mbp: temperature")
    assert bisection_sentence(one).startswith("mbp at two settings: isolated to temperature (0.8 against 1.0)")


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (Bisected(hosts=("a", "b"), status="no difference", n=6), "a and b: no difference in 6 texts."),
        (
            Bisected(hosts=("a", "a"), status="not decided", why="too few texts differ"),
            "a at two settings: not decided: too few",
        ),
    ],
)
def test_other_results_of_bisections_are_said_plainly(found, words):
    assert bisection_sentence(found).startswith(words)


def test_equal_hosts_have_no_cause_to_look_for():
    twin = host("wk-01").model_copy(update={"label": "wk-03"})
    record = three_machines(hosts=(host("wk-01"), twin))

    assert unexplained_pairs(record) == []
    found = by_source(record)
    assert found["versions"].finding == "not possible here"
    assert not {"isolated", "consistent with"} & {each.finding for each in found.values()}
