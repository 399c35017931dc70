"""Facts of made-up machines."""

from sweeps.fingerprints.fingerprint import Fingerprint

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


def mac(**host):
    return Fingerprint({"host": M4 | host, "engine": OLLAMA, "model": QWEN, "client": {"python": "CPython 3.12.1"}})
