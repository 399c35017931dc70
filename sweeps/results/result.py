"""A study as it stands in the ledger: observations, verdict, exports. Reading one needs neither engine nor cases."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from objectives import Case
from sweeps.budget.detectable_gain import design_of
from sweeps.budget.plan import Plan
from sweeps.config.sweep_config import SweepConfig
from sweeps.errors import SweepError
from sweeps.fingerprints.fingerprint import Fingerprint
from sweeps.ledger.study_record import Look, StoredStudy
from sweeps.options import Configuration
from sweeps.results.look_history import given_up, judged_at, last_sentence, look_sentences
from sweeps.results.verdicts import explained, fresh_effects
from sweeps.scoring.limits import Limits
from sweeps.scoring.rows import BASELINE_TRIAL, table_of
from sweeps.search.trial import Proposal
from sweeps.workspace.study_lock import standing_of

if TYPE_CHECKING:
    import pandas as pd

    from analysis import AACheck, NoiseFloor, Verdict
    from analysis.export.formats import ExportSet

PLACE_COLUMNS = ("configuration", "case", "seed", "stage", "repeat", "host")
"""What tells the observations of a study apart."""


@dataclass(frozen=True, repr=False)
class SweepResult:
    """A study's plan, proposals and observations, and what follows from them.

    Attributes:
        stored: The study as the ledger holds it.
        config: The sweep's configuration.
        cases: The cases as they were when the study began.
        rows: Rows of the observations table.
        answers: Texts with their scores, one dict per scored observation.
        directory: The folder that holds the study (`mlruns`).
    """

    stored: StoredStudy
    config: SweepConfig
    cases: Sequence[Case]
    rows: Sequence[Mapping[str, Any]]
    answers: Sequence[Mapping[str, Any]]
    directory: Path

    def __repr__(self) -> str:
        """What a person wants to see of it, not all that it holds."""
        told = "no verdict yet" if self.verdict is None else self.verdict.sentence
        return f"<SweepResult {self.name!r} ({self.status}): {told}>"

    def _repr_html_(self) -> str:
        from analysis.html_table import html_table

        title, verdict = f"{self.name}: {self.status}", self.verdict
        if verdict is None or self.finalist is None:
            counts = {"trials": str(len(self.proposals)), "generations": str(len(self.rows))}
            return html_table(title, counts, "No verdict yet.")
        changes = self.finalist.configuration.text(self.baseline)
        use = f"Use the new settings: {changes}" if self.exportable else "Keep your current settings"
        facts = {"finalist": changes, "outcome": verdict.outcome, **verdict.facts}
        return html_table(title, {"answer": use, **facts}, verdict.sentence, *self.broken)

    @property
    def name(self) -> str:
        """The study's name."""
        return self.stored.name

    @property
    def status(self) -> str:
        """`running`, `stopped`, `failed` or `done`."""
        return self.stored.status

    @property
    def plan(self) -> Plan:
        """How the budget is shared out."""
        return Plan.from_record(self.stored.record.plan)

    @property
    def baseline(self) -> Configuration:
        """The configuration in use today."""
        return self.config.baseline

    @property
    def hosts(self) -> dict[str, dict[str, Fingerprint]]:
        """Fingerprints by host and model."""
        return {
            host: {model: Fingerprint.from_json(json.dumps(facts)) for model, facts in kept.items()}
            for host, kept in self.stored.record.hosts.items()
        }

    @property
    def fingerprints(self) -> dict[str, Fingerprint]:
        """Fingerprints of the first host by model."""
        return next(iter(self.hosts.values()))

    @property
    def proposals(self) -> list[Proposal]:
        """What was proposed, by trial number."""
        return [Proposal.from_record(i, record) for i, record in enumerate(self.stored.record.proposals)]

    @property
    def finalists(self) -> list[Proposal]:
        """The trials that were confirmed, the best by the search first; [] while there are none."""
        proposals = self.proposals
        return [proposals[number] for number in self.stored.record.finalists or ()]

    @property
    def finalist(self) -> Proposal | None:
        """The finalist that counts: of several the one with the best verdict; None while there is none."""
        finalists = self.finalists
        if len(finalists) > 1 and self.verdict is not None:
            return next(each for each in finalists if each.configuration.key == self.verdict.configuration)
        return next(iter(finalists), None)

    @property
    def called(self) -> dict[str, str]:
        """What people call the baseline and the finalists, by key: a finalist by its trial if there are several."""
        names = {arm.configuration.key: f"trial {arm.number}" for arm in self.finalists}
        names = names if len(names) > 1 else dict.fromkeys(names, "the finalist")
        return names | {self.baseline.key: "the baseline"}

    @property
    def trials(self) -> dict[int, Configuration]:
        """Configurations by trial number, the baseline as -1."""
        return {BASELINE_TRIAL: self.baseline} | {p.number: p.configuration for p in self.proposals}

    @property
    def configurations(self) -> dict[str, Configuration]:
        """Configurations by key."""
        return {configuration.key: configuration for configuration in self.trials.values()}

    @cached_property
    def observations(self) -> pd.DataFrame:
        """The one table (see `analysis.observations.table`)."""
        return table_of(self.rows)

    @cached_property
    def texts(self) -> pd.DataFrame:
        """Every scored text with covered and missed items, by configuration, case, seed, stage, repeat and host."""
        import pandas as pd

        keys = ("configuration", "case", "seed", "stage", "repeat", "host", "score", "text", "covered", "missed")
        return pd.DataFrame(list(self.answers), columns=keys)

    def stage(self, name: str) -> pd.DataFrame:
        """The observations of one stage."""
        return self.observations[self.observations["stage"] == name]

    @cached_property
    def floor(self) -> NoiseFloor | None:
        """Run-to-run noise of the baseline, from the floor's observations; None while there are too few."""
        from analysis import TableError, noise_floor

        try:
            return noise_floor(self.stage("floor"), self.baseline.key)
        except TableError:
            return None

    @cached_property
    def aa(self) -> AACheck | None:
        """One half of the floor against the other; None while there are too few observations."""
        from analysis import TableError, aa_check

        try:
            rng = np.random.default_rng(self.config.study.seed)
            return aa_check(self.stage("floor"), rng=rng, configuration=self.baseline.key)
        except TableError:
            return None

    @cached_property
    def verdicts(self) -> list[Verdict]:
        """All finalists against the baseline, from the confirmation's observations only; the one that counts first.

        Empty before the confirmation is complete, and where too few of its requests succeeded (`judge_all` says why).
        """
        from analysis import TableError

        if not self.finalists or self.stored.record.confirmed is None:
            return []
        try:
            return self.judge_all()
        except TableError:
            return []

    @property
    def verdict(self) -> Verdict | None:
        """The finalist against the baseline, of several that with the best verdict; None before there is one."""
        return next(iter(self.verdicts), None)

    @property
    def looks(self) -> list[Look]:
        """What the looks at the confirmation decided, in their order; see `sweeps.study.looks.take_look`."""
        return list(self.stored.record.looks)

    @property
    def looks_told(self) -> list[str]:
        """What was told at the looks, a sentence per look and finalist; those of an earlier scoring are marked."""
        return look_sentences(self.looks, self.stored.record.scoring)

    @property
    def last_look(self) -> str:
        """What was told of the finalist at its last look; "" where it was not looked at."""
        if self.finalist is None:
            return ""
        return last_sentence(self.looks, self.stored.record.scoring, self.finalist.number)

    @cached_property
    def fresh_effects(self) -> dict[str, float]:
        """How far each finalist's fresh mean lies above that of all fresh generations of the baseline, by key.

        Over the same cases and hosts. A verdict on a finalist that left early compares with the generations that the
        baseline had until then; what is recommended should not hang on which these were.
        """
        return fresh_effects(self.stage("confirm"), self.baseline, self.finalists)

    def judge(self, *, scores: pd.DataFrame | None = None, **changes: Any) -> Verdict:
        """Judge the confirmation with other settings; of several finalists, that with the best verdict.

        Args:
            scores: Other scores of the confirmation's texts, with the columns that name them; the study's by default.
            **changes: `claim`, `alpha`, `margin`, `min_gain` or `test`, where not None.

        Raises:
            SweepError: If there is no confirmation to judge yet.
            analysis.TableError: If the observations do not allow the claim.
        """
        return self.judge_all(scores=scores, **changes)[0]

    def judge_all(self, *, scores: pd.DataFrame | None = None, **changes: Any) -> list[Verdict]:
        """As `judge`, for all finalists: those to recommend first, of these the ones shown better.

        What is equal so far goes by whether a look gave it up, and then by the fresh mean, as `fresh_effects` has it.
        """
        from analysis import judge

        data = self.stage("confirm")
        if scores is not None:  # with what else tells: the temperature says what is greedy, the finish what failed
            place = [name for name in PLACE_COLUMNS if name in scores]
            data = data.drop(columns="score").merge(scores[[*place, "score"]], on=place)
        keys = [finalist.configuration.key for finalist in self.finalists]
        if not keys or data.empty or self.stored.record.confirmed is None:  # half of it would be a peek
            raise SweepError(
                f"study {self.name!r} has no complete confirmation yet"
                f" (status: {standing_of(self.directory, self.name, self.status)}); run it to the end first"
            )
        table = self.config.verdict
        settings: dict[str, Any] = {name: getattr(table, name) for name in ("claim", "alpha", "margin", "min_gain")}
        settings |= {name: value for name, value in changes.items() if value is not None}
        design = design_of(self.plan, alpha=settings["alpha"], futility=self.config.confirm.futility)
        if all(arm.is_greedy for arm in (self.baseline, *(finalist.configuration for finalist in self.finalists))):
            design = None  # all that there is was there at once, so that no look was taken
        verdicts = judge(
            data,
            baseline=self.baseline.key,
            finalists=keys,
            design=design,
            look=judged_at(self.looks, self.baseline, self.finalists),
            given_up=given_up(self.looks, self.finalists),
            seed=self.config.study.seed,
            **settings,
        )
        effects = fresh_effects(data, self.baseline, self.finalists)
        told = explained(verdicts, effects, self.stored.record, self.finalists, names=self.called)

        def rank(own: Verdict) -> tuple[bool, bool, bool, float]:
            effect = effects.get(own.configuration, own.effect)
            return not self._usable(own, effect), own.outcome != "better", own.given_up, -effect

        return sorted(told, key=rank)

    @property
    def recommended(self) -> Configuration:
        """The finalist where it is shown better or its fresh mean is above the baseline's, else the baseline.

        The baseline's mean is that of all its fresh generations (`fresh_effects`). A finalist that is shown worse, or
        is above a limit, is not recommended.
        """
        verdict = self.verdict
        if verdict is None or self.finalist is None:
            return self.baseline
        effect = self.fresh_effects.get(verdict.configuration, verdict.effect)
        return self.finalist.configuration if self._usable(verdict, effect) else self.baseline

    def _usable(self, verdict: Verdict, effect: float) -> bool:
        above = verdict.outcome == "better" or (effect > 0 and verdict.outcome != "worse")
        return above and not self.limits.broken(verdict.configuration)

    @property
    def fresh_rows(self) -> list[Mapping[str, Any]]:
        """Rows of the confirmation; none before it is complete."""
        return [row for row in self.rows if row["stage"] == "confirm" and self.stored.record.confirmed is not None]

    @cached_property
    def limits(self) -> Limits:
        """The limits held against the fresh generations of all arms; empty before the confirmation is complete."""
        return Limits.of(self.fresh_rows, self.config.constraints, claim=self.config.verdict.claim)

    @property
    def constraints(self) -> pd.DataFrame:
        """Limits, and the fresh means of baseline and finalist; see `sweeps.scoring.limits.constraints_table`."""
        return self.limits.table(self.baseline.key, self.finalist.configuration.key if self.finalist else "")

    @property
    def broken(self) -> list[str]:
        """Limits that the finalist's fresh means lie above, as `breaks words: 171 on average, limit 150`."""
        return self.limits.broken(self.finalist.configuration.key) if self.finalist else []

    @property
    def exportable(self) -> bool:
        """Whether the finalist is shown better and above no limit, so that it is exported without force."""
        return self.shown_better and not self.broken

    @property
    def shown_better(self) -> bool:
        """Whether the verdict is `better`."""
        return self.verdict is not None and self.verdict.outcome == "better"

    @cached_property
    def expected(self) -> pd.DataFrame:
        """What is to be expected of fresh generations of each configuration; see `analysis.pareto.expected`.

        The noise of a score is that of the floor. Without one, or with that of a greedy baseline, it is pooled from
        all observations, also where the verdict knows another.
        """
        from analysis.pareto import expected

        sd = None if self.floor is None else self.floor.sd
        return expected(self.observations, baseline=self.baseline.key, noise_sd=sd)

    @property
    def pareto(self) -> pd.DataFrame:
        """Configurations that no other is expected to beat on both score and output tokens, the cheapest first.

        The front of `expected`: columns `configuration` (see `configurations`), `trial`, `n`, `mean`, `score` and `se`
        (as expected of fresh generations), `output_tokens`, `confirmed` and more. Without rows where nothing tells
        tokens or noise.
        """
        from analysis.pareto import front_of

        return front_of(self.expected)

    @cached_property
    def robustness(self) -> pd.DataFrame | None:
        """The verdict under other weights and thresholds; None before there is one, or without a rubric's items."""
        from sweeps.results.robustness import robustness_table

        return None if self.verdict is None else robustness_table(self)

    @property
    def folder(self) -> Path:
        """Where the study's report, plots and exports land."""
        return self.directory / "sweeps" / self.name

    def export(
        self,
        formats: Sequence[str] = ("env", "json"),
        *,
        out: str | Path | None = None,
        mode: str = "production",
        force: bool = False,
        folder: str | Path | None = None,
    ) -> list[Path]:
        """Write the finalist's options for a pipeline.

        Args:
            formats: Of `env`, `json`, `modelfile`, `toml`.
            out: Folder to write to; by default the study's folder.
            mode: `production` (as tuned) or `baseline` (temperature 0, fixed seed).
            force: Write settings that are not shown better, or break a limit; the files say so.
            folder: Previous name of `out`.

        Returns:
            The files written.

        Raises:
            ExportError: If the finalist is not shown better, or breaks a limit, and `force` is not set.
            SweepError: If there is no finalist yet.
        """
        from analysis.export.formats import write_exports
        from sweeps.results.export_error import export_errors

        honoured = self.stored.record.honoured
        target = folder if out is None else out
        with export_errors():
            return write_exports(
                self.export_set(),
                self.folder if target is None else Path(target),
                formats=formats,  # type: ignore[arg-type]
                mode=mode,  # type: ignore[arg-type]
                force=force,
                honoured=honoured,
            )

    def export_set(self) -> ExportSet:
        """The finalist with its provenance.

        Raises:
            SweepError: If there is no finalist yet.
        """
        from sweeps.results.finalist_export import export_set

        return export_set(self)
