"""The statistics of a record: each host's experiments, the ladder between hosts, and the levels of sameness."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Literal

from analysis.sameness.levels import Level, LevelResult
from sweeps.audits.experiments import HOST_EXPERIMENTS, SEEDS, WARM
from sweeps.audits.findings.effects import effects, experiment_pairs
from sweeps.audits.findings.levels_table import COVERED
from sweeps.audits.record import Answer, AuditRecord, HostRecord, Mode
from sweeps.errors import ConfigError

if TYPE_CHECKING:
    import pandas as pd

    from analysis.sameness.ladder import Rung

ALPHA = 0.05
"""Probability of any false alarm in an audit of hosts that do not differ."""

FixedFinding = Literal["same", "differs", "not shown"]


def is_greedy(record: AuditRecord, mode: Mode) -> bool:
    """Whether the seed does nothing in a mode."""
    options = record.modes.get(mode, {})
    return options.get("temperature") == 0 and not options.get("mirostat")


def texts_table(record: AuditRecord) -> pd.DataFrame:
    """Return the texts by which hosts are compared, with each host's repeats of them.

    Returns:
        Columns `mode`, `host`, `case`, `seed`, `repeat`, `text` (with a thought before it), `score`, `covered`.
    """
    import pandas as pd

    rows = [
        (answer.mode, host.label, answer.case, answer.seed, answer.repeat, answer.whole_text, answer.score,
         frozenset(name for name, probability in answer.items.items() if probability >= COVERED))
        for host in record.hosts
        for answer in host.answers
        if not answer.error and (answer.experiment, answer.arm) in ((SEEDS, WARM), ("repeat", "again"))
    ]  # fmt: skip
    columns = ["mode", "host", "case", "seed", "repeat", "text", "score", "covered"]
    return pd.DataFrame(rows, columns=columns)


def tokens_table(record: AuditRecord) -> pd.DataFrame:
    """Return the log probabilities of first tokens: `host`, `arm`, `repeat`, `prompt`, `token`, `logprob`."""
    import pandas as pd

    rows = [
        (host.label, each.arm, each.repeat, each.prompt, token, value)
        for host in record.hosts
        for each in host.first_tokens
        for token, value in each.logprobs.items()
    ]
    return pd.DataFrame(rows, columns=["host", "arm", "repeat", "prompt", "token", "logprob"])


def moved_only(tokens: pd.DataFrame) -> pd.DataFrame:
    """Leave out a host's arms that moved no log probability: such a setting says nothing about the host's rounding."""
    import pandas as pd

    kept = []
    for _, rows in tokens.groupby("host", sort=False):
        warm = rows[(rows["arm"] == WARM) & (rows["repeat"] == 0)][["prompt", "token", "logprob"]]
        both = rows.merge(warm, on=["prompt", "token"], suffixes=("", "_warm"))
        moved = set(both.loc[both["logprob"] != both["logprob_warm"], "arm"]) | {WARM}
        kept.append(rows[rows["arm"].isin(moved)])
    return pd.concat(kept) if kept else tokens


def experiments_table(record: AuditRecord) -> pd.DataFrame:
    """Return a row per host, mode, experiment and arm.

    Returns:
        `host`, `mode`, `experiment`, `arm`, `source`, `n` (requests), `identical` (their share), `identical_low`,
        `identical_high` (Wilson), `own` (the share of its own repeats that are identical), `first_difference` (median
        token), `effect` on coverage with `effect_low` and `effect_high`, and `p_value` of that effect (paired t). Where
        no text changed there is no effect and no test.
    """
    import pandas as pd

    rows: list[dict[str, Any]] = []
    own: dict[tuple[str, Mode], float] = {}
    for host in record.hosts:
        for each in HOST_EXPERIMENTS:
            for (mode, arm), pairs in experiment_pairs(host, each).items():
                place = {"host": host.label, "mode": mode, "experiment": each.name, "arm": arm, "source": each.source}
                rows.append(place | _agreement(pairs, greedy=is_greedy(record, mode)))
                if each.name == "repeat":
                    own[host.label, mode] = rows[-1]["identical"]
    for row in rows:
        row["own"] = own.get((row["host"], row["mode"]), math.nan)
    return pd.DataFrame(rows, columns=_EXPERIMENT_COLUMNS)


_EXPERIMENT_COLUMNS = [
    "host", "mode", "experiment", "arm", "n", "identical", "identical_low", "identical_high", "own",
    "first_difference", "effect", "effect_low", "effect_high", "p_value", "source",
]  # fmt: skip


def _agreement(pairs: Sequence[tuple[Answer, Answer]], *, greedy: bool) -> dict[str, Any]:
    import pandas as pd

    from analysis.noise.text_agreement import PAIR_COLUMNS, text_agreement

    rows = [(a.case, a.seed, a.whole_text, b.whole_text) for a, b in pairs]
    found = text_agreement(pd.DataFrame(rows, columns=list(PAIR_COLUMNS)), greedy=greedy)
    changes = [b.score - a.score for a, b in pairs if a.score is not None and b.score is not None]
    mean, low, high, p_value = _paired(changes)
    return {
        "n": found.n, "identical": found.share, "identical_low": found.low, "identical_high": found.high,
        "first_difference": found.first_difference, "effect": mean, "effect_low": low, "effect_high": high,
        "p_value": p_value,
    }  # fmt: skip


def _paired(changes: Sequence[float]) -> tuple[float, float, float, float]:
    """Return mean, interval and p of paired changes; NaN where nothing can be said."""
    from scipy import stats

    if not changes:
        return (math.nan,) * 4
    mean = sum(changes) / len(changes)
    if len(set(changes)) == 1:  # no noise was seen, as where no text changed
        return (mean, *((0.0, 0.0, 1.0) if mean == 0 else (math.nan,) * 3))
    found = stats.ttest_1samp(changes, 0.0)
    interval = found.confidence_interval(0.95)
    return mean, max(-1.0, float(interval.low)), min(1.0, float(interval.high)), float(found.pvalue)


def rungs_of(record: AuditRecord, alpha: float = ALPHA) -> list[Rung]:
    """Return the tested rungs of the ladder, the first host against each of the others."""
    from analysis.sameness.ladder import ladder

    if len(record.hosts) < 2:
        return []
    texts = texts_table(record)
    return ladder(
        texts,
        observations=observations_table(texts, record),
        first_tokens=moved_only(tokens_table(record)),
        greedy_modes=[mode for mode in record.modes if is_greedy(record, mode)],
        margin=record.margin,
        alpha=alpha,
    )


def observations_table(texts: pd.DataFrame, record: AuditRecord) -> pd.DataFrame:
    """Return the scored texts of production mode, one per request: a repeat of an equal text is no draw of its own."""
    rows = texts[(texts["mode"] == "production") & texts["score"].notna()]
    if not is_greedy(record, "production"):
        rows = rows[rows["repeat"] == 0]
    hashes = [hashlib.sha256(text.encode()).hexdigest() for text in rows["text"]]
    return rows[["host", "case", "seed", "score"]].assign(score=rows["score"].astype(float), text_sha256=hashes)


def ladder_table(record: AuditRecord, found: Sequence[Rung]) -> pd.DataFrame:
    """Return a row per pair of hosts and rung, from the rendered prompt to quality.

    Args:
        record: The record.
        found: Its tested rungs (`rungs_of`).

    Returns:
        `host_a`, `host_b`, `mode`, `rung`, `finding`, `figure` (share of identical texts, discrepancy, shift, or
        difference of coverage) with `low` and `high`, `own_a` and `own_b` (the same figure of a host with itself), `n`,
        `p_value`, `p_adjusted` (for all tests of the audit), `sentence`.
    """
    import pandas as pd

    rows: list[dict[str, Any]] = []
    for other in record.hosts[1:]:
        first = record.hosts[0]
        rows += _fixed_rungs(first, other)
        tested = [_rung_row(record, rung) for rung in found if rung.host_b == other.label]
        rows += sorted(tested, key=lambda row: row["rung"] != "numerics")  # numbers come before the texts
    return pd.DataFrame(rows, columns=_LADDER_COLUMNS)


_LADDER_COLUMNS = [
    "host_a", "host_b", "mode", "rung", "finding", "figure", "low", "high", "own_a", "own_b", "n", "p_value",
    "p_adjusted", "sentence",
]  # fmt: skip


def _rung_row(record: AuditRecord, rung: Rung) -> dict[str, Any]:
    row: dict[str, Any] = {name: getattr(rung, name) for name in _LADDER_COLUMNS if hasattr(rung, name)}
    figure, low, high = _figures(rung)
    own = (_own(record.host(label), rung, record) for label in (rung.host_a, rung.host_b))
    own_a, own_b = own
    return row | {"figure": figure, "low": low, "high": high, "own_a": own_a, "own_b": own_b}


def _figures(rung: Rung) -> tuple[float, float, float]:
    """Return a rung's figure with its interval, NaN where there is none."""
    found: Any = rung.result
    if found is None:
        return (math.nan,) * 3
    if rung.rung == "same-seed texts":
        return found.between.share, found.between.low, found.between.high
    if rung.rung == "distribution of texts":
        return found.discrepancy, math.nan, math.nan
    if rung.rung == "numerics":
        return found.between, math.nan, math.nan
    return found.effect, found.low, found.high


def _own(host: HostRecord, rung: Rung, record: AuditRecord) -> float:
    """Return the figure of a host with itself: repeats, one half of its seeds against the other, cold against warm."""
    found: Any = rung.result
    if rung.rung == "same-seed texts":
        if found is None:
            return math.nan
        return float((found.own_a if host.label == rung.host_a else found.own_b).share)
    if rung.rung == "numerics":
        return own_shift(record, host.label)
    if rung.rung == "distribution of texts":
        return _own_discrepancy(record, host.label, rung.mode)
    changes = [e.score_change for e in effects(record) if (e.host, e.experiment, e.mode) == (
        host.label, "repeat", "production") and e.score_change is not None]  # fmt: skip
    return sum(changes) / len(changes) if changes else math.nan


def own_shift(record: AuditRecord, label: str) -> float:
    """Return the mean shift of a host's log probabilities between cold and warm; NaN where it gave none."""
    from analysis.noise.logprob_shift import logprob_shift

    rows = tokens_table(record)
    rows = rows[(rows["host"] == label) & (rows["repeat"] == 0)]
    cold, warm = rows[rows["arm"] == "cold"], rows[rows["arm"] == WARM]
    return logprob_shift(warm, cold).mean if len(cold) and len(warm) else math.nan


def _own_discrepancy(record: AuditRecord, label: str, mode: str) -> float:
    from analysis.noise.kernel_test import kernel_test

    texts = texts_table(record)
    rows = texts[(texts["host"] == label) & (texts["mode"] == mode) & (texts["repeat"] == 0)]
    place = rows.groupby("case").cumcount() % 2
    x, y = rows[place == 0], rows[place == 1]
    if not len(x) or not len(y):
        return math.nan
    halves = (x["text"].tolist(), y["text"].tolist(), x["case"].tolist(), y["case"].tolist())
    return kernel_test(*halves, permutations=1).discrepancy


def _fixed_rungs(first: HostRecord, other: HostRecord) -> Iterator[dict[str, Any]]:
    """Yield the rungs that are equal or not, which is no matter of chance."""
    from sweeps.fingerprints.changes import equal_weights
    from sweeps.fingerprints.fingerprint import Fingerprint

    pair = {"host_a": first.label, "host_b": other.label, "mode": ""}
    yield pair | {"rung": "rendered prompt"} | _rendered(first, other)
    one, two = Fingerprint(first.fingerprint), Fingerprint(other.fingerprint)
    same = equal_weights(one, two)
    if same is None and known_unequal(one, two, "quantization"):
        same = False
    finding, said = {
        True: ("same", "The weights are the same."),
        False: ("differs", "The weights differ."),
        None: ("not shown", "The files differ or are not known; whether their tensors are equal is not known."),
    }[same]
    yield pair | {"rung": "weights", "finding": finding, "n": 1, "sentence": said}


def known_unequal(one: Any, two: Any, name: str) -> bool:
    """Whether a fact of two models is known on both and differs."""
    values = [each.facts["model"].get(name) for each in (one, two)]
    return all(value not in (None, "", "unknown") for value in values) and values[0] != values[1]


def _rendered(first: HostRecord, other: HostRecord) -> dict[str, Any]:
    a, b = ({each.prompt: each for each in host.rendered} for host in (first, other))
    shared = sorted(a.keys() & b.keys())
    for kind, what in (("text", "as text"), ("tokens", "by its number of tokens")):
        values = [(getattr(a[name], kind), getattr(b[name], kind)) for name in shared]
        known = [pair for pair in values if None not in pair]
        if known:
            unequal = sum(x != y for x, y in known)
            finding: FixedFinding = "differs" if unequal else "same"
            said = f"{len(known) - unequal} of {len(known)} rendered prompts are equal {what}."
            return {"finding": finding, "n": len(known), "figure": 1 - unequal / len(known), "sentence": said}
    return {"finding": "not shown", "n": 0, "sentence": "The hosts show no rendered prompt in common."}


def sameness_results(record: AuditRecord, mode: Mode, tested: Sequence[Rung]) -> dict[str, tuple[LevelResult, ...]]:
    """Return the three levels of sameness of the first host with each other one, by the other's label."""
    from analysis.noise.text_agreement import pairs_between
    from analysis.sameness.levels import sameness

    texts, greedy = texts_table(record), is_greedy(record, mode)
    texts = texts[texts["mode"] == mode]
    rungs = {(each.host_b, each.mode, each.rung): each for each in tested}
    found: dict[str, tuple[LevelResult, ...]] = {}
    for other in record.labels[1:]:
        pairs = pairs_between(texts, record.labels[0], other)
        same: Any = rungs[other, mode, "same-seed texts"].result
        quality: Any = rungs[other, "", "quality"].result if mode == "production" else None
        if same is None:
            continue
        keys = ["case", "seed", "repeat"]
        for side, label in (("a", record.labels[0]), ("b", other)):
            own = texts.loc[texts["host"] == label, [*keys, "covered"]].rename(columns={"covered": f"covered_{side}"})
            pairs = pairs.merge(own, on=keys)
        found[other] = sameness(pairs, same.between, quality, greedy=greedy)
    return found


def sameness_table(record: AuditRecord, tested: Sequence[Rung]) -> pd.DataFrame:
    """Return a row per pair of hosts, mode and level; quality is judged at production options."""
    import pandas as pd

    rows = [
        {"host_a": record.labels[0], "host_b": other, "mode": mode, **each.as_dict()}
        for mode in record.modes
        for other, levels in sameness_results(record, mode, tested).items()
        for each in levels
        if each.level != "same-quality" or mode == "production"
    ]
    columns = ["host_a", "host_b", "mode", "level", "met", "share", "low", "high", "bound", "n", "sentence"]
    return pd.DataFrame(rows, columns=columns)


def unmet(record: AuditRecord, required: Level, tested: Sequence[Rung]) -> list[str]:
    """Return why hosts are not the same at a level, at production options: a sentence per host; empty where all are.

    Raises:
        ConfigError: If there is one host only.
    """
    from analysis.sameness.levels import is_met

    if len(record.hosts) < 2:
        raise ConfigError("--require needs two hosts or more; name another with --host NAME=URL or --from FILE")
    found = sameness_results(record, "production", tested)
    lines = []
    for other in record.labels[1:]:
        levels = found.get(other, ())
        if not is_met(levels, required):
            said = next((each.sentence for each in levels if each.level == required), "No request in common.")
            met = next((each.met for each in levels if each.level == required), "not shown")
            lines.append(f"{record.labels[0]} and {other}: {required} is {met}. {said}")
    return lines
