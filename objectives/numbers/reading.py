"""One look at the tokens of a text, for the readers of numbers and dates."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from objectives.text import Token, number_value


class Value(NamedTuple):
    """A number, and the token after it; `ordinal` for `third` and `3rd`."""

    value: float
    stop: int
    ordinal: bool = False


class Tokens:
    """The tokens of a normalised text, with what the readers ask of them. Places beyond the ends are empty."""

    def __init__(self, normal: str, tokens: Sequence[Token]) -> None:
        self.normal = normal
        self.tokens = tokens
        self.count = len(tokens)

    def key(self, index: int) -> str:
        """The key of a token."""
        return self.tokens[index].key if 0 <= index < self.count else ""

    def kind(self, index: int) -> str:
        """The kind of a token."""
        return self.tokens[index].kind if 0 <= index < self.count else ""

    def raw(self, index: int) -> str:
        """A token as it is written."""
        return self.normal[self.tokens[index].start : self.tokens[index].end] if 0 <= index < self.count else ""

    def word(self, index: int) -> str:
        """A word in lower case, also of a number word; "" for anything else and for possessives."""
        if not 0 <= index < self.count:
            return ""
        key, kind, start, end = self.tokens[index]
        if kind == "word":
            return key if len(key) == end - start else ""
        return self.normal[start:end].casefold() if kind == "number" and self.normal[start].isalpha() else ""

    def touches(self, index: int) -> bool:
        """Whether nothing stands between a token and the one before it."""
        return 0 < index < self.count and self.tokens[index].start == self.tokens[index - 1].end

    def digits(self, index: int) -> float | None:
        """The value of a number in digits."""
        if self.kind(index) != "number" or self.normal[self.tokens[index].start].isalpha():
            return None
        return number_value(self.tokens[index].key)

    def follows(self, index: int, text: str) -> bool:
        """Whether tokens from `index` on spell a text of an unspaced script, with nothing between them."""
        if not 0 <= index < self.count:
            return False
        return self.normal.startswith(text, self.tokens[index].start)
