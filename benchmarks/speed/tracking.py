"""Processor time of logging a configuration to MLflow: this package, and MLflow's own calls for the same.

    python -m benchmarks.speed.tracking [--quick] [--json]

Each side logs the same configurations to one local store: parameters, the means, a score per observation, tags, and the
table of observations with their texts. `ours` is `Tracker.log_configuration`. `plain` is what MLflow's
documentation shows for the same: `start_run`, `log_params`, `log_metrics` for the means, `log_batch` for the scores,
`set_tags` and `log_table`; `loop` writes the scores with a call of `log_metric` each. The sides take turns, so that
other work on the machine slows all. A figure is the processor time of a configuration in milliseconds: the least of all
configurations, since other work only adds to it, and the median. Targets: the least of `ours` at most 60 ms with 100
observations, and `ratio` (medians of `plain` over `ours`) at least 1.5.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks import command
from sweeps.options import Configuration
from sweeps.tracking import run_tags
from sweeps.tracking.configuration_metrics import summarise
from sweeps.tracking.metric_steps import ordered
from sweeps.tracking.mlflow_tracker import Tracker
from sweeps.tracking.observations_table import readable_table
from sweeps.workspace.workspace import Workspace

OPTIONS = ("temperature", "top_k", "top_p", "min_p", "repeat_penalty", "num_ctx", "num_predict")
LOOPED = 2
"""Configurations whose scores are also written by a call each, which is slow."""


def configuration(number: int) -> Configuration:
    """A configuration whose options differ from those of the others."""
    return Configuration("model:1b", "brief", {name: number + place for place, name in enumerate(OPTIONS)})


def observations(number: int, count: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Rows of a configuration as a sweep makes them, and their texts of about 100 words."""
    rng = np.random.default_rng(number)
    score = rng.uniform(size=count)
    own = configuration(number)
    rows = pd.DataFrame(
        {
            "study": "speed", "configuration": own.key, "trial": number, "stage": "explore", "host": "0" * 16,
            "case": [f"case {place % 10}" for place in range(count)], "seed": np.arange(count) // 10 + 1, "repeat": 0,
            "score": score, "covered": (score * 10).astype(int), "items": 10, "forbidden": 0,
            **{f"lv{level}": [f"{value}/2" for value in rng.integers(0, 3, count)] for level in (1, 2, 3, 4, 5)},
            "lv12": [f"{value}/4" for value in rng.integers(0, 5, count)], "words": rng.integers(80, 120, count),
            "prompt_tokens": 400, "output_tokens": rng.integers(120, 180, count), "seconds": rng.uniform(1, 2, count),
            "finish": "stop", "truncated": False, "error": "",
            "text_sha256": [f"{place:064x}" for place in range(count)],
            "model": own.model, "prompt": own.prompt, **own.options,
        }
    )  # fmt: skip
    texts = rows[["configuration", "stage", "case", "seed", "repeat", "host"]].copy()
    texts["text"] = [" ".join(f"word{place * 7 % 97}" for place in range(100)) + f" {each}" for each in range(count)]
    texts["covered"] = [["a", "b", "c"]] * count
    texts["missed"] = [["d", "e"]] * count
    return rows, texts


class Plain:
    """The same by MLflow's own calls, as its documentation shows them.

    Args:
        uri: The store.
        looped: Whether each score is written by a call of its own.
    """

    def __init__(self, uri: str, *, looped: bool) -> None:
        import mlflow

        self._looped = looped
        mlflow.set_tracking_uri(uri)
        mlflow.set_experiment("looped" if looped else "plain")
        self._parent = mlflow.start_run(run_name="sweep").info.run_id

    def log(self, number: int, rows: pd.DataFrame, texts: pd.DataFrame) -> None:
        """Log a configuration."""
        import mlflow
        from mlflow.entities import Metric

        rows = ordered(rows)
        now = int(time.time() * 1000)
        with mlflow.start_run(run_name=f"trial {number:02d}", nested=True, parent_run_id=self._parent) as run:
            mlflow.log_params(run_tags.parameters(configuration(number)))
            mlflow.log_metrics(summarise(rows))
            scores = [float(score) for score in rows["score"]]
            if self._looped:
                for step, score in enumerate(scores):
                    mlflow.log_metric("score", score, step=step)
            else:
                points = [Metric("score", score, now, step) for step, score in enumerate(scores)]
                mlflow.MlflowClient().log_batch(run.info.run_id, metrics=points)
            mlflow.set_tags({"stage": "explore", "host": str(rows["host"].iloc[0]), "trial": str(number)})
            mlflow.log_table(readable_table(rows, texts), "observations.json")

    def close(self) -> None:
        """End the parent run."""
        import mlflow

        mlflow.end_run()


@contextmanager
def own_settings() -> Iterator[None]:
    """Undo what MLflow's fluent calls leave in the process: the store and the experiment, in variables too."""
    names = ("MLFLOW_TRACKING_URI", "MLFLOW_EXPERIMENT_ID")
    before = {name: os.environ.pop(name, None) for name in names}
    try:
        yield
    finally:
        import mlflow

        mlflow.set_tracking_uri(None)
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value


def measure(*, configurations: int, count: int) -> dict[str, Any]:
    """Log configurations with both sides in turns, and return the figures."""
    taken: dict[str, list[float]] = {"ours": [], "plain": [], "loop": []}
    with tempfile.TemporaryDirectory() as folder, own_settings():
        workspace = Workspace(Path(folder))
        tracker = Tracker("speed", workspace, workspace.runs_url)
        tracker.start({"study": {"name": "speed"}}, "", [], [], configuration(0))

        def ours(number: int, rows: pd.DataFrame, texts: pd.DataFrame) -> None:
            tracker.log_configuration(number, configuration(number), rows, texts)

        def timed(side: str, step: Callable[[int, pd.DataFrame, pd.DataFrame], None], number: int) -> None:
            made = observations(number, count)
            began = time.process_time()
            step(number, *made)
            if number:  # the first configuration fills caches
                taken[side].append(time.process_time() - began)

        plain = Plain(workspace.runs_url, looped=False)
        sides = [("ours", ours), ("plain", plain.log)]
        for number in range(configurations + 1):
            for side, step in sides if number % 2 else reversed(sides):
                timed(side, step, number)
        plain.close()
        looped = Plain(workspace.runs_url, looped=True)
        for number in range(1, 1 + min(LOOPED, configurations)):
            timed("loop", looped.log, number)
        looped.close()
        if tracker.warnings:
            raise RuntimeError(f"not everything was logged: {tracker.warnings}")
    figures = {side: 1000 * statistics.median(each) for side, each in taken.items()}
    return {
        "observations": count,
        "configurations": configurations,
        "milliseconds": figures,
        "least": {side: 1000 * min(each) for side, each in taken.items()},
        "ratio": figures["plain"] / figures["ours"],
    }


def table(figures: Mapping[str, Any]) -> Iterator[str]:
    """The figures as text."""
    yield f"{'ms per configuration':<22}{'least':>8}{'median':>8}"
    for side, took in figures["milliseconds"].items():
        yield f"{side:<22}{figures['least'][side]:>8.1f}{took:>8.1f}"
    yield f"{figures['observations']} observations each; plain over ours: {figures['ratio']:.2f}"


def arguments(argv: list[str] | None) -> argparse.Namespace:
    """The command's arguments."""
    parser = command.parser(__doc__, quick="5 configurations instead of 30")
    parser.add_argument("--configurations", type=int, default=30, help="configurations of each side; default 30")
    parser.add_argument("--observations", type=int, default=100, help="observations of each configuration; default 100")
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    """Run the benchmark; returns the exit code."""
    given = arguments(argv)
    figures = measure(configurations=5 if given.quick else given.configurations, count=given.observations)
    return command.show(given, figures, table(figures))


if __name__ == "__main__":
    sys.exit(main())
