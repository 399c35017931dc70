"""Candidate items for a new rubric, for people to review: salient sentences of the log, or a model's proposals."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import regex

from objectives.chats.transcript import transcript
from objectives.rubrics.words import content_keys, numbers_in, similarity

_SPEAKER = regex.compile(
    r"^\s*(?:\[?\d{1,2}:\d{2}(?::\d{2})?\]?\s*)?(?:[-*>]\s*)?(?P<name>\p{L}[\p{L}\p{M}\p{N} ._@'()-]{0,30}?)\s*[::]\s+"
)
_NO_END = (  # a dot of an abbreviation, or of a German ordinal: "am 6. Juni", "bis 31. Mai", "im 2. Quartal"
    r"(?<!\b(?:Dr|Prof|Mr|Mrs|Ms|Hr|Fr|Nr|Str|ca|vs|bzw|[zZ]\.\s?B|[dD]\.\s?h|e\.g|i\.e)\.)"
    r"(?<!\b(?:der|die|das|den|dem|des|am|im|vom|zum|zur|beim|bis|ab|seit)\s\d{1,2}\.)"
    r"(?!(?<=\b\d{1,2}\.)\s+(?:Jan|Feb|Mär|Apr|Mai|Jun|Jul|Aug|Sep|Okt|Nov|Dez)\p{Ll}*\b)"
)
_SENTENCE_END = regex.compile(rf"(?<=[.!?][\"')\]]?){_NO_END}\s+(?=[\p{{Lu}}\p{{N}}\"'(`])|(?<=[。!?])\s*")
_DECISION = regex.compile(
    r"\b(decid\w*|agree\w*|we(?:'ll| will| go| keep| take| use| move| drop| stop)|i(?:'ll| will)|must|instead|because|"
    r"cause\w*|due|fix\w*|reject\w*|withdraw|blocker|deadline|stays?|do that|"
    r"by (?:the )?(?:\d|mon|tue|wed|thu|fri|sat|sun|end|tomorrow)\w*)"
    r"|ことに(?:し|な)|決め|決ま|決定|します|しました|原因|ため|までに|やめ|変更",
    regex.IGNORECASE,
)
_TWIN = 0.5
_MIN_KEYS = 4


@dataclass(frozen=True)
class Candidate:
    """A proposal for an item.

    Attributes:
        text: The sentence, as in the log or in the model's answer.
        level: A guess at the level, 1 to 5.
        note: Its source, for the reviewer.
    """

    text: str
    level: int
    note: str = ""


@dataclass(frozen=True)
class _Sentence:
    text: str
    speaker: str
    position: int
    keys: frozenset[str]


def find_candidates(log: str, count: int = 12) -> list[Candidate]:
    """Pick the sentences of a log that look most like facts to keep. Deterministic, no model.

    The score of a sentence is the mean rarity of its content words in this log (inverse sentence frequency, as in
    TF-IDF; Salton and Buckley, 1988), times the square root of their number, so that exclamations do not win. Numbers,
    names and words that announce a decision, a cause or a deadline raise it; questions are lowered. A sentence that
    shares half of its words with a better one is left out.

    Args:
        log: The conversation: one utterance per line or paragraph, with or without speakers and times, or a chat as
            programs export it (see `objectives.chats`).
        count: Largest number of candidates, at least 1.

    Returns:
        Candidates in the order of the log; [] for a log without sentences. Levels are guesses by rank: the best fifth
        gets 1, and so on.
    """
    sentences = _sentences(log)
    rarity = _rarity(sentences)
    names = _names(sentences)
    ranked = sorted(sentences, key=lambda sentence: (-_salience(sentence, rarity, names), sentence.position))
    chosen: list[_Sentence] = []
    for sentence in ranked:
        if len(chosen) == count:
            break
        if all(similarity(sentence.keys, other.keys) < _TWIN for other in chosen):
            chosen.append(sentence)
    levels = {sentence.position: 1 + 5 * rank // len(chosen) for rank, sentence in enumerate(chosen)}
    return [
        Candidate(sentence.text, levels[sentence.position], f"said by {sentence.speaker}" if sentence.speaker else "")
        for sentence in sorted(chosen, key=lambda sentence: sentence.position)
    ]


def _sentences(log: str) -> list[_Sentence]:
    """Return the log's sentences of at least `_MIN_KEYS` content words, with their speakers."""
    chat = transcript(log)
    found: list[_Sentence] = []
    for speaker, said in [(turn.speaker, turn.text) for turn in chat.turns] if chat else _spoken_lines(log):
        for text in (text for line in said.splitlines() for text in _SENTENCE_END.split(line)):
            keys = frozenset(content_keys(text))
            if len(keys) >= _MIN_KEYS:
                found.append(_Sentence(text.strip(), speaker, len(found), keys))
    return found


def _spoken_lines(log: str) -> Iterator[tuple[str, str]]:
    """Yield the lines of a plain log with their speakers, "" where none is named."""
    speaker = ""
    for line in log.splitlines():
        match = _SPEAKER.match(line)
        if match:
            speaker = match["name"].strip()
        elif not line.strip():
            speaker = ""
        yield speaker, line[match.end() :] if match else line


def _rarity(sentences: Sequence[_Sentence]) -> dict[str, float]:
    frequency = Counter(key for sentence in sentences for key in sentence.keys)
    return {key: math.log(1 + len(sentences) / count) for key, count in frequency.items()}


def _names(sentences: Sequence[_Sentence]) -> frozenset[str]:
    """Return first names of speakers, and words with a capital inside a sentence, case-folded."""
    words = {
        word.casefold()
        for sentence in sentences
        for word in regex.findall(r"(?<=[\p{Ll},;]\s)\p{Lu}\p{L}+", sentence.text)
    }
    return frozenset(words | {sentence.speaker.split()[0].casefold() for sentence in sentences if sentence.speaker})


def _salience(sentence: _Sentence, rarity: Mapping[str, float], names: frozenset[str]) -> float:
    mean = sum(rarity[key] for key in sentence.keys) / len(sentence.keys)
    bonus = 1.0
    bonus += 0.25 * min(2, len(numbers_in(sentence.text)))
    bonus += 0.15 * min(2, sum(word.casefold() in names for word in regex.findall(r"\p{L}+", sentence.text)))
    bonus += 0.4 * bool(_DECISION.search(sentence.text))
    if sentence.text.rstrip("\"')").endswith(("?", "?")):
        bonus *= 0.4
    return mean * math.sqrt(min(len(sentence.keys), 14)) * bonus


def schema_for(count: int) -> dict[str, Any]:
    """Return the JSON schema of the answer: at most `count` items, since small models do not stop by themselves."""
    item = {
        "type": "object",
        "properties": {"text": {"type": "string"}, "level": {"enum": [1, 2, 3, 4, 5]}},
        "required": ["text", "level"],
    }
    items = {"type": "array", "items": item, "minItems": 1, "maxItems": count}
    return {"type": "object", "properties": {"items": items}, "required": ["items"]}


INSTRUCTION = """\
List the {count} facts that a summary of the conversation below should contain, one short sentence each. \
Give every fact a level: 1 the reader would be misled without it (what was decided, what was the cause), 2 important, \
3 useful, 4 detail, 5 incidental. Use all five levels. Use the conversation's language. State what was decided in the \
end, not what was proposed first.

{log}"""


def candidates_from_model(
    log: str, chat_json: Callable[[str, Mapping[str, Any]], Mapping[str, Any]], count: int = 12
) -> list[Candidate]:
    """Ask a model for candidate items.

    Args:
        log: The conversation.
        chat_json: Sends a prompt and a JSON schema and returns the parsed answer.
        count: Number of items to ask for.

    Returns:
        The usable proposals without near-duplicates; levels outside 1..5 become the nearest. [] if there are none.
    """
    chat = transcript(log)
    answer = chat_json(INSTRUCTION.format(count=count, log=chat.text if chat else log), schema_for(count))
    raw = answer.get("items")
    found: list[Candidate] = []
    kept: list[frozenset[str]] = []
    for entry in raw if isinstance(raw, list) else []:
        text = " ".join(str(entry.get("text", "")).split()) if isinstance(entry, Mapping) else ""
        keys = frozenset(content_keys(text))
        if not keys or any(similarity(keys, other) > _TWIN for other in kept):
            continue
        kept.append(keys)
        found.append(Candidate(text, _level(entry.get("level")), "proposed by a model"))
    return found[:count]


def _level(value: object) -> int:
    try:
        return min(5, max(1, int(json.loads(str(value)))))
    except (ValueError, TypeError, OverflowError, RecursionError):
        return 3
