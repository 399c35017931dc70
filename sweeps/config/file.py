"""A sweep's TOML file: reading it, and errors that name file, key, value and remedy, all at once."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path

from pydantic import ValidationError

from sweeps.config.baseline import SEED_VARIABLE, parse_baseline
from sweeps.config.batch import AUTO, automatic_batch
from sweeps.config.messages import _explain, _toml_files_near
from sweeps.config.space import Space, configuration_from
from sweeps.config.space_table import parse_space
from sweeps.config.sweep_config import SweepConfig
from sweeps.config.tables import (
    StudyTable,
    SweepFile,
)
from sweeps.errors import ConfigError


def load_config(path: str | Path) -> SweepConfig:
    """Read and check a sweep's TOML file.

    What the file does not name is taken from the environment (`OLLAMA_TEMPERATURE=0.35` and so on, `OLLAMA_SEED`), and
    else from the defaults; `SweepConfig.sources` tells which.

    Args:
        path: The file.

    Returns:
        The sweep, valid in itself; whether cases, engine and model are there is for the sweep to check.

    Raises:
        ConfigError: With all problems of the file at once.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8-sig")  # editors on Windows mark UTF-8 by a character of its own
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file{_toml_files_near(path)}") from None
    except IsADirectoryError:
        raise ConfigError(f"{path}: is a directory, not a TOML file{_toml_files_near(path / 'x')}") from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: is not UTF-8 text (byte {error.start})") from None
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from None
    return parse_config(text, path=path, environment=os.environ)


def parse_config(text: str, path: Path | None = None, *, environment: Mapping[str, str] | None = None) -> SweepConfig:
    """Check a sweep's TOML text.

    Args:
        text: The text.
        path: Names the file in errors and anchors relative paths.
        environment: Where `OLLAMA_TEMPERATURE`, `OLLAMA_SEED` and the like are read from; nowhere by default.

    Raises:
        ConfigError: With all problems at once.
    """
    where = str(path or "<text>")
    environment = {} if environment is None else environment
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{where}: is not valid TOML: {error}") from None
    problems: list[str] = []
    file: SweepFile | None = None
    try:
        file = SweepFile.model_validate(raw)
    except ValidationError as error:
        problems += [_explain(details) for details in error.errors(include_url=False)]
    prompts = list(raw["prompts"]) if isinstance(raw.get("prompts"), dict) else []
    values, sources, wrong = parse_baseline(raw.get("baseline"), prompts, environment)
    problems += wrong
    if file is not None and "seed" not in raw["study"] and (seed := environment.get(SEED_VARIABLE)) is not None:
        file, sources["seed"], wrong = _with_seed(file, seed)
        problems += wrong
    space = Space(())
    if isinstance(raw.get("space"), dict):
        space, wrong = parse_space(raw["space"], prompts=prompts, baseline=values)
        problems += wrong
    if problems or file is None:
        raise ConfigError([f"{where}: {problem}" for problem in problems])
    if file.search.batch == AUTO:
        file = file.model_copy(update={"search": file.search.model_copy(update={"batch": automatic_batch(space)})})
    return SweepConfig(
        path=path,
        text=text,
        baseline=configuration_from(values),
        sources=sources,
        space=space,
        environment={name: environment[name] for name in _variables(sources)},
        **{name: getattr(file, name) for name in SweepFile.model_fields if name not in ("baseline", "space")},
    )


def _variables(sources: Mapping[str, str]) -> list[str]:
    return [source[len("environment (") : -1] for source in sources.values() if source.startswith("environment (")]


def _with_seed(file: SweepFile, seed: str) -> tuple[SweepFile, str, list[str]]:
    """The file's tables with the study's seed from the environment."""
    try:
        study = StudyTable.model_validate({**file.study.model_dump(), "seed": int(seed)})
    except ValueError:  # pydantic's errors are ValueErrors, too
        return file, "default", [f"{SEED_VARIABLE}: {seed!r} is not a whole number from 0 to 1000000000"]
    return file.model_copy(update={"study": study}), f"environment ({SEED_VARIABLE})", []
