"""The transcript of an exported conversation: who said what, one turn a line."""

from __future__ import annotations

from dataclasses import dataclass

from objectives.chats import captions, headed, irc, json_chats, messengers
from objectives.chats.turn import Turn


@dataclass(frozen=True)
class Transcript:
    """A conversation without what the program added.

    Attributes:
        form: The form in which it was exported: `JSON`, `captions`, `IRC`, `messenger` or `headed`.
        turns: Who said what, in order.
    """

    form: str
    turns: tuple[Turn, ...]

    @property
    def text(self) -> str:
        """The turns as lines `Name: text`."""
        return "".join(f"{turn.speaker}: {turn.text}\n" if turn.speaker else f"{turn.text}\n" for turn in self.turns)

    @property
    def for_programs(self) -> bool:
        """Whether the export is made for programs, so that people and models should get the transcript instead."""
        return self.form in ("JSON", "captions")


def transcript(log: str) -> Transcript | None:
    """Read an exported conversation; the form is recognised by its lines.

    Args:
        log: The text of the file.

    Returns:
        The transcript, or None for a log in no such form, such as plain lines `Name: text`.
    """
    if (found := json_chats.turns(log)) is not None:
        return Transcript("JSON", tuple(found))
    lines = log.replace("\r\n", "\n").split("\n")
    forms = {"captions": captions.turns, "messenger": messengers.turns, "IRC": irc.turns, "headed": headed.turns}
    for form, read in forms.items():
        if found := read(lines):
            return Transcript(form, tuple(found))
    return None
