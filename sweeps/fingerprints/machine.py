"""Facts about this machine that can change a model's texts, read from the system itself.

They hold nothing private: no user name, home directory, host name, serial number or device UUID. A fact that cannot be
read is left out or `UNKNOWN`, never an error.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import psutil

from sweeps.addresses import ollama_port

UNKNOWN = "unknown"
"""Stands for a fact that could not be read; never a guess."""

SERVER_ENVIRONMENT = (
    "OLLAMA_CONTEXT_LENGTH",
    "OLLAMA_FLASH_ATTENTION",
    "OLLAMA_GPU_OVERHEAD",
    "OLLAMA_KV_CACHE_TYPE",
    "OLLAMA_LLM_LIBRARY",
    "OLLAMA_MULTIUSER_CACHE",
    "OLLAMA_NEW_ENGINE",
    "OLLAMA_NUM_PARALLEL",
    "OLLAMA_SCHED_SPREAD",
    "OLLAMA_VULKAN",
)
"""Settings of the Ollama server that change its arithmetic (batch shape, cache type, kernels, layers on a GPU)."""

DEVICE_ENVIRONMENT = (
    "CUDA_VISIBLE_DEVICES",
    "GGML_CUDA_FORCE_CUBLAS",
    "GGML_CUDA_FORCE_MMQ",
    "GGML_VK_VISIBLE_DEVICES",
    "HIP_VISIBLE_DEVICES",
    "HSA_OVERRIDE_GFX_VERSION",
    "NVIDIA_VISIBLE_DEVICES",
    "OMP_NUM_THREADS",
    "ROCR_VISIBLE_DEVICES",
)
"""Settings that choose devices and kernels in the process of llama.cpp."""

CPU_FEATURES = (
    # x86: the instruction sets that ggml picks its kernels by
    *("ssse3", "avx", "avx2", "avx_vnni", "f16c", "fma", "bmi2"),
    *("avx512f", "avx512bw", "avx512vbmi", "avx512_vnni", "avx512_bf16", "amx_int8", "amx_tile"),
    # Arm: the same, by the kernel's names
    *("asimd", "asimdhp", "asimddp", "i8mm", "bf16", "sve", "sve2", "sme"),
)
"""Instruction sets that select among llama.cpp's CPU kernels, and with them the order of additions."""

TUNNELS = frozenset({"ssh", "autossh", "plink", "kubectl", "socat", "cloudflared"})
"""Programs that put another machine's port on a local one."""


def host_facts(*, environment: Mapping[str, str] | None = None, environment_source: str = UNKNOWN) -> dict[str, Any]:
    """Describe this machine.

    Args:
        environment: The numeric environment of the process that computes (see `server_environment`), where known.
        environment_source: Its source: `server process`, `this process` or `unknown`.

    Returns:
        JSON types only: `os`, `os_version`, `kernel`, `architecture`, `math_library`, `cpu`, `cpu_physical`,
        `cpu_logical`, `cpu_features`, `memory_gib` (rounded to whole GiB), `gpus` (a list of `name`, `memory_mib`,
        `driver` and, where known, `compute`), `container`, `environment` and `environment_source`.
    """
    name, version = _operating_system()
    return {
        "os": name,
        "os_version": version,
        "kernel": platform.release() or UNKNOWN,
        "architecture": _architecture(),
        "math_library": _math_library(name, version),
        "cpu": cpu_model(),
        "cpu_physical": psutil.cpu_count(logical=False) or UNKNOWN,
        "cpu_logical": psutil.cpu_count(logical=True) or UNKNOWN,
        "cpu_features": cpu_features(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30),
        "gpus": gpus(),
        "container": container(),
        "environment": dict(environment or {}),
        "environment_source": environment_source,
    }


def _operating_system() -> tuple[str, str]:
    if platform.system() == "Darwin":
        return "macOS", platform.mac_ver()[0] or UNKNOWN
    if platform.system() == "Windows":
        return "Windows", platform.version() or UNKNOWN
    if platform.system() == "Linux":
        try:
            return "Linux", platform.freedesktop_os_release().get("PRETTY_NAME", UNKNOWN)
        except OSError:
            return "Linux", UNKNOWN
    return platform.system() or UNKNOWN, platform.release() or UNKNOWN


def _architecture() -> str:
    machine = platform.machine().lower()
    return {"amd64": "x86_64", "aarch64": "arm64"}.get(machine, machine) or UNKNOWN


def _math_library(os_name: str, os_version: str) -> str:
    """Name the provider of exp, log and the like: on Linux the C library, elsewhere the system's release."""
    if os_name == "Linux":
        library, version = platform.libc_ver()
        return f"{library} {version}" if library else UNKNOWN
    return f"{os_name} {os_version}"


def _run(*command: str, timeout: float = 10.0) -> str:
    """Return a program's output, or "" if it is absent, fails or hangs."""
    if shutil.which(command[0]) is None:
        return ""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False)
    except (OSError, subprocess.SubprocessError, UnicodeDecodeError):
        return ""
    return done.stdout if done.returncode == 0 else ""


def _read(path: str | Path) -> str:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def cpu_model() -> str:
    """Name the processor as its maker does, or `unknown`."""
    if platform.system() == "Darwin":
        return _run("sysctl", "-n", "machdep.cpu.brand_string").strip() or UNKNOWN
    if platform.system() == "Linux":
        named = parse_cpuinfo(_read("/proc/cpuinfo")) or parse_lscpu(_run("lscpu", "-J"))
        return named or _read("/proc/device-tree/model").strip("\0\n ") or UNKNOWN
    return platform.processor() or UNKNOWN


def parse_cpuinfo(text: str) -> str:
    """Read the model name from the text of `/proc/cpuinfo`; "" on Arm, where it has none."""
    found = re.search(r"^(?:model name|cpu model)\s*:\s*(.+?)\s*$", text, re.MULTILINE)
    return re.sub(r"\s+", " ", found.group(1)) if found else ""


def parse_lscpu(text: str) -> str:
    """Read the model names from `lscpu -J` (several on processors with unlike cores)."""
    names: list[str] = []

    def walk(entries: object) -> None:
        if not isinstance(entries, list):
            return
        for entry in entries:
            if not isinstance(entry, dict):
                continue
            data = str(entry.get("data") or "").strip()
            if str(entry.get("field", "")).lower().startswith("model name") and data not in ("", "-"):
                names.append(data)
            walk(entry.get("children"))

    try:
        walk(json.loads(text).get("lscpu"))
    except (ValueError, AttributeError):
        return ""
    return " + ".join(dict.fromkeys(names))


def cpu_features() -> list[str]:
    """List the `CPU_FEATURES` of the processor; [] where the system does not report them."""
    if platform.system() == "Darwin" and platform.machine() == "x86_64":
        flags = _run("sysctl", "-n", "machdep.cpu.features", "machdep.cpu.leaf7_features").lower().split()
    else:
        found = re.search(r"^(?:flags|Features)\s*:\s*(.+)$", _read("/proc/cpuinfo"), re.MULTILINE)
        flags = found.group(1).split() if found else []
    return sorted(set(CPU_FEATURES) & set(flags))


def gpus() -> list[dict[str, Any]]:
    """List the GPUs in the system's order: `name`, `memory_mib`, `driver` and, where known, `compute`."""
    if platform.system() == "Darwin":
        return parse_system_profiler(_run("system_profiler", "SPDisplaysDataType", "-json"))
    return nvidia_gpus() + amd_gpus()


def nvidia_gpus() -> list[dict[str, Any]]:
    """List NVIDIA GPUs through NVML; [] without its library or driver."""
    try:
        import pynvml
    except ImportError:
        return []
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return []
    try:
        driver = _text(pynvml.nvmlSystemGetDriverVersion())
        return [_nvidia_gpu(pynvml, index, driver) for index in range(pynvml.nvmlDeviceGetCount())]
    except pynvml.NVMLError:
        return []
    finally:
        pynvml.nvmlShutdown()


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value


def _nvidia_gpu(nvml: Any, index: int, driver: str) -> dict[str, Any]:
    handle = nvml.nvmlDeviceGetHandleByIndex(index)
    gpu: dict[str, Any] = {"name": _text(nvml.nvmlDeviceGetName(handle)), "memory_mib": UNKNOWN, "driver": driver}
    try:  # boards that share the system's memory report none
        gpu["memory_mib"] = round(nvml.nvmlDeviceGetMemoryInfo(handle).total / 2**20)
        gpu["compute"] = ".".join(map(str, nvml.nvmlDeviceGetCudaComputeCapability(handle)))
    except nvml.NVMLError:
        pass
    return gpu


def amd_gpus(
    drm: Path = Path("/sys/class/drm"), driver: Path = Path("/sys/module/amdgpu/version")
) -> list[dict[str, Any]]:
    """List AMD GPUs from Linux's sysfs; the driver is `in kernel` where it has no version of its own."""
    found = []
    for card in sorted(drm.glob("card[0-9]*")):
        device = card / "device"
        if "-" in card.name or _read(device / "vendor").strip() != "0x1002":
            continue
        memory = _read(device / "mem_info_vram_total").strip()
        name = _read(device / "product_name").strip() or f"AMD {_read(device / 'device').strip() or 'GPU'}"
        found.append(
            {
                "name": name,
                "memory_mib": round(int(memory) / 2**20) if memory.isdigit() else UNKNOWN,
                "driver": _read(driver).strip() or "in kernel",
            }
        )
    return found


def parse_system_profiler(
    text: str, *, memory_bytes: int | None = None, release: str | None = None
) -> list[dict[str, Any]]:
    """Read GPUs from macOS's `system_profiler SPDisplaysDataType -json`.

    The answer also holds displays with their serial numbers, so only named fields are read. Apple's own GPUs use the
    system's memory and driver.

    Args:
        text: The program's output; an unreadable one gives [].
        memory_bytes: The system's memory; by default this machine's.
        release: The system's version; by default this machine's.
    """
    try:
        entries = json.loads(text)["SPDisplaysDataType"]
    except (ValueError, KeyError, TypeError):
        return []
    total = psutil.virtual_memory().total if memory_bytes is None else memory_bytes
    driver = f"macOS {release or platform.mac_ver()[0] or UNKNOWN}"
    found = []
    for entry in entries if isinstance(entries, list) else []:
        name = entry.get("sppci_model") or entry.get("_name") or UNKNOWN
        vram = entry.get("spdisplays_vram")
        gpu = {"name": name, "memory_mib": _mebibytes(vram) if vram else round(total / 2**20), "driver": driver}
        if cores := entry.get("sppci_cores"):
            gpu["cores"] = int(cores) if str(cores).isdigit() else cores
        found.append(gpu)
    return found


def _mebibytes(text: str) -> int | str:
    """Read `8 GB` or `1536 MB` as macOS prints them."""
    found = re.fullmatch(r"\s*([\d.]+)\s*([GM])B\s*", text)
    return round(float(found.group(1)) * (1024 if found.group(2) == "G" else 1)) if found else UNKNOWN


def container(root: Path = Path("/"), environ: Mapping[str, str] | None = None) -> str:
    """Name the kind of container that this process runs in (`docker`, `podman`, `lxc`, ...), or `none`."""
    environ = os.environ if environ is None else environ
    if environ.get("KUBERNETES_SERVICE_HOST"):
        return "kubernetes"
    if (root / "run/.containerenv").exists():
        return "podman"
    if (root / ".dockerenv").exists():
        return "docker"
    if named := _read(root / "run/systemd/container").strip():
        return named
    groups = _read(root / "proc/1/cgroup")
    for sign, kind in (("kubepods", "kubernetes"), ("libpod", "podman"), ("docker", "docker"), ("lxc", "lxc")):
        if sign in groups:
            return kind
    return "none"


def numeric_environment(environ: Mapping[str, str], *names: str) -> dict[str, str]:
    """Pick the settings named, with device UUIDs replaced by a digest (they identify a piece of hardware)."""
    picked = {name: environ[name].strip() for name in names if environ.get(name, "").strip()}
    return {name: _hide_uuids(value) for name, value in sorted(picked.items())}


def _hide_uuids(value: str) -> str:
    return re.sub(
        r"(GPU|MIG)-[0-9a-fA-F][0-9a-fA-F-]*",
        lambda found: f"{found.group(1)}-sha256:{hashlib.sha256(found.group().encode()).hexdigest()[:8]}",
        value,
    )


def _processes(names: frozenset[str]) -> Iterator[psutil.Process]:
    for process in psutil.process_iter(["name"]):
        if (process.info["name"] or "").lower().removesuffix(".exe") in names:
            yield process


def server_environment(port: int) -> dict[str, str] | None:
    """Read the numeric environment of the Ollama server on this machine that listens on a port.

    The environment of a server that runs as another user (as under systemd) cannot be read.

    Returns:
        The settings (possibly none), or None where no such server is seen or its environment cannot be read.
    """
    for process in _processes(frozenset({"ollama"})):
        try:
            if "serve" not in process.cmdline():
                continue
            environ = process.environ()
        except (psutil.Error, OSError):
            continue
        if ollama_port(environ.get("OLLAMA_HOST", "")) == port:
            return numeric_environment(environ, *SERVER_ENVIRONMENT, *DEVICE_ENVIRONMENT)
    return None


def tunnel_on(port: int) -> str | None:
    """Name the tunnel program of this user that listens on a local port, if one is seen.

    A tunnel run by another user or by the other side (`ssh -R`) is not visible to an ordinary user.
    """
    for process in _processes(TUNNELS):
        try:
            connections = process.net_connections(kind="tcp")
            name = str(process.name())
        except (psutil.Error, OSError):
            continue
        if any(c.status == psutil.CONN_LISTEN and c.laddr and c.laddr.port == port for c in connections):
            return name
    return None
