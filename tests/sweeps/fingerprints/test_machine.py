"""Facts read from this machine."""

import json
import re
import sys

import psutil
import pytest

from sweeps.fingerprints import machine
from sweeps.fingerprints.fingerprint import DIGEST_FIELDS

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
