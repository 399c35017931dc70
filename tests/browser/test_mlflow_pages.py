"""MLflow's pages on a tracked study: columns, charts, a trace with its assessments, the prompt version."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest

from sweeps.config.tables import PromptTable
from sweeps.tracking.mlflow_tracker import Tracker
from sweeps.workspace.workspace import Workspace
from tests.browser.watched import kept
from tests.sweeps.tracking.tracked import (
    BASELINE,
    CASES,
    CONFIG,
    FINGERPRINT,
    TUNED,
    rows,
    texts_of,
)

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser

SENTENCE = "The finalist is better than the baseline: a gain of 0.450."
SLOW = 60_000
"""Milliseconds to wait for a page of MLflow; on a busy machine each takes many seconds."""


@pytest.fixture(scope="module")
def tracker(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Tracker:
    """A finished study of two configurations, with traces and an export. Without a browser there is no need of it."""
    os.environ.pop("MLFLOW_TRACKING_URI", None)
    directory = tmp_path_factory.mktemp("pages") / "mlruns"
    tracker = Tracker("summaries", directory, traces="all", prompts={"brief": PromptTable(user="Sum up {log}")})
    tracker.start(CONFIG, "", [FINGERPRINT], CASES, BASELINE)
    tuned = rows({"pump": [0.6, 0.8], "deploy": [0.9, 0.9]}, configuration=TUNED, trial=0, stage="confirm")
    floor = rows({"pump": [0.1, 0.3], "deploy": [0.5, 0.5]})
    for trial, configuration, own in ((-1, BASELINE, floor), (0, TUNED, tuned)):
        texts = texts_of(own).assign(created="2026-01-01T00:00:10.000+00:00", seconds=1.5)
        tracker.log_configuration(trial, configuration, own, texts)
    verdict = {"outcome": "better", "sentence": SENTENCE, "configuration": TUNED.key}
    tracker.finish(verdict=verdict, exported=TUNED)
    assert tracker.warnings == []
    return tracker


@pytest.fixture(scope="module")
def address(tracker: Tracker) -> Iterator[str]:
    """The address that `sweeps ui` prints."""
    folder = str(Workspace.at(tracker.workspace).folder)
    process = subprocess.Popen(
        [sys.executable, "-m", "sweeps", "ui", "--mlruns", folder, "--port", "5098", "--no-open"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
    finally:
        process.terminate()
        process.communicate(timeout=30)


@pytest.fixture(scope="module")
def visit(browser: Browser, address: str) -> Iterator[Callable[[str], Page]]:
    """Open a page of MLflow; all in one tab, which has MLflow's program already."""
    page = browser.new_page(viewport={"width": 1500, "height": 900})
    page.set_default_timeout(SLOW)
    base = address.partition("/#/")[0]

    def visit(path: str) -> Page:
        page.goto("about:blank")  # MLflow reads a view once per document
        page.goto(path if path.startswith("http") else f"{base}/#/{path}")
        return page

    yield visit
    page.close()


def test_scores_are_in_the_columns_with_and_without_our_view(
    visit: Callable[[str], Page], address: str, tracker: Tracker
) -> None:
    page = visit(address)
    for name in ("mean", "interval", "stage"):  # MLflow draws further columns when they are scrolled to
        page.get_by_role("columnheader").get_by_text(name, exact=True).wait_for()
    page.get_by_text("confirm: trial 00", exact=True).first.wait_for()
    page.get_by_text("0.800 (0.5", exact=False).first.wait_for()
    page = visit(f"experiments/{tracker.experiment_id}/runs?workflowType=machine_learning")
    page.get_by_text("n 4 · confirm", exact=False).first.wait_for()  # the parent run is open, Source has the scores
    page.get_by_text(SENTENCE, exact=False).first.wait_for()
    kept(page, "mlflow-scores")


def test_charts_are_drawn(visit: Callable[[str], Page], tracker: Tracker) -> None:
    where = f"experiments/{tracker.experiment_id}/runs?workflowType=machine_learning"
    page = visit(f"{where}&compareRunsMode=CHART&viewStateShareKey=charts")
    page.get_by_text("Sweep", exact=True).first.wait_for()
    page.locator(".js-plotly-plot .bars").first.wait_for(state="attached")
    page.locator(".js-plotly-plot .scatter").first.wait_for(state="attached")
    kept(page, "mlflow-charts")


def test_a_trace_has_its_score_and_a_prompt_its_version(visit: Callable[[str], Page], tracker: Tracker) -> None:
    client = tracker._connection.ready()
    traces = client.search_traces(locations=[tracker.experiment_id], max_results=50, include_spans=False)
    assert len(traces) == 8
    best = next(trace for trace in traces if {"score": 0.8}.items() <= _values(trace).items())
    page = visit(f"experiments/{tracker.experiment_id}/traces?selectedEvaluationId={best.info.trace_id}")
    page.get_by_text("Sum up log of", exact=False).first.wait_for()
    _until_shown(page, "Assess\n3")  # score, covered and missed
    kept(page, "mlflow-trace", 1050, 620)
    page = visit("prompts/summaries.brief")
    page.get_by_text("Version 2", exact=True).first.wait_for()
    page.get_by_text("production", exact=False).first.wait_for()
    page.get_by_text("Sum up {{log}}", exact=True).first.wait_for()
    kept(page, "mlflow-prompt", 1110, 520)


def _until_shown(page: Page, text: str) -> None:
    """Wait for a text that goes over several elements."""
    for _ in range(SLOW // 250):
        if text in page.inner_text("body"):
            return
        page.wait_for_timeout(250)
    raise AssertionError(f"{text!r} is not on the page")


def _values(trace: object) -> dict[str, object]:
    return {each.name: each.value for each in trace.info.assessments}  # type: ignore[attr-defined]
