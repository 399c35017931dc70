"""The script for machines without the package agrees with the package."""

import ast
import json
import os
import subprocess
import sys

import psutil
import pytest

from sweeps.addresses import ollama_port, server_address
from sweeps.engines.ollama import OllamaEngine
from sweeps.fingerprints import standalone, system
from sweeps.fingerprints.capture import take
from sweeps.fingerprints.fingerprint import Fingerprint
from sweeps.fingerprints.script import script_text
from tests.doubles.ollama import OllamaDouble

ADDRESSES = (
    "", "box", ":11500", "0.0.0.0", "0.0.0.0:8080", "http://box", "https://box", "http://box:8080/v1", "[::1]:8080",
    "::1", "127.0.0.1:11434", " 'http://localhost:1234' ", "https://user:word@box:444/ollama",
)  # fmt: skip


def run_script(*arguments):
    """Run the script as on another machine: Python alone, the text on stdin, no packages in sight."""
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-", *arguments], input=script_text(), capture_output=True, text=True, timeout=60,
        check=False, env={"PATH": os.environ["PATH"], "HOME": "/home/ann"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done


def test_the_script_and_the_package_take_the_same_fingerprint():
    with OllamaDouble() as server:
        done = run_script("--host", server.url, "--label", "wk-01")
        engine = OllamaEngine(server.url)
        own = take(engine, engine.models()[0], label="wk-01")
        engine.close()

    found = Fingerprint.from_json(done.stdout)
    assert found.facts["host"] == own.facts["host"]
    assert found.facts["engine"] == own.facts["engine"]
    assert found.facts["model"] == {k: v for k, v in own.facts["model"].items() if k != "tensors_sha256"}
    assert json.loads(done.stdout)["digest"] == found.digest == own.digest
    assert json.loads(done.stdout)["host_digest"] == own.host_digest


def test_a_silent_server_and_a_wrong_model(tmp_path):
    done = run_script("--host", "127.0.0.1:9", "--out", str(tmp_path / "a.json"))
    assert "no Ollama server answers" in done.stderr
    assert Fingerprint.load(tmp_path / "a.json").host_digest == take(None, None).host_digest
    with OllamaDouble() as server, pytest.raises(SystemExit, match="--model nope: the server has "):
        standalone.server_facts(server.url, "nope")


def test_the_script_needs_the_standard_library_of_python_3_9_alone():
    tree = ast.parse(script_text(), feature_version=(3, 9))
    imported = {
        name.name.split(".")[0] for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names
    }
    imported |= {node.module.split(".")[0] for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert imported <= set(sys.stdlib_module_names)


@pytest.mark.parametrize("address", ADDRESSES)
def test_addresses_are_read_by_ollamas_rules(address):
    assert system.port_of(address) == ollama_port(address)
    known = server_address(address)
    assert standalone.base_url(address) == f"{known.scheme}://{known.url.partition('://')[2].partition('/')[0]}"


def test_counts_of_this_machine_are_those_of_psutil():
    assert system.physical_cores() == psutil.cpu_count(logical=False)
    assert abs(system.installed_memory() - psutil.virtual_memory().total) < 2**20


def test_cores_are_counted_where_the_system_hides_its_devices(monkeypatch: pytest.MonkeyPatch) -> None:
    def processor(number: int, package: int, core: int) -> str:
        return f"processor\t: {number}\nphysical id\t: {package}\nsiblings\t: 4\ncore id\t\t: {core}\n\n"

    two_packages = "".join(processor(n, package=n // 4, core=n % 2) for n in range(8))  # two threads on each core
    assert system.parse_cores(two_packages) == 4
    assert system.parse_cores("processor\t: 0\nCPU part\t: 0xd0b\n\n" * 2) == 0
    monkeypatch.setattr(system.platform, "system", lambda: "Linux")
    monkeypatch.setattr(system, "read", lambda path: two_packages if str(path) == "/proc/cpuinfo" else "")
    assert system.physical_cores() == 4
    monkeypatch.setattr(system, "read", lambda path: "")
    assert system.physical_cores() == "unknown"


def test_nvidia_smi_gives_the_facts_of_nvml():
    text = "NVIDIA GeForce RTX 4090, 24564, 560.35.03, 8.9\nNVIDIA GB10, [N/A], 580.95, 12.1\n"
    assert system.nvidia_gpus(text) == [
        {"name": "NVIDIA GeForce RTX 4090", "memory_mib": 24564, "driver": "560.35.03", "compute": "8.9"},
        {"name": "NVIDIA GB10", "memory_mib": "unknown", "driver": "580.95"},
    ]
    assert system.nvidia_gpus("") == []


def test_paths_and_the_home_directory_do_not_leave_the_machine(monkeypatch):
    monkeypatch.setenv("HOME", "/home/ann")
    facts = {"a": "/home/ann/models/x", "b": ["see /home/ann now"], "api": "/api/chat", "n": 1}
    assert standalone.without_paths(facts) == {"a": "x", "b": ["see ~ now"], "api": "/api/chat", "n": 1}


HEAVY = "{'numpy', 'pandas', 'scipy', 'mlflow', 'optuna', 'matplotlib', 'sklearn', 'sqlalchemy', 'pyarrow', 'pydantic'}"


def test_sweeps_fingerprint_imports_nothing_heavy():
    code = (
        "import sys\nfrom sweeps.cli import main\nsys.argv = ['sweeps', 'fingerprint', '--json']\n"
        f"try:\n    main()\nexcept SystemExit:\n    pass\nprint(sorted(set(sys.modules) & {HEAVY}), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert json.loads(done.stdout)["format"] == "slm-sweeps fingerprint"
    assert done.stderr.splitlines()[-1] == "[]"
