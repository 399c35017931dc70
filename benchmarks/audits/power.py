"""How often an audit finds a change of options, beside a published black-box test in the same run.

    python -m benchmarks.audits.power [--quick] [--json] [--replications N] [--record] [--store FILE] [--minutes M]

Two hosts differ in top_p by .2, in temperature by .3, or in what /v1 makes of the options (temperature 1.0, top_p 1.0,
num_ctx dropped). Each repeats itself.

* `audit`: the rule for same-seed texts (`analysis.sameness.same_request`) with 8 seeds on each of 2 cases, all of them
  repeated: 32 generations on each host. A change is found if p is at most 5% divided by the five tests of an audit of
  two hosts. `audit, 48`: the same with 12 seeds.
* `hamming`: maximum mean discrepancy with a Hamming kernel over words, permuted within cases, as published for auditing
  models behind an API (Gao, Liang and Guestrin 2024, arXiv:2410.20247), with 60 generations on each host and seeds of
  its own. A change is found at 5%.
* `3-grams`: the same with our own kernel (`analysis.noise.kernel_test`).

Simulated texts come from `benchmarks.audits.simulated`. Recorded ones are the embedded model's: the audit resamples 8
of 12 recorded seeds a case; the kernels test the table of `benchmarks.replay`, once for each of four repeat penalties.
`--record` generates texts that the store lacks, for `--minutes` at most.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from analysis.noise.kernel_test import kernel_test, matrix_test
from analysis.sameness.same_request import same_request
from benchmarks import command
from benchmarks.audits import recorded
from benchmarks.audits.simulated import DEFAULTS, KINDS, V1, Design, Model, host_texts
from benchmarks.replay import table as replay

CHANGES: Mapping[str, Mapping[str, float]] = {
    "top_p - .2": DEFAULTS | {"top_p": DEFAULTS["top_p"] - 0.2},
    "top_p + .2": DEFAULTS | {"top_p": DEFAULTS["top_p"] + 0.2},
    "temperature - .3": DEFAULTS | {"temperature": DEFAULTS["temperature"] - 0.3},
    "temperature + .3": DEFAULTS | {"temperature": DEFAULTS["temperature"] + 0.3},
    "/v1 defaults": V1,
}
NONE = "none"
AUDIT, LARGE, BLACK_BOX = Design(2, 8, 8), Design(2, 12, 12), Design(2, 30, 0)
LEVEL, TESTS = 0.05, 5
WAYS = ("audit", "audit, 48", "hamming", "3-grams")
PERMUTATIONS = 499


def hamming_test(x: pd.DataFrame, y: pd.DataFrame) -> float:
    """The p of the published test: the kernel is the share of places with the same word."""
    texts = [text.split() for text in (*x["text"], *y["text"])]
    longest = max(map(len, texts))
    padded = np.array([[*words, *[""] * (longest - len(words))] for words in texts], dtype=object)
    codes = np.unique(padded.ravel().astype(str), return_inverse=True)[1].reshape(padded.shape)
    kernel = (codes[:, None, :] == codes[None, :, :]).mean(axis=2)
    case = np.unique([*x["case"], *y["case"]], return_inverse=True)[1]
    first = np.arange(len(texts)) < len(x)
    return matrix_test(kernel, first, case, permutations=PERMUTATIONS).p_value


def gram_test(x: pd.DataFrame, y: pd.DataFrame) -> float:
    """The p of `kernel_test`."""
    columns = (list(table[name]) for name in ("text", "case") for table in (x, y))
    return kernel_test(*columns, permutations=PERMUTATIONS).p_value


def is_found(texts: pd.DataFrame) -> bool:
    """Say whether the rule for same-seed texts finds a difference between hosts a and b at the audit's level."""
    return same_request(texts, "a", "b").p_value <= LEVEL / TESTS


def simulated(change: str, replication: int) -> dict[str, bool]:
    """Which way finds a change in one replication."""
    rng = np.random.default_rng([replication, 17])
    model = Model(rng)
    options = {"a": DEFAULTS, "b": CHANGES.get(change, DEFAULTS)}

    def texts(label: str, design: Design, first_seed: int) -> pd.DataFrame:
        return host_texts(model, label, KINDS[0], design, options[label], rng, first_seed=first_seed)

    seed = 1000 * replication  # the same seeds again would repeat the luck of their draws in every replication
    own, large = (pd.concat([texts(label, design, seed) for label in "ab"]) for design in (AUDIT, LARGE))
    x, y = texts("a", BLACK_BOX, seed + 100), texts("b", BLACK_BOX, seed + 200)
    found = is_found(own), is_found(large), hamming_test(x, y) <= LEVEL, gram_test(x, y) <= LEVEL
    return dict(zip(WAYS, found, strict=True))


def resampled(table: pd.DataFrame, change: str, replications: int) -> float:
    """Share of resamplings of the recorded texts in which the audit finds a change."""
    rng = np.random.default_rng(3)
    arms = {"a": table[table["setting"] == "base"], "b": table[table["setting"] == change]}
    if change == NONE:
        arms["b"] = arms["a"]
    hosts = pd.concat([rows.assign(host=label) for label, rows in arms.items()])
    found = 0
    for _ in range(replications):
        kept = []
        for case in sorted(set(hosts["case"])):
            seeds = rng.choice(np.arange(1, recorded.SEEDS + 1), size=AUDIT.seeds, replace=False)
            kept.append(hosts[(hosts["case"] == case) & hosts["seed"].isin(seeds)])
        found += is_found(pd.concat(kept))
    return found / replications


def black_box_recorded(table: pd.DataFrame) -> dict[str, dict[str, float]]:
    """Share of four repeat penalties at which the kernels find a change in the table of `benchmarks.replay`."""
    base = {name: recorded.BASE[name] for name in ("temperature", "top_p")}
    found: dict[str, dict[str, float]] = {}
    for change, options in recorded.SETTINGS.items():
        moved = {name: options[name] for name in base}
        p_values = []
        for penalty in replay.GRID["repeat_penalty"]:
            rows = table[np.isclose(table["repeat_penalty"], penalty)]
            x, y = (
                rows[np.isclose(rows["temperature"], each["temperature"]) & np.isclose(rows["top_p"], each["top_p"])]
                for each in (base, moved)
            )
            if change != "base" and len(x) and len(y):
                p_values.append((hamming_test(x, y), gram_test(x, y)))
        if p_values:
            shares = (np.array(p_values) <= LEVEL).mean(axis=0)
            found[change] = {"hamming": float(shares[0]), "3-grams": float(shares[1])}
    return found


def figures_of(replications: int, changes: Sequence[str]) -> dict[str, Any]:
    """All figures: shares found by change and way, simulated and recorded, and the generations behind them."""
    found: dict[str, Any] = {
        "generations": {
            "audit": AUDIT.generations,
            "audit, 48": LARGE.generations,
            "black box": BLACK_BOX.generations,
        },
        "replications": replications,
        "simulated": {},
        "recorded": {},
    }
    for change in changes:
        each = [simulated(change, replication) for replication in range(replications)]
        found["simulated"][change] = {way: float(np.mean([one[way] for one in each])) for way in WAYS}
    kernels = black_box_recorded(replay.load()) if replay.PARQUET.exists() else {}
    texts = recorded.load()
    for change in changes:
        own = {} if texts is None else {"audit": resampled(texts, change, replications)}
        found["recorded"][change] = own | kernels.get(change, {})
    return found


def lines(figures: Mapping[str, Any]) -> Iterator[str]:
    """The figures as text."""
    sizes = figures["generations"]
    yield f"generations on each host: {sizes['audit']} for the audit, {sizes['black box']} for the kernels"
    for source in ("simulated", "recorded"):
        for change, shares in figures[source].items():
            shown = ", ".join(f"{way} {share:.2f}" for way, share in shares.items())
            yield f"{source}, {change}: {shown or 'no texts'}"
    yield f"{figures['replications']} replications"


def main(argv: list[str] | None = None) -> int:
    """Run the benchmark; returns the exit code."""
    parser = command.parser(__doc__, quick="10 replications")
    parser.add_argument("--replications", type=int, help="replications of each change (default 200)")
    parser.add_argument("--record", action="store_true", help="generate the recorded texts that the store lacks")
    parser.add_argument("--store", type=Path, default=Path("audit_texts.jsonl"), help="file that keeps these texts")
    parser.add_argument("--minutes", type=float, help="time for --record")
    given = parser.parse_args(argv)
    if given.record:
        if reason := command.missing_model():
            return command.skip(given, reason)
        if missing := recorded.record(given.store, minutes=given.minutes):
            print(f"{missing} texts are missing; the same command goes on from here", file=sys.stderr)
    replications = given.replications or (10 if given.quick else 200)
    figures = figures_of(replications, [NONE, *CHANGES])
    return command.show(given, figures, lines(figures))


if __name__ == "__main__":
    sys.exit(main())
