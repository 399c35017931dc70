"""The configuration of a sweep."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sweeps.config.space import Space
from sweeps.config.tables import (
    BudgetTable,
    ConfirmTable,
    ConstraintsTable,
    EngineTable,
    ObjectiveTable,
    PromptTable,
    SearchTable,
    StudyTable,
    TrackingTable,
    VerdictTable,
)
from sweeps.options import Configuration


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
