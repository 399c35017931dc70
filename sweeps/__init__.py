"""slm-sweeps: parameter sweeps for small language models, judged against run-to-run noise.

`Sweep.from_toml(path).run()` runs a sweep and returns a `SweepResult`. Names are imported when they are first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sweeps.config import SweepConfig, load_config
    from sweeps.errors import ConfigError, SweepError
    from sweeps.options import Configuration
    from sweeps.reading import load_result
    from sweeps.results import SweepResult
    from sweeps.study import Sweep

__version__ = "0.1.0"

_HOMES = {
    "ConfigError": "sweeps.errors",
    "Configuration": "sweeps.options",
    "Sweep": "sweeps.study",
    "SweepConfig": "sweeps.config",
    "SweepError": "sweeps.errors",
    "SweepResult": "sweeps.results",
    "load_config": "sweeps.config",
    "load_result": "sweeps.reading",
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
