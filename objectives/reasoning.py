"""Reasoning inside a text: the thought that some models write before their answer, told apart from the answer.

Servers that know a model's way of thinking give the thought apart. Others leave it in the text, between the model's own
markers. `split` finds those of the common families: tags (`<think>`, also with a lost opening or end), the channels of
gpt-oss, brackets (Mistral), special tokens (Cohere, OpenThinker, Seed, Kimi) and the two sentences of Granite 3.2.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

_NAMES = ("think", "thinking", "thought", "thoughts", "reasoning", "seed:think")
_PAIRS = {
    **{f"<{name}>": f"</{name}>" for name in _NAMES},
    "[think]": "[/think]",
    "<|start_thinking|>": "<|end_thinking|>",
    "<|begin_of_thought|>": "<|end_of_thought|>",
    "<|thinking|>": "<|/thinking|>",
    "<unused94>": "<unused95>",
    "◁think▷": "◁/think▷",
}
"""Opening markers with their ends, in small letters."""

_MARKER = re.compile("|".join(map(re.escape, (*_PAIRS, *_PAIRS.values()))), re.IGNORECASE)
_WRAPPERS = {
    "<response>": "</response>",
    "<answer>": "</answer>",
    "<|start_response|>": "<|end_response|>",
    "<|begin_of_solution|>": "<|end_of_solution|>",
}
"""Markers around an answer, of models that mark their thought as well."""

_CHANNEL = re.compile(r"(?:<\|start\|>\w*)?<\|channel\|>(?P<name>[^<]*)(?:<\|constrain\|>[^<]*)?<\|message\|>")
_CHANNEL_END = re.compile(r"<\|(?:end|return|call|start)\|>")
_BARE_CHANNELS = re.compile(r"\s*analysis(?P<thought>\S.*?)assistantfinal(?P<answer>.*)", re.DOTALL)
"""The same without the special tokens, which some servers drop."""

_SENTENCES = re.compile(r"\s*here(?: is|'s) my (?:thought|thinking) process:", re.IGNORECASE)
_RESPONSE = re.compile(r"^[^\S\n]*here(?: is|'s) my response:", re.IGNORECASE | re.MULTILINE)
_QUOTES = "`\"'「」『』“”‘’"


class Reasoned(NamedTuple):
    """A text in two parts.

    Attributes:
        thought: The reasoning without its markers; "" where there is none.
        answer: The rest; the whole text, unchanged, where there is no reasoning.
    """

    thought: str
    answer: str


@lru_cache(maxsize=256)
def split(text: str) -> Reasoned:
    """Tell a model's thought apart from its answer.

    A thought that has no end takes the rest of the text, as when a limit of tokens cut it off: then the answer is what
    stands before it, mostly nothing. Markers in quotes or code (`<think>`) are words of the answer. The last texts are
    remembered, since scoring, table and display each ask for the same one.
    """
    for family in (_channels, _sentences, _tags):
        found = family(text)
        if found is not None:
            return Reasoned(found.thought.strip(), _unwrapped(found.answer.strip()))
    return Reasoned("", text)


def _channels(text: str) -> Reasoned | None:
    heads = list(_CHANNEL.finditer(text))
    if not heads:
        bare = _BARE_CHANNELS.match(text)
        return None if bare is None else Reasoned(bare["thought"], bare["answer"])
    thought: list[str] = [text[: heads[0].start()]]
    answer: list[str] = []
    for head, following in zip(heads, [*heads[1:], None], strict=True):
        part = text[head.end() : len(text) if following is None else following.start()]
        end = _CHANNEL_END.search(part)
        part = part[: end.start()] if end else part
        (answer if head["name"].strip().startswith("final") else thought).append(part)
    return Reasoned("\n".join(filter(str.strip, thought)), "\n".join(answer))


def _sentences(text: str) -> Reasoned | None:
    opening = _SENTENCES.match(text)
    if opening is None:
        return None
    response = _RESPONSE.search(text, opening.end())
    if response is None:
        return Reasoned(text[opening.end() :], "")
    return Reasoned(text[opening.end() : response.start()], text[response.end() :])


def _tags(text: str) -> Reasoned | None:
    marks = [mark for mark in _MARKER.finditer(text) if not _is_quoted(text, mark)]
    thought: list[str] = []
    answer: list[str] = []
    at, opened = 0, None
    for i, mark in enumerate(marks):
        closing = _PAIRS.get(mark[0].lower())
        if opened is not None:
            if mark[0].lower() == opened:
                thought.append(text[at : mark.start()])
                at, opened = mark.end(), None
        elif closing is None:
            if not answer and not thought:  # a lost opening: the template of the prompt has it
                thought.append(text[: mark.start()])
                at = mark.end()
        elif _starts_line(text, mark) or any(later[0].lower() == closing for later in marks[i + 1 :]):
            answer.append(text[at : mark.start()])
            at, opened = mark.end(), closing
    if not thought and opened is None:
        return None
    (answer if opened is None else thought).append(text[at:])
    return Reasoned("\n".join(part.strip() for part in thought), "".join(answer))


def _is_quoted(text: str, mark: re.Match[str]) -> bool:
    """Whether a marker stands between quotes, as a word that the text is about."""
    around = text[: mark.start()][-1:], text[mark.end() :][:1]
    return all(char and char in _QUOTES for char in around)


def _starts_line(text: str, mark: re.Match[str]) -> bool:
    return not text[text.rfind("\n", 0, mark.start()) + 1 : mark.start()].strip()


def _unwrapped(answer: str) -> str:
    for opening, closing in _WRAPPERS.items():
        if answer.lower().startswith(opening):
            rest = answer[len(opening) :]
            end = rest.lower().rfind(closing)
            return (rest if end < 0 else rest[:end]).strip()
    return answer
