"""One configuration with its origin and its verdict, as its exports state them."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, get_args

Mode = Literal["production", "baseline"]

MODES: tuple[Mode, ...] = get_args(Mode)

OptionValue = int | float | str | tuple[str, ...]

PLACEHOLDER = "{log}"
"""Marks the place of the log in a prompt."""

NATIVE, OPENAI = "/api/chat", "/v1/chat/completions"
"""Paths of a server: Ollama's own, and the OpenAI-compatible one."""

THINK, STOP = "think", "stop"
"""Options that are no numbers: true, false or a word; and a list of texts."""

MEASURING_SEED = 42
"""The seed of `mode="baseline"`."""

_INTEGERS = frozenset(
    {"draft_num_predict", "mirostat", "num_batch", "num_ctx", "num_gpu", "num_keep", "num_predict", "num_thread"}
    | {"repeat_last_n", "seed", "top_k"}
)
_OPTION_NAME = re.compile(r"[a-z][a-z0-9_]*")


class ExportError(ValueError):
    """A configuration that cannot be exported, or not in this way."""


@dataclass(frozen=True)
class ExportSet:
    """One configuration with its origin and its verdict.

    Attributes:
        options: Options by Ollama's names as they were sent, without the seed; those that the engine adds to each
            request are among them. Inactive ones (mirostat_tau without mirostat) are dropped.
        model: The model's name on the host.
        prompt: Name of the prompt.
        system: System prompt; None for no system message, "" for an empty one, which takes the model's own away.
        user: User prompt; `{log}` in it, or in the system prompt, is where the log goes.
        study: Name of the study.
        configuration: Key of the configuration.
        date: When the export was made, ISO 8601.
        shown_better: Whether the verdict's outcome is "better".
        trial: Number of the trial; -1 is the baseline.
        candidate: Name of the set, if a person named it; "" otherwise.
        outcome: The verdict's outcome, or None without a verdict.
        effect: Gain of mean score over the baseline, in score units (0 to 1).
        ci_low: Lower end of the effect's interval.
        ci_high: Upper end of it.
        level: Confidence level of the interval, such as `0.95`; higher where several configurations share alpha.
        p_value: Adjusted p-value.
        claim: The cases that the verdict is about: "these-cases" or "new-cases".
        n_per_arm: Generations behind the verdict, in the arm with fewer.
        n_finalist: The same of this configuration.
        n_baseline: The same of the baseline.
        seeds: Seeds of the confirmation.
        model_digest: The model's digest on the host.
        weights_sha256: SHA-256 of the weights.
        engine: Name of the engine.
        engine_version: Its version.
        host_digest: Digest of the host's fingerprint.
        host: One line about the host.
        version: Version of slm-sweeps.
        broken: Limits that the set breaks on fresh generations, as `breaks words: 171 on average, limit 150`.
        cautions: Things to check before using the set.
        forced: Whether the user insisted on a set that is not shown better, or breaks a limit.
        path: The path of the server on which the set was measured, one of `NATIVE` and `OPENAI`.
        left_out: Options of the configuration that this path does not send.
        keep_alive: How long the server keeps the model loaded, where the sweep's file names it.
        purpose: The use of a set that claims to be no better than another, as for an audit; it then needs no verdict.

    Raises:
        ExportError: If an option has the wrong type or a bad name, or is a number that is not finite; if the model's
            name does not fit on one plain line; if the date is not ISO 8601; or if `shown_better` contradicts the
            outcome.
    """

    options: Mapping[str, OptionValue]
    model: str
    prompt: str
    system: str | None
    user: str
    study: str
    configuration: str
    date: str
    shown_better: bool
    trial: int | None = None
    candidate: str = ""
    outcome: str | None = None
    effect: float | None = None
    ci_low: float | None = None
    ci_high: float | None = None
    level: float | None = None
    p_value: float | None = None
    claim: str | None = None
    n_per_arm: int | None = None
    n_finalist: int | None = None
    n_baseline: int | None = None
    seeds: Sequence[int] = field(default=())
    model_digest: str | None = None
    weights_sha256: str | None = None
    engine: str | None = None
    engine_version: str | None = None
    host_digest: str | None = None
    host: str | None = None
    version: str | None = None
    broken: Sequence[str] = field(default=())
    cautions: Sequence[str] = field(default=())
    forced: bool = False
    path: str = NATIVE
    left_out: Sequence[str] = field(default=())
    keep_alive: str | float | None = None
    purpose: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "options", _checked_options(self.options))
        object.__setattr__(self, "seeds", tuple(int(seed) for seed in self.seeds))
        if not self.model or self.model != self.model.strip() or not self.model.isprintable() or '"' in self.model:
            raise ExportError(
                f"the model's name {self.model!r} cannot be written into an export; use a name of one plain line"
            )
        if self.shown_better and self.outcome != "better":
            raise ExportError(f"shown_better contradicts the verdict {self.outcome!r}")
        try:
            datetime.fromisoformat(self.date)
        except ValueError:
            raise ExportError(f"date must be ISO 8601, such as 2026-03-02, not {self.date!r}") from None

    @property
    def unproven(self) -> bool:
        """Whether the files must warn that the set is not shown better, or breaks a limit."""
        return not self.purpose and (not self.shown_better or bool(self.broken))

    def options_for(self, mode: Mode) -> dict[str, OptionValue]:
        """The options to send: as tuned, or for measuring (temperature 0, fixed seed, the rest as tuned)."""
        if mode == "production":
            return dict(self.options)
        return {**self.options, "temperature": 0, "seed": MEASURING_SEED}

    def provenance(self, mode: Mode = "production") -> dict[str, object]:
        """The origin of the set, ready for JSON: no NaN, no unknown fact."""
        facts: dict[str, object] = {
            "study": self.study,
            "trial": self.trial,
            "candidate": self.candidate or None,
            "configuration": self.configuration,
            "mode": mode,
            "prompt": self.prompt,
            "verdict": self.outcome,
            "purpose": self.purpose or None,
            "shown_better": None if self.purpose else self.shown_better,
            "broken": list(self.broken) or None,
            "forced": None if self.purpose else self.forced and self.unproven,
            "effect": finite(self.effect),
            "ci_low": finite(self.ci_low),
            "ci_high": finite(self.ci_high),
            "level": finite(self.level),
            "p_value": finite(self.p_value),
            "claim": self.claim,
            "n_per_arm": self.n_per_arm,
            "n_finalist": self.n_finalist,
            "n_baseline": self.n_baseline,
            "seeds": list(self.seeds) or None,
            "model_digest": self.model_digest,
            "weights_sha256": self.weights_sha256,
            "engine": self.engine,
            "engine_version": self.engine_version,
            "path": self.path if self.path != NATIVE else None,
            "left_out": list(self.left_out) or None,
            "host_digest": self.host_digest,
            "host": self.host,
            "slm_sweeps": self.version,
            "date": self.date,
        }
        absent = (None, "") if self.purpose else (None,)  # without a study there is no name of it
        return {name: value for name, value in facts.items() if value not in absent}


def finite(value: float | None) -> float | None:
    """A number as a plain float; None if it is missing or not finite."""
    return float(value) if value is not None and math.isfinite(value) else None


def _checked_options(options: Mapping[str, OptionValue]) -> dict[str, OptionValue]:
    checked = {name: _checked_option(name, value) for name, value in options.items() if name != "seed"}
    if not checked.get("mirostat"):
        checked = {name: value for name, value in checked.items() if name not in ("mirostat_tau", "mirostat_eta")}
    return checked


def _checked_option(name: str, value: Any) -> OptionValue:
    """A plain value, also from numpy; whole-number options become int, as the API demands."""
    if not _OPTION_NAME.fullmatch(name):
        raise ExportError(f"{name!r} is not an option name; use small letters, digits and underscores only")
    if name == THINK and isinstance(value, (bool, str)):
        return value
    if name == STOP and isinstance(value, (list, tuple)) and all(isinstance(text, str) for text in value):
        return tuple(value)
    if isinstance(value, (bool, str)) or not hasattr(value, "__float__") or not math.isfinite(value):
        raise ExportError(f"option {name} must be a finite number, not {value!r}")
    if name not in _INTEGERS:
        return float(value) if not isinstance(value, int) else value
    if value != int(value):
        raise ExportError(f"option {name} must be a whole number, not {value!r}")
    return int(value)
