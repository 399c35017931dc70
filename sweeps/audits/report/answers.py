"""The answers of an audit: are these hosts the same for a purpose, what differs, what to do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sweeps.audits.advice.settings import POLICY
from sweeps.audits.findings import facts_table
from sweeps.audits.findings.attribution import attributions, bisection_sentence, unexplained_pairs
from sweeps.audits.findings.effects import Effect, effects
from sweeps.audits.findings.evidence import evidence
from sweeps.audits.findings.facts_table import Fact
from sweeps.audits.record import MODES, AuditRecord
from sweeps.audits.report.data import AuditReport

Word = Literal["yes", "no", "not shown"]

PURPOSES = {
    "identical": (
        "The same text, word for word",
        "Needed for tests against stored texts, and to repeat a run elsewhere.",
    ),
    "equivalent": (
        "Texts that say the same",
        "Enough where any host may answer and readers must find the same content.",
    ),
    "same-quality": ("The same quality on average", "Enough for a pool of workers, and to compare prompts over hosts."),
}
"""Levels of sameness as purposes: title, and where it is needed or enough."""

WHERE = {"production": "as used", "baseline": "at temperature 0"}
"""Modes in words."""

_WORDS: dict[str, Word] = {"met": "yes", "not met": "no", "not shown": "not shown"}
_MOST_ACTIONS = 5
_OF_THE_PATH = ("api path", "defaults", "num_ctx")
_NO_ARITHMETIC = ("Memory", "Container")


@dataclass(frozen=True)
class ModeAnswer:
    """The answer for one mode: the word for all pairs, and for each pair of hosts its word and its figures.

    Attributes:
        mode: The mode.
        word: The word for all pairs.
        pairs: For each pair of hosts its name, its word and its row of `LEVEL_COLUMNS`.
    """

    mode: str
    word: Word
    pairs: tuple[tuple[str, Word, Mapping[str, Any]], ...]

    @property
    def all_agree(self) -> int:
        """Number of requests for which all texts agree, though too few to show it; 0 where one differs."""
        rows = [row for _, _, row in self.pairs if row["level"] != "same-quality"]
        alike = self.word == "not shown" and rows and all(row.get("share") == 1 and row["n"] for row in rows)
        return min((int(row["n"]) for row in rows), default=0) if alike else 0

    @property
    def shown_share(self) -> str:
        """What a yes to texts is based on: of several pairs the one that shows least; "" where that is not known."""
        known = [row for _, _, row in self.pairs if row["level"] != "same-quality" and row.get("low", -1) >= 0]
        if self.word != "yes" or not known:
            return ""
        least = min(known, key=lambda row: float(row["low"]))
        return f"{least['share']:.0%} of {least['n']} requests, so at least {least['low']:.0%} of all such requests"


@dataclass(frozen=True)
class Purpose:
    """One purpose with its answer.

    Attributes:
        level: The level of sameness.
        title: The purpose in words.
        use: Where it is needed or enough.
        modes: The answer of each mode.
        sentence: The answer in one sentence.
    """

    level: str
    title: str
    use: str
    modes: tuple[ModeAnswer, ...]
    sentence: str

    @property
    def word(self) -> Word:
        """The word for all modes: `no` if it is no in any."""
        words = {each.word for each in self.modes}
        return "no" if "no" in words else "yes" if words == {"yes"} else "not shown"


def purposes(report: AuditReport) -> list[Purpose]:
    """Return the answers for the three purposes; [] for a single host."""
    if len(report.record.hosts) < 2:
        return []
    return [_purpose(report, level) for level in PURPOSES]


def _purpose(report: AuditReport, level: str) -> Purpose:
    rows = report.levels[report.levels["level"] == level].to_dict("records") if len(report.levels) else []
    modes = []
    for mode in dict.fromkeys(str(row["mode"]) for row in rows):
        pairs = tuple(
            (f"{row['host_a']} and {row['host_b']}", _WORDS[row["met"]], {str(key): row[key] for key in row})
            for row in rows
            if row["mode"] == mode
        )
        modes.append(ModeAnswer(mode, _all(word for _, word, _ in pairs), pairs))
    title, use = PURPOSES[level]
    sentence = _purpose_sentence(modes)
    if level == "same-quality" and (intervals := list(_intervals(modes))):
        margin = report.record.margin
        sentence = f"Coverage: {'; '.join(intervals)}. A difference below {margin:g} would not matter."
    return Purpose(level, title, use, tuple(modes), sentence)


def _intervals(modes: Sequence[ModeAnswer]) -> Iterator[str]:
    """Yield the interval of each difference of coverage, the second host minus the first."""
    for _, word, row in (pair for mode in modes for pair in mode.pairs):
        low, high = row.get("low"), row.get("high")
        if isinstance(low, float) and isinstance(high, float) and low <= high:
            low, high = max(low, -1.0), min(high, 1.0)  # coverage is a share
            shown = {"yes": "the same", "no": "not the same"}.get(word, word)
            yield f"{row['host_b']} minus {row['host_a']} {low:+.2f} to {high:+.2f}, {shown}"


def _all(words: Iterator[Word]) -> Word:
    found = set(words)
    return "no" if "no" in found else "yes" if found == {"yes"} else "not shown"


def _purpose_sentence(modes: Sequence[ModeAnswer]) -> str:
    if not modes:
        return "Not shown: nothing was compared."
    parts = list(dict.fromkeys(_mode_sentence(each, several=False) for each in modes))
    if len(parts) > 1:
        parts = [_mode_sentence(each, several=True) for each in modes]
    return f"{parts[0][0].upper()}{'; '.join(parts)[1:]}."


def _mode_sentence(answer: ModeAnswer, *, several: bool) -> str:
    """Say the answer of one mode: one word for all, else the pairs by their answers."""
    where = f"{WHERE.get(answer.mode, answer.mode)}: " if several and answer.mode else ""
    if answer.all_agree and answer.mode:
        n = answer.all_agree
        return f"{WHERE.get(answer.mode, answer.mode)}: all {n} texts agree, too few to be sure"
    by_word: dict[Word, list[str]] = {}
    for pair, word, _ in answer.pairs:
        by_word.setdefault(word, []).append(pair)
    if len(by_word) == 1:
        return f"{where}{answer.word}{f', {answer.shown_share}' if answer.shown_share else ''}"
    return where + ", ".join(f"{word} for {', '.join(pairs)}" for word, pairs in sorted(by_word.items()))


def headline(report: AuditReport) -> tuple[str, str]:
    """Return the answer in a few words, and its tone: `better`, `worse`, `equivalent` or `none`."""
    found = {each.level: each for each in purposes(report)}
    if not found:
        return _own_headline(report.record)
    identical, quality = found["identical"], found["same-quality"]
    if identical.word == "yes":
        return "The same texts, word for word, as far as tested", "better"
    if quality.word == "no":
        return "Not the same: the quality differs", "worse"
    if identical.modes and all(each.word == "yes" or each.all_agree for each in identical.modes):
        return "All texts agree, as far as tested", "equivalent"
    baseline = next((each for each in identical.modes if each.mode == "baseline"), None)
    if baseline is not None and baseline.word == "yes" and identical.word == "no":
        return "The same texts for measuring, not in use", "equivalent"
    if found["equivalent"].word == "yes":
        return "Other words, the same content", "equivalent"
    if quality.word == "yes":
        return "Other texts, the same quality", "equivalent"
    if identical.word == "no" and baseline is not None and baseline.all_agree:
        return "Other texts as used; at temperature 0 the same, as far as tested", "none"
    if "no" in {each.word for each in found.values()}:
        return "Not the same texts; the same quality is not shown", "none"
    return "Not shown to be the same, nor to differ", "none"


def _own_headline(record: AuditRecord) -> tuple[str, str]:
    from analysis.noise.text_agreement import wilson
    from analysis.sameness.levels import SHARE

    own = [each for each in effects(record) if each.experiment == "repeat"]
    if not own:
        return "One host; nothing was repeated", "none"
    if any(each.changed for each in own):
        return f"{record.labels[0]} does not repeat its own texts", "worse"
    if evidence(record.hosts[0], experiment="first run").acts:
        return f"{record.labels[0]} repeats its own texts once they are warm, not right after a load", "equivalent"
    n = sum(each.n for each in own)
    if wilson(1.0, n)[0] < SHARE:
        return f"{record.labels[0]} repeated all {n} of its own texts that were sent again, too few to be sure", "none"
    return f"{record.labels[0]} repeats its own texts", "better"


def repeats(record: AuditRecord) -> list[str]:
    """Return a sentence per host: its own repeats, first runs and requests at once, beside which all else stands."""
    found = effects(record)
    return [_own_sentence(label, [each for each in found if each.host == label]) for label in record.labels]


def _own_sentence(label: str, found: Sequence[Effect]) -> str:
    parts = []
    for experiment, words in (
        ("repeat", "sent again"),
        ("first run", "after a load"),
        ("prompt switch", "after another prompt"),
        ("in flight", "two or four at once"),
    ):
        own = [each for each in found if each.experiment == experiment]
        if own:
            changed, n = sum(each.changed for each in own), sum(each.n for each in own)
            parts.append(
                f"{words}, {changed} of {n} texts differ" if changed else f"{words}, all {n} texts are the same"
            )
    return f"{label}: {'; '.join(parts) if parts else 'nothing was repeated'}."


def differences(record: AuditRecord) -> list[Fact]:
    """Return the facts that can change texts and in which hosts differ; files with equal weights do not differ."""
    return [
        each
        for each in facts_table.facts(record)
        if each.state == "differs" and each.note != facts_table.EQUAL_WEIGHTS and each.name not in _NO_ARITHMETIC
    ]


def actions(record: AuditRecord) -> list[str]:
    """Return what to do, the most certain first, at most five sentences."""
    rows = attributions(record)
    isolated = [row for row in rows if row.finding == "isolated"]
    found = []
    if openai := ", ".join(host.label for host in record.hosts if host.path == "openai"):
        by_path = [row for row in isolated if row.source.name in _OF_THE_PATH]
        isolated = [row for row in isolated if row not in by_path]
        why = "isolated as a cause" if by_path else "it drops num_ctx and top_k, and has other defaults"
        found.append(f"Use /api instead of /v1 on {openai}, and send every option: {why}.")
    found += [f"{_capital(row.source.remedy)}: isolated as a cause." for row in isolated]
    for name in ("quantisation", "versions", "offload", "num_ctx", "batching"):
        row = next(each for each in rows if each.source.name == name)
        if row.possible and row.finding != "isolated":
            found.append(f"{_capital(row.source.remedy)}.")
    if any(row.source.name == "first run" and row.finding == "acts on a host" for row in rows):
        found.append(
            "After each load or other prompt, send the prompt once with num_predict = 1 and discard the answer."
        )
    found += [POLICY[0]] if len(found) < _MOST_ACTIONS else []
    return list(dict.fromkeys(found))[:_MOST_ACTIONS]


def _own_noise(record: AuditRecord) -> Iterator[str]:
    """Yield a sentence for each host that differs from another one, and from itself."""
    for label in dict.fromkeys(label for pair in unexplained_pairs(record) for label in pair.labels):
        own = evidence(record.host(label))
        if own.own_changed:
            yield (
                f"{label} does not repeat its own texts: {own.own_changed} of {own.own_n} differ when sent again."
                " So they also differ from another host's without any other cause."
            )


def _capital(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}"


def causes(record: AuditRecord) -> list[str]:
    """Return what is known of causes: the hosts' own noise, bisections, then sources that could act, as sentences."""
    rows = attributions(record)
    found = [*_own_noise(record), *(bisection_sentence(each) for each in record.bisections)]
    open_ones = [row.source.title for row in rows if row.is_open]
    if open_ones:
        listed = ", ".join(title[0].lower() + title[1:] if title[1].islower() else title for title in open_ones)
        which = "other" if found else "the"
        found.append(f"Not isolated: {which} differences are consistent with {listed}.")
    return found


def modes_text(record: AuditRecord) -> list[tuple[str, str]]:
    """Return each mode with its options on one line."""
    return [
        (mode, ", ".join(f"{name} {value}" for name, value in record.modes[mode].items()))
        for mode in MODES
        if mode in record.modes
    ]
