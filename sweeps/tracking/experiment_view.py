"""What a study's experiment shows in MLflow's pages, as pure functions.

MLflow's UI keeps columns, pinned runs, groups and charts in the browser. A server can set columns, groups and charts as
named views: a tag of the experiment, which the UI reads when its address names it (`viewStateShareKey`). It cannot pin
runs, so that the baseline has a colour of its own (`run_tags.child_tags`). The page of an experiment has other columns
at first, so the experiment's description links to the views. The description, the primary metric and the columns Run
name, Source and Dataset need no view.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from sweeps.tracking import run_tags
from sweeps.tracking.run_tags import ConfigurationLike

TABLE, CHARTS, STAGES = "scores", "charts", "stages"
"""Names of the views; the table's is also the one that `sweeps ui` opens."""

GLOSSARY = (
    ("mean", "mean score of the cases, 0 to 1; `mean_low` to `mean_high` is its 95% interval for these cases"),
    ("n", "scored answers"),
    ("sd", "noise: the standard deviation of scores of one case, over seeds"),
    ("se", "standard error of the mean, from `sd`"),
    ("lv12", "covered share of the items of levels 1 and 2, the essential ones; `lv1` to `lv5` for each level"),
    ("score", "the score of each answer, a step per answer"),
    ("effect", "mean of the finalist minus mean of the baseline, in the confirmation; `low` to `high` is its interval"),
    ("mde", "smallest true effect that the confirmation finds 8 times in 10"),
    (
        "cut_off_rate",
        "share of answers that num_predict cut off; `repeat_rate`, `empty_rate` and `error_rate` likewise",
    ),
)
"""Names of metrics, with their meaning: MLflow has no descriptions of metrics."""

_SHOWN = (
    "metrics.mean",
    "tags.interval",
    "metrics.n",
    "tags.stage",
    "tags.verdict",
    "metrics.words",
    "metrics.seconds",
)


def glossary() -> str:
    """The names of metrics in Markdown."""
    return "\n".join(f"- `{name}`: {meaning}" for name, meaning in GLOSSARY)


def description(experiment_id: str, sentence: str) -> str:
    """Describe an experiment in Markdown: the verdict, the views, and the names.

    MLflow's list of experiments shows the beginning as plain text.

    Args:
        experiment_id: The experiment.
        sentence: The verdict's sentence, or the state of the sweep.
    """
    page = f"#/experiments/{experiment_id}/runs?workflowType=machine_learning"
    links = (
        f"[scores of all trials]({page}&viewStateShareKey={TABLE})",
        f"[charts]({page}&compareRunsMode=CHART&viewStateShareKey={CHARTS})",
        f"[by stage]({page}&viewStateShareKey={STAGES})",
    )
    return f"{sentence}\n\nOpen: {' · '.join(links)}\n\n{glossary()}\n"


def views(swept: Sequence[str]) -> dict[str, str]:
    """The views as tags of the experiment; `swept` are the names of the searched options."""
    columns = [_column(name) for name in (*_SHOWN, *(f"params.{name}" for name in swept))]
    state: dict[str, Any] = {
        "selectedColumns": columns,
        "columnOrder": columns,
        "orderByKey": "metrics.`mean`",
        "orderByAsc": False,
        "runsHiddenMode": "SHOW_ALL",
    }
    group = {"aggregateFunction": "average", "groupByKeys": [{"mode": "tag", "groupByData": "stage"}]}
    made = {TABLE: state, CHARTS: state | _charts(swept), STAGES: state | {"groupBy": group}}
    return {run_tags.VIEW + name: json.dumps(each) for name, each in made.items()}


def _column(name: str) -> str:
    kind, _, key = name.partition(".")
    return f"{kind}.`{key}`"


def _charts(swept: Sequence[str]) -> dict[str, Any]:
    """The chart view: score by trial, score against tokens and words, and parallel coordinates of the options."""
    section = "sweep"
    own = {"metricSectionId": section, "deleted": False, "isGenerated": False, "runsCountToCompare": 100}
    mean = {"key": "mean", "type": "METRIC"}
    charts: list[dict[str, Any]] = [
        {"type": "BAR", "uuid": "score", "metricKey": "mean", "displayName": "Score by trial", **own},
        {
            "type": "PARALLEL", "uuid": "options", "selectedParams": list(swept), "selectedMetrics": ["mean"],
            "showAllRuns": False, "displayName": "Options and score", **own,
        },
    ]  # fmt: skip
    for uuid, key, title in (("tokens", "output_tokens", "tokens"), ("words", "words", "words")):
        axis = {"key": key, "type": "METRIC"}
        charts.append(
            {"type": "SCATTER", "uuid": uuid, "xaxis": axis, "yaxis": mean, "displayName": f"Score by {title}", **own}
        )
    sections = [{"uuid": section, "name": "Sweep", "display": True, "isReordered": False}]
    return {"compareRunCharts": charts, "compareRunSections": sections}


def primary_metric() -> dict[str, str]:
    """Tags of the experiment that name its main metric."""
    return {
        "mlflow.experiment.primaryMetric.name": "mean",
        "mlflow.experiment.primaryMetric.greaterIsBetter": "true",
    }


def swept_options(config: Mapping[str, Any], baseline: ConfigurationLike) -> list[str]:
    """Names of the searched options; those of the baseline where nothing is searched."""
    space = config.get("space")
    return list(space) if isinstance(space, Mapping) and space else list(baseline.options)
