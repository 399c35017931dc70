"""Chats of messengers as text: WhatsApp on Android and iOS in the stamps of their languages, and KakaoTalk.

Each message begins with a stamp: `12/03/2024, 14:05 - Ana: text` or `[12.03.24, 14:05:33] Ana: text`. Further lines of
a message have none. Lines of the program have a stamp and no name; on iOS they have the chat's name, and their text
begins with a mark of direction, as does that of media.
"""

from __future__ import annotations

import regex

from objectives.chats.turn import Turn, visible

_DATE = (
    r"(?:\d{1,4}\s?[./-]\s?\d{1,2}\s?[./-]\s?\d{1,4}\.?"  # 12/03/2024, 12.3.24, 2024-03-12, 2024. 3. 12.
    r"|\d{4}\s?[年년]\s?\d{1,2}\s?[月월]\s?\d{1,2}\s?[日일])(?:\s?\(?\p{Lo}\)?)?"
)
_WORD = r"[\p{L}\p{M}.]{1,12}"
_TIME = rf"(?:{_WORD}\s?)?\d{{1,2}}[:.]\d{{2}}(?:[:.]\d{{2}})?(?:\s?{_WORD}(?:\s{_WORD})?)?"
_STAMP = rf"{_DATE}(?:\s{_WORD})?[,،、]?\s?(?:{_WORD}\s)?{_TIME}"
_LINE = regex.compile(rf"^(?:\[{_STAMP}\]\s?|{_STAMP}(?:\s?[-–—]\s|,\s))(?P<rest>.*)$", regex.DOTALL)
_NAMED = regex.compile(r"^(?P<name>[^:：\"“”„«»<>]{1,60}?)\s?[:：](?:\s|$)(?P<text>.*)$", regex.DOTALL)
_ANGLES = regex.compile(r"\s*<[^<>\n]{3,60}>\s*$")  # <Media omitted>, <This message was edited>, in any language
_ATTACHED = regex.compile(r"^\S+\.(?:jpe?g|png|webp|gif|mp4|mov|opus|ogg|m4a|mp3|pdf|vcf|docx?|xlsx?)\s\([^)]*\)")
_GONE = regex.compile(
    r"^(?:this message was deleted|you deleted this message|missed (?:voice|video) call|null|"
    r"diese nachricht wurde gelöscht|du hast diese nachricht gelöscht|se eliminó este mensaje|eliminaste este mensaje|"
    r"ce message a été supprimé|vous avez supprimé ce message|essa mensagem foi apagada|esta mensagem foi apagada|"
    r"você apagou esta mensagem|questo messaggio è stato eliminato|dit bericht is verwijderd|"
    r"このメッセージは削除されました|メッセージの送信を取り消しました|此消息已删除|삭제된 메시지입니다)(?:\W|$)",
    regex.IGNORECASE,
)
_DIRECTION = "\u200e"


def turns(lines: list[str]) -> list[Turn] | None:
    """Return the messages, or None if the lines are of no such chat."""
    filled = [line for line in lines if line.strip()]
    stamped = sum(_LINE.match(visible(line)) is not None for line in filled)
    if stamped < 2 or stamped < 0.2 * len(filled):
        return None
    found: list[Turn] = []
    kept = False
    for line in lines:
        stamp = _LINE.match(visible(line))
        if stamp is None:
            if kept and line.strip():
                found[-1] = Turn(found[-1].speaker, f"{found[-1].text}\n{_plain(visible(line))}".strip())
            continue
        said = _NAMED.match(stamp["rest"])
        text = _plain(said["text"]) if said else ""
        kept = bool(text) and not _of_program(line, text)
        if said and kept:
            found.append(Turn(said["name"].strip(" ~"), text))
    return found


def _plain(text: str) -> str:
    """Return a text without the program's remark at its end."""
    return _ANGLES.sub("", text).strip()


def _of_program(line: str, text: str) -> bool:
    """Say whether a text is the program's: about media, a deleted message or the group."""
    if _GONE.match(text) or _ATTACHED.match(text):
        return True
    _, colon, rest = line.lstrip(_DIRECTION).partition("]")[2].partition(": ")
    return bool(colon) and rest.startswith(_DIRECTION)
