"""Existing summaries, scored side by side: one folder per machine, with no claim beyond the noise."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean
from typing import Any

from markupsafe import escape

from objectives.case import LEVELS, Case
from objectives.case_files import CaseError, Problem
from objectives.compare.summaries import Summary, _case_and_run, read_summaries
from objectives.compare.templates import render
from objectives.coverage import CoverageObjective, Score


@dataclass(frozen=True)
class Run:
    """A scored summary."""

    summary: Summary
    score: Score


@dataclass(frozen=True)
class CaseResult:
    """All runs of one case in one folder; at least one."""

    case: Case
    runs: tuple[Run, ...]

    @property
    def mean(self) -> float:
        """Mean score of the runs."""
        return fmean(run.score.score for run in self.runs)

    @property
    def sd(self) -> float | None:
        """Standard deviation of the runs' scores (n - 1); None for one run."""
        return _sd([run.score.score for run in self.runs])

    def covered(self, levels: Sequence[int] = LEVELS) -> tuple[float, int]:
        """Return the mean number of covered items on these levels, and the number of items."""
        pairs = [[run.score.levels.get(level, (0, 0)) for level in levels] for run in self.runs]
        return fmean(sum(pair[0] for pair in each) for each in pairs), sum(pair[1] for pair in pairs[0])

    def text(self, *levels: int) -> str:
        """Write the coverage on these levels as ``3/5``, or ``2.7/5`` as the mean of several runs."""
        return fraction(self.covered(levels))

    def missed_by(self, item: str) -> int:
        """Return the number of runs that miss an item (or contain it, if it is forbidden)."""
        return sum(item in run.score.missed or item in run.score.forbidden for run in self.runs)


@dataclass(frozen=True)
class Machine:
    """One folder of summaries.

    Attributes:
        name: Short name for tables, unique among the folders.
        path: The folder.
        results: The results by case name, for the cases that have summaries.
        missing: Cases without a summary.
        empty: Files without text; they count as summaries that cover nothing.
        unknown: Files that belong to no case.
        thinking: Files whose reasoning was cut off before scoring.
    """

    name: str
    path: Path
    results: Mapping[str, CaseResult]
    missing: tuple[str, ...] = ()
    empty: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    thinking: tuple[str, ...] = ()

    def mean(self, names: Sequence[str]) -> float:
        """Return the mean of the case means over these cases."""
        return fmean(self.results[name].mean for name in names)

    def text(self, names: Sequence[str], *levels: int) -> str:
        """Write the coverage of these levels summed over these cases, as ``14/22``."""
        pairs = [self.results[name].covered(levels) for name in names]
        return fraction((sum(pair[0] for pair in pairs), sum(pair[1] for pair in pairs)))

    @property
    def summaries(self) -> int:
        """Number of summaries of all cases."""
        return sum(len(result.runs) for result in self.results.values())

    @property
    def repeats(self) -> int:
        """Largest number of runs of a case."""
        return max((len(result.runs) for result in self.results.values()), default=0)

    @property
    def noise(self) -> tuple[float, int] | None:
        """Pooled within-case standard deviation of the score and its degrees of freedom; None without repeats."""
        groups = [[run.score.score for run in result.runs] for result in self.results.values()]
        freedom = sum(len(group) - 1 for group in groups)
        if freedom < 1:
            return None
        return math.sqrt(sum((x - fmean(group)) ** 2 for group in groups for x in group) / freedom), freedom

    def standard_error(self, names: Sequence[str]) -> float | None:
        """Return the standard error of `mean` over the same cases, from the pooled noise; None without repeats."""
        if self.noise is None:
            return None
        return self.noise[0] * math.sqrt(sum(1 / len(self.results[name].runs) for name in names)) / len(names)


@dataclass(frozen=True)
class Comparison:
    """Folders of summaries, scored on the same cases.

    Attributes:
        cases: The cases.
        machines: One per folder, in the order given.
        weights: Weights of the levels.
        budget_words: Number of words scored of each summary, or None for all.
        objective: Digest of the objective's settings.
        shared: Names of the cases that every folder has; means are over these, so that they can be compared.
    """

    cases: tuple[Case, ...]
    machines: tuple[Machine, ...]
    weights: Mapping[int, float]
    budget_words: int | None
    objective: str
    shared: tuple[str, ...] = field(default=())

    def _repr_html_(self) -> str:
        return render("comparison_folders", comparison=self, levels=LEVELS) + f"<p>{escape(self.caution())}</p>"

    def caution(self) -> str:
        """Return the caution about differences, in words; "" for a single folder with repeats."""
        several = len(self.machines) > 1
        bare = [machine.name for machine in self.machines if machine.noise is None]
        if bare:
            who = "no folder has a" if len(bare) == len(self.machines) else f"{', '.join(bare)}: no"
            difference = "a difference between folders" if several else "a difference from another summary"
            return (
                f"Noise unknown: {who} case with more than one run, and the same model with the same options gives "
                f"different summaries when run again. So {difference} says nothing yet. "
                "Add repeats as NAME.1.txt, NAME.2.txt, ..."
            )
        still = [machine.name for machine in self.machines if machine.noise and machine.noise[0] == 0]
        if still:
            return (
                f"The runs of {', '.join(still)} all score the same: with temperature 0 or a fixed seed, repeats are "
                "copies and say nothing about noise."
            )
        if several:
            return (
                "± is the standard error over these cases and runs. Noise alone often gives differences of up to about "
                "3 standard errors: test them with `sweeps judge`."
            )
        return ""


def fraction(pair: tuple[float, int]) -> str:
    """Write ``3/5``, or ``2.7/5`` for a mean."""
    covered = f"{pair[0]:.0f}" if abs(pair[0] - round(pair[0])) < 1e-9 else f"{pair[0]:.1f}"
    return f"{covered}/{pair[1]}"


def _sd(values: Sequence[float]) -> float | None:
    if len(values) < 2:
        return None
    mean = fmean(values)
    return math.sqrt(sum((value - mean) ** 2 for value in values) / (len(values) - 1))


def compare_folders(
    cases: Sequence[Case],
    folders: Sequence[Path],
    objective: CoverageObjective | None = None,
    *,
    ignore: Sequence[str] = (),
    reasoning: str = "cut",
) -> Comparison:
    """Score folders of summaries on the same cases.

    Args:
        cases: The cases, with distinct names.
        folders: One per machine or pipeline; at least one.
        objective: The objective; by default coverage with its defaults.
        ignore: Names of further cases; their summaries are skipped and not reported as unknown.
        reasoning: "cut" scores each text without a model's reasoning in it, "keep" scores the whole text.

    Raises:
        CaseError: With the problems of all folders at once.
    """
    objective = objective or CoverageObjective()
    names = [case.name for case in cases]
    problems: list[Problem] = []
    machines = []
    for label, folder in zip(_labels(folders), folders, strict=True):
        try:
            summaries, unknown = read_summaries(folder, names, reasoning=reasoning)
        except CaseError as error:
            problems += error.problems
            continue
        results = {
            case.name: CaseResult(
                case, tuple(Run(s, objective.score(case, s.text)) for s in summaries if s.case == case.name)
            )
            for case in cases
            if any(summary.case == case.name for summary in summaries)
        }
        missing = tuple(name for name in names if name not in results)
        unknown = [name for name in unknown if _case_and_run(Path(name), ignore) is None]
        empty = tuple(summary.path.name for summary in summaries if not summary.text.strip())
        thinking = tuple(summary.path.name for summary in summaries if summary.thought)
        machines.append(Machine(label, folder, results, missing, empty, tuple(unknown), thinking))
    if problems:
        raise CaseError(problems)
    shared = tuple(name for name in names if all(name in machine.results for machine in machines))
    return Comparison(
        tuple(cases), tuple(machines), objective.weights, objective.budget_words, objective.digest, shared
    )


def _labels(folders: Sequence[Path]) -> list[str]:
    """Return the shortest unique ends of the paths, numbered if a folder is given twice."""
    parts = [folder.resolve().parts for folder in folders]
    labels = []
    for index, own in enumerate(parts):
        others = [other for position, other in enumerate(parts) if position != index and other != own]
        depth = next((d for d in range(1, len(own)) if all(own[-d:] != other[-d:] for other in others)), len(own))
        label = "/".join(own[-depth:])
        twins = [position for position, other in enumerate(parts) if other == own]
        labels.append(label if len(twins) == 1 else f"{label} ({twins.index(index) + 1})")
    return labels


def records(comparison: Comparison) -> list[dict[str, Any]]:
    """Return one flat record per scored summary, for CSV and for `sweeps judge`.

    Counts have columns of their own: a spreadsheet would read 3/5 as a date.
    """
    rows = []
    for machine in comparison.machines:
        for result in machine.results.values():
            for seed, run in enumerate(result.runs):
                row: dict[str, Any] = {
                    "configuration": machine.name,
                    "case": result.case.name,
                    "seed": seed,
                    "run": run.summary.run,
                    "score": round(run.score.score, 6),
                }
                pairs = {"lv1_2": run.score.lv12} | {f"lv{n}": run.score.levels.get(n, (0, 0)) for n in LEVELS}
                for name, (covered, total) in pairs.items():
                    row |= {f"{name}_covered": covered, f"{name}_total": total}
                row |= {
                    "words": run.score.words,
                    "missed": " ".join(run.score.missed),
                    "forbidden": " ".join(run.score.forbidden),
                    "file": str(run.summary.path),
                }
                rows.append(row)
    return rows


def item_records(comparison: Comparison) -> list[dict[str, Any]]:
    """Return one flat record per item of each summary of all folders.

    Returns:
        Keys `case`, `answer` (the text), `item` (its id), `forbidden`, and `said`: whether the text says the item.
    """
    forbidden = {case.name: {item.id for item in case.items if item.forbidden} for case in comparison.cases}
    return [
        {
            "case": name,
            "answer": run.summary.text,
            "item": match.item,
            "forbidden": match.item in forbidden[name],
            "said": match.covered,
        }
        for machine in comparison.machines
        for name, result in machine.results.items()
        for run in result.runs
        for match in run.score.matches
    ]


def as_dict(comparison: Comparison, notes: Sequence[str] = ()) -> dict[str, Any]:
    """Return the comparison, and notes on its rubrics, as JSON types."""
    return {
        "cases": [case.name for case in comparison.cases],
        "shared_cases": list(comparison.shared),
        "weights": {str(level): weight for level, weight in comparison.weights.items()},
        "budget_words": comparison.budget_words,
        "objective": comparison.objective,
        "caution": comparison.caution(),
        "notes": list(notes),
        "folders": [_machine_dict(machine, comparison.shared) for machine in comparison.machines],
    }


def _machine_dict(machine: Machine, shared: Sequence[str]) -> dict[str, Any]:
    noise = machine.noise
    return {
        "folder": machine.name,
        "path": str(machine.path),
        "score": machine.mean(shared) if shared else None,
        "standard_error": machine.standard_error(shared) if shared else None,
        "noise_sd": noise[0] if noise else None,
        "noise_dof": noise[1] if noise else 0,
        "lv1_2": machine.text(shared, 1, 2) if shared else None,
        "levels": {str(level): machine.text(shared, level) for level in LEVELS} if shared else {},
        "missing": list(machine.missing),
        "empty": list(machine.empty),
        "reasoning_cut": list(machine.thinking),
        "unknown": list(machine.unknown),
        "cases": [_case_dict(result) for result in machine.results.values()],
    }


def _case_dict(result: CaseResult) -> dict[str, Any]:
    return {
        "case": result.case.name,
        "score": result.mean,
        "sd": result.sd,
        "lv1_2": result.text(1, 2),
        "levels": {str(level): result.text(level) for level in LEVELS},
        "runs": [
            {
                "run": run.summary.run,
                "file": str(run.summary.path),
                "score": run.score.score,
                "levels": {str(level): run.score.level_text(level) for level in LEVELS},
                "words": run.score.words,
                "covered": list(run.score.covered),
                "missed": list(run.score.missed),
                "forbidden": list(run.score.forbidden),
                "side": run.score.side,
                "items": [
                    {
                        "item": match.item,
                        "covered": match.covered,
                        "probability": match.probability,
                        "span": match.span,
                        "missing": list(match.missing),
                        "why": match.why,
                        "matcher": match.matcher,
                    }
                    for match in run.score.matches
                ],
            }
            for run in result.runs
        ],
    }
