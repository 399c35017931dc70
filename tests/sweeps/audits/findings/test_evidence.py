"""Evidence that a change acts: hosts with noise of their own, whose every experiment gives other texts."""

import numpy as np
import pytest

from sweeps.audits.advice.settings import advice
from sweeps.audits.findings.attribution import attributions
from sweeps.audits.findings.drift import drift
from sweeps.audits.findings.evidence import Evidence, evidence
from sweeps.audits.hosts import HostAbilities
from sweeps.audits.plan import Modes, plan_for
from sweeps.audits.record import Answer, AuditRecord, HostRecord
from sweeps.audits.report.answers import causes, headline
from tests.sweeps.audits.records import CASES, PRODUCTION, fingerprint
from tests.sweeps.audits.report.compared import report

MODES = Modes(PRODUCTION)
REPEATED = 20  # 8 seeds of 2 cases, and twice each greedy text


def noisy(label, rng, share, acts=lambda step: False):
    """A host that gives another text of its own with a probability, and other ones in the steps that act."""
    plan = plan_for(HostAbilities(), [case.name for case in CASES], MODES)
    answers = [
        Answer(mode=step.setting.mode, case=case, seed=seed, experiment=step.experiment, arm=step.arm, finish="stop",
               repeat=step.repeat, options={}, prompt_tokens=9, output_tokens=9, score=0.5, items={}, order=order,
               text=f"{case} {seed} {acts(step)}" + (f" {rng.random()}" if rng.random() < share else ""))
        for order, step in enumerate(plan.steps)
        for case, seed in step.requests
    ]  # fmt: skip
    facts = fingerprint("wk-01")
    facts = {**facts, "engine": {**facts["engine"], "gpu_share": 0.0}, "host": {**facts["host"], "gpus": []}}
    return HostRecord(label=label, fingerprint=facts, digest=label, num_ctx=4096, answers=tuple(answers))


def record(*hosts):
    return AuditRecord(model="m", modes=MODES.as_record(), cases=CASES, objective="o", hosts=hosts)


def findings(*hosts):
    return {each.source.name: each for each in attributions(record(*hosts))}


@pytest.mark.parametrize("share", [1 / 30, 0.3])
def test_no_source_acts_on_a_host_that_only_fails_to_repeat_its_texts(share):
    """Some text changes in every such audit, so a source seemed to act in 98 to 100 of 100 of them."""
    audits = [findings(noisy("a", np.random.default_rng([each, 8]), share)) for each in range(50)]
    wrong = [any(each.finding == "acts on a host" for each in found.values()) for found in audits]
    assert sum(wrong) <= 2
    assert sum(any(each.finding == "not clear" for each in found.values()) for found in audits) >= 45


@pytest.mark.parametrize("share", [0, 0.1])
def test_a_first_run_that_changes_texts_is_found_beside_noise(share):
    host = noisy("a", np.random.default_rng(4), share, acts=lambda step: step.setting.warmth == "after a load")
    found = findings(host)
    assert found["first run"].finding == "acts on a host"
    assert found["first run"].sentence == "Changes texts on a."
    assert found["num_ctx"].finding != "acts on a host"


def test_the_sentence_has_the_hosts_own_repeats_and_no_gpu_is_blamed_where_there_is_none():
    host = noisy("a", np.random.default_rng(1), 0.3)
    found, own = findings(host), evidence(host)
    assert own.own_n == REPEATED
    assert found["kernels"].finding == "not possible here"
    threads = evidence(host, source="rounding")
    assert found["rounding"].sentence == (
        f"On a {threads.changed} of 4 texts changed; sent again unchanged, {own.own_changed} of 20 did. So it is not"
        " clear whether it acts."
    )
    assert found["rounding"].coverage == ""
    used, greedy = (evidence(host, mode=mode).own_changed for mode in ("production", "baseline"))
    assert advice(record(host), "a").cautions == (
        f"a did not repeat {used} of 16 of its own texts as used: one text of a seed proves nothing there.",
        f"a did not repeat {greedy} of 4 of its own texts at temperature 0: these settings do not make it exact.",
    )


def test_hosts_with_noise_differ_without_another_cause():
    rng = np.random.default_rng(2)
    own = [noisy(label, rng, 0.3) for label in "ab"]
    first, *_ = causes(record(*own))
    assert first.startswith(f"a does not repeat its own texts: {evidence(own[0]).own_changed} of 20 differ when sent")
    assert causes(record(noisy("a", rng, 0), noisy("b", rng, 0))) == []


def test_a_rare_text_after_a_load_is_no_first_run_effect():
    host = noisy("a", np.random.default_rng(3), 0)
    odd = next(each for each in host.answers if each.experiment == "first run")
    answers = tuple(each.model_copy(update={"text": "odd"}) if each is odd else each for each in host.answers)
    one = report(record(host.model_copy(update={"answers": answers})))
    assert headline(one) == ("a repeats its own texts", "better")


def test_changed_texts_since_the_last_audit_stand_beside_the_hosts_own_noise():
    rng = np.random.default_rng(5)
    before, now = noisy("a", rng, 0.3), noisy("a", rng, 0.3)
    (found,) = drift(record(before), record(now))
    own = [evidence(each, mode="production").own_changed for each in (before, now)]
    noise = f"(sent again within one audit, {sum(own)} of 32 differ as well)"
    assert noise in found.sentence
    assert noise in found.broken("identical")[0]
    assert "sent again" not in drift(record(noisy("a", rng, 0)), record(noisy("a", rng, 0)))[0].sentence


@pytest.mark.parametrize(
    ("changed", "n", "own", "own_n", "acts"),
    [(2, 2, 0, 7, True), (2, 4, 0, 20, True), (1, 2, 0, 20, False), (4, 4, 9, 20, False), (0, 4, 0, 20, False)],
)
def test_the_test_is_fishers(changed, n, own, own_n, acts):
    """P of 2 of 2 against 0 of 7 is 1 / 36, of 2 of 4 against 0 of 20 6 / 276, of 1 of 2 against 0 of 20 2 / 22."""
    assert Evidence("a", changed, n, changed, n, own, own_n).acts is acts
