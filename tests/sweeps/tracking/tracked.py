"""Configurations, observations and texts of a small study to track, and what MLflow has of it."""

from dataclasses import dataclass, field

import pandas as pd

from objectives.case import Case, Item
from sweeps.fingerprints.fingerprint import Fingerprint
from sweeps.tracking import mlflow_store

FINGERPRINT = Fingerprint(
    {
        "host": {"os": "Linux", "architecture": "x86_64", "cpu": "AMD EPYC", "memory_gib": 24},
        "engine": {"name": "ollama", "version": "0.32.15"},
        "model": {"name": "qwen2.5:14b", "quantization": "Q4_K_M", "digest": "2049f5674b1e" + "0" * 52},
    }
)
CASES = [Case(name, f"log of {name}", (Item("a", "x", 1), Item("b", "y", 2))) for name in ("pump", "deploy")]
CONFIG = {"study": {"name": "s"}, "budget": {"generations": 40}, "space": {"temperature": {"low": 0, "high": 1}}}


@dataclass
class Configuration:
    model: str = "qwen2.5:14b"
    prompt: str = "brief"
    options: dict = field(default_factory=lambda: {"temperature": 0.8, "top_k": 40})
    key: str = "aaaaaaaaaaaa"


BASELINE = Configuration()
TUNED = Configuration(options={"temperature": 0.2, "top_k": 40}, key="bbbbbbbbbbbb")


def rows(scores, *, configuration=BASELINE, trial=-1, stage="floor", seed=1, finish="stop"):
    """Observations of scores by case: `{"pump": [.1, .2]}`."""
    return pd.DataFrame(
        [
            {
                "study": "s", "configuration": configuration.key, "trial": trial, "stage": stage,
                "host": FINGERPRINT.digest, "case": case, "seed": seed + place, "repeat": 0, "score": score,
                "covered": 1, "items": 2, "forbidden": 0, "lv1": "1/1", "lv2": "0/1", "lv3": "0/0", "lv4": "0/0",
                "lv5": "0/0", "lv12": "1/2", "words": 80 + place, "prompt_tokens": 400, "output_tokens": 100,
                "seconds": 1.5, "finish": finish, "truncated": False, "error": "", "text_sha256": "0" * 64,
                "model": configuration.model, "prompt": configuration.prompt, **configuration.options,
            }
            for case, values in scores.items()
            for place, score in enumerate(values)
        ]
    )  # fmt: skip


def texts_of(observations):
    texts = observations[["configuration", "stage", "case", "seed", "repeat"]].copy()
    texts["text"] = [f"text {case} {seed}" for case, seed in zip(texts["case"], texts["seed"], strict=True)]
    texts["covered"] = [["a"]] * len(texts)
    texts["missed"] = [["b", "c"]] * len(texts)
    return texts


def begin(tracker):
    return tracker.start(CONFIG, "[study]\nname = 's'\n", [FINGERPRINT], CASES, BASELINE)


def client_of(tracker):
    return mlflow_store.connect(tracker.uri)


def children_of(tracker):
    found = client_of(tracker).search_runs(
        [tracker.experiment_id], f"tags.`mlflow.parentRunId` = '{tracker.run_id}'", order_by=["start_time ASC"]
    )
    return {run.info.run_name: run for run in found}


def artifact(tracker, run_id, name):
    client = client_of(tracker)
    path = client.download_artifacts(run_id, name)
    with open(path, encoding="utf-8") as file:
        return file.read()
