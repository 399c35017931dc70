"""Facts of this machine that the standard library can read; also a part of the script for other machines.

The script is this file and `standalone.py` in one (see `script_text`), so it needs Python 3.9 and nothing else.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

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


def operating_system() -> tuple[str, str]:
    """Name the system and its version."""
    if platform.system() == "Darwin":
        return "macOS", platform.mac_ver()[0] or UNKNOWN
    if platform.system() == "Windows":
        return "Windows", platform.version() or UNKNOWN
    if platform.system() == "Linux":
        found = re.search(r"^PRETTY_NAME=(.*)$", read("/etc/os-release") or read("/usr/lib/os-release"), re.MULTILINE)
        return "Linux", " ".join(shlex.split(found.group(1))) if found else UNKNOWN
    return platform.system() or UNKNOWN, platform.release() or UNKNOWN


def architecture() -> str:
    """Name the processor's architecture."""
    machine = platform.machine().lower()
    return {"amd64": "x86_64", "aarch64": "arm64"}.get(machine, machine) or UNKNOWN


def math_library(os_name: str, os_version: str) -> str:
    """Name the provider of exp, log and the like: on Linux the C library, elsewhere the system's release."""
    if os_name == "Linux":
        library, version = platform.libc_ver()
        return f"{library} {version}" if library else UNKNOWN
    return f"{os_name} {os_version}"


def run(*command: str, timeout: float = 10.0) -> str:
    """Return a program's output, or "" if it is absent, fails or hangs."""
    if shutil.which(command[0]) is None:
        return ""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False)
    except (OSError, subprocess.SubprocessError, UnicodeDecodeError):
        return ""
    return done.stdout if done.returncode == 0 else ""


def read(path: str | Path) -> str:
    """Return a file's text; "" where it cannot be read."""
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def cpu_model() -> str:
    """Name the processor as its maker does, or `unknown`."""
    if platform.system() == "Darwin":
        return run("sysctl", "-n", "machdep.cpu.brand_string").strip() or UNKNOWN
    if platform.system() == "Linux":
        named = parse_cpuinfo(read("/proc/cpuinfo")) or parse_lscpu(run("lscpu", "-J"))
        return named or read("/proc/device-tree/model").strip("\0\n ") or UNKNOWN
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
    except (ValueError, AttributeError, RecursionError):
        return ""
    return " + ".join(dict.fromkeys(names))


def cpu_features() -> list[str]:
    """List the `CPU_FEATURES` of the processor; [] where the system does not report them."""
    if platform.system() == "Darwin" and platform.machine() == "x86_64":
        flags = run("sysctl", "-n", "machdep.cpu.features", "machdep.cpu.leaf7_features").lower().split()
    else:
        found = re.search(r"^(?:flags|Features)\s*:\s*(.+)$", read("/proc/cpuinfo"), re.MULTILINE)
        flags = found.group(1).split() if found else []
    return sorted(set(CPU_FEATURES) & set(flags))


def physical_cores() -> int | str:
    """Count the processor's cores, without the second threads on them."""
    if platform.system() == "Darwin":
        text = run("sysctl", "-n", "hw.physicalcpu").strip()
        return int(text) if _is_count(text) else UNKNOWN
    places = Path("/sys/devices/system/cpu").glob("cpu[0-9]*/topology")
    cores = {read(place / "core_cpus_list") or read(place / "thread_siblings_list") for place in places} - {""}
    return len(cores) or parse_cores(read("/proc/cpuinfo")) or UNKNOWN  # a container may lack /sys


def parse_cores(text: str) -> int:
    """Count the cores in the text of `/proc/cpuinfo`; 0 on Arm, where it does not name them."""
    processors = (dict(re.findall(r"^(physical id|core id)\s*:\s*(\d+)", part, re.M)) for part in text.split("\n\n"))
    return len({tuple(sorted(each.items())) for each in processors if len(each) == 2})


def installed_memory() -> int | None:
    """Read the size of the memory."""
    if platform.system() == "Darwin":
        text = run("sysctl", "-n", "hw.memsize").strip()
        return int(text) if _is_count(text) else None
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):
        return None


def nvidia_gpus(text: str | None = None) -> list[dict[str, Any]]:
    """List NVIDIA GPUs through nvidia-smi.

    Args:
        text: Its output; by default the program is run.
    """
    query = ("--query-gpu=name,memory.total,driver_version,compute_cap", "--format=csv,noheader,nounits")
    found = []
    for line in (run("nvidia-smi", *query) if text is None else text).splitlines():
        name, memory, driver, compute = ([part.strip() for part in line.split(",")] + [""] * 4)[:4]
        gpu: dict[str, Any] = {"name": name, "memory_mib": UNKNOWN, "driver": driver}
        if _is_count(memory):  # boards that share the system's memory report none
            gpu["memory_mib"] = int(memory)
            if re.fullmatch(r"\d+\.\d+", compute):
                gpu["compute"] = compute
        found.append(gpu)
    return found


def gpus() -> list[dict[str, Any]]:
    """List the GPUs in the system's order."""
    if platform.system() == "Darwin":
        return parse_system_profiler(run("system_profiler", "SPDisplaysDataType", "-json"))
    return nvidia_gpus() + amd_gpus()


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
    except (ValueError, KeyError, TypeError, RecursionError):
        return []
    total = (installed_memory() or 0) if memory_bytes is None else memory_bytes
    driver = f"macOS {release or platform.mac_ver()[0] or UNKNOWN}"
    found = []
    for entry in entries if isinstance(entries, list) else []:
        if not isinstance(entry, dict):
            continue
        name = entry.get("sppci_model") or entry.get("_name") or UNKNOWN
        vram = entry.get("spdisplays_vram")
        gpu = {"name": name, "memory_mib": mebibytes(str(vram)) if vram else round(total / 2**20), "driver": driver}
        if cores := entry.get("sppci_cores"):
            gpu["cores"] = int(cores) if _is_count(str(cores)) else cores
        found.append(gpu)
    return found


def _is_count(text: str) -> bool:
    """Whether a program's answer is a number; thousands of digits would be an error of Python's `int`."""
    return re.fullmatch(r"[0-9]{1,18}", text) is not None


def mebibytes(text: str) -> int | str:
    """Read `8 GB` or `1536 MB` as macOS prints them."""
    found = re.fullmatch(r"\s*(\d{1,9}(?:\.\d{0,9})?)\s*([GM])B\s*", text)
    return round(float(found.group(1)) * (1024 if found.group(2) == "G" else 1)) if found else UNKNOWN


def amd_gpus(
    drm: Path = Path("/sys/class/drm"), driver: Path = Path("/sys/module/amdgpu/version")
) -> list[dict[str, Any]]:
    """List AMD GPUs from Linux's sysfs; the driver is `in kernel` where it has no version of its own."""
    found = []
    for card in sorted(drm.glob("card[0-9]*")):
        device = card / "device"
        if "-" in card.name or read(device / "vendor").strip() != "0x1002":
            continue
        memory = read(device / "mem_info_vram_total").strip()
        name = read(device / "product_name").strip() or f"AMD {read(device / 'device').strip() or 'GPU'}"
        found.append(
            {
                "name": name,
                "memory_mib": round(int(memory) / 2**20) if _is_count(memory) else UNKNOWN,
                "driver": read(driver).strip() or "in kernel",
            }
        )
    return found


def container(root: Path = Path("/"), environ: Mapping[str, str] | None = None) -> str:
    """Name the kind of container that this process runs in (`docker`, `podman`, `lxc`, ...), or `none`."""
    environ = os.environ if environ is None else environ
    if environ.get("KUBERNETES_SERVICE_HOST"):
        return "kubernetes"
    if (root / "run/.containerenv").exists():
        return "podman"
    if (root / ".dockerenv").exists():
        return "docker"
    if named := read(root / "run/systemd/container").strip():
        return named
    groups = read(root / "proc/1/cgroup")
    for sign, kind in (("kubepods", "kubernetes"), ("libpod", "podman"), ("docker", "docker"), ("lxc", "lxc")):
        if sign in groups:
            return kind
    return "none"


def numeric_environment(environ: Mapping[str, str], *names: str) -> dict[str, str]:
    """Pick the settings named, with device UUIDs replaced by a digest (they identify a piece of hardware)."""
    picked = {name: environ[name].strip() for name in names if environ.get(name, "").strip()}
    return {name: hide_uuids(value) for name, value in sorted(picked.items())}


def hide_uuids(value: str) -> str:
    """Replace the UUIDs of devices by a digest."""
    return re.sub(
        r"(GPU|MIG)-[0-9a-fA-F][0-9a-fA-F-]*",
        lambda found: f"{found.group(1)}-sha256:{hashlib.sha256(found.group().encode()).hexdigest()[:8]}",
        value,
    )


def server_environments() -> Iterator[Mapping[str, str]]:
    """Yield the environment of each Ollama server of this user; one of another user cannot be read."""
    if platform.system() == "Darwin":
        for line in run("ps", "-axww", "-o", "pid=,command=").splitlines():
            pid, _, command = line.strip().partition(" ")
            if re.search(r"ollama[^/]* serve\b", command):
                words = run("ps", "eww", "-o", "command=", "-p", pid).split()
                yield dict(word.split("=", 1) for word in words if re.match(r"[A-Z_]+=", word))
    for place in sorted(Path("/proc").glob("[0-9]*")):
        if read(place / "comm").strip() == "ollama" and "serve" in read(place / "cmdline").split("\0"):
            pairs = [entry for entry in read(place / "environ").split("\0") if "=" in entry]
            if pairs:
                yield dict(entry.split("=", 1) for entry in pairs)


def server_environment(port: int) -> dict[str, str] | None:
    """Read the settings of the server that listens on a port; None where no such server is seen."""
    for environ in server_environments():
        if port_of(environ.get("OLLAMA_HOST", "")) == port:
            return numeric_environment(environ, *SERVER_ENVIRONMENT, *DEVICE_ENVIRONMENT)
    return None


def port_of(address: str) -> int:
    """Read the port of an address by Ollama's rules."""
    scheme, _, rest = address.strip().strip("\"'").strip().rpartition("://")
    host = rest.split("/")[0].rpartition("@")[2]
    found = re.search(r":(\d+)$", host) if host.count(":") == 1 or "]" in host else None
    return int(found.group(1)) if found else {"http": 80, "https": 443}.get(scheme.lower(), 11434)


def host_facts(port: int) -> dict[str, Any]:
    """Describe this machine, with the settings of the server on a port."""
    name, version = operating_system()
    total, environment = installed_memory(), server_environment(port)
    return {
        "source": "this machine",
        "os": name,
        "os_version": version,
        "kernel": platform.release() or UNKNOWN,
        "architecture": architecture(),
        "math_library": math_library(name, version),
        "cpu": cpu_model(),
        "cpu_physical": physical_cores(),
        "cpu_logical": os.cpu_count() or UNKNOWN,
        "cpu_features": cpu_features(),
        "memory_gib": UNKNOWN if total is None else round(total / 2**30),
        "gpus": gpus(),
        "container": container(),
        "environment": environment or {},
        "environment_source": UNKNOWN if environment is None else "server process",
    }
