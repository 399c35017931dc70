"""Logs of IRC: irssi, HexChat, ZNC, Ubuntu's and WeeChat's, with joins, quits, modes and topics left out."""

from __future__ import annotations

import regex

from objectives.chats.turn import STAMP, Turn

_WHEN = rf"(?:\[?(?:\d{{4}}-\d\d-\d\d[T ]?|\p{{L}}{{3}}\s+\d{{1,2}}\s+)?(?:{STAMP})?\]?)\s*"
_SAID = regex.compile(rf"^{_WHEN}<[@+%&~! ]?(?P<nick>[^<>\s]{{1,32}})>\s+(?P<text>\S.*)$")
_WEECHAT = regex.compile(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\t[@+%&~]?(?P<nick>[^\t]*)\t(?P<text>.*)$")
_ACTION = regex.compile(rf"^{_WHEN}\*\s+(?P<nick>[^\s*]{{1,32}})\s+(?P<text>\S.*)$")
_EVENT = regex.compile(
    r"^(?:\([^)]*\)\s*)?(?:\[[^]]*\]\s*)?(?:has (?:joined|left|quit|changed|set|kicked|been)|is now known as|"
    r"sets? (?:mode|the topic)|changes? topic|(?:gives|removes) (?:voice|channel operator))\b"
    r"|^(?:joined|left|quit)(?:\s+[#&(].*)?$",
    regex.IGNORECASE,
)
_MARKS = {"-->", "<--", "--", "---", "-!-", "***", "==="}


def turns(lines: list[str]) -> list[Turn] | None:
    """Return the messages and actions, or None if the lines are of no such log."""
    filled = [line for line in lines if line.strip()]
    tabs = sum(_WEECHAT.match(line) is not None for line in filled)
    if tabs >= 2 and 2 * tabs >= len(filled):
        return [turn for line in filled if (turn := _weechat(line))]
    said = sum(_SAID.match(line) is not None for line in filled)
    if said < 2 or said < 0.2 * len(filled):
        return None
    return [turn for line in filled if (turn := _line(line))]


def _line(line: str) -> Turn | None:
    if match := _SAID.match(line):
        return Turn(match["nick"], match["text"])
    action = _ACTION.match(line)
    if action and not _EVENT.match(action["text"]):
        return Turn(action["nick"], f"{action['nick']} {action['text']}")
    return None


def _weechat(line: str) -> Turn | None:
    match = _WEECHAT.match(line)
    if not match or match["nick"].strip() in _MARKS or not match["text"].strip():
        return None
    nick = match["nick"].strip()
    return Turn(match["text"].split()[0] if nick == "*" else nick, match["text"])
