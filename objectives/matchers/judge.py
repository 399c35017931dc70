"""Matcher by a language model that reads items and text and answers yes or no for each item.

Cost: `votes` calls of the model per text. The answers may vary, so their noise is measured: every item is asked `votes`
times, each time with the items in another order. The share of unlike answers becomes `Match.disagreement`, then the
score's side metric `matcher_sd`, and so part of the noise floor. A model that answers greedily can agree with itself
and still be wrong: check it against people.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from math import comb
from typing import Any, Final

from objectives.case import Item
from objectives.matchers.base import Match, ObjectiveError, UnusableAnswer
from objectives.matchers.judge_answers import read_answers
from objectives.matchers.model_access import ChatJson

SCHEMA: Final[Mapping[str, Any]] = {
    "type": "object",
    "properties": {
        "answers": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "item": {"type": "integer"},
                    "quote": {"type": "string"},
                    "covered": {"type": "boolean"},
                },
                "required": ["item", "quote", "covered"],
            },
        }
    },
    "required": ["answers"],
}
_PROMPT: Final = """You check a summary against a list of items.
For each item decide whether a reader of the summary alone would learn it.
Wording may differ; names, numbers and negations must not. Quote the words of the summary that say it, or leave the
quote empty.

Summary:
<<<
{text}
>>>

Items:
{items}

Answer with JSON: {{"answers": [{{"item": number, "quote": text, "covered": true or false}}, ...]}}, one entry per
item."""
_TRIES: Final = 2


class JudgeMatcher:
    """k votes of a language model per item; the majority decides, a tie counts as not covered.

    Args:
        chat_json: Asks the model; its exceptions are not caught.
        votes: Times that each text is judged, 1..25; an odd number has no ties. With 1, the model's noise is unknown.
        model: Name of the model, part of the digest.
        threshold: Share of the votes that must be exceeded, in [0.5, 1).

    Raises:
        ObjectiveError: A setting is out of range.
    """

    name = "judge"

    def __init__(self, chat_json: ChatJson, *, votes: int = 3, model: str = "", threshold: float = 0.5) -> None:
        if isinstance(votes, bool) or not isinstance(votes, int) or not 1 <= votes <= 25:
            raise ObjectiveError(f"votes = {votes!r}: must be a whole number from 1 to 25; 3 is a good start.")
        if not 0.5 <= threshold < 1:
            raise ObjectiveError(f"threshold = {threshold!r}: the judge needs a share of votes from 0.5 to below 1.")
        self._chat_json = chat_json
        self.votes, self.threshold = votes, threshold
        settings = json.dumps(["judge-2", model, votes, threshold, _PROMPT, SCHEMA], sort_keys=True)
        self.digest = hashlib.sha256(settings.encode()).hexdigest()[:12]

    def match(self, items: Sequence[Item], text: str, *, context: str | None = None) -> list[Match]:  # noqa: ARG002
        """See `objectives.matchers.base.Matcher.match`. An empty text covers nothing and is not sent.

        Raises:
            UnusableAnswer: The model's answer does not follow the schema or leaves items out, twice in a row.
        """
        if not items or not text.strip():
            why = "the text is empty"
            return [Match(item.id, False, 0.0, 0.0, self.threshold, why, None, (), self.name) for item in items]
        yes = [0] * len(items)
        quotes: list[str | None] = [None] * len(items)
        for vote in range(self.votes):
            shift = vote * len(items) // self.votes
            order = [*range(shift, len(items)), *range(shift)]
            for place, (covered, quote) in self._ask(items, order, text, vote).items():
                yes[place] += covered
                if covered and quote and quote.casefold() in text.casefold():
                    quotes[place] = quotes[place] or quote
        return [self._one(item, count, quote) for item, count, quote in zip(items, yes, quotes, strict=True)]

    def _one(self, item: Item, yes: int, quote: str | None) -> Match:
        share = yes / self.votes
        covered = share > self.threshold
        return Match(
            item=item.id,
            covered=covered,
            probability=share,
            score=share,
            threshold=self.threshold,
            why=f"{yes} of {self.votes} votes say it is covered",
            span=quote if covered else None,
            missing=(),
            matcher=self.name,
            disagreement=retest_variance(share, self.votes, self.threshold),
            spread=share * (1 - share) / self.votes,
        )

    def _ask(self, items: Sequence[Item], order: list[int], text: str, vote: int) -> dict[int, tuple[bool, str]]:
        """Return the answers by the items' places. They are numbered as they are shown, as a model counts them."""
        shown = [items[place].text for place in order]
        listed = "\n".join(f"{number}. {each}" for number, each in enumerate(shown, start=1))
        prompt = _PROMPT.format(text=text, items=listed)
        problem = ""
        for turn in range(vote * _TRIES, (vote + 1) * _TRIES):
            answers, problem = read_answers(self._chat_json(prompt, SCHEMA, turn), shown)
            if not problem:
                return {order[at]: answer for at, answer in answers.items()}
        raise UnusableAnswer(
            f"the judge's answer cannot be used: {problem}. Use a larger model: it follows the schema more often."
        )


def retest_variance(share: float, votes: int, threshold: float = 0.5) -> float:
    """Return the variance of the decision when a text is judged again, each vote being yes with probability `share`."""
    needed = [count for count in range(votes + 1) if count / votes > threshold]
    yes = sum(comb(votes, count) * share**count * (1 - share) ** (votes - count) for count in needed)
    return max(0.0, yes * (1 - yes))
