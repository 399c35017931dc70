"""What a record must not tell."""

import pytest

from sweeps.audits.findings.private import without_private
from sweeps.audits.record import NotDone
from tests.sweeps.audits.records import fingerprint, host, three_machines


@pytest.mark.parametrize(
    ("reason", "clean"),
    [
        ("no answer from 192.168.1.20:11434", "no answer from (an address)"),
        ("wk-01.local refused", "(an address) refused"),
        ("cannot read /home/ann/models/x.gguf: denied", "cannot read x.gguf: denied"),
        ("cannot read C:\\Users\\ann\\x.gguf", "cannot read x.gguf"),
        ("/v1 has no option for it, /api/chat has", "/v1 has no option for it, /api/chat has"),
        ("Ollama 0.6.8 does not know logprobs", "Ollama 0.6.8 does not know logprobs"),
        ("1/2 of the texts and/or prompts", "1/2 of the texts and/or prompts"),
    ],
)
def test_addresses_and_paths_leave_a_reason(reason, clean):
    record = three_machines(hosts=(host("wk-01", not_done=(NotDone(experiment="draft", reason=reason),)),))
    assert without_private(record).hosts[0].not_done[0].reason == clean


def test_facts_of_the_machines_stay():
    record = three_machines()
    assert [host.fingerprint for host in without_private(record).hosts] == [
        fingerprint(label) for label in ("wk-01", "wk-02", "mbp")
    ]
