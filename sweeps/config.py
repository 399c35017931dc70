"""A sweep's TOML file: its schema, and errors that name file, key, value and remedy, all at once."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import ErrorDetails

from sweeps.baseline import SEED_VARIABLE, parse_baseline
from sweeps.batches import AUTO, automatic_batch
from sweeps.constraints import ConstraintsTable
from sweeps.engines.base import Prompt
from sweeps.errors import ConfigError
from sweeps.options import Configuration, nearest
from sweeps.space import Space, configuration_from, parse_space

LOG_MARK = "{log}"
"""Where a prompt's text takes the log."""

NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$"


class _Table(BaseModel):
    # TOML has types: text is no number, true is no number, and an endless budget is a slip.
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class StudyTable(_Table):
    """`[study]`: what the sweep is called and where its random numbers come from."""

    name: Annotated[str, Field(pattern=NAME_PATTERN)]
    seed: Annotated[int, Field(ge=0, le=1_000_000_000)] = 42
    description: str = ""


class HostTable(_Table):
    """One of `engine.hosts`: an address and, optionally, the file that `sweeps fingerprint --out` made there."""

    host: str
    host_file: str | None = None


def _host_from_text(value: object) -> object:
    return {"host": value} if isinstance(value, str) else value


class EngineTable(_Table):
    """`[engine]`: who generates. Either `host` (one server) or `hosts` (several, each with its own queue)."""

    kind: Literal["ollama", "llamacpp", "openai", "scripted"] = "ollama"
    host: str | None = None
    hosts: Annotated[list[Annotated[HostTable, BeforeValidator(_host_from_text)]], Field(max_length=64)] = []
    timeout: Annotated[float, Field(gt=0)] = 600.0
    host_file: str | None = None
    options: dict[str, Any] = {}

    @model_validator(mode="after")
    def _one_way(self) -> EngineTable:
        if self.hosts and (self.host is not None or self.host_file is not None):
            raise ValueError("has both host and hosts; keep one (a host_file belongs to its entry of hosts)")
        if self.hosts and self.kind == "llamacpp":
            raise ValueError('hosts are for servers; kind = "llamacpp" runs inside this process')
        addresses = [entry.host for entry in self.hosts]
        if len(set(addresses)) < len(addresses) and self.kind != "scripted":
            raise ValueError(f"hosts names an address twice: {', '.join(addresses)}")
        return self

    @property
    def all_hosts(self) -> list[tuple[str | None, str | None]]:
        """(address, host file) of every host; one entry where `hosts` is not used."""
        return [(entry.host, entry.host_file) for entry in self.hosts] or [(self.host, self.host_file)]


class PromptTable(_Table):
    """`[prompts.NAME]`: a user message with `{log}` in it and, optionally, a system message."""

    user: str
    system: str | None = None

    @model_validator(mode="after")
    def _has_mark(self) -> PromptTable:
        if self.user.count(LOG_MARK) + (self.system or "").count(LOG_MARK) != 1:
            raise ValueError(f"must contain {LOG_MARK} exactly once, where the log goes")
        return self

    def fill(self, log: str) -> Prompt:
        """The prompt with the log in its place."""
        return Prompt(
            user=self.user.replace(LOG_MARK, log),
            system=None if self.system is None else self.system.replace(LOG_MARK, log),
        )


def _prompt_from_text(value: object) -> object:
    return {"user": value} if isinstance(value, str) else value


class ObjectiveTable(_Table):
    """`[objective]`: the cases, and how a summary is scored."""

    cases: str
    names: list[str] | None = None
    kind: str = "coverage"
    weights: Any = [5, 4, 3, 2, 1]
    budget_words: Annotated[int, Field(gt=0)] | None = None
    matcher: str | dict[str, Any] = "lexical"
    threshold: Annotated[float, Field(ge=0, le=1)] | None = None


def _auto_or_whole(least: int, most: int | None = None, *, auto: object = "auto") -> BeforeValidator:
    """Take "auto", which is held as `auto`, or a whole number in a range."""
    valid = f'"auto" or a whole number from {least}' + (f" to {most}" if most is not None else "")

    def check(value: object) -> object:
        if value == "auto":
            return auto
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= (most or value):
            raise ValueError(f"must be {valid}, not {value!r}")
        return value

    return BeforeValidator(check)


class SearchTable(_Table):
    """`[search]`: how configurations are proposed.

    `batch` is the number of trials asked at a time. In a `SweepConfig` it is always a number: "auto", the default, is
    resolved as soon as the space is known, and a study keeps the number.
    """

    sampler: Literal["gp", "tpe", "random", "qmc", "grid"] = "gp"
    batch: Annotated[int, _auto_or_whole(1, 64, auto=AUTO)] = AUTO
    probe: bool = True
    strict: bool = False


class BudgetTable(_Table):
    """`[budget]`: how much may be generated, and how it is shared out."""

    generations: Annotated[int, Field(ge=1)] | None = None
    minutes: Annotated[float, Field(gt=0)] | None = None
    floor_seeds: Annotated[int, Field(ge=2, le=1000)] = 4
    seeds: Annotated[Literal["auto"] | int, _auto_or_whole(1, 100)] = "auto"
    cases_per_trial: Annotated[Literal["auto"] | int, _auto_or_whole(1)] = "auto"
    confirm_share: Annotated[float, Field(gt=0, lt=1)] = 0.3

    @model_validator(mode="after")
    def _has_size(self) -> BudgetTable:
        if self.generations is None and self.minutes is None:
            raise ValueError("needs generations or minutes (or both), for example generations = 300")
        return self


class ConfirmTable(_Table):
    """`[confirm]`: how many finalists meet the baseline on fresh seeds, and when that may stop early."""

    finalists: Annotated[int, Field(ge=1, le=20)] = 1
    looks: Annotated[int, Field(ge=1, le=10)] = 2
    futility: Annotated[float, Field(ge=0, lt=0.5)] = 0.1


class VerdictTable(_Table):
    """`[verdict]`: what is claimed, and how sure it must be."""

    claim: Literal["these-cases", "new-cases"] = "these-cases"
    alpha: Annotated[float, Field(gt=0, lt=0.5)] = 0.05
    min_gain: Annotated[float, Field(gt=0, lt=1)] | None = None
    margin: Annotated[float, Field(gt=0, lt=1)] | None = None


class TrackingTable(_Table):
    """`[tracking]`: where runs are logged; MLFLOW_TRACKING_URI wins."""

    uri: str | None = None
    texts: bool = True


class _File(_Table):
    """The whole file; `baseline` and `space` are read by hand, for the sake of their error messages."""

    study: StudyTable
    engine: EngineTable = EngineTable()
    prompts: Annotated[dict[str, Annotated[PromptTable, BeforeValidator(_prompt_from_text)]], Field(min_length=1)]
    objective: ObjectiveTable
    baseline: dict[str, Any]
    space: dict[str, Any]
    search: SearchTable = SearchTable()
    budget: BudgetTable
    confirm: ConfirmTable = ConfirmTable()
    verdict: VerdictTable = VerdictTable()
    constraints: ConstraintsTable = ConstraintsTable()
    tracking: TrackingTable = TrackingTable()


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
    file: _File | None = None
    try:
        file = _File.model_validate(raw)
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
        **{name: getattr(file, name) for name in _File.model_fields if name not in ("baseline", "space")},
    )


def _variables(sources: Mapping[str, str]) -> list[str]:
    return [source[len("environment (") : -1] for source in sources.values() if source.startswith("environment (")]


def _with_seed(file: _File, seed: str) -> tuple[_File, str, list[str]]:
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
    model: type[BaseModel] = _File
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
