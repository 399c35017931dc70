"""Where a sweep stands, as pure functions of its observations; and what is said before it starts."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from analysis import PRIOR_NOISE_SD
from analysis import plan as generations_for
from analysis.comparison.pair import FEWEST_CASES
from analysis.formatting import as_sentence
from analysis.power.planning import noise_to_plan_with
from sweeps.budget.plan import Plan, left_out, plan_text
from sweeps.config.file import SweepConfig
from sweeps.hosts.host import Host
from sweeps.hosts.sweep_hosts import Capacity, host_differences
from sweeps.options import Configuration
from sweeps.progress import Progress, Standing
from sweeps.results.reader import KnownFloor
from sweeps.results.result import SweepResult
from sweeps.search.explorer import Proposal, TrialResult
from sweeps.study.looks import final_level, visible_gain

_Z95 = 1.96
_ANEW = " under another study.name"
"""Where a study that exists would have to change."""


def trial_result(
    rows: Sequence[Mapping[str, Any]],
    cases: Sequence[str],
    noise_sd: float | None = None,
    *,
    offsets: Mapping[str, float] | None = None,
) -> TrialResult:
    """Means of one trial's observations.

    Args:
        rows: Its rows of the observations table, of one stage.
        cases: Names of all cases.
        noise_sd: The floor's within-case standard deviation; None to pool it from these rows.
        offsets: How much easier each case is than the mean case (`analysis.observations.case_offsets`), where trials differ in cases.

    Returns:
        The result; its value is NaN where half of its cases or more have no score. Its cases are those that it has rows
        of where `offsets` are given; else all, since a mean over some would be compared with means over all.
    """
    by_case: dict[str, list[float]] = {case: [] for case in cases}
    for row in rows:
        if not math.isnan(row["score"]):
            by_case[row["case"]].append(row["score"])
    scores = [np.array(by_case[case]) for case in cases]
    means = [float(s.mean()) if s.size else math.nan for s in scores]
    level = offsets or {}
    have = [mean - level.get(case, 0.0) for case, mean in zip(cases, means, strict=True) if not math.isnan(mean)]
    wanted = len(cases) if offsets is None else len({row["case"] for row in rows})
    value = float(np.mean(have)) if 2 * len(have) > wanted else math.nan
    if noise_sd is None:
        squares = sum(float(((s - s.mean()) ** 2).sum()) for s in scores if s.size)
        dof = sum(s.size - 1 for s in scores if s.size)
        noise_sd = math.sqrt(squares / dof) if dof else 0.0
    return TrialResult(value, sum(s.size for s in scores), means, noise_sd)


def after_floor(floor: TrialResult, *, generations_per_trial: int) -> Standing:
    """The standing when the floor is known.

    The band is where the difference between one trial's mean and the baseline's lies in 95% of trials that change
    nothing. A greedy baseline shows no noise, but the trials beside it have some: the prior stands in for it.
    """
    noise_sd = floor.noise_sd or PRIOR_NOISE_SD
    band = _Z95 * noise_sd * math.sqrt(1 / generations_per_trial + (1 / floor.n if floor.noise_sd else 0.0))
    return Standing(baseline_mean=floor.score, noise_sd=noise_sd, band=band)


def after_batch(
    standing: Standing, proposals: Sequence[Proposal], results: Mapping[int, TrialResult], baseline: Configuration
) -> Standing:
    """The standing when more trials are known; the best one by what the sampler is told, shown with its score."""
    scored = [number for number, result in results.items() if not math.isnan(result.value)]
    if not scored:
        return replace(standing, trials=len(results))
    best = max(scored, key=lambda number: results[number].value)
    result = results[best]
    half = _Z95 * result.noise_sd / math.sqrt(max(result.n, 1))
    # Where limits cost some trial the first place, the best score so far can fall.
    penalised = any(each.penalty is not None and each.penalty.lost > 0 for each in results.values())
    which = f"trial {best}" + (", best after the penalty for limits" if penalised else "")
    return replace(
        standing,
        best=f"{which}: {proposals[best].configuration.text(baseline)}",
        best_mean=result.score,
        best_low=max(0.0, result.score - half),
        best_high=min(1.0, result.score + half),
        trials=len(results),
    )


def enough_for(config: SweepConfig, plan: Plan, noise_sd: float) -> str:
    """The budget that sees `verdict.min_gain`, as the setting to write; for new cases, the least that may see it."""
    gain, new = config.verdict.min_gain, config.verdict.claim == "new-cases"
    if gain is None:
        return ""
    needed = generations_for(
        noise_sd,
        gain,
        cases=plan.cases,
        interaction_sd=0.0 if new else None,
        alpha=final_level(plan, config.verdict.alpha) * plan.finalists,
        finalists=plan.finalists,
        confirm_share=config.budget.confirm_share,
    ).budget
    return f"budget.generations = {needed}{' or more' if new else ''}" if needed else "more cases"


@dataclass(frozen=True)
class Sight:
    """What a confirmation will be able to see.

    Attributes:
        noise_sd: Noise of a generation within a case that is reckoned with.
        assumed: Whether it is the prior: no floor was measured, or a greedy one, which shows no noise.
        gain: The smallest gain seen with 80% probability; infinite where the claim cannot be made at all, NaN where
            nothing tells it before the arms have run.
        found: The same in words.
        todo: What to do where `verdict.min_gain` would be missed more often, or no claim can be made; else "".
    """

    noise_sd: float
    assumed: bool
    gain: float
    found: str
    todo: str

    @property
    def text(self) -> str:
        """What is found, and what to do."""
        return "; ".join(filter(None, (self.found, self.todo)))


def is_all_greedy(config: SweepConfig) -> bool:
    """Whether the baseline and everything that may be tried are greedy, so that no score has any noise."""
    tried = [value for name in ("temperature", "mirostat") if name in config.space for value in _values(config, name)]
    return config.baseline.is_greedy and not any(tried)


def _values(config: SweepConfig, name: str) -> list[float]:
    return [float(value) for value in config.space[name].extremes()]


def _greedy_sight(plan: Plan, *, stored: bool) -> Sight:
    """What is seen where nothing has noise: other cases alone can tell a difference from chance."""
    greedy = "the baseline and all that is searched are greedy (temperature 0), so on these cases differences are exact"
    if plan.cases >= FEWEST_CASES:
        found = f"{greedy}: the claim is for new cases like these {plan.cases}, and what it sees hangs on how they"
        return Sight(
            0.0, False, math.nan, f"{found} differ in the effect, which nothing tells before they have run", ""
        )
    found = f"{greedy}, and no gain can be claimed: for new cases it takes {FEWEST_CASES}, and there are {plan.cases}"
    todo = f"name {FEWEST_CASES} cases or more, or a temperature above 0 in [baseline] or [space]"
    return Sight(0.0, False, math.inf, found, todo + (_ANEW if stored else ""))


def sight_of(config: SweepConfig, plan: Plan, known: KnownFloor | None = None, *, stored: bool = False) -> Sight:
    """What the confirmation of a plan will be able to see, for the claim that the sweep makes.

    Args:
        config: The sweep.
        plan: Its plan.
        known: The noise floor, where one was measured.
        stored: Whether the study exists, so that its cases, space and budget stay what they are.
    """
    if is_all_greedy(config):
        return _greedy_sight(plan, stored=stored)
    noise_sd, assumed = noise_to_plan_with(known and known.floor)
    claim, least = config.verdict.claim, config.verdict.min_gain
    gain = visible_gain(plan, noise_sd, alpha=config.verdict.alpha, claim=claim)
    whence = ""
    if known:
        ends = f"{known.floor.ci_low:.3f} to {known.floor.ci_high:.3f}"
        whence = f"95% interval {ends}, floor of study {known.study!r}"
    if assumed:
        greedy = config.baseline.is_greedy or known is not None
        whence = f"assumed{': a greedy baseline shows none' if greedy else ' until the floor is measured'}"
    found = f"with noise {noise_sd:.3f} per generation ({whence}) the confirmation sees a gain of {gain:.3f}"
    if claim == "new-cases":
        found += " on new cases in 80% of sweeps, if these cases respond alike; the more they differ in the effect, the"
        found += " larger a gain it takes"
    else:
        found += " in 80% of sweeps"
    todo = ""
    if least is not None and gain > least:
        todo = f"verdict.min_gain {least:g} would be missed more often; it takes {enough_for(config, plan, noise_sd)}"
        todo += _ANEW if stored else ""
    return Sight(noise_sd, assumed, gain, found, todo)


def announce(
    progress: Progress,
    config: SweepConfig,
    plan: Plan,
    capacity: Capacity,
    hosts: Sequence[Host],
    *,
    known: KnownFloor | None = None,
    stored: bool = False,
) -> Sight:
    """Say what is going to run, on what, and what it will be able to see; `known` and `stored` as for `sight_of`.

    Returns:
        What it will be able to see.
    """
    progress.plan(plan.floor, plan.explore, plan.confirm)
    for host in hosts:
        name = f"{host.name}: " if len(hosts) > 1 else ""
        if host.dropped:
            progress.note(f"{name}set aside: {host.dropped}", warning=True)
        for fingerprint in host.fingerprints.values():
            progress.note(name + fingerprint.summary)
            for warning in fingerprint.warnings:
                progress.note(name + warning, warning=True)
    for line in host_differences(hosts):
        progress.note(line, warning=True)
    for name, value in config.environment.items():
        progress.note(f"{name}={value} in the environment sets the baseline, since the file does not", warning=True)
    progress.note(plan_text(plan))
    partial = "; ".join(filter(None, left_out(plan, config, stored=stored)))
    if partial:
        progress.note(partial, warning=True)
    sight = sight_of(config, plan, known, stored=stored)
    progress.note(sight.text, warning=bool(sight.todo))
    wanted = int(config.baseline.options["num_predict"])
    if capacity.room < wanted:
        progress.note(
            f"the prompt of case {capacity.case} has {capacity.longest} tokens, so num_ctx {capacity.smallest_ctx}"
            f" leaves {capacity.room} for the answer, fewer than num_predict {wanted}",
            warning=True,
        )
    return sight


def announce_floor(progress: Progress, result: SweepResult, before: Sight) -> None:
    """Say what the measured floor changes of what was said before it, and if the baseline differs from itself.

    Args:
        progress: Told.
        result: The study, with its floor.
        before: What was said.
    """
    config, known = result.config, KnownFloor(result.floor, result.name) if result.floor else None
    sight = sight_of(config, result.plan, known, stored=True)
    if sight.found != before.found:
        progress.note(sight.text, warning=bool(sight.todo))
    if result.aa is not None and not result.aa.passed:
        progress.note(as_sentence(result.aa.sentence, {config.baseline.key: "the baseline"}), warning=True)
