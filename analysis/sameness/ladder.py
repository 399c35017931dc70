"""The ladder of an audit: hosts compared rung by rung, all rungs of all pairs at one level.

The rungs here are those that need a test: same-seed texts, the distribution of texts, numerics, and quality. Rendered
prompts and weights are equal or not, which is no matter of chance.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

import pandas as pd

from analysis.noise.kernel_test import KernelTest, kernel_test
from analysis.noise.logprob_shift import LOGPROB_COLUMNS, LogprobShift, ShiftVerdict, judge_shift, logprob_shift
from analysis.noise.text_agreement import TEXT_COLUMNS
from analysis.observations.table import TableError, require_columns
from analysis.sameness.family import audit_family
from analysis.sameness.host_quality import HostQuality, host_quality
from analysis.sameness.same_request import SameRequest, same_request

RungName = Literal["same-seed texts", "distribution of texts", "numerics", "quality"]
RUNGS: tuple[RungName, ...] = get_args(RungName)

Finding = Literal["same", "differs", "not shown", "not done"]

REFERENCE = "warm"
"""Arm of the log probabilities on which hosts are compared with each other."""

RUN_COLUMNS = ("host", "arm", "repeat", *LOGPROB_COLUMNS)
"""Columns of the log probabilities of first tokens."""


@dataclass(frozen=True)
class Rung:
    """One test of one pair of hosts.

    Attributes:
        host_a: Label of one host.
        host_b: Label of the other.
        mode: The mode of its texts; "" where there is no mode.
        rung: Its name.
        finding: "differs" only if the adjusted p is at most the audit's alpha. "same" where sameness is shown: texts
            and quality within their margins, numerics equal to those of repeats or within the hosts' own shifts.
        p_value: The p of this test alone; NaN where nothing was tested.
        p_adjusted: The p adjusted for all tests of the audit.
        n: Independent units: requests, texts of the host with fewer, prompts, or scores.
        sentence: The result in words.
        result: The result of the test itself; None where it was not done.
    """

    host_a: str
    host_b: str
    mode: str
    rung: RungName
    finding: Finding
    p_value: float
    p_adjusted: float
    n: int
    sentence: str
    result: SameRequest | KernelTest | ShiftVerdict | HostQuality | None


def ladder(
    texts: pd.DataFrame,
    *,
    observations: pd.DataFrame | None = None,
    first_tokens: pd.DataFrame | None = None,
    pairs: Sequence[tuple[str, str]] | None = None,
    greedy_modes: Sequence[str] = ("baseline",),
    margin: float | None = None,
    alpha: float = 0.05,
    seed: int = 0,
) -> list[Rung]:
    """Compare hosts rung by rung.

    Args:
        texts: Texts on the reference arm with the columns of `text_agreement.TEXT_COLUMNS` and, if there are several,
            `mode`. The options of a mode are the same on all hosts.
        observations: Scored texts of one mode with `host`, `case`, `seed`, `score` and perhaps `text_sha256`.
        first_tokens: Log probabilities of first tokens with the columns RUN_COLUMNS.
        pairs: Labels of the hosts to compare; by default the first host with each of the others.
        greedy_modes: Modes at temperature 0, in which seeds change nothing.
        margin: Differences of mean scores smaller than this count as none.
        alpha: Probability of any false alarm in an audit of hosts that do not differ.
        seed: Seed of random rearrangements.

    Returns:
        The rungs, pair by pair.

    Raises:
        TableError: A column is missing, or there is one host only.
    """
    require_columns(texts, TEXT_COLUMNS)
    hosts = list(dict.fromkeys(texts["host"].astype(str)))
    if pairs is None:
        pairs = [(hosts[0], other) for other in hosts[1:]]
    if not pairs:
        raise TableError("the table names a single host, so there is nothing to compare: add another")
    modes = (
        {"": texts} if "mode" not in texts else {str(mode): rows for mode, rows in texts.groupby("mode", sort=False)}
    )
    quality = _quality(observations, margin, pairs, alpha, seed)
    rungs = [
        rung
        for names in pairs
        for rung in (
            *_of_texts(modes, names, frozenset(greedy_modes), alpha, seed),
            _numerics(first_tokens, names, alpha),
            _of_quality(quality, names),
        )
    ]
    family = audit_family({str(place): rung.p_value for place, rung in enumerate(rungs)}, alpha)
    return [_adjusted(rung, float(p), alpha) for rung, p in zip(rungs, family["p_adjusted"], strict=True)]


def ladder_table(rungs: Sequence[Rung]) -> pd.DataFrame:
    """Return a row per rung with the fields of `Rung`, without the results themselves."""
    names = [name for name in Rung.__dataclass_fields__ if name != "result"]
    return pd.DataFrame([[getattr(rung, name) for name in names] for rung in rungs], columns=names)


def _adjusted(rung: Rung, p_value: float, alpha: float) -> Rung:
    """Put the adjusted p into a rung; a difference that is none at the audit's level is not shown."""
    finding: Finding = rung.finding
    sentence, result = rung.sentence, rung.result
    if finding == "differs" and not p_value <= alpha:
        finding = "not shown"
        sentence = f"{sentence} With all tests of the audit that is not shown (p = {p_value:.2g})."
        if isinstance(result, HostQuality):
            result = replace(result, outcome="not shown", sentence=sentence)
    return replace(rung, p_adjusted=p_value, finding=finding, sentence=sentence, result=result)


def _not_done(names: tuple[str, str], mode: str, rung: RungName, why: str) -> Rung:
    return Rung(*names, mode, rung, "not done", math.nan, math.nan, 0, why, None)


def _of_texts(
    modes: Mapping[str, pd.DataFrame], names: tuple[str, str], greedy: frozenset[str], alpha: float, seed: int
) -> Iterator[Rung]:
    for mode, rows in modes.items():
        try:
            same = same_request(rows, *names, greedy=mode in greedy, alpha=alpha, seed=seed)
        except TableError as error:
            yield _not_done(names, mode, "same-seed texts", f"Not compared: {error}.")
            continue
        yield Rung(
            *names, mode, "same-seed texts", same.verdict, same.p_value, math.nan, same.between.n, same.sentence, same
        )
        if mode not in greedy:
            yield _distribution(rows, names, mode, alpha, seed)


def _distribution(rows: pd.DataFrame, names: tuple[str, str], mode: str, alpha: float, seed: int) -> Rung:
    """Test the distribution of texts by one text per request."""
    once = rows.sort_values("repeat", kind="stable").drop_duplicates(["host", "case", "seed"])
    x, y = (once[once["host"] == name].sort_values(["case", "seed"]) for name in names)
    found = kernel_test(x["text"].tolist(), y["text"].tolist(), x["case"].tolist(), y["case"].tolist(), seed=seed)
    finding: Finding = "differs" if found.p_value <= alpha else "not shown"
    said = "differ" if finding == "differs" else "do not differ clearly"
    sentence = f"The distributions of texts {said} (p = {found.p_value:.2g}, {found.n_x} and {found.n_y} texts)."
    n = min(found.n_x, found.n_y)
    return Rung(*names, mode, "distribution of texts", finding, found.p_value, math.nan, n, sentence, found)


def _numerics(runs: pd.DataFrame | None, names: tuple[str, str], alpha: float) -> Rung:
    """Hold the shift between hosts on the reference arm against each host's own shifts."""
    if runs is None or not len(runs):
        return _not_done(names, "", "numerics", "No host gave log probabilities.")
    require_columns(runs, RUN_COLUMNS)
    by_host = [runs[runs["host"] == name] for name in names]
    first = [_run(rows, REFERENCE, 0) for rows in by_host]
    lacking = [name for name, run in zip(names, first, strict=True) if run.empty]
    if lacking:
        return _not_done(names, "", "numerics", f"No log probabilities of {' and '.join(lacking)}.")
    own = [shift for rows, run in zip(by_host, first, strict=True) for shift in _own_shifts(rows, run)]
    repeats = [
        logprob_shift(run, _run(rows, REFERENCE, repeat))
        for rows, run in zip(by_host, first, strict=True)
        for repeat in sorted(rows.loc[rows["arm"] == REFERENCE, "repeat"].unique())
        if repeat != 0
    ]
    found = judge_shift(logprob_shift(*first), own, repeats, alpha=alpha)
    findings: dict[str, Finding] = {
        "same numbers": "same", "within own shifts": "same", "beyond own shifts": "differs",
        "not decided": "not shown",
    }  # fmt: skip
    finding = findings[found.numerics]
    return Rung(*names, "", "numerics", finding, found.p_value, math.nan, found.prompts, found.sentence, found)


def _run(rows: pd.DataFrame, arm: str, repeat: int) -> pd.DataFrame:
    return rows[(rows["arm"] == arm) & (rows["repeat"] == repeat)]


def _own_shifts(rows: pd.DataFrame, reference: pd.DataFrame) -> list[LogprobShift]:
    """Return the shifts of a host's other arms from its reference."""
    arms = [arm for arm in rows["arm"].unique() if arm != REFERENCE]
    return [
        logprob_shift(reference, _run(rows, arm, int(rows.loc[rows["arm"] == arm, "repeat"].min()))) for arm in arms
    ]


def _quality(
    observations: pd.DataFrame | None,
    margin: float | None,
    pairs: Sequence[tuple[str, str]],
    alpha: float,
    seed: int,
) -> dict[tuple[str, str], HostQuality]:
    if observations is None or not observations["score"].notna().any():
        return {}
    found = host_quality(observations, margin, pairs=pairs, alpha=alpha, seed=seed)
    return {(each.host_a, each.host_b): each for each in found}


def _of_quality(quality: Mapping[tuple[str, str], HostQuality], names: tuple[str, str]) -> Rung:
    found = quality.get(names)
    if found is None:
        return _not_done(names, "", "quality", "The texts have no scores.")
    return Rung(*names, "", "quality", found.outcome, found.p_raw, math.nan, found.n, found.sentence, found)
