"""A sweep's TOML file: reading it, and errors that name file, key, value and remedy, all at once."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from sweeps.config.baseline import SEED_VARIABLE, parse_baseline
from sweeps.config.batch import AUTO, automatic_batch
from sweeps.config.space import Space, configuration_from, parse_space
from sweeps.config.tables import (
    LOG_MARK,
    BudgetTable,
    ConfirmTable,
    EngineTable,
    ObjectiveTable,
    PromptTable,
    SearchTable,
    StudyTable,
    SweepFile,
    TrackingTable,
    VerdictTable,
)
from sweeps.errors import ConfigError
from sweeps.options import Configuration, nearest
from sweeps.scoring.quantities import ConstraintsTable


@dataclass(frozen=True)
class SweepConfig:
    """A valid sweep.

    Attributes:
        path: The file it came from, or None.
        text: The file's text.
        study, engine, prompts, objective, search, budget, confirm, verdict, constraints, tracking: The tables of the
            file.
        baseline: The configuration in use today, every option explicit.
        sources: For each of the baseline's values, and the seed where it is not the file's, where it came from: `file`,
            `environment (OLLAMA_...)` or `default`.
        space: What is searched.
        environment: The variables that were used.
    """

    path: Path | None
    text: str
    study: StudyTable
    engine: EngineTable
    prompts: Mapping[str, PromptTable]
    objective: ObjectiveTable
    baseline: Configuration
    sources: Mapping[str, str]
    space: Space
    search: SearchTable
    budget: BudgetTable
    confirm: ConfirmTable
    verdict: VerdictTable
    constraints: ConstraintsTable
    tracking: TrackingTable
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def directory(self) -> Path:
        """The folder that relative paths in the file start from."""
        return self.path.parent if self.path else Path()

    @property
    def cases_path(self) -> str:
        """The cases as a path from here, or the name of a shipped set."""
        beside = self.directory / self.objective.cases
        return str(beside) if beside.exists() else self.objective.cases

    def _engine_identity(self) -> dict[str, Any]:
        hosts = [entry.host for entry in self.engine.hosts]
        return {"kind": self.engine.kind, "options": self.engine.options} | ({"hosts": hosts} if hosts else {})

    def identity(self) -> dict[str, Any]:
        """Everything that a result depends on, as JSON types: a study is resumed only under the same identity."""
        return {
            "study.seed": self.study.seed,
            **_flat("engine", self._engine_identity()),
            **{f"prompts.{name}": prompt.model_dump() for name, prompt in self.prompts.items()},
            **_flat("objective", self.objective.model_dump(exclude={"cases", "names"})),
            **_flat("baseline", dict(self.baseline.values)),
            **{f"space.{dimension.name}": dimension.text() for dimension in self.space},
            **_flat("search", self.search.model_dump(exclude={"probe", "strict"})),
            **_flat("budget", self.budget.model_dump()),
            **_flat("confirm", self.confirm.model_dump()),
            **_flat("verdict", self.verdict.model_dump()),
            **_flat("constraints", self.constraints.identity()),
        }


def _flat(prefix: str, table: Mapping[str, Any]) -> dict[str, Any]:
    return {f"{prefix}.{key}": value for key, value in table.items()}


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


def _explain(details: ErrorDetails) -> str:
    """One pydantic error as `key: what is wrong, and what to do`."""
    location = [
        part for part in details["loc"] if not str(part).startswith(("function-", "dict[", "list[", "literal["))
    ]
    key = ".".join(map(str, location)).replace(".[", "[")
    kind, given = details["type"], details["input"]
    if kind == "extra_forbidden" and not location:  # a key that looks like one of the marks left out above
        return f"{details['loc'][-1]}: unknown key; valid: {', '.join(_valid_keys([]))}"
    if kind == "extra_forbidden":
        return f"{key}: unknown key; {nearest(str(location[-1]), _valid_keys(location[:-1]))}"
    if kind == "missing":
        return f"{key}: is missing" + (f" (the table [{key}] is needed)" if len(location) == 1 else "")
    if kind == "string_pattern_mismatch":
        return f"{key}: {given!r} must start with a letter or digit and have only letters, digits, . _ - (at most 100)"
    if kind == "literal_error":
        expected = details.get("ctx", {}).get("expected", "")
        names = [word.strip().strip("'") for word in expected.replace(" or ", ",").split(",")]
        return f"{key}: {given!r} is not one of {expected}" + (
            f"; {nearest(given, names)}" if isinstance(given, str) and nearest(given, names).startswith("did") else ""
        )
    if kind in ("dict_type", "model_type"):
        return f"{key}: {_table_wanted(key, given)}"
    message = details["msg"].removeprefix("Value error, ").replace("Input should", "should")
    shown = "" if isinstance(given, (dict, list)) else f", not {given!r}"
    return f"{key}: {message}{shown}" if kind != "value_error" else f"{key}: {message}"


def _table_wanted(key: str, given: object) -> str:
    """What to write where something else stands for a table."""
    if key.startswith("engine.hosts."):
        return f'must be an address or a table {{ host = "...", host_file = "..." }}, not {given!r}'
    what = f"is a text with {LOG_MARK} in it, or a table" if key.startswith("prompts.") else "is a table"
    return f"{what}: write [{key}], once" + ("" if isinstance(given, list) else f", instead of {given!r}")


def _valid_keys(location: list[Any]) -> list[str]:
    """The keys that the schema knows at a place."""
    model: type[BaseModel] = SweepFile
    for part in location:
        if part == "prompts":
            return list(PromptTable.model_fields)
        annotation = model.model_fields[str(part)].annotation
        if not (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
            return []
        model = annotation
    return list(model.model_fields)


def _toml_files_near(path: Path) -> str:
    """A hint at TOML files that are there, nearest name first."""
    names = sorted(_names_in(path.parent))
    return f"; {nearest(path.name, names)}" if names else ""


def _names_in(folder: Path) -> Iterator[str]:
    if folder.is_dir():
        yield from (entry.name for entry in folder.glob("*.toml") if entry.name != "pyproject.toml")
