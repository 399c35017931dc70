"""Weighted coverage of a rubric: the score of a summary."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final, Literal, Protocol, get_args, runtime_checkable

from objectives.case import LEVELS, Case, Item
from objectives.matchers import patterns
from objectives.matchers.base import Match, Matcher, ObjectiveError
from objectives.matchers.lexical import LexicalMatcher
from objectives.matchers.patterns import PatternText, match_patterns
from objectives.text import normalise, tokenise, tokens_of
from objectives.text_metrics import Spans, copied_share, redundancy, spans_of, words_in

DEFAULT_WEIGHTS = (5.0, 4.0, 3.0, 2.0, 1.0)
"""Weights of levels 1..5: one tier of the pyramid each (Nenkova and Passonneau, 2004)."""
ScoreKind = Literal["expected", "counted"]
"""Ways to add up the items: their probabilities, or those that count as covered."""
SCORES: Final[tuple[ScoreKind, ...]] = get_args(ScoreKind)


@dataclass(frozen=True)
class Score:
    """A scored summary.

    Attributes:
        score: In [0, 1], higher is better; expected or counted coverage.
        covered: Ids of the covered items, in the rubric's order; never a forbidden one.
        missed: Ids of the items that are not covered.
        levels: For each level that the rubric has: (covered, total).
        words: Words of the scored text (each character of an unspaced script counts as one).
        forbidden: Ids of the forbidden items that appeared.
        matches: Every item's match, in the rubric's order.
        side: Side metrics. `redundancy` is the share of repeated 4-grams, `copied_share` the share of words in
            stretches of 8 or more taken from the log. `compression` is `words` over the log's words, `forbidden` a
            count. A matcher that disagrees with itself adds `matcher_sd`: the standard deviation of the score when
            the same text is judged again.
    """

    score: float
    covered: tuple[str, ...] = ()
    missed: tuple[str, ...] = ()
    levels: dict[int, tuple[int, int]] = field(default_factory=dict)
    words: int = 0
    forbidden: tuple[str, ...] = ()
    matches: tuple[Match, ...] = ()
    side: dict[str, float] = field(default_factory=dict)

    @property
    def lv12(self) -> tuple[int, int]:
        """(covered, total) of levels 1 and 2 together."""
        pairs = [self.levels.get(level, (0, 0)) for level in (1, 2)]
        return sum(covered for covered, _ in pairs), sum(total for _, total in pairs)

    def level_text(self, level: int) -> str:
        """Write a level as `3/5`; `0/0` if the rubric has no item of that level."""
        covered, total = self.levels.get(level, (0, 0))
        return f"{covered}/{total}"


@runtime_checkable
class Objective(Protocol):
    """Scores a text for a case. Case, text and digest determine the score, unless the matcher is a model."""

    @property
    def name(self) -> str:
        """Short name for tables."""
        ...

    @property
    def digest(self) -> str:
        """Hex digest of every setting that can change a score; the rubric is not part of it."""
        ...

    def score(self, case: Case, text: str) -> Score:
        """Score a text for a case."""
        ...


def weighted_score(items: Sequence[Item], covered: Mapping[str, float], weights: Mapping[int, float]) -> float:
    """Return the weight of covered items, minus that of forbidden items that appear, over all weight; in [0, 1].

    An item's part in `covered` is its probability, or whether it is covered. Forbidden items are not part of the
    denominator. A rubric whose weights sum to 0 scores 0.
    """
    total = sum(weights[item.level] for item in items if not item.forbidden)
    if total <= 0:
        return 0.0
    gained = sum(weights[item.level] * (-1 if item.forbidden else 1) * covered[item.id] for item in items)
    return min(1.0, max(0.0, gained / total))


class CoverageObjective:
    """Weighted coverage over the sum of all weights.

    *Expected* coverage adds weight times probability. It agrees better with people and varies less than *counted*
    coverage, which adds the weights of the items that count as covered. Authored patterns have probability 0 or 1.

    Args:
        weights: Weights of levels 1..5 (non-negative, not all 0), as a sequence or a mapping level -> weight.
        budget_words: Number of words to score from the start of the text, or None for the whole text. A character of
            a script without spaces counts as one word.
        matcher: Decides the items that have no authored patterns.
        score: "expected" or "counted". Covered items and levels (`3/5`) are counted in both.

    Raises:
        ObjectiveError: A setting is out of range.
    """

    name = "coverage"

    def __init__(
        self,
        weights: Sequence[float] | Mapping[int, float] = DEFAULT_WEIGHTS,
        budget_words: int | None = None,
        matcher: Matcher | None = None,
        score: ScoreKind = "expected",
    ) -> None:
        self.weights = read_weights(weights)
        if budget_words is not None and (isinstance(budget_words, bool) or budget_words < 1):
            raise ObjectiveError(
                f"budget_words = {budget_words!r}: must be a whole number, 1 or more; leave it out to score all words."
            )
        if score not in SCORES:
            raise ObjectiveError(f"score = {score!r}: must be one of {', '.join(SCORES)}.")
        self.budget_words = budget_words
        self.kind: ScoreKind = score
        self.matcher: Matcher = LexicalMatcher() if matcher is None else matcher
        settings = {
            "weights": self.weights,
            "budget_words": budget_words,
            "matcher": [self.matcher.name, self.matcher.digest],
            "patterns": patterns.VERSION,
            "score": score,
        }
        self.digest = _digest(settings)
        self.former_digests = _former_digests(settings, self.matcher)
        """Digests that earlier versions gave to the same settings, whose scores may differ."""

    def score(self, case: Case, text: str) -> Score:
        """Score a text for a case.

        Raises:
            ObjectiveError: An item's regular expression cannot be read or takes too long.
        """
        text = cut_to_words(text, self.budget_words)
        matches = self._match(case, text)
        covered = {match.item: match.covered for match in matches}
        wanted = [item for item in case.items if not item.forbidden]
        forbidden = tuple(item.id for item in case.items if item.forbidden and covered[item.id])
        levels = {
            level: (sum(covered[i.id] for i in wanted if i.level == level), sum(i.level == level for i in wanted))
            for level in LEVELS
            if any(item.level == level for item in wanted)
        }
        words = words_in(text)
        log = _log_spans(case.log)
        side = {
            "words": float(len(words)),
            "redundancy": redundancy(words),
            "copied_share": copied_share(words, log),
            "compression": len(words) / log.words if log.words else 0.0,
            "forbidden": float(len(forbidden)),
        }
        expected = self.kind == "expected"
        parts = {match.item: match.probability if expected else float(match.covered) for match in matches}
        noise = sum(
            self.weights[item.level] ** 2 * (match.spread if expected else match.disagreement)
            for item, match in zip(case.items, matches, strict=True)
        )
        total = sum(self.weights[item.level] for item in wanted)
        if noise > 0 and total > 0:
            side["matcher_sd"] = noise**0.5 / total
        return Score(
            score=weighted_score(case.items, parts, self.weights),
            covered=tuple(item.id for item in wanted if covered[item.id]),
            missed=tuple(item.id for item in wanted if not covered[item.id]),
            levels=levels,
            words=len(words),
            forbidden=forbidden,
            matches=tuple(matches),
            side=side,
        )

    def _match(self, case: Case, text: str) -> list[Match]:
        open_items = [item for item in case.items if not item.has_patterns]
        given = self.matcher.match(open_items, text, context=case.log) if open_items else []
        if [match.item for match in given] != [item.id for item in open_items]:
            raise ObjectiveError(
                f"matcher {self.matcher.name!r} did not return one answer per item of case {case.name!r}, in order."
            )
        answers = iter(given)
        ready = PatternText(text)
        return [match_patterns(item, ready) if item.has_patterns else next(answers) for item in case.items]


def _digest(settings: Mapping[str, object]) -> str:
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:12]


def _former_digests(settings: Mapping[str, object], matcher: Matcher) -> frozenset[str]:
    if settings["score"] != "counted":
        return frozenset()
    former = {key: settings[key] for key in ("weights", "budget_words")}  # as version 0.1.0 had them
    digests = getattr(matcher, "former_digests", (matcher.digest,))
    return frozenset(_digest({**former, "matcher": [matcher.name, digest]}) for digest in digests)


def read_weights(weights: Sequence[float] | Mapping[int, float]) -> dict[int, float]:
    """Return the weights of levels 1..5 as a mapping.

    Raises:
        ObjectiveError: Not five finite, non-negative numbers with at least one above 0.
    """
    pairs = dict(weights) if isinstance(weights, Mapping) else dict(zip(LEVELS, weights, strict=False))
    pairs = {int(level): weight for level, weight in pairs.items()}
    if set(pairs) != set(LEVELS) or (not isinstance(weights, Mapping) and len(weights) != len(LEVELS)):
        raise ObjectiveError(
            f"weights = {weights!r}: give five numbers, for levels 1 to 5, for instance [5, 4, 3, 2, 1]."
        )
    bad = [
        w for w in pairs.values() if isinstance(w, bool) or not isinstance(w, int | float) or not 0 <= w < float("inf")
    ]
    if bad or not any(pairs.values()):
        raise ObjectiveError(f"weights = {weights!r}: give numbers of 0 or more, with at least one above 0.")
    return {level: float(pairs[level]) for level in LEVELS}


def cut_to_words(text: str, budget: int | None) -> str:
    """Return the first `budget` words of a text, in normalised form; the text itself if `budget` is None."""
    if budget is None:
        return text
    normal = normalise(text)
    seen = 0
    for token in tokenise(normal):
        seen += token.kind != "symbol"
        if seen == budget:
            return normal[: token.end]
    return normal


@lru_cache(maxsize=64)
def _log_spans(log: str) -> Spans:
    return spans_of(token.key for token in tokens_of(normalise(log)) if token.kind != "symbol")
