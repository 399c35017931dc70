"""Transcripts whose turns have a heading or a bold name, in Markdown and as meeting programs save them.

`**Ana** (14:05): text`, `**Ana:** text`, `### Ana, 14:05` above the text, `[Ana Ruiz] 14:05:33` or `Ana Ruiz  0:05`
above the text, and Zoom's chat: `14:05:33 From Ana to Everyone: text`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import regex

from objectives.chats.turn import STAMP, Turn, joined, visible

_NAME = r"\p{L}[\p{L}\p{M}\p{N} ._@'()&-]{0,39}?"
_ITEM = r"^\s*(?:[-*>]\s+)?"
_BOLD = regex.compile(
    rf"{_ITEM}(?:[*_(]*{STAMP}[*_)]*\s*)?(?:\*\*|__)(?:{STAMP}\s*)?(?P<name>{_NAME})\s*(?P<in>[:：])?\s*(?:\*\*|__)"
    rf"\s*[*_(\[]*(?:{STAMP})?[*_)\]]*\s*(?P<out>[:：—–-])?\s*(?P<text>.*)$"
)
_HEADING = regex.compile(
    rf"^#{{1,6}}\s+(?:{STAMP}\s*[-–—,|]?\s*)?(?P<name>{_NAME})\s*[-–—,|(\[]*\s*(?P<stamp>{STAMP})?[)\]:]*\s*$"
)
_ABOVE = regex.compile(rf"^(?:\[(?P<inner>{_NAME})\]|(?P<name>{_NAME}))[\s,|–—-]+{STAMP}\s*$")
_ZOOM = regex.compile(rf"^{STAMP}\s+From\s+(?P<name>.{{1,60}}?)\s+to\s+.{{1,60}}?:\s*(?P<text>.*)$")
_STAMP_LINE = regex.compile(rf"^\s*[#*_-]*\s*{STAMP}(?:\s*[-–—>]+\s*{STAMP})?\s*[*_]*\s*$")
_RULE = regex.compile(r"^\s*(?:[-*_]\s*){3,}$|^#{1,6}\s")


def turns(lines: list[str]) -> list[Turn] | None:
    """Return the turns, or None if the lines are no such transcript."""
    shown = [visible(line).rstrip() for line in lines]
    filled = sum(bool(line.strip()) for line in shown)
    for begins in (_bold, _zoom, _above, _heading):
        names = Counter(turn.speaker for line in shown if (turn := begins(line)) is not None)
        # Notes have bold words and times as well: in a conversation somebody speaks twice, and turns are frequent.
        if max(names.values(), default=0) >= 2 and names.total() >= 0.15 * filled:
            return list(joined(_collected(shown, begins)))
    return None


def _collected(lines: list[str], begins: Callable[[str], Turn | None]) -> list[Turn]:
    """Return the turns by the lines that begin them; lines before the first belong to nobody and are left out."""
    found: list[Turn] = []
    for line in lines:
        first = begins(line)
        if first is not None:
            found.append(first)
        elif found and line.strip() and not _STAMP_LINE.match(line) and not _RULE.match(line):
            said = line.strip().removeprefix("> ")
            found[-1] = Turn(found[-1].speaker, f"{found[-1].text}\n{said}".strip())
    return [turn for turn in found if turn.text]


def _bold(line: str) -> Turn | None:
    match = _BOLD.match(line)
    if match is None or not (match["in"] or match["out"] or regex.search(STAMP, line[: match.start("text")])):
        return None
    return Turn(match["name"].strip(), match["text"].strip())


def _zoom(line: str) -> Turn | None:
    match = _ZOOM.match(line)
    return Turn(match["name"].strip(), match["text"].strip()) if match else None


def _above(line: str) -> Turn | None:
    match = _ABOVE.match(line)
    return Turn((match["inner"] or match["name"]).strip(), "") if match else None


def _heading(line: str) -> Turn | None:
    match = _HEADING.match(line)
    return Turn(match["name"].strip(), "") if match and match["stamp"] else None
