"""The page: the issue's facts, nothing private, no network, any text escaped."""

import io
import json
import re

import pytest
from rich.console import Console

from sweeps.audits.findings.drift import drift
from sweeps.audits.record import NotDone
from sweeps.audits.report import answers
from sweeps.audits.report.page import figures, render_audit
from sweeps.audits.report.summary import audit_json, audit_summary
from tests.sweeps.audits.findings.test_attribution import DEFAULTS
from tests.sweeps.audits.records import fingerprint, host, three_machines
from tests.sweeps.audits.report.compared import levels, report

LEVELS = levels(identical=("not met", "met"), equivalent=("met", "met"), same_quality=("met", "met"))
RUNG = {
    "host_a": "wk-01", "host_b": "mbp", "mode": "production", "rung": "same-seed texts", "finding": "differs", "n": 6,
    "p_adjusted": 0.0004, "sentence": "wk-01 and mbp give the same text for 0 of 6 requests.",
}  # fmt: skip


def full():
    record = three_machines(bisections=(DEFAULTS,))
    return report(record, [RUNG], levels=LEVELS, drift=drift(three_machines(), record))


def words(page):
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page.partition("<body>")[2]))


def test_the_page_answers_the_three_questions_and_has_every_part():
    page = words(render_audit(full()))

    assert "The same texts for measuring, not in use" in page
    for part in ("What differs", "What to do", "Since the last audit", "Ladder", "Experiments on each host", "Method"):
        assert part in page
    assert "wk-01 3/5 (2 to 4) 5/6 (4 to 6) 3" in page  # the article's table
    assert "mbp 3/5 4/6 1" in page
    assert "Order of rounding" in page
    assert "Draft decoding" in page
    assert "ollama/ollama:0.13.5" in page
    assert "< 0.001" in page.replace("&lt;", "<")


def test_a_figure_stands_beside_that_of_each_host_with_itself():
    shares = {"rung": "same-seed texts", "figure": 0.0, "low": 0.0, "high": 0.138, "own_a": 1.0, "own_b": 0.5}
    assert figures(shares) == ("0% (0% to 14%)", "100%, 50%")
    unknown = {
        "rung": "quality",
        "figure": -0.0213,
        "low": float("nan"),
        "high": 0.1,
        "own_a": float("nan"),
        "own_b": 0.0,
    }
    assert figures(unknown) == ("-0.021", "–")
    assert figures({"rung": "weights"}) == ("–", "–")
    page = words(render_audit(report(three_machines(), [{**RUNG, **shares}])))
    assert "0% (0% to 14%) 100%, 50% 6 < 0.001" in page.replace("&lt;", "<")


def test_v1_is_isolated_only_by_the_bisection_and_versions_stay_open():
    without, found = (words(render_audit(report(three_machines(bisections=b)))) for b in ((), (DEFAULTS,)))
    for page in (without, found):
        assert "no machine has servers of two versions" in page
    assert "isolated to temperature" not in without
    assert "isolated to temperature (0.8 against 1.0), top_p (0.9 against 1.0), top_k and num_ctx" in found


def test_the_page_needs_no_network_and_is_the_same_each_time():
    page = render_audit(full())
    assert page == render_audit(full())
    assert not re.search(r"(?:src|href)=\"(?!#)", page)
    assert "<script" not in page
    assert "default-src 'none'" in page


def test_nothing_private_reaches_page_json_or_terminal():
    reason = "http://me:word@10.1.2.3:11434 refused /home/someone/models/x.gguf"
    facts = fingerprint("wk-01")
    private = {**facts, "model": {**facts["model"], "parameters_text": "stop /home/someone/stop"}}
    shy = host("wk-01", fingerprint=private, not_done=(NotDone(experiment="draft", reason=reason),))
    found = report(three_machines(hosts=(shy, host("mbp")), absent={"wk-02": reason}))
    text = render_audit(found) + json.dumps(audit_json(found)) + printed(found)
    for secret in ("10.1.2.3", "word@", "someone", "me:word"):
        assert secret not in text


def test_texts_of_hosts_are_escaped():
    hostile = host("wk-01", label="<img src=x>", not_done=(NotDone(experiment="<b>", reason="<i>&"),))
    page = render_audit(report(three_machines(hosts=(hostile,))))
    assert "<img" not in page
    assert "&lt;i&gt;&amp;" in page


@pytest.mark.parametrize("hosts", [("wk-01",), ("wk-01", "wk-02")])
def test_any_part_may_be_missing(hosts):
    bare = [host(name, answers=(), fingerprint={}, not_done=(), rendered=()) for name in hosts]
    page = words(render_audit(report(three_machines(hosts=tuple(bare)))))
    assert "No experiment was made." in page


def printed(found, width=100):
    stream = io.StringIO()
    console = Console(file=stream, width=width)
    for each in audit_summary(found):
        console.print(each)
    return stream.getvalue()


def test_json_and_terminal_hold_the_answers_of_the_page():
    found = full()
    data, text, page = (
        json.loads(json.dumps(audit_json(found), allow_nan=False)),
        printed(found),
        words(render_audit(found)),
    )
    flat = re.sub(r"\s+", " ", text)

    for sentence in (data["headline"], *data["what_to_do"], *data["causes"], *data["repeats"]):
        assert sentence in flat
        assert sentence in page.replace("&#39;", "'")
    assert data["purposes"]["identical"]["answer"] == "no"
    assert data["coverage"]["production"]["mbp"]["c16"] == {"covered": 2, "total": 5, "low": 1, "high": 3, "n": 3}
    assert data["advice"]["wk-01"]["options"]["num_ctx"] == 4096
    assert [each["finding"] for each in data["sources"]].count("isolated") == 2
    assert "\x1b" not in text  # plain where it is no terminal
    assert len(answers.purposes(found)) == 3
