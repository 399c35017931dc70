"""Names, parameters and tags of MLflow runs, as pure functions of a sweep."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

from analysis.formatting import option_text
from sweeps.fingerprints.fingerprint import Fingerprint
from sweeps.scoring.rows import BASELINE_TRIAL

ROLE = "slm_sweeps.role"
TRIAL = "trial"
CONFIGURATION = "slm_sweeps.configuration"
POINTS = "slm_sweeps.points"
TRACES = "slm_sweeps.traces"
PARENT = "mlflow.parentRunId"
NOTE = "mlflow.note.content"
VIEW = "mlflow.sharedViewState."


class ConfigurationLike(Protocol):
    """Attributes of a configuration that a tracker reads; `sweeps.options.Configuration` has them."""

    @property
    def model(self) -> str:
        """The model's name."""

    @property
    def prompt(self) -> str:
        """The prompt's name."""

    @property
    def options(self) -> Mapping[str, int | float]:
        """Options by Ollama's names."""

    @property
    def key(self) -> str:
        """Name of the configuration, 12 hex digits."""


def child_name(trial: int, stages: Sequence[str], candidate: str = "") -> str:
    """Name a child run: `baseline`, `trial 07`, and `confirm: trial 07` for a finalist.

    A candidate of a comparison has its own name, one of a search is `trial 00 (short)`.
    """
    if trial == BASELINE_TRIAL:
        return "baseline"
    if candidate and list(stages) == ["confirm"]:
        return candidate
    name = f"trial {trial:02d}" + (f" ({candidate})" if candidate else "")
    return f"confirm: {name}" if "confirm" in stages else name


def parameters(configuration: ConfigurationLike) -> dict[str, str]:
    """Write a configuration as MLflow parameters: model, prompt and every option."""
    named = {"model": configuration.model, "prompt": configuration.prompt}
    return named | {name: option_text(value) for name, value in configuration.options.items()}


def child_tags(parent: str, trial: int, configuration: str) -> dict[str, str]:
    """Tags that identify a child run, and by which MLflow's UI shows it below its parent, opened.

    The baseline is black in tables and charts.
    """
    own = {TRIAL: str(trial), CONFIGURATION: configuration, ROLE: "configuration", PARENT: parent}
    own["mlflow.runType"] = "evaluation"  # MLflow's UI opens a run that has runs of this type below it
    if trial == BASELINE_TRIAL:
        own["mlflow.runColor"] = "#000000"
    return own | source_tags()


def interval(metrics: Iterable[tuple[str, float, int, int]]) -> str:
    """The mean with its interval for people, from points of metrics: `0.512 (0.440 to 0.584)`; "" without a mean."""
    values = {name: value for name, value, *_ in metrics}
    if "mean" not in values:
        return ""
    if "mean_low" not in values:
        return f"{values['mean']:.3f}"
    return f"{values['mean']:.3f} ({values['mean_low']:.3f} to {values['mean_high']:.3f})"


def source(metrics: Iterable[tuple[str, float, int, int]], stages: str) -> dict[str, str]:
    """The tag of MLflow's column Source, with what a person compares: that column is shown without any setting.

    MLflow's table has no columns of metrics at first, and a server cannot change that.

    Args:
        metrics: Points of metrics.
        stages: The stages that the run has rows of.
    """
    points = list(metrics)
    values = {name: value for name, value, *_ in points}
    parts = [interval(points) or "no score", f"n {values.get('n', 0):.0f}", stages]
    parts += [f"{values['words']:.0f} words"] if "words" in values else []
    parts += [f"{values['seconds']:.1f} s"] if "seconds" in values else []
    return {"mlflow.source.name": " · ".join(parts)}


def source_tags() -> dict[str, str]:
    """Tags that name the program in MLflow's source column, where MLflow would put the path of a script."""
    return {"mlflow.source.name": "sweeps run", "mlflow.source.type": "LOCAL"}


CHILD_FACTS = (
    *("fingerprint", "host_digest", "model_digest", "host.summary", "host.cpu", "host.gpus", "host.os_version"),
    *("engine.name", "engine.version", "model.name", "model.quantization"),
)
"""Facts of the parent that each child run repeats, so that runs of several studies can be distinguished."""


def fingerprint_tags(fingerprints: Sequence[Fingerprint]) -> dict[str, str]:
    """Tags of one host; of several hosts the tags that they share, with all their digests."""
    if not fingerprints:
        return {}
    every = [fingerprint.as_tags() for fingerprint in fingerprints]
    tags = {name: value for name, value in every[0].items() if all(other.get(name) == value for other in every)}
    if len(every) > 1:
        for name in ("fingerprint", "host_digest"):
            tags[name] = " ".join(dict.fromkeys(entry[name] for entry in every))
    tags["host"] = " ".join(dict.fromkeys(fingerprint.digest for fingerprint in fingerprints))
    return tags | {"host.summary": " | ".join(dict.fromkeys(fingerprint.summary for fingerprint in fingerprints))}


def config_tags(config: Mapping[str, Any]) -> dict[str, str]:
    """Tags of the configuration's single values by flat names, as `config.budget.generations`.

    Args:
        config: Nested tables, or flat names (`SweepConfig.identity`).
    """
    tags: dict[str, str] = {}

    def walk(name: str, value: Any) -> None:
        if isinstance(value, Mapping):
            for key, entry in value.items():
                walk(f"{name}.{key}", entry)
        elif isinstance(value, (str, int, float)) and len(str(value)) <= 100:
            tags[name] = str(value)

    tables = ("baseline_source", "budget", "engine", "objective", "study")
    walk("config", {key: value for key, value in config.items() if key.partition(".")[0] in tables})
    return tags


def split_verdict(verdict: Mapping[str, Any]) -> tuple[dict[str, float], dict[str, str]]:
    """Split a verdict into metrics (its finite numbers) and tags (`verdict` for the outcome, then `verdict.…`)."""
    numbers: dict[str, float] = {}
    words: dict[str, str] = {}
    for name, value in verdict.items():
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            if math.isfinite(value):
                numbers[name] = float(value)
        elif value not in (None, "", [], (), {}):
            text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
            words["verdict" if name == "outcome" else f"verdict.{name}"] = text
    return numbers, words
