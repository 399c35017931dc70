"""The TOML file of a sweep. Errors name file, key, value and remedy, all problems at once."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from analysis.files.encodings import NotUtf8Error, decode
from analysis.files.pipes import ENDLESS, is_endless
from sweeps.config.messages import toml_files_hint
from sweeps.config.sweep_config import SweepConfig
from sweeps.errors import ConfigError


def load_config(path: str | Path) -> SweepConfig:
    """Read and check a sweep's TOML file.

    Values that the file does not name come from the environment (`OLLAMA_TEMPERATURE=0.35` and so on, `OLLAMA_SEED`),
    otherwise from the defaults; `SweepConfig.sources` says which.

    Args:
        path: The file.

    Returns:
        The sweep, valid in itself; the run checks whether cases, engine and model exist.

    Raises:
        ConfigError: With all problems of the file at once.
    """
    path = Path(path)
    if is_endless(path):
        raise ConfigError(f"{path}: {ENDLESS}; give a TOML file")
    try:
        text = decode(path.read_bytes(), str(path)).replace("\r\n", "\n")
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file{toml_files_hint(path)}") from None
    except IsADirectoryError:
        raise ConfigError(f"{path}: is a directory, not a TOML file{toml_files_hint(path / 'x')}") from None
    except NotUtf8Error as error:
        raise ConfigError(f"{path}: {error}") from None
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from None
    return parse_config(text, path=path, environment=os.environ)


def parse_config(text: str, path: Path | None = None, *, environment: Mapping[str, str] | None = None) -> SweepConfig:
    """Check a sweep's TOML text.

    The arguments are those of `SweepConfig.from_text`.

    Raises:
        ConfigError: With all problems at once.
    """
    return SweepConfig.from_text(text, path, environment=environment)
