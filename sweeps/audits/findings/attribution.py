"""The attribution table: what is known of each source's part in the differences between texts.

`isolated` is said only of a source that an experiment made alike, after which the difference was gone (a bisection).
`consistent with` says that a source could act and nothing isolated it. `acts on a host` takes more texts that change
than by the host's own repeats; otherwise changed texts are `not clear`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from sweeps.audits.experiments import HOST_EXPERIMENTS
from sweeps.audits.findings.effects import Effect, effects
from sweeps.audits.findings.evidence import REPEAT, Evidence, evidence
from sweeps.audits.findings.facts_table import engine_version
from sweeps.audits.findings.levels_table import compared_answers
from sweeps.audits.findings.sources import SOURCES, Source
from sweeps.audits.record import MODES, AuditRecord, Bisected, HostRecord

if TYPE_CHECKING:
    import pandas as pd

_OPEN = "The hosts' difference is consistent with it; not isolated"

_ON_ONE_HOST = ("first run",)
"""Sources that make texts of one host differ, and not hosts whose prompts are warmed up."""

Finding = Literal[
    "isolated", "acts on a host", "not clear", "consistent with", "no effect found", "not possible here", "not tested"
]


@dataclass(frozen=True)
class Attribution:
    """One row of the table.

    Attributes:
        source: The source.
        possible: Whether it could make these hosts differ; None where fingerprints do not tell.
        why: The reason.
        tested: The experiments that tested it, or why none did.
        texts: Its effect on texts; "" without an experiment.
        coverage: Its effect on coverage; "" without an experiment, and where it is not clear whether it acts.
        finding: The finding in one word or two.
        sentence: The finding as a sentence.
    """

    source: Source
    possible: bool | None
    why: str
    tested: str
    texts: str
    coverage: str
    finding: Finding
    sentence: str

    @property
    def is_open(self) -> bool:
        """Whether the hosts' difference is consistent with it, without an experiment that isolated it."""
        return _OPEN in self.sentence


def attributions(record: AuditRecord) -> list[Attribution]:
    """Return what is known of each source, in the order of `SOURCES`."""
    found, open_pairs = effects(record), unexplained_pairs(record)
    return [
        _attribution(record, source, [e for e in found if e.source == source.name], open_pairs) for source in SOURCES
    ]


def attribution_table(record: AuditRecord) -> pd.DataFrame:
    """Return a row per source with the columns of the report."""
    import pandas as pd

    possible = {True: "yes", False: "no", None: "not known"}
    rows = [
        {
            "source": each.source.title,
            "could act here": possible[each.possible],
            "why": each.why,
            "tested": each.tested,
            "texts": each.texts,
            "coverage": each.coverage,
            "finding": each.finding,
            "conclusion": each.sentence,
            "what to do": each.source.remedy,
        }
        for each in attributions(record)
    ]
    return pd.DataFrame(rows)


def unexplained_pairs(record: AuditRecord) -> list[AuditRecord]:
    """Return the first host with each other one whose texts differ from its own, and that no bisection explained.

    Returns:
        Records of these two hosts.
    """
    isolated = [each for each in record.bisections if each.status == "isolated"]
    own = {each.hosts[0] for each in isolated if len(set(each.hosts)) == 1}
    # on one path for both it explains the rest; the path of the other host has a bisection of its own
    explained = [set(each.hosts) for each in isolated if not each.path or own & set(each.hosts)]
    first, *others = record.hosts
    return [
        record.model_copy(update={"hosts": (first, other)})
        for other in others
        if {first.label, other.label} not in explained and _texts_differ(first, other)
    ]


def _texts_differ(one: HostRecord, other: HostRecord) -> bool:
    for mode in MODES:
        a, b = ({(each.case, each.seed): each.text for each in compared_answers(host, mode)} for host in (one, other))
        if any(a[key] != b[key] for key in a.keys() & b.keys()):
            return True
    return False


def isolating(record: AuditRecord, source: Source) -> list[Bisected]:
    """Return the bisections that isolated a source."""
    return [each for each in record.bisections if each.status == "isolated" and set(each.factors) & set(source.factors)]


def bisection_sentence(found: Bisected) -> str:
    """Say what a bisection found."""
    alone = len(set(found.hosts)) == 1
    pair = f"{found.hosts[0]} at two settings" if alone else " and ".join(found.hosts) + _on_path(found)
    if found.status == "isolated":
        settings = [_setting(found, name) for name in found.factors]
        return (
            f"{pair}: isolated to {_listed(settings)}. Made alike, {'they' if len(settings) > 1 else 'it'} removed the"
            f" difference, which was in {found.differing} of {found.n} texts"
            + (f"; {found.fresh} fresh texts confirm it." if found.fresh else ".")
        )
    if found.status == "no difference":
        return f"{pair}: no difference in {found.n} texts."
    return f"{pair}: {found.status}" + (f": {found.why}." if found.why else ".")


def _on_path(found: Bisected) -> str:
    return {"native": ", both asked on /api", "openai": ", both asked on /v1"}.get(found.path, "")


def _setting(found: Bisected, name: str) -> str:
    """Return a factor with its values; of a fact of the servers the values are the hosts themselves."""
    values = found.values.get(name)
    return name if values is None or tuple(values) == found.hosts else f"{name} ({' against '.join(values)})"


def _isolated_sentence(found: Bisected) -> str:
    where = (
        f"on {found.hosts[0]}"
        if len(set(found.hosts)) == 1
        else f"between {' and '.join(found.hosts)}{_on_path(found)}"
    )
    return f"Isolated {where}: {_listed(found.factors)}."


def _attribution(
    record: AuditRecord, source: Source, found: Sequence[Effect], open_pairs: Sequence[AuditRecord]
) -> Attribution:
    possible, why = source.possible(record)
    isolated = isolating(record, source)
    consistent = source.name not in _ON_ONE_HOST and any(source.possible(pair)[0] for pair in open_pairs)
    changes = [evidence(host, source=source.name) for host in record.hosts]
    open_sentences = [] if possible is False else [*_noise(found), *([_OPEN] if consistent else [])]
    untested, compared = _why_untested(record, source), sum(each.n for each in found)
    finding, sentence = _finding(possible, why, changes, isolated, open_sentences, untested, compared)
    tested = _tested(found, isolated) or f"not tested: {_why_untested(record, source)}"
    coverage = "" if finding == "not clear" else _coverage(found)  # of noise it would look like an effect
    return Attribution(source, possible, why, tested, _texts(found), coverage, finding, sentence)


def _finding(
    possible: bool | None,
    why: str,
    changes: Sequence[Evidence],
    isolated: Sequence[Bisected],
    open_sentences: Sequence[str],
    untested: str,
    compared: int,
) -> tuple[Finding, str]:
    if isolated:
        return "isolated", " ".join(map(_isolated_sentence, isolated))
    more = "".join(f" {each}." for each in open_sentences)
    if acting := [each.host for each in changes if each.acts]:
        return "acts on a host", f"Changes texts on {_listed(acting)}.{more}"
    if unclear := [each for each in changes if each.changed]:
        return "not clear", f"{' '.join(map(_unclear, unclear))} So it is not clear whether it acts.{more}"
    if possible is False:
        return "not possible here", f"{why[0].upper()}{why[1:]}."
    if open_sentences:
        return "consistent with", f"{'. '.join(open_sentences)}: {untested}."
    if compared:
        return "no effect found", f"No text changed in {compared} comparisons on the hosts."
    return "not tested", f"Not tested: {untested}."


def _unclear(found: Evidence) -> str:
    own = f"sent again unchanged, {found.own_changed} of {found.own_n} did" if found.own_n else "nothing was sent again"
    return f"On {found.host} {found.changed} of {found.n} texts changed; {own}."


def _noise(found: Sequence[Effect]) -> Iterator[str]:
    """Yield a sentence for each host that does not repeat its texts: it has noise, from whatever source."""
    own = [each for each in found if each.experiment == REPEAT]
    for host in dict.fromkeys(each.host for each in own):
        lost, n = (sum(getattr(each, name) for each in own if each.host == host) for name in ("changed", "n"))
        if lost:
            yield f"{host} does not repeat {lost} of {n} texts, which is consistent with it; not isolated"


def _why_untested(record: AuditRecord, source: Source) -> str:
    """Return why no experiment tested a source."""
    names = [each.name for each in HOST_EXPERIMENTS if each.source == source.name]
    reasons: dict[str, list[str]] = {}
    for host in record.hosts:
        for each in host.not_done:
            if each.experiment in names and host.label not in reasons.setdefault(each.reason, []):
                reasons[each.reason].append(host.label)
    if reasons:
        return "; ".join(
            reason if len(hosts) == len(record.hosts) else f"{reason} ({', '.join(hosts)})"
            for reason, hosts in reasons.items()
        )
    if source.name == "versions" and not _versions_here(record):
        return "no machine has servers of two versions; name both with --host and add --bisect"
    if source.name == "quantisation":
        return "a request cannot change it; give every host the same file"
    if done := [each for each in record.bisections if each.status == "isolated"]:
        pairs = "; ".join(" and ".join(dict.fromkeys(each.hosts)) for each in done)
        return f"the bisection of {pairs} isolated other settings"
    undone = [each for each in record.bisections if each.status != "isolated" and each.why]
    if undone:
        return "; ".join(dict.fromkeys(each.why for each in undone))
    return "no bisection was made; add --bisect" if not names or len(record.hosts) > 1 else "left out of this audit"


def _versions_here(record: AuditRecord) -> bool:
    """Whether this machine had servers of several versions, and no bisection was made of them."""
    here = [host for host in record.hosts if (host.fingerprint.get("host") or {}).get("source") == "this machine"]
    return not record.bisections and len({engine_version(host) for host in here} - {""}) > 1


def _tested(found: Sequence[Effect], isolated: Sequence[Bisected]) -> str:
    names = [f"bisection of {' and '.join(dict.fromkeys(each.hosts))}" for each in isolated]
    for name in dict.fromkeys(each.experiment for each in found):
        hosts = dict.fromkeys(each.host for each in found if each.experiment == name)
        names.append(f"{name} ({', '.join(hosts)})")
    return "; ".join(names)


def _texts(found: Sequence[Effect]) -> str:
    """Return the changed texts by experiment and mode, over hosts."""
    parts = []
    for name, mode in dict.fromkeys((each.experiment, each.mode) for each in found):
        own = [each for each in found if (each.experiment, each.mode) == (name, mode)]
        parts.append(f"{name}, {mode}: {sum(each.changed for each in own)} of {sum(each.n for each in own)} changed")
    return "; ".join(parts)


def _coverage(found: Sequence[Effect]) -> str:
    """Return the mean change of coverage by experiment and mode, over hosts, where any text changed."""
    parts = []
    for name, mode in dict.fromkeys((each.experiment, each.mode) for each in found if each.changed):
        own = [each for each in found if (each.experiment, each.mode) == (name, mode) and each.scored]
        total = sum(each.scored for each in own)
        if total:
            mean = sum(each.scored * (each.score_change or 0.0) for each in own) / total
            parts.append(f"{name}, {mode}: {mean:+.3f} (n {total})")
    return "; ".join(parts)


def _listed(names: Sequence[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
