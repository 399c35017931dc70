"""Chats in JSON: days of a Slack export, Telegram, Discord, and lists of speakers with texts as of QMSum."""

from __future__ import annotations

import html
import json
from collections.abc import Mapping
from typing import Any

import regex

from objectives.chats.turn import Turn

_SPOKEN = (None, "", "thread_broadcast", "me_message", "file_share", "bot_message", "file_comment")
"""Subtypes of Slack's messages that somebody wrote; the others are joins, topics, pins and the like."""

_KINDS = ("message", "Default", "Reply", None)
_LISTS = ("messages", "meeting_transcripts", "transcript", "segments", "turns", "utterances", "conversation")
_TEXTS = ("text", "content", "utterance", "message")
_LINK = regex.compile(r"<(?P<what>[@#!]?)(?P<target>[^<>|]+)(?:\|(?P<label>[^<>]*))?>")


def turns(text: str) -> list[Turn] | None:
    """Return the messages, or None if the text is no such JSON."""
    if text.lstrip()[:1] not in ("[", "{"):
        return None
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    messages = _messages(value)
    if not messages:
        return None
    names = _names(messages)
    found = []
    for message in messages:
        said = _said(message, names)
        if said and message.get("subtype") in _SPOKEN and message.get("type") in _KINDS:
            found.append(Turn(_speaker(message, names), said))
    return found or None


def _messages(value: Any) -> list[Mapping[str, Any]]:
    """Return the messages of a JSON value: the list itself, or the one under a known name."""
    if isinstance(value, Mapping):
        value = next((value[name] for name in _LISTS if isinstance(value.get(name), list)), [])
    rows = [row for row in value if isinstance(row, Mapping)] if isinstance(value, list) else []
    return rows if any(name in row for row in rows for name in _TEXTS) else []


def _names(messages: list[Mapping[str, Any]]) -> dict[str, str]:
    """Return the names of Slack's users by their identifiers."""
    names = {}
    for message in messages:
        profile = message.get("user_profile")
        if isinstance(profile, Mapping) and isinstance(message.get("user"), str):
            known = (profile.get(key) for key in ("real_name", "display_name", "name"))
            names[message["user"]] = next((name for name in known if name), message["user"])
    return names


def _speaker(message: Mapping[str, Any], names: Mapping[str, str]) -> str:
    for key in ("user", "from", "username", "speaker", "author", "name", "role"):
        who = message.get(key)
        if isinstance(who, Mapping):
            who = who.get("nickname") or who.get("name") or who.get("real_name")
        if isinstance(who, str) and who:
            return names.get(who, who)
    return ""


def _said(message: Mapping[str, Any], names: Mapping[str, str]) -> str:
    """Return a message's words; Telegram has lists of parts, Slack marks links and people."""
    value = next((message[name] for name in _TEXTS if message.get(name)), "")
    if isinstance(value, list):
        value = "".join(str(part.get("text", "")) if isinstance(part, Mapping) else str(part) for part in value)
    text = _LINK.sub(lambda link: _link(link, names), str(value)) if "user" in message else str(value)
    return html.unescape(text).strip()


def _link(link: regex.Match[str], names: Mapping[str, str]) -> str:
    what, target, label = link["what"], link["target"], link["label"]
    if what == "@":
        return "@" + (label or names.get(target, target))
    return (what.replace("!", "@") if what else "") + (label or target)
