"""The tables of a sweep's TOML file, checked by pydantic."""

from __future__ import annotations

import os
import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from analysis.verdict.recommendation import RECOMMEND
from sweeps.config.batch import AUTO
from sweeps.engines.base import Prompt

LOG_MARK = "{log}"
"""The place of the log in a prompt's text."""

NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$"

ON_WINDOWS = os.name == "nt"
_DEVICE = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)


def _folder_name(name: str) -> str:
    """Return a study's name if its folder can have it: Windows drops a last dot, and has devices by some names."""
    if ON_WINDOWS and (name.endswith(".") or _DEVICE.fullmatch(name)):
        raise ValueError("can be no folder's name on Windows; choose another name")
    return name


class _Table(BaseModel):
    # Strict, since TOML has types: neither a text nor true is a number. An infinite number is a mistake.
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class StudyTable(_Table):
    """`[study]`: the sweep's name and the seed of its random numbers."""

    name: Annotated[str, Field(pattern=NAME_PATTERN), AfterValidator(_folder_name)]
    seed: Annotated[int, Field(ge=0, le=1_000_000_000)] = 42
    description: str = ""


_SECRET_NAME = re.compile(r"auth|key|token|secret|passw|cookie|credential|session", re.IGNORECASE)
_SECRET_VALUE = re.compile(r"^(?:basic|bearer|token)\s|^sk-|^\S{20,}$", re.IGNORECASE)


def _without_secrets(headers: dict[str, str]) -> dict[str, str]:
    """Refuse a secret that stands in the file itself: files are stored and logged."""
    for name, value in headers.items():
        if "$" not in value and (_SECRET_NAME.search(name) or _SECRET_VALUE.search(value)):
            variable = re.sub(r"\W", "_", name.upper())
            raise ValueError(f'{name} looks like a secret; write it as an environment variable, {name} = "${variable}"')
    return headers


Headers = Annotated[dict[str, str], AfterValidator(_without_secrets)]
"""Headers of requests by name; `$NAME` in a value stands for an environment variable."""


class HostTable(_Table):
    """An entry of `engine.hosts`: an address and, optionally, the file that `sweeps fingerprint --out` made there.

    Its headers are added to those of `[engine]`.
    """

    host: str
    host_file: str | None = None
    headers: Headers = {}


def _host_from_text(value: object) -> object:
    return {"host": value} if isinstance(value, str) else value


class EngineTable(_Table):
    """`[engine]`: the engine, with either `host` (one server) or `hosts` (several, each with its own queue)."""

    kind: Literal["ollama", "llamacpp", "openai", "scripted"] = "ollama"
    host: str | None = None
    hosts: Annotated[
        list[Annotated[HostTable, BeforeValidator(_host_from_text, json_schema_input_type=str | HostTable)]],
        Field(max_length=64),
    ] = []
    timeout: Annotated[float, Field(gt=0)] = 600.0
    host_file: str | None = None
    headers: Headers = {}
    allow_remote: bool = False
    options: dict[str, Any] = {}

    @model_validator(mode="after")
    def _one_way(self) -> EngineTable:
        if self.hosts and (self.host is not None or self.host_file is not None):
            raise ValueError("has both host and hosts; keep one (a host_file belongs to its entry of hosts)")
        if self.hosts and self.kind == "llamacpp":
            raise ValueError('hosts are for servers; kind = "llamacpp" runs inside this process')
        addresses = [entry.host for entry in self.hosts]
        if len(set(addresses)) < len(addresses) and self.kind != "scripted":
            raise ValueError(f"hosts names an address twice: {', '.join(addresses)}")
        return self

    def headers_of(self, index: int) -> dict[str, str]:
        """Return the headers of the requests to a host."""
        return {**self.headers, **(self.hosts[index].headers if self.hosts else {})}

    @property
    def all_hosts(self) -> list[tuple[str | None, str | None]]:
        """(address, host file) of every host; one entry where `hosts` is not used."""
        return [(entry.host, entry.host_file) for entry in self.hosts] or [(self.host, self.host_file)]


class PromptTable(_Table):
    """`[prompts.NAME]`: a user message with `{log}` in it and, optionally, a system message."""

    user: str
    system: str | None = None

    @model_validator(mode="after")
    def _has_mark(self) -> PromptTable:
        if self.user.count(LOG_MARK) + (self.system or "").count(LOG_MARK) != 1:
            raise ValueError(f"must contain {LOG_MARK} exactly once, where the log goes")
        return self

    def fill(self, log: str) -> Prompt:
        """Return the prompt with the log in its place."""
        return Prompt(
            user=self.user.replace(LOG_MARK, log),
            system=None if self.system is None else self.system.replace(LOG_MARK, log),
        )


def _prompt_from_text(value: object) -> object:
    return {"user": value} if isinstance(value, str) else value


class ObjectiveTable(_Table):
    """`[objective]`: the cases, and the scoring of summaries."""

    cases: str
    names: list[str] | None = None
    allow_outside_logs: bool = False
    kind: str = "coverage"
    weights: Any = [5, 4, 3, 2, 1]
    budget_words: Annotated[int, Field(gt=0)] | None = None
    matcher: str | dict[str, Any] = "lexical"
    threshold: Annotated[float, Field(ge=0, le=1)] | None = None
    reasoning: Literal["cut", "keep"] = "cut"
    score: Literal["expected", "counted"] = "expected"


def _auto_or_whole(
    least: int, most: int | None = None, *, auto: object = None, more: tuple[str, ...] = ()
) -> BeforeValidator:
    """Accept "auto", which becomes `auto` if that is given, the words `more`, or a whole number in a range."""
    words = ("auto", *more)
    valid = ", ".join(f'"{word}"' for word in words) + f" or a whole number from {least}"
    valid += f" to {most}" if most is not None else ""

    def check(value: object) -> object:
        if value in words:
            return value if value != "auto" or auto is None else auto
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= (most or value):
            raise ValueError(f"must be {valid}, not {value!r}")
        return value

    whole = Annotated[int, Field(ge=least, le=most)]
    return BeforeValidator(check, json_schema_input_type=Literal[words] | whole)


class SearchTable(_Table):
    """`[search]`: the way to propose configurations.

    `batch` is the number of trials proposed at a time. In a `SweepConfig` it is always a number: the default "auto" is
    replaced as soon as the space is known, and a study keeps the number. `first` names the sources of sets that are
    tried first, besides `[candidates]`. With `earlier_scores` the search knows the scores of earlier studies. With
    `prune` hopeless trials lose their other cases. `start` is the kind of the start design
    (`sweeps.samplers.acquisition.start_design`).
    """

    sampler: Literal["gp", "tpe", "random", "qmc", "grid"] = "gp"
    batch: Annotated[int, _auto_or_whole(1, 64, auto=AUTO)] = AUTO
    first: list[Literal["earlier", "model", "vendor"]] = ["model", "vendor"]
    probe: bool = True
    strict: bool = False
    earlier_scores: bool = False
    prune: bool = False
    start: Literal["auto", "ends", "near"] = "auto"

    @model_validator(mode="after")
    def _has_surface(self) -> SearchTable:
        if "start" in self.model_fields_set and self.sampler != "gp":
            raise ValueError(f'start = "{self.start}" needs sampler = "gp", not "{self.sampler}": only it has one')
        for name in ("prune", "earlier_scores"):
            if getattr(self, name) and self.sampler != "gp":
                raise ValueError(f'{name} = true needs sampler = "gp", not "{self.sampler}": only it predicts scores')
        return self


class BudgetTable(_Table):
    """`[budget]`: the number of generations, minutes or tokens of answers, and their shares."""

    generations: Annotated[int, Field(ge=1)] | None = None
    minutes: Annotated[float, Field(gt=0)] | None = None
    tokens: Annotated[int, Field(ge=1)] | None = None
    floor_seeds: Annotated[int, Field(ge=2, le=1000)] = 4
    seeds: Annotated[Literal["auto"] | int, _auto_or_whole(1, 100)] = "auto"
    cases_per_trial: Annotated[Literal["auto"] | int, _auto_or_whole(1)] = "auto"
    confirm_share: Annotated[float, Field(gt=0, lt=1)] = 0.3

    @model_validator(mode="after")
    def _has_size(self) -> BudgetTable:
        if self.generations is None and self.minutes is None and self.tokens is None:
            raise ValueError("needs generations, minutes or tokens (or several), for example generations = 300")
        return self


Looks = int | Literal["auto", "anytime"]
"""Looks at a confirmation: their number, early ones and the end ("auto"), or one after every seed."""


class ConfirmTable(_Table):
    """`[confirm]`: the configurations compared with the baseline on fresh seeds, and when this may stop early."""

    finalists: Annotated[int, Field(ge=1, le=20)] = 1
    runoff: Annotated[int, Field(ge=1, le=20)] = 1
    looks: Annotated[Looks, _auto_or_whole(1, 10, more=("anytime",))] = "auto"
    futility: Annotated[float, Field(ge=0, lt=0.5)] = 0.1

    @model_validator(mode="after")
    def _runoff_has_losers(self) -> ConfirmTable:
        if 1 < self.runoff <= self.finalists:
            raise ValueError(
                f"has runoff = {self.runoff} and finalists = {self.finalists}: nobody would leave. Give a runoff above"
                " finalists, or runoff = 1 for none"
            )
        return self


class VerdictTable(_Table):
    """`[verdict]`: the claim, the certainty that it needs, and the least probability for a recommendation."""

    claim: Literal["these-cases", "new-cases"] = "these-cases"
    alpha: Annotated[float, Field(ge=1e-6, lt=0.5)] = 0.05
    min_gain: Annotated[float, Field(gt=0, lt=1)] | None = None
    margin: Annotated[float, Field(gt=0, lt=1)] | None = None
    assume_missing_at_random: bool = False
    bar: Annotated[float, Field(ge=0, le=1)] | None = None
    k: Annotated[int, Field(ge=1, le=100)] = 3
    recommend: Annotated[float, Field(ge=0, lt=1)] = RECOMMEND

    @model_validator(mode="after")
    def _k_has_bar(self) -> VerdictTable:
        if "k" in self.model_fields_set and self.bar is None:
            raise ValueError("has k but no bar; name the score that runs should reach, for example bar = 0.6")
        return self

    @property
    def least_look(self) -> int:
        """Smallest number of seeds at a look: with a bar the `k` that pass^k takes."""
        return 0 if self.bar is None else self.k

    def identity(self) -> dict[str, Any]:
        """Everything that a verdict depends on; switches that came later count where they are on.

        A recommendation is no part of a verdict, so that a study goes on under another `recommend`.
        """
        dumped = self.model_dump(exclude={"recommend"})
        later = {"assume_missing_at_random": self.assume_missing_at_random, "bar": self.bar is not None}
        later["k"] = later["bar"]
        return {key: value for key, value in dumped.items() if later.get(key, True)}


class TrackingTable(_Table):
    """`[tracking]`: the MLflow store of the runs; the variable MLFLOW_TRACKING_URI wins."""

    uri: str | None = None
    texts: bool = True
    traces: Literal["failures", "confirm", "all", "none"] = "failures"

    @model_validator(mode="after")
    def _traces_have_texts(self) -> TrackingTable:
        if not self.texts and self.traces != "none" and "traces" in self.model_fields_set:
            raise ValueError(f'has traces = "{self.traces}" but texts = false; traces are texts: set texts = true')
        return self


_DATABASES = ("postgresql", "postgres", "sqlite")


class StorageTable(_Table):
    """`[storage]`: the database of ledger, trials and runs; the variable SWEEPS_STORAGE wins."""

    url: str | None = None

    @model_validator(mode="after")
    def _is_known(self) -> StorageTable:
        scheme, found, _ = (self.url or "sqlite://").partition("://")
        if not found or scheme.partition("+")[0] not in _DATABASES:  # the rest may be a password
            raise ValueError('has a url of no known database; write "postgresql+psycopg://USER@HOST/DATABASE"')
        return self


class ConstraintsTable(BaseModel):
    """`[constraints]`: limits on a configuration's means, and the weight of breaking them in the search."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    words: Annotated[float, Field(gt=0)] | None = None
    output_tokens: Annotated[float, Field(gt=0)] | None = None
    seconds: Annotated[float, Field(gt=0)] | None = None
    cut_off: Annotated[float, Field(ge=0, lt=1)] | None = None
    copied_share: Annotated[float, Field(ge=0, lt=1)] | None = None
    weight: Annotated[float, Field(gt=0, le=100)] = 1.0

    @model_validator(mode="after")
    def _has_limit(self) -> ConstraintsTable:
        if "weight" in self.model_fields_set and not self.limits:
            raise ValueError(f"has a weight but no limit; name one of {', '.join(self._limited())}")
        return self

    @property
    def limits(self) -> dict[str, float]:
        """The limits that are set, by name."""
        return {name: limit for name in self._limited() if (limit := getattr(self, name)) is not None}

    @classmethod
    def _limited(cls) -> list[str]:
        return [name for name in cls.model_fields if name != "weight"]

    def identity(self) -> dict[str, float]:
        """Return the values that a study's proposals depend on; {} without a limit."""
        return {**self.limits, "weight": self.weight} if self.limits else {}


class SweepFile(_Table):
    """The whole file. `baseline`, `space` and `candidates` have parsers of their own, with better error messages."""

    study: StudyTable
    engine: EngineTable = EngineTable()
    prompts: Annotated[
        dict[str, Annotated[PromptTable, BeforeValidator(_prompt_from_text, json_schema_input_type=str | PromptTable)]],
        Field(min_length=1),
    ]
    objective: ObjectiveTable
    baseline: dict[str, Any]
    space: dict[str, Any] = {}
    candidates: dict[str, Any] = {}
    search: SearchTable = SearchTable()
    budget: BudgetTable
    confirm: ConfirmTable = ConfirmTable()
    verdict: VerdictTable = VerdictTable()
    constraints: ConstraintsTable = ConstraintsTable()
    tracking: TrackingTable = TrackingTable()
    storage: StorageTable = StorageTable()
