"""The configuration of a sweep: its tables, checked together."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from objectives.case_files import shipped_sets
from sweeps.addresses import without_password
from sweeps.config.baseline import NOT_SENT, OPEN, SEED_VARIABLE, parse_baseline
from sweeps.config.batch import AUTO, automatic_batch
from sweeps.config.candidates import Candidate, FirstSet, equal_candidates, parse_candidates, values_compared
from sweeps.config.mappings import merged, text_without_passwords, toml_text, without_passwords
from sweeps.config.messages import error_text
from sweeps.config.names import name_problems
from sweeps.config.space import Space, Value, configuration_from, params
from sweeps.config.space_table import parse_space
from sweeps.config.tables import (
    BudgetTable,
    ConfirmTable,
    ConstraintsTable,
    EngineTable,
    ObjectiveTable,
    PromptTable,
    SearchTable,
    StorageTable,
    StudyTable,
    SweepFile,
    TrackingTable,
    VerdictTable,
)
from sweeps.errors import ConfigError
from sweeps.options import OPTIONS, Configuration


@dataclass(frozen=True)
class SweepConfig:
    """A valid sweep.

    Attributes:
        path: The file it came from, or None.
        text: The file's text, or the same sweep as TOML if there is no file.
        study, engine, prompts, objective, search, budget, confirm, verdict, constraints, tracking, storage: The tables
            of the file.
        baseline: The configuration in use today. Values whose source is open are stand-ins.
        sources: The source of each value of the baseline, and of a seed that the file does not name: `file`,
            `environment (OLLAMA_...)` or, while open, `default`. `sweeps.config.resolved_baseline` settles the open
            ones: `model`, `server default (...)`, `ours` or `not sent`.
        space: The options to search, with their ranges; of a comparison the values that are compared.
        candidates: Named sets to compare with the baseline, or to try first in a search.
        first_sets: Sets that a search tries after the candidates; known when model and ledger have been asked.
        is_comparison: Whether baseline and candidates are compared without a search (`as_comparison`).
        environment: The variables that were used.
        base: The folder that relative paths start from, where there is no file.
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
    storage: StorageTable = field(default_factory=StorageTable)
    environment: Mapping[str, str] = field(default_factory=dict)
    base: Path | None = None
    candidates: tuple[Candidate, ...] = ()
    first_sets: tuple[FirstSet, ...] = ()
    is_comparison: bool = False

    @classmethod
    def from_text(
        cls,
        text: str,
        path: Path | None = None,
        *,
        base: Path | None = None,
        environment: Mapping[str, str] | None = None,
        place: str = "",
        stored: bool = False,
    ) -> SweepConfig:
        """Check a sweep's TOML text.

        Args:
            text: The text.
            path: The file, for errors and as the start of relative paths.
            base: The folder that relative paths start from, where there is no file.
            environment: Variables such as `OLLAMA_TEMPERATURE` and `OLLAMA_SEED`; none by default.
            place: The text's name in errors, where there is no file.
            stored: Whether the text is a stored study's: names that are refused today stay readable.

        Raises:
            ConfigError: With all problems at once.
        """
        where = place or str(path or "<text>")
        environment = {} if environment is None else environment
        try:
            text.encode()  # texts from Python may hold half a character, which no file can
            raw = tomllib.loads(text)
        except UnicodeEncodeError as error:
            lost = text[error.start : error.end]
            raise ConfigError(f"{where}: the character {lost!r} is half of one; remove it from the text") from None
        except (ValueError, RecursionError) as error:  # tomllib's own error is a ValueError
            raise ConfigError(f"{where}: is not valid TOML: {error}") from None
        if "items" in raw and "study" not in raw:
            raise ConfigError(f"{where}: is the rubric of a case; name the file of a sweep, which has [study]")
        file, problems = _validated(raw)
        prompts = list(raw["prompts"]) if isinstance(raw.get("prompts"), dict) else []
        problems += [] if stored else name_problems(raw, environment)
        values, sources, wrong = parse_baseline(raw.get("baseline"), prompts, environment)
        problems += wrong
        if file is not None and "seed" not in raw["study"] and (seed := environment.get(SEED_VARIABLE)) is not None:
            file, sources["seed"], wrong = _with_seed(file, seed)
            problems += wrong
        space = Space(())
        if isinstance(raw.get("space"), dict):
            space, wrong = parse_space(raw["space"], prompts=prompts, baseline=values)
            problems += wrong
        candidates, wrong = parse_candidates(raw.get("candidates", {}), prompts=prompts)
        problems += wrong
        if "space" not in raw and "candidates" not in raw:
            problems.append("space: is missing (the table [space] is needed, or [candidates] for a comparison)")
        if candidates and not problems:
            named = {name: value for name, value in values.items() if sources.get(name) != OPEN}
            problems += equal_candidates(candidates, configuration_from(named))
        if problems or file is None:
            raise ConfigError([f"{where}: {problem}" for problem in problems])
        if file.search.batch == AUTO:
            file = file.model_copy(update={"search": file.search.model_copy(update={"batch": automatic_batch(space)})})
        return cls(
            path=path,
            text=text,
            base=base,
            baseline=configuration_from(values),
            sources=sources,
            space=space,
            candidates=candidates,
            environment={name: environment[name] for name in _variables(sources)},
            **{name: getattr(file, name) for name in SweepFile.model_fields if name not in _PARSED},
        )

    @classmethod
    def from_dict(cls, tables: Mapping[str, Any], *, base: str | Path = ".") -> SweepConfig:
        """Check a sweep that is given as a mapping, with the same tables and keys as the TOML file.

        Values that it does not name come from the environment and the defaults, as with a file. `text` is the sweep as
        TOML: written to a file in `base`, it runs on the command line.

        Args:
            tables: The tables, such as `{"study": {"name": "first"}, ...}`.
            base: The folder that relative paths start from.

        Raises:
            ConfigError: With all problems at once.
        """
        return cls.from_text(
            toml_text(tables), base=Path(base), environment=os.environ, place="the sweep given as a mapping"
        )

    def with_(self, **changes: Mapping[str, Any] | None) -> SweepConfig:
        """Return a changed copy, checked as a file is: `config.with_(study={"name": "second"})`.

        Values that came from the environment stay. Relative paths start from the same folder as before. Comments of
        the file are not part of the copy's `text`.

        Args:
            changes: Keys to set, by table; the other keys of the table stay. A key or a table that is None is removed,
                and has its default.

        Raises:
            ConfigError: With all problems at once.
        """
        text = toml_text(merged(tomllib.loads(self.text), changes))
        return self.from_text(text, base=self.directory, environment=self.environment, place="the changed sweep")

    def as_comparison(self) -> SweepConfig:
        """Return the comparison of the baseline with the candidates; its space has the values that are compared.

        Raises:
            ConfigError: If the sweep has no candidates.
        """
        if not self.candidates:
            raise ConfigError(
                f"{self.path or '<text>'}: candidates: is missing, so there is nothing to compare with the baseline;"
                " name a set, such as [candidates.cool] with temperature = 0.3, or search [space] with: sweeps run"
            )
        return replace(self, space=values_compared(self.candidates, self.baseline), is_comparison=True)

    def candidate_names(self) -> dict[str, str]:
        """Return the names of candidates and first sets by the keys of their configurations."""
        named = (*self.first_sets, *self.candidates)  # of two that are equal the candidate's name counts
        space = None if self.is_comparison else self.space
        return {each.configuration(self.baseline, space).key: each.name for each in named}

    def origins(self) -> dict[str, str]:
        """Return the sources of the first sets' values by the keys of their configurations."""
        return {each.configuration(self.baseline, self.space).key: each.origin for each in self.first_sets}

    @property
    def stored_text(self) -> str:
        """The text without the passwords of servers, to be stored; a password that is a variable's name stays."""
        return text_without_passwords(self.text)

    @property
    def open_options(self) -> list[str]:
        """Options that neither file nor environment names, as long as nothing else has settled them."""
        return [name for name in OPTIONS if self.sources.get(name, OPEN) == OPEN]

    @property
    def baseline_sources(self) -> dict[str, str]:
        """The source of each option of the baseline that has a value."""
        return {name: self.sources[name] for name in self.baseline.options if name in self.sources}

    def with_baseline(self, values: Mapping[str, Value], sources: Mapping[str, str]) -> SweepConfig:
        """Return a copy with settled options of the baseline.

        Args:
            values: Values of open options.
            sources: The source of each option's value, `NOT_SENT` for an option without one; others stay open.
        """
        known = {**self.baseline.values, **values}
        kept = {name: value for name, value in known.items() if sources.get(name) != NOT_SENT}
        settled = replace(self, baseline=configuration_from(kept), sources={**self.sources, **sources})
        return settled.as_comparison() if self.is_comparison else settled

    @property
    def directory(self) -> Path:
        """The folder that relative paths start from."""
        return self.path.parent if self.path else self.base or Path()

    @property
    def cases_path(self) -> str:
        """The cases as a path from here, or the name of a shipped set; by default a path beside the file."""
        beside, given = self.directory / self.objective.cases, self.objective.cases
        return given if not beside.exists() and (given in shipped_sets() or Path(given).exists()) else str(beside)

    def _engine_identity(self) -> dict[str, Any]:
        hosts = [without_password(entry.host) for entry in self.engine.hosts]
        return {"kind": self.engine.kind, "options": self.engine.options} | ({"hosts": hosts} if hosts else {})

    def identity(self) -> dict[str, Any]:
        """Return everything that a result depends on, as JSON types; a study goes on only under the same identity."""
        return {
            "study.seed": self.study.seed,
            **_flat("engine", self._engine_identity()),
            **{f"prompts.{name}": prompt.model_dump() for name, prompt in self.prompts.items()},
            **without_passwords(_flat("objective", self.objective.model_dump(exclude=_NOT_SCORING))),
            **_flat("baseline", params(self.baseline.values)),
            **_flat("candidates", {each.name: params(each.values) for each in self.candidates}),
            **(_flat("study", {"kind": "comparison"}) if self.is_comparison else self._search_identity()),
            **_flat("budget", self.budget.model_dump(exclude=_OF_SEARCHES if self.is_comparison else None)),
            **_flat("confirm", self.confirm.model_dump(exclude=_OF_FINALISTS if self.is_comparison else None)),
            **_flat("verdict", self.verdict.identity()),
            **_flat("constraints", self.constraints.identity()),
        }

    def _search_identity(self) -> dict[str, Any]:
        return {
            **{f"space.{dimension.name}": dimension.text() for dimension in self.space},
            **_flat("search", self.search.model_dump(exclude={"probe", "strict"})),
        }


_NOT_SCORING = {"cases", "names", "allow_outside_logs"}
"""Keys of [objective] that say where cases are; their contents have digests of their own."""

_PARSED = ("baseline", "space", "candidates")
"""Tables with parsers of their own."""

_OF_SEARCHES = {"seeds", "cases_per_trial", "confirm_share"}
"""Keys of `[budget]` that a comparison does not use."""

_OF_FINALISTS = {"finalists", "runoff"}
"""Those of `[confirm]`: all candidates are compared."""


def _flat(prefix: str, table: Mapping[str, Any]) -> dict[str, Any]:
    return {f"{prefix}.{key}": value for key, value in table.items()}


def _validated(raw: Mapping[str, Any]) -> tuple[SweepFile | None, list[str]]:
    """Return the file's tables, None if they are not valid, and their problems."""
    try:
        return SweepFile.model_validate(raw), []
    except ValidationError as error:
        return None, [error_text(details) for details in error.errors(include_url=False)]


def _variables(sources: Mapping[str, str]) -> list[str]:
    return [source[len("environment (") : -1] for source in sources.values() if source.startswith("environment (")]


def _with_seed(file: SweepFile, seed: str) -> tuple[SweepFile, str, list[str]]:
    """Return the file's tables with the study's seed from the environment, its source, and problems."""
    try:
        study = StudyTable.model_validate({**file.study.model_dump(), "seed": int(seed)})
    except ValueError:  # pydantic's errors are ValueErrors, too
        return file, OPEN, [f"{SEED_VARIABLE}: {seed!r} is not a whole number from 0 to 1000000000"]
    return file.model_copy(update={"study": study}), f"environment ({SEED_VARIABLE})", []
