"""Bisecting planted differences: how often the cause is named, and how often a wrong one.

    python -m benchmarks.audits.bisect [--quick] [--json] [--rounds N]

Two simulated hosts differ in one planted thing (or, for /v1 and left-out options, in what these come to), and in up to
three settings that have no effect. A cause of the numerics changes only some texts; a cause of the sampling most of
them. Each difference is planted on hosts that repeat their texts, and on hosts that fail to in 1 of 20. Named means:
exactly the planted factors, called isolated; for what a request cannot change, the right group of facts.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from benchmarks import command
from sweeps.audits.bisection.bisect import HOST, Bisection, Pair, Value, bisect

SENT: Mapping[str, Value] = {
    HOST: "a", "api path": "native", "in flight": 1, "streamed": True, "prompt order": "back to back",
    "temperature": 0.8, "top_p": 0.9, "top_k": 40, "repeat_penalty": 1.0, "min_p": 0.0, "num_ctx": 8192,
    "num_thread": 4, "num_batch": 512, "KV cache type": "f16", "draft_num_predict": 0, "think": False,
}  # fmt: skip
ON_V1 = ("temperature", "top_p", "think")
"""Options that /v1 takes; the rest is left out there."""

LEFT_OUT: Mapping[str, Value] = {"repeat_penalty": 1.1, "num_ctx": 4096, "temperature": 0.8, "top_p": 0.9, "top_k": 40}
V1_DEFAULTS: Mapping[str, Value] = {"temperature": 1.0, "top_p": 1.0}
INERT: Mapping[str, Value] = {"streamed": False, "min_p": 0.001, "think": True, "prompt order": "alternating"}

STRENGTH = {
    "temperature": 0.9, "top_p": 0.8, "top_k": 0.6, "repeat_penalty": 0.8, "num_ctx": 0.5, "num_thread": 0.4,
    "num_batch": 0.35, "KV cache type": 0.6, "draft_num_predict": 0.3, "in flight": 0.5, HOST: 0.7, "weights": 0.95,
    "template": 0.9, "version": 0.5,
}  # fmt: skip
"""Share of texts that another value changes, as on real hosts (docs/benchmarks.md)."""


@dataclass(frozen=True)
class Plant:
    """A planted difference: the values of the other side, and the factors to be named."""

    name: str
    values: Mapping[str, Value]
    causes: frozenset[str] = frozenset()
    ignores_seed: bool = False


def _one(name: str, *values: Value) -> list[Plant]:
    return [Plant(f"{name} {value}", {name: value}, frozenset({name})) for value in values]


def plants() -> list[Plant]:
    """Return the 50 differences."""
    v1 = {**{name: None for name in SENT if name in LEFT_OUT and name not in ON_V1}, "api path": "/v1"}
    found = [
        *_one("temperature", 0.3, 0.5, 1.1), *_one("top_p", 0.7, 0.8, 1.0), *_one("top_k", 10, 20, 100),
        *_one("repeat_penalty", 1.1, 1.2, 1.3), *_one("num_ctx", 2048, 4096, 16384), *_one("num_thread", 1, 2, 8),
        *_one("num_batch", 64, 128, 256), *_one("KV cache type", "q8_0", "q4_0"),
        *_one("draft_num_predict", 2, 4, 8), *_one("in flight", 2, 4, 8),
        Plant("repeat_penalty left out", {"repeat_penalty": None}, frozenset({"repeat_penalty"})),
        Plant("num_ctx left out", {"num_ctx": None}, frozenset({"num_ctx"})),
        Plant("two left out", {"num_ctx": None, "repeat_penalty": None}, frozenset({"num_ctx", "repeat_penalty"})),
        Plant("/v1, defaults", v1 | V1_DEFAULTS, frozenset({"temperature", "top_p", "num_ctx", "repeat_penalty"})),
        Plant("/v1, all it takes", v1, frozenset({"num_ctx", "repeat_penalty"})),
        Plant("/v1, temperature", {**v1, "temperature": 1.0}, frozenset({"temperature", "num_ctx", "repeat_penalty"})),
    ]  # fmt: skip
    for group in ("weights", "template", "version"):
        found += [Plant(f"{group} {n}", {group: n}, frozenset({group})) for n in range(1, 5)]
    found += [Plant(f"seed ignored {n}", {HOST: f"random {n}"}, ignores_seed=True) for n in range(3)]
    return found


@dataclass
class Servers:
    """Both hosts: the text of a request depends on its effective values that change it."""

    plant: Plant
    unstable: float
    rng: np.random.Generator
    requests: int = 0
    _texts: dict[tuple[object, ...], list[str]] = field(default_factory=dict)

    def ask(self, values: Mapping[str, Value], pairs: Sequence[Pair], repeat: int) -> list[str] | None:
        """Answer the requests of some pairs; /v1 takes no value of an option that it drops."""
        v1 = values["api path"] == "/v1"
        if v1 and any(values[name] is not None for name in LEFT_OUT if name not in ON_V1):
            return None
        key = (tuple(sorted(values.items(), key=str)), tuple(pairs), repeat)
        if key not in self._texts:
            self.requests += len(pairs)
            self._texts[key] = [self._text(values, pair) for pair in pairs]
        return self._texts[key]

    def _text(self, values: Mapping[str, Value], pair: Pair) -> str:
        effective = {name: LEFT_OUT.get(name) if value is None else value for name, value in values.items()}
        parts = [f"{pair}"]
        for name, value in effective.items():
            if value != SENT.get(name, 0) and _chance(pair, name, value) < STRENGTH.get(name, 0.0):
                parts.append(f"{name}={value}")
        random = self.plant.ignores_seed and str(effective[HOST]).startswith("random")
        if random or self.rng.random() < self.unstable:
            parts.append(str(self.rng.random()))
        return " ".join(parts)


def _chance(*key: object) -> float:
    seed = np.frombuffer(repr(key).encode().ljust(64, b".")[:64], dtype=np.uint32)
    return float(np.random.default_rng(seed).random())


def tried(plant: Plant, unstable: float, seed: int) -> tuple[str, Bisection, int]:
    """Bisect one planted difference; return `named`, `wrong` or `not named`, with the result and its requests."""
    rng = np.random.default_rng(seed)
    inert = {name: INERT[name] for name in rng.permutation(sorted(INERT))[: rng.integers(0, 4)]}
    servers = Servers(plant, unstable, rng)
    # two servers on one machine that differ in one known fact: the host itself is that factor
    sent = SENT if not plant.causes - SENT.keys() else {**SENT, next(iter(plant.causes)): 0}
    cases = [f"case {n}" for n in range(6)]
    pairs = [(case, seed * 1000 + n) for n in range(4) for case in cases]
    fresh = [(case, seed * 1000 + 500 + n) for n in range(1) for case in cases]
    found = bisect(sent, {**sent, **inert, **plant.values}, servers.ask, pairs, fresh)
    return _judged(plant, found), found, servers.requests


def _judged(plant: Plant, found: Bisection) -> str:
    if plant.ignores_seed:
        stays = found.status != "isolated" and found.repeated[1] <= found.n / 10
        return "named" if stays else "wrong" if found.status == "isolated" else "not named"
    if found.status != "isolated":
        return "not named"
    return "named" if set(found.factors) == plant.causes else "wrong"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark."""
    parser = command.parser(__doc__, quick="2 rounds instead of 20")
    parser.add_argument("--rounds", type=int, help="times that each difference is planted")
    given = parser.parse_args(argv)
    rounds = given.rounds or (2 if given.quick else 20)
    figures, table = {}, [f"{'hosts':<28}{'planted':>8}{'named':>8}{'wrong':>8}{'requests':>10}"]
    missed: Counter[str] = Counter()
    for label, unstable in (("repeat their texts", 0.0), ("fail to in 1 of 20", 0.05)):
        counts: Counter[str] = Counter()
        requests = []
        for number in range(rounds):
            for index, plant in enumerate(plants()):
                judged, found, requested = tried(plant, unstable, 1000 * number + index)
                counts[judged] += 1
                requests.append(requested)
                if judged != "named":
                    missed[f"{label}: {plant.name}: {judged}: {found.status} {found.factors} {found.why}"] += 1
        n = sum(counts.values())
        named, sent = counts["named"] / n, float(np.mean(requests))
        figures[label] = {"planted": n, "named": named, "wrong": counts["wrong"], "requests": sent}
        table.append(f"{label:<28}{n:>8}{named:>8.3f}{counts['wrong']:>8}{sent:>10.0f}")
    table += [f"  {count} x {line}" for line, count in missed.most_common(12)]
    return command.show(given, figures, table)


if __name__ == "__main__":
    sys.exit(main())
