"""`sweeps fingerprint`."""

import json
import re

from click.testing import CliRunner

from sweeps.cli.fingerprint import _print_table as print_table
from sweeps.cli.fingerprint import fingerprint as command
from sweeps.errors import SweepError
from sweeps.fingerprints import machine
from sweeps.fingerprints.capture import take
from sweeps.fingerprints.fingerprint import Fingerprint
from tests.sweeps.fingerprints.examples import M4, OLLAMA, QWEN, mac


def run(*arguments):
    return CliRunner().invoke(command, list(map(str, arguments)))


def test_command_shows_the_host():
    result = run()
    assert result.exit_code == 0
    assert machine.cpu_model() in result.stdout
    assert f"host {take(None, None).host_digest}" in result.stdout


def test_command_writes_a_file_that_load_reads(tmp_path):
    out = tmp_path / "host.json"
    result = run("--out", out, "--label", "bench box")
    assert result.exit_code == 0
    assert result.stdout == ""
    read = Fingerprint.load(out)
    assert read.facts["host"]["label"] == "bench box"
    assert read.host_digest == take(None, None).host_digest
    assert isinstance(run("--out", tmp_path / "no" / "where.json").exception, SweepError)


def test_command_prints_json():
    record = json.loads(run("--json").stdout)
    assert record["facts"]["engine"] == {}
    assert record["digest"] == take(None, None).digest


def test_command_includes_an_engine_and_its_only_model():
    record = json.loads(run("--engine", "scripted", "--json").stdout)
    assert record["facts"]["engine"]["name"] == "scripted"
    assert record["facts"]["model"]["name"]


def test_command_compares_files(tmp_path):
    a, b = tmp_path / "a.json", tmp_path / "b.json"
    a.write_text(mac().to_json())
    b.write_text(mac(kernel="other", cpu="Apple M4 Max").to_json())
    shown = run("--diff", a, b).stdout
    assert "Apple M4 Max" in shown
    assert "1 of 2 can change the numbers" in shown
    record = json.loads(run("--diff", a, b, "--json").stdout)
    assert record["numeric"] is True
    assert [entry["field"] for entry in record["differences"]] == ["host.cpu", "host.kernel"]
    assert run("--diff", a, a).stdout == "no difference\n"


def test_command_survives_markup_in_facts(tmp_path):
    a, b = tmp_path / "a.json", tmp_path / "b.json"
    a.write_text(mac().to_json())
    b.write_text(mac(cpu="[/bold] strange [red]").to_json())
    assert "[/bold] strange [red]" in run("--diff", a, b).stdout


def test_the_table_marks_what_the_digest_is_made_of(capsys):
    facts = {"host": M4, "engine": OLLAMA | {"gpu_share": 0.5, "num_ctx": 4096}, "model": QWEN}
    print_table(Fingerprint(facts))
    shown = re.findall(r"^\s*(\*?)\s+([a-z]+\.\S+) ", capsys.readouterr().out, re.MULTILINE)
    rows = {name: mark for mark, name in shown}
    assert {"engine.gpu_share", "engine.num_ctx", "host.cpu", "model.digest"} <= rows.keys()
    for name, mark in rows.items():
        part, field = name.split(".")[:2]
        without = {**facts, part: {key: value for key, value in facts[part].items() if key != field}}
        assert bool(mark) == (Fingerprint(without).digest != Fingerprint(facts).digest), name
