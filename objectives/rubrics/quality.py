"""Quality of a set of cases: faults that make a rubric measure badly."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field
from itertools import combinations
from pathlib import Path
from typing import Any, Literal

from objectives.case import LEVELS, Case, Item
from objectives.case_files import load_cases, read_case, rubric_files, shipped_sets
from objectives.coverage import CoverageObjective
from objectives.matchers.patterns import PatternText, match_patterns
from objectives.rubrics.words import content_keys, numbers_in, similarity
from objectives.text import normalise, tokenise

State = Literal["ok", "warning", "error"]

NEAR_DUPLICATE = 0.6
"""Share of common content words from which two items count as the same fact."""
CHARACTERS_PER_TOKEN = 3.0
"""Characters of spaced text per token: English chats full of times, names and numbers have 3.1 (SmolLM2), prose 4."""
TOKENS_PER_CHARACTER = 2.1
"""Tokens per character of Chinese, Japanese, Thai, ...: small English vocabularies need about 2, large ones 0.7."""
LONGEST_LOG = 1_000_000
"""Characters of the longest log that items are tried on. A longer one fits no small model, and took 1.3 GB at 20 MB."""
MAX_STRANGERS = 15
"""Most unrelated logs that items are tried on: more add little, and sets may be large."""

GENERIC_TEXTS = (
    "The team discussed the problem and several possible solutions. They looked at the causes, agreed on a decision, "
    "and assigned the next steps with owners and deadlines. Some options were rejected because of risks and costs.",
    "In this conversation the participants talk about an issue, find the reason for it, fix it, test the result and "
    "plan follow-up work. One of them will write a report by the end of the week and another will review the change.",
    "The user asks for help with a task. The assistant suggests an approach, the user points out what is wrong with "
    "it, and they settle on a better one. In the end it works, and the remaining work is left for later.",
    "参加者は問題について話し合い、原因を調べ、いくつかの案を比べて方針を決めました。"
    "担当者と期限を決め、残った作業は後日行うことになりました。",
)
"""Summaries of no particular conversation: an item that they cover measures nothing."""


@dataclass(frozen=True)
class RubricFinding:
    """One result of a check.

    Attributes:
        state: `error` (the case cannot be used, or an item measures nothing), `warning` (look at it), or `ok`.
        check: Name of the check.
        case: Name of the case, or of the file.
        item: Id of the item, or "".
        message: The finding, with figures.
        remedy: The way to correct it.
    """

    state: State
    check: str
    case: str
    message: str
    item: str = ""
    remedy: str = ""


@dataclass(frozen=True)
class RubricReport:
    """All findings on a set of cases, in the order of the cases."""

    findings: tuple[RubricFinding, ...] = ()
    cases: tuple[Case, ...] = field(default=(), repr=False)

    def count(self, state: State) -> int:
        """Return the number of findings in a state."""
        return sum(finding.state == state for finding in self.findings)

    def as_dict(self) -> dict[str, Any]:
        """Return counts and findings as JSON types."""
        return {
            "cases": len(self.cases),
            "errors": self.count("error"),
            "warnings": self.count("warning"),
            "findings": [asdict(finding) for finding in self.findings],
        }


def estimate_tokens(text: str) -> int:
    """Estimate the tokens of a text, rather too many than too few; see `CHARACTERS_PER_TOKEN` for the rule."""
    unspaced = sum(token.kind == "unspaced" for token in tokenise(normalise(text)))
    return math.ceil((len(text) - unspaced) / CHARACTERS_PER_TOKEN + unspaced * TOKENS_PER_CHARACTER)


def check_cases(
    path: str | Path,
    *,
    objective: CoverageObjective | None = None,
    num_ctx: Sequence[int] = (),
    reserve: int = 256,
    count_tokens: Callable[[str], int] | None = None,
    allow_outside_logs: bool = False,
) -> RubricReport:
    """Check a set of cases: schema, items that measure nothing, twins, balance, length.

    Args:
        path: As for `objectives.load_cases`. Cases that cannot be read become findings; the others are checked.
        objective: Scores texts; the default coverage.
        num_ctx: Context lengths, in tokens, that the logs should fit.
        reserve: Tokens that the prompt around the log and the answer need.
        count_tokens: Counts a text's tokens exactly; `estimate_tokens` otherwise.
        allow_outside_logs: As for `objectives.load_cases`.

    Returns:
        The findings: at least one per case, `ok` if there is no other.

    Raises:
        CaseError: There is no such place, or no rubric in it.
    """
    objective = objective or CoverageObjective()
    findings: list[RubricFinding] = []
    cases: list[Case] = []
    files = rubric_files(Path(path))
    for file in files:
        case, problems = read_case(file, allow_outside_logs=allow_outside_logs)
        findings += [RubricFinding("error", "schema", file.stem, str(p), remedy=p.remedy) for p in problems]
        if case is not None:
            cases.append(case)
    strangers = _other_logs([case for case in cases if len(case.log) <= LONGEST_LOG])[: MAX_STRANGERS + 1]
    for case in cases:
        found = [
            *_check_reviewed(case),
            *_check_duplicates(case),
            *_check_single_words(case),
            *_check_against_log(case, objective),
            *_check_against_any_text(case, objective, [log for name, log in strangers if name != case.name]),
            *_check_levels(case),
            *_check_length(case, num_ctx, reserve, count_tokens),
        ]
        findings += found or [RubricFinding("ok", "all", case.name, _description(case, count_tokens))]
    findings += _logs_without_rubric(Path(path), files, cases)
    order = {name: position for position, name in enumerate(sorted({finding.case for finding in findings}))}
    return RubricReport(tuple(sorted(findings, key=lambda finding: order[finding.case])), tuple(cases))


def _description(case: Case, count_tokens: Callable[[str], int] | None) -> str:
    levels = "/".join(str(sum(item.level == level and not item.forbidden for item in case.items)) for level in LEVELS)
    tokens = f"{count_tokens(case.log)}" if count_tokens else f"about {estimate_tokens(case.log)}"
    return f"{len(case.items)} items ({levels} on levels 1-5), log of {tokens} tokens"


def _check_reviewed(case: Case) -> Iterable[RubricFinding]:
    if case.meta.get("reviewed") is False:
        yield RubricFinding(
            "warning",
            "reviewed",
            case.name,
            "the items are candidates that nobody has reviewed",
            remedy="Rewrite them as facts, set their levels, then set reviewed = true.",
        )


def _check_duplicates(case: Case) -> Iterable[RubricFinding]:
    keys = {item.id: frozenset(content_keys(item.text)) for item in case.items}
    for first, second in combinations(case.items, 2):
        if first.forbidden != second.forbidden:
            continue  # a forbidden item may be the false twin of a true one
        share = similarity(keys[first.id], keys[second.id])
        if share >= NEAR_DUPLICATE and numbers_in(first.text) == numbers_in(second.text):
            message = f"shares {share:.0%} of its words with {first.id!r}: {first.text!r}"
            yield RubricFinding(
                "warning", "duplicates", case.name, message, second.id, "Join them: a fact should count once."
            )
        elif first.has_patterns and _patterns(first) == _patterns(second):
            message = f"has the same patterns as {first.id!r}, so both are always covered together"
            yield RubricFinding(
                "warning", "duplicates", case.name, message, second.id, "Give each item its own patterns."
            )


def _check_single_words(case: Case) -> Iterable[RubricFinding]:
    """Find important items that one common word covers; a name or a number may well be the whole fact."""
    for item in case.items:
        if item.level > 2 or item.forbidden or item.all or len(set(content_keys(item.text))) < 3:
            continue
        word = next((word for word in item.any if word.isascii() and word.isalpha() and word.islower()), None)
        if word is not None:
            message = f"the word {word!r} alone covers it, in any statement: {item.text!r}"
            remedy = f"Put {word!r} into all and the statement about it into any, or leave the item to the matcher."
            yield RubricFinding("warning", "patterns", case.name, message, item.id, remedy)


def _patterns(item: Item) -> tuple[frozenset[str], ...]:
    return frozenset(item.any), frozenset(item.all), frozenset(item.regex)


def _check_against_log(case: Case, objective: CoverageObjective) -> Iterable[RubricFinding]:
    """Find items that the log itself does not cover, and forbidden ones that it does."""
    if len(case.log) > LONGEST_LOG:
        message = f"log of {len(case.log)} characters; items are tried on at most {LONGEST_LOG}, so not on this one"
        yield RubricFinding("warning", "length", case.name, message, remedy="Shorten the log.")
        return
    whole = CoverageObjective(weights=objective.weights, matcher=objective.matcher)
    matches = {match.item: match for match in whole.score(case, case.log).matches}
    for item in case.items:
        match = matches[item.id]
        if item.forbidden and match.covered:
            message = f"is forbidden, but the log contains it ({match.span or match.why!r}): a quotation costs points"
            yield RubricFinding(
                "warning", "log", case.name, message, item.id, "Write patterns that match only the false claim."
            )
        elif item.forbidden or match.covered:
            continue
        elif item.has_patterns:
            message = f"its patterns never match the log: {match.why}"
            yield RubricFinding("warning", "patterns", case.name, message, item.id, "Add a spelling that the log uses.")
        else:
            lacking = ", ".join(map(repr, match.missing[:6]))
            message = f"the log does not cover it (p = {match.probability:.2f}, lacking {lacking}): {item.text!r}"
            remedy = "Check that it is in the log; use the words of a summary of the log, or add patterns."
            yield RubricFinding("warning", "log", case.name, message, item.id, remedy)


def _other_logs(cases: Sequence[Case]) -> list[tuple[str, str]]:
    """Return logs to try unrelated items on: those of the set, and the shipped logs if the set has few."""
    logs = [(case.name, case.log) for case in cases]
    if len(cases) < 4:
        known = {log for _, log in logs}
        shipped = [case for place in shipped_sets().values() for case in load_cases(place)]
        logs += [(f"shipped {case.name}", case.log) for case in shipped if case.log not in known]
    return logs


def _check_against_any_text(case: Case, objective: CoverageObjective, logs: Sequence[str]) -> Iterable[RubricFinding]:
    """Find items that generic texts or unrelated logs cover."""
    generic = _cover_counts(case, objective, GENERIC_TEXTS)
    others = _cover_counts(case, objective, logs)
    for item in case.items:
        if 2 * generic[item.id] >= len(GENERIC_TEXTS):
            hits = f"{generic[item.id]} of {len(GENERIC_TEXTS)} summaries of no particular conversation"
            message = f"{hits} cover it: {item.text!r}"
            yield RubricFinding("error", "any-text", case.name, message, item.id, "Name a fact of this log alone.")
        elif generic[item.id] or 3 * others[item.id] > len(logs):
            hits = f"{others[item.id]} of {len(logs)} unrelated logs"
            if generic[item.id]:
                hits += f" and {generic[item.id]} of {len(GENERIC_TEXTS)} generic summaries"
            message = f"{hits} cover it: {item.text!r}"
            yield RubricFinding("warning", "any-text", case.name, message, item.id, "Name a fact of this log alone.")


def _cover_counts(case: Case, objective: CoverageObjective, texts: Sequence[str]) -> dict[str, int]:
    """Count the texts that cover each item."""
    counts = dict.fromkeys((item.id for item in case.items), 0)
    open_items = [item for item in case.items if not item.has_patterns]
    for text in texts:
        ready = PatternText(text)
        matches = objective.matcher.match(open_items, text, context=case.log) if open_items else []
        matches = [*matches, *(match_patterns(item, ready) for item in case.items if item.has_patterns)]
        for match in matches:
            counts[match.item] += match.covered
    return counts


def _check_levels(case: Case) -> Iterable[RubricFinding]:
    counts = {level: sum(i.level == level and not i.forbidden for i in case.items) for level in LEVELS}
    total = sum(counts.values())
    empty = [level for level in LEVELS if not counts[level]]
    remedy = "Ask for each item whether a summary without it would mislead (1), disappoint (2, 3) or be fine (4, 5)."
    if total < 6:
        message = f"only {total} items: one item more or less is {100 / total:.0f}% of them, so the score is coarse"
        yield RubricFinding("warning", "levels", case.name, message, remedy="Write 8 to 14 items for a log of a page.")
    if empty:
        message = f"no item on level {', '.join(map(str, empty))}"
        yield RubricFinding("warning", "levels", case.name, message, remedy=remedy)
    for level, count in counts.items():
        if total >= 6 and count > total / 2:
            message = f"{count} of {total} items are on level {level}, so the levels distinguish little"
            yield RubricFinding("warning", "levels", case.name, message, remedy=remedy)


def _check_length(
    case: Case, num_ctx: Sequence[int], reserve: int, count_tokens: Callable[[str], int] | None
) -> Iterable[RubricFinding]:
    if not num_ctx:
        return
    tokens = count_tokens(case.log) if count_tokens else estimate_tokens(case.log)
    short = sorted(value for value in set(num_ctx) if tokens + reserve > value)
    if short:
        about = "" if count_tokens else "about "
        limits = ", ".join(map(str, short))
        message = f"log of {about}{tokens} tokens and {reserve} for prompt and answer do not fit num_ctx {limits}"
        state: State = "error" if len(short) == len(set(num_ctx)) else "warning"
        yield RubricFinding(state, "length", case.name, message, remedy="Raise num_ctx, or shorten the log.")


def _logs_without_rubric(path: Path, files: Sequence[Path], cases: Sequence[Case]) -> Iterable[RubricFinding]:
    """Find text files in the set's directory that look like logs without a rubric."""
    if not path.is_dir():
        return
    used = {file.with_suffix(".txt") for file in files}
    used |= {case.path.parent / str(case.meta["log"]) for case in cases if case.path and "log" in case.meta}
    for log in sorted(set(path.glob("*.txt")) - used):
        remedy = f"`sweeps cases new {log.name}` drafts one."
        yield RubricFinding(
            "warning", "schema", log.stem, f"{log.name} has no rubric, so it is not used", remedy=remedy
        )
