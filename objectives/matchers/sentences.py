"""Sentences word by word, as the check for contradictions sees them: negation, names, numbers and prepositions."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from importlib import resources
from typing import Final, NamedTuple

import regex

from objectives.languages import FUNCTION_WORDS
from objectives.matchers.opposites import ONLY_AFTER_VERB, has_opposites
from objectives.matchers.words import ELIDED, NEGATORS, is_function_word, rarity
from objectives.numbers import Quantity, quantities
from objectives.text import Token, stem, tokenise

_BREAK: Final = regex.compile(
    r"(?<!\b(?:Mr|Mrs|Ms|Dr|Prof|St|No|vs|Inc|Jr|Sen|Gen|Col|Gov)\.)"
    r"(?<!\b(?:[Dd](?:er|ie|as|en|em)|[Ii]m|[Aa]m|[Bb]eim|[Zz]um|[Vv]om)\s\d\d?\.)(?<=[.!?][\"')\]]?)\s+|\n+|(?<=[。！？])"
)


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_NEGATING: Final = NEGATORS | _words("hardly barely scarcely nowhere without")
_ONLY_BEFORE_TO: Final = frozenset(map(stem, _words("fail refuse decline forget neglect unlikely")))
_NEGATING_VERBS: Final = _ONLY_BEFORE_TO | frozenset(map(stem, _words("avoid prevent lack deny stop cease")))
"""Words that negate what follows: some before `to`, the others before a verb in -ing."""
_BREAKERS: Final = _words("but and because so while until after before when although since whereas then if which who")
_NOT_NEGATING: Final = _words("only just merely doubt sooner wonder nur bloss seulement solo")
_AFTER_VERB: Final = _words("nicht pas jamais nie niemals")
"""Words that negate the verb before them as well."""
_BEGINNING: Final = 3
_ALIKE: Final = 0.3
_REACH: Final = 5
_SHORT_REACH: Final = {"without": 3, "no": 4}
PREPOSITIONS: Final = _words(
    "from to before after above below over under into inside outside with without onto off by for in on at"
)
_DETERMINERS: Final = _words("the a an this that its his her their our my")
_NO_NAMES: Final = _DETERMINERS | _words("i who what when where why how which")
"""Words whose capital says nothing, as in `- Who: Carla`."""
_BOUNDS: Final = {
    "at least": ">",
    "no fewer than": ">",
    "no less than": ">",
    "a minimum of": ">",
    "at most": "<",
    "up to": "<",
    "no more than": "<",
    "not more than": "<",
    "a maximum of": "<",
}
_BOUNDS_BEHIND: Final = {"or more": ">", "or above": ">", "or less": "<", "or fewer": "<", "or below": "<"}
_NAME_RARITY: Final = 11.5


@lru_cache(maxsize=1)
def first_names() -> frozenset[str]:
    """Return common first names: at the start of a sentence a capital does not tell that a word is a name."""
    return frozenset(resources.files("objectives").joinpath("data/first_names.txt").read_text("utf-8").split())


class Term(NamedTuple):
    """A word or a quantity of a sentence.

    Attributes:
        key: Its stem; `#` and its own text for a quantity.
        raw: The word in lower case.
        name: Whether it is a name or a label: capitalised within the sentence, a single letter, with digits.
        content: Whether it carries meaning.
        negated: Whether the sentence negates it.
        quantity: The quantity, if it is one.
        preposition: The preposition right before it, or "".
        bound: Of a quantity: `>` for `at least 3` and `3 or more`, `<` for `up to 3`; else "".
        weight: How much it says.
    """

    key: str
    raw: str
    name: bool
    content: bool
    negated: bool
    quantity: Quantity | None
    preposition: str
    weight: float
    bound: str = ""


class Sentence(NamedTuple):
    """A sentence: its terms, those that carry meaning, the first letters of these, and its text."""

    terms: tuple[Term, ...]
    content: tuple[Term, ...]
    beginnings: frozenset[str]
    text: str = ""

    def may_be_about(self, other: Sentence) -> bool:
        """Whether a good part of the words of another sentence may stand in this one; a fast first look."""
        alike = sum(term.key[:_BEGINNING] in self.beginnings for term in other.content)
        return alike >= _ALIKE * len(other.content)


@lru_cache(maxsize=256)
def sentences(normal: str, language: str = "") -> tuple[Sentence, ...]:
    """Return the sentences of a normalised text; in a known language its function words are none that tell."""
    return tuple(sentence(part.strip(), language) for part in _BREAK.split(normal) if part and part.strip())


@lru_cache(maxsize=1 << 13)
def sentence(normal: str, language: str = "") -> Sentence:
    """Return a normalised stretch of text as one sentence."""
    tokens = tokenise(normal)
    terms = tuple(_Reader(normal, tokens, FUNCTION_WORDS.get(language, frozenset())).terms())
    content = tuple(term for term in terms if term.content)
    return Sentence(terms, content, frozenset(term.key[:_BEGINNING] for term in content), normal)


def _negate_last(terms: list[Term]) -> None:
    """Negate the verb before `nicht` or `pas`: `der Server startet nicht`."""
    for place in range(len(terms) - 1, -1, -1):
        if terms[place].content:
            terms[place] = terms[place]._replace(negated=True)
            return


class _Reader:
    def __init__(self, normal: str, tokens: Sequence[Token], function: frozenset[str]) -> None:
        self.normal = normal
        self.function = function
        self.start = next((at for at, token in enumerate(tokens) if token.kind != "symbol"), 0)  # after `- ` and `* `
        self.tokens = tokens
        self.quantities = {quantity.first: quantity for quantity in quantities(normal, tokens)}
        self.closed = True  # whether a comma or a bracket is right before
        self.left = 0  # words that the current negation still reaches
        self.preposition = ""
        self.used = ""  # the preposition of the word right before
        self.before = ""

    def terms(self) -> list[Term]:
        found: list[Term] = []
        index = 0
        while index < len(self.tokens):
            quantity = self.quantities.get(index)
            if quantity is not None:
                bound, before, after = self._bound(quantity)
                self.left = 0 if bound else self.left  # the `no` of `no more than`
                found[len(found) - before :] = [term._replace(content=False) for term in found[len(found) - before :]]
                found.append(self._quantity(quantity)._replace(bound=bound))
                index = quantity.last + 1 + after
                continue
            term = self._word(index)
            if term is not None:
                if term.raw in _AFTER_VERB and self._negation(term.raw, index) and not self.closed:
                    _negate_last(found)
                self.closed = False
                found.append(term)
            index += 1
        return found

    def _bound(self, quantity: Quantity) -> tuple[str, int, int]:
        """Return the bound that a quantity is, with the number of its words before and after the quantity."""
        words = [token.key for token in self.tokens[max(0, quantity.first - 3) : quantity.first]]
        for size in (3, 2):
            if bound := _BOUNDS.get(" ".join(words[-size:])):
                return bound, size, 0
        behind = [token.key for token in self.tokens[quantity.number[1] : quantity.number[1] + 2]]
        bound = _BOUNDS_BEHIND.get(" ".join(behind), "")
        return bound, 0, 2 if bound and quantity.last < quantity.number[1] else 0

    def _quantity(self, quantity: Quantity) -> Term:
        shown = self.normal[self.tokens[quantity.first].start : self.tokens[quantity.last].end]
        term = Term("#" + shown, shown, False, True, self.left > 0, quantity, self.preposition, 3.0)
        self._pass("", content=True)
        return term

    def _pass(self, raw: str, *, content: bool) -> None:
        self.left = max(0, self.left - 1)
        self.used = self.preposition if content else ""
        if raw in PREPOSITIONS:
            self.preposition = raw
        elif content:
            self.preposition = ""
        self.before = raw

    def _word(self, index: int) -> Term | None:
        key, kind, start, end = self.tokens[index]
        if kind == "symbol":
            if key in ",;:()":
                self.left, self.closed = 0, True
            return None
        raw = self.normal[start:end]
        if elided := ELIDED.fullmatch(key):
            key, raw = elided[1], raw[len(key) - len(elided[1]) :]
        if key in _BREAKERS:
            self.left = 0
        reach = self._negation(key, index)
        if reach:
            self.left = 0 if self.left else reach + 1
        stemmed = stem(key[:-3] if key.endswith("n't") else key)
        if kind == "compound":
            stemmed = key.removeprefix("v")
        label = len(raw) == 1 and raw.isupper() and raw != "I" and index > self.start
        digits = any(character.isdigit() for character in raw)
        known = (
            index > self.start or key in first_names() or rarity(stemmed) >= _NAME_RARITY or self._capital(index + 1)
        )
        capital = raw[:1].isupper() and known and key not in _NO_NAMES and not key.startswith("i'")
        name = label or digits or capital or kind == "compound"
        function = is_function_word(stemmed) or stemmed in self.function
        content = name or not (function or key in _NEGATING or key.endswith("n't"))
        direction = not content and has_opposites(stemmed) and (key not in ONLY_AFTER_VERB or self._after_verb(index))
        weight = 3.0 if name else max(0.3, rarity(stemmed) - 3) ** 0.5
        preposition = self.preposition or (self.used if name else "")  # `from host a1`
        term = Term(stemmed, key, name, content or direction, self.left > 0 and not reach, None, preposition, weight)
        self._pass(key, content=content and key not in _DETERMINERS)
        return term

    def _capital(self, index: int) -> bool:
        return index < len(self.tokens) and self.normal[self.tokens[index].start].isupper()

    def _after_verb(self, index: int) -> bool:
        """Whether a direction goes with the word before it: `turned off`, not `on Monday`."""
        after = self.tokens[index + 1] if index + 1 < len(self.tokens) else None
        closed = after is None or after.kind == "symbol" or after.key in PREPOSITIONS | _BREAKERS
        closed = closed or (
            after is not None and after.key in _DETERMINERS and self.tokens[index].key not in ("in", "out")
        )
        return closed and bool(self.before) and not is_function_word(stem(self.before))

    def _negation(self, key: str, index: int) -> int:
        """Return how many words a negating word reaches; 0 for any other."""
        after = self.tokens[index + 1].key if index + 1 < len(self.tokens) else ""
        if key.endswith("n't") or key in _NEGATING:
            return 0 if after in _NOT_NEGATING else _SHORT_REACH.get(key, _REACH)
        if stem(key) in _NEGATING_VERBS:
            fits = after == "to" if stem(key) in _ONLY_BEFORE_TO else after.endswith("ing")
            return _REACH if fits else 0
        return 3 if (key, after) in (("instead", "of"), ("rather", "than")) else 0
