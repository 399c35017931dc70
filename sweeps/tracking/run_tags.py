"""What a tracker writes, as pure functions: names, parameters, tags, metrics, the dataset of cases."""

from __future__ import annotations

import json
import math
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import pandas as pd

from analysis.formatting import cases_text
from objectives.case import Case
from sweeps.fingerprints.fingerprint import Fingerprint
from sweeps.tracking.configuration_metrics import summarise
from sweeps.tracking.metric_steps import points_digest

if TYPE_CHECKING:
    from mlflow.entities import Run

ROLE = "slm_sweeps.role"
TRIAL = "trial"
CONFIGURATION = "slm_sweeps.configuration"
POINTS = "slm_sweeps.points"
PARENT = "mlflow.parentRunId"
NOTE = "mlflow.note.content"
VIEW = "mlflow.sharedViewState."
TABLE_FILE = "observations.json"
BASELINE_TRIAL = -1


class ConfigurationLike(Protocol):
    """What a tracker needs of a configuration; `sweeps.options.Configuration` is one."""

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
        """12 hex digits that name the configuration."""


@dataclass
class Child:
    """A child run as the store has it.

    Attributes:
        run_id: Its id.
        trial: Number of the trial; -1 for the baseline.
        configuration: The configuration's key.
        start_time: Milliseconds since 1970.
        name: The run's name.
        status: MLflow's: RUNNING, FINISHED, FAILED, KILLED.
        count: Rows that were logged.
        points: `points_digest` of them; "" before the first.
        means: The metrics whose names begin with `mean`, as they were logged last.
        logged: The rows that were logged, in the order of their steps; None until they are read or written.
    """

    run_id: str
    trial: int
    configuration: str
    start_time: int
    name: str
    status: str = "RUNNING"
    count: int = 0
    points: str = ""
    means: dict[str, float] = field(default_factory=dict)
    logged: pd.DataFrame | None = None

    @classmethod
    def of(cls, run: Run) -> Child:
        """Read a run of the store."""
        tags = run.data.tags
        points = tags.get(POINTS, "")
        count, info = int(points.partition(":")[0] or 0), run.info
        trial, key = int(tags.get(TRIAL, BASELINE_TRIAL)), tags.get(CONFIGURATION, "")
        means = {name: value for name, value in run.data.metrics.items() if name.startswith("mean")}
        return cls(info.run_id, trial, key, info.start_time, info.run_name or "", info.status, count, points, means)

    def begins(self, rows: pd.DataFrame) -> bool:
        """Whether what was logged is still a beginning of these rows."""
        return self.count <= len(rows) and (not self.points or points_digest(rows.head(self.count)) == self.points)


def child_name(trial: int, stages: Sequence[str]) -> str:
    """Name a child run: `baseline`, `trial 07`, and `confirm: trial 07` for a finalist."""
    if trial == BASELINE_TRIAL:
        return "baseline"
    return f"confirm: trial {trial:02d}" if "confirm" in stages else f"trial {trial:02d}"


def parameters(configuration: ConfigurationLike) -> dict[str, str]:
    """Write a configuration as MLflow parameters: model, prompt and every option."""
    named = {"model": configuration.model, "prompt": configuration.prompt}
    return named | {name: str(value) for name, value in configuration.options.items()}


def metrics(
    rows: pd.DataFrame, steps: Iterable[int], start: int, offsets: Mapping[str, float] | None = None
) -> list[tuple[str, float, int, int]]:
    """Metrics of a configuration: its summary at the step of its last row, and the scores at the given steps."""
    last = start + len(rows)
    summary = summarise(rows, offsets)
    found = [(name, value, last, len(rows)) for name, value in summary.items() if math.isfinite(value)]
    for step in steps:
        score = float(rows["score"].iloc[step])
        if math.isfinite(score):
            # made-up stamps, a millisecond apart: the same rows logged again are then the same points
            found.append(("score", score, start + step, step))
    return found


def logged_rows(text: str) -> pd.DataFrame:
    """Read a table of `table_json`.

    Raises:
        ValueError: If it is no such table.
    """
    record = json.loads(text)
    try:
        return pd.DataFrame(record["data"], columns=record["columns"])
    except (KeyError, TypeError) as error:
        raise ValueError(f"not a table of observations: {error}") from None


def table_json(rows: pd.DataFrame) -> str:
    """Write a table as MLflow's own `log_table` does, which cannot replace one."""
    return str(rows.to_json(orient="split", index=False, date_format="iso"))


def child_tags(parent: str, trial: int, configuration: str) -> dict[str, str]:
    """Tags by which a child run is found again, and by which MLflow's UI nests it under its parent."""
    own = {TRIAL: str(trial), CONFIGURATION: configuration, ROLE: "configuration", PARENT: parent}
    return own | source_tags()


def view_state(config: Mapping[str, Any], baseline: ConfigurationLike) -> str:
    """Describe the table of runs that `sweeps ui` opens: scores first, then what was swept, the best on top.

    MLflow's UI reads this from a tag of the experiment when its address has `viewStateShareKey`; without it, it shows
    no metric until columns are chosen by hand.
    """
    space = config.get("space")
    swept = list(space) if isinstance(space, Mapping) and space else list(baseline.options)
    columns = [f"metrics.`{name}`" for name in ("mean", "se", "n", "lv12")]
    columns += [f"params.`{name}`" for name in swept]
    return json.dumps(
        {"selectedColumns": columns, "columnOrder": columns, "orderByKey": "metrics.`mean`", "orderByAsc": False}
    )


def source_tags() -> dict[str, str]:
    """Name the program in MLflow's source column (and not the path of a script, as MLflow does by itself)."""
    return {"mlflow.source.name": "sweeps run", "mlflow.source.type": "LOCAL"}


CHILD_FACTS = (
    *("fingerprint", "host_digest", "model_digest", "host.summary", "host.cpu", "host.gpus", "host.os_version"),
    *("engine.name", "engine.version", "model.name", "model.quantization"),
)
"""Facts that each child run repeats, so that runs of several studies can be told apart; the parent has them all."""


def fingerprint_tags(fingerprints: Sequence[Fingerprint]) -> dict[str, str]:
    """Tags of one host, or what several have in common with all their digests."""
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
    """The configuration's single values by flat names, as `config.budget.generations`; the artifact has everything.

    Args:
        config: Nested tables, or what is flat already (`SweepConfig.identity`).
    """
    tags: dict[str, str] = {}

    def walk(name: str, value: Any) -> None:
        if isinstance(value, Mapping):
            for key, entry in value.items():
                walk(f"{name}.{key}", entry)
        elif isinstance(value, (str, int, float)) and len(str(value)) <= 100:
            tags[name] = str(value)

    tables = ("budget", "engine", "objective", "study")
    walk("config", {key: value for key, value in config.items() if key.partition(".")[0] in tables})
    return tags


def dataset(study: str, cases: Sequence[Case]) -> Any:
    """Describe the case set as an MLflow dataset input: names, digests and numbers of items, no texts."""
    from mlflow.data.code_dataset_source import CodeDatasetSource
    from mlflow.data.pandas_dataset import from_pandas
    from mlflow.entities import DatasetInput, InputTag

    frame = pd.DataFrame(
        {
            "name": [case.name for case in cases],
            "log_sha256": [case.log_sha256 for case in cases],
            "rubric_sha256": [case.rubric_sha256 for case in cases],
            "items": [len(case.items) for case in cases],
        }
    )
    with warnings.catch_warnings():  # of whole numbers that could be missing in a model's input; these cannot
        warnings.simplefilter("ignore")
        # the default source would record the path of the running script
        entity = from_pandas(
            frame, source=CodeDatasetSource(tags={"cases": study}), name=f"{study}: {cases_text(len(cases))}"
        )._to_mlflow_entity()
    return DatasetInput(entity, [InputTag("mlflow.data.context", "evaluation")])


def split_verdict(verdict: Mapping[str, Any]) -> tuple[dict[str, float], dict[str, str]]:
    """Part a verdict into metrics (its finite numbers) and tags (`verdict` is the outcome, then `verdict.…`)."""
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
