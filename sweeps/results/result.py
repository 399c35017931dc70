"""Result of a sweep: a study's data with its verdict, recommendation and exports."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from analysis import TableError, Verdict, pareto
from analysis.comparison.claim import Claim
from analysis.export.formats import ExportSet, write_exports
from analysis.html_table import html_table
from analysis.pass_rates import Reliability
from analysis.verdict.use_now import UseNow, changes
from sweeps.options import Configuration
from sweeps.results.export_error import export_errors
from sweeps.results.finalist_export import export_set, modelfile_options
from sweeps.results.look_history import last_sentence
from sweeps.results.ranking import candidate_ranking
from sweeps.results.robustness import robustness_table
from sweeps.results.study_data import StudyData
from sweeps.results.use_now import use_now
from sweeps.results.verdicts import fresh_effects, judge_finalists, recommended
from sweeps.search.trial import Proposal


@dataclass(frozen=True, repr=False)
class SweepResult(StudyData):
    """A study as it is in the ledger, with its verdict. Reading one needs neither engine nor cases.

    Attributes and further properties: see `StudyData`.
    """

    def __repr__(self) -> str:
        """Name, status and the verdict's sentence."""
        sentence = "no verdict yet" if self.verdict is None else self.verdict.sentence
        return f"<SweepResult {self.name!r} ({self.status}): {sentence}>"

    def _repr_html_(self) -> str:
        facts = {"trials": str(len(self.proposals)), "generations": str(len(self.rows))}
        sentence, verdict = "", self.verdict
        if verdict is not None and self.finalist is not None:
            changed = ", ".join(changes(self.baseline.values, self.finalist.configuration.values))
            facts = {"finalist": changed, "outcome": verdict.outcome, **verdict.facts}
            sentence = verdict.sentence
        return html_table(f"{self.name}: {self.status}", {"answer": self.use_now.text, **facts}, sentence)

    @property
    def use_now(self) -> UseNow:
        """The settings to use now, and why; `use_now.text` is the answer on one line."""
        return use_now(self, self.verdicts)

    # ---- verdict

    def judge(self, *, scores: pd.DataFrame | None = None, **changes: Any) -> Verdict:
        """Judge the confirmation with other settings.

        Args:
            scores: Other scores of the confirmation's texts, with the columns of their places; the study's by default.
            **changes: Arguments of `analysis.judge` such as `claim`, `alpha` or `margin`, where not None.

        Returns:
            The verdict on the finalist; of several finalists, the best verdict.

        Raises:
            SweepError: If there is no complete confirmation.
            analysis.TableError: If the observations do not allow the claim.
        """
        return self.judge_all(scores=scores, **changes)[0]

    def judge_all(self, *, scores: pd.DataFrame | None = None, **changes: Any) -> list[Verdict]:
        """As `judge`, for all finalists in the order of preference; see `sweeps.results.verdicts.judge_finalists`."""
        return judge_finalists(self, scores=scores, **changes)

    @cached_property
    def verdicts(self) -> list[Verdict]:
        """The verdicts on all finalists, from the confirmation's observations only; the one that counts first.

        Empty before the confirmation is complete, and where too few of its requests succeeded (`judge_all` says why).
        """
        if not self.finalists or not self.is_confirmed:
            return []
        try:
            return self.judge_all()
        except TableError:
            return []

    @property
    def verdict(self) -> Verdict | None:
        """The verdict on the finalist; of several finalists, the best verdict. None before there is one."""
        return next(iter(self.verdicts), None)

    def reliability(
        self, bar: float | None = None, k: int | None = None, *, claim: Claim | None = None
    ) -> Reliability | None:
        """How often the fresh generations of each case reach a bar; see `analysis.reliability`.

        Args:
            bar: The score to reach; by default `verdict.bar`.
            k: Runs that must all reach it; by default `verdict.k`.
            claim: The cases that the intervals of means are about; by default `verdict.claim`.

        Returns:
            Tables by case and by configuration; None without a bar, or before the confirmation is complete.

        Raises:
            ValueError: A number is out of its range.
        """
        table = self.config.verdict
        bar = table.bar if bar is None else bar
        if bar is None or not self.fresh_rows:
            return None
        return Reliability.of(self.stage("confirm"), bar, k or table.k, claim=claim or table.claim)

    @property
    def shown_better(self) -> bool:
        """Whether the verdict is `better`."""
        return self.verdict is not None and self.verdict.outcome == "better"

    @cached_property
    def ranking(self) -> pd.DataFrame | None:
        """Baseline and candidates of a comparison by mean, with simultaneous intervals; see `candidate_ranking`."""
        return candidate_ranking(self)

    @cached_property
    def robustness(self) -> pd.DataFrame | None:
        """The verdict under other weights and thresholds; None before there is one, or without a rubric's items."""
        return None if self.verdict is None else robustness_table(self, self.verdict)

    # ---- finalist

    @property
    def finalist(self) -> Proposal | None:
        """The finalist that counts: of several the one with the best verdict; None while there is none."""
        finalists = self.finalists
        if len(finalists) > 1 and self.verdict is not None:
            return next(each for each in finalists if each.configuration.key == self.verdict.configuration)
        return next(iter(finalists), None)

    @property
    def last_look(self) -> str:
        """The sentence of the look that settled the finalist before the end; "" where none did."""
        if self.finalist is None:
            return ""
        return last_sentence(self.looks, self.stored.record.scoring, self.finalist.number)

    @cached_property
    def fresh_effects(self) -> dict[str, float]:
        """Differences between each finalist's fresh mean and that of all fresh generations of the baseline, by key.

        Both means are over the same cases and hosts. The verdict on a finalist that left early uses the generations
        that the baseline had until then; a recommendation should not depend on when that was.
        """
        return fresh_effects(self.stage("confirm"), self.baseline, self.finalists)

    @property
    def constraints(self) -> pd.DataFrame:
        """Limits, and the fresh means of baseline and finalist; see `sweeps.scoring.limits.constraints_table`."""
        return self.limits.table(self.baseline.key, self.finalist.configuration.key if self.finalist else "")

    @property
    def broken(self) -> list[str]:
        """Limits that the finalist's fresh means lie above, as `breaks words: 171 on average, limit 150`."""
        return self.limits.broken(self.finalist.configuration.key) if self.finalist else []

    # ---- recommendation

    @property
    def recommended(self) -> Configuration:
        """The finalist where it is recommended by the study's `[verdict] recommend`, else the baseline."""
        return self.recommend()

    def recommend(self, recommend: float | None = None) -> Configuration:
        """The finalist where it is recommended, else the baseline.

        It is recommended where it is shown better, and where it is ahead of all fresh generations of the baseline with
        a probability of being truly better of at least `recommend`. One that is shown worse, or is above a limit, is
        not.

        Args:
            recommend: The threshold; by default the study's (`[verdict] recommend`).
        """
        verdict = self.verdict
        if verdict is None or self.finalist is None or self.broken:
            return self.baseline
        given = recommended(self, verdict, self.fresh_effects, recommend=recommend).is_given
        return self.finalist.configuration if given else self.baseline

    @property
    def probability_better(self) -> float:
        """Probability that the finalist is truly better, by search and fresh generations; NaN where nobody knows."""
        verdict = self.verdict
        return math.nan if verdict is None else recommended(self, verdict, self.fresh_effects).probability

    @property
    def exportable(self) -> bool:
        """Whether the finalist is shown better and above no limit, so that it is exported without force."""
        return self.shown_better and not self.broken

    @cached_property
    def expected(self) -> pd.DataFrame:
        """Expected scores and lengths of fresh generations of each configuration; see `analysis.pareto.expected`.

        The noise of a score is the floor's. Without a floor, or with a greedy baseline, it is pooled from all
        observations, which may differ from the noise in the verdict.
        """
        sd = None if self.floor is None else self.floor.sd
        return pareto.expected(self.observations, baseline=self.baseline.key, noise_sd=sd)

    @property
    def pareto(self) -> pd.DataFrame:
        """Configurations that no other is expected to beat on both score and output tokens, the cheapest first.

        The front of `expected`: columns `configuration` (see `configurations`), `trial`, `n`, `mean`, `score` and `se`
        (as expected of fresh generations), `output_tokens`, `confirmed` and more. Without rows where tokens or noise
        are unknown.
        """
        return pareto.front_of(self.expected)

    # ---- export

    def export_set(self) -> ExportSet:
        """The finalist with its provenance.

        Raises:
            SweepError: If there is no finalist yet.
        """
        return export_set(self, self.finalist, self.verdict)

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
        target = folder if out is None else out
        with export_errors():
            return write_exports(
                self.export_set(),
                self.folder if target is None else Path(target),
                formats=formats,  # type: ignore[arg-type]
                mode=mode,  # type: ignore[arg-type]
                force=force,
                honoured=modelfile_options(self, self.finalist.configuration) if self.finalist else None,
            )
