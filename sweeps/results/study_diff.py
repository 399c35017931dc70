"""Two studies of the same cases side by side: baselines, finalists, and what differs in hosts and settings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from analysis import TableError, Verdict, judge
from analysis.formatting import as_sentence, option_text
from analysis.observations import views
from sweeps.errors import ConfigError
from sweeps.fingerprints.fingerprint import diff, in_digest, readable
from sweeps.options import Configuration
from sweeps.results.reader import StudyMissingError, load_result
from sweeps.results.result import SweepResult

_BASELINE = "baseline."
_NOT_COMPARED = ("study.", "case ", "objective.", "tracking.", _BASELINE)
ABSENT = "–"
"""Stands for a value that one of the studies does not have."""

ALIKE = {"equivalent": "alike within the margin", "not distinguishable": "no difference found"}
"""What an outcome says about two arms; the other outcomes speak for themselves."""


class StudiesDifferError(ConfigError):
    """Two studies that cannot be compared: they have other cases, or score them in another way."""


@dataclass(frozen=True)
class Change:
    """One thing in which two studies differ.

    Attributes:
        what: Its name, such as `temperature` or `wk-01: engine.version`.
        a: The value in the first study, as text.
        b: The value in the second.
        numeric: Whether it can change the numbers.
    """

    what: str
    a: str
    b: str
    numeric: bool = True


@dataclass(frozen=True)
class ArmDiff:
    """One arm of both studies: the second study's texts against the first one's.

    Attributes:
        arm: `baseline` or `finalist`.
        options: Model, prompt and options in which the two configurations differ.
        verdict: The comparison on the same cases; None where it was not possible.
        sentence: Its sentence, or the reason why there is none.
        shared: Texts that both studies have under the same case and seed. They are no evidence of equality.
    """

    arm: str
    options: tuple[Change, ...]
    verdict: Verdict | None
    sentence: str
    shared: int = 0

    def as_dict(self) -> dict[str, Any]:
        """The comparison as JSON types."""
        return {
            "arm": self.arm,
            "options": [asdict(change) for change in self.options],
            "sentence": self.sentence,
            "shared_texts": self.shared,
            "verdict": None if self.verdict is None else self.verdict.as_dict(),
        }


@dataclass(frozen=True)
class StudyDiff:
    """Two studies side by side.

    Attributes:
        a: Name of the first study.
        b: Name of the second study.
        baselines: Their baselines.
        finalists: Their finalists; None where one of them has none.
        hosts: What differs in the fingerprints, facts that can change the numbers first.
        settings: What else differs in their files: space, search, budget, prompts and the like.
        answers: The answer of each study on its own.
    """

    a: str
    b: str
    baselines: ArmDiff
    finalists: ArmDiff | None
    hosts: tuple[Change, ...]
    settings: tuple[Change, ...]
    answers: tuple[str, str]

    def as_dict(self) -> dict[str, Any]:
        """The comparison as JSON types."""
        return {
            "record": "diff",
            "a": {"study": self.a, "answer": self.answers[0]},
            "b": {"study": self.b, "answer": self.answers[1]},
            "baselines": self.baselines.as_dict(),
            "finalists": None if self.finalists is None else self.finalists.as_dict(),
            "fingerprints": [asdict(change) for change in self.hosts],
            "settings": [asdict(change) for change in self.settings],
        }


def find_study(named: str, mlruns: str | Path = "mlruns") -> SweepResult:
    """Open a study by `NAME`, or by `FOLDER:NAME` where it is in another folder.

    Args:
        named: The study; a name that exists in `mlruns` is never read as a folder.
        mlruns: The folder of names without one.

    Raises:
        StudyMissingError: If there is no such study.
    """
    folder, colon, name = named.rpartition(":")
    try:
        return load_result(mlruns, named)
    except StudyMissingError:
        if not colon or not folder:
            raise
        return load_result(folder, name or None)


def diff_studies(
    a: str | SweepResult, b: str | SweepResult, *, mlruns: str | Path = "mlruns", margin: float | None = None
) -> StudyDiff:
    """Compare two studies of the same cases.

    The baselines' texts of all stages are compared, and the finalists' fresh texts, by `analysis.judge` on these
    cases: a difference is the second study's mean minus the first one's. Cases are the blocks; hosts are not, as
    studies may have run on different ones.

    Args:
        a: The first study: a result, its name, or `FOLDER:NAME`.
        b: The second one.
        mlruns: The folder of names without one.
        margin: Differences within it count as none, so that equality can be shown.

    Raises:
        StudiesDifferError: If they have other cases or another objective.
        StudyMissingError: If there is no such study.
    """
    first, second = (find_study(each, mlruns) if isinstance(each, str) else each for each in (a, b))
    _require_same_task(first, second)
    finalists = [each.finalist for each in (first, second)]
    arms = None
    if finalists[0] is not None and finalists[1] is not None:
        arms = _arm("finalist", first, second, finalists[0].configuration, finalists[1].configuration, margin)
    baselines = _arm("baseline", first, second, first.baseline, second.baseline, margin)
    return StudyDiff(
        a=first.name,
        b=second.name,
        baselines=baselines,
        finalists=None if arms is None else _beside(baselines, arms),
        hosts=_host_changes(first, second),
        settings=_setting_changes(first, second),
        answers=(first.use_now.text, second.use_now.text),
    )


def _require_same_task(a: SweepResult, b: SweepResult) -> None:
    """Refuse studies whose scores mean different things."""
    cases = [{case.name: (case.rubric_sha256, case.log_sha256) for case in each.cases} for each in (a, b)]
    problems = []
    if only := sorted(cases[0].keys() ^ cases[1].keys()):
        problems.append(f"{a.name!r} and {b.name!r} have other cases: only one of them has {', '.join(only)}")
    elif other := sorted(name for name, digests in cases[0].items() if cases[1][name] != digests):
        problems.append(f"{a.name!r} and {b.name!r} have other rubrics or logs of {', '.join(other)}")
    digests = [each.stored.record.objective_digest for each in (a, b)]
    if None not in digests and digests[0] != digests[1]:
        problems.append(f"{a.name!r} and {b.name!r} score with other objectives (weights, matcher, words or score)")
    if problems:
        raise StudiesDifferError(
            "; ".join(problems)
            + "; compare studies of the same cases, or bring one to the other's with `sweeps rescore`"
        )


def _arm(
    arm: str, a: SweepResult, b: SweepResult, one: Configuration, other: Configuration, margin: float | None
) -> ArmDiff:
    labels = (f"a: {a.name}", f"b: {b.name}")
    parts = []
    for label, study, configuration in zip(labels, (a, b), (one, other), strict=True):
        rows = study.observations[study.observations["configuration"] == configuration.key]
        # A finalist was picked by its texts of the search, a baseline by none.
        rows = rows[rows["stage"] == "confirm"] if arm == "finalist" else rows
        parts.append(rows.assign(configuration=label))
    shared = _shared(*parts)
    table = pd.concat(parts, ignore_index=True)
    place = table[["host", "stage", "seed", "repeat"]].astype(str).agg(" ".join, axis=1)
    table = table.assign(seed=pd.factorize(place)[0], stage="confirm", repeat=0).drop(columns=["host", "text_sha256"])
    options = _option_changes(one, other)
    try:
        verdict = judge(table, baseline=labels[0], finalists=[labels[1]], claim="these-cases", margin=margin)[0]
    except TableError as error:
        return ArmDiff(arm, options, None, f"not compared: {error}", shared)
    called = ("A", "B") if a.name == b.name else (a.name, b.name)
    names = {labels[1]: f"the {arm} of {called[1]}", labels[0]: f"that of {called[0]}"}
    sentence = as_sentence(verdict.sentence, names) + _early((a, b), called)
    return ArmDiff(arm, options, verdict, sentence, shared)


def _beside(baselines: ArmDiff, finalists: ArmDiff) -> ArmDiff:
    """Say where equal baselines differ: whatever changed between the studies is in the finalists' difference, too."""
    moved = baselines.verdict is not None and baselines.verdict.outcome in ("better", "worse")
    if not moved or baselines.options:
        return finalists
    why = (
        " The baselines differ as well, with the same options: so something else changed between the studies, and this"
        " difference has it in it."
    )
    return replace(finalists, sentence=finalists.sentence + why)


def _early(studies: Iterable[SweepResult], called: tuple[str, str]) -> str:
    """Say which confirmations a look ended because the difference was large: their means have that luck in them."""
    early = [
        name
        for name, study in zip(called, studies, strict=True)
        if study.verdict is not None and study.verdict.ended_early
    ]
    if not early:
        return ""
    return (
        f" A look ended the confirmation of {' and that of '.join(early)} early, as happens to gains that came out"
        " large: part of a difference may be that luck."
    )


def _shared(a: pd.DataFrame, b: pd.DataFrame) -> int:
    """Count the texts that both tables have under the same case and seed."""
    on = ["case", "seed", "text_sha256"]
    found = [views.usable(part)[on].drop_duplicates() for part in (a, b)]
    return len(found[0].merge(found[1], on=on))


def _option_changes(a: Configuration, b: Configuration) -> tuple[Change, ...]:
    one, other = a.values, b.values
    return tuple(
        Change(name, _text(one.get(name)), _text(other.get(name)))
        for name in dict.fromkeys([*one, *other])
        if one.get(name) != other.get(name)
    )


def _host_changes(a: SweepResult, b: SweepResult) -> tuple[Change, ...]:
    """Differences of the fingerprints: hosts of one name are paired, else in their order."""
    pairs, labels = _paired(a.hosts, b.hosts), {**b.host_labels, **a.host_labels}
    found: dict[Change, None] = {}
    for one, other in pairs:
        left, right = a.hosts.get(one, {}), b.hosts.get(other, {})
        for model in dict.fromkeys([*left, *right]):
            who = next(labels[each[model].digest] for each in (left, right) if model in each)
            if model not in left or model not in right:
                found[Change(f"{who}: model {model}", *(("yes", ABSENT) if model in left else (ABSENT, "yes")))] = None
                continue
            for each in diff(left[model], right[model]):
                if not each.field.startswith("client."):
                    values = (readable(each.a) or ABSENT, readable(each.b) or ABSENT)
                    found[Change(f"{who}: {each.field}", *values, in_digest(each.field))] = None
    return tuple(sorted(found, key=lambda change: not change.numeric))


def _paired(a: Mapping[str, Any], b: Mapping[str, Any]) -> list[tuple[str, str]]:
    same = [name for name in a if name in b]
    rest = [[name for name in names if name not in same] for names in (a, b)]
    longest = max(map(len, rest))
    padded = [each + [""] * (longest - len(each)) for each in rest]
    return [(name, name) for name in same] + list(zip(*padded, strict=True))


def _setting_changes(a: SweepResult, b: SweepResult) -> tuple[Change, ...]:
    one, other = a.config.identity(), b.config.identity()
    return tuple(
        Change(name, _text(one.get(name)), _text(other.get(name)), numeric=False)
        for name in dict.fromkeys([*one, *other])
        if one.get(name) != other.get(name) and not name.startswith(_NOT_COMPARED)
    )


def _text(value: object) -> str:
    return ABSENT if value is None else option_text(value)
