"""Data of a study: everything that its verdicts are based on."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from analysis import AACheck, NoiseFloor, TableError, aa_check, noise_floor
from objectives import Case
from sweeps.budget.plan import Plan
from sweeps.config.sweep_config import SweepConfig
from sweeps.fingerprints.fingerprint import Fingerprint, host_label
from sweeps.ledger.study_record import COMPARISON, Look, StoredStudy
from sweeps.options import Configuration
from sweeps.results.look_history import look_sentences
from sweeps.scoring.limits import Limits
from sweeps.scoring.rows import BASELINE_TRIAL, table_of
from sweeps.search.trial import Proposal
from sweeps.workspace.workspace import Workspace

PLACE_COLUMNS = ("configuration", "case", "seed", "stage", "repeat", "host")
"""Columns that identify an observation of a study."""


@dataclass(frozen=True)
class StudyData:
    """A study's plan, proposals, finalists and observations.

    Attributes:
        stored: The study as the ledger holds it.
        config: The sweep's configuration.
        cases: The cases as they were when the study began.
        rows: Rows of the observations table.
        answers: Texts with their scores, one dict per scored observation.
        proposals: The proposals of the search, by trial number.
        workspace: Where the study is.
    """

    stored: StoredStudy
    config: SweepConfig
    cases: Sequence[Case]
    rows: Sequence[Mapping[str, Any]]
    answers: Sequence[Mapping[str, Any]]
    proposals: Sequence[Proposal]
    workspace: Workspace

    @property
    def name(self) -> str:
        """The study's name."""
        return self.stored.name

    @property
    def status(self) -> str:
        """`running`, `stopped`, `failed` or `done`."""
        return self.stored.status

    @property
    def directory(self) -> Path:
        """The folder of the workspace (`mlruns`)."""
        return self.workspace.folder

    @property
    def folder(self) -> Path:
        """The folder of the study's report, plots and exports."""
        return self.workspace.outputs(self.name)

    @property
    def plan(self) -> Plan:
        """The allocation of the budget to the stages."""
        return Plan.from_record(self.stored.record.plan)

    # ---- hosts and configurations

    @property
    def hosts(self) -> dict[str, dict[str, Fingerprint]]:
        """Fingerprints by host and model."""
        return {
            host: {model: Fingerprint.from_json(json.dumps(facts)) for model, facts in models.items()}
            for host, models in self.stored.record.hosts.items()
        }

    @property
    def host_labels(self) -> dict[str, str]:
        """Names of the hosts for people, by digest: labels of their files, else their names in the sweep's file.

        Hosts with one label keep their names behind it.
        """
        hosts = self.hosts
        labels = {name: host_label(models, name) for name, models in hosts.items()}
        shared = {label for label, count in Counter(labels.values()).items() if count > 1}
        return {
            fingerprint.digest: f"{labels[name]} ({name})" if labels[name] in shared else labels[name]
            for name, models in hosts.items()
            for fingerprint in models.values()
        }

    @property
    def fingerprints(self) -> dict[str, Fingerprint]:
        """Fingerprints of the first host by model."""
        return next(iter(self.hosts.values()))

    @property
    def baseline(self) -> Configuration:
        """The configuration in use today."""
        return self.config.baseline

    @property
    def finalists(self) -> list[Proposal]:
        """The confirmed trials, in the order of the search's preference; [] before the search has ended."""
        return [self.proposals[number] for number in self.stored.record.finalists or ()]

    @property
    def called(self) -> dict[str, str]:
        """Names of baseline and finalists for people, by key: a candidate's name, or the trial if there are several."""
        names = {arm.configuration.key: arm.title for arm in self.finalists}
        if len(names) == 1 and not self.is_comparison:
            names = dict.fromkeys(names, "the finalist")
        return names | {self.baseline.key: "the baseline"}

    @property
    def is_comparison(self) -> bool:
        """Whether the study compares candidates with the baseline, without a search."""
        return self.stored.record.kind == COMPARISON

    @cached_property
    def candidates(self) -> dict[str, str]:
        """Names of the candidates of `[candidates]`, by the key of the configuration."""
        return {proposal.configuration.key: proposal.name for proposal in self.proposals if proposal.name}

    @cached_property
    def trials(self) -> dict[int, Configuration]:
        """Configurations by trial number, the baseline as -1."""
        return {BASELINE_TRIAL: self.baseline} | {p.number: p.configuration for p in self.proposals}

    @cached_property
    def configurations(self) -> dict[str, Configuration]:
        """Configurations by key."""
        return {configuration.key: configuration for configuration in self.trials.values()}

    # ---- observations

    @cached_property
    def observations(self) -> pd.DataFrame:
        """The observations table (see `analysis.observations.table`)."""
        return table_of(self.rows)

    @cached_property
    def texts(self) -> pd.DataFrame:
        """Every scored text with covered and missed items, by configuration, case, seed, stage, repeat and host.

        `text` is the answer. `thought` is there where some model thought before it.
        """
        return texts_of(self.answers)

    def stage(self, name: str) -> pd.DataFrame:
        """The observations of one stage."""
        return self.observations[self.observations["stage"] == name]

    @cached_property
    def floor(self) -> NoiseFloor | None:
        """Run-to-run noise of the baseline, from the floor's observations; None while there are too few."""
        try:
            return noise_floor(self.stage("floor"), self.baseline.key)
        except TableError:
            return None

    @cached_property
    def aa(self) -> AACheck | None:
        """Comparison of one half of the floor with the other; None while there are too few observations."""
        try:
            rng = np.random.default_rng(self.config.study.seed)
            return aa_check(self.stage("floor"), rng=rng, configuration=self.baseline.key)
        except TableError:
            return None

    # ---- confirmation

    @property
    def is_confirmed(self) -> bool:
        """Whether the confirmation is complete."""
        return self.stored.record.confirmed is not None

    @property
    def looks(self) -> list[Look]:
        """The looks at the confirmation with their decisions, in order; see `sweeps.study.looks.take_look`."""
        return list(self.stored.record.looks)

    @property
    def looks_told(self) -> list[str]:
        """The sentences from the looks, one per look and finalist; those based on superseded scores are marked.

        Of looks after every seed only the last one at each finalist has a sentence here.
        """
        return look_sentences(self.looks, self.stored.record.scoring, last_only=self.plan.anytime)

    @property
    def fresh_rows(self) -> list[Mapping[str, Any]]:
        """Rows of the confirmation; none before it is complete."""
        return [row for row in self.rows if row["stage"] == "confirm"] if self.is_confirmed else []

    @cached_property
    def limits(self) -> Limits:
        """The limits held against the fresh generations of all arms; empty before the confirmation is complete."""
        return Limits.of(self.fresh_rows, self.config.constraints, claim=self.config.verdict.claim)


def texts_of(answers: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """Texts with covered and missed items as a table; see `StudyData.texts`."""
    names = [*PLACE_COLUMNS, "score", "text", "thought", "covered", "missed"]
    # A list per column: the texts as dicts, with the details of their scores, need several times the memory.
    columns: dict[str, list[Any]] = {name: [] for name in names}
    for answer in answers:
        for name, values in columns.items():
            values.append(answer.get(name))
    if not any(columns["thought"]):
        del columns["thought"]
    return pd.DataFrame(columns)
