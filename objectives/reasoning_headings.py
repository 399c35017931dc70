"""Reasoning under a heading or in a field of JSON, as prompts ask for it: `Reasoning: ... Answer: ...`.

Such words are also those of an answer. So a thought needs two headings: its own at the beginning, and the answer's.
"""

from __future__ import annotations

import re
from typing import Final

_SIGNS: Final = r"[#>*_ \t]*+"
_PROCESS: Final = re.compile(
    rf"\s*+{_SIGNS}(?:here(?: is|'s|’s) (?:a|the) )?thinking process{_SIGNS}:[*_]*", re.IGNORECASE
)
"""How the thoughts of Qwen 3.5 begin, whose opening tag stands in the template."""
_THOUGHT: Final = re.compile(
    rf"\s*+{_SIGNS}(?:(?:my|internal) )?(?:thinking|thoughts?|reasoning|chain of thought|thought process)"
    rf"{_SIGNS}(?::[*_]*|\n)",
    re.IGNORECASE,
)
_FINAL: Final = re.compile(
    rf"^{_SIGNS}final (?:answer|summary|response|output){_SIGNS}(?::{_SIGNS}|$)", re.IGNORECASE | re.MULTILINE
)
_ANSWER: Final = re.compile(
    rf"^{_SIGNS}(?:(?:my|the|final) )?(?:answer|summary|response){_SIGNS}(?::{_SIGNS}|$)", re.IGNORECASE | re.MULTILINE
)
_CLOSED: Final = re.compile(r"</(?:think|thinking|thought)>", re.IGNORECASE)
_FIELD: Final = re.compile(
    r'[^{]{0,300}\{\s*(?P<field>"(?:thinking|thoughts?|reasoning|chain_of_thought|scratchpad)"\s*:\s*'
    r'"(?P<thought>(?:[^"\\]|\\.)*+)(?:"\s*,\s*|\\?\Z))',
    re.IGNORECASE | re.DOTALL,
)
_ANSWER_FIELD: Final = re.compile(
    r'"(?:final_?)?(?:summary|answer|response|output|result|text|content|facts|items|points|bullets)"\s*:',
    re.IGNORECASE,
)


def labelled(text: str) -> tuple[str, str] | None:
    """Return thought and answer of a text with a heading for each; None for any other text."""
    if _CLOSED.search(text):
        return None
    if opening := _PROCESS.match(text):
        *_, final = [None, *_FINAL.finditer(text, opening.end())]  # drafts come before it
        return (text[opening.end() :], "") if final is None else _parts(text, opening, final)
    opening = _THOUGHT.match(text)
    answer = opening and _ANSWER.search(text, opening.end())
    parts = _parts(text, opening, answer) if opening and answer else ("", "")
    return parts if all(map(str.strip, parts)) else None


def _parts(text: str, opening: re.Match[str], answer: re.Match[str]) -> tuple[str, str]:
    return text[opening.end() : answer.start()], text[answer.end() :]


def json_field(text: str) -> tuple[str, str] | None:
    """Return the thought in the first field of a JSON object, and the object without it; None for any other text."""
    found = _FIELD.match(text)
    if found is None:
        return None
    rest = text[found.end() :]
    if not rest:
        return found["thought"], ""  # cut off
    return (found["thought"], text[: found.start("field")] + rest) if _ANSWER_FIELD.search(rest) else None
