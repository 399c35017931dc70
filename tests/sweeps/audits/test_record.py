import pytest

from sweeps.audits.record import Answer, AuditCase, AuditRecord, Bisected, HostRecord, joined, read_record
from sweeps.errors import ConfigError, SweepError


def a_record(label="wk-01", case_digest="c1", **changes):
    host = HostRecord(
        label=label,
        fingerprint={"engine": {"version": "0.13.5"}},
        digest="abc",
        answers=(Answer(mode="baseline", experiment="repeat", arm="warm", case="c16", seed=42, text="A\x00 text"),),
    )
    return AuditRecord(
        model="qwen2.5:14b",
        modes={"production": {"temperature": 0.8, "stop": ("a", "b")}, "baseline": {"temperature": 0}},
        cases=(AuditCase(name="c16", digest=case_digest),),
        hosts=(host,),
    ).model_copy(update=changes)


def test_a_record_is_read_as_it_was_written(tmp_path):
    path = tmp_path / "a.json"
    path.write_text(a_record().to_json(), encoding="utf-8")

    assert read_record(path) == a_record()


@pytest.mark.parametrize("text", ["", "[]", '{"format": "other"}', '{"format": "slm-sweeps audit", "model": "m"}'])
def test_other_files_are_refused_with_their_name(tmp_path, text):
    path = tmp_path / "a.json"
    path.write_text(text, encoding="utf-8")

    with pytest.raises(ConfigError, match=r"a\.json: is no record of an audit"):
        read_record(path)


def test_a_missing_file_and_a_newer_version_are_refused(tmp_path):
    with pytest.raises(SweepError, match="cannot be read"):
        read_record(tmp_path / "none.json")
    newer = tmp_path / "newer.json"
    newer.write_text(a_record(version=2).to_json(), encoding="utf-8")
    with pytest.raises(ConfigError, match="version 2; update"):
        read_record(newer)


def test_hosts_of_several_records_are_joined():
    found = Bisected(hosts=("mbp", "mbp"), status="isolated", factors=("num_ctx",), values={"num_ctx": ("512", "4096")})
    both = joined([a_record(), a_record("mbp", bisections=(found,))])

    assert both.labels == ["wk-01", "mbp"]
    assert both.bisections == (found,)
    assert list(both.answers()["host"]) == ["wk-01", "mbp"]


@pytest.mark.parametrize(
    ("other", "words"),
    [
        (a_record("mbp", model="qwen2.5:7b"), "mbp against wk-01: model is 'qwen2.5:7b' instead of 'qwen2.5:14b'"),
        (a_record("mbp", case_digest="c2"), "not the same cases"),
        (a_record(), "two hosts are called wk-01"),
    ],
)
def test_records_that_cannot_be_compared_are_refused(other, words):
    with pytest.raises(ConfigError, match=words):
        joined([a_record(), other])
