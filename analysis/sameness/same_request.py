"""The rule for same-seed texts: do two hosts answer the same requests differently?"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from scipy import stats

from analysis.arrays import FloatArray, IntArray
from analysis.noise.text_agreement import TextAgreement, pairs_between, pairs_within, text_agreement, unit_codes
from analysis.observations.table import TableError

SameRequestVerdict = Literal["same", "differs", "not shown"]

PERMUTATIONS = 9999
MARGIN = 0.2
"""Default of the largest loss of agreement between hosts that counts as none, as a share of requests."""


@dataclass(frozen=True)
class SameRequest:
    """The comparison of two hosts by their texts for the same requests.

    Attributes:
        host_a: Label of one host.
        host_b: Label of the other.
        verdict: "differs" if p is at most alpha; "same" if the hosts agree with each other as much as each does with
            itself, within the margin; else "not shown".
        p_value: The p of the rule that neither host can be told from the other by its texts.
        between: Agreement of the hosts' texts.
        own_a: Agreement of the first host with itself, its A/A.
        own_b: The same of the second.
        clean: Requests on which each host repeats itself and the hosts differ.
        mixed: Requests on which a host does not repeat itself.
        repeated: Requests that both hosts answered twice or more.
        single: Other requests, which a host answered once.
        differing: Of these, the ones on which the hosts' first texts differ.
        loss: Share of requests on which hosts agree with themselves minus the share on which they agree with each
            other.
        loss_low: Lower end of its interval.
        loss_high: Upper end.
        margin: Loss up to which the hosts count as the same.
        sentence: The result in words.
    """

    host_a: str
    host_b: str
    verdict: SameRequestVerdict
    p_value: float
    between: TextAgreement
    own_a: TextAgreement
    own_b: TextAgreement
    clean: int
    mixed: int
    repeated: int
    single: int
    differing: int
    loss: float
    loss_low: float
    loss_high: float
    margin: float
    sentence: str

    def as_dict(self) -> dict[str, Any]:
        """Return the fields, ready for JSON."""
        found = asdict(self)
        return found | {name: getattr(self, name).as_dict() for name in ("between", "own_a", "own_b")}


@dataclass(frozen=True)
class _Requests:
    """Texts of the requests that both hosts answered, as codes.

    Attributes:
        text: Code of each text; equal texts have equal codes.
        first: Whether it is the first host's.
        request: Code of its request, from 0 without a gap.
        fewest: For each request, the smaller of both hosts' numbers of texts.
    """

    text: IntArray
    first: np.ndarray
    request: IntArray
    fewest: IntArray


def same_request(
    texts: pd.DataFrame,
    host_a: str,
    host_b: str,
    *,
    greedy: bool = False,
    alpha: float = 0.05,
    margin: float = MARGIN,
    seed: int = 0,
) -> SameRequest:
    """Compare two hosts by their texts for the same requests, beside each host's agreement with itself.

    Requests that both hosts answered twice or more show whether each host repeats itself. They are tested by one of two
    tests, as the data decide, so p is twice that of the test:

    - Where each host repeats itself on all of them, a difference between the hosts is no chance. Suppose that hosts
      draw their texts independently from one distribution per request, whatever these distributions are. Then the
      product of 2 ** (2 r - 1) - 1 over the requests on which they differ, with r repeats on each host, is an e-value:
      its expectation is at most 1. p is its inverse (Markov).
    - Otherwise texts are permuted between the hosts within each request. The statistic is the disagreement between the
      hosts minus that within them.

    Requests that a host answered once are held against the repeated ones by Fisher's exact test: the share on which the
    hosts differ against the share on which one of them does not repeat itself, which is larger if the hosts are the
    same. Where there are both kinds, p is twice the smaller of the two.

    Repeats must show all noise that a host has: make them in separate rounds, with loads of the model between them if
    the hosts' texts were made after separate loads.

    Args:
        texts: A table with the columns of `text_agreement.TEXT_COLUMNS`, under the same options on both hosts.
        host_a: Label of one host.
        host_b: Label of the other.
        greedy: Whether the temperature is 0: seeds then count as repeats of their case.
        alpha: Level of the test, and 1 minus that of the interval.
        margin: Loss of agreement that counts as none.
        seed: Seed of the permutations.

    Raises:
        TableError: The hosts have no request in common.
    """
    if greedy:
        texts = _seeds_as_repeats(texts)
    requests = _requests(texts, host_a, host_b)
    between = text_agreement(pairs_between(texts, host_a, host_b), level=1 - alpha)
    own_a, own_b = (text_agreement(pairs_within(texts, host), level=1 - alpha) for host in (host_a, host_b))
    found = _test(requests, seed)
    p_value = found.p_value
    loss, low, high = _loss(between, own_a, own_b)
    if p_value <= alpha:
        verdict: SameRequestVerdict = "differs"
    else:
        verdict = "same" if high <= margin else "not shown"
    said = _sentence(host_a, host_b, verdict, p_value, between, own_a, own_b, margin)
    return SameRequest(
        host_a,
        host_b,
        verdict,
        p_value,
        between,
        own_a,
        own_b,
        found.clean,
        found.mixed,
        found.repeated,
        found.single,
        found.differing,
        loss,
        low,
        high,
        margin,
        said,
    )


def _seeds_as_repeats(texts: pd.DataFrame) -> pd.DataFrame:
    """Number the texts of a case on a host as repeats of one request."""
    ordered = texts.sort_values(["host", "case", "seed", "repeat"], kind="stable")
    repeat = ordered.groupby(["host", "case"], observed=True).cumcount()
    return ordered.assign(seed=0, repeat=repeat)


def _requests(texts: pd.DataFrame, host_a: str, host_b: str) -> _Requests:
    """Return the texts of the requests that both hosts answered."""
    both = texts[texts["host"].isin([host_a, host_b])].sort_values("repeat", kind="stable")
    code = unit_codes(both)
    first = (both["host"] == host_a).to_numpy(dtype=bool)
    counts = np.bincount(code, weights=first, minlength=1), np.bincount(code, weights=~first, minlength=1)
    shared = ((counts[0] > 0) & (counts[1] > 0))[code]
    if not shared.any():
        raise TableError(f"{host_a!r} and {host_b!r} have no request in common: run the same cases and seeds on both")
    _, request = np.unique(code[shared], return_inverse=True)
    text, _ = pd.factorize(both["text"].to_numpy(dtype=object)[shared], sort=True)
    fewest = np.minimum(*counts)[np.unique(code[shared])].astype(np.int64)
    return _Requests(text.astype(np.int64), first[shared], request.astype(np.int64), fewest)


@dataclass(frozen=True)
class _Tested:
    """The p of `same_request`, and the counts behind it (see `SameRequest`)."""

    p_value: float
    clean: int
    mixed: int
    repeated: int
    single: int
    differing: int


def _test(requests: _Requests, seed: int, permutations: int = PERMUTATIONS) -> _Tested:
    clean = mixed = single = differing = 0
    e_value = 1.0
    for request, fewest in enumerate(requests.fewest.tolist()):
        own = requests.request == request
        a, b = (requests.text[own & (requests.first == side)].tolist() for side in (True, False))
        if fewest < 2:
            single += 1
            differing += a[0] != b[0]
        elif len(set(a)) > 1 or len(set(b)) > 1:
            mixed += 1
        elif a[0] != b[0]:
            clean += 1
            e_value *= 2.0 ** (2 * fewest - 1) - 1
    repeated = len(requests.fewest) - single
    alone = _permuted(requests, np.random.default_rng(seed), permutations) if mixed else 1 / e_value
    p_value = 2 * alone
    if single and repeated:
        table = np.array([[differing, single - differing], [mixed, repeated - mixed]])
        p_value = 2 * min(p_value, float(stats.fisher_exact(table, alternative="greater").pvalue))
    return _Tested(min(1.0, p_value), clean, mixed, repeated, single, differing)


def _permuted(requests: _Requests, rng: np.random.Generator, permutations: int) -> float:
    """Return the p of the permutation of texts between the hosts within each request."""
    sums = [
        _arrangements(requests.text[own], requests.first[own], rng, permutations)
        for own in (requests.request == request for request in np.flatnonzero(requests.fewest >= 2))
    ]
    given = sum(each[0] for each in sums)
    shuffled = np.sum([each[1] for each in sums], axis=0)
    return float((1 + (shuffled >= given - 1e-9).sum()) / (1 + permutations))


def _arrangements(
    text: IntArray, first: np.ndarray, rng: np.random.Generator, permutations: int
) -> tuple[float, FloatArray]:
    """Return the excess of disagreement between the hosts, as it is and for random arrangements of one request.

    With the counts c of each text, the number of equal pairs within a host is the sum of c * (c - 1), and between the
    hosts the sum of c_a * c_b.
    """
    n_a, n_b = int(first.sum()), int((~first).sum())
    counts = np.bincount(np.unique(text, return_inverse=True)[1])
    if len(counts) == 1 or n_a + n_b == 2:
        return 0.0, np.zeros(permutations)
    own = np.bincount(np.unique(text, return_inverse=True)[1], weights=first)
    drawn = rng.multivariate_hypergeometric(counts, n_a, size=permutations)
    rows = np.vstack([own[None], drawn])
    other = counts - rows
    within = [(each * (each - 1)).sum(axis=1) / (n * (n - 1)) for each, n in ((rows, n_a), (other, n_b)) if n > 1]
    excess = np.mean(within, axis=0) - (rows * other).sum(axis=1) / (n_a * n_b)
    return float(excess[0]), excess[1:]


def _loss(between: TextAgreement, own_a: TextAgreement, own_b: TextAgreement) -> tuple[float, float, float]:
    """Return the loss of agreement with its interval.

    The ends combine Wilson's intervals of both shares (Newcombe, Statistics in Medicine 17, 1998, method 10). They are
    cautious here, since both shares rest on some of the same texts. Without any repeat the own share is unknown.
    """
    owns = [each for each in (own_a, own_b) if each.n]
    if not owns or not between.n:
        return math.nan, math.nan, math.nan
    worst = min(owns, key=lambda each: each.share)
    loss = worst.share - between.share
    low = loss - math.hypot(worst.share - worst.low, between.high - between.share)
    high = loss + math.hypot(worst.high - worst.share, between.share - between.low)
    return loss, low, high


def _sentence(
    host_a: str,
    host_b: str,
    verdict: SameRequestVerdict,
    p_value: float,
    between: TextAgreement,
    own_a: TextAgreement,
    own_b: TextAgreement,
    margin: float,
) -> str:
    """Return the result in words."""
    shares = f"{host_a} and {host_b} give the same text for {between.identical} of {between.n} requests"
    own = ", ".join(
        f"{host} repeats itself on {each.identical} of {each.n}"
        for host, each in ((host_a, own_a), (host_b, own_b))
        if each.n
    )
    beside = f"{shares}; {own}" if own else shares
    if verdict == "differs":
        return f"{beside}. The hosts differ (p = {p_value:.2g})."
    if verdict == "same":
        return f"{beside}. The hosts agree with each other as with themselves, within {margin:.0%} of requests."
    return f"{beside}. That shows neither a difference nor, within {margin:.0%} of requests, agreement."
