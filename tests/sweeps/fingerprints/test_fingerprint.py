import json
import os
import re
import socket
import subprocess
import sys

import psutil
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from sweeps.addresses import address_id, is_local, port_of, scrub
from sweeps.cli.fingerprint import _print_table as print_table
from sweeps.cli.fingerprint import fingerprint as command
from sweeps.engines.scripted.engine import ScriptedEngine
from sweeps.errors import SweepError
from sweeps.fingerprints import machine
from sweeps.fingerprints.capture import client_facts, take
from sweeps.fingerprints.changes import fingerprint_changes
from sweeps.fingerprints.fingerprint import DIGEST_FIELDS, PARTS, TAG_LENGTH, Fingerprint, FingerprintError, diff
from sweeps.hosts.host import Host
from sweeps.hosts.sweep_hosts import host_differences

M4 = {
    "os": "macOS",
    "os_version": "15.5",
    "kernel": "24.5.0",
    "architecture": "arm64",
    "math_library": "macOS 15.5",
    "cpu": "Apple M4 Pro",
    "cpu_physical": 14,
    "cpu_logical": 14,
    "cpu_features": [],
    "memory_gib": 48,
    "gpus": [{"name": "Apple M4 Pro", "memory_mib": 49152, "driver": "macOS 15.5", "cores": 20}],
    "container": "none",
    "environment": {"OLLAMA_NUM_PARALLEL": "1"},
}
QWEN = {"name": "qwen2.5:14b", "quantization": "Q4_K_M", "digest": "2049f5674b1e" + "0" * 52}
OLLAMA = {"name": "ollama", "version": "0.32.15", "api": "/api/chat"}

SYSTEM_PROFILER = """{
  "SPDisplaysDataType" : [
    {
      "_name" : "Apple M4 Pro",
      "spdisplays_mtlgpufamilysupport" : "spdisplays_metal3",
      "spdisplays_ndrvs" : [
        {
          "_name" : "Color LCD",
          "_spdisplays_display-serial-number" : "C02SECRET99",
          "spdisplays_connection_type" : "spdisplays_internal"
        }
      ],
      "spdisplays_vendor" : "sppci_vendor_Apple",
      "sppci_bus" : "spdisplays_builtin",
      "sppci_cores" : "20",
      "sppci_device_type" : "spdisplays_gpu",
      "sppci_model" : "Apple M4 Pro"
    },
    {
      "_name" : "AMD Radeon Pro 5500M",
      "spdisplays_vendor" : "sppci_vendor_amd",
      "spdisplays_vram" : "8 GB",
      "sppci_bus" : "spdisplays_pcie_device",
      "sppci_model" : "AMD Radeon Pro 5500M"
    }
  ]
}"""


class Engine:
    """What `take` asks of an engine."""

    def __init__(self, address="in process", name="ollama", version="0.32.15", digest=QWEN["digest"]):
        self.address, self.name, self.version, self.digest = address, name, version, digest

    def identify(self, model):
        return {
            "engine": {"name": self.name, "version": self.version, "api": "/api/chat", "address": self.address},
            "model": {"name": model, "digest": self.digest, "quantization": "Q4_K_M"},
        }


def mac(**host):
    return Fingerprint({"host": M4 | host, "engine": OLLAMA, "model": QWEN, "client": {"python": "CPython 3.12.1"}})


# ---- host facts


def test_facts_of_this_machine_are_complete_and_json():
    facts = machine.host_facts()
    assert json.loads(json.dumps(facts)) == facts
    assert facts["cpu_logical"] == psutil.cpu_count()
    assert facts["architecture"] in ("x86_64", "arm64")
    assert abs(facts["memory_gib"] - psutil.virtual_memory().total / 2**30) <= 0.5
    assert set(DIGEST_FIELDS["host"]) - {"id"} <= set(facts)


def test_cpu_name_from_cpuinfo_and_on_arm_from_lscpu():
    assert machine.parse_cpuinfo("processor\t: 0\nmodel name\t: AMD EPYC   9R14\nflags: a\n") == "AMD EPYC 9R14"
    assert machine.parse_cpuinfo("processor\t: 0\nBogoMIPS\t: 108.00\nCPU part\t: 0xd0b\n") == ""
    lscpu = {
        "lscpu": [
            {"field": "Vendor ID:", "data": "ARM", "children": [
                {"field": "Model name:", "data": "Cortex-A55"}, {"field": "Model name:", "data": "Cortex-A76"}]},
        ]
    }  # fmt: skip
    assert machine.parse_lscpu(json.dumps(lscpu)) == "Cortex-A55 + Cortex-A76"
    assert machine.parse_lscpu("no json") == ""
    assert machine.parse_lscpu("[]") == ""


def test_system_profiler_gives_named_fields_only():
    found = machine.parse_system_profiler(SYSTEM_PROFILER, memory_bytes=48 * 2**30, release="15.5")
    assert found == [
        {"name": "Apple M4 Pro", "memory_mib": 49152, "driver": "macOS 15.5", "cores": 20},
        {"name": "AMD Radeon Pro 5500M", "memory_mib": 8192, "driver": "macOS 15.5"},
    ]
    for broken in ("", "{}", "[]", '{"SPDisplaysDataType": null}'):
        assert machine.parse_system_profiler(broken) == []


def test_nvidia_gpus_through_nvml(monkeypatch):
    class Nvml:
        class NVMLError(Exception):
            pass

        closed = 0

        def nvmlInit(self):
            pass

        def nvmlShutdown(self):
            self.closed += 1

        def nvmlSystemGetDriverVersion(self):
            return b"570.86.15"

        def nvmlDeviceGetCount(self):
            return 2

        def nvmlDeviceGetHandleByIndex(self, index):
            return index

        def nvmlDeviceGetName(self, handle):
            return ["NVIDIA GeForce RTX 4090", "NVIDIA GB10"][handle]

        def nvmlDeviceGetMemoryInfo(self, handle):
            if handle == 1:  # shares the system's memory and reports none
                raise self.NVMLError
            return type("Memory", (), {"total": 24564 * 2**20})

        def nvmlDeviceGetCudaComputeCapability(self, handle):
            return (8, 9)

    nvml = Nvml()
    monkeypatch.setitem(sys.modules, "pynvml", nvml)
    assert machine.nvidia_gpus() == [
        {"name": "NVIDIA GeForce RTX 4090", "memory_mib": 24564, "driver": "570.86.15", "compute": "8.9"},
        {"name": "NVIDIA GB10", "memory_mib": "unknown", "driver": "570.86.15"},
    ]
    assert nvml.closed == 1
    nvml.nvmlInit = lambda: (_ for _ in ()).throw(Nvml.NVMLError())
    assert machine.nvidia_gpus() == []
    monkeypatch.setitem(sys.modules, "pynvml", None)  # not installed
    assert machine.nvidia_gpus() == []


def test_amd_gpus_from_sysfs(tmp_path):
    for name, vendor in (("card0", "0x1002"), ("card1", "0x10de")):
        device = tmp_path / name / "device"
        device.mkdir(parents=True)
        (device / "vendor").write_text(f"{vendor}\n")
        (device / "device").write_text("0x744c\n")
        (device / "mem_info_vram_total").write_text(f"{24 * 2**30}\n")
    (tmp_path / "card0-DP-1").mkdir()
    found = machine.amd_gpus(tmp_path, tmp_path / "absent")
    assert found == [{"name": "AMD 0x744c", "memory_mib": 24576, "driver": "in kernel"}]


@pytest.mark.parametrize(
    ("sign", "content", "kind"),
    [
        ("run/.containerenv", "", "podman"),
        (".dockerenv", "", "docker"),
        ("run/systemd/container", "lxc\n", "lxc"),
        ("proc/1/cgroup", "0::/kubepods/pod1/abc", "kubernetes"),
        ("proc/1/cgroup", "0::/lxc.payload.web", "lxc"),
        ("proc/1/cgroup", "0::/init.scope", "none"),
    ],
)
def test_containers_by_their_signs(tmp_path, sign, content, kind):
    (tmp_path / sign).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / sign).write_text(content)
    assert machine.container(tmp_path, {}) == kind
    assert machine.container(tmp_path, {"KUBERNETES_SERVICE_HOST": "10.0.0.1"}) == "kubernetes"


def test_environment_keeps_only_what_changes_numbers_and_no_device_uuid():
    environ = {
        "OLLAMA_NUM_PARALLEL": "4",
        "OLLAMA_MODELS": "/home/anna/models",
        "OLLAMA_FLASH_ATTENTION": " ",
        "CUDA_VISIBLE_DEVICES": "0,GPU-8f6f1a2b-1111-2222-3333-444455556666",
    }
    found = machine.numeric_environment(environ, *machine.SERVER_ENVIRONMENT, *machine.DEVICE_ENVIRONMENT)
    assert set(found) == {"OLLAMA_NUM_PARALLEL", "CUDA_VISIBLE_DEVICES"}
    assert re.fullmatch(r"0,GPU-sha256:[0-9a-f]{8}", found["CUDA_VISIBLE_DEVICES"])


def test_environment_of_the_server_that_listens_on_the_port(monkeypatch):
    class Process:
        def __init__(self, cmdline, environ):
            self.info = {"name": "ollama"}
            self._cmdline, self._environ = cmdline, environ

        def cmdline(self):
            return self._cmdline

        def environ(self):
            if self._environ is None:
                raise psutil.AccessDenied
            return self._environ

    serve = ["ollama", "serve"]
    running = [
        Process(["ollama", "run", "qwen"], {"OLLAMA_NUM_PARALLEL": "9"}),
        Process(serve, None),
        Process(serve, {"OLLAMA_HOST": "0.0.0.0:11500", "OLLAMA_NUM_PARALLEL": "2"}),
        Process(serve, {"OLLAMA_KV_CACHE_TYPE": "q8_0", "HOME": "/home/anna"}),
    ]
    monkeypatch.setattr(machine.psutil, "process_iter", lambda fields: iter(running))
    assert machine.server_environment(11434) == {"OLLAMA_KV_CACHE_TYPE": "q8_0"}
    assert machine.server_environment(11500) == {"OLLAMA_NUM_PARALLEL": "2"}
    assert machine.server_environment(9999) is None


# ---- addresses


@pytest.mark.parametrize(
    "address",
    [
        "in process",
        "http://127.0.0.1:11434",
        "http://127.8.9.1",
        "http://localhost:11434/",
        "LOCALHOST:11434",
        "http://localhost.:1",
        "http://[::1]:11434",
        "http://[::ffff:127.0.0.1]:11434",
        "http://0.0.0.0:11434",
        "0.0.0.0",
        "http://user:word@127.0.0.1:11434",
    ],
)
def test_addresses_that_are_this_machine(address):
    assert is_local(address)


@pytest.mark.parametrize(
    "address",
    [
        "http://192.0.2.7:11434",
        "http://128.0.0.1",
        "http://box:11434",
        "https://localhost.example.com",
        "http://127.0.0.1.example.com",
        "http://localhost@box:11434",
        "http://[2001:db8::1]:11434",
        "http://[broken",
    ],
)
def test_addresses_that_are_not_this_machine(address):
    assert not is_local(address)


def test_an_address_of_an_own_interface_is_this_machine(monkeypatch):
    entry = type("Entry", (), {"address": "192.0.2.7"})
    monkeypatch.setattr(psutil, "net_if_addrs", lambda: {"en0": [entry]})
    assert is_local("http://192.0.2.7:11434")
    assert not is_local("http://192.0.2.8:11434")


def test_ports_follow_ollamas_rules():
    assert port_of("localhost") == 11434
    assert port_of("http://localhost") == 80
    assert port_of("http://localhost:8080/x") == 8080
    assert machine.ollama_port("") == 11434
    assert machine.ollama_port("https://box") == 443
    assert machine.ollama_port("[::1]:9") == 9


# ---- privacy


def test_nothing_private_stays(monkeypatch):
    monkeypatch.setenv("HOME", "/home/anna.meier")
    facts = {
        "host": M4,
        "engine": {
            "name": "ollama",
            "api": "/api/chat",
            "address": "http://anna:pw@anna-mac.example.com:11434",
            "log": "/home/anna.meier/logs/my log.txt",
            "win": "C:\\Users\\Anna\\m.gguf",
            "text": "from /home/anna.meier/x",
        },
        "model": {"name": "/Users/Anna Meier/models/q.gguf", "digest": QWEN["digest"]},
        "client": {},
    }
    taken = Fingerprint(facts)
    text = taken.to_json() + json.dumps(taken.as_tags())
    assert "anna" not in text.lower()
    assert "/Users" not in text
    assert taken.facts["model"]["name"] == "q.gguf"
    assert taken.facts["engine"]["win"] == "m.gguf"
    assert taken.facts["engine"]["api"] == "/api/chat"
    assert taken.facts["engine"]["log"] == "my log.txt"


def test_own_fingerprint_has_neither_user_nor_host_name():
    text = take(None, None).to_json()
    home = os.path.expanduser("~")
    assert home == "/" or home not in text
    name = socket.gethostname()
    assert len(name) < 4 or not re.search(rf"\b{re.escape(name)}\b", text)


def test_scrubbing_keeps_local_urls_and_hub_names():
    assert scrub("http://127.0.0.1:11434") == "http://127.0.0.1:11434"
    assert scrub("hf.co/someone/model:Q4") == "hf.co/someone/model:Q4"
    assert scrub("http://box:11434/api") == f"http://{address_id('box:11434')}/api"


# ---- digests


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


# ---- for people


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


# ---- files

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


# ---- whose hardware


@pytest.mark.parametrize("address", ["in process", "http://127.0.0.1:11434", "http://localhost:11434"])
def test_local_engines_have_this_machines_facts(address, monkeypatch):
    monkeypatch.setattr(machine, "tunnel_on", lambda port: None)
    taken = take(Engine(address), "qwen2.5:14b")
    assert taken.facts["host"]["source"] == "this machine"
    assert taken.facts["host"]["cpu"] == machine.cpu_model()
    assert taken.warnings == ()


def test_a_remote_host_is_unknown_and_never_the_clients():
    taken = take(Engine("http://192.0.2.7:11434"), "qwen2.5:14b")
    own = machine.host_facts()
    host = taken.facts["host"]
    assert all(host[name] == "unknown" for name in own if name != "environment_source")
    assert own["cpu"] not in json.dumps(host)
    assert "192.0.2.7" not in taken.to_json()
    assert "sweeps fingerprint --out" in taken.warnings[0]
    assert taken.facts["client"]["python"].startswith(("CPython", "PyPy"))


def test_unknown_hosts_are_kept_apart_by_their_address():
    a, b, again = (take(Engine(f"http://{ip}:11434"), "m") for ip in ("192.0.2.7", "192.0.2.8", "192.0.2.7"))
    assert a.digest != b.digest
    assert a.digest == again.digest


def test_a_tunnel_makes_the_host_unknown(monkeypatch):
    monkeypatch.setattr(machine, "tunnel_on", lambda port: "ssh" if port == 11434 else None)
    taken = take(Engine("http://127.0.0.1:11434"), "m")
    assert taken.facts["host"]["cpu"] == "unknown"
    assert "tunnel (ssh)" in taken.warnings[0]


def test_a_tunnel_is_seen_by_its_listening_port(monkeypatch):
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        port = listening.getsockname()[1]
        monkeypatch.setattr(machine, "TUNNELS", frozenset({psutil.Process().name().lower()}))
        assert machine.tunnel_on(port) == psutil.Process().name()
        monkeypatch.setattr(machine, "TUNNELS", frozenset({"ssh"}))
        assert machine.tunnel_on(port) is None


@pytest.mark.parametrize("address", ["http://192.0.2.7:11434", "http://127.0.0.1:11434"])
def test_a_host_file_wins_always(tmp_path, address):
    file = tmp_path / "mac.json"
    file.write_text(mac().to_json())
    taken = take(Engine(address), "qwen2.5:14b", host_file=file)
    assert taken.facts["host"]["cpu"] == "Apple M4 Pro"
    assert taken.facts["host"]["source"] == "host file"
    assert taken.host_digest == mac().host_digest
    assert taken.warnings == ()


def test_a_host_file_that_does_not_fit_warns(tmp_path):
    file = tmp_path / "mac.json"
    file.write_text(mac().to_json())
    newer = take(Engine("http://192.0.2.7:1", version="0.33.0"), "qwen2.5:14b", host_file=file)
    assert [w for w in newer.warnings if "0.32.15" in w and "0.33.0" in w]
    pulled = take(Engine("http://192.0.2.7:1", digest="f" * 64), "qwen2.5:14b", host_file=file)
    assert len(pulled.warnings) == 1
    assert "model digest" in pulled.warnings[0]
    assert take(Engine("http://192.0.2.7:1", digest="f" * 64), "another", host_file=file).warnings == ()


def test_a_host_file_without_a_host_is_refused(tmp_path):
    file = tmp_path / "remote.json"
    file.write_text(take(Engine("http://192.0.2.7:11434"), "m").to_json())
    with pytest.raises(FingerprintError, match="no facts of a host"):
        take(Engine("http://192.0.2.7:11434"), "m", host_file=file)


def test_client_facts_without_git(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    monkeypatch.setenv("OLLAMA_NUM_PARALLEL", "3")
    facts = client_facts()
    assert "git_commit" not in facts
    assert facts["shell_environment"]["OLLAMA_NUM_PARALLEL"] == "3"
    assert "numpy" in facts["packages"]
    monkeypatch.setenv("PATH", "")
    assert "git_commit" not in client_facts()


def test_client_facts_with_git(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    git = ["git", "-c", "user.name=n", "-c", "user.email=e@example.com"]
    (tmp_path / "a").write_text("1")
    for arguments in (["init", "-q"], ["add", "a"], ["commit", "-q", "-m", "one"]):
        subprocess.run([*git, *arguments], check=True, cwd=tmp_path)
    facts = client_facts()
    assert re.fullmatch(r"[0-9a-f]{40}", facts["git_commit"])
    assert facts["git_dirty"] is False
    (tmp_path / "a").write_text("2")
    assert client_facts()["git_dirty"] is True


# ---- the command


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


def test_hosts_do_not_differ_by_what_is_loaded_on_one_of_them():
    def host(name, **engine):
        facts = {"host": M4, "engine": OLLAMA | engine, "model": QWEN}
        return Host(ScriptedEngine(), {"m": Fingerprint(facts)}, name=name)

    plain, loaded = host("a"), host("b", gpu_share=1.0, num_ctx=4096)
    assert host_differences([plain, loaded]) == host_differences([loaded, plain]) == []
    assert [line.partition(" in ")[2] for line in host_differences([loaded, host("c", version="0.1.0")])] == [
        f"engine.version: 0.1.0 instead of {OLLAMA['version']}"
    ]


def test_what_is_loaded_is_not_told_where_a_study_has_changed():
    old, new = (
        Fingerprint({"host": M4, "engine": OLLAMA | engine, "model": QWEN})
        for engine in ({"num_ctx": 4096}, {"version": "0.1.0"})
    )
    (line,) = fingerprint_changes({"m": old}, {"m": new})
    assert line == f"engine.version: was {OLLAMA['version']}, is 0.1.0"


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
