"""The answer in a generation, which is scored, apart from the thought before it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from objectives.markup import plain
from objectives.reasoning import split
from objectives.text import normalise
from sweeps.engines.base import Generation, thinking_share

CUT, KEEP = "cut", "keep"
"""Values of `objective.reasoning`: reasoning in a text is cut off before scoring, or scored as part of it."""

EMPTY = "empty"
"""Finish of a text without an answer, whatever ended it."""


_LONG = 2000
"""Characters from which a text is not searched for whether it is empty."""

UNSCORED = "NotScored"
"""First word in the error of an observation whose text has no score."""


@dataclass(frozen=True)
class Answer:
    """A generation in two parts.

    Attributes:
        text: The answer, which is scored.
        thought: The thought, in a field of its own or cut out of the text.
        answer_tokens: Tokens of the answer; None where not known.
        thinking_tokens: Tokens of the thought; None where not known. The engine counts those of a thought in a field
            of its own. For a thought in the text they are its share of the text's bytes.
        finish: As in `Generation`, or `EMPTY`.
        reasons_inside: Whether the text has reasoning in it, cut off or not.
    """

    text: str
    thought: str
    answer_tokens: int | None
    thinking_tokens: int | None
    finish: str
    reasons_inside: bool = False

    @property
    def is_empty(self) -> bool:
        """Whether there is no answer."""
        return self.finish == EMPTY


def answer_of(generation: Generation, reasoning: str = CUT) -> Answer:
    """Return the answer in a generation.

    Args:
        generation: The generation.
        reasoning: `CUT`, or `KEEP` to leave reasoning in the text. A thought in a field of its own is always apart.
    """
    found = split(generation.text)
    inside, text = found if reasoning == CUT else ("", generation.text)
    thought = "\n".join(filter(None, [generation.thought, inside]))
    thinking, answer = _tokens(generation, inside, text)
    finish = generation.finish if _says_something(text) else EMPTY
    return Answer(text, thought, answer, thinking, finish, bool(found.thought))


def _says_something(text: str) -> bool:
    """Whether a text has more than white space, invisible characters, an empty fence, or a model's special tokens."""
    return len(text) > _LONG or bool(normalise(plain(text)).strip())


def _tokens(generation: Generation, inside: str, text: str) -> tuple[int | None, int | None]:
    """Return the tokens of thought and answer; an older ledger does not know those of a thought apart."""
    output, apart = generation.output_tokens, generation.thinking_tokens
    if apart is None and not generation.text and output:
        return None, None
    if output is None:
        return (0, None) if not generation.thought and not inside else (None, None)
    rest = output - (apart or 0)
    cut = thinking_share(rest, len(inside.encode()), len(text.encode())) or 0
    return (apart or 0) + cut, rest - cut


def scored_digest(case: str, *, is_whole: bool) -> str:
    """Return the digest under which a score is kept: the case's, for a score of the whole text.

    Scores of texts without their reasoning have another one. So a text can have a score of either kind.
    """
    return case if is_whole else hashlib.sha256(f"{case} answer".encode()).hexdigest()[:32]
