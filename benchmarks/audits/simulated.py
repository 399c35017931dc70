"""Simulated hosts: a small model of words that is sampled as llama.cpp samples, with rounding that moves its numbers.

A host's next word depends on the last one, through log probabilities that all hosts share. A numeric path (prompt
cached or not, the batch that a request fell into) adds a small shift to them, fixed per path. Words are drawn by the
request's seed: temperature, top_k, top_p, then the inverse distribution function. So an option changes some texts of a
seed, as on a real host, and a path changes a few.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

WORDS, LENGTH, STEPS = 60, 6, 40
SPREAD = 6.0
"""Standard deviation of the log probabilities over words: up to half of the texts survive a change of one option."""

ROUNDING = 0.1
"""Standard deviation of a path's shifts; the largest of 20 alternatives is then about .2 to .3, as measured."""

DEFAULTS: Mapping[str, float] = {"temperature": 0.8, "top_k": 40, "top_p": 0.8}
V1: Mapping[str, float] = {"temperature": 1.0, "top_k": 40, "top_p": 1.0}

KINDS = ("repeats itself", "cold first request", "cold after each prompt", "a random batch")
"""How a host's numeric path of a request comes about."""


@dataclass
class Model:
    """The words and their log probabilities.

    Args:
        rng: Generator of all numbers of the model.
        paths: Number of numeric paths.
    """

    rng: np.random.Generator
    paths: int = 4
    words: list[str] = field(init=False)
    logits: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        letters = np.array(list("abcdefghijklmnopqrstuvwxyz"))
        self.words = ["".join(self.rng.choice(letters, size=LENGTH)) for _ in range(WORDS)]
        base = self.rng.normal(0, SPREAD, size=(WORDS, WORDS))
        shifts = self.rng.normal(0, ROUNDING, size=(self.paths, WORDS, WORDS))
        self.logits = base + shifts

    def texts(
        self, cases: np.ndarray, seeds: np.ndarray, paths: np.ndarray, options: Mapping[str, float]
    ) -> np.ndarray:
        """Words of each request, as codes, shape (requests, STEPS).

        Args:
            cases: Code of the case of each request: its first word.
            seeds: Seed of each.
            paths: Numeric path of each.
            options: temperature (0 for the most probable word), top_k and top_p.
        """
        streams = [np.random.default_rng([int(seed), int(case)]) for case, seed in zip(cases, seeds, strict=True)]
        drawn = np.stack([stream.random(STEPS) for stream in streams])
        last = cases % WORDS
        found = np.empty((len(cases), STEPS), dtype=np.int64)
        for step in range(STEPS):
            last = _next(self.logits[paths, last], drawn[:, step], options)
            found[:, step] = last
        return found

    def written(self, codes: np.ndarray) -> list[str]:
        """Texts of codes of words."""
        return [" ".join(self.words[code] for code in row) for row in codes]

    def first_tokens(self, prompts: int, paths: Sequence[int]) -> pd.DataFrame:
        """Log probabilities of the 20 most probable first words of each prompt, on one path per prompt."""
        rows = []
        for prompt, path in zip(range(prompts), paths, strict=True):
            logits = self.logits[path, prompt]
            logprobs = logits - np.log(np.exp(logits).sum())
            best = np.argsort(-logprobs)[:20]
            rows += [(f"p{prompt}", self.words[word], float(logprobs[word])) for word in best]
        return pd.DataFrame(rows, columns=["prompt", "token", "logprob"])


def _next(logits: np.ndarray, drawn: np.ndarray, options: Mapping[str, float]) -> np.ndarray:
    """Draw the next word of each request."""
    if options["temperature"] == 0:
        return logits.argmax(axis=1)
    order = np.argsort(-logits, axis=1)[:, : int(options["top_k"])]
    best = np.take_along_axis(logits, order, axis=1)
    plain = np.exp(best - best[:, :1])
    before = np.cumsum(plain, axis=1) - plain
    kept = before < options["top_p"] * plain.sum(axis=1, keepdims=True)  # top_p comes before the temperature
    chances = np.where(kept, np.exp((best - best[:, :1]) / options["temperature"]), 0)
    reached = np.cumsum(chances, axis=1) / chances.sum(axis=1, keepdims=True)
    place = np.minimum((reached <= drawn[:, None]).sum(axis=1), order.shape[1] - 1)
    return order[np.arange(len(order)), place]


def paths_of(kind: str, seeds: np.ndarray, repeats: np.ndarray, rng: np.random.Generator, paths: int) -> np.ndarray:
    """Numeric paths of a host's requests.

    Args:
        kind: One of KINDS.
        seeds: Seed of each request; the smallest of a case comes first.
        repeats: Repeat of each.
        rng: The host's own chance.
        paths: Number of paths.
    """
    none = np.zeros(len(seeds), dtype=np.int64)
    if kind == "cold first request":
        return np.where((repeats == 0) & (seeds == seeds.min()), 1, none)
    if kind == "cold after each prompt":
        return np.where(repeats == 0, 1, none)
    if kind == "a random batch":
        return rng.integers(0, paths, size=len(seeds))
    return none


@dataclass(frozen=True)
class Design:
    """The requests by which hosts are compared, in one mode.

    Attributes:
        cases: Number of cases.
        seeds: Seeds per case.
        repeated: Of these, the seeds that are sent again.
        rounds: How often they are sent again.
    """

    cases: int = 2
    seeds: int = 12
    repeated: int = 12
    rounds: int = 1

    @property
    def generations(self) -> int:
        """Number of generations on a host."""
        return self.cases * (self.seeds + self.repeated * self.rounds)

    def requests(self, first_seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Case, seed and repeat of each request."""
        rows = [
            (case, first_seed + seed, repeat)
            for repeat in range(1 + self.rounds)
            for case in range(self.cases)
            for seed in range(self.seeds if repeat == 0 else self.repeated)
        ]
        case, seed, repeat = np.array(rows).T
        return case, seed, repeat


def host_texts(
    model: Model,
    label: str,
    kind: str,
    design: Design,
    options: Mapping[str, float],
    rng: np.random.Generator,
    *,
    first_seed: int = 42,
    mode: str = "production",
) -> pd.DataFrame:
    """Texts of one host, with the columns of `text_agreement.TEXT_COLUMNS`, `mode` and `score`.

    The score of a text is the share of 8 words of its case that it contains.
    """
    case, seed, repeat = design.requests(first_seed)
    codes = model.texts(case, seed, paths_of(kind, seed, repeat, rng, model.paths), options)
    items = (case[:, None] * 7 + np.arange(0, 40, 5)) % WORDS
    score = (codes[:, :, None] == items[:, None, :]).any(axis=1).mean(axis=1)
    return pd.DataFrame(
        {
            "mode": mode,
            "host": label,
            "case": [f"c{each}" for each in case],
            "seed": seed,
            "repeat": repeat,
            "text": model.written(codes),
            "score": score,
        }
    )
