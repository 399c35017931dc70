"""Facts about this machine that can change a model's texts, read from the system itself.

They hold nothing private: no user name, home directory, host name, serial number or device UUID. A fact that cannot be
read is left out or `UNKNOWN`, never an error.
"""

from __future__ import annotations

import platform
from collections.abc import Iterator, Mapping
from typing import Any

import psutil

from sweeps.addresses import ollama_port
from sweeps.fingerprints import system
from sweeps.fingerprints.system import (
    CPU_FEATURES,
    DEVICE_ENVIRONMENT,
    SERVER_ENVIRONMENT,
    UNKNOWN,
    amd_gpus,
    container,
    cpu_features,
    cpu_model,
    numeric_environment,
    parse_cpuinfo,
    parse_lscpu,
    parse_system_profiler,
)

__all__ = [
    "CPU_FEATURES",
    "DEVICE_ENVIRONMENT",
    "SERVER_ENVIRONMENT",
    "UNKNOWN",
    "amd_gpus",
    "container",
    "cpu_features",
    "cpu_model",
    "gpus",
    "host_facts",
    "numeric_environment",
    "nvidia_gpus",
    "parse_cpuinfo",
    "parse_lscpu",
    "parse_system_profiler",
    "server_environment",
    "tunnel_on",
]


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
    name, version = system.operating_system()
    return {
        "os": name,
        "os_version": version,
        "kernel": platform.release() or UNKNOWN,
        "architecture": system.architecture(),
        "math_library": system.math_library(name, version),
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


def gpus() -> list[dict[str, Any]]:
    """List the GPUs in the system's order: `name`, `memory_mib`, `driver` and, where known, `compute`."""
    if platform.system() == "Darwin":
        return parse_system_profiler(system.run("system_profiler", "SPDisplaysDataType", "-json"))
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
