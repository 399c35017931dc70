"""Captions of meetings: WebVTT and SubRip, also with speakers as Teams (`<v Ana>`) and Zoom (`Ana: `) write them.

webvtt-py, srt and pysubs2 were tried: they keep markup and entities in the text, give one speaker for a cue with two,
or put the next cue's number into the text. Times, which are most of what they read, are not needed here.
"""

from __future__ import annotations

import html

import regex

from objectives.chats.turn import Turn, joined

_TIMES = regex.compile(r"^\s*(?:\d+:)?\d{1,2}:\d{2}[.,]\d{3}\s*-->\s*(?:\d+:)?\d{1,2}:\d{2}[.,]\d{3}")
_VOICE = regex.compile(r"<v(?:\.[^\s>]*)?\s+(?P<name>[^>]+)>(?P<text>.*?)(?=</v>|<v[.\s]|$)", regex.DOTALL)
_MARKUP = regex.compile(r"</?[a-zA-Z0-9][^<>]*>|\{\\[^}]*\}")
_NAMED = regex.compile(
    r"^(?:-\s*)?(?P<name>\p{L}[\p{L}\p{M}\p{N} ._@'()-]{0,39}?)\s*[:：]\s+(?P<text>.*)$", regex.DOTALL
)


def turns(lines: list[str]) -> list[Turn] | None:
    """Return what was said, by speaker, or None if the lines are no captions."""
    if not any(_TIMES.match(line) for line in lines):
        return None
    found: list[Turn] = []
    for cue in _cues(lines):
        found += _of_cue(cue, found[-1].speaker if found else "")
    return list(joined(found, " "))


def _cues(lines: list[str]) -> list[str]:
    """Return the text of each cue; headers, notes, styles and numbers stand outside of cues."""
    cues: list[list[str]] = []
    inside = False
    for line in lines:
        if _TIMES.match(line):
            inside = True
            cues.append([])
        elif not line.strip():
            inside = False
        elif inside:
            cues[-1].append(line.strip())
    return ["\n".join(cue) for cue in cues if cue]


def _of_cue(cue: str, before: str) -> list[Turn]:
    """Return the turns of a cue; a line without a speaker goes on with the speaker before."""
    voices = list(_VOICE.finditer(cue))
    if voices:
        return [Turn(_plain(voice["name"]), _plain(voice["text"])) for voice in voices if _plain(voice["text"])]
    found = []
    for line in filter(None, (_plain(line) for line in cue.split("\n"))):
        named = _NAMED.match(line)
        before = named["name"] if named else before
        found.append(Turn(before, named["text"] if named else line))
    return found


def _plain(text: str) -> str:
    return " ".join(html.unescape(_MARKUP.sub("", text)).split())
