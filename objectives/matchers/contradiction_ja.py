"""Contradictions in Japanese, character by character: see `objectives.matchers.contradiction`."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import regex

from objectives.matchers.opposites import japanese
from objectives.numbers import Quantity, quantities
from objectives.text import UNSPACED, normalise, tokenise

_UNSPACED: Final = regex.compile(f"[{UNSPACED}]")
_SENTENCE: Final = regex.compile(r"(?<=[。！？!?])|\n+")
_SPACE: Final = regex.compile(r"\s+")
_MUST: Final = regex.compile(
    r"な(?:ければ|くては|いと)(?:なら|いけ)な(?:い|かっ)|ざるを得な(?:い|かっ)|だけでな[くい]|かもしれな[いか]|に違いな[いか]"
)
_NOT: Final = regex.compile(
    r"ない(?!か)|なかっ|なく(?!な)|なければ|なかろ|ません|まじき|ずに|ず(?=[、。]|$)|ぬ(?=[、。]|$)"
    r"|[未不](?=[^明足安満])|非(?=公開|対応)|禁止|中止し|やめ"
)
_CHUNK: Final = regex.compile(
    r"(?P<noun>[\p{Script=Han}々\p{Script=Katakana}ーA-Za-z0-9]+)(?P<after>さん|氏|様|君)?"
    r"(?P<particle>は|が|を|に|へ|から|まで|より|で|と|の|も)?"
)
_PARTICLE: Final = regex.compile(r"です|でした|だった|ます|[はがをにへとでもの的了把被在将]")
_CASE: Final = {"は": "が", "も": "が", "へ": "に"}
_ROLES: Final = frozenset(("が", "を", "に", "と", "から", "まで", "より"))
_LABEL: Final = regex.compile(r"[A-Za-z]+\d*|\d[A-Za-z0-9.]*|[月火水木金土日](?=曜)")
_LEAST_SUPPORT: Final = 0.35
_WELL_SUPPORTED: Final = 0.6
_TAIL: Final = 8
_ENDING: Final = 4
_LOOSE: Final = 6
"""Characters that a near copy may have besides those of the item."""
_REPEATED: Final = 0.8
_REORDERED: Final = 0.66
"""The same without quantities and particles, in any order of words."""
_MOSTLY: Final = 0.6


def is_unspaced(text: str) -> bool:
    """Whether a text is in Japanese or another script without spaces."""
    return len(_UNSPACED.findall(text)) * 3 > len(text)


def contradiction(item: str, text: str) -> str:
    """Return what a text says otherwise than an item; "" if nothing. Both are normalised."""
    wanted = _SPACE.sub("", item).rstrip("。.")
    parts = [_SPACE.sub("", part) for part in _SENTENCE.split(text) if part and part.strip()]
    scored = [(_support(wanted, part), part) for part in parts]
    best = max((support for support, _ in scored), default=0.0)
    if best < _LEAST_SUPPORT:
        return ""
    kinds = [_kind(wanted, part) for support, part in scored if support >= min(best, _WELL_SUPPORTED)]
    return kinds[0] if all(kinds) else ""


def _support(item: str, part: str) -> float:
    pairs = [item[at : at + 2] for at in range(len(item) - 1)] or [item]
    return sum(pair in part for pair in pairs) / len(pairs)


def _kind(item: str, part: str) -> str:
    if _numbers(item, part) and _support(_bare(item), _bare(part)) >= _REORDERED:
        return "number"
    span = _span(item, part)
    if _opposites(item, part, span):
        return "opposite"
    turned = _negations(item) % 2 != _negations(span) % 2 and _support(_NOT.sub("", item)[:-_ENDING], part) >= _MOSTLY
    if turned and len(span) <= len(item) + _LOOSE and not _opposites(item, part, span, flipped=True):
        return "negation"
    if _labels(item, part):
        return "label"
    if _roles(item, part):
        return "role"
    return "name" if _other_noun(item, part) else ""


def _span(item: str, part: str) -> str:
    """Return the stretch of a sentence that has the item's characters, to the end of its clause."""
    places = [at for at in range(len(part) - 1) if part[at : at + 2] in item]
    if not places:
        return ""
    end = min(len(part), places[-1] + 2 + _TAIL)
    stop = next((at for at in range(places[-1] + 2, end) if part[at] in "、。,"), end)
    return part[places[0] : stop]


def _negations(text: str) -> int:
    return len(_NOT.findall(_MUST.sub("", text)))


def _opposites(item: str, part: str, span: str, *, flipped: bool = False) -> bool:
    for sides in japanese():
        for mine, theirs in (sides, sides[::-1]):
            ours = [word for word in mine if word in item]
            if ours and not any(word in item for word in theirs):
                said = any(word in span for word in theirs)
                kept = item
                for word in ours:
                    kept = kept.replace(word, "")
                if said and _support(kept, part) >= _MOSTLY and not any(word in part for word in mine):
                    return (_negations(item) % 2 != _negations(span) % 2) == flipped
    return False


@lru_cache(maxsize=1 << 12)
def _quantities(text: str) -> tuple[Quantity, ...]:
    normal = normalise(text)
    return tuple(quantities(normal, tokenise(normal)))


def _without_quantities(text: str) -> str:
    normal = normalise(text)
    tokens = tokenise(normal)
    for quantity in reversed(quantities(normal, tokens)):
        normal = normal[: tokens[quantity.first].start] + normal[tokens[quantity.last].end :]
    return normal


def _bare(text: str) -> str:
    """Return a text without quantities and particles, which stand elsewhere in another order of words."""
    return _PARTICLE.sub("", _without_quantities(text))


def _numbers(item: str, part: str) -> bool:
    """Whether the sentence has quantities, but not one of the item's."""
    said = _quantities(part)
    mine = _quantities(item)
    lacking = [q for q in mine if not any(q.wants & other.says for other in said)]
    others = [other for other in said if not any(q.wants & other.says for q in mine)]
    return bool(lacking and others)


def _labels(item: str, part: str) -> bool:
    """Whether a Latin name or label of the item is missing, and another one is there."""
    mine, theirs = ({found.casefold() for found in _LABEL.findall(text)} for text in (item, part))
    return any(
        _repeats(_replaced(item, one, other), part.casefold()) for one in mine - theirs for other in theirs - mine
    )


def _replaced(item: str, one: str, other: str) -> str:
    return item.casefold().replace(one, other)


def _repeats(item: str, part: str) -> bool:
    """Whether a sentence repeats nearly all of an item."""
    return _support(item, part) >= _REPEATED


@lru_cache(maxsize=1 << 12)
def _chunks(text: str) -> tuple[tuple[str, str, bool], ...]:
    """Return nouns with the particle after them, and whether they are persons."""
    return tuple(
        (found["noun"], _CASE.get(found["particle"] or "", found["particle"] or ""), bool(found["after"]))
        for found in _CHUNK.finditer(text)
    )


def _roles(item: str, part: str) -> bool:
    """Whether two nouns have changed their particles."""
    mine = {noun: particle for noun, particle, _ in _chunks(item) if particle}
    theirs = {noun: particle for noun, particle, _ in _chunks(part) if particle}
    unlike = [
        (mine[noun], theirs[noun])
        for noun in mine
        if noun in theirs and mine[noun] != theirs[noun] and {mine[noun], theirs[noun]} <= _ROLES
    ]
    passive = ("れた" in item or "れる" in item) != ("れた" in part or "れる" in part)
    return len(unlike) >= 2 and not passive and _support(item, part) >= _MOSTLY


def _other_noun(item: str, part: str) -> bool:
    """Whether another noun stands before the same particle as a noun that the sentence lacks."""
    nouns = {noun for noun, _, _ in _chunks(item)}
    for noun, particle, person in _chunks(item):
        if not particle or _known(noun, part):
            continue
        for other, role, named in _chunks(part):
            if other in nouns or _known(other, item) or role != particle or person != named:
                continue
            if person and _support(_bare(item.replace(noun, "")), _bare(part)) >= _MOSTLY:
                return True
            at = item.index(noun)
            around = item[max(0, at - 1) : at] + other + item[at + len(noun) : at + len(noun) + 2]
            if around in part and _repeats(item.replace(noun, other), part):
                return True
    return False


def _known(noun: str, text: str) -> bool:
    """Whether more than half of a noun's pairs of characters are in a text."""
    pairs = [noun[at : at + 2] for at in range(len(noun) - 1)] or [noun]
    return 2 * sum(pair in text for pair in pairs) > len(pairs)
