"""Progress as plain lines: for logs, pipes and scripts."""

from __future__ import annotations

import math
import shutil
import sys
import textwrap
import time
from typing import TextIO

from analysis.formatting import count_text, terminal_text
from sweeps.progress.base import Observation, Scored, Standing
from sweeps.progress.counts import STAGES, GenerationCounts

EVERY = 15.0
"""Least seconds between two lines that count generations."""

_STAGE_LINES = {
    "check": "check: checking cases, engine and model",
    "report": "report: writing report, plots and MLflow",
}


class PlainProgress(GenerationCounts):
    """Prints a running sweep line by line.

    Args:
        stream: Where the lines go; stderr by default.
        quiet: Print warnings only.
        verbose: Print a line for each text.
    """

    def __init__(self, stream: TextIO | None = None, *, quiet: bool = False, verbose: bool = False) -> None:
        super().__init__()
        self.quiet, self.verbose = quiet, verbose
        self._stream = stream
        self._printed_at = 0.0

    def stage(self, name: str) -> None:
        """Print which stage begins."""
        planned = f", {self.planned[name]} generations" if name in STAGES else ""
        self._print(_STAGE_LINES.get(name, f"{name}{planned}"))

    def step(self, text: str) -> None:
        """Print nothing: stages and messages are enough for a log."""

    def observe(self, seen: Observation) -> None:
        """Print a line for a text where that is asked for."""
        if self.verbose:
            self._print(observation_line(seen))

    def advance(self, stage: str, *, seconds: float | None) -> None:
        """Count one generation; print how many there are every `EVERY` seconds."""
        super().advance(stage, seconds=seconds)
        if not self.quiet and time.monotonic() - self._printed_at > EVERY:
            self._printed_at = time.monotonic()
            left = f", {self.time_left}" if self.time_left else ""
            self._print(f"{stage}: {self.done[stage]} of {self.planned[stage]}{left}")

    def standing(self, standing: Standing) -> None:
        """Print a line for each trial that was completed, and the scores so far."""
        for trial in standing.latest:
            self._print(trial_line(trial))
        self._print(standing_line(standing))

    def note(self, text: str, *, warning: bool = False) -> None:
        """Print a message."""
        self._print(f"warning: {text}" if warning else text, always=warning)

    def _print(self, line: str, *, always: bool = False) -> None:
        if always or not self.quiet:
            stream = self._stream or sys.stderr
            line = at_words(line, shutil.get_terminal_size().columns) if stream.isatty() else line
            print(terminal_text(line), file=stream, flush=True)


def at_words(text: str, width: int) -> str:
    """Text in lines of at most a width, broken between words.

    A word that is longer, such as a path, stays whole, so that it can be copied.
    """
    return "\n".join(
        textwrap.fill(part, width, break_long_words=False, break_on_hyphens=False, subsequent_indent="  ")
        for part in text.split("\n")
    )


def observation_line(seen: Observation) -> str:
    """One text with its score in one line."""
    score = "no score" if math.isnan(seen.score) else f"{seen.score:.3f}"
    took = "from the ledger" if seen.seconds is None else f"{seen.seconds:.3g} s on {seen.host}"
    return f"{seen.stage}, {seen.title}, case {seen.case}, seed {seen.seed}: {score}, {took}"


def trial_line(trial: Scored) -> str:
    """A completed trial in one line."""
    interval = "" if trial.low is None else f" [{trial.low:.3f}, {trial.high:.3f}]"
    score = "no score" if math.isnan(trial.mean) else f"{trial.mean:.3f}{interval}"
    return f"{trial.title}: {score} from {count_text(trial.n, 'generation')} ({trial.changes})"


def standing_line(standing: Standing) -> str:
    """Baseline, noise band and best trial in one line; "" before the floor."""
    if standing.baseline_mean is None:
        return ""
    known = f" (floor, {count_text(standing.baseline_n, 'generation')})" if standing.baseline_n else ""
    line = f"baseline {standing.baseline_mean:.3f}{known}"
    if standing.band is None:  # a comparison has no trials
        return line
    line += f", noise band of one trial ±{standing.band:.3f}"
    if standing.best_mean is None:
        return line
    interval = f"[{standing.best_low:.3f}, {standing.best_high:.3f}]"
    return f"{line}; best of {standing.trials} so far {standing.best_mean:.3f} {interval} ({standing.best})"
