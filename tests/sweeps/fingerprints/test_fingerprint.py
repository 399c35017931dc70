"""Digests, summaries, tags and files of fingerprints."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweeps.fingerprints.fingerprint import DIGEST_FIELDS, PARTS, TAG_LENGTH, Fingerprint, FingerprintError, diff
from tests.sweeps.fingerprints.examples import M4, OLLAMA, QWEN, mac


def test_digests_are_twelve_hex_digits_and_stable():
    a, b = mac(), mac()
    assert a.digest == b.digest
    assert a == b
    assert hash(a) == hash(b)
    assert all(re.fullmatch(r"[0-9a-f]{12}", d) for d in (a.digest, a.host_digest))
    assert a.model_digest == "2049f5674b1e"  # as `ollama list` shows it


@pytest.mark.parametrize("name", sorted(set(DIGEST_FIELDS["host"])))
def test_each_digest_field_of_the_host_changes_both_digests(name):
    changed = mac(**{name: "another"})
    assert changed.digest != mac().digest
    assert changed.host_digest != mac().host_digest
    assert changed.model_digest == mac().model_digest


@pytest.mark.parametrize(
    "name", ["kernel", "os_version", "memory_gib", "container", "source", "label", "environment_source"]
)
def test_other_fields_of_the_host_change_neither(name):
    assert mac(**{name: "another"}).digest == mac().digest


def test_client_and_what_only_a_loaded_model_shows_are_out_of_the_digest():
    facts = {"host": M4, "engine": OLLAMA, "model": QWEN}
    plain = Fingerprint(facts)
    loaded = Fingerprint(
        {**facts, "engine": OLLAMA | {"gpu_share": 0.5, "num_ctx": 4096}, "client": {"git_commit": "a" * 40}}
    )
    assert loaded.digest == plain.digest
    assert [d.field for d in diff(plain, loaded) if d.numeric] == ["engine.gpu_share", "engine.num_ctx"]


def test_a_field_that_is_missing_unknown_or_empty_is_absent():
    without = {name: value for name, value in M4.items() if name != "environment"}
    for value in (None, "unknown", {}, ""):
        assert mac(environment=value).digest == Fingerprint({"host": without, "engine": OLLAMA, "model": QWEN}).digest


def test_engine_and_model_change_the_digest():
    facts = {"host": M4, "engine": OLLAMA, "model": QWEN}
    newer = Fingerprint(facts | {"engine": OLLAMA | {"version": "0.33.0"}})
    other = Fingerprint(facts | {"model": QWEN | {"digest": "f" * 64}})
    assert len({Fingerprint(facts).digest, newer.digest, other.digest}) == 3
    assert newer.host_digest == Fingerprint(facts).host_digest
    renamed = Fingerprint(facts | {"model": QWEN | {"name": "mine"}})
    assert renamed.digest == Fingerprint(facts).digest


def test_changing_the_given_facts_later_changes_nothing():
    facts = {"host": dict(M4), "engine": dict(OLLAMA), "model": dict(QWEN), "client": {}}
    taken = Fingerprint(facts)
    before = taken.digest
    facts["host"]["cpu"] = "another"
    assert taken.digest == before
    assert taken.facts["host"]["cpu"] == "Apple M4 Pro"


def test_summary():
    assert mac().summary == "Apple M4 Pro, 48 GB, macOS 15.5; Ollama 0.32.15; qwen2.5:14b Q4_K_M 2049f5674b1e"
    linux = M4 | {"os": "Linux", "os_version": "Ubuntu 24.04.2 LTS", "cpu": "AMD Ryzen 9 7950X", "memory_gib": 62}
    linux["gpus"] = [{"name": "NVIDIA GeForce RTX 4090", "memory_mib": 24564, "driver": "570"}]
    assert (
        Fingerprint({"host": linux}).summary
        == "AMD Ryzen 9 7950X, 62 GB, NVIDIA GeForce RTX 4090 24 GB, Ubuntu 24.04.2 LTS"
    )


def test_tags_are_flat_and_short():
    tags = mac(cpu="x" * 1000).as_tags()
    assert all(isinstance(v, str) and 0 < len(v) <= TAG_LENGTH for v in tags.values())
    assert tags["host.gpus"] == "Apple M4 Pro, 49152 MiB, driver macOS 15.5"
    assert tags["host.environment.OLLAMA_NUM_PARALLEL"] == "1"
    assert tags["engine.version"] == "0.32.15"
    assert all(re.fullmatch(r"[\w. /:-]+", name) for name in tags)


def test_diff_marks_what_can_change_the_numbers_and_puts_it_first():
    a = mac()
    b = mac(kernel="24.6.0", gpus=[], environment={"OLLAMA_NUM_PARALLEL": "4"})
    found = diff(a, b)
    assert [(d.field, d.numeric) for d in found] == [
        ("host.gpus", True),
        ("host.environment.OLLAMA_NUM_PARALLEL", True),
        ("host.kernel", False),
    ]
    assert (found[1].a, found[1].b) == ("1", "4")
    assert diff(a, a) == []


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(min_size=1, max_size=8), inner, max_size=3),
    max_leaves=10,
)


@given(
    st.dictionaries(st.sampled_from(PARTS), st.dictionaries(st.text(min_size=1, max_size=12), json_values, max_size=4))
)
def test_any_facts_survive_the_file_with_their_digest(facts):
    taken = Fingerprint(facts)
    read = Fingerprint.from_json(taken.to_json())
    assert read == taken
    assert (read.digest, read.host_digest, read.model_digest) == (taken.digest, taken.host_digest, taken.model_digest)
    taken.as_tags()
    assert isinstance(taken.summary, str)
    assert diff(read, taken) == []


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "no JSON"),
        ("[]", "not a fingerprint"),
        ('{"format": "other"}', "not a fingerprint"),
        ('{"format": "slm-sweeps fingerprint", "version": 2}', "version 2"),
        ('{"format": "slm-sweeps fingerprint", "version": 1, "facts": {"host": 3}}', "each an object"),
    ],
)
def test_bad_files_are_refused_by_name(tmp_path, text, says):
    file = tmp_path / "host.json"
    file.write_text(text)
    with pytest.raises(FingerprintError, match=says) as error:
        Fingerprint.load(file)
    assert str(file) in str(error.value)
    with pytest.raises(FingerprintError, match="cannot be read"):
        Fingerprint.load(tmp_path / "absent.json")
