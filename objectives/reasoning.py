"""Reasoning inside a text: the thought that some models write before their answer, told apart from the answer.

Servers that know a model's way of thinking give the thought apart. Others leave it in the text, between the model's own
markers. `split` finds those of the common families: tags (`<think>`, also with a lost opening or end), the channels of
gpt-oss, brackets (Mistral), special tokens (Gemma, Cohere, OpenThinker, Seed, Kimi), the sentences of Granite 3.2 and
of Ollama's command line. Headings and fields of JSON that a prompt asked for are in `objectives.reasoning_headings`.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from objectives.reasoning_headings import json_field, labelled

_NAMES = (
    "thinking|think|thoughts|thought|reasoning|seed:think|thought_process|chain_of_thought|inner_monologue|scratchpad"
)
_TAG = re.compile(
    rf"(?:<|＜|&lt;)[|｜]?\s*(?P<end>/?)\s*(?P<name>{_NAMES})"
    r"(?:\s[^<>＜＞&/\n]{0,80})?\s*[|｜]?(?:>|＞|&gt;)",
    re.IGNORECASE,
)
"""Tags, with spaces or attributes inside, in full width, or as entities of HTML."""

_PAIRS = {
    "[think]": "[/think]",
    "<|start_thinking|>": "<|end_thinking|>",
    "<|begin_of_thought|>": "<|end_of_thought|>",
    "<|channel>thought": "<channel|>",
    "<|inner_prefix|>": "<|inner_suffix|>",
    "<unused94>": "<unused95>",
    "[unused16]": "[unused17]",
    "◁think▷": "◁/think▷",
}
"""Other opening markers with their ends, in small letters."""

_OPENINGS = {end: opening for opening, end in _PAIRS.items()}
_MARKER = re.compile("|".join(map(re.escape, (*_PAIRS, *_OPENINGS))), re.IGNORECASE)
_WRAPPERS = {
    "<response>": "</response>",
    "<answer>": "</answer>",
    "<|start_response|>": "<|end_response|>",
    "<|begin_of_solution|>": "<|end_of_solution|>",
    "<|begin_of_box|>": "<|end_of_box|>",
}
"""Markers around an answer, of models that mark their thought as well."""

_AMBIGUOUS = re.compile(
    r"\s*<(?P<name>analysis|reflection|rationale|reason|planning|cot)>(?P<thought>.*?)</(?P=name)>\s*"
    r"(?P<answer><(?:summary|answer|output|response|result|final_answer|final)>.*)",
    re.IGNORECASE | re.DOTALL,
)
"""Tags that an answer may have as well; they hold a thought where the answer has a tag of its own."""

_CHANNEL = re.compile(r"(?:<\|start\|>\w*)?<\|channel\|>(?P<name>[^<]*)(?:<\|constrain\|>[^<]*)?<\|message\|>")
_CHANNEL_END = re.compile(r"<\|(?:end|return|call|start)\|>")
_BARE_CHANNELS = re.compile(
    r"\s*(?:assistant)?analysis\s*(?P<thought>\S.*?)(?:assistantfinal|assistant final(?=[A-Z\n*#]))(?P<answer>.*)",
    re.DOTALL,
)
"""The same without the special tokens, which some servers drop."""
_BARE_CUT = re.compile(
    r"\s*(?:assistant)?analysis(?=(?:We|The|User|I|Let|Okay|Ok|Need|So|This|First|It)\b)(?P<thought>.*)", re.DOTALL
)

_SENTENCES = re.compile(r"\s*here(?: is|'s|’s) my (?:thought|thinking) process:", re.IGNORECASE)
_RESPONSE = re.compile(r"^[^\S\n]*here(?: is|'s|’s) my response:", re.IGNORECASE | re.MULTILINE)
_COMMAND_LINE = re.compile(
    r"\s*Thinking\.\.\.\s*\n(?P<thought>.*?)(?:\n\s*\.\.\.done thinking\.(?P<answer>.*)|\Z)", re.DOTALL
)
_QUOTES = "`\"'「」『』“”‘’"


class Reasoned(NamedTuple):
    """A text in two parts.

    Attributes:
        thought: The reasoning without its markers; "" where there is none.
        answer: The rest; the whole text, unchanged, where there is no reasoning.
    """

    thought: str
    answer: str


class _Mark(NamedTuple):
    """A marker in a text: the name of its kind, and whether it ends a thought."""

    start: int
    stop: int
    name: str
    ends: bool


@lru_cache(maxsize=256)
def split(text: str) -> Reasoned:
    """Tell a model's thought apart from its answer.

    A thought that has no end takes the rest of the text, as when a limit of tokens cut it off: then the answer is what
    stands before it, mostly nothing. Markers in quotes or code (`<think>`) are words of the answer. The last texts are
    remembered, since scoring, table and display each ask for the same one.
    """
    for family in (_channels, _sentences, _tags, _ambiguous, labelled, json_field):
        found = family(text)
        if found is not None:
            thought, answer = found
            return Reasoned(thought.strip(), _unwrapped(answer.strip()))
    return Reasoned("", text)


def _channels(text: str) -> Reasoned | None:
    heads = list(_CHANNEL.finditer(text))
    if not heads:
        if bare := _BARE_CHANNELS.match(text):
            return Reasoned(bare["thought"], bare["answer"])
        cut = _BARE_CUT.match(text)
        return None if cut is None else Reasoned(cut["thought"], "")
    thought: list[str] = [text[: heads[0].start()]]
    answer: list[str] = []
    for head, following in zip(heads, [*heads[1:], None], strict=True):
        part = text[head.end() : len(text) if following is None else following.start()]
        end = _CHANNEL_END.search(part)
        part = part[: end.start()] if end else part
        (answer if head["name"].strip().startswith("final") else thought).append(part)
    return Reasoned("\n".join(filter(str.strip, thought)), "\n".join(answer))


def _sentences(text: str) -> Reasoned | None:
    if line := _COMMAND_LINE.match(text):
        return Reasoned(line["thought"], line["answer"] or "")
    opening = _SENTENCES.match(text)
    if opening is None:
        return None
    response = _RESPONSE.search(text, opening.end())
    if response is None:
        ended = any(mark.ends for mark in _marks(text))  # a template that begins with the sentence and ends with a tag
        return None if ended else Reasoned(text[opening.end() :], "")
    return Reasoned(text[opening.end() : response.start()], text[response.end() :])


def _marks(text: str) -> list[_Mark]:
    found = [_Mark(*tag.span(), tag["name"].lower(), bool(tag["end"])) for tag in _TAG.finditer(text)]
    for marker in _MARKER.finditer(text):
        key = marker[0].lower()
        found.append(_Mark(*marker.span(), _OPENINGS.get(key, key), key in _OPENINGS))
    return [mark for mark in sorted(found) if not _is_quoted(text, mark)]


def _tags(text: str) -> Reasoned | None:
    marks = _marks(text)
    thought: list[str] = []
    answer: list[str] = []
    at, opened = 0, ""
    last = {mark.name: i for i, mark in enumerate(marks) if mark.ends}
    last_end = max(last.values(), default=-1)
    for i, mark in enumerate(marks):
        if opened:
            # An end by its name, or of another kind where no later one has the name (`</thinking>`).
            if mark.ends and (mark.name == opened or last.get(opened, -1) < i):
                thought.append(text[at : mark.start])
                at, opened = mark.stop, ""
        elif mark.ends:
            first = not answer and not thought  # a lost opening: the template of the prompt has it
            if not _is_mention(text, mark) and (first or _bounds_line(text, mark)):
                # An end after the answer, with nothing behind it, ends no thought.
                is_thought = first or text[mark.stop :].strip()
                (thought if is_thought else answer).append(text[at : mark.start])
                at = mark.stop
        elif last_end > i or (_starts_line(text, mark) and not _begins_sentence(text, mark)):
            answer.append(text[at : mark.start])
            at, opened = mark.stop, mark.name
    if not thought and not opened:
        return None
    (thought if opened else answer).append(text[at:])
    return Reasoned("\n".join(part for part in map(str.strip, thought) if part), "".join(answer))


def _ambiguous(text: str) -> Reasoned | None:
    found = _AMBIGUOUS.fullmatch(text)
    return None if found is None else Reasoned(found["thought"], found["answer"])


def _is_quoted(text: str, mark: _Mark) -> bool:
    """Whether a marker stands between quotes, as a word that the text is about."""
    around = text[max(0, mark.start - 1) : mark.start], text[mark.stop : mark.stop + 1]
    return all(char and char in _QUOTES for char in around)


def _is_mention(text: str, mark: _Mark) -> bool:
    """Whether a marker stands within a sentence, as a word that the text is about."""
    before, after = text[max(0, mark.start - 2) : mark.start], text[mark.stop : mark.stop + 2]
    return len(before) == 2 and before[1] == " " and before[0].isalnum() and after[:1] == " " and after[1:].islower()


def _begins_sentence(text: str, mark: _Mark) -> bool:
    """Whether a marker that has no end begins a sentence of the answer: `<think> is now cut off`."""
    after = text[mark.stop :][:2]
    return bool(text[: mark.start].strip()) and after[:1] == " " and after[1:].islower()


def _starts_line(text: str, mark: _Mark) -> bool:
    return not text[text.rfind("\n", 0, mark.start) + 1 : mark.start].strip()


def _bounds_line(text: str, mark: _Mark) -> bool:
    """Whether a marker is the first or the last thing of its line."""
    end = text.find("\n", mark.stop)
    return _starts_line(text, mark) or not text[mark.stop : len(text) if end < 0 else end].strip()


def _unwrapped(answer: str) -> str:
    for opening, closing in _WRAPPERS.items():
        if answer.lower().startswith(opening):
            rest = answer[len(opening) :]
            end = rest.lower().rfind(closing)
            return (rest if end < 0 else rest[:end]).strip()
    return answer
