"""slm-sweeps: parameter sweeps for small language models, judged against run-to-run noise.

`Sweep.from_toml(path).run()` runs a sweep and returns a `SweepResult`. Names are imported when they are first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from sweeps.version import __version__

if TYPE_CHECKING:
    from sweeps.config.file import load_config
    from sweeps.config.sweep_config import SweepConfig
    from sweeps.errors import ConfigError, SweepError
    from sweeps.options import Configuration
    from sweeps.results.reader import load_result
    from sweeps.results.result import SweepResult
    from sweeps.study.sweep import Sweep

_HOMES = {
    "ConfigError": "sweeps.errors",
    "Configuration": "sweeps.options",
    "Sweep": "sweeps.study.sweep",
    "SweepConfig": "sweeps.config.sweep_config",
    "SweepError": "sweeps.errors",
    "SweepResult": "sweeps.results.result",
    "load_config": "sweeps.config.file",
    "load_result": "sweeps.results.reader",
}

__all__ = [
    "ConfigError",
    "Configuration",
    "Sweep",
    "SweepConfig",
    "SweepError",
    "SweepResult",
    "__version__",
    "load_config",
    "load_result",
]


def __getattr__(name: str) -> object:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'sweeps' has no attribute {name!r}")
