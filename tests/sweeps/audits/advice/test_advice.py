"""Advice for a host, and its files."""

import json
import shlex
import tomllib

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from sweeps.audits.advice.files import advice_files, compose, image_tag, plain_name, write_advice
from sweeps.audits.advice.settings import ALL_LAYERS, advice
from sweeps.errors import SweepError
from sweeps.options import OPTIONS
from tests.sweeps.audits.records import fingerprint, host, three_machines


def with_facts(label="wk-01", **parts):
    facts = fingerprint(label)
    return host(label, fingerprint={name: {**facts[name], **parts.get(name, {})} for name in facts})


def test_settings_of_the_most_reproducible_run():
    found = advice(three_machines(), "wk-01")

    assert found.options == {
        "temperature": 0.0, "seed": 42, "num_ctx": 4096, "num_gpu": ALL_LAYERS, "num_thread": 10
    }  # fmt: skip
    assert found.server == {"OLLAMA_NUM_PARALLEL": "1"}
    assert found.order[-1].startswith("Measured here: 2 of 4 texts after a load")
    pins = {pin.name: pin for pin in found.pins}
    assert pins["Server"].value == "Ollama 0.13.5"
    assert pins["Server"].remark == "others have Ollama 0.15.6, Ollama 0.17.4"
    assert pins["Model blob"].remark == ""


def test_a_host_behind_v1_is_advised_the_native_path_and_a_window_of_the_server():
    found = advice(three_machines(), "mbp")
    assert found.server["OLLAMA_CONTEXT_LENGTH"] == "4096"
    assert ("API path", "native (/api)") in [(pin.name, pin.value) for pin in found.pins]
    assert any("takes neither num_ctx nor top_k" in caution for caution in found.cautions)


@pytest.mark.parametrize(
    ("parts", "num_gpu"),
    [
        ({"engine": {"gpu_share": 0.0}}, 0),
        ({"engine": {"gpu_share": None}, "host": {"gpus": []}}, 0),
        ({"engine": {"gpu_share": None}}, None),
        ({"engine": {"gpu_share": 0.6}}, None),
    ],
)
def test_num_gpu_is_advised_only_where_the_whole_model_is_on_one_side(parts, num_gpu):
    found = advice(three_machines(hosts=(with_facts(**parts),)), "wk-01")
    assert found.options.get("num_gpu") == num_gpu
    assert any("60%" in caution for caution in found.cautions) == (parts["engine"]["gpu_share"] == 0.6)


def test_the_files_say_the_same_in_every_form():
    files = advice_files(three_machines(), "wk-01")

    sent = json.loads(files["baseline.json"])["options"]
    assert sent == {
        "temperature": 0, "top_k": 40, "top_p": 0.9, "num_ctx": 4096, "num_predict": 256, "num_gpu": 999,
        "num_thread": 10, "seed": 42,
    }  # fmt: skip
    table = tomllib.loads(files["baseline.toml"])["baseline"]
    assert {**table, "seed": 42} == {"model": "qwen2.5:14b", **sent}
    assert set(table) - {"model"} <= set(OPTIONS)
    env = dict(line.split("=", 1) for line in files["baseline.env"].splitlines() if not line.startswith("#"))
    assert env["OLLAMA_TEMPERATURE"] == "0"
    assert env["OLLAMA_SEED"] == "42"
    assert "PARAMETER num_ctx 4096" in files["baseline.Modelfile"]
    assert "temperature = 0.8" in files["production.toml"]
    assert "seed" not in files["production.json"]
    for name in ("baseline.env", "baseline.toml", "baseline.Modelfile"):
        assert files[name].startswith("# From a reproducibility audit")
        assert "BETTER" not in files[name].upper()
    assert "_FILE" not in files["baseline.env"]  # an audit has no prompt, and writes no file with one
    assert "CAUTION" not in files["baseline.env"]
    assert "temperature 0" in files["policy.md"]


def test_the_server_is_pinned_by_version_in_a_docker_line_and_a_compose_file():
    nvidia = with_facts(host={"os": "Linux", "gpus": [{"name": "NVIDIA GeForce RTX 4090", "driver": "560"}]})
    files = advice_files(three_machines(hosts=(nvidia,)), "wk-01")

    line = shlex.split(files["docker-run.sh"].splitlines()[-1])
    assert line[:3] == ["docker", "run", "-d"]
    assert line[-1] == "ollama/ollama:0.13.5"
    assert {"--gpus=all", "127.0.0.1:11434:11434", "OLLAMA_NUM_PARALLEL=1"} <= set(line)
    service = yaml.safe_load(files["compose.yaml"])["services"]["ollama"]
    assert service["image"] == "ollama/ollama:0.13.5"
    assert service["environment"] == {"OLLAMA_NUM_PARALLEL": "1"}
    assert service["deploy"]["resources"]["reservations"]["devices"][0]["driver"] == "nvidia"
    assert "no GPU" in advice_files(three_machines(), "wk-01")["docker-run.sh"]  # a Mac


@pytest.mark.parametrize(
    ("engine", "tag"),
    [
        ({"version": "0.33.0-rc2"}, "0.33.0-rc2"),
        ({"version": "0.33.0-12-gabc"}, None),
        ({"version": None}, None),
        ({"name": "llamacpp", "version": "0.1.2"}, None),
    ],
)
def test_only_releases_of_ollama_have_an_image(engine, tag):
    found = with_facts(engine=engine)
    assert image_tag(found) == tag
    assert ("compose.yaml" in advice_files(three_machines(hosts=(found,)), "wk-01")) == (tag is not None)


@given(label=st.text(min_size=1, max_size=30))
def test_any_label_gives_a_plain_folder_and_a_compose_file_that_can_be_read(label):
    name = plain_name(label)
    assert name not in ("", ".", "..")
    assert not set(name) & set("/\\\n ")
    named = with_facts().model_copy(update={"label": label})
    record = three_machines(hosts=(named,))
    assert yaml.safe_load(compose(named, advice(record, label), "0.13.5"))["services"]


def test_each_host_has_its_folder_and_a_file_in_the_way_is_named(tmp_path):
    written = write_advice(three_machines(), tmp_path / "out")
    assert {path.parent.name for path in written} == {"wk-01", "wk-02", "mbp"}
    assert len(written) == 3 * 11
    (tmp_path / "file").write_text("x")
    with pytest.raises(SweepError, match=r"file: cannot be written .*; choose another folder"):
        write_advice(three_machines(), tmp_path / "file")
